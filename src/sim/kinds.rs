//! The kinds that the simulated API server serves. The program has a table of its own; that the two meet only over HTTP is the point.

use serde_json::{Value, json};

/// A kind that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) group: &'static str,
    pub(super) version: &'static str,
    pub(super) kind: &'static str,
    pub(super) plural: &'static str,
    pub(super) namespaced: bool,
    /// Its `metadata.generation` counts changes of what is wanted.
    pub(super) counts: bool,
}

const fn kind(
    group: &'static str,
    version: &'static str,
    kind: &'static str,
    plural: &'static str,
    namespaced: bool,
    counts: bool,
) -> Kind {
    Kind { group, version, kind, plural, namespaced, counts }
}

const KINDS: &[Kind] = &[
    kind("", "v1", "ConfigMap", "configmaps", true, false),
    kind("", "v1", "Endpoints", "endpoints", true, false),
    kind("", "v1", "Event", "events", true, false),
    kind("", "v1", "LimitRange", "limitranges", true, false),
    kind("", "v1", "Namespace", "namespaces", false, false),
    kind("", "v1", "Node", "nodes", false, false),
    kind("", "v1", "PersistentVolume", "persistentvolumes", false, false),
    kind("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims", true, false),
    kind("", "v1", "Pod", "pods", true, true),
    kind("", "v1", "ResourceQuota", "resourcequotas", true, false),
    kind("", "v1", "Secret", "secrets", true, false),
    kind("", "v1", "Service", "services", true, false),
    kind("", "v1", "ServiceAccount", "serviceaccounts", true, false),
    kind("apps", "v1", "ControllerRevision", "controllerrevisions", true, false),
    kind("apps", "v1", "DaemonSet", "daemonsets", true, true),
    kind("apps", "v1", "Deployment", "deployments", true, true),
    kind("apps", "v1", "ReplicaSet", "replicasets", true, true),
    kind("apps", "v1", "StatefulSet", "statefulsets", true, true),
    kind("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers", true, false),
    kind("batch", "v1", "CronJob", "cronjobs", true, true),
    kind("batch", "v1", "Job", "jobs", true, true),
    kind("coordination.k8s.io", "v1", "Lease", "leases", true, false),
    kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", true, true),
    kind("gateway.networking.k8s.io", "v1", "Gateway", "gateways", true, true),
    kind("gateway.networking.k8s.io", "v1", "GatewayClass", "gatewayclasses", false, true),
    kind("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes", true, true),
    kind("networking.k8s.io", "v1", "Ingress", "ingresses", true, true),
    kind("networking.k8s.io", "v1", "IngressClass", "ingressclasses", false, true),
    kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies", true, true),
    kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets", true, true),
    kind("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", false, false),
    kind("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", false, false),
    kind("rbac.authorization.k8s.io", "v1", "Role", "roles", true, false),
    kind("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", true, false),
    kind("scheduling.k8s.io", "v1", "PriorityClass", "priorityclasses", false, true),
    kind("storage.k8s.io", "v1", "StorageClass", "storageclasses", false, false),
];

impl Kind {
    /// The kind of this name, which must be one that the simulation itself makes.
    pub(super) fn named(name: &str) -> Self {
        *KINDS.iter().find(|known| known.kind == name).expect("the kinds that controllers name are in the table")
    }

    pub(super) fn of_path(group: &str, version: &str, plural: &str) -> Option<Self> {
        KINDS.iter().copied().find(|known| (known.group, known.version, known.plural) == (group, version, plural))
    }

    pub(super) fn of_object(object: &Value) -> Option<Self> {
        let (api_version, kind) = (object["apiVersion"].as_str()?, object["kind"].as_str()?);
        KINDS.iter().copied().find(|known| known.api_version() == api_version && known.kind == kind)
    }

    pub(super) fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// How messages name it: `deployments.apps`.
    pub(super) fn resource(&self) -> String {
        match self.group {
            "" => self.plural.to_owned(),
            group => format!("{}.{group}", self.plural),
        }
    }
}

/// The `APIResourceList` of a group and version; none when it is not served.
pub(super) fn resources(group: &str, version: &str) -> Option<Value> {
    let verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
    let served: Vec<Value> = KINDS
        .iter()
        .filter(|known| (known.group, known.version) == (group, version))
        .map(|known| json!({ "name": known.plural, "singularName": known.kind.to_lowercase(), "namespaced": known.namespaced, "kind": known.kind, "verbs": verbs }))
        .collect();
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    (!served.is_empty())
        .then(|| json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": served }))
}
