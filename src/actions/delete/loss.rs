//! What goes with an object for good: data, addresses, identities that no before-image holds. It deletes nothing.

use crate::action::{ActionError, ReadCx};
use crate::actions::kubernetes::{Place, failed};
use crate::cluster::{Address, Class, Kind, Object};
use serde_json::Value;
use std::collections::BTreeSet;

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

/// Kinds of which people, or charts, make an object a workload's own, so that it is collected with that; and those whose programs are cut
/// off with what began them.
const COLLECTED: [&str; 5] = ["PersistentVolumeClaim", "ConfigMap", "Secret", "Service", "Job"];

/// What is lost with objects that are there, what would be collected with them included.
pub(super) async fn of(place: &Place, cx: &ReadCx, found: &[(Address, Option<Object>)]) -> Result<Vec<(Address, String)>, ActionError> {
    let live = || found.iter().filter_map(|(at, live)| Some((at, live.as_ref()?)));
    let mut losses: Vec<(Address, String)> = live().filter_map(|(at, object)| Some((at.clone(), of_object(object)?.to_owned()))).collect();
    let goes = |owner: &Value| live().any(|(_, object)| owner["uid"] == object.uid());
    for owned in owned(place, cx, live()).await? {
        let owners = owned.list("/metadata/ownerReferences");
        let lost = match owned.kind() {
            "PersistentVolumeClaim" => Some("is its own, and goes with its data"),
            "Job" if !is_finished(&owned) => Some("is its own, and its program is cut off"),
            _ => None,
        };
        // What a controller made it makes again, and what is deleted here has a before-image of its own.
        let comes_back = owners.iter().any(|owner| owner["controller"] == true) || live().any(|(_, object)| object.uid() == owned.uid());
        // With another owner it stays.
        if (comes_back && lost.is_none()) || !owners.iter().all(goes) {
            continue;
        }
        let with = lost.unwrap_or("belongs to it and goes with it");
        let of = live().filter(|(_, object)| owned.is_owned_by(object.uid()));
        losses.extend(of.map(|(at, _)| (at.clone(), format!("{} {with}", owned.reference()))));
    }
    Ok(losses)
}

/// Objects that have owners, where some of those that are deleted are: a request a kind and namespace.
async fn owned<'a>(place: &Place, cx: &ReadCx, live: impl Iterator<Item = (&'a Address, &'a Object)>) -> Result<Vec<Object>, ActionError> {
    let can_own = |kind: &str| !matches!(kind, "ConfigMap" | "Secret" | "Service" | "Ingress" | "PersistentVolumeClaim");
    let namespaces: BTreeSet<&str> = live.filter(|(at, _)| can_own(&at.kind.kind)).filter_map(|(at, _)| at.namespace.as_deref()).collect();
    let mut owned = Vec::new();
    for (namespace, kind) in namespaces.into_iter().flat_map(|namespace| COLLECTED.map(|kind| (namespace, Kind::known(kind)))) {
        match place.cluster.list(&kind, Some(namespace), "").await {
            Ok(objects) => owned.extend(objects.into_iter().filter(|object| !object.list("/metadata/ownerReferences").is_empty())),
            Err(error) if error.class == Class::Forbidden => {
                cx.warn(format!("may not look whether {} would be deleted with their owners", kind.plural));
            }
            Err(error) => return Err(failed(format!("cannot list the {} of `{namespace}`", kind.plural), &error)),
        }
    }
    Ok(owned)
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
