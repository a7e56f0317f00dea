//! What the API server refuses of an object: what is missing in it or has not the right form, and what may not change. It stores nothing.
//!
//! It knows the rules that people most often meet, in the order and the words of a real server; `tests/cluster/same_words.yaml` is asked of both.

mod change;
mod content;
mod metadata;
mod names;
mod pod;
mod resources;
pub(super) mod typed;
mod workload;
mod wrong;

pub(super) use wrong::Fault;

use super::kinds::Kind;
use super::refusal::Refusal;
use crate::scenario::Scenario;
use serde_json::Value;
use wrong::Wrong;

/// Looks at an object as it would be stored; `live` is the one before.
pub(super) fn check(kind: &Kind, live: Option<&Value>, new: &Value, scenario: &Scenario) -> Result<(), Refusal> {
    let name = new["metadata"]["name"].as_str().unwrap_or_default();
    let mut wrong = Wrong::default();
    metadata::check(kind, new, &mut wrong);
    if kind.is_known() {
        check_content(&kind.kind, new, &mut wrong);
        if let Some(live) = live {
            change::check(&kind.kind, live, new, &mut wrong);
        }
    }
    let faults = wrong.into_faults();
    if !faults.is_empty() {
        return Err(Refusal::invalid(kind, name, &faults));
    }
    let mut lacking: Vec<String> = images(new).filter(|image| scenario.image(image).is_none()).map(|image| format!("`{image}`")).collect();
    lacking.dedup();
    match lacking.as_slice() {
        [] => Ok(()),
        [one] => Err(Refusal::not_modelled(&format!("the image {one} of {} {name}; add it to `simulate.images`", kind.kind))),
        all => Err(Refusal::not_modelled(&format!("the images {} of {} {name}; add them to `simulate.images`", all.join(", "), kind.kind))),
    }
}

/// An object that is to be made has a name, or how one begins.
pub(super) fn nameless(kind: &Kind) -> Refusal {
    let mut wrong = Wrong::default();
    wrong.required("metadata.name", "name or generateName is required");
    Refusal::invalid(kind, "", &wrong.into_faults())
}

fn check_content(kind: &str, new: &Value, wrong: &mut Wrong) {
    match kind {
        "Deployment" | "ReplicaSet" | "StatefulSet" | "DaemonSet" | "Job" | "CronJob" => workload::check(kind, new, wrong),
        "Pod" => pod::check(&new["spec"], std::iter::empty(), "spec", wrong),
        _ => content::check(kind, new, wrong),
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
