//! What the API server refuses of an object's name, labels, annotations and finalizers.

use super::names;
use super::wrong::Wrong;
use crate::sim::kinds::Kind;
use serde_json::{Value, json};

/// Finalizers that need no prefix.
const FINALIZERS: [&str; 3] = ["kubernetes", "orphan", "foregroundDeletion"];

pub(super) fn check(kind: &Kind, object: &Value, wrong: &mut Wrong) {
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().unwrap_or_default();
    wrong.text("metadata.name", name, name_of(kind, name));
    labels(&metadata["labels"], "metadata.labels", wrong);
    annotations(&metadata["annotations"], "metadata.annotations", wrong);
    for (index, finalizer) in metadata["finalizers"].as_array().into_iter().flatten().enumerate() {
        let text = finalizer.as_str().unwrap_or_default();
        if !text.contains('/') && !FINALIZERS.contains(&text) {
            let why = "name is neither a standard finalizer name nor is it fully qualified";
            wrong.invalid(format!("metadata.finalizers[{index}]"), finalizer, why);
        }
    }
}

fn name_of(kind: &Kind, name: &str) -> Option<String> {
    match kind.kind.as_str() {
        "Service" | "Namespace" | "StatefulSet" if kind.is_known() => names::label(name),
        // The controller adds the time to the names of its Jobs.
        "CronJob" if name.len() > 52 => Some("must be no more than 52 characters".to_owned()),
        "Role" | "RoleBinding" | "ClusterRole" | "ClusterRoleBinding" => names::path_part(name),
        _ => names::subdomain(name),
    }
}

pub(super) fn labels(labels: &Value, field: &str, wrong: &mut Wrong) {
    for (key, value) in labels.as_object().into_iter().flatten() {
        wrong.text(field, key, names::key(key));
        let value = value.as_str().unwrap_or_default();
        wrong.text(field, value, names::label_value(value));
    }
}

pub(super) fn annotations(annotations: &Value, field: &str, wrong: &mut Wrong) {
    for key in annotations.as_object().into_iter().flatten().map(|(key, _)| key) {
        // What a key must be like is looked at in lower case.
        if let Some(why) = names::key(&key.to_lowercase()) {
            wrong.invalid(field, &json!(key), &why);
        }
    }
}
