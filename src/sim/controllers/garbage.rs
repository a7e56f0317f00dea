//! Deletes what belongs to nobody any more: objects whose owners are gone, and what was in a namespace that goes.

use super::owners;
use crate::sim::store::Key;
use crate::sim::world::World;
use serde_json::Value;
use std::collections::BTreeSet;

pub(super) fn look(world: &mut World) {
    let uids: BTreeSet<&str> = world.store.all().values().filter_map(|object| object["metadata"]["uid"].as_str()).collect();
    let is_orphan = |object: &Value| {
        let owners = owners(object);
        !owners.is_empty() && owners.iter().all(|owner| owner["uid"].as_str().is_none_or(|uid| !uids.contains(uid)))
    };
    let going: BTreeSet<&str> = namespaces(world, super::is_going);
    let all = world.store.all().iter();
    let doomed: Vec<Key> =
        all.filter(|(key, object)| is_orphan(object) || going.contains(key.namespace.as_str())).map(|(key, _)| key.clone()).collect();
    let empty: Vec<Key> = world
        .store
        .all()
        .iter()
        .filter(|(key, object)| object["kind"] == "Namespace" && going.contains(key.name.as_str()))
        .filter(|(key, _)| !world.store.all().keys().any(|other| other.namespace == key.name))
        .map(|(key, _)| key.clone())
        .collect();
    doomed.iter().for_each(|key| world.delete(key));
    empty.iter().for_each(|key| drop(world.store.remove(key)));
}

fn namespaces(world: &World, meant: impl Fn(&Value) -> bool) -> BTreeSet<&str> {
    let all = world.store.all().iter().filter(|(_, object)| object["kind"] == "Namespace" && meant(object));
    all.map(|(key, _)| key.name.as_str()).collect()
}
