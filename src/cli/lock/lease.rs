//! Taking a Lease for a run and keeping it. It knows no command.

use super::failure::{cannot_lock, taken_by};
use crate::cli::arguments::LockChoice;
use crate::cli::exit::Exit;
use crate::cli::failure::CommandFailure;
use crate::cluster::lease::{Claim, Give, Lease, TakeError, give, lease_name};
use crate::cluster::{Address, Cluster, Clusters, Object};
use crate::journal::{FrozenLock, Held, RunState, StateFolder};
use crate::plan::{Bound, Plan};
use crate::ports::{Gate, Ports};
use crate::record::Outcome;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Builder;

/// Time to say in the Lease that its run rests.
const REST_WITHIN: Duration = Duration::from_secs(2);

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
        let given = lease.give(Give::Free).await;
        given.map_err(|error| {
            let failure = CommandFailure::new(Exit::Refused, "the lock could not be given up").because(&error);
            failure.hint(format!("`bowline abandon {}` frees it", lease.run()))
        })
    }

    async fn stop(self) -> Arc<Lease> {
        self.keeping.abort();
        let _stopped = self.keeping.await;
        self.lease
    }
}

/// Says in the Lease that nobody works on the run any more: whoever goes on with it need not wait. On a connection of its own, for the one
/// on which the Lease was taken went with the run's threads. A failure costs the next one a wait, and nothing else: it is not tried for long,
/// since whoever stopped the run waits for this process to end.
pub fn rest(ports: &Ports, kube_context: Option<&str>, kept: Option<Kept>, outcome: Outcome) {
    let Some(lease) = kept.and_then(|kept| Arc::into_inner(kept.lease)) else { return };
    let Ok(runtime) = Builder::new_current_thread().enable_all().build() else { return };
    let (at, last, claim) = lease.into_last();
    let word = if outcome == Outcome::Stuck { "stuck" } else { "halted" };
    let resting = async {
        if let Ok(cluster) = cluster(ports, kube_context).await {
            let _whoever_goes_on_waits = give(&cluster, &at, last, &claim, Give::Rest(word)).await;
        }
    };
    runtime.block_on(async {
        tokio::select! {
            () = resting => {}
            () = ports.clock.sleep(REST_WITHIN) => {}
        }
    });
    // A name that is still being looked up would be waited for.
    runtime.shutdown_background();
}

#[cfg(test)]
mod tests {
    use super::{Kept, rest};
    use crate::cli::testing;
    use crate::cluster::Address;
    use crate::cluster::lease::{Claim, Lease};
    use crate::cluster::test_server::TestServer;
    use crate::ids::Moment;
    use crate::ports::{Clock, Connection, Gate, Kubernetes, KubernetesError, Ports};
    use crate::record::Outcome;
    use futures::future::{BoxFuture, FutureExt};
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::runtime::Builder;

    /// Every wait is over at once.
    struct Hasty;

    impl Clock for Hasty {
        fn now(&self) -> Moment {
            Moment::from_millis(0)
        }

        fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
            std::future::ready(()).boxed()
        }
    }

    /// Never answers.
    struct Away;

    impl Kubernetes for Away {
        fn connect(&self, _: Option<&str>) -> BoxFuture<'static, Result<Connection, KubernetesError>> {
            std::future::pending().boxed()
        }
    }

    async fn kept() -> Kept {
        let (server, at) = (TestServer::default(), Address::known("Lease", "shop", "bowline.shop"));
        server.put(
            "/apis/coordination.k8s.io/v1/namespaces/shop/leases/bowline.shop",
            serde_json::json!({ "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
                "metadata": { "name": "bowline.shop", "namespace": "shop", "uid": "u1", "managedFields": [] } }),
        );
        let cluster = server.cluster().await;
        let found = cluster.get(&at).await.unwrap();
        let Ok(lease) = Lease::take(cluster, at, found, Claim::default(), Gate::default()).await else { panic!("it is free") };
        Kept { lease: Arc::new(lease), keeping: tokio::spawn(async {}) }
    }

    #[test]
    fn a_server_that_is_away_holds_up_nobody_who_has_stopped_a_run() {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let kept = runtime.block_on(kept());
        let ports = Ports { clock: Arc::new(Hasty), kubernetes: Arc::new(Away), ..testing::ports() };
        // Without a limit it would not return.
        rest(&ports, None, Some(kept), Outcome::Halted);
    }
}
