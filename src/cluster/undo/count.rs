//! Gives a workload the count back that it had before an autoscaler which a run made, and which is gone by now. It deletes nothing.

use super::managed::{self, Managers};
use super::merge::{Path, Step};
use super::take_back::{is_autoscaler, restore_owners};
use crate::cluster::answer::ApiError;
use crate::cluster::api::Cluster;
use crate::cluster::object::Object;
use crate::cluster::request::{Address, Manner};
use serde_json::{Value, json};

/// How often a workload that somebody else keeps changing is looked at anew.
const TRIES: u32 = 8;

/// Gives the count back where it is still the autoscaler's. The workload as it is now, if that was to be done.
///
/// # Errors
/// When the server refuses or does not answer; calling it again goes on where it stopped.
pub async fn give_count_back(cluster: &Cluster, managers: &Managers, at: &Address, before: &Object) -> Result<Option<Object>, ApiError> {
    let mut last = None;
    for _ in 0..TRIES {
        match attempt(cluster, managers, at, before).await {
            Err(error) if error.is_stale() || error.is_lost() => last = Some(error),
            done => return done,
        }
    }
    Err(last.unwrap_or_else(|| ApiError::lost("no attempt was made")))
}

async fn attempt(cluster: &Cluster, managers: &Managers, at: &Address, before: &Object) -> Result<Option<Object>, ApiError> {
    let live = cluster.get(at).await?.filter(|live| live.uid() == before.uid() && !live.is_terminating());
    let (Some(live), Some(count)) = (live, before.at("/spec/replicas")) else { return Ok(None) };
    let undo = managers.undo();
    // What an earlier try wrote bears our name until the list of owners is back.
    let is_taken = |manager: &str, subresource: &str| manager == undo || is_autoscaler(manager, subresource);
    let replicas = Path(vec![Step::Field("spec".to_owned()), Step::Field("replicas".to_owned())]);
    if !managed::owner(&live, &replicas, managers).is_some_and(|(manager, subresource)| is_taken(&manager, &subresource)) {
        return Ok(None);
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let taken = |entry: &Value| is_taken(&text(&entry["manager"]), &text(&entry["subresource"]));
    let mut owners = managed::given_back(before, &live, &json!({ "f:spec": { "f:replicas": {} } }), taken);
    owners.retain(|entry| entry["manager"] != undo.as_str());
    let mut wanted = live.clone();
    wanted.0["spec"]["replicas"] = count.clone();
    let written = match wanted == live {
        true => live,
        false => cluster.replace(at, &wanted, Manner::of(&undo)).await?.object,
    };
    restore_owners(cluster, &undo, at, owners, written).await.map(Some)
}
