//! What a reporter sees: records, once they are durable, and live progress. It knows no engine and no terminal.

use crate::ids::{Moment, RunId, StepId};
use crate::record::Record;
use std::sync::Arc;

/// One thing to tell.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A durable record. A reporter that folds these from the first one knows all there is to know.
    Recorded(Arc<Record>),
    /// A step does or waits for something. May be dropped.
    Doing {
        /// The step.
        step: StepId,
        /// One line.
        text: String,
        /// When it said so.
        at: Moment,
    },
    /// How much of a step is done. May be dropped.
    Of {
        /// The step.
        step: StepId,
        /// Parts done.
        done: u64,
        /// Parts in all.
        total: u64,
        /// What is counted.
        unit: String,
    },
    /// A line that a step's program printed.
    Line {
        /// The step.
        step: StepId,
        /// The line.
        text: String,
        /// When it was printed.
        at: Moment,
    },
    /// Something that a person should see, also after the run.
    Warning {
        /// The step, when it is about one.
        step: Option<StepId>,
        /// One line.
        text: String,
    },
    /// Something that a person should hear now, and that does not matter any more once the run has ended.
    Notice {
        /// The step, when it is about one.
        step: Option<StepId>,
        /// One line.
        text: String,
    },
    /// The process lets go of the run.
    Released {
        /// The run.
        run: RunId,
        /// When.
        at: Moment,
    },
}

/// Takes events. Must not block: what is slow buffers by itself.
pub trait Reporter: Send + Sync {
    /// Takes one.
    fn event(&self, event: &Event);
}
