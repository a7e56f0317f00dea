//! How things end: a try, a compensation, a run.

use super::effect::{BlobRef, Mark};
use crate::ids::Moment;
use serde::{Deserialize, Serialize};

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AttemptResult {
    /// It did what it should.
    #[serde(rename_all = "kebab-case")]
    Succeeded {
        /// What later steps may refer to.
        output: Option<BlobRef>,
    },
    /// It could not.
    #[serde(rename_all = "kebab-case")]
    Failed {
        /// Why.
        failure: Failure,
        /// When the next try begins; none when there is none.
        retry_at: Option<Moment>,
    },
    /// Its time was over.
    #[serde(rename_all = "kebab-case")]
    TimedOut {
        /// What it was waiting for.
        failure: Failure,
        /// When the next try begins; none when there is none.
        retry_at: Option<Moment>,
    },
    /// The run was cancelled or another step failed.
    Cancelled,
    /// The process that ran it is gone.
    Interrupted,
}

/// Why something failed, in words that can be stored and shown anywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Failure {
    /// One line.
    pub message: String,
    /// What caused it, outermost first.
    pub causes: Vec<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Trying again may help.
    pub retriable: bool,
}

impl Failure {
    /// A failure that trying again does not mend.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self { message: message.into(), causes: Vec::new(), hint: None, retriable: false }
    }
}

/// How a compensation ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UndoResult {
    /// Every effect has its mark and none is residue.
    #[serde(rename_all = "kebab-case")]
    Undone {
        /// One for each effect.
        marks: Vec<Mark>,
    },
    /// It did not get through.
    #[serde(rename_all = "kebab-case")]
    Failed {
        /// Why.
        failure: Failure,
        /// What is known so far.
        marks: Vec<Mark>,
        /// When the next try begins; none when it gives up.
        retry_at: Option<Moment>,
    },
    /// The process that ran it is gone, or was stopped.
    Interrupted,
}

/// How a run ended, or rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every step is done.
    Succeeded,
    /// Everything in scope is as it was.
    RolledBack,
    /// Something that this run wrote is still live and could not be taken back.
    Stuck,
    /// Stopped on purpose, or past the pivot; can be resumed.
    Halted,
    /// Closed as it was, by a person.
    Abandoned,
}
