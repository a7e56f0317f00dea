//! The only way to the outside: time, chance, this host, its terminal, processes, files, HTTP and the Kubernetes client. It knows no plan and no run.

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
#[cfg(feature = "kubernetes")]
mod logged;
mod loopback;
mod names;
mod postgres;
mod processes;
mod random;
mod scratch;
mod script;
mod tcp;
mod tls;
#[cfg(feature = "kubernetes")]
mod transport;
mod typing;

pub use clock::{Clock, SystemClock, VirtualClock};
#[cfg(feature = "kubernetes")]
pub use faults::{Fault, Faults, FaultyKubernetes, Sought};
pub use files::{FileError, Files, Reading, SystemFiles, Writing, is_partial_of};
pub use gate::{Gate, Shut, SystemUptime, Uptime};
pub use host::{Host, ProcessFacts, SystemHost};
pub use http::{Http, HttpError, HttpRequest, HttpResponse, NetworkHttp};
#[cfg(feature = "kubernetes")]
pub use kubernetes::{Connection, IN_CLUSTER, Kubeconfig, Kubernetes, KubernetesError, NotReached, REQUEST_TIMEOUT};
pub use loopback::{Connected, Listener, Loopback, SystemLoopback};
pub use names::{NameError, Names, SystemNames};
pub use postgres::{NetworkPostgres, Postgres, SqlAnswer, SqlError, SqlQuestion};
#[cfg(feature = "kubernetes")]
pub(crate) use processes::Capture;
pub use processes::{Exit, Line, Orphan, ProcessError, ProcessSpec, Processes, RUN_VARIABLE, STEP_VARIABLE, Stream, SystemProcesses};
pub use random::{Random, SeededRandom, SystemRandom};
pub use scratch::ScratchFolder;
pub use script::Script;
pub use tcp::{NetworkTcp, Tcp, TcpError};
pub use tls::{Certificate, NetworkTls, Tls, TlsError, TlsQuestion};
pub use typing::{UnseenTyping, forget_typed};

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
    /// Host names.
    pub names: Arc<dyn Names>,
    /// Servers' certificates.
    pub tls: Arc<dyn Tls>,
    /// Databases.
    pub postgres: Arc<dyn Postgres>,
    /// Kubernetes API servers.
    #[cfg(feature = "kubernetes")]
    pub kubernetes: Arc<dyn Kubernetes>,
}

impl Ports {
    /// The outside as it is.
    pub fn system(#[cfg(feature = "kubernetes")] kubernetes: Kubeconfig) -> Self {
        Self {
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom::default()),
            processes: Arc::new(SystemProcesses),
            files: Arc::new(SystemFiles),
            host: Arc::new(SystemHost),
            http: Arc::new(NetworkHttp::default()),
            tcp: Arc::new(NetworkTcp),
            names: Arc::new(SystemNames),
            tls: Arc::new(NetworkTls),
            postgres: Arc::new(NetworkPostgres),
            #[cfg(feature = "kubernetes")]
            kubernetes: Arc::new(kubernetes),
        }
    }
}
