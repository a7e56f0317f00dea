//! How far a failure reaches: which guard owns it, and whether the pivot lies in between.

use super::Core;
use super::state::{Index, Status, Step, Undo};
use crate::ids::StepId;
use crate::record::{Cause, EffectKey, Outcome, Reversibility, Scope, StepSummary};

impl Core {
    /// Why the run must go back, and how far, if it must.
    pub(super) fn why_back(&self) -> Option<(Scope, Cause)> {
        if self.back_asked {
            return Some((self.scope_asked(), Cause { step: None, reason: "asked for".to_owned() }));
        }
        if let Some((step, reason)) = self.failures.first() {
            let failed: Vec<Index> = self.failures.iter().map(|(step, _)| *step).collect();
            let cause = Cause { step: Some(self.graph.steps[*step].id.clone()), reason: reason.clone() };
            return Some((self.common_guard(&failed), cause));
        }
        let by = self.cancel.as_ref()?;
        let cause = Cause { step: None, reason: format!("cancelled by {by}") };
        Some((self.common_guard(&self.front()), cause))
    }

    /// What somebody wants back who asked for it.
    pub(super) fn scope_asked(&self) -> Scope {
        self.back_step.clone().map_or(Scope::Everything, Scope::Step)
    }

    /// True when a failure halts the run where it is: whoever opened it wanted that, and nobody has asked for more since.
    pub(super) fn stays_where_it_failed(&self) -> bool {
        self.graph.halts_on_failure && !self.back_asked && self.cancel.is_none()
    }

    /// Where the run stands: the steps under way, or else those that would be next.
    fn front(&self) -> Vec<Index> {
        let mut front: Vec<Index> = self.running.iter().chain(self.gates.iter()).collect();
        front.extend(self.backoff.iter().map(|(_, step)| *step));
        front.extend(self.doubtful.iter());
        if front.is_empty() {
            front.extend(self.ready.iter());
            front.extend(self.limits.lined_up());
        }
        front
    }

    /// The smallest guard that holds all of these steps.
    fn common_guard(&self, steps: &[Index]) -> Scope {
        let holds = |guard: usize| steps.iter().all(|step| self.graph.guards[guard].guards.contains(&self.graph.steps[*step].id));
        let smallest = (0..self.graph.guards.len())
            .filter(|guard| !steps.is_empty() && holds(*guard))
            .min_by_key(|guard| self.graph.guards[*guard].guards.len());
        match smallest {
            Some(guard) => Scope::Guard(self.graph.guards[guard].id.clone()),
            None => Scope::Everything,
        }
    }

    /// True for the steps that a rollback of this scope takes back: those it names, and those that were under way elsewhere.
    pub(super) fn members(&self, scope: &Scope) -> Vec<bool> {
        let unfinished = |step: Index| {
            let state = &self.steps[step];
            // One that was cut off waits to be begun again, with what it did standing.
            let is_cut_off = state.status == Status::Ready && state.may_have_effects();
            // What went back with an earlier opening goes on, however its attempt ended meanwhile: it may be half taken back.
            let went_back = self.rollback.is_some() && self.waits[step].in_scope;
            is_cut_off || went_back || state.status.is_under_way() || matches!(state.status, Status::Failed | Status::Cancelled)
        };
        let named = match scope {
            Scope::Everything => return vec![true; self.steps.len()],
            Scope::Guard(id) => {
                let guard = self.graph.guards.iter().find(|guard| guard.id == *id);
                self.graph.steps.iter().map(|step| guard.is_some_and(|guard| guard.guards.contains(&step.id))).collect()
            }
            Scope::Step(id) => self.standing_on(id),
        };
        named.iter().enumerate().map(|(step, named)| *named || unfinished(step)).collect()
    }

    /// The step of this id, or those that are there for its items.
    pub fn named<'a>(&'a self, id: &'a StepId) -> impl Iterator<Item = &'a StepId> {
        self.graph.steps.iter().map(|step| &step.id).filter(|step| id.stands_for(step))
    }

    /// True for this step, or those of its items, and all that needed them, however far away.
    fn standing_on(&self, id: &StepId) -> Vec<bool> {
        let mut found = vec![false; self.steps.len()];
        let mut open: Vec<Index> = (0..self.steps.len()).filter(|step| id.stands_for(&self.graph.steps[*step].id)).collect();
        while let Some(step) = open.pop() {
            if !std::mem::replace(&mut found[step], true) {
                open.extend(self.dependents(step));
            }
        }
        found
    }

    /// What a rollback of this scope would take back, in plan order, or the step that would keep it from going back at all.
    ///
    /// # Errors
    /// The first step in scope that cannot be taken back.
    pub fn foresee(&self, scope: &Scope) -> Result<Vec<&StepId>, &StepId> {
        if let Some(pivot) = self.pivot_within(scope) {
            return Err(&self.graph.steps[pivot].id);
        }
        let members = self.members(scope);
        let touched = |step: &Index| members[*step] && self.steps[*step].may_have_effects();
        Ok((0..self.steps.len()).filter(touched).map(|step| &self.graph.steps[step].id).collect())
    }

    /// True for a run that is over and may be taken back all the same: what went well, or what a rollback of a part has left standing.
    pub fn may_reopen(&self) -> bool {
        match self.closed {
            Some(Outcome::Succeeded) => true,
            Some(Outcome::RolledBack) => self.steps.iter().any(Step::may_have_effects),
            _ => false,
        }
    }

    /// True when somebody may ask for this part alone: nothing else is being taken back.
    pub fn may_go_back_to(&self, step: &StepId) -> bool {
        !self.goes_back() || self.back_step.as_ref() == Some(step)
    }

    /// True while a rollback is wanted or open; one that came to its end is neither.
    pub(super) fn goes_back(&self) -> bool {
        self.closed.is_none() && (self.back_asked || self.rollback.is_some())
    }

    /// What the effects that may still be there have touched.
    pub fn still_written(&self) -> impl Iterator<Item = &EffectKey> {
        // What stays on purpose counts as taken back, and is still there.
        let stands = |(summary, step): &(&StepSummary, &Step)| step.undo != Undo::Done || summary.stays;
        self.graph.steps.iter().zip(&self.steps).filter(stands).flat_map(|(_, step)| step.may_have_touched())
    }

    /// True when what this step did cannot be taken back, and it may have done it.
    pub(super) fn is_pivot(&self, step: Index) -> bool {
        self.is_irreversible(step) && self.steps[step].may_have_effects()
    }

    pub(super) fn is_irreversible(&self, step: Index) -> bool {
        self.steps[step].irreversible || self.graph.steps[step].reversibility == Reversibility::Irreversible
    }

    /// The first pivot that a rollback of this scope would have to cross.
    pub(super) fn pivot_within(&self, scope: &Scope) -> Option<Index> {
        let members = self.members(scope);
        (0..self.steps.len()).find(|step| members[*step] && self.is_pivot(*step))
    }

    /// Time that a rollback of this scope may take, and whether something must hold afterwards.
    pub(super) fn terms(&self, scope: &Scope) -> (std::time::Duration, bool) {
        match scope {
            Scope::Everything => (self.graph.budget.0, self.graph.verified),
            // What the plan says of the world after a rollback speaks of one that went further.
            Scope::Step(_) => (self.graph.budget.0, false),
            Scope::Guard(id) => self
                .graph
                .guards
                .iter()
                .find(|guard| guard.id == *id)
                .map_or((self.graph.budget.0, false), |guard| (guard.budget.0, guard.verified)),
        }
    }
}
