//! The health of a StatefulSet. Its status has no conditions: pods, their volumes and events have to tell.

use super::{NOT_OBSERVED, Trouble, Verdict, View, is_observed, progress, refused, worst};
use crate::cluster::object::Object;
use serde_json::Value;

pub(super) fn judge(object: &Object, view: &View<'_>) -> Verdict {
    if !is_observed(object) {
        return Verdict::Waiting(NOT_OBSERVED.to_owned());
    }
    let pods = view.pods_of(object.uid());
    let update = object.text("/status/updateRevision");
    let (new, old): (Vec<&Object>, Vec<&Object>) = pods.iter().partition(|pod| pod.label("controller-revision-hash") == Some(update));
    if let Some(verdict) = is_complete(object, &old, &pods) {
        return verdict;
    }
    if let Some(verdict) = worst(&new) {
        return verdict;
    }
    if let Some(message) = event(object, view) {
        return refused(&message);
    }
    let wanted = object.number("/spec/replicas").unwrap_or(1);
    let ready = new.iter().filter(|pod| pod.is_condition_true("Ready")).count();
    progress(i64::try_from(ready).unwrap_or(0), wanted, "new and ready", &new)
}

/// A verdict when the counts say that the controller is done.
fn is_complete(object: &Object, old: &[&Object], pods: &[&Object]) -> Option<Verdict> {
    let count = |field: &str| object.number(&format!("/status/{field}")).unwrap_or(0);
    let wanted = object.number("/spec/replicas").unwrap_or(1);
    let whole = ["replicas", "readyReplicas", "availableReplicas"].iter().all(|field| count(field) == wanted);
    if !whole || pods.iter().any(|pod| pod.is_terminating()) {
        return None;
    }
    if object.text("/spec/updateStrategy/type") == "OnDelete" {
        let still = format!("{} pods are still of the old revision: its update strategy is OnDelete, so delete them", old.len());
        return Some(if old.is_empty() { Verdict::Healthy } else { Verdict::Failing(Trouble::of(still)) });
    }
    let partition = object.number("/spec/updateStrategy/rollingUpdate/partition").unwrap_or(0);
    if count("updatedReplicas") < (wanted - partition).max(0) {
        return None;
    }
    // After the set was made anew both revisions are equal while its pods are still the old ones.
    if partition == 0
        && (object.text("/status/currentRevision") != object.text("/status/updateRevision") || count("updatedReplicas") != wanted)
    {
        return None;
    }
    missing_volume(object, pods).map_or(Some(Verdict::Healthy), |trouble| Some(Verdict::Failing(trouble)))
}

/// A set that was made anew with another volume claim template counts as whole for ever, while no pod can be updated.
fn missing_volume(object: &Object, pods: &[&Object]) -> Option<Trouble> {
    let templates = object.list("/spec/volumeClaimTemplates").iter().filter_map(|template| template["metadata"]["name"].as_str());
    for template in templates {
        let lacks = |pod: &&&Object| {
            let claim = format!("{template}-{}", pod.name());
            let has = |volume: &Value| volume["name"] == template && volume["persistentVolumeClaim"]["claimName"] == claim.as_str();
            !pod.list("/spec/volumes").iter().any(has)
        };
        if let Some(pod) = pods.iter().find(lacks) {
            let reason =
                format!("it lacks the volume `{template}` of the set's volume claim templates: delete the pod, it comes back with it");
            return Some(Trouble { pod: Some(pod.name().to_owned()), ..Trouble::of(reason) });
        }
    }
    None
}

/// What the controller could not do, if it said so after the set was last written.
fn event(object: &Object, view: &View<'_>) -> Option<String> {
    let written = object.list("/metadata/managedFields").iter().filter(|entry| entry["subresource"].is_null());
    let written = written.filter_map(|entry| entry["time"].as_str()).max().unwrap_or_default();
    let about = view.events.iter().filter(|event| event.text("/involvedObject/uid") == object.uid());
    let failed = about.filter(|event| matches!(event.text("/reason"), "FailedCreate" | "FailedUpdate"));
    // RFC 3339 times in UTC sort like text, to the second, which is all that both sides have.
    let fresh = failed.filter(|event| event_time(event).get(..19) >= written.get(..19));
    fresh.max_by_key(|event| event_time(event).to_owned()).map(|event| event.text("/message").to_owned())
}

fn event_time(event: &Object) -> &str {
    let times = ["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"];
    times.iter().map(|time| event.text(time)).find(|time| !time.is_empty()).unwrap_or_default()
}
