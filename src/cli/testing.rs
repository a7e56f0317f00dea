//! What the tests of commands are given.

use crate::action::RunScope;
use crate::ids::{PlanName, RunId};
use crate::ports::{NetworkHttp, NetworkTcp, Ports, SystemClock, SystemFiles, SystemHost, SystemProcesses, SystemRandom};
use std::sync::Arc;

pub fn scope() -> RunScope {
    RunScope {
        run: RunId::new("20261121-120300-7f3a").unwrap(),
        plan: PlanName::new("web").unwrap(),
        environment: None,
        namespace: None,
        context: None,
    }
}

pub fn ports() -> Ports {
    Ports {
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom::default()),
        processes: Arc::new(SystemProcesses),
        files: Arc::new(SystemFiles),
        host: Arc::new(SystemHost),
        http: Arc::new(NetworkHttp::default()),
        tcp: Arc::new(NetworkTcp),
        #[cfg(feature = "kubernetes")]
        kubernetes: Arc::new(crate::ports::Kubeconfig::default()),
    }
}
