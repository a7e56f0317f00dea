//! Frees a StatefulSet whose template was put back from pods of the template that was taken away.
//!
//! A set replaces its pods in order and never passes one that is not ready, so a pod that is stuck on the bad template
//! stays for ever although the template is good again. Deleting it is what the documentation tells people to do by hand.
//! Source: Kubernetes, StatefulSet, "Forced rollback".

use crate::cluster::answer::ApiError;
use crate::cluster::api::Cluster;
use crate::cluster::kinds::Kind;
use crate::cluster::object::Object;
use crate::cluster::request::Address;
use crate::cluster::watch::{Watch, Watched};
use std::time::Duration;

/// Time for the controller to see the template.
const SEEN_WITHIN: Duration = Duration::from_secs(10);

/// Deletes pods that are not ready and not of the set's template. Does nothing for other kinds.
///
/// # Errors
/// When the server does not answer, or refuses.
pub async fn unstick(cluster: &Cluster, at: &Address) -> Result<(), ApiError> {
    if at.kind.kind != "StatefulSet" {
        return Ok(());
    }
    let Some(set) = observed(cluster, at).await? else { return Ok(()) };
    let pods = cluster.list(&Kind::known("Pod"), at.namespace.as_deref(), "").await?;
    for pod in pods.iter().filter(|pod| is_stuck(pod, &set)) {
        let pod_at = Address { kind: Kind::known("Pod"), namespace: at.namespace.clone(), name: pod.name().to_owned() };
        cluster.delete(&pod_at, pod.uid()).await?;
    }
    Ok(())
}

fn is_stuck(pod: &Object, set: &Object) -> bool {
    let wanted = set.text("/status/updateRevision");
    let other = pod.label("controller-revision-hash").is_some_and(|revision| revision != wanted);
    pod.is_owned_by(set.uid()) && other && !pod.is_condition_true("Ready") && !pod.is_terminating()
}

/// The set, once its controller has seen what is wanted now; none when that takes too long.
async fn observed(cluster: &Cluster, at: &Address) -> Result<Option<Object>, ApiError> {
    let mut watch = Watch::open(cluster, vec![Watched::one(at)]);
    let seen = async {
        loop {
            watch.changed().await?;
            match watch.object(at) {
                Some(set) if super::is_observed(set) => return Ok(Some(set.clone())),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    };
    tokio::select! {
        seen = seen => seen,
        () = cluster.clock.sleep(SEEN_WITHIN) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::is_stuck;
    use crate::cluster::object::Object;
    use serde_json::json;

    #[test]
    fn only_pods_that_are_not_ready_and_of_another_template_are_stuck() {
        let set = Object(json!({ "metadata": { "uid": "s" }, "status": { "updateRevision": "db-1" } }));
        let pod = |owner: &str, revision: &str, ready: &str| {
            Object(json!({
                "metadata": { "labels": { "controller-revision-hash": revision }, "ownerReferences": [{ "uid": owner }] },
                "status": { "conditions": [{ "type": "Ready", "status": ready }] }
            }))
        };
        assert!(is_stuck(&pod("s", "db-2", "False"), &set));
        for other in [pod("s", "db-2", "True"), pod("s", "db-1", "False"), pod("x", "db-2", "False")] {
            assert!(!is_stuck(&other, &set));
        }
    }
}
