//! What a simulated run has that a real one has not. Everything that it reaches is simulated; it itself is as it always is.

mod answering;
#[cfg(feature = "kubernetes")]
mod failing;
#[cfg(feature = "kubernetes")]
mod lacking;
#[cfg(feature = "kubernetes")]
mod run;
mod timeless;

pub(super) use answering::Answering;
#[cfg(feature = "kubernetes")]
pub(super) use run::{preview, run};
pub(super) use timeless::Timeless;

use crate::action::{ActionError, Secret};
use crate::engine::Secrets;
use crate::scenario::Scenario;
use futures::future::{BoxFuture, FutureExt};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::runtime::Runtime;

/// The longest that a simulated run may take in its own time: what waits for ever would turn for ever.
pub(super) const LONGEST: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Where a simulated run is carried.
pub(super) struct Stage {
    /// Its time stands still while anybody works.
    pub(super) runtime: Runtime,
    /// What the plan says of the outside.
    pub(super) scenario: Scenario,
}

/// Secrets that are none.
pub(super) struct SimulatedSecrets(pub(super) BTreeMap<String, String>);

impl Secrets for SimulatedSecrets {
    fn resolve(&self, name: &str) -> BoxFuture<'static, Result<Secret, ActionError>> {
        let value = self.0.get(name).cloned().unwrap_or_else(|| format!("simulated-{name}"));
        std::future::ready(Ok(Secret::new(value))).boxed()
    }
}
