//! The kinds of action that this program knows.

use super::DynAction;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Finds an action by its YAML key.
#[derive(Clone, Default)]
pub struct Registry(BTreeMap<&'static str, Arc<dyn DynAction>>);

impl Registry {
    /// Adds a kind; a second one of the same key replaces the first.
    #[must_use]
    pub fn with(mut self, action: impl DynAction + 'static) -> Self {
        let action: Arc<dyn DynAction> = Arc::new(action);
        self.0.insert(action.kind(), action);
        self
    }

    /// The action of this key.
    pub fn get(&self, kind: &str) -> Option<&Arc<dyn DynAction>> {
        self.0.get(kind)
    }

    /// Every action, by key.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn DynAction>> {
        self.0.values()
    }
}
