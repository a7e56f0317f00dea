//! The objects of manifests as their step would send them, as far as that is known before it does. It finds nothing wrong with them.

use crate::action::{About, Frozen, Sent};
use crate::expr::{manifests, render_manifest};
use serde_json::{Map, Value};

/// The objects in these files. What cannot be read, or filled in yet, is left out: it is told elsewhere.
pub(super) fn sent(frozen: &Frozen, paths: &[&str], values: Option<&Map<String, Value>>) -> Vec<Sent> {
    let values = values.cloned().map_or(Value::Null, Value::Object);
    let mut all = Vec::new();
    for path in paths {
        let Some(bytes) = frozen.file(path) else { continue };
        let documents = std::str::from_utf8(&bytes).ok().and_then(|text| manifests(text, path).ok()).unwrap_or_default();
        let filled = documents.into_iter().filter_map(|written| {
            let object = render_manifest(written.clone(), &values).ok()?;
            Some(Sent { object, written, about: About::File((*path).to_owned()) })
        });
        all.extend(filled);
    }
    all
}
