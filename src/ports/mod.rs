//! The only way to the outside: time, chance, this host, processes, files, HTTP and the Kubernetes client. It knows no plan and no run.

mod clock;
#[cfg(feature = "kubernetes")]
mod faults;
mod files;
mod gate;
#[cfg(feature = "kubernetes")]
mod gated;
mod host;
mod http;
#[cfg(feature = "kubernetes")]
mod kubernetes;
mod processes;
mod random;
mod script;
mod tcp;

pub use clock::{Clock, SystemClock};
#[cfg(feature = "kubernetes")]
pub use faults::{Fault, Faults, FaultyKubernetes, Sought};
pub use files::{FileError, Files, Reading, SystemFiles, Writing, is_partial_of};
pub use gate::{Gate, Shut, SystemUptime, Uptime};
pub use host::{Host, ProcessFacts, SystemHost};
pub use http::{Http, HttpError, HttpRequest, HttpResponse, NetworkHttp};
#[cfg(feature = "kubernetes")]
pub use kubernetes::{Connection, IN_CLUSTER, Kubeconfig, Kubernetes, KubernetesError, NotReached, REQUEST_TIMEOUT};
#[cfg(feature = "kubernetes")]
pub(crate) use processes::Capture;
pub use processes::{Exit, Line, Orphan, ProcessError, ProcessSpec, Processes, RUN_VARIABLE, STEP_VARIABLE, Stream, SystemProcesses};
pub use random::{Random, SystemRandom};
pub use script::Script;
pub use tcp::{NetworkTcp, Tcp, TcpError};

use std::sync::Arc;

/// Everything outside that the program can reach.
#[derive(Clone)]
pub struct Ports {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
    /// Programs on this machine.
    pub processes: Arc<dyn Processes>,
    /// Files on this machine.
    pub files: Arc<dyn Files>,
    /// This machine as others see it.
    pub host: Arc<dyn Host>,
    /// HTTP servers.
    pub http: Arc<dyn Http>,
    /// Servers of any other protocol.
    pub tcp: Arc<dyn Tcp>,
    /// Kubernetes API servers.
    #[cfg(feature = "kubernetes")]
    pub kubernetes: Arc<dyn Kubernetes>,
}
