//! What the API server refuses of an object: what is missing in it, and what may not change. It stores nothing.

use super::kinds::Kind;
use super::refusal::Refusal;
use crate::scenario::Scenario;
use serde_json::Value;

type Wrong = Vec<(String, String)>;

/// Looks at an object as it would be stored; `live` is the one before.
pub(super) fn check(kind: Kind, live: Option<&Value>, new: &Value, scenario: &Scenario) -> Result<(), Refusal> {
    let name = new["metadata"]["name"].as_str().unwrap_or_default();
    let mut wrong = Wrong::new();
    check_content(kind, new, &mut wrong);
    if let Some(live) = live {
        check_change(kind, live, new, &mut wrong);
    }
    if !wrong.is_empty() {
        return Err(Refusal::invalid(kind, name, &wrong));
    }
    match images(new).find(|image| scenario.image(image).is_none()) {
        Some(image) => Err(Refusal::not_modelled(&format!("the image `{image}` of {} {name}; add it to `simulate.images`", kind.kind))),
        None => Ok(()),
    }
}

/// The images of a pod, or of the pods that a workload makes.
pub(super) fn images(object: &Value) -> impl Iterator<Item = &str> {
    let spec = pod_spec(object);
    let lists = ["initContainers", "containers"].into_iter().filter_map(move |list| spec?.get(list)?.as_array());
    lists.flatten().filter_map(|container| container["image"].as_str())
}

fn pod_spec(object: &Value) -> Option<&Value> {
    match object["kind"].as_str()? {
        "Pod" => object.get("spec"),
        "CronJob" => object.pointer("/spec/jobTemplate/spec/template/spec"),
        _ => object.pointer("/spec/template/spec"),
    }
}

fn check_content(kind: Kind, new: &Value, wrong: &mut Wrong) {
    let mut lacks = |field: &str| wrong.push((field.to_owned(), "Required value".to_owned()));
    let workload = matches!(kind.kind, "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job");
    if workload || kind.kind == "Pod" {
        let at = if workload { "spec.template.spec.containers" } else { "spec.containers" };
        let containers = pod_spec(new).and_then(|spec| spec["containers"].as_array()).cloned().unwrap_or_default();
        if containers.is_empty() {
            lacks(at);
        }
        for (index, container) in containers.iter().enumerate() {
            ["name", "image"].iter().filter(|key| container[**key].as_str().is_none_or(str::is_empty)).for_each(|key| {
                lacks(&format!("{at}[{index}].{key}"));
            });
        }
    }
    if matches!(kind.kind, "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet") {
        let labels = &new["spec"]["template"]["metadata"]["labels"];
        match new["spec"]["selector"]["matchLabels"].as_object() {
            None if new["spec"]["selector"]["matchExpressions"].is_null() => lacks("spec.selector"),
            Some(wanted) if wanted.iter().any(|(key, value)| labels[key] != *value) => {
                let why = "Invalid value: `selector` does not match template `labels`".to_owned();
                wrong.push(("spec.template.metadata.labels".to_owned(), why));
            }
            _ => {}
        }
    }
    if kind.kind == "Service" && new["spec"]["type"] != "ExternalName" && new["spec"]["clusterIP"] != "None" {
        let ports = new["spec"]["ports"].as_array().map_or(0, Vec::len);
        if ports == 0 {
            wrong.push(("spec.ports".to_owned(), "Required value".to_owned()));
        }
    }
}

fn check_change(kind: Kind, live: &Value, new: &Value, wrong: &mut Wrong) {
    let mut fixed = |pointer: &str, why: &str| {
        if live.pointer(pointer) != new.pointer(pointer) {
            wrong.push((pointer.trim_start_matches('/').replace('/', "."), why.to_owned()));
        }
    };
    const IMMUTABLE: &str = "Invalid value: field is immutable";
    match kind.kind {
        "Deployment" | "ReplicaSet" | "DaemonSet" => fixed("/spec/selector", IMMUTABLE),
        "Job" => ["/spec/selector", "/spec/template", "/spec/completions"].iter().for_each(|field| fixed(field, IMMUTABLE)),
        "StatefulSet" => {
            let why = "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', \
                       'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
            let same = |field: &str| live["spec"][field] == new["spec"][field];
            if !["selector", "serviceName", "volumeClaimTemplates", "podManagementPolicy"].iter().all(|field| same(field)) {
                wrong.push(("spec".to_owned(), why.to_owned()));
            }
        }
        "Service" if !live["spec"]["clusterIP"].is_null() => fixed("/spec/clusterIP", "Invalid value: may not change once set"),
        "ConfigMap" | "Secret" if live["immutable"] == true => {
            ["/data", "/binaryData"].iter().for_each(|field| fixed(field, "Forbidden: field is immutable when `immutable` is set"));
        }
        "RoleBinding" | "ClusterRoleBinding" => fixed("/roleRef", "Invalid value: cannot change roleRef"),
        "PersistentVolumeClaim" => {
            ["/spec/accessModes", "/spec/storageClassName"]
                .iter()
                .for_each(|field| fixed(field, "Forbidden: spec is immutable after creation"));
        }
        _ => {}
    }
}
