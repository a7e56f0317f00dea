//! What a simulated run has that a real one has not. Everything that it reaches is simulated; it itself is as it always is.

mod answering;
#[cfg(feature = "kubernetes")]
mod failing;
#[cfg(feature = "kubernetes")]
mod lacking;
#[cfg(feature = "kubernetes")]
mod run;
mod standstill;
mod timeless;

pub(super) use answering::Answering;
#[cfg(feature = "kubernetes")]
pub(super) use run::{preview, run};
pub(super) use standstill::Standstill;
pub(super) use timeless::Timeless;

use crate::action::{ActionError, Secret};
use crate::engine::Secrets;
use crate::scenario::Scenario;
use futures::future::{BoxFuture, FutureExt};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Where a simulated run is carried.
pub(super) struct Stage {
    /// Its time stands still while anybody works.
    pub(super) runtime: Runtime,
    /// What the plan says of the outside.
    pub(super) scenario: Scenario,
    /// Who notices that nothing happens any more.
    pub(super) standstill: Arc<Standstill>,
}

/// Secrets that are none.
pub(super) struct SimulatedSecrets(pub(super) BTreeMap<String, String>);

impl Secrets for SimulatedSecrets {
    fn resolve(&self, name: &str) -> BoxFuture<'static, Result<Secret, ActionError>> {
        let value = self.0.get(name).cloned().unwrap_or_else(|| format!("simulated-{name}"));
        std::future::ready(Ok(Secret::new(value))).boxed()
    }
}
