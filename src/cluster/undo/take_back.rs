//! Takes one object's change back on a cluster: content first, then who owns what. It orders nothing and waits for no health.

use crate::cluster::answer::ApiError;
use crate::cluster::api::Cluster;
use crate::cluster::object::Object;
use crate::cluster::request::{Address, Manner};
use crate::cluster::undo::managed::{self, Managers};
use crate::cluster::undo::merge::{Path, Restoration, Step, merge};
use crate::cluster::undo::owned::let_go;
use crate::cluster::undo::recreate::{Recreated, recreate, still_there};
use crate::cluster::undo::vacancy;
use crate::cluster::watch::wait_gone;
use serde_json::{Value, json};
use std::time::Duration;

/// How often an object that somebody else keeps changing is read and merged anew.
const TRIES: u32 = 8;
/// Time for a deleted object to be gone.
pub const GONE_WITHIN: Duration = Duration::from_secs(60);

/// A change that a run made.
#[derive(Debug, Clone)]
pub struct Change {
    /// Where.
    pub at: Address,
    /// The object just before; none when there was none.
    pub before: Option<Object>,
    /// The object as the write returned it.
    pub after: Object,
    /// The write made it.
    pub created: bool,
}

/// What became of a change that was to be taken back.
#[derive(Debug, Clone, PartialEq)]
pub enum TakenBack {
    /// It is as it was. The object as it is now; none when it is gone. What is not as it was all the same, in one line each.
    Restored(Option<Object>, Vec<String>),
    /// Something of it is somebody else's by now and stays. One line for each.
    Kept(Option<Object>, Vec<String>),
    /// It is still there.
    Residue(String),
}

/// Takes a change back: puts values back where they are still ours, deletes what was made.
///
/// # Errors
/// When the server refuses or does not answer; calling it again goes on where it stopped.
///
/// # Idempotence
/// A second call finds nothing left to do, also after the first one was cut off anywhere.
pub async fn take_back(cluster: &Cluster, managers: &Managers, change: &Change) -> Result<TakenBack, ApiError> {
    let mut last = None;
    for _ in 0..TRIES {
        match attempt(cluster, managers, change).await {
            // Somebody was faster, or the answer is lost: what there is now decides.
            Err(error) if error.is_stale() || error.is_lost() => last = Some(error),
            done => return done,
        }
    }
    Err(last.unwrap_or_else(|| ApiError::lost("no attempt was made")))
}

async fn attempt(cluster: &Cluster, managers: &Managers, change: &Change) -> Result<TakenBack, ApiError> {
    let live = cluster.get(&change.at).await?;
    if let Some(live) = live.as_ref().filter(|live| live.uid() != change.after.uid() && is_remade(change, live, managers)) {
        let mut change = change.clone();
        change.after.0["metadata"]["uid"] = live.0["metadata"]["uid"].clone();
        return attempt_on(cluster, managers, &change, Some(live.clone())).await;
    }
    attempt_on(cluster, managers, change, live).await
}

async fn attempt_on(cluster: &Cluster, managers: &Managers, change: &Change, live: Option<Object>) -> Result<TakenBack, ApiError> {
    match (&change.before, live) {
        (None, None) => Ok(TakenBack::Restored(None, Vec::new())),
        (None, Some(live)) => remove(cluster, managers, change, live).await,
        // An attempt of ours may have ended between deleting it and making it again.
        (Some(before), None) if sealed(change, &change.after) => anew(cluster, managers, change, before).await,
        (Some(_), None) => Ok(TakenBack::Kept(None, vec![format!("{} was deleted by somebody else and stays deleted", change.at)])),
        (Some(before), Some(live)) if live.uid() != change.after.uid() && sealed(change, &change.after) => {
            // Ours, made again: then only its list of owners may be missing. Anything else is somebody else's.
            match recreate(cluster, managers, &change.at, before).await? {
                Recreated::Again(object, notes) => Ok(TakenBack::Restored(Some(object), notes)),
                _ => Ok(replaced(change, live)),
            }
        }
        (Some(_), Some(live)) if live.uid() != change.after.uid() => Ok(replaced(change, live)),
        // Our own deletion, whose end an earlier attempt did not see.
        (Some(before), Some(live)) if live.is_terminating() && sealed(change, &change.after) => {
            match wait_gone(cluster, &change.at, live.uid(), GONE_WITHIN).await? {
                true => anew(cluster, managers, change, before).await,
                false => Ok(TakenBack::Residue(still_there(&change.at, &live))),
            }
        }
        (Some(before), Some(live)) if live.is_terminating() => {
            wait_gone(cluster, &change.at, live.uid(), GONE_WITHIN).await?;
            let note =
                format!("{} is being deleted by somebody else: what it was at {} is not put back", change.at, before.resource_version());
            Ok(TakenBack::Kept(None, vec![note]))
        }
        (Some(before), Some(live)) => restore(cluster, managers, change, before, live).await,
    }
}

fn replaced(change: &Change, live: Object) -> TakenBack {
    TakenBack::Kept(Some(live), vec![format!("{} was deleted and made anew by somebody else and stays as it is", change.at)])
}

/// Deletes what we made.
async fn remove(cluster: &Cluster, managers: &Managers, change: &Change, live: Object) -> Result<TakenBack, ApiError> {
    if live.uid() != change.after.uid() {
        return Ok(replaced(change, live));
    }
    if !change.created {
        let note = format!("{} was made by somebody else while this run wrote it: what was merged into it stays", change.at);
        return Ok(TakenBack::Kept(Some(live), vec![note]));
    }
    if !live.is_terminating() {
        if let Some(why) = vacancy::inhabited(cluster, &change.at, &live).await? {
            return Ok(TakenBack::Kept(Some(live), vec![why]));
        }
        if let Some(why) = let_go(cluster, managers, &change.at, &live).await? {
            return Ok(TakenBack::Residue(why));
        }
        cluster.delete(&change.at, live.uid()).await?;
    }
    match wait_gone(cluster, &change.at, live.uid(), GONE_WITHIN).await? {
        true => {
            Ok(TakenBack::Restored(None, managed::added(&live, managers).map(|added| format!("{added} went with {}", change.at)).collect()))
        }
        false => Ok(TakenBack::Residue(still_there(&change.at, &live))),
    }
}

async fn restore(cluster: &Cluster, managers: &Managers, change: &Change, before: &Object, live: Object) -> Result<TakenBack, ApiError> {
    let Restoration { object, changed, kept } = merge(before, &change.after, &live);
    let mut notes: Vec<String> = kept.iter().filter_map(|path| note(&live, path, managers)).collect();
    let undo = managers.undo();
    // Who owns what is read off the object before our own write: that takes over what it touches, a whole atomic list even where
    // only one element of it was ours.
    let owners = managed::restore(before, &live, managers);
    if changed && sealed(change, &live) {
        // The server takes no change of what is immutable back: it goes, and is made again as it should be.
        cluster.delete(&change.at, live.uid()).await?;
        if !wait_gone(cluster, &change.at, live.uid(), GONE_WITHIN).await? {
            return Ok(TakenBack::Residue(still_there(&change.at, &live)));
        }
        let mut wanted = object;
        wanted.0["metadata"]["managedFields"] = Value::Array(owners);
        return anew(cluster, managers, change, &wanted).await;
    }
    let written = match changed {
        true => cluster.replace(&change.at, &object, Manner::of(&undo)).await?.object,
        false => live,
    };
    let owners = managed::dated(owners, &written, &undo);
    let now = restore_owners(cluster, &undo, &change.at, owners, written).await?;
    let lost = released(before, &change.after)
        .map(|address| format!("{} gave up its load balancer{address}: it gets another one, whose address may differ", change.at));
    Ok(match notes.is_empty() {
        true => TakenBack::Restored(Some(now), lost.into_iter().collect()),
        false => {
            notes.extend(lost);
            TakenBack::Kept(Some(now), notes)
        }
    })
}

/// Where the load balancer was that a Service gave up, ` at 10.1.2.3` as far as that is known; none when it gave up none. Whoever runs it
/// takes it down at once, and a later one is another.
pub fn released(before: &Object, after: &Object) -> Option<String> {
    let balances = |object: &Object| object.kind() == "Service" && object.text("/spec/type") == "LoadBalancer";
    let place = |entry: &Value| ["ip", "hostname"].into_iter().find_map(|name| entry[name].as_str().map(str::to_owned));
    let places: Vec<String> = before.list("/status/loadBalancer/ingress").iter().filter_map(place).collect();
    let told = if places.is_empty() { String::new() } else { format!(" at {}", places.join(", ")) };
    (balances(before) && !balances(after)).then_some(told)
}

/// True when the run made immutable what was not, so that only a new object can be as the old one.
fn sealed(change: &Change, live: &Object) -> bool {
    change.before.as_ref().is_some_and(|before| is_sealing(&change.at, before, &live.0))
}

/// True when this object, made like that one, cannot be made like itself again: the server takes no change of what is immutable.
pub fn is_sealing(at: &Address, before: &Object, after: &Value) -> bool {
    matches!(at.kind.kind.as_str(), "ConfigMap" | "Secret") && after["immutable"] == true && before.0["immutable"] != true
}

/// True when the object that is there was made again by this plan as it was after our change, as the undo of a later step may have to:
/// then every entry of its managers that the change left is there as it was.
fn is_remade(change: &Change, live: &Object, managers: &Managers) -> bool {
    let own = |object: &Object| managed::entries(object).into_iter().filter(|entry| managed::is_own(entry, managers)).collect::<Vec<_>>();
    let (then, now) = (own(&change.after), own(live));
    let same = |one: &Value, other: &Value| ["manager", "operation", "subresource", "fieldsV1"].iter().all(|part| one[part] == other[part]);
    !then.is_empty() && then.iter().all(|entry| now.iter().any(|other| same(entry, other)))
}

async fn anew(cluster: &Cluster, managers: &Managers, change: &Change, wanted: &Object) -> Result<TakenBack, ApiError> {
    Ok(match recreate(cluster, managers, &change.at, wanted).await? {
        Recreated::Again(object, notes) => TakenBack::Restored(Some(object), notes),
        Recreated::Untouched(object) => TakenBack::Restored(Some(object), Vec::new()),
        Recreated::Theirs(object) => replaced(change, object),
        Recreated::Residue(why) => TakenBack::Residue(why),
    })
}

/// Who changed a field after us; none when that is its proper owner and nothing to tell.
fn note(live: &Object, path: &Path, managers: &Managers) -> Option<String> {
    let owner = managed::owner(live, path, managers);
    let replicas = path.0.last() == Some(&Step::Field("replicas".to_owned()));
    match owner {
        // An autoscaler's count is never ours to give back.
        Some((manager, subresource)) if replicas && is_autoscaler(&manager, &subresource) => None,
        Some((manager, _)) if !managers.is_own(&manager) => Some(format!("{path} was changed by {manager} and stays")),
        _ => Some(format!("{path} was changed by somebody else and stays")),
    }
}

/// True for the writer of what an autoscaler sets.
pub(super) fn is_autoscaler(manager: &str, subresource: &str) -> bool {
    subresource == "scale" && manager.starts_with("kube-controller-manager")
}

/// Writes nothing but the list of owners. A list that says the same already is left alone, so a second call does nothing.
pub(super) async fn restore_owners(
    cluster: &Cluster,
    undo: &str,
    at: &Address,
    owners: Vec<Value>,
    live: Object,
) -> Result<Object, ApiError> {
    if owners.is_empty() || managed::is_same_list(&owners, &managed::entries(&live)) {
        return Ok(live);
    }
    let operations = json!([
        { "op": "replace", "path": "/metadata/resourceVersion", "value": live.resource_version() },
        { "op": "replace", "path": "/metadata/managedFields", "value": owners },
    ]);
    Ok(cluster.patch(at, &operations, Manner::of(undo)).await?.object)
}
