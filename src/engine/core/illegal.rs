//! Why a graph or a record is refused. A refusal is a bug or a damaged journal, never a matter of taste.

use crate::ids::StepId;

/// Why a graph cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Two steps have the same id.
    #[error("two steps are called `{0}`")]
    Twice(StepId),
    /// A step needs, or a guard guards, a step that is not there.
    #[error("`{by}` names `{name}`, which is no step")]
    Unknown {
        /// Who names it.
        by: StepId,
        /// The name.
        name: StepId,
    },
    /// There are more steps than this program can count.
    #[error("there are more than 4294967295 steps")]
    TooMany,
    /// Steps wait for each other in a circle.
    #[error("steps wait for each other in a circle: {}", .0.iter().map(StepId::as_str).collect::<Vec<_>>().join(", "))]
    Cycle(Vec<StepId>),
}

/// Why a record cannot be the next one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Illegal {
    /// The first record opens no run.
    #[error("the journal does not begin with the record that opens a run")]
    NotOpened,
    /// The graph in it cannot be run.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A record is missing, or stands twice.
    #[error("record {found} stands where {expected} is due")]
    Sequence {
        /// The number that is due.
        expected: u64,
        /// The number that it has.
        found: u64,
    },
    /// Written by a process that does not hold the run.
    #[error("a record of epoch {found} follows one of epoch {current}")]
    Epoch {
        /// Who holds the run.
        current: u64,
        /// Who wrote the record.
        found: u64,
    },
    /// It names a step that is not in the graph.
    #[error("`{0}` is no step of this run")]
    UnknownStep(StepId),
    /// It cannot happen to a step in that state.
    #[error("`{step}` is {status}: {what} cannot follow")]
    Step {
        /// The step.
        step: StepId,
        /// Its state.
        status: &'static str,
        /// The record's kind.
        what: &'static str,
    },
    /// It cannot happen to a run in that state.
    #[error("{what} cannot follow: {why}")]
    Run {
        /// The record's kind.
        what: &'static str,
        /// Why not.
        why: &'static str,
    },
}
