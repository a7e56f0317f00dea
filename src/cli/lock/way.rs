//! Whether the Lease of a run that nobody seems to work on can be taken over, and how it is freed without the run. It takes none.

use super::blocked::Blocked;
use super::failure::{at_work, cannot_lock, taken_by, went_on};
use super::lease::{address, cluster};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::CommandFailure;
use crate::cli::print;
use crate::cluster::lease::{Claim, Give, QUIET_FOR, Watched, give, is_resting, watch};
use crate::cluster::{Address, Cluster, Object};
use crate::ids::RunId;
use crate::journal::{FrozenLock, RunRow, RunState, StateFolder};
use std::fmt;

/// What was found of a Lease that this process may take.
pub struct Way {
    /// The Lease; none when there is none.
    pub found: Option<Object>,
    /// It shows that nobody works on the run any more, wherever that was.
    pub is_vouched: bool,
}

impl Way {
    /// True when the run still holds the Lease.
    pub fn is_held(&self) -> bool {
        self.found.as_ref().and_then(Claim::of).is_some()
    }
}

/// Sees to it that nobody works on a run any more; that may take as long as its Lease has to stay as it is.
///
/// # Errors
/// When somebody does, the run went on in another state folder, another run holds the Lease, or it cannot be read.
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
    let row = folder.run(run).map_err(|refused| Blocked::Unknown(refused.into()))?;
    known_here(found.as_ref(), &row, place)?;
    let Some((lease, claim)) = found.clone().and_then(|lease| Some((lease.clone(), Claim::of(&lease)?))) else {
        return Ok(Way { found, is_vouched: false });
    };
    if claim.run != run.as_str() {
        return Err(Blocked::ByOther(taken_by(&claim, place)));
    }
    let state = row.state;
    // A living process of this machine is told by the folder itself, in better words.
    if is_resting(&lease) || state == RunState::Live || is_dead_here(context, folder, &claim, state).map_err(Blocked::Unknown)? {
        return Ok(Way { is_vouched: is_resting(&lease), found: Some(lease) });
    }
    let found = wait_quiet(context, &cluster, &at, lease, &claim, place).await?;
    known_here(found.as_ref(), &row, place)?;
    Ok(Way { found, is_vouched: true })
}

/// A run that was exported goes on where it was imported. What it did there nobody knows here, and would do again.
fn known_here(lease: Option<&Object>, row: &RunRow, place: &FrozenLock) -> Result<(), Blocked> {
    let last = lease.and_then(Claim::last_of).filter(|last| last.run == row.run.as_str() && last.epoch > row.epoch);
    match (last, lease.and_then(Claim::of)) {
        (None, _) => Ok(()),
        (Some(last), holder) => Err(Blocked::WentOn(went_on(&last, holder.is_none(), row.epoch, place))),
    }
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

#[cfg(test)]
mod tests {
    use super::{Blocked, known_here};
    use crate::cluster::Object;
    use crate::cluster::lease::Claim;
    use crate::ids::{Moment, PlanName, RunId};
    use crate::journal::{FrozenLock, Identity, RunRow, RunState};
    use serde_json::json;

    fn lease(prefix: &str, holder: Option<String>) -> Object {
        let note = |name: &str| format!("{prefix}{name}");
        Object(json!({
            "metadata": { "annotations": {
                note("run"): "r1", note("epoch"): "2", note("host"): "ci-2", note("pid"): "7", note("user"): "ann", note("state"): "/theirs",
            } },
            "spec": { "holderIdentity": holder },
        }))
    }

    fn row(epoch: u64) -> RunRow {
        let identity = Identity { plan: PlanName::new("web").unwrap(), environment: None };
        let (run, opened) = (RunId::new("r1").unwrap(), Moment::from_millis(0));
        RunRow { run, identity, opened, state: RunState::Halted, records: 1, epoch, holder: None, since: None }
    }

    fn told(lease: &Object, epoch: u64) -> Result<(), String> {
        let place = FrozenLock { namespace: "shop".to_owned(), name: "bowline.web".to_owned() };
        known_here(Some(lease), &row(epoch), &place).map_err(|blocked| match blocked {
            Blocked::WentOn(failure) => failure.lines().join("\n"),
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn a_run_that_went_on_elsewhere_is_not_taken_up_where_it_was_left() {
        let claim = Claim { run: "r1".to_owned(), epoch: 2, host: "ci-2".to_owned(), pid: 7, user: "ann".to_owned(), ..Claim::default() };
        let halted = lease("bowline/", Some(claim.identity()));
        insta::assert_snapshot!(told(&halted, 1).unwrap_err(), @"
        error: run r1 went on in another state folder, and what it did there is not known here
          because process 7 of ann on ci-2 held it last, as number 2 of those that did; this folder knows of 1 (Lease `bowline.web` in namespace `shop`)
          next: go on with it on ci-2: `bowline resume r1 --state /theirs`; to go on with it here, take it along: `bowline journal export r1 --to FILE --state /theirs` there, `bowline journal import FILE --state DIR` here, into a folder that does not have it
        ");
        assert_eq!(told(&halted, 2), Ok(()), "it was taken along");
        let over = lease("bowline/last-", None);
        insta::assert_snapshot!(told(&over, 1).unwrap_err(), @"
        error: run r1 went on in another state folder, and what it did there is not known here
          because process 7 of ann on ci-2 held it last, as number 2 of those that did; this folder knows of 1 (Lease `bowline.web` in namespace `shop`)
          next: it has given the lock up since: `bowline show r1 --state /theirs` on ci-2 tells how it ended, `bowline abandon r1` closes it here
        ");
        assert_eq!(told(&over, 2), Ok(()));
    }
}
