//! The health of a Deployment.

use super::{NOT_OBSERVED, Trouble, Verdict, View, is_observed, progress, refused, worst};
use crate::cluster::object::Object;

/// Where the controller notes which of a Deployment's ReplicaSets is which.
const REVISION: &str = "deployment.kubernetes.io/revision";

pub(super) fn judge(object: &Object, view: &View<'_>) -> Verdict {
    if !is_observed(object) {
        return Verdict::Waiting(NOT_OBSERVED.to_owned());
    }
    let pods = new_pods(object, view);
    let count = |field: &str| object.number(&format!("/status/{field}")).unwrap_or(0);
    let wanted = object.number("/spec/replicas").unwrap_or(1);
    // The controller's own notion of a finished rollout: all pods are new ones, none is left over, all are available.
    let whole = ["replicas", "updatedReplicas", "availableReplicas", "readyReplicas"].iter().all(|field| count(field) == wanted);
    let failure = object.condition("ReplicaFailure").filter(|condition| condition["status"] == "True");
    if whole && failure.is_none() {
        return Verdict::Healthy;
    }
    if let Some(verdict) = worst(&pods) {
        return verdict;
    }
    if let Some(failure) = failure {
        return refused(failure["message"].as_str().unwrap_or("its pods are refused"));
    }
    if object.at("/spec/paused").is_some_and(|paused| paused == true) {
        return Verdict::Failing(Trouble::of("it is paused, so nothing moves: run `kubectl rollout resume`"));
    }
    // It may come for the old pods, or never: it only adds to what was seen.
    let late = object.condition("Progressing").filter(|condition| condition["reason"] == "ProgressDeadlineExceeded");
    if let Some(late) = late {
        return Verdict::Failing(Trouble::of(late["message"].as_str().unwrap_or("it makes no progress")));
    }
    if count("updatedReplicas") >= wanted && count("availableReplicas") >= wanted && count("replicas") > wanted {
        return Verdict::Waiting(format!("{} old pods are still there", count("replicas") - wanted));
    }
    // Old pods are available, too, and new ones are counted before they are: of the counts only this is sure. The pods may tell more.
    let sure = count("updatedReplicas") + count("availableReplicas") - count("replicas");
    let ready = pods.iter().filter(|pod| pod.is_condition_true("Ready") && !pod.is_terminating()).count();
    progress(sure.max(i64::try_from(ready).unwrap_or(0)), wanted, "new and ready", &pods)
}

/// The pods of the newest ReplicaSet. Old pods may well be broken: that is what the rollout mends.
fn new_pods<'a>(object: &Object, view: &View<'a>) -> Vec<&'a Object> {
    let owned = view.replica_sets.iter().filter(|set| set.is_owned_by(object.uid()));
    let newest = owned.max_by_key(|set| revision(set));
    newest.map(|set| view.pods_of(set.uid())).unwrap_or_default()
}

fn revision(set: &Object) -> i64 {
    let annotations = set.at("/metadata/annotations").and_then(|annotations| annotations.get(REVISION));
    annotations.and_then(|revision| revision.as_str()).and_then(|revision| revision.parse().ok()).unwrap_or(0)
}
