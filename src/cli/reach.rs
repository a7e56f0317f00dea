//! Looks before a run begins whether its cluster is there, and learns from it where the run works. It changes nothing.

use super::context::Context;
#[cfg(feature = "kubernetes")]
use super::exit::Exit;
use super::failure::CommandFailure;
use crate::plan::{Bound, Plan};

/// Fills in the namespace and the context that neither the environment nor a step names: a resume must not meet another cluster because
/// the current context has changed meanwhile, and targets must carry the namespace that the actions will use. Says whether any step reaches
/// a cluster.
///
/// # Errors
/// When a step needs a cluster, and there is none that answers.
#[cfg(feature = "kubernetes")]
pub async fn reach(context: &Context, plan: &Plan, bound: &mut Bound) -> Result<bool, CommandFailure> {
    use crate::actions::needs_cluster;
    use crate::plan::Undo;
    use crate::ports::{IN_CLUSTER, KubernetesError};

    let undone_by = |undo: &Undo| matches!(undo, Undo::Steps(steps) if steps.iter().any(|(kind, _)| needs_cluster(kind.as_str())));
    if !plan.steps.iter().any(|step| needs_cluster(step.kind.as_str()) || undone_by(&step.undo)) {
        return Ok(false);
    }
    let connecting = async {
        let connection = context.ports.kubernetes.connect(bound.context.as_deref()).await?;
        connection.look().await?;
        Ok::<_, KubernetesError>(connection)
    };
    let connection = connecting.await.map_err(|error| {
        let hint = match error.to_string().contains("no kubeconfig") {
            true => "without a cluster, `bowline run --simulate` tries the plan out",
            false => "look whether the cluster is there: `kubectl version`",
        };
        CommandFailure::new(Exit::Refused, format!("{error}, so nothing was begun")).because(&error).hint(hint)
    })?;
    bound.namespace.get_or_insert(connection.namespace);
    if connection.context != IN_CLUSTER {
        bound.context.get_or_insert(connection.context);
    }
    Ok(true)
}

/// Without Kubernetes no step reaches a cluster.
///
/// # Errors
/// Never.
#[cfg(not(feature = "kubernetes"))]
pub async fn reach(_context: &Context, _plan: &Plan, _bound: &mut Bound) -> Result<bool, CommandFailure> {
    Ok(false)
}
