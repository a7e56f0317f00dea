//! What the server tells about itself: its version and the kinds that it serves.

use super::super::world::World;
use serde_json::{Value, json};

/// The answer to a path that is about no object; none when it is about one, or about nothing.
pub(super) fn answer(world: &World, path: &str) -> Option<Value> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts.as_slice() {
        ["version"] => Some(json!({
            "major": "1", "minor": "36", "gitVersion": "v1.36.0+simulated", "gitCommit": "", "gitTreeState": "clean", "buildDate": "",
            "goVersion": "", "compiler": "", "platform": "simulated",
        })),
        ["api"] => Some(json!({ "kind": "APIVersions", "apiVersion": "v1", "versions": ["v1"], "serverAddressByClientCIDRs": [] })),
        ["apis"] => Some(world.groups()),
        ["api", version] => world.resources("", version),
        ["apis", group, version] => world.resources(group, version),
        _ => None,
    }
}
