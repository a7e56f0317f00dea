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
use std::collections::{BTreeMap, BTreeSet};

/// The controllers of Kubernetes itself: an autoscaler's count and the like are nobody's change of a plan.
const CONTROLLERS: &str = "kube-controller-manager";
/// Letters of the digest of one field.
const EACH: usize = 8;

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
    /// A short digest of each field, eight letters each: by that it is known who took one. Nothing in journals of before.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub each: String,
}

impl Owned {
    /// What the plan owns of an object by server-side apply; none when that is nothing.
    pub fn of(object: &Object, plan: &str) -> Option<Self> {
        Self::by(object, plan, None)
    }

    /// What one of the plan's managers owns of an object; the one that applies when none is named.
    pub fn by(object: &Object, plan: &str, manager: Option<&str>) -> Option<Self> {
        let mut owned = Self { plan: plan.to_owned(), manager: manager.map(str::to_owned), fields: String::new(), each: String::new() };
        let fields = owned.entry(object)?["fieldsV1"].clone();
        (owned.fields, owned.each) = (digest_of(&fields), each_of(&fields).into_iter().collect());
        Some(owned)
    }

    /// The fields that are not ours any more; none when that is not known.
    fn lost(&self, now: &BTreeSet<String>) -> Option<BTreeSet<&str>> {
        let all = self.each.as_bytes().chunks(EACH).filter_map(|one| std::str::from_utf8(one).ok());
        (!self.each.is_empty()).then(|| all.filter(|one| !now.contains(*one)).collect())
    }

    fn entry<'a>(&self, object: &'a Object) -> Option<&'a Value> {
        match &self.manager {
            Some(manager) => entry_of(object, manager, "Update"),
            None => applied_by(object, &Managers::of(&self.plan).apply()),
        }
    }
}

/// Who took fields away that the plan wrote; none when nobody did, or the plan itself did, or wrote again.
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
    let wrote = owned.manager.clone().unwrap_or_else(|| managers.apply());
    let others: Vec<Value> = entries(live).into_iter().filter(|other| other["subresource"] != "status" && name(other) != wrote).collect();
    let foreign = |other: &&Value| !managers.is_own(&name(other)) && name(other) != CONTROLLERS;
    let since = entry.map(time).unwrap_or_default();
    let later = |other: &&Value| time(other) >= since;
    let now = entry.map(|entry| each_of(&entry["fieldsV1"])).unwrap_or_default();
    if let Some(lost) = owned.lost(&now) {
        let taken: Vec<(&Value, BTreeSet<String>)> = others.iter().map(|other| (other, each_of(&other["fieldsV1"]))).collect();
        let takes = |fields: &BTreeSet<String>| lost.iter().any(|one| fields.contains(*one));
        let takers = taken.iter().filter(|(other, fields)| foreign(other) && later(other) && takes(fields)).map(|(other, _)| *other);
        if let Some(taker) = takers.max_by_key(|other| time(other)) {
            return Some(name(taker));
        }
        if lost.iter().all(|one| taken.iter().any(|(_, fields)| fields.contains(*one))) {
            return None;
        }
    }
    // Somebody removed a field, which is nobody's now, or nobody knows which fields there were: then only times tell.
    match others.iter().any(|other| managers.is_own(&name(other)) && later(&other)) {
        true => None,
        false => others.iter().filter(foreign).filter(later).max_by_key(|other| time(other)).map(name),
    }
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

/// A short digest of each field of a set: of the way to each of its leaves.
fn each_of(fields: &Value) -> BTreeSet<String> {
    let (mut found, mut left) = (BTreeSet::new(), vec![(String::new(), fields)]);
    while let Some((path, fields)) = left.pop() {
        // The mark `.` is of a map itself: whoever owns a field in it has that, too.
        match fields.as_object().filter(|inner| inner.keys().any(|name| name != ".")) {
            Some(inner) => {
                left.extend(inner.iter().filter(|(name, _)| *name != ".").map(|(name, inner)| (format!("{path}/{name}"), inner)))
            }
            None => {
                found.insert(HEXLOWER.encode(&digest(&SHA256, path.as_bytes()).as_ref()[..EACH / 2]));
            }
        }
    }
    found
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
    fn who_only_adds_after_a_later_step_of_the_plan_supersedes_nothing() {
        let owned = Owned::of(&object(&[entry("bowline:shop", "Apply", "10:00", &["a", "b"])]), "shop").unwrap();
        let ours = [entry("bowline:shop", "Apply", "10:00", &["b"]), entry("bowline-scale:shop", "Update", "10:01", &["a"])];
        let with = |more: Value| object(&[ours.as_slice(), &[more]].concat());
        let annotator = || entry("annotator", "Update", "10:05", &["x"]);
        assert_eq!(superseded_by(&with(annotator()), &owned), None);
        let taken = with(entry("kubectl-edit", "Update", "10:05", &["a"]));
        assert_eq!(superseded_by(&taken, &owned), Some("kubectl-edit".to_owned()), "what a later step wrote is the plan's all the same");
        let old = Owned { each: String::new(), ..owned.clone() };
        assert_eq!(superseded_by(&with(annotator()), &old), None, "a journal of before");
        let removed = object(&[entry("bowline:shop", "Apply", "10:00", &["b"]), annotator()]);
        assert_eq!(superseded_by(&removed, &owned), Some("annotator".to_owned()), "a field is gone: it was whoever wrote last");
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
