//! How far a run goes back, also before that has been decided. It follows the rules by which the engine decides and knows no engine.

use super::story::{Status, StepStory, Story};
use crate::ids::StepId;
use crate::record::{GuardSummary, Mode, Reversibility};

impl Story {
    /// True when whoever takes the run up again goes back, not on. Past the pivot only a guard that does not hold it goes back.
    pub fn goes_back(&self) -> bool {
        let is_cancelled = self.holder.as_ref().is_none_or(|(_, mode)| *mode != Mode::Rollback);
        let may_go_back = self.pivot().is_none() || (is_cancelled && self.guard_past_pivot().is_some());
        self.rollback.is_some() || (self.back_asked && may_go_back)
    }

    /// The first step that cannot be taken back, and that has done something, or may have.
    pub fn pivot(&self) -> Option<&StepStory> {
        self.steps.values().find(|step| is_pivot(step))
    }

    /// True for a step that goes back with the run, done or not: what was under way goes back wherever it stands in the plan.
    pub fn takes_back(&self, step: &StepStory) -> bool {
        let is_over = self.ending.as_ref().is_some_and(|ending| ending.closed);
        let is_in_scope = match &self.rollback {
            Some(_) => self.is_in_scope(&step.id),
            None => self.guard_past_pivot().is_none_or(|guard| guard.guards.contains(&step.id)),
        };
        !is_over && self.goes_back() && (is_in_scope || step.status != Status::Done)
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
