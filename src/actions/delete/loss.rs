//! What goes with an object for good: data, addresses, identities that no before-image holds. It deletes nothing.

use crate::action::{ActionError, ReadCx};
use crate::actions::kubernetes::{Place, failed};
use crate::cluster::{Address, Class, Kind, Object};

/// What is lost with every object of a kind; none when an object of it can be made again.
pub(super) fn of_kind(api_version: &str, kind: &str) -> Option<&'static str> {
    match (api_version, kind) {
        ("v1", "Namespace") => Some("all that is in it goes with it"),
        ("v1", "PersistentVolumeClaim" | "PersistentVolume") => Some("its data may go with it"),
        ("v1", "ServiceAccount") => Some("its tokens end with it, and a new one has others"),
        (_, "CustomResourceDefinition") => Some("all objects of its kind go with it"),
        _ => None,
    }
}

/// What is lost with this object as it is; none when it can be made again.
pub(super) fn of_object(object: &Object) -> Option<&'static str> {
    match object.kind() {
        "Service" if object.text("/spec/type") == "LoadBalancer" => Some("the address of its load balancer goes with it"),
        "Job" if object.api_version() == "batch/v1" && !is_finished(object) => {
            Some("its program is cut off, and would begin anew in another one")
        }
        _ => of_kind(object.api_version(), object.kind()),
    }
}

/// True for a Job or a Pod that has run to its end: made again, it would run again.
pub(super) fn is_finished(object: &Object) -> bool {
    match object.kind() {
        "Job" => ["Complete", "Failed"].iter().any(|kind| object.is_condition_true(kind)),
        "Pod" => ["Succeeded", "Failed"].contains(&object.text("/status/phase")),
        _ => false,
    }
}

/// What is lost with objects that are there, claims for volumes that would be collected with their owners included.
pub(super) async fn of(place: &Place, cx: &ReadCx, found: &[(Address, Option<Object>)]) -> Result<Vec<(Address, String)>, ActionError> {
    let live = || found.iter().filter_map(|(at, live)| Some((at, live.as_ref()?)));
    let mut losses: Vec<(Address, String)> = live().filter_map(|(at, object)| Some((at.clone(), of_object(object)?.to_owned()))).collect();
    let can_own = |kind: &str| !matches!(kind, "ConfigMap" | "Secret" | "Service" | "Ingress" | "PersistentVolumeClaim");
    let mut namespaces: Vec<&str> = live().filter(|(at, _)| can_own(&at.kind.kind)).filter_map(|(at, _)| at.namespace.as_deref()).collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    for namespace in namespaces {
        let claims = match place.cluster.list(&Kind::known("PersistentVolumeClaim"), Some(namespace), "").await {
            Ok(claims) => claims,
            Err(error) if error.class == Class::Forbidden => {
                cx.warn("may not look whether claims for volumes would be deleted with their owners");
                continue;
            }
            Err(error) => return Err(failed("cannot list the claims for volumes", &error)),
        };
        for (at, object) in live() {
            if let Some(claim) = claims.iter().find(|claim| claim.is_owned_by(object.uid())) {
                losses.push((at.clone(), format!("persistentvolumeclaim/{} is its own, and goes with its data", claim.name())));
            }
        }
    }
    Ok(losses)
}

/// Why nothing is deleted when a loss was not declared; none when nothing is lost.
pub(super) fn refusal(losses: &[(Address, String)]) -> Option<ActionError> {
    let told: Vec<String> = losses.iter().map(|(at, why)| format!("{at} ({why})")).collect();
    (!told.is_empty()).then(|| not_declared(&told.join(", ")))
}

pub(super) fn not_declared(told: &str) -> ActionError {
    ActionError::permanent(format!("deleting {told} cannot be taken back"))
        .hint("say `irreversible: true` if that is meant: nothing before this step can be taken back then")
}
