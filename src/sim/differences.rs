//! What a cluster looked like at some time, and how it differs later: what people and plans want of it, not what controllers made of that.

use super::fields;
use super::store::Key;
use super::world::World;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Kinds that controllers make, and the locks of runs.
const MADE: [&str; 7] = ["Pod", "ReplicaSet", "EndpointSlice", "Event", "Lease", "ControllerRevision", "PersistentVolume"];

/// What is wanted of every object.
#[derive(Debug, Clone, Default)]
pub(super) struct Picture(BTreeMap<Key, Value>);

impl Picture {
    pub(super) fn of(world: &World) -> Self {
        let wanted = world.store.all().iter().filter(|(_, object)| object["kind"].as_str().is_some_and(|kind| !MADE.contains(&kind)));
        Self(wanted.map(|(key, object)| (key.clone(), wanted_of(object))).collect())
    }

    /// One line an object.
    pub(super) fn differences(&self, later: &Self) -> Vec<String> {
        let name = |object: &Value| {
            let text = |field: &Value| field.as_str().unwrap_or_default().to_owned();
            format!("{}/{}", text(&object["kind"]).to_lowercase(), text(&object["metadata"]["name"]))
        };
        let mut told = Vec::new();
        for (key, before) in &self.0 {
            match later.0.get(key) {
                None => told.push(format!("{} is gone", name(before))),
                Some(now) if now != before => {
                    let mut changed = fields::paths(&fields::changed(before, now));
                    changed.extend(fields::paths(&fields::changed(now, before)));
                    changed.sort();
                    changed.dedup();
                    let fields = if changed.is_empty() { "who owns its fields".to_owned() } else { changed.join(", ") };
                    told.push(format!("{} differs in {fields}", name(before)));
                }
                Some(_) => {}
            }
        }
        told.extend(later.0.iter().filter(|(key, _)| !self.0.contains_key(*key)).map(|(_, object)| format!("{} is new", name(object))));
        told
    }
}

fn wanted_of(object: &Value) -> Value {
    let mut wanted = object.clone();
    let mut owners: Vec<Value> = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    // Controllers note things as they go; when somebody wrote does not matter.
    owners.retain(|entry| entry["subresource"] != "status" && entry["manager"] != super::controllers::MANAGER);
    for entry in &mut owners {
        entry.as_object_mut().and_then(|entry| entry.remove("time"));
    }
    owners.sort_by_key(ToString::to_string);
    if let Some(fields) = wanted.as_object_mut() {
        fields.remove("status");
    }
    let metadata = &mut wanted["metadata"];
    for name in ["resourceVersion", "generation", "uid", "creationTimestamp"] {
        metadata.as_object_mut().and_then(|metadata| metadata.remove(name));
    }
    if let Some(notes) = metadata["annotations"].as_object_mut() {
        notes.remove("deployment.kubernetes.io/revision");
    }
    if metadata["annotations"] == json!({}) || metadata["annotations"].is_null() {
        metadata.as_object_mut().and_then(|metadata| metadata.remove("annotations"));
    }
    metadata["managedFields"] = json!(owners);
    wanted
}
