//! Makes and counts the pods of a workload. It knows no kind of workload.

use super::{MANAGER, is_going, is_true, reference};
use crate::sim::kinds::Kind;
use crate::sim::store::Key;
use crate::sim::world::{Happening, World};
use serde_json::{Value, json};
use std::time::Duration;

/// From a pod's creation until its containers are made.
const STARTS_AFTER: Duration = Duration::from_millis(100);

/// Looks whether what a pod runs as is there.
///
/// # Errors
/// Why the server forbids the pod.
pub(super) fn admit(world: &World, namespace: &str, name: &str, spec: &Value) -> Result<(), String> {
    let is_there = |kind: &str, namespace: &str, name: &str| world.store.get(&Key::new(Kind::named(kind), namespace, name)).is_some();
    let forbidden = |why: String| Err(format!("pods {name:?} is forbidden: {why}"));
    let account = spec["serviceAccountName"].as_str().or(spec["serviceAccount"].as_str()).unwrap_or_default();
    // Every namespace has one of that name.
    if !["", "default"].contains(&account) && !is_there("ServiceAccount", namespace, account) {
        return forbidden(format!("error looking up service account {namespace}/{account}: serviceaccount {account:?} not found"));
    }
    match spec["priorityClassName"].as_str().unwrap_or_default() {
        "" | "system-cluster-critical" | "system-node-critical" => Ok(()),
        class if is_there("PriorityClass", "", class) => Ok(()),
        class => forbidden(format!("no PriorityClass with name {class} was found")),
    }
}

/// Makes a pod of a template.
///
/// # Errors
/// When the server forbids it: in its words.
pub(super) fn make(world: &mut World, owner: &Value, name: &str, labels: &[(&str, &str)]) -> Result<(), String> {
    let namespace = owner["metadata"]["namespace"].as_str().unwrap_or_default();
    let template = &owner["spec"]["template"];
    admit(world, namespace, name, &template["spec"])?;
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
    Ok(())
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
