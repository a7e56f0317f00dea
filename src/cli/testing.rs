//! What the tests of commands are given.

use crate::action::RunScope;
use crate::ids::{PlanName, RunId};
use crate::ports::Ports;

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
    Ports::system(
        #[cfg(feature = "kubernetes")]
        crate::ports::Kubeconfig::default(),
    )
}
