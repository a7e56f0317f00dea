//! Makes and counts the pods of a workload. It knows no kind of workload.

use super::{MANAGER, is_going, is_true, reference};
use crate::sim::kinds::Kind;
use crate::sim::store::Key;
use crate::sim::world::{Happening, World};
use serde_json::{Value, json};
use std::time::Duration;

/// From a pod's creation until its containers are made.
const STARTS_AFTER: Duration = Duration::from_millis(100);

/// Makes a pod of a template.
pub(super) fn make(world: &mut World, owner: &Value, name: &str, labels: &[(&str, &str)]) {
    let namespace = owner["metadata"]["namespace"].as_str().unwrap_or_default();
    let template = &owner["spec"]["template"];
    let mut metadata = template["metadata"].clone();
    if !metadata.is_object() {
        metadata = json!({});
    }
    metadata["name"] = json!(name);
    metadata["namespace"] = json!(namespace);
    metadata["ownerReferences"] = reference(owner);
    for (key, value) in labels {
        metadata["labels"][*key] = json!(value);
    }
    let pod =
        json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"], "status": { "phase": "Pending" } });
    let key = Key::new(Kind::named("Pod"), namespace, name);
    let made = world.create(&key, pod, MANAGER);
    start(world, &key, &made);
}

/// Lets the kubelet begin with a pod.
pub(in crate::sim) fn start(world: &mut World, key: &Key, pod: &Value) {
    let uid = pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
    world.plan(STARTS_AFTER, Happening::Pod(key.clone(), uid));
}

pub(super) fn is_ready(pod: &Value) -> bool {
    !is_going(pod) && is_true(pod, "Ready")
}

pub(super) fn is_over(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

pub(super) fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
