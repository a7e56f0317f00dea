//! What is told of a run at rest, how far it would go back, against what taking it up then does.

use crate::engine::core::Core;
use crate::ids::StepId;
use crate::record::{AttemptResult, Record, What};
use std::collections::BTreeSet;

/// What was told of a run before it was taken up.
pub(super) struct Foretold {
    back: Option<BTreeSet<StepId>>,
    /// Steps that were over, and had done something.
    stood: BTreeSet<StepId>,
    /// So many records had it then.
    known: usize,
}

/// How often each was told, and came so.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) back: u32,
    pub(super) on: u32,
}

impl Foretold {
    pub(super) fn of(core: &Core, known: usize) -> Self {
        let back = core.back_when_resumed().map(|steps| steps.into_iter().cloned().collect());
        let stood = core.steps().filter(|(_, step)| !step.status.is_under_way() && step.may_have_effects());
        let stood = stood.map(|(id, _)| id.clone()).collect();
        Self { back, stood, known }
    }

    /// What came otherwise, after a life that came to an end.
    pub(super) fn faults(&self, records: &[Record], core: &Core, tally: &mut Tally) -> Vec<String> {
        // A failure after it was taken up is a reason that nobody could know, and so is an answer.
        let is_new = |record: &Record| match &record.what {
            What::AttemptEnded { result, .. } => !matches!(result, AttemptResult::Succeeded { .. } | AttemptResult::Interrupted),
            What::ApprovalAnswered { approved, .. } => !approved,
            _ => false,
        };
        let came_otherwise = records[self.known..].iter().any(is_new);
        match (&self.back, core.rollback()) {
            (None, None) => tally.on += 1,
            (Some(_), None) => return vec!["it was to go back, and did not".to_owned()],
            (None, Some(_)) if !came_otherwise => return vec!["it was to go on, and went back".to_owned()],
            (None, Some(_)) => {}
            (Some(_), Some(_)) if !records[self.known..].iter().any(|record| matches!(record.what, What::RollbackOpened { .. })) => {
                return vec!["it was to go back, and no rollback was opened".to_owned()];
            }
            (Some(back), Some(open)) => {
                tally.back += 1;
                let came = |step: &&StepId| back.contains(*step) == open.steps.contains(*step);
                if !came_otherwise && !self.stood.iter().all(|step| came(&step)) {
                    return vec![format!("of {:?} were to go back: {back:?}; these did: {:?}", self.stood, open.steps)];
                }
            }
        }
        Vec::new()
    }
}
