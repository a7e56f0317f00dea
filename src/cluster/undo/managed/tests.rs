//! Whose entries are in the list once a change is taken back, and since when.

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
    let live =
        object(vec![entry("bowline:shop", "Apply", data(&["a", "c"])), other.clone(), entry("bowline-undo:shop", "Update", data(&["a"]))]);
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
