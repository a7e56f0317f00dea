//! Keeps secrets out of everything that is shown or stored in clear.

use crate::action::{ActionError, Secret};
use crate::record::Failure;
use futures::future::BoxFuture;
use std::sync::{Arc, PoisonError, RwLock};

/// Finds a secret by the name that the plan gives it.
pub trait Secrets: Send + Sync {
    /// Resolves one.
    fn resolve(&self, name: &str) -> BoxFuture<'static, Result<Secret, ActionError>>;
}

/// Replaces every secret that was resolved in this process. Clones share what they know.
#[derive(Debug, Clone, Default)]
pub struct Redactor(Arc<RwLock<Vec<Secret>>>);

/// Shorter values are left alone: replacing every `1` would make the text useless and would tell where the secret is.
const SHORTEST: usize = 4;

impl Redactor {
    /// Learns a secret, and its lines if it has several.
    pub fn learn(&self, secret: &Secret) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let lines = secret.expose().lines().filter(|line| *line != secret.expose());
        for part in std::iter::once(secret.expose()).chain(lines).map(str::trim).filter(|part| part.len() >= SHORTEST) {
            if !known.iter().any(|secret| secret.expose() == part) {
                known.push(Secret::new(part.to_owned()));
            }
        }
        // The longest first, so that a secret inside another one does not spoil it.
        known.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
    }

    /// The text without secrets.
    pub fn text(&self, text: String) -> String {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().fold(text, |text, secret| match text.contains(secret.expose()) {
            true => text.replace(secret.expose(), "[secret]"),
            false => text,
        })
    }

    /// The failure without secrets.
    pub fn failure(&self, failure: Failure) -> Failure {
        Failure {
            message: self.text(failure.message),
            causes: failure.causes.into_iter().map(|cause| self.text(cause)).collect(),
            hint: failure.hint.map(|hint| self.text(hint)),
            retriable: failure.retriable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Redactor;
    use crate::action::Secret;

    #[test]
    fn a_secret_and_its_lines_are_replaced() {
        let redactor = Redactor::default();
        redactor.learn(&Secret::new("hunter22\nsecond-line\n".to_owned()));
        redactor.learn(&Secret::new("abc".to_owned()));
        assert_eq!(redactor.text("a hunter22 b second-line c abc".to_owned()), "a [secret] b [secret] c abc");
    }
}
