//! Sends pods away that started on configuration which is taken back: what they read once they keep. Budgets are respected.

use crate::cluster::answer::{ApiError, Class};
use crate::cluster::api::Cluster;
use crate::cluster::kinds::Kind;
use crate::cluster::object::Object;
use crate::cluster::request::Address;
use crate::cluster::undo::managed::entries;
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// Time for a disruption budget to allow an eviction.
const ALLOWED_WITHIN: Duration = Duration::from_secs(60);
/// Between two tries of an eviction that a budget forbids.
const AGAIN: Duration = Duration::from_secs(1);

/// What became of a pod that had to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evicted {
    /// It goes; its controller makes a new one.
    Goes,
    /// It was gone already.
    Gone,
    /// It stays, for this reason.
    Stays(String),
}

/// Pods that started after one of these was written and read it when they did: ConfigMaps and Secrets as our writes returned them.
/// Each pod comes with the place of what it read.
///
/// # Errors
/// When the server does not answer, or refuses.
pub async fn readers(cluster: &Cluster, written: &[Object]) -> Result<Vec<(usize, Object)>, ApiError> {
    let mut found = Vec::new();
    let namespaces: BTreeSet<Option<&str>> = written.iter().map(Object::namespace).collect();
    for namespace in namespaces {
        for pod in cluster.list(&Kind::known("Pod"), namespace, "").await? {
            let read = written.iter().position(|object| object.namespace() == namespace && started_on(&pod, object));
            found.extend(read.map(|read| (read, pod)));
        }
    }
    Ok(found)
}

/// Evicts a pod, waiting while a budget forbids it. A pod that nobody would make anew stays.
///
/// # Errors
/// When the server does not answer, or refuses.
pub async fn evict(cluster: &Cluster, pod: &Object) -> Result<Evicted, ApiError> {
    let at = Address::known("Pod", pod.namespace().unwrap_or_default(), pod.name());
    if !pod.list("/metadata/ownerReferences").iter().any(|owner| owner["controller"] == true) {
        return Ok(Evicted::Stays(format!("{at} started on what was taken back, and nobody would make it anew: start it again yourself")));
    }
    let mut waited = Duration::ZERO;
    loop {
        match cluster.evict(&at, pod.uid()).await {
            Ok(()) => return Ok(Evicted::Goes),
            Err(error) if error.is_absent() || error.class == Class::Stale => return Ok(Evicted::Gone),
            Err(error) if error.class == Class::Busy && waited < ALLOWED_WITHIN => {
                cluster.clock.sleep(AGAIN).await;
                waited += AGAIN;
            }
            Err(error) if error.class == Class::Busy => {
                return Ok(Evicted::Stays(format!("{at} started on what was taken back, and a disruption budget keeps it: {error}")));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Times are in seconds: a pod of the same second may have read either, and is counted in.
fn started_on(pod: &Object, written: &Object) -> bool {
    let written_at = entries(written).iter().filter_map(|entry| entry["time"].as_str().map(str::to_owned)).max().unwrap_or_default();
    let ends = matches!(pod.text("/status/phase"), "Succeeded" | "Failed");
    !pod.is_terminating() && !ends && pod.text("/metadata/creationTimestamp") >= written_at.as_str() && reads(pod, written)
}

/// Names the object in a volume, or in the environment of a container.
fn reads(pod: &Object, object: &Object) -> bool {
    let name = object.name();
    let (volume, key, env, name_of_volume) = match object.kind() {
        "ConfigMap" => ("configMap", "configMapKeyRef", "configMapRef", "name"),
        "Secret" => ("secret", "secretKeyRef", "secretRef", "secretName"),
        _ => return false,
    };
    let in_source = |source: &Value| source[volume][name_of_volume] == name || source[volume]["name"] == name;
    let volumes = pod.list("/spec/volumes").iter().any(|volume| {
        let projected = volume["projected"]["sources"].as_array().is_some_and(|sources| sources.iter().any(in_source));
        in_source(volume) || projected
    });
    let containers = pod.list("/spec/containers").iter().chain(pod.list("/spec/initContainers"));
    volumes
        || containers.into_iter().any(|container| {
            let any = |list: &str, meant: &dyn Fn(&Value) -> bool| container[list].as_array().is_some_and(|all| all.iter().any(meant));
            any("env", &|variable| variable["valueFrom"][key]["name"] == name) || any("envFrom", &|source| source[env]["name"] == name)
        })
}

#[cfg(test)]
mod tests {
    use super::started_on;
    use crate::cluster::object::Object;
    use serde_json::{Value, json};

    fn pod(created: &str, spec: Value) -> Object {
        Object(json!({ "metadata": { "creationTimestamp": created }, "spec": spec, "status": { "phase": "Running" } }))
    }

    fn config(kind: &str) -> Object {
        Object(json!({ "kind": kind, "metadata": { "name": "cfg", "managedFields": [{ "time": "2026-01-01T00:00:05Z" }] } }))
    }

    #[test]
    fn pods_that_started_later_and_read_it_have_to_go() {
        let (before, after) = ("2026-01-01T00:00:04Z", "2026-01-01T00:00:06Z");
        let spellings = [
            json!({ "volumes": [{ "configMap": { "name": "cfg" } }] }),
            json!({ "volumes": [{ "projected": { "sources": [{ "configMap": { "name": "cfg" } }] } }] }),
            json!({ "containers": [{ "env": [{ "valueFrom": { "configMapKeyRef": { "name": "cfg" } } }] }] }),
            json!({ "initContainers": [{ "envFrom": [{ "configMapRef": { "name": "cfg" } }] }] }),
        ];
        for spec in spellings {
            assert!(started_on(&pod(after, spec.clone()), &config("ConfigMap")), "{spec}");
            assert!(!started_on(&pod(before, spec.clone()), &config("ConfigMap")), "it read what was there before");
            assert!(!started_on(&pod(after, spec), &config("Secret")), "another kind of the same name");
        }
        let secret = json!({ "volumes": [{ "secret": { "secretName": "cfg" } }] });
        assert!(started_on(&pod(after, secret), &config("Secret")));
        assert!(!started_on(&pod(after, json!({ "containers": [{ "name": "cfg" }] })), &config("ConfigMap")));
    }
}
