//! The health of kinds that start nothing themselves, and of kinds that nobody told us about.

use super::{NOT_OBSERVED, Trouble, Verdict, View, is_observed, progress, refused, worst};
use crate::cluster::object::Object;
use serde_json::Value;

pub(super) fn replica_set(object: &Object, view: &View<'_>) -> Verdict {
    if !is_observed(object) {
        return Verdict::Waiting(NOT_OBSERVED.to_owned());
    }
    let wanted = object.number("/spec/replicas").unwrap_or(1);
    let count = |field: &str| object.number(&format!("/status/{field}")).unwrap_or(0);
    if ["replicas", "readyReplicas", "availableReplicas"].iter().all(|field| count(field) == wanted) {
        return Verdict::Healthy;
    }
    let pods = view.pods_of(object.uid());
    let failure = object.condition("ReplicaFailure").filter(|condition| condition["status"] == "True");
    let failure = failure.map(|failure| refused(failure["message"].as_str().unwrap_or("its pods are refused")));
    worst(&pods).or(failure).unwrap_or_else(|| progress(count("availableReplicas"), wanted, "ready", &pods))
}

pub(super) fn judge(object: &Object) -> Verdict {
    match (object.api_version(), object.kind()) {
        ("v1", "Service") => service(object),
        ("v1", "Namespace") => phase(object, "Active"),
        ("v1", "PersistentVolumeClaim") => claim(object),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition") => definition(object),
        _ => conditions(object),
    }
}

fn service(object: &Object) -> Verdict {
    let entries = object.list("/status/loadBalancer/ingress");
    let has_address = entries.iter().any(|entry| entry["ip"].is_string() || entry["hostname"].is_string());
    match object.text("/spec/type") == "LoadBalancer" && !has_address {
        true => Verdict::Waiting("it has no address yet".to_owned()),
        false => Verdict::Healthy,
    }
}

fn phase(object: &Object, good: &str) -> Verdict {
    match object.text("/status/phase") {
        phase if phase == good => Verdict::Healthy,
        phase => Verdict::Waiting(format!("it is {}", if phase.is_empty() { "not there yet" } else { phase })),
    }
}

/// A claim may wait for its first pod, which waits for the claim in its own verdict.
fn claim(object: &Object) -> Verdict {
    match object.text("/status/phase") {
        "Lost" => Verdict::Failed(Trouble::of("its volume is lost")),
        _ => Verdict::Healthy,
    }
}

fn definition(object: &Object) -> Verdict {
    let names = object.condition("NamesAccepted").filter(|condition| condition["status"] == "False");
    match names {
        Some(names) => Verdict::Failed(Trouble::of(names["message"].as_str().unwrap_or("its names are taken"))),
        None if object.is_condition_true("Established") => Verdict::Healthy,
        None => Verdict::Waiting("it is not established yet".to_owned()),
    }
}

/// What many custom resources agree on. Source: the conventions of `kstatus` in kubernetes-sigs/cli-utils.
fn conditions(object: &Object) -> Verdict {
    if object.number("/status/observedGeneration").is_some() && !is_observed(object) {
        return Verdict::Waiting(NOT_OBSERVED.to_owned());
    }
    let message = |condition: &Value| condition["message"].as_str().unwrap_or_default().to_owned();
    if let Some(stalled) = object.condition("Stalled").filter(|condition| condition["status"] == "True") {
        return Verdict::Failed(Trouble::of(message(stalled)));
    }
    if let Some(busy) = object.condition("Reconciling").filter(|condition| condition["status"] == "True") {
        return Verdict::Waiting(message(busy));
    }
    match object.condition("Ready") {
        Some(ready) if ready["status"] != "True" => Verdict::Waiting(message(ready)),
        _ => Verdict::Healthy,
    }
}
