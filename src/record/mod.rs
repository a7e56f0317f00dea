//! The vocabulary of what can happen to a run. Stored for ever: it only grows, and it knows no journal, no engine and no cluster.

mod effect;
mod graph;
mod result;
mod what;

pub use effect::{BlobRef, Digest, DigestError, EffectKey, Mark, MarkKind, Settled};
pub use graph::{Graph, GuardSummary, LimitSummary, RetryPolicy, Reversibility, Role, StepSummary, Target, UndoClass};
pub use result::{AttemptResult, Failure, Outcome, UndoResult};
pub use what::{CancelLevel, Cause, Holder, Mode, Scope, SkipReason, What};

use crate::ids::Moment;
use serde::{Deserialize, Serialize};

/// The version that this program writes into every record.
pub const VERSION: u16 = 1;

/// One entry of a run's journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Record {
    /// The version of the vocabulary in which the record was written.
    pub v: u16,
    /// Its place in the run, from 0, without gaps.
    pub seq: u64,
    /// The wall clock of the writer.
    pub at: Moment,
    /// Which writer: counts the processes that have held the run, from 1.
    pub epoch: u64,
    /// What happened.
    pub what: What,
}
