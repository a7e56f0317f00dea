//! Taking a Lease for a run and keeping it. It knows no command.

use super::failure::{cannot_lock, taken_by};
use crate::cli::arguments::LockChoice;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::CommandFailure;
use crate::cluster::lease::{Claim, Give, Lease, TakeError, give, lease_name};
use crate::cluster::{Address, Cluster, Clusters, Object};
use crate::journal::{FrozenLock, Held, RunState, StateFolder};
use crate::plan::{Bound, Plan};
use crate::ports::{Gate, Ports};
use crate::record::Outcome;
use std::sync::Arc;
use tokio::runtime::Builder;

/// Where the Lease of a new run is; none when it needs none.
pub fn place(plan: &Plan, bound: &Bound, reaches: bool, choice: LockChoice) -> Option<FrozenLock> {
    let namespace = bound.lock_namespace.as_ref().map(|name| name.as_str()).or(bound.namespace.as_deref());
    let namespace = namespace.filter(|_| reaches && choice == LockChoice::Lease)?.to_owned();
    let shared = bound.lock.as_ref().map(|name| name.as_str());
    Some(FrozenLock { namespace, name: lease_name(plan.name.as_str(), bound.environment.as_deref(), shared) })
}

/// A Lease that a run wants.
pub struct Ask {
    pub(super) place: FrozenLock,
    pub(super) context: Option<String>,
    claim: Claim,
    /// What was found there, when somebody has looked already.
    found: Option<Option<Object>>,
}

impl Ask {
    /// Makes the claim of a run in this process's hands.
    ///
    /// # Errors
    /// When the state folder cannot be looked at.
    pub fn new(
        folder: &StateFolder,
        held: &Held,
        place: FrozenLock,
        context: Option<String>,
        found: Option<Option<Object>>,
    ) -> Result<Self, CommandFailure> {
        let (holder, identity) = (held.holder(), held.identity());
        let claim = Claim {
            run: held.run().to_string(),
            epoch: held.epoch(),
            plan: identity.plan.to_string(),
            environment: identity.environment.clone().unwrap_or_default(),
            host: holder.host.clone(),
            pid: holder.pid,
            started: holder.started,
            boot: holder.boot.clone(),
            user: holder.user.clone(),
            state: folder.path().display().to_string(),
            folder: folder.mark()?,
        };
        Ok(Self { place, context, claim, found })
    }

    /// A claim that was made from this folder and has no run any more: its process was killed between the lock and the first record, or
    /// between the last record and giving the lock up. The identity's file lock is ours, so nobody works on it.
    fn has_no_run(&self, claim: &Claim, folder: &StateFolder) -> bool {
        let same = |claim: &Claim| (claim.plan.clone(), claim.environment.clone(), claim.boot.clone(), claim.folder.clone());
        let row = crate::ids::RunId::new(&claim.run).ok().and_then(|run| folder.run(&run).ok());
        same(claim) == same(&self.claim) && row.is_none_or(|row| matches!(row.state, RunState::Closed(_)))
    }
}

/// A Lease that this process keeps.
pub struct Kept {
    lease: Arc<Lease>,
    keeping: tokio::task::JoinHandle<()>,
}

pub(super) async fn cluster(ports: &Ports, context: Option<&str>) -> Result<Cluster, CommandFailure> {
    let opened = Clusters::new(ports.kubernetes.clone(), ports.clock.clone()).open(context).await;
    opened.map_err(|error| CommandFailure::new(Exit::Refused, error.to_string()).because(&error))
}

pub(super) fn address(place: &FrozenLock) -> Address {
    Address::known("Lease", &place.namespace, &place.name)
}

/// Takes the Lease, and renews it from now on.
///
/// # Errors
/// When somebody else holds it, or it cannot be written.
pub async fn take(ask: Ask, ports: &Ports, gate: &Gate, folder: &StateFolder) -> Result<Kept, Box<CommandFailure>> {
    let cluster = cluster(ports, ask.context.as_deref()).await?;
    let at = address(&ask.place);
    let found = match &ask.found {
        Some(found) => found.clone(),
        None => {
            let found = cluster.get(&at).await.map_err(|error| cannot_lock(&ask.place, &error))?;
            match found.as_ref().and_then(Claim::of) {
                Some(claim) if !ask.has_no_run(&claim, folder) => return Err(Box::new(taken_by(&claim, &ask.place))),
                _ => found,
            }
        }
    };
    let lease = Lease::take(cluster, at, found, ask.claim, gate.clone()).await.map_err(|error| match error {
        TakeError::Api(error) => cannot_lock(&ask.place, &error),
        TakeError::Moved(now) => match now.as_ref().as_ref().and_then(Claim::of) {
            Some(claim) => taken_by(&claim, &ask.place),
            None => CommandFailure::new(Exit::Refused, "somebody else was just taking the lock; nothing was done").hint("try again"),
        },
    })?;
    let lease = Arc::new(lease);
    let keeper = Arc::clone(&lease);
    Ok(Kept { lease, keeping: tokio::spawn(async move { keeper.keep().await }) })
}

impl Kept {
    /// Lets everybody in. Nothing of the run may be in flight any more.
    ///
    /// # Errors
    /// When the Lease cannot be written.
    pub async fn free(self) -> Result<(), CommandFailure> {
        let lease = self.stop().await;
        lease.give(Give::Free).await.map_err(|error| CommandFailure::new(Exit::Refused, "the lock could not be given up").because(&error))
    }

    async fn stop(self) -> Arc<Lease> {
        self.keeping.abort();
        let _stopped = self.keeping.await;
        self.lease
    }
}

/// Says in the Lease that nobody works on the run any more: whoever goes on with it need not wait. On a connection of its own, for the one
/// on which the Lease was taken went with the run's threads. A failure costs the next one a wait, and nothing else.
pub fn rest(context: &Context, kube_context: Option<&str>, kept: Option<Kept>, outcome: Outcome) {
    let Some(lease) = kept.and_then(|kept| Arc::into_inner(kept.lease)) else { return };
    let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return };
    let (at, last, claim) = lease.into_last();
    let word = if outcome == Outcome::Stuck { "stuck" } else { "halted" };
    runtime.block_on(async {
        if let Ok(cluster) = cluster(&context.ports, kube_context).await {
            let _whoever_goes_on_waits = give(&cluster, &at, last, &claim, Give::Rest(word)).await;
        }
    });
}
