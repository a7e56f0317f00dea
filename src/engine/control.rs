//! What people say to a run while it runs. It obeys nothing.

use crate::ids::StepId;
use crate::record::CancelLevel;

/// What people want of a run while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// Stop it.
    Cancel {
        /// How.
        level: CancelLevel,
        /// Who.
        by: String,
    },
    /// Answer an approval.
    Answer {
        /// The step that asks.
        step: StepId,
        /// Yes or no.
        approved: bool,
        /// Who.
        by: String,
        /// Their words.
        comment: Option<String>,
    },
    /// Say how an effect ended that nobody can look up.
    SettleDoubt {
        /// The step.
        step: StepId,
        /// Done or not done.
        done: bool,
        /// Who.
        by: String,
    },
}
