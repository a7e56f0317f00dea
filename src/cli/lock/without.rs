//! Without Kubernetes the state folder alone keeps a run: there is nothing to take and nothing to give up.

use super::blocked::Blocked;
use crate::cli::arguments::LockChoice;
use crate::cli::context::Context;
use crate::cli::failure::CommandFailure;
use crate::ids::RunId;
use crate::journal::{FrozenLock, Held, StateFolder};
use crate::plan::{Bound, Plan};
use crate::ports::{Gate, Ports};
use crate::record::Outcome;
use std::convert::Infallible;

/// A Lease that a run wants: no run does.
pub struct Ask(Infallible);

/// A Lease that is kept: there is none.
pub struct Kept(Infallible);

/// Who holds a Lease: nobody.
#[derive(Debug)]
pub struct Holder(Infallible);

impl std::fmt::Display for Holder {
    fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {}
    }
}

/// A run that another build opened may have a Lease. This one cannot reach it.
pub struct Way {
    /// Nothing can be found.
    pub found: Option<Infallible>,
    /// Nobody vouches.
    pub is_vouched: bool,
}

impl Way {
    /// Nothing is held.
    pub fn is_held(&self) -> bool {
        self.found.is_some()
    }
}

fn cannot() -> CommandFailure {
    CommandFailure::usage("this bowline was built without Kubernetes, and the run has a lock in a cluster")
        .hint("take one that reaches clusters, or `--lock local`")
}

/// No Lease is ever needed.
pub fn place(_: &Plan, _: &Bound, _: bool, _: LockChoice) -> Option<FrozenLock> {
    None
}

impl Ask {
    /// Makes no claim.
    ///
    /// # Errors
    /// Always.
    pub fn new(_: &StateFolder, _: &Held, _: FrozenLock, _: Option<String>, _: Option<Option<Infallible>>) -> Result<Self, CommandFailure> {
        Err(cannot())
    }
}

impl Kept {
    /// Gives up what was never taken.
    ///
    /// # Errors
    /// Never.
    pub async fn free(self) -> Result<(), CommandFailure> {
        match self.0 {}
    }
}

/// Takes what nobody asks for.
///
/// # Errors
/// Never.
pub async fn take(ask: Ask, _: &Ports, _: &Gate, _: &StateFolder) -> Result<Kept, Box<CommandFailure>> {
    match ask.0 {}
}

/// Nothing rests.
pub fn rest(_: &Ports, _: Option<&str>, _: Option<Kept>, _: Outcome) {}

/// Says that the Lease cannot be reached.
///
/// # Errors
/// Always.
pub async fn clear_way(_: &Context, _: &StateFolder, _: &RunId, _: &FrozenLock, _: Option<&str>) -> Result<Way, Blocked> {
    Err(Blocked::Unknown(cannot()))
}

/// Says that the Lease cannot be reached.
///
/// # Errors
/// Always.
pub async fn release(_: &Context, _: &FrozenLock, _: Option<&str>, _: Way) -> Result<(), CommandFailure> {
    Err(cannot())
}

/// Says that the Lease cannot be reached.
///
/// # Errors
/// Always.
pub async fn holder(_: &Context, _: &FrozenLock, _: Option<&str>) -> Result<Option<Holder>, CommandFailure> {
    Err(cannot())
}

/// Frees what nobody holds.
///
/// # Errors
/// Never.
pub async fn free_without_run(_: &Context, _: &FrozenLock, _: Option<&str>, holder: Holder) -> Result<(), CommandFailure> {
    match holder.0 {}
}
