//! Whether applying a manifest would change nothing, told from the live object alone. Pure.
//!
//! The answer is yes only when it is certain: this manager applied exactly these fields, and every one of them still has the
//! value of the manifest. All else (a default, a quantity written otherwise, an order that differs) is left to a dry run.

use crate::cluster::object::Object;
use crate::cluster::undo::managed::applied_by;
use serde_json::{Map, Value};

/// True when the server would certainly change nothing.
pub fn is_unchanged(live: &Object, manifest: &Value, manager: &str) -> bool {
    let Some(entry) = applied_by(live, manager) else { return false };
    let same_version = entry["apiVersion"] == manifest["apiVersion"] && entry["subresource"].is_null();
    same_version && is_as_applied(&entry["fieldsV1"], &without_name(manifest), &live.0)
}

/// Nobody owns what says which object it is.
fn without_name(manifest: &Value) -> Value {
    let mut manifest = manifest.clone();
    if let Some(fields) = manifest.as_object_mut() {
        for name in ["apiVersion", "kind"] {
            fields.shift_remove(name);
        }
    }
    if let Some(metadata) = manifest["metadata"].as_object_mut() {
        for name in ["name", "namespace"] {
            metadata.shift_remove(name);
        }
        if metadata.is_empty() {
            manifest.as_object_mut().map(|fields| fields.shift_remove("metadata"));
        }
    }
    manifest
}

/// True when the owned fields are those of `wanted`, no less and no more, and `live` has the same values there.
fn is_as_applied(owned: &Value, wanted: &Value, live: &Value) -> bool {
    let Some(owned) = owned.as_object() else { return false };
    if owned.is_empty() {
        return !wanted.is_null() && wanted == live;
    }
    match (wanted, live) {
        (Value::Object(wanted), Value::Object(live)) => are_fields(owned, wanted, live),
        (Value::Array(wanted), Value::Array(live)) => are_elements(owned, wanted, live),
        _ => false,
    }
}

fn are_fields(owned: &Map<String, Value>, wanted: &Map<String, Value>, live: &Map<String, Value>) -> bool {
    let inner = owned.iter().filter(|(name, _)| *name != ".");
    let mut count = 0;
    for (name, below) in inner {
        let Some(name) = name.strip_prefix("f:") else { return false };
        match (wanted.get(name), live.get(name)) {
            (Some(wanted), Some(live)) if is_as_applied(below, wanted, live) => count += 1,
            _ => return false,
        }
    }
    count == wanted.len()
}

fn are_elements(owned: &Map<String, Value>, wanted: &[Value], live: &[Value]) -> bool {
    let mut places: Vec<(usize, usize)> = Vec::new();
    for (name, below) in owned.iter().filter(|(name, _)| *name != ".") {
        let found = match name.split_once(':') {
            Some(("k", key)) => by_key(key, wanted, live),
            Some(("v", value)) => by_value(value, wanted, live),
            _ => None,
        };
        let Some((in_wanted, in_live)) = found else { return false };
        if name.starts_with("k:") && !is_as_applied(below, &wanted[in_wanted], &live[in_live]) {
            return false;
        }
        places.push((in_wanted, in_live));
    }
    // Another order of the same elements is a change.
    places.sort_unstable();
    places.len() == wanted.len() && places.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1)
}

/// Where the only elements with this key are. A part of the key that the manifest leaves out has its default.
fn by_key(key: &str, wanted: &[Value], live: &[Value]) -> Option<(usize, usize)> {
    let Ok(Value::Object(key)) = serde_json::from_str(key) else { return None };
    let is_wanted = |element: &Value| key.iter().all(|(name, part)| element.get(name).is_none_or(|there| there == part));
    let is_live = |element: &Value| key.iter().all(|(name, part)| element.get(name) == Some(part));
    Some((only(wanted, is_wanted)?, only(live, is_live)?))
}

fn by_value(value: &str, wanted: &[Value], live: &[Value]) -> Option<(usize, usize)> {
    let value: Value = serde_json::from_str(value).ok()?;
    Some((only(wanted, |element| *element == value)?, only(live, |element| *element == value)?))
}

fn only(list: &[Value], is_meant: impl Fn(&Value) -> bool) -> Option<usize> {
    let mut places = list.iter().enumerate().filter(|(_, element)| is_meant(element)).map(|(place, _)| place);
    let place = places.next()?;
    places.next().is_none().then_some(place)
}

#[cfg(test)]
mod tests {
    use super::is_unchanged;
    use crate::cluster::object::Object;
    use serde_json::{Value, json};

    fn manifest() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "web", "namespace": "shop", "labels": { "bowline/plan": "p" } },
            "spec": { "replicas": 2, "template": { "spec": { "containers": [
                { "name": "web", "image": "web:1", "ports": [{ "containerPort": 80 }], "args": ["a", "b"], "env": [{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }] }
            ], "volumes": [{ "name": "tmp", "emptyDir": {} }] } } }
        })
    }

    fn live() -> Object {
        let fields = json!({
            "f:metadata": { "f:labels": { "f:bowline/plan": {} } },
            "f:spec": { "f:replicas": {}, "f:template": { "f:spec": {
                "f:containers": { "k:{\"name\":\"web\"}": {
                    ".": {}, "f:name": {}, "f:image": {}, "f:args": {},
                    "f:ports": { "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": { ".": {}, "f:containerPort": {} } },
                    "f:env": { "k:{\"name\":\"A\"}": { ".": {}, "f:name": {}, "f:value": {} }, "k:{\"name\":\"B\"}": { ".": {}, "f:name": {}, "f:value": {} } }
                } },
                "f:volumes": { "k:{\"name\":\"tmp\"}": { ".": {}, "f:name": {}, "f:emptyDir": {} } }
            } } }
        });
        let mut live = manifest();
        live["metadata"]["annotations"] = json!({ "somebody": "else" });
        live["metadata"]["managedFields"] = json!([
            { "manager": "other", "operation": "Update", "apiVersion": "apps/v1", "fieldsV1": {} },
            { "manager": "bowline:p", "operation": "Apply", "apiVersion": "apps/v1", "fieldsV1": fields }
        ]);
        live["spec"]["paused"] = json!(false);
        live["spec"]["template"]["spec"]["containers"][0]["ports"][0]["protocol"] = json!("TCP");
        live["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap().insert(0, json!({ "name": "sidecar", "image": "s" }));
        Object(live)
    }

    #[test]
    fn what_was_applied_and_still_is_so_is_unchanged_whatever_others_added() {
        assert!(is_unchanged(&live(), &manifest(), "bowline:p"));
        assert!(!is_unchanged(&live(), &manifest(), "bowline:q"));
    }

    #[test]
    fn anything_that_differs_is_no_longer_certain() {
        let changes: [(&str, Value); 9] = [
            ("/spec/replicas", json!(3)),
            ("/spec/replicas", json!(null)),
            ("/spec/template/spec/containers/0/image", json!("web:2")),
            ("/spec/template/spec/containers/0/args", json!(["b", "a"])),
            ("/spec/template/spec/containers/0/env", json!([{ "name": "A", "value": "1" }])),
            ("/spec/template/spec/containers/0/env", json!([{ "name": "B", "value": "2" }, { "name": "A", "value": "1" }])),
            ("/spec/template/spec/containers/0/ports/0", json!({ "containerPort": 81 })),
            ("/metadata/labels", json!({ "bowline/plan": "p", "more": "x" })),
            ("/apiVersion", json!("apps/v1beta1")),
        ];
        for (pointer, value) in changes {
            let mut wanted = manifest();
            *wanted.pointer_mut(pointer).unwrap() = value.clone();
            assert!(!is_unchanged(&live(), &wanted, "bowline:p"), "{pointer} {value}");
        }
        let mut fewer = manifest();
        fewer["spec"].as_object_mut().unwrap().shift_remove("replicas");
        assert!(!is_unchanged(&live(), &fewer, "bowline:p"), "a field that is left out is given up");
    }

    #[test]
    fn what_others_did_to_the_live_object_counts() {
        for (pointer, value) in [("/spec/replicas", json!(5)), ("/spec/template/spec/containers/1/env/0/value", json!("9"))] {
            let mut live = live();
            *live.0.pointer_mut(pointer).unwrap() = value;
            assert!(!is_unchanged(&live, &manifest(), "bowline:p"), "{pointer}");
        }
        let mut taken = live();
        taken.0.pointer_mut("/metadata/managedFields/1/fieldsV1/f:spec").unwrap().as_object_mut().unwrap().shift_remove("f:replicas");
        assert!(!is_unchanged(&taken, &manifest(), "bowline:p"), "a field that somebody took is not ours any more");
    }
}
