//! Fields that an object's kind does not have, as the API's published types know them. Pure; kinds that have no such type may have any.

use k8s_openapi::api::{apps, autoscaling, batch, coordination, core, discovery, networking, policy, rbac, scheduling, storage};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions;
use serde::de::DeserializeOwned;
use serde_ignored::Path;
use serde_json::Value;
use std::collections::BTreeSet;

/// Mappings whose values are quantities: a number stands for a text there, which the types do not know.
const QUANTITIES: [&str; 8] = ["limits", "requests", "hard", "capacity", "default", "defaultRequest", "max", "min"];

/// The fields that nobody knows, as JSON pointers. Where something else in the object does not fit its type, those before it.
pub(in crate::sim) fn unknown(group: &str, kind: &str, object: &Value) -> BTreeSet<String> {
    let Some(ignored) = reader(group, kind) else { return BTreeSet::new() };
    let mut object = object.clone();
    spell_quantities(&mut object);
    ignored(object)
}

/// An object without those fields: what a server makes of one that is not applied.
pub(in crate::sim) fn prune(group: &str, kind: &str, object: &mut Value) {
    for pointer in unknown(group, kind, object) {
        let Some((parent, name)) = pointer.rsplit_once('/') else { continue };
        if let Some(fields) = object.pointer_mut(parent).and_then(Value::as_object_mut) {
            fields.remove(&unescaped(name));
        }
    }
}

type Reader = fn(Value) -> BTreeSet<String>;

fn reader(group: &str, kind: &str) -> Option<Reader> {
    Some(match (group, kind) {
        ("", "ConfigMap") => ignored::<core::v1::ConfigMap>,
        ("", "Endpoints") => ignored::<core::v1::Endpoints>,
        ("", "LimitRange") => ignored::<core::v1::LimitRange>,
        ("", "Namespace") => ignored::<core::v1::Namespace>,
        ("", "Node") => ignored::<core::v1::Node>,
        ("", "PersistentVolume") => ignored::<core::v1::PersistentVolume>,
        ("", "PersistentVolumeClaim") => ignored::<core::v1::PersistentVolumeClaim>,
        ("", "Pod") => ignored::<core::v1::Pod>,
        ("", "ResourceQuota") => ignored::<core::v1::ResourceQuota>,
        ("", "Secret") => ignored::<core::v1::Secret>,
        ("", "Service") => ignored::<core::v1::Service>,
        ("", "ServiceAccount") => ignored::<core::v1::ServiceAccount>,
        ("apiextensions.k8s.io", "CustomResourceDefinition") => ignored::<apiextensions::v1::CustomResourceDefinition>,
        ("apps", "DaemonSet") => ignored::<apps::v1::DaemonSet>,
        ("apps", "Deployment") => ignored::<apps::v1::Deployment>,
        ("apps", "ReplicaSet") => ignored::<apps::v1::ReplicaSet>,
        ("apps", "StatefulSet") => ignored::<apps::v1::StatefulSet>,
        ("autoscaling", "HorizontalPodAutoscaler") => ignored::<autoscaling::v2::HorizontalPodAutoscaler>,
        ("batch", "CronJob") => ignored::<batch::v1::CronJob>,
        ("batch", "Job") => ignored::<batch::v1::Job>,
        ("coordination.k8s.io", "Lease") => ignored::<coordination::v1::Lease>,
        ("discovery.k8s.io", "EndpointSlice") => ignored::<discovery::v1::EndpointSlice>,
        ("networking.k8s.io", "Ingress") => ignored::<networking::v1::Ingress>,
        ("networking.k8s.io", "IngressClass") => ignored::<networking::v1::IngressClass>,
        ("networking.k8s.io", "NetworkPolicy") => ignored::<networking::v1::NetworkPolicy>,
        ("policy", "PodDisruptionBudget") => ignored::<policy::v1::PodDisruptionBudget>,
        ("rbac.authorization.k8s.io", "ClusterRole") => ignored::<rbac::v1::ClusterRole>,
        ("rbac.authorization.k8s.io", "ClusterRoleBinding") => ignored::<rbac::v1::ClusterRoleBinding>,
        ("rbac.authorization.k8s.io", "Role") => ignored::<rbac::v1::Role>,
        ("rbac.authorization.k8s.io", "RoleBinding") => ignored::<rbac::v1::RoleBinding>,
        ("scheduling.k8s.io", "PriorityClass") => ignored::<scheduling::v1::PriorityClass>,
        ("storage.k8s.io", "StorageClass") => ignored::<storage::v1::StorageClass>,
        _ => return None,
    })
}

fn ignored<T: DeserializeOwned>(object: Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    // What does not fit its type is refused elsewhere, in the server's words.
    let _read: Result<T, _> = serde_ignored::deserialize(object, |path| found.extend([pointer(&path)]));
    found
}

fn pointer(path: &Path<'_>) -> String {
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}/{index}", pointer(parent)),
        Path::Map { parent, key } => format!("{}/{}", pointer(parent), escaped(key)),
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => pointer(parent),
    }
}

/// A name as JSON pointers write it (RFC 6901).
pub(in crate::sim) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unescaped(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}

fn spell_quantities(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields {
                if let (true, Some(quantities)) = (QUANTITIES.contains(&name.as_str()), inner.as_object_mut()) {
                    quantities.values_mut().filter(|value| value.is_number()).for_each(|value| *value = Value::String(value.to_string()));
                }
                spell_quantities(inner);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(spell_quantities),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{prune, unknown};
    use serde_json::json;

    #[test]
    fn a_slip_is_found_wherever_it_stands_and_what_may_be_anything_is_none() {
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "web", "labels": { "anything/at-all": "x" }, "lable": 1 },
            "spec": {
                "replica": 3, "selector": { "matchLabels": { "app": "web" } },
                "template": { "metadata": {}, "spec": { "containers": [
                    { "name": "web", "resources": { "limits": { "cpu": 1 } }, "ports": [{ "containerPort": 80 }] },
                    { "name": "side", "imgae": "a/b", "livenessProbe": { "httpGet": { "port": "http", "pfad": "/" } } },
                ] } },
            },
        });
        let found: Vec<String> = unknown("apps", "Deployment", &object).into_iter().collect();
        let containers = "/spec/template/spec/containers";
        assert_eq!(
            found,
            ["/metadata/lable", "/spec/replica", &format!("{containers}/1/imgae"), &format!("{containers}/1/livenessProbe/httpGet/pfad")]
        );
        let mut pruned = object.clone();
        prune("apps", "Deployment", &mut pruned);
        assert!(unknown("apps", "Deployment", &pruned).is_empty() && pruned["spec"]["template"] != object["spec"]["template"]);
        assert!(unknown("example.com", "Deployment", &object).is_empty(), "of other kinds nothing is known");
    }
}
