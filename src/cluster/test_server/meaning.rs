//! What requests to the test server mean: selectors, patches, owners. It stores nothing.

use serde_json::{Value, json};

/// The clock stands still.
pub(super) const NOW: &str = "2026-11-21T00:00:00Z";

pub(super) fn status(code: u16, reason: &str) -> (u16, Value) {
    (code, json!({ "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": reason }))
}

/// What is said of rights: all of them, or none.
pub(super) fn review(allowed: bool) -> Value {
    let all = json!({ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] });
    json!({ "status": { "allowed": allowed, "resourceRules": if allowed { json!([all]) } else { json!([]) } } })
}

/// What a writer owns, in the rough.
pub(super) fn entry(manager: &str) -> Value {
    json!({ "manager": manager.replace("%3A", ":"), "operation": "Update", "apiVersion": "v1", "fieldsV1": { "f:data": {} } })
}

/// A patch of anything but the owners makes its writer one of them.
pub(super) fn own(new: &mut Value, live: &Value, manager: &str) {
    let same = new["metadata"]["managedFields"] == live["metadata"]["managedFields"];
    if let (true, Some(entries)) = (same && new != live, new["metadata"]["managedFields"].as_array_mut()) {
        entries.retain(|known| known["manager"] != entry(manager)["manager"]);
        entries.push(entry(manager));
    }
}

pub(super) fn is_list(path: &str, query: &str) -> bool {
    query.contains("limit=") && path.rsplit('/').next().is_some_and(|last| last.ends_with('s'))
}

/// True for an object of a folder that the selectors of a query mean: a field's or a label's value, as they are.
pub(super) fn is_meant(at: &str, object: &Value, folder: &str, query: &str) -> bool {
    let inside = at.rsplit_once('/').is_some_and(|(path, _)| path == folder);
    let query = query.replace("%3D", "=").replace("%2C", ",").replace("%2F", "/");
    let selectors = |name: &str| -> Vec<String> {
        let found = query.split('&').find_map(|pair| pair.strip_prefix(name)).unwrap_or_default();
        found.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let fits = |selector: String, of: &dyn Fn(&str) -> Value| selector.split_once('=').is_some_and(|(name, value)| of(name) == *value);
    let field = |name: &str| object.pointer(&format!("/{}", name.replace('.', "/"))).cloned().unwrap_or_default();
    let label = |name: &str| object["metadata"]["labels"][name].clone();
    inside
        && selectors("fieldSelector=").into_iter().all(|selector| fits(selector, &field))
        && selectors("labelSelector=").into_iter().all(|selector| fits(selector, &label))
}

/// True for an object with the uid that a deletion names, and with the version, if it names one.
pub(super) fn is_wanted(preconditions: &Value, live: &Value) -> bool {
    let version = &preconditions["resourceVersion"];
    preconditions["uid"] == live["metadata"]["uid"] && (version.is_null() || *version == live["metadata"]["resourceVersion"])
}

/// None when the version that the patch names is not the live one.
pub(super) fn patch(live: &Value, operations: &Value) -> Option<Value> {
    let guards = operations.as_array()?.iter().filter(|operation| operation["path"] == "/metadata/resourceVersion");
    if guards.into_iter().any(|guard| guard["value"] != live["metadata"]["resourceVersion"]) {
        return None;
    }
    let mut new = live.clone();
    let patch: json_patch::Patch = serde_json::from_value(operations.clone()).ok()?;
    json_patch::patch(&mut new, &patch).ok()?;
    Some(new)
}
