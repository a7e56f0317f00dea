//! Where secrets come from.

use crate::action::{ActionError, Secret};
use futures::future::BoxFuture;

/// Finds a secret by the name that the plan gives it.
pub trait Secrets: Send + Sync {
    /// Resolves one.
    fn resolve(&self, name: &str) -> BoxFuture<'static, Result<Secret, ActionError>>;
}
