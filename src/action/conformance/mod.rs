//! What every action must hold, whoever breaks off whenever: a kit that plays the engine for one action. It knows no engine, no plan
//! and no world: the caller gives the outside, simulated or real, and says what it looks like.

mod checks;
mod play;

pub use checks::faults;

use super::{DynAction, Frozen, RunScope};
use crate::ids::{PlanName, RunId};
use futures::future::BoxFuture;
use serde_json::Value;
use std::sync::Arc;

/// An outside for one action, and the use of it that is tried.
pub trait World: Send + Sync {
    /// The action, built with ports that reach this world.
    fn action(&self) -> Arc<dyn DynAction>;

    /// Its rendered parameters.
    fn params(&self) -> Value;

    /// Whose run it is.
    fn scope(&self) -> RunScope {
        RunScope {
            run: RunId::new("20261121-000000-test").expect("a label"),
            plan: PlanName::new("conformance").expect("a label"),
            environment: None,
            namespace: None,
            context: None,
        }
    }

    /// The files that were frozen with the run.
    fn frozen(&self) -> Frozen {
        Frozen::default()
    }

    /// A secret's value.
    fn secret(&self, _name: &str) -> Option<String> {
        None
    }

    /// Describes all that the action may change, and nothing that changes by itself: equal texts mean an equal world.
    fn fingerprint(&self) -> BoxFuture<'_, String>;
}

/// Sets up worlds that are alike.
pub trait Stage: Send + Sync {
    /// What is set up.
    type World: World;

    /// A world in which nothing has happened yet.
    fn fresh(&self) -> BoxFuture<'_, Self::World>;
}

#[cfg(test)]
mod tests;
