//! The lock that keeps other machines out of what a plan writes: a Lease where the plan reaches a cluster, else the state folder alone.

mod blocked;
#[cfg(feature = "kubernetes")]
mod failure;
#[cfg(feature = "kubernetes")]
mod lease;
#[cfg(feature = "kubernetes")]
mod way;
#[cfg(not(feature = "kubernetes"))]
mod without;

pub(super) use blocked::Blocked;
#[cfg(feature = "kubernetes")]
pub(super) use lease::{Ask, Kept, place, rest, take};
#[cfg(feature = "kubernetes")]
pub(super) use way::{Way, clear_way, free_without_run, holder, release};
#[cfg(not(feature = "kubernetes"))]
pub(super) use without::{Ask, Kept, Way, clear_way, free_without_run, holder, place, release, rest, take};

use crate::engine::Permit;
use crate::ports::Gate;
use futures::future::{BoxFuture, FutureExt};

/// The right to write, as the gate shows it.
pub struct Gated(pub Gate);

impl Permit for Gated {
    fn entry(&self) -> BoxFuture<'static, Result<(), String>> {
        let gate = self.0.clone();
        async move { gate.pass().await.map_err(|shut| shut.0) }.boxed()
    }

    fn lapsed(&self) -> BoxFuture<'static, String> {
        let gate = self.0.clone();
        async move { gate.wait_shut().await.0 }.boxed()
    }
}
