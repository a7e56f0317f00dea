//! Kubernetes API servers.

use futures::future::BoxFuture;
use std::path::PathBuf;

/// A connection to a cluster.
#[derive(Clone)]
pub struct Connection {
    /// The client.
    pub client: kube::Client,
    /// The namespace that the context names; `default` when none.
    pub namespace: String,
    /// The context's name, for people.
    pub context: String,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect to a cluster: {what}")]
pub struct KubernetesError {
    /// What is wrong.
    pub what: String,
    /// Why.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Gives connections to clusters.
pub trait Kubernetes: Send + Sync {
    /// Connects as the context says; as the current context says when none.
    fn connect(&self, context: Option<&str>) -> BoxFuture<'static, Result<Connection, KubernetesError>>;
}

/// Clusters as kubectl finds them: a named kubeconfig, `KUBECONFIG`, `~/.kube/config`, or the pod that this runs in.
#[derive(Debug, Clone, Default)]
pub struct Kubeconfig {
    /// `--kubeconfig`.
    pub path: Option<PathBuf>,
}
