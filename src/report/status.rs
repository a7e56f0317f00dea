//! Where steps stand, how many, and the words for it: what is true of it hangs on who has the run in hand. It knows no record.

use super::story::{Hand, StepStory, Story};
use crate::ids::Moment;
use crate::record::{Role, SkipReason};

/// Where a step stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Its turn has not come.
    Waiting,
    /// An attempt is under way.
    Running,
    /// A pause waits for this moment.
    Pausing(Moment),
    /// A person is asked this.
    Asking(String),
    /// An attempt failed, the next begins at this moment.
    Backoff(Moment),
    /// It did what it should.
    Done,
    /// It will not run.
    Skipped(SkipReason),
    /// It failed for good.
    Failed,
    /// Its time was over, for good.
    TimedOut,
    /// It was stopped because the run was.
    Cancelled,
    /// The process that ran it is gone.
    Interrupted,
    /// It is being taken back.
    Undoing,
    /// Taking it back failed, the next try begins at this moment.
    UndoBackoff(Moment),
    /// It is taken back, or there was nothing to take back.
    Undone,
    /// It is taken back but for what is somebody else's by now.
    Kept,
    /// Something that it wrote is still there.
    Residue,
}

/// How many steps stand where; guards are not counted, since nobody waits for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Done or skipped.
    pub done: usize,
    /// Under way.
    pub running: usize,
    /// Not begun.
    pub waiting: usize,
    /// Failed, timed out, stopped or interrupted, and not yet taken back.
    pub failed: usize,
    /// Taken back.
    pub undone: usize,
    /// All.
    pub all: usize,
}

/// The word that stands for a status in `show` and in JSON.
impl Status {
    /// One word.
    pub fn word(&self) -> &'static str {
        match self {
            Status::Waiting => "waiting",
            Status::Running => "running",
            Status::Pausing(_) => "pausing",
            Status::Asking(_) => "asking",
            Status::Backoff(_) => "retrying",
            Status::Done => "done",
            Status::Skipped(_) => "skipped",
            Status::Failed => "failed",
            Status::TimedOut => "timed-out",
            Status::Cancelled => "cancelled",
            Status::Interrupted => "interrupted",
            Status::Undoing | Status::UndoBackoff(_) => "undoing",
            Status::Undone => "undone",
            Status::Kept => "kept",
            Status::Residue => "residue",
        }
    }

    /// True while something happens or is waited for: such a step has a line of its own on a live display.
    pub fn is_live(&self) -> bool {
        use Status::{Asking, Backoff, Pausing, Running, UndoBackoff, Undoing};
        matches!(self, Running | Pausing(_) | Asking(_) | Backoff(_) | Undoing | UndoBackoff(_))
    }
}

impl Story {
    /// Counts the steps.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for step in self.steps.values().filter(|step| step.role != Role::Guard) {
            counts.all += 1;
            *match &step.status {
                Status::Done | Status::Skipped(_) => &mut counts.done,
                Status::Waiting => &mut counts.waiting,
                Status::Failed | Status::TimedOut | Status::Cancelled | Status::Interrupted | Status::Residue => &mut counts.failed,
                Status::Undone | Status::Kept => &mut counts.undone,
                _ => &mut counts.running,
            } += 1;
        }
        counts
    }

    /// One word for where a step stands. Of a run on which nobody works nothing runs and nothing waits; a step that failed, and of which
    /// what it did stays, has failed.
    pub fn word(&self, step: &StepStory) -> &'static str {
        let rests = self.is_left() || self.ending.is_some();
        match &step.status {
            Status::Waiting if rests || self.rollback.is_some() => "not-run",
            Status::Undoing | Status::UndoBackoff(_) if rests => "not-undone",
            Status::Interrupted if rests && step.undo_started.is_some() => "not-undone",
            Status::Running if self.is_left() => "interrupted",
            Status::Asking(_) if rests => "unanswered",
            Status::Undone if step.has_left_nothing() => step.fall().map_or("stays", Status::word),
            status => status.word(),
        }
    }

    /// True for a run whose process is gone in the middle of it.
    pub fn is_left(&self) -> bool {
        self.hand == Hand::Nobody && self.ending.is_none()
    }
}
