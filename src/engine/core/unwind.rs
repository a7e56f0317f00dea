//! The way back: which compensation may run when.
//!
//! A step is *clear* when it is taken back, or there was nothing to take back, and every step that needed it is clear.
//! Only then may the steps that it needed be taken back. Traffic alone goes before its turn (see [`UndoClass::Traffic`]).

use super::Core;
use super::illegal::Illegal;
use super::place_set::PlaceSet;
use super::state::{Index, Rollback, Status, Undo, place_number};
use crate::ids::{Moment, StepId};
use crate::record::{Cause, Role, Scope, Target, UndoClass, UndoResult};
use std::collections::BTreeSet;

impl Core {
    pub(super) fn rollback_opened(&mut self, scope: &Scope, cause: &Cause, deadline: Moment, at: Moment) -> Result<(), Illegal> {
        if self.rollback.as_ref().is_some_and(|open| open.epoch == self.epoch) {
            return Err(Illegal::Run { what: "rollback-opened", why: "a rollback is open" });
        }
        if let Some(pivot) = self.pivot_within(scope) {
            let step = self.graph.steps[pivot].id.clone();
            return Err(Illegal::Step { step, status: "irreversible", what: "rollback-opened" });
        }
        let members = self.members(scope);
        self.stop_what_waits();
        let (running, steps) = (&self.running, &self.steps);
        self.limits.release_idle(|step| running.contains(step) || matches!(steps[step].undo, Undo::Running | Undo::Backoff(_)));
        self.undo_urgent.clear();
        self.undo_ready.clear();
        self.undo_deadlines.clear();
        let mut steps = Vec::new();
        for (place, member) in members.iter().enumerate() {
            (self.waits[place].in_scope, self.waits[place].clear) = (*member, false);
            let state = &self.steps[place];
            if *member && (state.status == Status::Running || state.may_have_effects() || state.undo == Undo::Done) {
                steps.push(self.graph.steps[place].id.clone());
            }
        }
        let left = members.iter().filter(|member| **member).count();
        let (scope, cause) = (scope.clone(), cause.clone());
        self.rollback = Some(Rollback { scope, cause, deadline, opened: at, steps, epoch: self.epoch, left, urgent: Vec::new() });
        self.order_undo(&members);
        Ok(())
    }

    /// What waits for its turn, for a person or for the clock does not go on.
    fn stop_what_waits(&mut self) {
        let backoff: Vec<Index> = std::mem::take(&mut self.backoff).into_iter().map(|(_, step)| step).collect();
        let doubtful = self.doubtful.take();
        for step in self.unsure.take() {
            self.steps[step].effects.values_mut().for_each(|effect| effect.in_flight = false);
        }
        let gates = self.gates.take();
        for step in backoff.into_iter().chain(doubtful).chain(gates) {
            self.steps[step].set_times(|times| (times.deadline, times.until) = (None, None));
            self.stop_short(step);
        }
        let running = &self.running;
        self.deadlines.retain(|(_, step)| running.contains(*step));
        self.to_skip.clear();
    }

    fn order_undo(&mut self, members: &[bool]) {
        for place in (0..members.len()).filter(|place| members[*place]) {
            let pending = self.dependents(place).filter(|next| members[*next]).count();
            self.waits[place].pending_dependents = place_number(pending);
        }
        for place in (0..members.len()).filter(|place| members[*place]) {
            self.hurry_traffic(place);
        }
        for place in (0..members.len()).rev().filter(|place| members[*place]) {
            if self.waits[place].pending_dependents == 0 && !self.waits[place].clear {
                self.consider(place);
            }
        }
    }

    /// An attempt of a step in scope ended while the run goes back.
    pub(super) fn join_rollback(&mut self, step: Index) {
        self.hurry_traffic(step);
        if self.waits[step].pending_dependents == 0 {
            self.consider(step);
        }
        if !self.steps[step].may_have_effects() {
            self.fit_again(step);
        }
    }

    /// A step on which nothing in scope stands any more: takes it back, or passes it by.
    fn consider(&mut self, step: Index) {
        let mut passed = vec![step];
        while let Some(step) = passed.pop() {
            let state = &self.steps[step];
            if self.waits[step].clear || state.status == Status::Running {
                continue;
            }
            let has_effects = state.may_have_effects();
            match state.undo {
                Undo::No | Undo::Wanted if has_effects => {
                    self.want_back(step);
                    continue;
                }
                Undo::Running | Undo::Backoff(_) | Undo::GaveUp => continue,
                Undo::No | Undo::Wanted | Undo::Done => {}
            }
            self.waits[step].clear = true;
            if let Some(rollback) = &mut self.rollback {
                rollback.left -= 1;
            }
            for need in self.edges.needs.of(step) {
                let waits = &mut self.waits[need];
                if waits.in_scope {
                    waits.pending_dependents -= 1;
                    if waits.pending_dependents == 0 {
                        passed.push(need);
                    }
                }
            }
        }
    }

    /// Traffic goes back before its turn, as soon as what it goes back to is fit.
    fn hurry_traffic(&mut self, step: Index) {
        let state = &self.steps[step];
        let UndoClass::Traffic { needs_fit } = &state.class else { return };
        let waits = state.status != Status::Running && matches!(state.undo, Undo::No | Undo::Wanted) && state.may_have_effects();
        if !waits {
            return;
        }
        let unfit = self.made_unfit(step, needs_fit);
        if unfit.is_empty() {
            self.want_back(step);
        }
        if let Some(rollback) = &mut self.rollback {
            rollback.urgent.push((step, unfit));
        }
    }

    /// The steps in scope that wrote one of these targets and are not taken back. Not those that this step stands on: they wait for it.
    fn made_unfit(&self, step: Index, needs_fit: &[Target]) -> BTreeSet<Index> {
        let mut below = BTreeSet::from([step]);
        let mut open = vec![step];
        while let Some(step) = open.pop() {
            open.extend(self.needs(step).filter(|need| below.insert(*need)));
        }
        let writes = |other: &Index| {
            let (in_scope, other) = (self.waits[*other].in_scope, &self.steps[*other]);
            let touched = other.status == Status::Running || other.may_have_effects();
            in_scope && touched && other.targets.iter().any(|target| needs_fit.contains(target))
        };
        (0..self.steps.len()).filter(|other| !below.contains(other)).filter(writes).collect()
    }

    /// This step is taken back: traffic that waited for it may go.
    fn fit_again(&mut self, step: Index) {
        let Some(rollback) = &mut self.rollback else { return };
        let freed = |(traffic, unfit): &mut (Index, BTreeSet<Index>)| (unfit.remove(&step) && unfit.is_empty()).then_some(*traffic);
        let freed: Vec<Index> = rollback.urgent.iter_mut().filter_map(freed).collect();
        for traffic in freed {
            if matches!(self.steps[traffic].undo, Undo::No | Undo::Wanted) {
                self.want_back(traffic);
            }
        }
    }

    pub(super) fn want_back(&mut self, step: Index) {
        self.steps[step].undo = Undo::Wanted;
        self.turn(step).insert(step);
    }

    /// Where a step waits for its turn to be taken back.
    fn turn(&mut self, step: Index) -> &mut PlaceSet {
        match self.steps[step].class {
            UndoClass::Traffic { .. } => &mut self.undo_urgent,
            UndoClass::Ordinary => &mut self.undo_ready,
        }
    }

    /// A step whose failure the plan goes on without: nothing stands on it.
    pub(super) fn undo_alone(&mut self, step: Index) {
        if self.steps[step].may_have_effects() {
            self.want_back(step);
        }
    }

    pub(super) fn undo_started(&mut self, id: &StepId, attempt: u32, at: Moment) -> Result<(), Illegal> {
        let step = self.find(id)?;
        let due = self.turn(step).contains(step) || matches!(self.steps[step].undo, Undo::Backoff(_));
        let may = due && self.limits.has_room(step) && self.graph.steps[step].role == Role::Action;
        if !may || attempt != self.steps[step].undo_attempt + 1 {
            return Err(Illegal::Step { step: id.clone(), status: self.steps[step].status.name(), what: "undo-started" });
        }
        if let Undo::Backoff(until) = self.steps[step].undo {
            self.undo_backoff.remove(&(until, step));
        }
        self.turn(step).remove(step);
        self.undo_running.insert(step);
        self.limits.hold(step);
        (self.steps[step].undo, self.steps[step].undo_attempt) = (Undo::Running, attempt);
        if self.rollback.is_none() {
            let deadline = self.steps[step].times().undo_deadline.unwrap_or(at.after(self.graph.budget.0));
            self.steps[step].set_times(|times| times.undo_deadline = Some(deadline));
            self.undo_deadlines.insert((deadline, step));
        }
        Ok(())
    }

    pub(super) fn undo_ended(&mut self, id: &StepId, attempt: u32, result: &UndoResult) -> Result<(), Illegal> {
        let step = self.find(id)?;
        if self.steps[step].undo != Undo::Running || attempt != self.steps[step].undo_attempt {
            return Err(Illegal::Step { step: id.clone(), status: self.steps[step].status.name(), what: "undo-ended" });
        }
        self.undo_running.remove(step);
        // What is half taken back keeps its locks until it is tried again.
        if !matches!(result, UndoResult::Failed { retry_at: Some(_), .. }) {
            self.limits.release(step);
        }
        self.undo_lost.remove(step);
        if let Some(deadline) = self.steps[step].times().undo_deadline {
            self.undo_deadlines.remove(&(deadline, step));
        }
        match result {
            UndoResult::Undone { .. } => {
                self.steps[step].undo = Undo::Done;
                self.fit_again(step);
                if self.waits[step].in_scope && self.waits[step].pending_dependents == 0 {
                    self.consider(step);
                }
            }
            UndoResult::Failed { failure, retry_at, .. } => {
                self.steps[step].undo_failures += 1;
                match retry_at {
                    Some(at) => {
                        self.steps[step].undo = Undo::Backoff(*at);
                        self.undo_backoff.insert((*at, step));
                    }
                    None => self.undo_gave_up(step, &failure.message),
                }
            }
            UndoResult::Interrupted => self.want_back(step),
        }
        Ok(())
    }

    fn undo_gave_up(&mut self, step: Index, why: &str) {
        self.steps[step].undo = Undo::GaveUp;
        if self.rollback.is_none() {
            // The plan said that it can go on without this step, not with half of it.
            self.failures.push((step, format!("could not be taken back: {why}")));
        }
    }
}
