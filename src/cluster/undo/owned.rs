//! What an object that a run made has come to own, and would take along when it goes. It deletes nothing.

use super::managed::Managers;
use super::take_back::GONE_WITHIN;
use crate::cluster::answer::ApiError;
use crate::cluster::api::Cluster;
use crate::cluster::kinds::Kind;
use crate::cluster::object::Object;
use crate::cluster::request::{Address, Manner};
use crate::cluster::watch::{Watch, Watched};
use serde_json::json;

/// What becomes of the volumes of a set that is deleted.
const WHEN_DELETED: &str = "/spec/persistentVolumeClaimRetentionPolicy/whenDeleted";

/// Kinds of which a controller takes over objects that fit its selector, owners before what they own in turn.
pub fn owned_kinds(kind: &str) -> &'static [&'static str] {
    match kind {
        "Deployment" => &["ReplicaSet", "Pod"],
        "CronJob" => &["Job", "Pod"],
        "ReplicaSet" | "ReplicationController" | "StatefulSet" | "DaemonSet" | "Job" => &["Pod"],
        _ => &[],
    }
}

/// Something that it owns, at whatever remove, and that was there before it; none when all came after it. Times are in seconds.
pub(super) async fn older(cluster: &Cluster, at: &Address, live: &Object) -> Result<Option<Object>, ApiError> {
    let made = |object: &Object| object.text("/metadata/creationTimestamp").to_owned();
    let mut owners = vec![live.uid().to_owned()];
    for kind in owned_kinds(&at.kind.kind) {
        let mut owned = cluster.list(&Kind::known(kind), at.namespace.as_deref(), "").await?;
        owned.retain(|object| owners.iter().any(|uid| object.is_owned_by(uid)) && !object.is_terminating());
        owners.extend(owned.iter().map(|object| object.uid().to_owned()));
        if let Some(older) = owned.into_iter().find(|object| made(object) < made(live)) {
            return Ok(Some(older));
        }
    }
    Ok(None)
}

/// Lets a set's volumes stay where its own policy deletes them with it, older ones too. Why it must not go yet; none when it may.
pub(super) async fn let_go(cluster: &Cluster, managers: &Managers, at: &Address, live: &Object) -> Result<Option<String>, ApiError> {
    if at.kind.kind != "StatefulSet" {
        return Ok(None);
    }
    if live.text(WHEN_DELETED) == "Delete" {
        let operations = json!([
            { "op": "replace", "path": "/metadata/resourceVersion", "value": live.resource_version() },
            { "op": "replace", "path": WHEN_DELETED, "value": "Retain" },
        ]);
        cluster.patch(at, &operations, Manner::of(&managers.undo())).await?;
    }
    let claims = Kind::known("PersistentVolumeClaim");
    let mut watch = Watch::open(cluster, vec![Watched::all(claims.clone(), at.namespace.as_deref())]);
    let mut owned = String::new();
    let freed = async {
        loop {
            watch.changed().await?;
            match watch.objects(&claims.kind).find(|claim| claim.is_owned_by(live.uid())) {
                Some(claim) => owned = claim.reference().to_string(),
                None => return Ok::<(), ApiError>(()),
            }
        }
    };
    let freed = tokio::select! {
        freed = freed => Some(freed),
        () = cluster.clock.sleep(GONE_WITHIN) => None,
    };
    match freed {
        Some(freed) => freed.map(|()| None),
        None => Ok(Some(format!("{at} still owns {owned} after {}s, which would go with it", GONE_WITHIN.as_secs()))),
    }
}
