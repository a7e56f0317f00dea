//! Every kind of action, built with the ways to the outside that it needs. It knows no plan.

use super::shell::Shell;
use super::smoke_test::SmokeTest;
use crate::action::Registry;
use crate::ports::Ports;
use crate::probe::Outside;
use std::path::PathBuf;

/// Folders that actions use where a plan names none.
#[derive(Debug, Clone)]
pub struct Places {
    /// For backups.
    pub backups: PathBuf,
}

/// True for kinds whose every use reaches a cluster.
#[cfg(feature = "kubernetes")]
pub fn needs_cluster(kind: &str) -> bool {
    ["apply", "backup", "delete", "detect-colour", "exec", "job", "patch", "restore", "scale", "switch-ingress", "wait-for", "wait-healthy"]
        .contains(&kind)
}

/// Every kind of action that this program knows.
#[cfg(feature = "kubernetes")]
pub fn registry(ports: &Ports, places: &Places) -> Registry {
    use super::pods::{ClusterPods, Pods};
    use super::switch_ingress::SwitchIngress;
    use super::{
        apply::Apply, backup::Backup, delete::Delete, detect_colour::DetectColour, exec::Exec, job::Job, patch::Patch, restore::Restore,
        scale::Scale, wait_for::WaitFor, wait_healthy::WaitHealthy,
    };
    use crate::cluster::Clusters;
    use std::sync::Arc;

    let clusters = Clusters::new(ports.kubernetes.clone(), ports.clock.clone());
    let pods: Arc<dyn Pods> = Arc::new(ClusterPods(clusters.clone()));
    Registry::default()
        .with(Apply::new(clusters.clone()))
        .with(Backup::new(pods.clone(), ports.files.clone(), ports.clock.clone(), places.backups.clone()))
        .with(Delete::new(clusters.clone()))
        .with(DetectColour::new(clusters.clone()))
        .with(Exec::new(pods.clone()))
        .with(Job::new(clusters.clone()))
        .with(Patch::new(clusters.clone()))
        .with(Restore::new(pods.clone(), ports.files.clone(), ports.clock.clone(), places.backups.clone()))
        .with(Scale::new(clusters.clone()))
        .with(Shell::new(ports.processes.clone()))
        .with(SmokeTest::new(Outside::of(ports), Some(pods)))
        .with(SwitchIngress::new(clusters.clone(), ports.http.clone(), ports.clock.clone()))
        .with(WaitFor::new(clusters.clone()))
        .with(WaitHealthy::new(clusters))
}

/// Every kind of action that this program knows without Kubernetes.
#[cfg(not(feature = "kubernetes"))]
pub fn registry(ports: &Ports, _places: &Places) -> Registry {
    Registry::default().with(Shell::new(ports.processes.clone())).with(SmokeTest::new(Outside::of(ports), None))
}
