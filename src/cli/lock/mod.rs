//! The lock that keeps other machines out of what a plan writes: a Lease where the plan reaches a cluster, else the state folder alone.

#[cfg(feature = "kubernetes")]
mod failure;
#[cfg(feature = "kubernetes")]
mod lease;
#[cfg(feature = "kubernetes")]
mod way;
#[cfg(not(feature = "kubernetes"))]
mod without;

#[cfg(feature = "kubernetes")]
pub(super) use lease::{Ask, Kept, place, rest, take};
#[cfg(feature = "kubernetes")]
pub(super) use way::{Blocked, Way, clear_way, free_without_run, holder, release};
#[cfg(not(feature = "kubernetes"))]
pub(super) use without::{Ask, Blocked, Kept, Way, clear_way, free_without_run, holder, place, release, rest, take};

use crate::engine::Permit;
use crate::ports::{Clock, Gate};
use futures::future::{BoxFuture, FutureExt};
use std::sync::Arc;
use std::time::Duration;

/// The right to write, as the gate shows it.
pub struct Gated {
    /// The gate that the lock keeps open.
    pub gate: Gate,
    /// What waits for it to shut.
    pub clock: Arc<dyn Clock>,
}

/// How long to wait for a gate that somebody may shut at any time.
const LOOK_EVERY: Duration = Duration::from_secs(1);

impl Permit for Gated {
    fn refusal(&self) -> Option<String> {
        self.gate.check().err().map(|shut| shut.0)
    }

    fn lapsed(&self) -> BoxFuture<'static, String> {
        let (gate, clock) = (self.gate.clone(), Arc::clone(&self.clock));
        async move {
            loop {
                match (gate.check(), gate.left()) {
                    (Err(shut), _) => return shut.0,
                    (Ok(()), Some(left)) => clock.sleep(left.min(LOOK_EVERY)).await,
                    (Ok(()), None) => clock.sleep(LOOK_EVERY).await,
                }
            }
        }
        .boxed()
    }
}
