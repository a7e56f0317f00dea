//! Which path of the API serves a kind: a table of the usual ones, discovery for all others. It knows no object.

use crate::cluster::object::group_of;
use kube::api::ApiResource;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// A kind of object, as one version of the API serves it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Kind {
    /// Group and version, such as `apps/v1`.
    pub api_version: String,
    /// The kind, such as `Deployment`.
    pub kind: String,
    /// Its name in paths, such as `deployments`.
    pub plural: String,
    /// True when its objects live in namespaces.
    pub namespaced: bool,
}

impl Kind {
    /// A kind of the table that is known to be there.
    pub(crate) fn known(kind: &str) -> Self {
        let row = KNOWN.iter().find(|row| row.1 == kind).expect("the kinds that this program names itself are in the table");
        Self::from_row(row)
    }

    fn from_row(&(api_version, kind, plural, namespaced): &(&str, &str, &str, bool)) -> Self {
        Self { api_version: api_version.to_owned(), kind: kind.to_owned(), plural: plural.to_owned(), namespaced }
    }

    /// Its group; empty for the core group.
    pub fn group(&self) -> &str {
        group_of(&self.api_version)
    }

    /// The path that lists its objects in a namespace, or everywhere.
    pub fn path(&self, namespace: Option<&str>) -> String {
        let root = if self.api_version.contains('/') { "apis" } else { "api" };
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => format!("/{root}/{}/namespaces/{namespace}/{}", self.api_version, self.plural),
            None => format!("/{root}/{}/{}", self.api_version, self.plural),
        }
    }

    /// The form that kube's watches want.
    pub fn resource(&self) -> ApiResource {
        let version = self.api_version.rsplit('/').next().unwrap_or_default();
        ApiResource {
            group: self.group().to_owned(),
            version: version.to_owned(),
            api_version: self.api_version.clone(),
            kind: self.kind.clone(),
            plural: self.plural.clone(),
        }
    }
}

/// Kinds whose paths never change.
const KNOWN: &[(&str, &str, &str, bool)] = &[
    ("v1", "ConfigMap", "configmaps", true),
    ("v1", "Endpoints", "endpoints", true),
    ("v1", "Event", "events", true),
    ("v1", "LimitRange", "limitranges", true),
    ("v1", "Namespace", "namespaces", false),
    ("v1", "Node", "nodes", false),
    ("v1", "PersistentVolume", "persistentvolumes", false),
    ("v1", "PersistentVolumeClaim", "persistentvolumeclaims", true),
    ("v1", "Pod", "pods", true),
    ("v1", "ReplicationController", "replicationcontrollers", true),
    ("v1", "ResourceQuota", "resourcequotas", true),
    ("v1", "Secret", "secrets", true),
    ("v1", "Service", "services", true),
    ("v1", "ServiceAccount", "serviceaccounts", true),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "mutatingwebhookconfigurations", false),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "validatingwebhookconfigurations", false),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", false),
    ("apps/v1", "DaemonSet", "daemonsets", true),
    ("apps/v1", "Deployment", "deployments", true),
    ("apps/v1", "ReplicaSet", "replicasets", true),
    ("apps/v1", "StatefulSet", "statefulsets", true),
    ("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true),
    ("batch/v1", "CronJob", "cronjobs", true),
    ("batch/v1", "Job", "jobs", true),
    ("coordination.k8s.io/v1", "Lease", "leases", true),
    ("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", true),
    ("networking.k8s.io/v1", "Ingress", "ingresses", true),
    ("networking.k8s.io/v1", "IngressClass", "ingressclasses", false),
    ("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", true),
    ("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", true),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", false),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", false),
    ("rbac.authorization.k8s.io/v1", "Role", "roles", true),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings", true),
    ("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", false),
    ("storage.k8s.io/v1", "StorageClass", "storageclasses", false),
];

/// The kind in the table, if it is there. Its scope is known without a cluster.
pub fn table(api_version: &str, kind: &str) -> Option<Kind> {
    KNOWN.iter().find(|row| row.0 == api_version && row.1 == kind).map(Kind::from_row)
}

/// The kind of this name, however it is written: `deployment`, `StatefulSet`, `stateful-set`.
pub fn named(kind: &str) -> Option<Kind> {
    let plain = kind.to_lowercase().replace('-', "");
    KNOWN.iter().find(|row| row.1.to_lowercase() == plain).map(Kind::from_row)
}

/// The kinds that discovery has found so far.
#[derive(Debug, Default)]
pub struct Kinds(Mutex<HashMap<String, Vec<Kind>>>);

impl Kinds {
    pub(crate) fn found(&self, api_version: &str, kind: &str) -> Option<Kind> {
        let found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        found.get(api_version)?.iter().find(|known| known.kind == kind).cloned()
    }

    pub(crate) fn keep(&self, api_version: &str, kinds: Vec<Kind>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(api_version.to_owned(), kinds);
    }
}

/// Reads an `APIResourceList`: the kinds that can be listed, without subresources.
pub(crate) fn read_resources(api_version: &str, list: &Value) -> Vec<Kind> {
    let resources = list["resources"].as_array().map_or(&[][..], Vec::as_slice);
    let whole = resources.iter().filter(|resource| !resource["name"].as_str().unwrap_or_default().contains('/'));
    let kept = whole.filter(|resource| resource["verbs"].as_array().is_some_and(|verbs| verbs.iter().any(|verb| verb == "list")));
    kept.map(|resource| Kind {
        api_version: api_version.to_owned(),
        kind: resource["kind"].as_str().unwrap_or_default().to_owned(),
        plural: resource["name"].as_str().unwrap_or_default().to_owned(),
        namespaced: resource["namespaced"].as_bool().unwrap_or_default(),
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::{Kind, read_resources, table};
    use serde_json::json;

    #[test]
    fn paths_follow_group_and_scope() {
        assert_eq!(Kind::known("ConfigMap").path(Some("shop")), "/api/v1/namespaces/shop/configmaps");
        assert_eq!(Kind::known("Deployment").path(Some("shop")), "/apis/apps/v1/namespaces/shop/deployments");
        assert_eq!(Kind::known("Namespace").path(Some("shop")), "/api/v1/namespaces");
        assert_eq!(Kind::known("Pod").path(None), "/api/v1/pods");
        assert_eq!(table("apps/v1beta1", "Deployment"), None);
    }

    #[test]
    fn subresources_are_no_kinds() {
        let list = json!({ "resources": [
            { "name": "gateways", "kind": "Gateway", "namespaced": true, "verbs": ["get", "list"] },
            { "name": "gateways/status", "kind": "Gateway", "namespaced": true, "verbs": ["get", "patch"] },
            { "name": "bindings", "kind": "Binding", "namespaced": true, "verbs": ["create"] }] });
        let kinds = read_resources("gateway.networking.k8s.io/v1", &list);
        assert_eq!(kinds.len(), 1);
        assert_eq!(kinds[0].path(Some("a")), "/apis/gateway.networking.k8s.io/v1/namespaces/a/gateways");
    }
}
