//! Objects that manifests of one step name twice: the second would be written over the first. It asks no cluster.

use crate::action::{About, Finding, Frozen};
use crate::cluster::kinds;
use crate::cluster::object::{Reference, group_of};
use crate::expr::{Spots, placed_manifests, render_manifest};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// Most of one step that are told.
const MOST_TOLD: usize = 50;

/// The objects in these files that are there more than once, as far as their names are known.
pub(super) fn repeated(frozen: &Frozen, paths: &[&str], values: Option<&Map<String, Value>>) -> Vec<Finding> {
    let values = values.cloned().map_or(Value::Null, Value::Object);
    let (mut findings, mut first): (Vec<Finding>, HashMap<_, String>) = (Vec::new(), HashMap::new());
    for path in paths {
        let Some(bytes) = frozen.file(path) else { continue };
        let Ok(text) = std::str::from_utf8(&bytes) else { continue };
        let spots = Spots::of(text);
        for (written, spot) in placed_manifests(text, path).unwrap_or_default() {
            let Some(reference) = reference(&written, &values) else { continue };
            let place = || {
                let (line, column) = spots.place(&spot, &["metadata", "name"]);
                format!("{path}:{line}:{column}")
            };
            let told = reference.to_string();
            match first.get(&reference) {
                Some(_) if findings.len() == MOST_TOLD => return findings,
                Some(first) => findings.push(Finding {
                    message: format!("{}: {told} is there twice: it is at {first} already", place()),
                    help: "remove one of them, or give it another name".to_owned(),
                    code: "plan::repeated",
                    about: About::File((*path).to_owned()),
                    is_warning: false,
                }),
                None => drop(first.insert(reference, place())),
            }
        }
    }
    findings
}

/// Its name once the values are filled in; none where it has none. What names no namespace is in one of its own here.
fn reference(written: &Value, values: &Value) -> Option<Reference> {
    let text = |pointer: &str| {
        let filled = render_manifest(written.pointer(pointer)?.clone(), values).ok()?;
        filled.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let (api_version, kind, name) = (text("/apiVersion")?, text("/kind")?, text("/metadata/name")?);
    let is_namespaced = kinds::table(&api_version, &kind).is_none_or(|kind| kind.namespaced);
    let namespace = text("/metadata/namespace").filter(|_| is_namespaced);
    Some(Reference { group: group_of(&api_version).to_owned(), kind, namespace, name })
}

#[cfg(test)]
mod tests {
    use super::repeated;
    use crate::action::Frozen;
    use serde_json::json;
    use std::sync::Arc;

    #[test]
    fn what_is_there_twice_names_both_places() {
        let files = [
            (
                "a.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c\n---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: '{{ x }}'\n",
            ),
            (
                "b.yaml",
                "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}]}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: c, namespace: other }\n",
            ),
        ];
        let held = files.iter().map(|(path, text)| ((*path).to_owned(), Arc::from(text.as_bytes()))).collect();
        let frozen = Frozen(Arc::new(held));
        let told = |values| {
            let found = repeated(&frozen, &["a.yaml", "none.yaml", "b.yaml"], serde_json::Value::as_object(&values));
            found.into_iter().map(|finding| finding.message).collect::<Vec<_>>().join("\n")
        };
        insta::assert_snapshot!(told(json!({ "x": "d" })), @"
        b.yaml:1:89: configmap/c is there twice: it is at a.yaml:4:9 already
        ");
        assert_eq!(told(json!({ "x": "c" })).lines().count(), 2);
    }
}
