//! Volumes: every claim gets one at once.

use super::{MANAGER, living};
use crate::sim::world::World;
use serde_json::json;

pub(super) fn look(world: &mut World) {
    for (key, claim) in living(world, "PersistentVolumeClaim") {
        if claim["status"]["phase"] == "Bound" {
            continue;
        }
        let size = claim["spec"]["resources"]["requests"]["storage"].clone();
        let volume = format!("pvc-{}", claim["metadata"]["uid"].as_str().unwrap_or_default());
        world.change(&key, MANAGER, "", |claim| claim["spec"]["volumeName"] = json!(volume));
        world.change(&key, MANAGER, "status", |claim| {
            claim["status"] = json!({ "phase": "Bound", "accessModes": claim["spec"]["accessModes"], "capacity": { "storage": size } });
        });
    }
}
