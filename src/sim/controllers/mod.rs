//! What happens in a cluster because somebody wants it: each controller looks at all objects of its kind and takes a step. They know no
//! request and no run.

pub(super) mod configuration;
mod deployment;
mod garbage;
mod job;
pub(super) mod kubelet;
pub(super) mod network;
mod pods;
mod replica_set;
mod stateful_set;
mod volume;

use super::kinds::Kind;
use super::store::Key;
use super::world::World;
use serde_json::{Value, json};

/// The manager of what controllers write.
pub(super) const MANAGER: &str = "kube-controller-manager";

/// Lets every controller look once.
pub(super) fn look(world: &mut World) {
    garbage::look(world);
    volume::look(world);
    deployment::look(world);
    replica_set::look(world);
    stateful_set::look(world);
    job::look(world);
    network::look(world);
}

/// Lets the kubelet begin with a pod that nobody's controller made.
pub(super) fn begin(world: &mut World, key: &Key, pod: &Value) {
    pods::start(world, key, pod);
}

/// Whether the server takes a pod.
///
/// # Errors
/// Why it is forbidden.
pub(super) fn admit(world: &World, namespace: &str, pod: &Value) -> Result<(), String> {
    pods::admit(world, namespace, text(pod, "/metadata/name"), &pod["spec"])
}

/// The pods that a Service selects and that are ready, by name.
pub(super) fn endpoints(world: &World, service: &Value) -> Vec<Value> {
    network::selected(world, service).map(|(_, pod)| pod).filter(|pod| pods::is_ready(pod)).cloned().collect()
}

/// The objects of a kind as they are now, those that are going left out.
fn living(world: &World, kind: &str) -> Vec<(Key, Value)> {
    let all = world.store.of_kind(Kind::named(kind), "");
    all.filter(|(_, object)| !is_going(object)).map(|(key, object)| (key.clone(), object.clone())).collect()
}

/// The objects of a kind that this one controls.
fn owned(world: &World, kind: &str, owner: &Value) -> Vec<(Key, Value)> {
    let (namespace, uid) = (owner["metadata"]["namespace"].as_str().unwrap_or_default(), &owner["metadata"]["uid"]);
    let all = world.store.of_kind(Kind::named(kind), namespace);
    all.filter(|(_, object)| owners(object).iter().any(|known| known["uid"] == *uid))
        .map(|(key, object)| (key.clone(), object.clone()))
        .collect()
}

fn owners(object: &Value) -> &[Value] {
    object["metadata"]["ownerReferences"].as_array().map_or(&[], Vec::as_slice)
}

fn is_going(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

fn reference(owner: &Value) -> Value {
    json!([{
        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"],
        "controller": true, "blockOwnerDeletion": true,
    }])
}

fn number(object: &Value, pointer: &str) -> i64 {
    object.pointer(pointer).and_then(Value::as_i64).unwrap_or(0)
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn is_true(object: &Value, condition: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|known| known["type"] == condition && known["status"] == "True")
}

/// Sets the status of an object, with the generation that it is about.
fn set_status(world: &mut World, key: &Key, mut status: Value) {
    let generation = world.store.get(key).map(|object| object["metadata"]["generation"].clone()).unwrap_or_default();
    if !generation.is_null() {
        status["observedGeneration"] = generation;
    }
    world.change(key, MANAGER, "status", |object| {
        // The time of a condition is when it came to hold.
        if let (Some(new), Some(old)) = (status["conditions"].as_array_mut(), object["status"]["conditions"].as_array()) {
            for condition in new {
                let before = old.iter().find(|known| known["type"] == condition["type"] && known["status"] == condition["status"]);
                if let Some(before) = before {
                    condition["lastTransitionTime"] = before["lastTransitionTime"].clone();
                }
            }
        }
        object["status"] = status;
    });
}

fn condition(world: &World, kind: &str, holds: bool, reason: &str, message: &str) -> Value {
    let status = if holds { "True" } else { "False" };
    json!({ "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": super::owners::time(world.now) })
}

/// A short name for a template: the same template gets the same one.
fn hash(template: &Value) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, template.to_string().as_bytes());
    data_encoding::HEXLOWER.encode(&digest.as_ref()[..5])
}
