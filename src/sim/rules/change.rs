//! What the API server refuses to change of an object that is there.

use super::wrong::Wrong;
use serde_json::Value;

const FIXED: &str = "field is immutable";

pub(super) fn check(kind: &str, live: &Value, new: &Value, wrong: &mut Wrong) {
    match kind {
        "Deployment" | "ReplicaSet" | "DaemonSet" => fixed(live, new, "spec.selector", FIXED, wrong),
        "Job" => job(live, new, wrong),
        "StatefulSet" => stateful_set(live, new, wrong),
        "Service" if !live["spec"]["clusterIP"].is_null() => address(live, new, wrong),
        "ConfigMap" | "Secret" => configuration(live, new, wrong),
        "RoleBinding" | "ClusterRoleBinding" => fixed(live, new, "roleRef", "cannot change roleRef", wrong),
        "PersistentVolumeClaim" => claim(live, new, wrong),
        "Pod" => pod(live, new, wrong),
        "StorageClass" => ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"]
            .iter()
            .for_each(|field| fixed(live, new, field, FIXED, wrong)),
        "PriorityClass" if live["value"] != new["value"] => wrong.forbidden("value", "may not be changed in an update."),
        "IngressClass" => fixed(live, new, "spec.controller", FIXED, wrong),
        "CustomResourceDefinition" => ["spec.group", "spec.scope", "spec.names.kind", "spec.names.plural"]
            .iter()
            .for_each(|field| fixed(live, new, field, FIXED, wrong)),
        _ => {}
    }
}

fn fixed(live: &Value, new: &Value, field: &str, why: &str, wrong: &mut Wrong) {
    let at = |object: &Value| object.pointer(&format!("/{}", field.replace('.', "/"))).cloned().unwrap_or_default();
    if at(live) != at(new) {
        wrong.invalid(field, &at(new), why);
    }
}

fn job(live: &Value, new: &Value, wrong: &mut Wrong) {
    ["spec.completions", "spec.selector"].iter().for_each(|field| fixed(live, new, field, FIXED, wrong));
    if live["spec"]["template"]["metadata"] != new["spec"]["template"]["metadata"] {
        fixed(live, new, "spec.template", FIXED, wrong);
    } else {
        fixed(live, new, "spec.template.spec", FIXED, wrong);
    }
}

fn pod(live: &Value, new: &Value, wrong: &mut Wrong) {
    let fixed = |pod: &Value| {
        let mut spec = pod["spec"].clone();
        for list in ["containers", "initContainers"] {
            spec[list].as_array_mut().into_iter().flatten().for_each(|container| container["image"] = Value::Null);
        }
        for free in ["activeDeadlineSeconds", "nodeName", "terminationGracePeriodSeconds", "tolerations"] {
            spec[free] = Value::Null;
        }
        spec
    };
    if fixed(live) != fixed(new) {
        let why = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,\
                   `spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),\
                   `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";
        wrong.forbidden("spec", why);
    }
}

fn stateful_set(live: &Value, new: &Value, wrong: &mut Wrong) {
    let same = |field: &str| live["spec"][field] == new["spec"][field];
    if !["selector", "serviceName", "volumeClaimTemplates", "podManagementPolicy"].iter().all(|field| same(field)) {
        let why = "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', \
                   'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
        wrong.forbidden("spec", why);
    }
}

fn address(live: &Value, new: &Value, wrong: &mut Wrong) {
    let (before, after) = (&live["spec"]["clusterIP"], &new["spec"]["clusterIP"]);
    if before != after && new["spec"]["type"] != "ExternalName" {
        wrong.invalid("spec.clusterIPs[0]", &Value::Array(vec![after.clone()]), "may not change once set");
    }
}

fn configuration(live: &Value, new: &Value, wrong: &mut Wrong) {
    if live["kind"] == "Secret" {
        fixed(live, new, "type", FIXED, wrong);
    }
    if live["immutable"] == true {
        for field in ["immutable", "data", "binaryData"].into_iter().filter(|field| live[*field] != new[*field]) {
            wrong.forbidden(field, "field is immutable when `immutable` is set");
        }
    }
}

fn claim(live: &Value, new: &Value, wrong: &mut Wrong) {
    // Only of a claim that is bound, and only a larger size; nobody expands volumes here.
    if live["spec"] != new["spec"] && !live["spec"]["volumeName"].is_string() || differs_elsewhere(live, new) {
        let why = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        wrong.forbidden("spec", why);
    }
}

fn differs_elsewhere(live: &Value, new: &Value) -> bool {
    let without_size = |object: &Value| {
        let mut spec = object["spec"].clone();
        spec.as_object_mut().and_then(|spec| spec.remove("resources"));
        spec
    };
    without_size(live) != without_size(new)
}
