//! How long going back may take, and what is said of a step for which that time was not enough. Pure; it reads no clock.

use super::story::{StepStory, Story};
use crate::ids::{Moment, Period, StepId};
use crate::record::{Failure, GuardSummary, Scope};

/// What is said of whatever is merely stopped: why it was is known.
const MERELY_STOPPED: &str = "it was stopped";

impl Story {
    /// The time that the open rollback has, and that of everything.
    pub(super) fn budgets(&self) -> Option<(Period, Period)> {
        let graph = self.graph.as_ref()?;
        Some((self.open_guard().map_or(graph.budget, |guard| guard.budget), graph.budget))
    }

    /// True when a step could not be taken back only because the time for that was over.
    pub(super) fn was_out_of_time(&self) -> bool {
        self.steps.values().any(|step| step.is_out_of_time && step.undo_failure.is_some())
    }

    /// That the time for taking this step back was over at this moment, and whose time that is; none while some was left.
    pub(super) fn time_over(&self, step: &StepId, at: Moment) -> Option<String> {
        let (own, everything) = self.budgets()?;
        let deadline = match &self.rollback {
            Some(rollback) => rollback.deadline,
            // What is taken back alone has as long as everything.
            None => self.step(step)?.undo_started?.after(everything.0),
        };
        (at >= deadline).then(|| match self.open_guard() {
            Some(guard) => format!("stopped after the {own} that `{}` allows (`budget`)", guard.id),
            None => format!("stopped after the {own} that going back may take"),
        })
    }

    fn open_guard(&self) -> Option<&GuardSummary> {
        let Scope::Guard(open) = &self.rollback.as_ref()?.scope else { return None };
        self.graph.as_ref()?.guards.iter().find(|guard| guard.id == *open)
    }
}

impl StepStory {
    /// The same failure, of a compensation that was stopped because its time was over.
    pub(super) fn out_of_time(&mut self, failure: &Failure, over: String) -> Failure {
        self.is_out_of_time = true;
        let said = (!failure.message.starts_with(MERELY_STOPPED)).then(|| failure.message.clone());
        Failure { message: over, causes: said.into_iter().chain(failure.causes.iter().cloned()).collect(), ..failure.clone() }
    }
}
