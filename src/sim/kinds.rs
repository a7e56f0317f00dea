//! The kinds that the simulated API server serves: those of a table, and those that somebody has defined since. The program has a table of
//! its own; that the two meet only over HTTP is the point.

use super::world::World;
use serde_json::{Value, json};
use smol_str::{SmolStr, format_smolstr};
use std::collections::BTreeMap;

/// A kind that is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) group: SmolStr,
    pub(super) version: SmolStr,
    pub(super) kind: SmolStr,
    pub(super) plural: SmolStr,
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
    Kind {
        group: SmolStr::new_static(group),
        version: SmolStr::new_static(version),
        kind: SmolStr::new_static(kind),
        plural: SmolStr::new_static(plural),
        namespaced,
        counts,
    }
}

static KINDS: &[Kind] = &[
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
    kind("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", false, true),
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
    pub(super) fn named(name: &str) -> &'static Self {
        KINDS.iter().find(|known| known.kind == name).expect("the kinds that controllers name are in the table")
    }

    /// True for a kind of the table: of others nothing is known but what is written.
    pub(super) fn is_known(&self) -> bool {
        KINDS.contains(self)
    }

    pub(super) fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.to_string(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// How messages name what a path holds: `deployments.apps`.
    pub(super) fn resource(&self) -> String {
        self.qualified(&self.plural)
    }

    /// How messages name the kind: `Deployment.apps`.
    pub(super) fn full_name(&self) -> String {
        self.qualified(&self.kind)
    }

    fn qualified(&self, name: &str) -> String {
        match self.group.as_str() {
            "" => name.to_owned(),
            group => format!("{name}.{group}"),
        }
    }

    fn is_of_object(&self, object: &Value) -> bool {
        object["kind"] == self.kind.as_str()
            && object["apiVersion"].as_str().is_some_and(|api_version| match api_version.split_once('/') {
                Some((group, version)) => (group, version) == (self.group.as_str(), self.version.as_str()),
                None => self.group.is_empty() && api_version == self.version,
            })
    }
}

/// The kinds that a definition makes known, one for each version that is served.
fn defined(definition: &Value) -> impl Iterator<Item = Kind> {
    let spec = &definition["spec"];
    let text = |value: &Value| SmolStr::new(value.as_str().unwrap_or_default());
    let versions = spec["versions"].as_array().into_iter().flatten().filter(|version| version["served"] == true);
    versions.map(move |version| Kind {
        group: text(&spec["group"]),
        version: text(&version["name"]),
        kind: text(&spec["names"]["kind"]),
        plural: text(&spec["names"]["plural"]),
        namespaced: spec["scope"] == "Namespaced",
        counts: true,
    })
}

impl World {
    /// The kinds that are not in the table.
    fn defined(&self) -> impl Iterator<Item = Kind> {
        self.store.of_kind(Kind::named("CustomResourceDefinition"), "").flat_map(|(_, definition)| defined(definition))
    }

    pub(super) fn kind_of_path(&self, group: &str, version: &str, plural: &str) -> Option<Kind> {
        let is_meant = |known: &Kind| (known.group.as_str(), known.version.as_str(), known.plural.as_str()) == (group, version, plural);
        KINDS.iter().find(|known| is_meant(known)).cloned().or_else(|| self.defined().find(is_meant))
    }

    pub(super) fn kind_of(&self, object: &Value) -> Option<Kind> {
        KINDS.iter().find(|known| known.is_of_object(object)).cloned().or_else(|| self.defined().find(|known| known.is_of_object(object)))
    }

    /// The `APIGroupList`.
    pub(super) fn groups(&self) -> Value {
        let mut groups: BTreeMap<SmolStr, Vec<Value>> = BTreeMap::new();
        for known in KINDS.iter().cloned().chain(self.defined()).filter(|known| !known.group.is_empty()) {
            let version = json!({ "groupVersion": known.api_version(), "version": known.version.as_str() });
            let versions = groups.entry(known.group).or_default();
            if !versions.contains(&version) {
                versions.push(version);
            }
        }
        let group = |(name, versions): (SmolStr, Vec<Value>)| json!({ "name": name.as_str(), "preferredVersion": versions[0], "versions": versions });
        json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups.into_iter().map(group).collect::<Vec<_>>() })
    }

    /// The `APIResourceList` of a group and version; none when it is not served.
    pub(super) fn resources(&self, group: &str, version: &str) -> Option<Value> {
        let verbs = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
        let all = KINDS.iter().cloned().chain(self.defined()).filter(|known| known.group == group && known.version == version);
        let served: Vec<Value> = all
            .map(|known| {
                let (name, kind) = (known.plural.as_str(), known.kind.as_str());
                json!({ "name": name, "singularName": kind.to_lowercase(), "namespaced": known.namespaced, "kind": kind, "verbs": verbs })
            })
            .collect();
        let group_version = if group.is_empty() { SmolStr::new(version) } else { format_smolstr!("{group}/{version}") };
        let list = || json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version.as_str(), "resources": served });
        (!served.is_empty()).then(list)
    }
}
