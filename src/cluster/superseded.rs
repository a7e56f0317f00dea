//! Whether somebody else has changed what a plan wrote, told from who owns which field; and an eye on that. It takes nothing back.

use crate::cluster::api::Cluster;
use crate::cluster::object::Object;
use crate::cluster::request::Address;
use crate::cluster::undo::Managers;
use crate::cluster::undo::managed::{applied_by, entries, entry_of};
use crate::cluster::watch::{Watch, Watched};
use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The controllers of Kubernetes itself: an autoscaler's count and the like are nobody's change of a plan.
const CONTROLLERS: &str = "kube-controller-manager";

/// The fields that one manager owned when its write returned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Owned {
    /// The plan whose managers wrote it.
    pub plan: String,
    /// The manager that wrote it; the one that applies when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manager: Option<String>,
    /// Digest of the fields.
    pub fields: String,
}

impl Owned {
    /// What the plan owns of an object by server-side apply; none when that is nothing.
    pub fn of(object: &Object, plan: &str) -> Option<Self> {
        Self::by(object, plan, None)
    }

    /// What one of the plan's managers owns of an object; the one that applies when none is named.
    pub fn by(object: &Object, plan: &str, manager: Option<&str>) -> Option<Self> {
        let mut owned = Self { plan: plan.to_owned(), manager: manager.map(str::to_owned), fields: String::new() };
        owned.fields = digest_of(&owned.entry(object)?["fieldsV1"]);
        Some(owned)
    }

    fn entry<'a>(&self, object: &'a Object) -> Option<&'a Value> {
        match &self.manager {
            Some(manager) => entry_of(object, manager, "Update"),
            None => applied_by(object, &Managers::of(&self.plan).apply()),
        }
    }
}

/// Who took fields away that the plan wrote; none when nobody did, or the plan itself wrote again.
///
/// A value that somebody else changes is theirs from then on, so what the plan owns shrinks. The time of its entry stays.
pub fn superseded_by(live: &Object, owned: &Owned) -> Option<String> {
    let managers = Managers::of(&owned.plan);
    let entry = owned.entry(live);
    if entry.is_some_and(|entry| digest_of(&entry["fieldsV1"]) == owned.fields) {
        return None;
    }
    let time = |entry: &Value| entry["time"].as_str().unwrap_or_default().to_owned();
    let name = |entry: &Value| entry["manager"].as_str().unwrap_or_default().to_owned();
    let since = entry.map(time).unwrap_or_default();
    let wrote = owned.manager.clone().unwrap_or_else(|| managers.apply());
    let others = entries(live).into_iter().filter(|other| other["subresource"] != "status" && name(other) != CONTROLLERS);
    let newest = others.filter(|other| name(other) != wrote && time(other) >= since).max_by_key(time)?;
    (!managers.is_own(&name(&newest))).then(|| name(&newest))
}

/// One object that was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// Where it is.
    pub at: Address,
    /// Its uid.
    pub uid: String,
    /// What the plan owns of it.
    pub owned: Owned,
}

/// Watches what was written, and tells who else changes it; nobody when it is gone. Ends when it cannot go on: whoever may not watch is
/// not kept from writing.
pub async fn watch_written(cluster: &Cluster, written: &[Written], mut tell: impl FnMut(&Address, Option<String>)) {
    let mut watch = Watch::open(cluster, watched(written));
    let mut told: Vec<Option<Option<String>>> = vec![None; written.len()];
    while watch.changed().await.is_ok() {
        for (one, told) in written.iter().zip(&mut told) {
            let now = match watch.object(&one.at).filter(|live| live.uid() == one.uid) {
                Some(live) => superseded_by(live, &one.owned).map(Some),
                None => Some(None),
            };
            if now.is_some() && *told != now {
                tell(&one.at, now.clone().flatten());
            }
            *told = now;
        }
    }
}

/// One watch a kind and namespace, or for the one object of its kind.
fn watched(written: &[Written]) -> Vec<Watched> {
    let mut kinds: BTreeMap<(String, Option<String>), Vec<&Address>> = BTreeMap::new();
    for Written { at, .. } in written {
        let kind = format!("{}/{}", at.kind.api_version, at.kind.kind);
        kinds.entry((kind, at.namespace.clone())).or_default().push(at);
    }
    let watched = kinds.values().filter_map(|all| match all.as_slice() {
        [] => None,
        [one] => Some(Watched::one(one)),
        [first, ..] => Some(Watched::all(first.kind.clone(), first.namespace.as_deref())),
    });
    watched.collect()
}

fn digest_of(fields: &Value) -> String {
    HEXLOWER.encode(&digest(&SHA256, fields.to_string().as_bytes()).as_ref()[..12])
}

#[cfg(test)]
mod tests {
    use super::{Owned, superseded_by};
    use crate::cluster::object::Object;
    use serde_json::{Value, json};

    fn entry(manager: &str, operation: &str, time: &str, fields: &[&str]) -> Value {
        let fields: serde_json::Map<String, Value> = fields.iter().map(|name| (format!("f:{name}"), json!({}))).collect();
        json!({ "manager": manager, "operation": operation, "time": time, "fieldsV1": { "f:data": fields } })
    }

    fn object(entries: &[Value]) -> Object {
        Object(json!({ "metadata": { "managedFields": entries } }))
    }

    #[test]
    fn who_takes_a_field_supersedes_and_who_only_adds_does_not() {
        let ours = entry("bowline:shop", "Apply", "10:00", &["a", "b"]);
        let owned = Owned::of(&object(std::slice::from_ref(&ours)), "shop").unwrap();
        let added = entry("annotator", "Update", "10:05", &["x"]);
        assert_eq!(superseded_by(&object(&[ours, added]), &owned), None);
        let less = entry("bowline:shop", "Apply", "10:00", &["b"]);
        let taken = object(&[less.clone(), entry("kubectl-edit", "Update", "10:05", &["a"])]);
        assert_eq!(superseded_by(&taken, &owned), Some("kubectl-edit".to_owned()));
        let own = object(&[less.clone(), entry("old", "Update", "09:00", &["y"]), entry("bowline-scale:shop", "Update", "10:05", &["a"])]);
        assert_eq!(superseded_by(&own, &owned), None, "a later step of the plan");
        let again = object(&[entry("bowline:shop", "Apply", "10:09", &["a", "c"]), entry("old", "Update", "10:05", &["y"])]);
        assert_eq!(superseded_by(&again, &owned), None, "the plan applied again");
        assert_eq!(superseded_by(&object(&[entry("other", "Apply", "10:05", &["a", "b"])]), &owned), Some("other".to_owned()));
        let scaled = object(&[less, entry("kube-controller-manager", "Update", "10:05", &["a"])]);
        assert_eq!(superseded_by(&scaled, &owned), None, "an autoscaler's count");
    }

    #[test]
    fn what_was_patched_is_told_from_what_was_applied() {
        let applied = entry("bowline:shop", "Apply", "10:00", &["a"]);
        let patched = entry("bowline-scale:shop", "Update", "10:01", &["b"]);
        let owned = Owned::by(&object(&[applied.clone(), patched.clone()]), "shop", Some("bowline-scale:shop")).unwrap();
        assert_eq!(superseded_by(&object(&[applied.clone(), patched]), &owned), None);
        let taken = object(&[applied, entry("kubectl", "Update", "10:05", &["b"])]);
        assert_eq!(superseded_by(&taken, &owned), Some("kubectl".to_owned()));
    }
}
