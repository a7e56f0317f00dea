//! A process takes the run up that another one left: what was at work is an orphan, what had given up gets another chance.

use super::Core;
use super::illegal::Illegal;
use super::state::{Index, Status, Undo};
use crate::ids::{Moment, StepId};
use crate::record::{Mode, Outcome, Scope, Settled};

impl Core {
    /// How far back a process goes that takes the run up now and is asked for this; none when it goes on, or stays where it is.
    pub fn way_back(&self, mode: Mode, step: Option<&StepId>) -> Option<Scope> {
        self.taken_back(mode, step).map(|(_, scope)| scope)
    }

    /// True for a step of which nobody can tell what it did, and that waits for this answer. One that has failed in doubt cannot be said to be
    /// done.
    pub fn takes_answer(&self, step: &StepId, done: bool) -> bool {
        self.step(step).is_some_and(|state| match state.status {
            Status::Doubtful => true,
            Status::Failed | Status::Cancelled => !done && state.has_unknown(),
            _ => false,
        })
    }

    /// The run as it is once people have said this of steps in doubt.
    #[must_use]
    pub fn answered<'a>(mut self, answers: impl IntoIterator<Item = (&'a StepId, bool)>) -> Self {
        for (step, done) in answers {
            // Of one that is not in doubt, or not yet, nothing is known by that.
            let _not_in_doubt = self.doubt_answered(step, done, true);
        }
        self
    }

    /// The steps that go back when somebody resumes the run now, whatever they have done, in plan order; none when it goes on, or stays
    /// where it is.
    pub fn back_when_resumed(&self) -> Option<Vec<&StepId>> {
        if self.closed.is_some() {
            return None;
        }
        let (core, scope) = self.taken_back(Mode::Resume, None)?;
        let members = core.members(&scope);
        Some(self.graph.steps.iter().zip(members).filter(|(_, goes)| *goes).map(|(step, _)| &step.id).collect())
    }

    /// The run as it is once it was taken up, and how far it goes back then.
    fn taken_back(&self, mode: Mode, step: Option<&StepId>) -> Option<(Self, Scope)> {
        let mut core = self.clone();
        // When that is does not matter: how long something waits changes nothing of how far the run goes back.
        core.epoch_opened(self.epoch + 1, mode, step, Moment::from_millis(0)).ok()?;
        let scope = match &core.rollback {
            Some(open) if !core.back_asked => open.scope.clone(),
            Some(_) => core.scope_asked(),
            None if core.stays_where_it_failed() => return None,
            None => core.why_back()?.0,
        };
        core.pivot_within(&scope).is_none().then_some((core, scope))
    }

    pub(super) fn epoch_opened(&mut self, epoch: u64, mode: Mode, step: Option<&StepId>, at: Moment) -> Result<(), Illegal> {
        if self.closed.is_some() {
            self.reopen(step)?;
        }
        if mode == Mode::Rollback {
            self.asked_back(step)?;
        }
        self.epoch = epoch;
        self.mode = mode;
        self.halted = None;
        self.closed = None;
        self.halt = None;
        self.deadlines.clear();
        for step in self.running.iter() {
            self.steps[step].set_times(|times| times.deadline = None);
        }
        self.lost.extend(&self.running);
        self.end_waits(at);
        for step in self.gates.iter().collect::<Vec<_>>() {
            self.keep_length(step, at);
            self.watch_gate(step);
        }
        self.take_up_undo();
        match (mode, &self.rollback) {
            (Mode::Resume, None) => self.take_up_failed(),
            (Mode::Resume, Some(_)) => self.keep_to_what_is_open(),
            _ => {}
        }
        self.ask_again();
        Ok(())
    }

    /// Whoever takes the run up does not wait for a retry as long as another clock, which may have been wrong, once said.
    fn end_waits(&mut self, at: Moment) {
        for (until, step) in std::mem::take(&mut self.backoff) {
            let until = until.min(at);
            self.steps[step].status = Status::Backoff(until);
            self.backoff.insert((until, step));
        }
    }

    /// A pause, or a person's time to answer, that begins later than now was measured by a clock that was wrong: it begins now.
    fn keep_length(&mut self, step: Index, now: Moment) {
        let Some(began) = self.steps[step].began.filter(|began| *began > now) else { return };
        self.steps[step].began = Some(now);
        self.steps[step].set_times(|times| times.until = times.until.map(|until| now.after(until.since(began))));
    }

    /// What could not be looked up may be looked up by now: whoever was asked was away, or broke down.
    fn ask_again(&mut self) {
        let unsure = self.doubtful.clone();
        for step in unsure.iter() {
            let effects = self.steps[step].effects.values_mut();
            effects.filter(|effect| matches!(effect.known, Some(Settled::Unknown(_)))).for_each(|effect| effect.in_flight = true);
        }
        self.unsure = unsure;
    }

    /// A step in doubt was looked up once more.
    pub(super) fn asked_again(&mut self, step: Index) {
        self.unsure.remove(step);
        if !self.is_in_doubt(step) {
            self.doubtful.remove(step);
            self.take_up_half_done(step);
        }
    }

    /// A run that is over is taken up again. What was taken back stays so, and what is left goes back or stays: a run that came undone, if
    /// only in part, never goes forward again.
    fn reopen(&mut self, step: Option<&StepId>) -> Result<(), Illegal> {
        let scope = step.map_or(Scope::Everything, |step| Scope::Step(step.clone()));
        if self.closed == Some(Outcome::RolledBack) && self.pivot_within(&scope).is_some() {
            return Err(Illegal::Run { what: "epoch-opened", why: "what is left of the run cannot be taken back" });
        }
        (self.rollback, self.back_asked, self.back_step) = (None, false, None);
        Ok(())
    }

    /// Somebody wants the run back, or a part of it. A rollback may be widened to everything and is never narrowed: what lies outside the
    /// part may be taken back already.
    fn asked_back(&mut self, step: Option<&StepId>) -> Result<(), Illegal> {
        if let Some(step) = step {
            if self.named(step).next().is_none() {
                return Err(Illegal::UnknownStep(step.clone()));
            }
            if !self.may_go_back_to(step) {
                return Err(Illegal::Run { what: "epoch-opened", why: "the run goes back already" });
            }
        }
        (self.back_asked, self.back_step) = (true, step.cloned());
        Ok(())
    }

    /// Compensations that were at work are lost; those that gave up get another chance. The order is made anew when the rollback is opened again.
    fn take_up_undo(&mut self) {
        self.undo_lost.extend(&self.undo_running);
        self.undo_backoff.clear();
        self.undo_deadlines.clear();
        self.undo_urgent.clear();
        self.undo_ready.clear();
        self.verified = None;
        for place in 0..self.steps.len() {
            let step = &mut self.steps[place];
            step.undo_failures = 0;
            step.set_times(|times| times.undo_deadline = None);
            // Time that nobody held the run does not count against a step; a person's time to answer goes on.
            if self.rollback.is_none() && !self.gates.contains(place) {
                step.began = None;
            }
            if matches!(step.undo, Undo::GaveUp | Undo::Backoff(_)) {
                step.undo = Undo::Wanted;
            }
            if step.undo == Undo::Wanted && self.rollback.is_none() {
                self.want_back(place);
            }
        }
    }

    /// Somebody wanted more back than can go: whoever resumes takes back what was going back before.
    fn keep_to_what_is_open(&mut self) {
        if self.back_asked && self.pivot_within(&self.scope_asked()).is_some() {
            (self.back_asked, self.back_step) = (false, None);
        }
    }

    /// Past the pivot, or where a failure only halts the run, a failed step is not undone but tried again when somebody resumes; and what
    /// was stopped for a rollback that never opened goes on.
    fn take_up_failed(&mut self) {
        let goes_back = self.why_back().is_some_and(|(scope, _)| self.pivot_within(&scope).is_none());
        if goes_back && !self.stays_where_it_failed() {
            return;
        }
        for (step, _) in std::mem::take(&mut self.failures) {
            // One that was being taken back alone goes on being taken back.
            if self.steps[step].status == Status::Failed && self.steps[step].undo == Undo::No {
                self.unfinished += 1;
                self.steps[step].failures = 0;
                self.take_up_half_done(step);
            }
        }
        let cancelled: Vec<Index> = (0..self.steps.len()).filter(|step| self.steps[*step].status == Status::Cancelled).collect();
        for step in cancelled {
            self.unfinished += 1;
            self.take_up_half_done(step);
        }
        (self.back_asked, self.back_step) = (false, None);
        self.cancel = None;
    }

    /// A step comes to its turn again. What it did may stand there half done: nobody else of its locks meddles with that first.
    pub(super) fn take_up_half_done(&mut self, step: Index) {
        if self.steps[step].may_have_effects() && self.limits.has_room(step) {
            self.limits.hold(step);
        }
        self.make_ready_unless_in_doubt(step);
    }
}
