//! How far a run goes back, also before that has been decided. Of one at rest the engine was asked; while it lives this follows the rules
//! by which the engine decides.

use super::story::{Status, StepStory, Story};
use super::words;
use crate::ids::{Moment, StepId};
use crate::record::{GuardSummary, Mode, Reversibility, StepSummary};
use jiff::tz::TimeZone;
use std::collections::HashSet;

/// What comes when somebody resumes a run that nobody has in hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ahead {
    /// It goes on, or stays where it is.
    On,
    /// These steps go back, whatever they have done.
    Back(HashSet<StepId>),
}

impl Story {
    /// The story of a run at rest of which the engine said what comes.
    #[must_use]
    pub fn ahead(self, ahead: Option<Ahead>) -> Self {
        Self { ahead, ..self }
    }

    /// True when whoever takes the run up again goes back, not on. Past the pivot only a guard that does not hold it goes back.
    pub fn goes_back(&self) -> bool {
        if let Some(ahead) = &self.ahead {
            return matches!(ahead, Ahead::Back(_));
        }
        let is_cancelled = self.holder.as_ref().is_none_or(|(_, mode)| *mode != Mode::Rollback);
        let may_go_back = self.pivot().is_none() || (is_cancelled && self.guard_past_pivot().is_some());
        self.rollback.is_some() || (self.back_asked && may_go_back)
    }

    /// The first step that cannot be taken back, and that has done something, or may have.
    pub fn pivot(&self) -> Option<&StepStory> {
        self.steps.values().find(|step| is_pivot(step))
    }

    /// The steps that alone keep the run from being taken back, where nobody can tell of any of them whether it was done.
    pub fn doubtful_pivots(&self) -> Vec<&StepStory> {
        let pivots: Vec<&StepStory> = self.steps.values().filter(|step| is_pivot(step)).collect();
        if pivots.iter().all(|step| !step.doubts.is_empty()) { pivots } else { Vec::new() }
    }

    /// True for a step that goes back with the run, done or not: what was under way goes back wherever it stands in the plan.
    pub fn takes_back(&self, step: &StepStory) -> bool {
        let is_over = self.ending.as_ref().is_some_and(|ending| ending.closed);
        let goes = match (&self.ahead, &self.rollback) {
            (Some(Ahead::Back(steps)), _) => steps.contains(&step.id),
            (Some(Ahead::On), _) => false,
            (None, Some(_)) => self.is_in_scope(&step.id) || step.status != Status::Done,
            (None, None) => self.guard_past_pivot().is_none_or(|guard| guard.guards.contains(&step.id)) || step.status != Status::Done,
        };
        !is_over && self.goes_back() && goes
    }

    /// The guard that a cancel takes back although something that cannot be taken back is done.
    pub fn guard_past_pivot(&self) -> Option<&GuardSummary> {
        let mut pivots = self.steps.values().filter(|step| is_pivot(step)).peekable();
        pivots.peek()?;
        let guard = self.guard_at_the_front()?;
        // What is half done goes back with the guard, wherever it stands.
        let is_clear = pivots.all(|pivot| pivot.status == Status::Done && !guard.guards.contains(&pivot.id));
        is_clear.then_some(guard)
    }

    /// When an approval that asks counts as failed; none when it waits for ever. A halt does not stop that clock.
    pub fn answer_by(&self, step: &StepStory) -> Option<Moment> {
        let limit = self.summary(&step.id)?.timeout.filter(|_| matches!(step.status, Status::Asking(_)))?;
        Some(step.started?.after(limit.0))
    }

    /// What comes when nobody answers an approval in time.
    pub fn unanswered(&self, step: &StepStory) -> String {
        let (Some(graph), Some(summary)) = (&self.graph, self.summary(&step.id)) else { return "it counts as failed".to_owned() };
        let guards = graph.guards.iter().filter(|guard| guard.guards.contains(&step.id));
        let guard = guards.min_by_key(|guard| guard.guards.len());
        // What is half done goes back with the guard, wherever it stands.
        let reaches = |pivot: &StepStory| guard.is_none_or(|guard| guard.guards.contains(&pivot.id)) || pivot.status != Status::Done;
        let may_go_back = !self.steps.values().any(|step| is_pivot(step) && reaches(step));
        match guard {
            _ if summary.continue_on_error => "the run goes on without it".to_owned(),
            _ if graph.halts_on_failure || !may_go_back => "the run halts".to_owned(),
            None => "everything is rolled back".to_owned(),
            Some(guard) => format!("what `{}` guards is rolled back", guard.id),
        }
    }

    /// Until when an approval can be answered, and what comes else: `by 14:05:00, else everything is rolled back`.
    pub fn terms(&self, step: &StepStory, zone: &TimeZone) -> Option<String> {
        let by = words::time_after(self.answer_by(step)?, step.started?, zone);
        Some(format!("by {by}, else {}", self.unanswered(step)))
    }

    fn summary(&self, step: &StepId) -> Option<&StepSummary> {
        self.graph.as_ref()?.steps.iter().find(|summary| summary.id == *step)
    }

    /// The smallest guard that holds everything at work, or all that would begin next.
    fn guard_at_the_front(&self) -> Option<&GuardSummary> {
        let mut front: Vec<&StepId> = self.steps.values().filter(|step| step.status.is_live()).map(|step| &step.id).collect();
        let graph = self.graph.as_ref()?;
        if front.is_empty() {
            let is_over = |id: &StepId| self.step(id).is_some_and(|step| matches!(step.status, Status::Done | Status::Skipped(_)));
            let is_waiting = |id: &StepId| self.step(id).is_some_and(|step| step.status == Status::Waiting);
            let next = graph.steps.iter().filter(|step| is_waiting(&step.id) && step.needs.iter().all(is_over));
            front.extend(next.map(|step| &step.id));
        }
        let holds = |guard: &&GuardSummary| !front.is_empty() && front.iter().all(|step| guard.guards.contains(*step));
        graph.guards.iter().filter(holds).min_by_key(|guard| guard.guards.len())
    }
}

/// True for a step that cannot be taken back, and that has done something, or may have.
fn is_pivot(step: &StepStory) -> bool {
    step.reversibility == Reversibility::Irreversible && step.may_stand()
}
