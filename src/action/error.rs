//! How an action says that something went wrong. It knows no terminal: the printer walks the chain.

use crate::record::Failure;
use std::error::Error;
use std::fmt;

/// Why an action could not do its work.
#[derive(Debug, Clone)]
pub struct ActionError(Failure);

impl ActionError {
    /// An error that trying again does not mend.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self(Failure::permanent(message))
    }

    /// An error that may be gone at the next try.
    pub fn transient(message: impl Into<String>) -> Self {
        Self(Failure { retriable: true, ..Failure::permanent(message) })
    }

    /// Adds what caused it, with that error's own causes. An error that holds its source's text already is not told twice.
    #[must_use]
    pub fn because(mut self, source: &(dyn Error + 'static)) -> Self {
        let mut next = Some(source);
        while let Some(error) = next {
            let text = error.to_string();
            if self.0.causes.last().is_none_or(|last| !last.contains(&text)) {
                self.0.causes.push(text);
            }
            next = error.source();
        }
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// True when trying again may help.
    pub fn is_transient(&self) -> bool {
        self.0.retriable
    }

    /// What it says with its causes, in one line.
    pub fn told(&self) -> String {
        self.0.causes.iter().fold(self.0.message.clone(), |text, cause| format!("{text}: {cause}"))
    }

    /// The form that can be stored.
    pub fn into_failure(self) -> Failure {
        self.0
    }

    /// The form that can be stored.
    pub fn failure(&self) -> &Failure {
        &self.0
    }
}

impl fmt::Display for ActionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl Error for ActionError {}

impl From<Failure> for ActionError {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}

/// How one effect failed.
#[derive(Debug, Clone)]
pub enum EffectError {
    /// It certainly did not happen: the other side refused it, or it never left.
    Refused(ActionError),
    /// The answer was lost: it may have happened. The engine settles it before anything else.
    Lost(ActionError),
}
