//! Whether the objects of manifests have names by which they are found again. It asks no cluster.

use crate::action::{About, Finding, Frozen};
use crate::expr::{Spots, placed_manifests, render_manifest};
use serde_json::{Map, Value};

/// Most objects of one file that are told.
const MOST_TOLD: usize = 50;

/// Why an object cannot be found again, and the keys that lead to the reason; none where it has a name.
pub(super) fn fault(object: &Value) -> Option<(String, &'static [&'static str])> {
    let metadata = &object["metadata"];
    match &metadata["name"] {
        Value::String(name) if !name.is_empty() => None,
        _ if metadata["generateName"].is_string() => {
            Some(("a generated name cannot be found again".to_owned(), &["metadata", "generateName"]))
        }
        Value::Null => Some(("it has no `metadata.name`".to_owned(), &["metadata", "name"])),
        Value::String(_) => Some(("its `metadata.name` is empty".to_owned(), &["metadata", "name"])),
        other => Some((format!("its `metadata.name` is {other} and no text: put it between quotes"), &["metadata", "name"])),
    }
}

/// The objects in these files that have no name. What cannot be read, or filled in yet, is left out: it is told elsewhere.
pub(super) fn nameless(frozen: &Frozen, paths: &[&str], values: Option<&Map<String, Value>>) -> Vec<Finding> {
    let values = values.cloned().map_or(Value::Null, Value::Object);
    let mut findings = Vec::new();
    for path in paths {
        let Some(bytes) = frozen.file(path) else { continue };
        let Ok(text) = std::str::from_utf8(&bytes) else { continue };
        let (spots, before) = (Spots::of(text), findings.len());
        for (written, spot) in placed_manifests(text, path).unwrap_or_default() {
            let Some((why, keys)) = fault(&written).map_or_else(|| fault_filled(&written, &values), Some) else { continue };
            if findings.len() - before == MOST_TOLD {
                break;
            }
            let (line, column) = spots.place(&spot, keys);
            let kind = written["kind"].as_str().unwrap_or("object").to_owned();
            findings.push(Finding {
                message: format!("{path}:{line}:{column}: this {kind} has no name to be found by: {why}"),
                help: "write `metadata: { name: … }`: an object of a plan is found again by its name, also to be taken back".to_owned(),
                code: "plan::nameless",
                about: About::File((*path).to_owned()),
                is_warning: false,
            });
        }
    }
    findings
}

/// What a name becomes once its values are filled in: those that are not known yet stand for themselves.
fn fault_filled(written: &Value, values: &Value) -> Option<(String, &'static [&'static str])> {
    let is_template = written["metadata"]["name"].as_str().is_some_and(|name| name.contains("{{"));
    let metadata = || render_manifest(written["metadata"]["name"].clone(), values).ok();
    let name = if is_template { metadata() } else { None }?;
    fault(&serde_json::json!({ "metadata": { "name": name } }))
}

#[cfg(test)]
mod tests {
    use super::nameless;
    use crate::action::Frozen;
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn told(text: &str, values: &Value) -> String {
        let held = [("m.yaml".to_owned(), Arc::from(text.as_bytes()))];
        let found = nameless(&Frozen(Arc::new(held.into())), &["m.yaml", "none.yaml"], values.as_object());
        found.iter().map(|finding| finding.message.clone()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn every_object_without_a_name_is_told_where_it_ought_to_be() {
        let text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  labels: {}\n---\napiVersion: v1\nkind: Pod\nmetadata: { generateName: p- }\n---\napiVersion: v1\nkind: Pod\n---\napiVersion: v1\nkind: List\nmetadata: {}\nitems:\n- {apiVersion: v1, kind: Pod, metadata: {name: ok}}\n- {apiVersion: v1, kind: Pod, metadata: {name: 5}}\n- {apiVersion: v1, kind: Pod, metadata: {name: ''}}\n";
        insta::assert_snapshot!(told(text, &json!({})), @"
        m.yaml:3:1: this ConfigMap has no name to be found by: it has no `metadata.name`
        m.yaml:8:27: this Pod has no name to be found by: a generated name cannot be found again
        m.yaml:10:1: this Pod has no name to be found by: it has no `metadata.name`
        m.yaml:18:48: this Pod has no name to be found by: its `metadata.name` is 5 and no text: put it between quotes
        m.yaml:19:48: this Pod has no name to be found by: its `metadata.name` is empty
        ");
    }

    #[test]
    fn a_template_is_a_name_unless_it_becomes_none() {
        let text = "{apiVersion: v1, kind: Pod, metadata: {name: '{{ x }}'}}";
        assert_eq!(told(text, &json!({})), "");
        assert_eq!(told(text, &json!({ "x": "web" })), "");
        assert_eq!(told(text, &json!({ "x": "{{ steps.a.b }}" })), "");
        assert!(told(text, &json!({ "x": 5 })).contains("is 5 and no text"));
        assert!(told(text, &json!({ "x": "" })).contains("is empty"));
        assert_eq!(told("a: [", &json!({})), "");
        let many = "{apiVersion: v1, kind: Pod}\n---\n".repeat(5_000);
        assert_eq!(told(&many, &json!({})).lines().count(), 50);
    }
}
