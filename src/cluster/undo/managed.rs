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
mod tests {
    use super::{Managers, dated, entries, is_same_list, owner, restore, restored_at};
    use crate::cluster::object::Object;
    use crate::cluster::undo::merge::{Path, Step};
    use serde_json::{Value, json};

    fn entry(manager: &str, operation: &str, fields: Value) -> Value {
        json!({ "manager": manager, "operation": operation, "apiVersion": "v1", "time": "2026-11-21T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": fields })
    }

    fn data(names: &[&str]) -> Value {
        json!({ "f:data": names.iter().map(|name| (format!("f:{name}"), json!({}))).collect::<serde_json::Map<_, _>>() })
    }

    fn object(entries: Vec<Value>) -> Object {
        Object(json!({ "metadata": { "managedFields": entries } }))
    }

    fn plan() -> Managers {
        Managers::of("shop")
    }

    #[test]
    fn only_this_plans_managers_are_its_own() {
        for own in ["bowline:shop", "bowline-undo:shop", "bowline-switch-ingress:shop"] {
            assert!(plan().is_own(own), "{own}");
        }
        for other in ["bowline:eshop", "bowline:shop2", "kubectl", "bowlineshop"] {
            assert!(!plan().is_own(other), "{other}");
        }
    }

    #[test]
    fn our_entries_go_and_those_of_before_come_back_as_they_were() {
        let first = vec![entry("kubectl", "Apply", data(&["a", "b"]))];
        let live = object(vec![
            entry("kubectl", "Apply", data(&["b"])),
            entry("bowline:shop", "Apply", data(&["a"])),
            entry("bowline-undo:shop", "Update", data(&["a"])),
        ]);
        assert_eq!(restore(&object(first.clone()), &live, &plan()), first);
    }

    #[test]
    fn what_is_put_back_bears_the_time_of_that() {
        let at = |mut entry: Value, time: &str| {
            entry["time"] = json!(time);
            entry
        };
        let (first, other) = (entry("kubectl", "Apply", data(&["a"])), entry("other", "Apply", data(&["z"])));
        let before = object(vec![first.clone(), other.clone()]);
        let written = object(vec![at(entry("bowline-undo:shop", "Update", data(&["a"])), "2026-11-21T00:00:08Z"), other.clone()]);
        let owners = dated(entries(&before), &written, "bowline-undo:shop");
        assert_eq!(owners, [at(first, "2026-11-21T00:00:08Z"), other]);
        assert_eq!(restored_at(&before, &object(owners)).as_deref(), Some("2026-11-21T00:00:08Z"));
        assert_eq!(restored_at(&before, &before), None);
        assert_eq!(dated(entries(&before), &before, "bowline-undo:shop"), entries(&before), "nothing was put back");
    }

    #[test]
    fn who_came_later_stays() {
        let first = vec![entry("bowline:shop", "Apply", data(&["a"]))];
        let other = entry("annotator", "Update", json!({ "f:metadata": { "f:annotations": { ".": {}, "f:x": {} } } }));
        let live = object(vec![
            entry("bowline:shop", "Apply", data(&["a", "c"])),
            other.clone(),
            entry("bowline-undo:shop", "Update", data(&["a"])),
        ]);
        assert_eq!(restore(&object(first.clone()), &live, &plan()), vec![first[0].clone(), other]);
    }

    #[test]
    fn a_field_that_somebody_else_changed_is_theirs_alone() {
        let first = object(vec![entry("bowline:shop", "Apply", data(&["a", "b"]))]);
        let hotfix = entry("kubectl-edit", "Update", data(&["a"]));
        let live = object(vec![entry("bowline-undo:shop", "Update", data(&["b"])), hotfix.clone()]);
        assert_eq!(restore(&first, &live, &plan()), vec![entry("bowline:shop", "Apply", data(&["b"])), hotfix]);
    }

    #[test]
    fn an_atomic_list_that_somebody_added_to_is_theirs() {
        let rules = json!({ "f:spec": { "f:class": {}, "f:rules": {} } });
        let first = object(vec![entry("bowline:shop", "Apply", rules)]);
        let team = entry("team", "Update", json!({ "f:spec": { "f:rules": {} } }));
        let live = object(vec![entry("bowline:shop", "Apply", json!({ "f:spec": { "f:class": {} } })), team.clone()]);
        assert_eq!(restore(&first, &live, &plan()), vec![entry("bowline:shop", "Apply", json!({ "f:spec": { "f:class": {} } })), team]);
    }

    #[test]
    fn restoring_twice_is_restoring_once() {
        let first = object(vec![entry("bowline:shop", "Apply", data(&["a"])), entry("helm", "Update", data(&["z"]))]);
        let live = object(vec![
            entry("helm", "Update", data(&["z"])),
            entry("bowline-undo:shop", "Update", data(&["a"])),
            entry("eve", "Update", data(&["e"])),
        ]);
        let once = restore(&first, &live, &plan());
        let twice = restore(&first, &object(once.clone()), &plan());
        assert!(is_same_list(&once, &twice), "{once:?} {twice:?}");
    }

    #[test]
    fn a_status_that_changed_since_is_as_it_is_now() {
        let status = |names: &[&str]| {
            let mut status = entry("kube-controller-manager", "Update", json!({ "f:status": data(names) }));
            status["subresource"] = json!("status");
            status
        };
        let first = object(vec![status(&["x"])]);
        assert_eq!(restore(&first, &object(vec![status(&["y"])]), &plan()), vec![status(&["y"])]);
    }

    #[test]
    fn the_owner_of_a_field_in_a_list_is_found() {
        let fields = json!({ "f:spec": { "f:containers": { "k:{\"name\":\"web\"}": { ".": {}, "f:image": {} } }, "f:selector": {} } });
        let live = object(vec![entry("bowline:shop", "Apply", fields.clone()), entry("kubectl-set", "Update", fields)]);
        let field = |name: &str| Step::Field(name.to_owned());
        let image = Path(vec![field("spec"), field("containers"), Step::Element("web".to_owned()), field("image")]);
        assert_eq!(owner(&live, &image, &plan()), Some(("kubectl-set".to_owned(), String::new())));
        let below = Path(vec![field("spec"), field("selector"), field("app")]);
        assert!(owner(&live, &below, &plan()).is_some());
        assert_eq!(owner(&live, &Path(vec![field("data")]), &plan()), None);
    }
}
