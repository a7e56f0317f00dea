//! A picture of a namespace: every object that people wrote, without the fields that servers and controllers own.

use crate::harness::Namespace;
use serde_json::Value;
use std::collections::BTreeMap;

const KINDS: &str = "deployments.apps,statefulsets.apps,daemonsets.apps,services,configmaps,secrets,serviceaccounts,ingresses.networking.k8s.io,jobs.batch,persistentvolumeclaims,horizontalpodautoscalers.autoscaling,roles.rbac.authorization.k8s.io,rolebindings.rbac.authorization.k8s.io";

#[derive(Debug, Clone, PartialEq)]
pub struct World(BTreeMap<String, Value>);

impl World {
    pub fn of(namespace: &Namespace) -> Self {
        let list = namespace.get(&[KINDS]);
        let items = list["items"].as_array().cloned().unwrap_or_default();
        // A release is Helm's own record of what it did.
        let items = items.into_iter().filter(|object| object["type"] != "helm.sh/release.v1");
        Self(items.map(|object| (name(&object), without_servers_fields(object))).collect())
    }

    /// What differs, in lines that a person can read.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let names: std::collections::BTreeSet<_> = self.0.keys().chain(other.0.keys()).collect();
        for name in names {
            match (self.0.get(name), other.0.get(name)) {
                (Some(_), None) => found.push(format!("{name} is gone")),
                (None, Some(_)) => found.push(format!("{name} is new")),
                (Some(before), Some(after)) => differ(name, before, after, &mut found),
                (None, None) => {}
            }
        }
        found
    }

    #[track_caller]
    pub fn assert_same(&self, after: &Self) {
        let differences = self.differences(after);
        assert!(differences.is_empty(), "the world is not as before:\n{}", differences.join("\n"));
    }
}

fn name(object: &Value) -> String {
    format!("{}/{}", object["kind"].as_str().unwrap_or_default(), object["metadata"]["name"].as_str().unwrap_or_default())
}

fn without_servers_fields(mut object: Value) -> Value {
    let Some(root) = object.as_object_mut() else { return object };
    root.remove("status");
    if let Some(metadata) = root.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("resourceVersion");
        metadata.remove("generation");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove("deployment.kubernetes.io/revision");
        }
        if let Some(entries) = metadata.get_mut("managedFields").and_then(Value::as_array_mut) {
            // Controllers write status and their own annotations; times are the server's.
            entries.retain(|entry| entry["subresource"] != "status" && entry["manager"] != "kube-controller-manager");
            for entry in entries.iter_mut().filter_map(Value::as_object_mut) {
                entry.remove("time");
            }
            entries.sort_by_key(Value::to_string);
        }
    }
    object
}

fn differ(path: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(left), Value::Object(right)) => {
            let keys: std::collections::BTreeSet<_> = left.keys().chain(right.keys()).collect();
            for key in keys {
                let null = Value::Null;
                differ(&format!("{path}.{key}"), left.get(key).unwrap_or(&null), right.get(key).unwrap_or(&null), found);
            }
        }
        _ if before == after => {}
        _ => found.push(format!("{path}: {before} -> {after}")),
    }
}
