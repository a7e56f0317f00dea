//! Whether the Lease of a run that nobody seems to work on can be taken over, and how it is freed without the run. It takes none.

use super::blocked::Blocked;
use super::failure::{at_work, cannot_lock, taken_by};
use super::lease::{address, cluster};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::CommandFailure;
use crate::cli::print;
use crate::cluster::lease::{Claim, Give, QUIET_FOR, Watched, give, is_resting, watch};
use crate::cluster::{Address, Cluster, Object};
use crate::ids::RunId;
use crate::journal::{FrozenLock, RunState, StateFolder};
use std::fmt;

/// What was found of a Lease that this process may take.
pub struct Way {
    /// The Lease; none when there is none.
    pub found: Option<Object>,
    /// It shows that nobody works on the run any more, wherever that was.
    pub is_vouched: bool,
}

/// Sees to it that nobody works on a run any more; that may take as long as its Lease has to stay as it is.
///
/// # Errors
/// When somebody does, another run holds the Lease, or it cannot be read.
pub async fn clear_way(
    context: &Context,
    folder: &StateFolder,
    run: &RunId,
    place: &FrozenLock,
    kube_context: Option<&str>,
) -> Result<Way, Blocked> {
    let cluster = cluster(&context.ports, kube_context).await.map_err(Blocked::Unknown)?;
    let at = address(place);
    let found = cluster.get(&at).await.map_err(|error| Blocked::Unknown(cannot_lock(place, &error)))?;
    let Some((lease, claim)) = found.clone().and_then(|lease| Some((lease.clone(), Claim::of(&lease)?))) else {
        return Ok(Way { found, is_vouched: false });
    };
    if claim.run != run.as_str() {
        return Err(Blocked::ByOther(taken_by(&claim, place)));
    }
    let state = folder.run(run).map_err(|refused| Blocked::Unknown(refused.into()))?.state;
    // A living process of this machine is told by the folder itself, in better words.
    if is_resting(&lease) || state == RunState::Live || is_dead_here(context, folder, &claim, state).map_err(Blocked::Unknown)? {
        return Ok(Way { is_vouched: is_resting(&lease), found: Some(lease) });
    }
    let found = wait_quiet(context, &cluster, &at, lease, &claim, place).await?;
    Ok(Way { found, is_vouched: true })
}

/// The kernel of this machine says that the process is gone: it held the lock of this very folder.
fn is_dead_here(context: &Context, folder: &StateFolder, claim: &Claim, state: RunState) -> Result<bool, CommandFailure> {
    let here = context.ports.host.this_process();
    let here = here.map_err(|error| CommandFailure::new(Exit::Internal, "this process cannot name itself").because(&error))?;
    Ok(claim.boot == here.boot && claim.folder == folder.mark()? && state != RunState::Elsewhere)
}

async fn wait_quiet(
    context: &Context,
    cluster: &Cluster,
    at: &Address,
    lease: Object,
    claim: &Claim,
    place: &FrozenLock,
) -> Result<Option<Object>, Blocked> {
    if !context.is_json() {
        print::notice(&format!(
            "the process that held the lock cannot be seen from here (process {} of {} on {}): watching for {}s whether it renews it",
            claim.pid,
            claim.user,
            claim.host,
            QUIET_FOR.as_secs()
        ));
    }
    match watch(cluster, at, lease, &context.gate).await.map_err(|error| Blocked::Unknown(cannot_lock(place, &error)))? {
        Watched::Quiet(lease) => Ok(Some(lease)),
        Watched::Moved(now) => match now.as_ref().map(|lease| (Claim::of(lease), is_resting(lease))) {
            None | Some((None, _)) => Ok(now),
            Some((Some(now), _)) if now.run != claim.run => Err(Blocked::ByOther(taken_by(&now, place))),
            Some((Some(_), true)) => Ok(now),
            Some((Some(now), false)) => Err(Blocked::Alive(at_work(&now))),
        },
    }
}

/// Frees the Lease of a run that was closed. It must be as it was found.
///
/// # Errors
/// When it cannot be written.
pub async fn release(context: &Context, place: &FrozenLock, kube_context: Option<&str>, way: Way) -> Result<(), CommandFailure> {
    let Some((lease, claim)) = way.found.and_then(|lease| Some((lease.clone(), Claim::of(&lease)?))) else { return Ok(()) };
    let cluster = cluster(&context.ports, kube_context).await?;
    give(&cluster, &address(place), lease, &claim, Give::Free).await.map_err(|error| cannot_lock(place, &error))
}

/// A Lease that somebody holds.
pub struct Holder {
    lease: Object,
    claim: Claim,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.claim.run.as_str() {
            "" => write!(f, "`{}`, which is no run of bowline,", self.claim.host),
            run => write!(f, "run {run} of {} on {}", self.claim.user, self.claim.host),
        }
    }
}

/// The holder of a lock that is to be freed without its run.
///
/// # Errors
/// When it cannot be read.
pub async fn holder(context: &Context, place: &FrozenLock, kube_context: Option<&str>) -> Result<Option<Holder>, CommandFailure> {
    let cluster = cluster(&context.ports, kube_context).await?;
    let found = cluster.get(&address(place)).await.map_err(|error| cannot_lock(place, &error))?;
    Ok(found.and_then(|lease| Some(Holder { claim: Claim::of(&lease)?, lease })))
}

/// Frees a lock without its run, once its holder has shown no life.
///
/// # Errors
/// When the holder lives, or the Lease cannot be written.
pub async fn free_without_run(
    context: &Context,
    place: &FrozenLock,
    kube_context: Option<&str>,
    Holder { lease, claim }: Holder,
) -> Result<(), CommandFailure> {
    let cluster = cluster(&context.ports, kube_context).await?;
    let at = address(place);
    let quiet = if is_resting(&lease) { Some(lease) } else { wait_quiet(context, &cluster, &at, lease, &claim, place).await? };
    let Some(lease) = quiet else { return Ok(()) };
    give(&cluster, &at, lease, &claim, Give::Free).await.map_err(|error| cannot_lock(place, &error))
}
