//! A stand-in for `crate::expr::{manifests, render_manifest}`.

use serde_json::Value;

pub(super) fn manifests(text: &str, name: &str) -> Result<Vec<Value>, String> {
    serde_saphyr::from_multiple::<Value>(text)
        .map(|all| all.into_iter().filter(|one| !one.is_null()).collect())
        .map_err(|error| format!("{name}: {error}"))
}

pub(super) fn render_manifest(document: Value, values: &Value) -> Result<Value, String> {
    let mut text = document.to_string();
    for (name, value) in values.as_object().into_iter().flatten() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text = text.replace(&format!("{{{{ {name} }}}}"), &value);
    }
    serde_json::from_str(&text).map_err(|error| error.to_string())
}
