//! Puts a cluster into the state from which a run begins. It knows no run.

use super::api;
use super::shared::Shared;
use serde_json::Value;

/// Why a cluster cannot be as it is wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{object}: {why}")]
pub struct FurnishError {
    /// The object that is refused.
    pub object: String,
    /// Why.
    pub why: String,
}

/// Who is said to have applied what is there.
const MANAGER: &str = "kubectl";

impl Shared {
    /// Applies the objects, their namespaces first, and lets everything happen that comes of it by now.
    pub(super) fn furnish(&self, namespace: &str, objects: &[Value]) -> Result<(), FurnishError> {
        // Not `with`: that lets time pass up to the present, and all this was done before.
        self.before(|world| {
            world.make_namespace(namespace);
            for object in objects {
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                let told = format!("{} {name}", object["kind"].as_str().unwrap_or("an object without a kind"));
                let failed = |why: String| FurnishError { object: told.clone(), why };
                let kind =
                    world.kind_of(object).ok_or_else(|| failed("not modelled: the simulated cluster serves no such kind".to_owned()))?;
                let home = object["metadata"]["namespace"].as_str().unwrap_or(namespace);
                if kind.namespaced {
                    world.make_namespace(home);
                }
                api::apply_as(world, &kind, home, object, MANAGER).map_err(failed)?;
            }
            Ok(())
        })
    }
}
