//! The simulated outside: a cluster behind kube's client, servers, programs, files and time. It knows no plan, no action and no run; with
//! `cluster/` it shares nothing but HTTP, so that neither can hide a mistake of the other.
//!
//! The world ([`world`]) is passive: whoever looks lets it catch up. Faults go in front of it, where they go in front of a real server
//! ([`crate::ports::FaultyKubernetes`]).

mod api;
mod controllers;
mod defaults;
mod differences;
mod fields;
mod furnish;
mod kinds;
mod lacking;
mod outside;
mod owners;
mod refusal;
mod rules;
#[cfg(test)]
mod same_words;
mod shared;
mod store;
mod world;

use crate::ids::Moment;
use crate::ports::{Connection, Gate, Kubernetes, KubernetesError, Ports, SeededRandom, VirtualClock};
use crate::scenario::Scenario;
use differences::Picture;
use futures::future::{BoxFuture, FutureExt};
use http::Request;
use kube::client::Body;
use outside::{SimulatedFiles, SimulatedHttp, SimulatedLoopback, SimulatedProcesses, SimulatedTcp, Unmodelled};
use serde_json::Value;
use shared::Shared;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use world::World;

pub use furnish::FurnishError;
pub use lacking::{images, lacking_image, lacking_in_pod, lacking_program, lacking_server, may_be_there};

/// The name of the simulated cluster's context.
pub const CONTEXT: &str = "simulated";
/// How long before a run its cluster was furnished: time enough for everything to come up.
const BEFORE: Duration = Duration::from_secs(3_600);

/// A simulated outside.
pub struct Simulation {
    shared: Arc<Shared>,
    clock: Arc<VirtualClock>,
    seed: u64,
    before: Mutex<Picture>,
}

impl Simulation {
    /// Makes one whose cluster is empty. What comes of chance follows from `seed`.
    pub fn new(scenario: Scenario, seed: u64, clock: Arc<VirtualClock>) -> Self {
        use crate::ports::Clock;
        let began = Moment::from_millis(clock.now().as_millis() - i64::try_from(BEFORE.as_millis()).unwrap_or(0));
        let shared = Arc::new(Shared::new(World::new(scenario, seed, began), Arc::clone(&clock)));
        Self { shared, clock, seed, before: Mutex::default() }
    }

    /// Puts objects into the cluster, as if they had been applied an hour ago, and remembers how it looks then. Those that name no
    /// namespace go into `namespace`.
    ///
    /// # Errors
    /// What the API server would refuse.
    pub fn furnish(&self, namespace: &str, objects: &[Value]) -> Result<(), FurnishError> {
        self.shared.furnish(namespace, objects)?;
        *self.before.lock().unwrap_or_else(PoisonError::into_inner) = self.shared.with(|world| Picture::of(world));
        Ok(())
    }

    /// The outside that a simulated run reaches; everything that it writes to the cluster passes `gate`. What tells of this machine stays.
    pub fn ports(&self, gate: &Gate, real: &Ports) -> Ports {
        let loopback = SimulatedLoopback::default();
        let (shared, clock) = (&self.shared, Arc::clone(&self.clock));
        Ports {
            clock,
            random: Arc::new(SeededRandom::new(self.seed)),
            processes: Arc::new(SimulatedProcesses(Arc::clone(shared))),
            files: Arc::new(SimulatedFiles::default()),
            host: Arc::clone(&real.host),
            http: Arc::new(SimulatedHttp { shared: Arc::clone(shared), loopback: loopback.clone() }),
            tcp: Arc::new(SimulatedTcp { shared: Arc::clone(shared), loopback: loopback.clone() }),
            names: Arc::new(Unmodelled(Arc::clone(shared))),
            tls: Arc::new(Unmodelled(Arc::clone(shared))),
            postgres: Arc::new(Unmodelled(Arc::clone(shared))),
            kubernetes: Arc::new(SimulatedKubernetes { shared: Arc::clone(shared), loopback, gate: gate.clone() }),
        }
    }

    /// What was asked for and is not modelled.
    pub fn missing(&self) -> Vec<String> {
        self.shared.with(|world| world.missing().cloned().collect())
    }

    /// How the cluster differs from what it was before the run, one line an object; what controllers made is left out.
    pub fn differences(&self) -> Vec<String> {
        let before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.with(|world| before.differences(&Picture::of(world)))
    }

    /// Where the cluster's course is now: [`Self::has_moved_since`] takes it.
    pub fn course(&self) -> u64 {
        self.shared.with(|world| world.store.version())
    }

    /// Whether anything has changed since that does not only go round, as the renewals of a Lease do.
    pub fn has_moved_since(&self, course: u64) -> bool {
        self.shared.with(|world| world.store.since(course).iter().any(store::News::is_progress))
    }

    /// The time at which the last thing happens that is known to happen; none when nothing is.
    pub fn last_due(&self) -> Option<Moment> {
        self.shared.with(|world| world.last_at())
    }

    /// How long the run has taken in its own time.
    pub fn passed(&self) -> Duration {
        self.clock.passed()
    }
}

/// The cluster, behind kube's client.
struct SimulatedKubernetes {
    shared: Arc<Shared>,
    loopback: SimulatedLoopback,
    gate: Gate,
}

impl Kubernetes for SimulatedKubernetes {
    fn connect(&self, context: Option<&str>) -> BoxFuture<'static, Result<Connection, KubernetesError>> {
        let shared = Arc::clone(&self.shared);
        let service = tower::service_fn(move |request: Request<Body>| api::serve(&shared, request));
        let context = context.unwrap_or(CONTEXT).to_owned();
        let (gate, loopback) = (self.gate.clone(), Arc::new(self.loopback.clone()));
        // kube's client needs a runtime to be made on, which there is only inside the future.
        async move { Ok(Connection::to_service(service, gate, loopback, "default", &context)) }.boxed()
    }
}
