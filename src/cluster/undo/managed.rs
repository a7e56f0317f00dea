//! Who owns which field, before and after a change is taken back: `metadata.managedFields`. Pure.
//!
//! An undo written as a plain update makes the undoing manager own what it puts back, and the owner's next apply then
//! conflicts. So a second write puts the list back: as it was, and with what others have come to own since.

use crate::cluster::object::Object;
use crate::cluster::undo::merge::{Path, Step};
use serde_json::{Map, Value};

/// The managers of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Managers {
    plan: String,
}

impl Managers {
    /// The managers of the plan of this name.
    pub fn of(plan: &str) -> Self {
        Self { plan: plan.to_owned() }
    }

    /// Who applies: `bowline:PLAN`.
    pub fn apply(&self) -> String {
        format!("bowline:{}", self.plan)
    }

    /// Who patches for an action: `bowline-ACTION:PLAN`.
    pub fn action(&self, action: &str) -> String {
        format!("bowline-{action}:{}", self.plan)
    }

    /// Who takes back, for a moment: `bowline-undo:PLAN`.
    pub fn undo(&self) -> String {
        self.action("undo")
    }

    /// True for every manager of this plan.
    pub fn is_own(&self, manager: &str) -> bool {
        let rest = manager.strip_prefix("bowline").and_then(|rest| rest.strip_suffix(&self.plan));
        rest.and_then(|rest| rest.strip_suffix(':')).is_some_and(|action| action.is_empty() || action.starts_with('-'))
    }
}

/// The list that belongs on `live` once our change is taken back.
pub fn restore(before: &Object, live: &Object, managers: &Managers) -> Vec<Value> {
    let (before, live) = (entries(before), entries(live));
    let ours =
        live.iter().filter(|entry| is_own(entry, managers)).fold(Value::Object(Map::new()), |sum, entry| union(&sum, &entry["fieldsV1"]));
    let mut restored = Vec::new();
    let mut taken = Value::Object(Map::new());
    for entry in live.iter().filter(|entry| !is_own(entry, managers)) {
        let earlier = before.iter().find(|known| is_same(known, entry));
        if let Some(new) = news(earlier, entry, &ours) {
            // What an update by somebody else has changed belongs to nobody else any more.
            if entry["operation"] == "Update" && entry["subresource"] != "status" {
                taken = union(&taken, &subtract(&entry["fieldsV1"], &earlier.map_or(Value::Null, |known| known["fieldsV1"].clone())));
            }
            restored.push(new);
        }
    }
    let mut list: Vec<Value> = Vec::new();
    for entry in &before {
        if restored.iter().any(|new| is_same(new, entry)) {
            continue;
        }
        let fields = subtract(&entry["fieldsV1"], &taken);
        if fields == entry["fieldsV1"] {
            list.push(entry.clone());
        } else if !is_empty(&fields) {
            list.push(with_fields(entry, fields));
        }
    }
    list.extend(restored);
    list
}

/// The entry of a manager who has come, or has come to own something else, since the before-image; none when it is as before.
fn news(earlier: Option<&Value>, entry: &Value, ours: &Value) -> Option<Value> {
    let Some(earlier) = earlier else { return Some(entry.clone()) };
    // What this manager owned and we took, or put back, is its again.
    let fields = union(&entry["fieldsV1"], &intersect(&earlier["fieldsV1"], ours));
    let times_apart = fields == earlier["fieldsV1"];
    (!times_apart).then(|| with_fields(entry, fields))
}

/// The list of `live` in which some fields belong to those again who owned them before, and not to those who took them.
pub(super) fn given_back(before: &Object, live: &Object, fields: &Value, is_taker: impl Fn(&Value) -> bool) -> Vec<Value> {
    let keep = |entry: Value| match is_taker(&entry) {
        false => Some(entry),
        true => Some(subtract(&entry["fieldsV1"], fields)).filter(|rest| !is_empty(rest)).map(|rest| with_fields(&entry, rest)),
    };
    let mut list: Vec<Value> = entries(live).into_iter().filter_map(keep).collect();
    for earlier in entries(before) {
        let back = intersect(&earlier["fieldsV1"], fields);
        match list.iter_mut().find(|entry| is_same(entry, &earlier)) {
            _ if is_empty(&back) => {}
            Some(entry) => entry["fieldsV1"] = union(&entry["fieldsV1"], &back),
            None => list.push(with_fields(&earlier, back)),
        }
    }
    list
}

/// The list with the time at which `undo` wrote `written` in every entry that is put back: its manager owns those fields since then only.
/// That is all that later tells when an object was restored.
pub(super) fn dated(owners: Vec<Value>, written: &Object, undo: &str) -> Vec<Value> {
    let Some(time) = entry_of(written, undo, "Update").and_then(|entry| entry["time"].as_str()).map(str::to_owned) else { return owners };
    let there = entries(written);
    let date = |mut entry: Value| {
        if !there.iter().any(|known| is_same(known, &entry) && known["fieldsV1"] == entry["fieldsV1"]) {
            entry["time"] = Value::from(time.as_str());
        }
        entry
    };
    owners.into_iter().map(date).collect()
}

/// When `live` was restored to what it was `before`, as its entries tell; none when they tell nothing, as where an undo only removed.
pub fn restored_at(before: &Object, live: &Object) -> Option<String> {
    let (before, live) = (entries(before), entries(live));
    let is_back = |entry: &&Value| {
        before.iter().any(|known| is_same(known, entry) && known["fieldsV1"] == entry["fieldsV1"] && known["time"] != entry["time"])
    };
    live.iter().filter(is_back).filter_map(|entry| entry["time"].as_str()).max().map(str::to_owned)
}

/// True when two lists say the same, times aside.
pub fn is_same_list(one: &[Value], other: &[Value]) -> bool {
    one.len() == other.len()
        && one.iter().all(|entry| other.iter().any(|known| is_same(entry, known) && entry["fieldsV1"] == known["fieldsV1"]))
}

/// The entries of an object.
pub fn entries(object: &Object) -> Vec<Value> {
    object.list("/metadata/managedFields").to_vec()
}

/// The entry of a manager that applies on the server, if it has one.
pub fn applied_by<'a>(object: &'a Object, manager: &str) -> Option<&'a Value> {
    entry_of(object, manager, "Apply")
}

/// The entry of a manager for one operation, if it has one.
pub fn entry_of<'a>(object: &'a Object, manager: &str, operation: &str) -> Option<&'a Value> {
    object.list("/metadata/managedFields").iter().find(|entry| entry["manager"] == manager && entry["operation"] == operation)
}

/// The manager that owns a field, others than this plan's first.
pub fn owner(object: &Object, path: &Path, managers: &Managers) -> Option<(String, String)> {
    let owners = object.list("/metadata/managedFields").iter().filter(|entry| owns(&entry["fieldsV1"], &path.0));
    let mut owners: Vec<&Value> = owners.collect();
    owners.sort_by_key(|entry| is_own(entry, managers));
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    owners.first().map(|entry| (text(&entry["manager"]), text(&entry["subresource"])))
}

/// What others have put into a ConfigMap or Secret that a run made, by whom: `data.a, data.b of kubectl-edit`. Of other kinds nobody can
/// tell what is content from what controllers note.
pub(super) fn added(live: &Object, managers: &Managers) -> impl Iterator<Item = String> {
    let entries = if matches!(live.kind(), "ConfigMap" | "Secret") { entries(live) } else { Vec::new() };
    let (own, others): (Vec<Value>, Vec<Value>) = entries.into_iter().partition(|entry| is_own(entry, managers));
    let ours = own.iter().fold(Value::Object(Map::new()), |sum, entry| union(&sum, &entry["fieldsV1"]));
    others.into_iter().filter_map(move |entry| {
        let theirs = subtract(&entry["fieldsV1"], &ours);
        let keys = ["data", "binaryData"].into_iter().flat_map(|part| {
            let fields = theirs[format!("f:{part}")].as_object().into_iter().flatten();
            fields.filter_map(move |(name, _)| Some(format!("{part}.{}", name.strip_prefix("f:")?)))
        });
        let keys: Vec<String> = keys.collect();
        (!keys.is_empty()).then(|| format!("{} of {}", keys.join(", "), entry["manager"].as_str().unwrap_or("somebody")))
    })
}

fn owns(fields: &Value, steps: &[Step]) -> bool {
    let Some(map) = fields.as_object() else { return false };
    match steps.split_first() {
        None => true,
        // Elements are written as `k:{"name":"web"}`: the values of the key, in whatever order.
        Some((Step::Element(key), rest)) => map.iter().filter(|(name, _)| is_element(name, key)).any(|(_, inner)| owns(inner, rest)),
        // A field without fields below it is owned as a whole, and so is all that is in it.
        Some((Step::Field(name), rest)) => match map.get(&format!("f:{name}")) {
            Some(inner) if inner.as_object().is_some_and(Map::is_empty) => true,
            Some(inner) => owns(inner, rest),
            None => false,
        },
    }
}

fn is_element(name: &str, key: &str) -> bool {
    let Some(Ok(Value::Object(parts))) = name.strip_prefix("k:").map(serde_json::from_str) else { return false };
    let show = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let words: Vec<&str> = key.split(' ').collect();
    parts.values().all(|part| words.contains(&show(part).as_str()))
}

pub(super) fn is_own(entry: &Value, managers: &Managers) -> bool {
    entry["manager"].as_str().is_some_and(|manager| managers.is_own(manager))
}

fn is_same(one: &Value, other: &Value) -> bool {
    ["manager", "operation", "apiVersion", "subresource"].iter().all(|part| one[part] == other[part])
}

fn with_fields(entry: &Value, fields: Value) -> Value {
    let mut entry = entry.clone();
    entry["fieldsV1"] = fields;
    entry
}

fn is_empty(fields: &Value) -> bool {
    fields.as_object().is_none_or(Map::is_empty)
}

/// A set of fields is a tree whose leaves are the fields: an empty map, or the mark `.` for the node itself.
fn union(one: &Value, other: &Value) -> Value {
    let (Some(one), Some(more)) = (one.as_object(), other.as_object()) else {
        return if one.is_object() { one.clone() } else { other.clone() };
    };
    let mut sum = one.clone();
    for (name, inner) in more {
        let merged = sum.get(name).map_or_else(|| inner.clone(), |there| union(there, inner));
        sum.insert(name.clone(), merged);
    }
    Value::Object(sum)
}

fn subtract(from: &Value, what: &Value) -> Value {
    let (Some(map), Some(less)) = (from.as_object(), what.as_object()) else { return from.clone() };
    let mut left = Map::new();
    for (name, inner) in map {
        match less.get(name) {
            None => {
                left.insert(name.clone(), inner.clone());
            }
            Some(gone) if !is_empty(inner) && !is_empty(gone) => {
                let rest = subtract(inner, gone);
                if !is_empty(&rest) {
                    left.insert(name.clone(), rest);
                }
            }
            Some(_) => {}
        }
    }
    Value::Object(left)
}

fn intersect(one: &Value, other: &Value) -> Value {
    let (Some(map), Some(with)) = (one.as_object(), other.as_object()) else { return Value::Object(Map::new()) };
    let mut both = Map::new();
    for (name, inner) in map {
        match with.get(name) {
            None => {}
            // A leaf on either side stands for all below it.
            Some(there) if is_empty(inner) || is_empty(there) => {
                both.insert(name.clone(), inner.clone());
            }
            Some(there) => {
                let shared = intersect(inner, there);
                if !is_empty(&shared) {
                    both.insert(name.clone(), shared);
                }
            }
        }
    }
    Value::Object(both)
}

#[cfg(test)]
mod tests;
