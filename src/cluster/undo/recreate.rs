//! Makes a deleted object again, as its before-image says. The uid is a new one; everything else is as it was. It orders nothing and
//! waits for no health.

use super::managed::{self, Managers};
use super::take_back::{GONE_WITHIN, restore_owners};
use crate::cluster::answer::{ApiError, Class};
use crate::cluster::api::Cluster;
use crate::cluster::diff::is_same;
use crate::cluster::object::Object;
use crate::cluster::request::{Address, Manner};
use crate::cluster::watch::wait_gone;
use serde_json::{Map, Value};

/// How often the place of an object is looked at anew.
const TRIES: u32 = 8;

/// What became of an object that was to be made again.
#[derive(Debug, Clone, PartialEq)]
pub enum Recreated {
    /// It was never gone.
    Untouched(Object),
    /// It is there again. What is not as it was, in one line each.
    Again(Object, Vec<String>),
    /// Somebody else has made one: theirs stays.
    Theirs(Object),
    /// It cannot be made.
    Residue(String),
}

/// Makes a deleted object again, by a plain create: an apply would write into whatever stands there by then.
///
/// # Errors
/// When the server does not answer; calling it again goes on where it stopped.
///
/// # Idempotence
/// A second call finds the object that the first one made.
pub async fn recreate(cluster: &Cluster, managers: &Managers, at: &Address, before: &Object) -> Result<Recreated, ApiError> {
    let (owners, mut notes) = living_owners(cluster, before).await?;
    let mut fresh = fresh(before, &owners);
    let mut last = None;
    for _ in 0..TRIES {
        if let Some(live) = cluster.get(at).await? {
            if live.is_terminating() {
                if wait_gone(cluster, at, live.uid(), GONE_WITHIN).await? {
                    continue;
                }
                return Ok(Recreated::Residue(still_there(at, &live)));
            }
            if live.uid() == before.uid() {
                return Ok(Recreated::Untouched(live));
            }
            let undo = managers.undo();
            let ours = managed::entries(&live).iter().any(|entry| entry["manager"] == undo.as_str());
            if !ours && !is_same(&fresh, &self::fresh(&live, &owners)) {
                return Ok(Recreated::Theirs(live));
            }
            match restore_owners(cluster, &undo, at, managed::restore(before, &live, managers), live).await {
                Err(error) if error.is_stale() || error.is_lost() => last = Some(error),
                now => {
                    notes.insert(0, format!("{at} was made again and has a new uid"));
                    return Ok(Recreated::Again(now?, notes));
                }
            }
            continue;
        }
        match cluster.create(at, &fresh, Manner::of(&managers.undo())).await {
            Ok(_) => {}
            // Whatever stands there now decides.
            Err(error) if error.is_stale() || error.is_lost() => last = Some(error),
            Err(error) if error.class == Class::Invalid && give_up_allocations(&mut fresh) => {
                notes.push(format!("{at} got another address or node port: the one that it had is taken"));
            }
            Err(error) if error.is_transient() => return Err(error),
            Err(error) => return Ok(Recreated::Residue(format!("{at} could not be made again: {error}"))),
        }
    }
    Err(last.unwrap_or_else(|| ApiError::lost(format!("{at} is made and deleted by somebody else all the time"))))
}

/// What is told of an object that was deleted and stayed.
pub(crate) fn still_there(at: &Address, live: &Object) -> String {
    format!("{at} is deleted but not gone after {}s{}", GONE_WITHIN.as_secs(), held_by(live))
}

/// `, held by a, b` for an object that cannot go yet; empty when nothing holds it.
pub(crate) fn held_by(live: &Object) -> String {
    let finalizers: Vec<&str> = live.list("/metadata/finalizers").iter().filter_map(Value::as_str).collect();
    if finalizers.is_empty() { String::new() } else { format!(", held by {}", finalizers.join(", ")) }
}

/// The owners that are still what they were: an object whose owner is gone would be collected at once.
async fn living_owners(cluster: &Cluster, before: &Object) -> Result<(Vec<Value>, Vec<String>), ApiError> {
    let (mut living, mut notes) = (Vec::new(), Vec::new());
    for owner in before.list("/metadata/ownerReferences") {
        let text = |field: &str| owner[field].as_str().unwrap_or_default();
        let live = match cluster.kind(text("apiVersion"), text("kind")).await {
            Ok(kind) => {
                let namespace = before.namespace().filter(|_| kind.namespaced).map(str::to_owned);
                cluster.get(&Address { kind, namespace, name: text("name").to_owned() }).await?
            }
            Err(error) if error.is_absent() => None,
            Err(error) => return Err(error),
        };
        match live.is_some_and(|live| live.uid() == text("uid")) {
            true => living.push(owner.clone()),
            false => notes.push(format!("its owner {}/{} is gone", text("kind").to_lowercase(), text("name"))),
        }
    }
    Ok((living, notes))
}

/// The object as it is sent: without what the server and controllers give anew.
fn fresh(before: &Object, owners: &[Value]) -> Object {
    let mut fresh = before.0.clone();
    if let Some(fields) = fresh.as_object_mut() {
        fields.shift_remove("status");
    }
    if let Some(metadata) = fresh["metadata"].as_object_mut() {
        let servers = [
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
            "generation",
            "managedFields",
            "selfLink",
            "ownerReferences",
        ];
        servers.iter().for_each(|name| drop(metadata.shift_remove(*name)));
        if !owners.is_empty() {
            metadata.insert("ownerReferences".to_owned(), Value::from(owners));
        }
        keep(metadata, "finalizers", |finalizer| !matches!(finalizer.as_str(), Some("foregroundDeletion" | "orphan")));
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            // Its controller counts anew.
            annotations.shift_remove("deployment.kubernetes.io/revision");
        }
        drop_empty(metadata, "annotations");
    }
    if before.kind() == "Pod"
        && let Some(spec) = fresh["spec"].as_object_mut()
    {
        spec.shift_remove("nodeName");
    }
    Object(fresh)
}

fn keep(metadata: &mut Map<String, Value>, name: &str, wanted: impl Fn(&Value) -> bool) {
    if let Some(list) = metadata.get_mut(name).and_then(Value::as_array_mut) {
        list.retain(wanted);
    }
    drop_empty(metadata, name);
}

fn drop_empty(metadata: &mut Map<String, Value>, name: &str) {
    let empty = metadata.get(name).is_some_and(|value| match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    });
    if empty {
        metadata.shift_remove(name);
    }
}

/// Lets the server choose what it once gave to a Service; false when it may choose all already.
fn give_up_allocations(fresh: &mut Object) -> bool {
    if fresh.kind() != "Service" {
        return false;
    }
    let Some(spec) = fresh.0["spec"].as_object_mut() else { return false };
    let headless = spec.get("clusterIP").is_some_and(|ip| ip == "None");
    let mut given_up = spec.shift_remove("healthCheckNodePort").is_some();
    if !headless {
        given_up |= spec.shift_remove("clusterIP").is_some() | spec.shift_remove("clusterIPs").is_some();
    }
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut) {
        given_up |= port.shift_remove("nodePort").is_some();
    }
    given_up
}
