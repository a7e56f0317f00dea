//! The way forward: how each record changes the state.

use super::Core;
use super::illegal::Illegal;
use super::state::{Index, Status, Undo, place_number};
use crate::ids::{Moment, StepId};
use crate::record::{AttemptResult, CancelLevel, Failure, Mode, Record, Role, Settled, SkipReason, Target, What};

impl Core {
    /// Takes the next record into the state.
    ///
    /// # Errors
    /// When the record cannot be the next one; the state is then of no more use.
    pub fn apply(&mut self, record: &Record) -> Result<(), Illegal> {
        if record.seq != self.next_seq {
            return Err(Illegal::Sequence { expected: self.next_seq, found: record.seq });
        }
        self.check_order(record)?;
        self.next_seq += 1;
        match &record.what {
            What::RunOpened { run, plan, frozen, .. } => {
                (self.run, self.plan, self.frozen) = (Some(run.clone()), Some(plan.clone()), Some(*frozen));
                self.epoch = record.epoch;
            }
            What::EpochOpened { mode, spared, step, .. } => {
                merge_targets(&mut self.spared, spared);
                self.epoch_opened(record.epoch, *mode, step.as_ref(), record.at)?;
            }
            What::StepSkipped { step, reason } => self.step_skipped(step, reason)?,
            What::AttemptStarted { step, attempt, params, targets, until } => {
                self.attempt_started(step, *attempt, record.at)?;
                let step = self.find(step)?;
                let state = &mut self.steps[step];
                state.params = (*params).or_else(|| state.params.take());
                merge_targets(&mut state.targets, targets);
                state.set_times(|times| times.until = *until);
                let wake = until.or(state.times().deadline);
                self.deadlines.extend(wake.map(|at| (at, step)));
            }
            What::EffectsIntended { step, effects, class, irreversible } => {
                self.effects_intended(step, effects, class.as_ref(), *irreversible)?;
            }
            What::EffectDone { step, key, after } => {
                self.effect_known(step, key, Settled::Done(*after), "effect-done")?;
            }
            What::EffectSettled { step, key, settled } => self.effect_known(step, key, settled.clone(), "effect-settled")?,
            What::AttemptEnded { step, attempt, result } => self.attempt_ended(step, *attempt, result)?,
            What::ApprovalAsked { step, .. } => self.approval_asked(step, record.at)?,
            What::ApprovalAnswered { step, approved, by, .. } => self.approval_answered(step, *approved, by)?,
            What::CancelRequested { level, by } => self.cancel_requested(*level, by),
            What::RollbackOpened { scope, cause, deadline } => self.rollback_opened(scope, cause, *deadline, record.at)?,
            What::UndoStarted { step, attempt } => self.undo_started(step, *attempt, record.at)?,
            What::UndoEnded { step, attempt, result } => self.undo_ended(step, *attempt, result)?,
            What::EvidenceKept { step, .. } => {
                let step = self.find(step)?;
                self.steps[step].evidence = true;
            }
            // Only people read them.
            What::LinesKept { .. } => {}
            What::RollbackVerified { failure } => self.verified = Some(failure.clone()),
            What::DoubtAnswered { step, done, earlier_stands, .. } => self.doubt_answered(step, *done, *earlier_stands)?,
            What::RunHalted { outcome, reason } => self.halted = Some((*outcome, reason.clone())),
            What::RunClosed { outcome, .. } => self.closed = Some(*outcome),
        }
        Ok(())
    }

    /// The rules that hold for every record, whatever it says.
    fn check_order(&self, record: &Record) -> Result<(), Illegal> {
        let what = record.what.name();
        let opens = matches!(record.what, What::RunOpened { .. });
        let takes_over = matches!(record.what, What::EpochOpened { .. });
        if opens != (self.next_seq == 0) {
            return Err(if opens { Illegal::Run { what, why: "the run is open already" } } else { Illegal::NotOpened });
        }
        // What went well may be taken back later; nothing else of a closed run goes on.
        let reopens = self.may_reopen() && matches!(record.what, What::EpochOpened { mode: Mode::Rollback, .. });
        if self.closed.is_some() && !reopens {
            return Err(Illegal::Run { what, why: "the run is closed" });
        }
        if self.halted.is_some() && !takes_over && !matches!(record.what, What::RunClosed { .. }) {
            return Err(Illegal::Run { what, why: "the run rests" });
        }
        let right = if opens {
            true
        } else if takes_over {
            record.epoch > self.epoch
        } else {
            record.epoch == self.epoch
        };
        if !right {
            return Err(Illegal::Epoch { current: self.epoch, found: record.epoch });
        }
        Ok(())
    }

    fn step_skipped(&mut self, id: &StepId, reason: &SkipReason) -> Result<(), Illegal> {
        let step = self.find(id)?;
        let status = self.steps[step].status;
        if !matches!(status, Status::Waiting | Status::Ready) {
            return Err(Illegal::Step { step: id.clone(), status: status.name(), what: "step-skipped" });
        }
        self.leave_ready(step);
        self.to_skip.remove(step);
        match reason {
            SkipReason::Condition => self.finish(step, Status::Skipped),
            SkipReason::Needs(_) => self.give_up_on(step, Status::Skipped),
        }
        Ok(())
    }

    fn attempt_started(&mut self, id: &StepId, attempt: u32, at: Moment) -> Result<(), Illegal> {
        let step = self.find(id)?;
        let state = &self.steps[step];
        let may = matches!(state.status, Status::Ready | Status::Backoff(_)) && attempt == state.attempt + 1 && state.undo == Undo::No;
        // Whoever only waits for a place that it had before a halt lets go: an earlier bowline gave such places away.
        let steps = &self.steps;
        self.limits.let_go(step, |holder| steps[holder].status == Status::Ready);
        if !may || !self.limits.has_room(step) {
            return Err(Illegal::Step { step: id.clone(), status: state.status.name(), what: "attempt-started" });
        }
        if let Status::Backoff(until) = state.status {
            self.backoff.remove(&(until, step));
        }
        self.leave_ready(step);
        match self.graph.steps[step].role {
            Role::Pause => self.gates.insert(step),
            _ => self.running.insert(step),
        };
        self.limits.hold(step);
        let state = &mut self.steps[step];
        state.status = Status::Running;
        state.attempt = attempt;
        state.began.get_or_insert(at);
        let attempt_limit = self.graph.steps[step].retry.timeout.map(|limit| at.after(limit.0));
        let step_limit = self.step_deadline(step);
        let deadline = [attempt_limit, step_limit].into_iter().flatten().min();
        self.steps[step].set_times(|times| times.deadline = deadline);
        Ok(())
    }

    fn attempt_ended(&mut self, id: &StepId, attempt: u32, result: &AttemptResult) -> Result<(), Illegal> {
        let step = self.find(id)?;
        let role = self.graph.steps[step].role;
        let status = self.steps[step].status;
        let savepoint = role == Role::Guard && status == Status::Ready && attempt == 1;
        let at_work = matches!(status, Status::Running | Status::Asking) && attempt == self.steps[step].attempt;
        if !savepoint && !at_work {
            return Err(Illegal::Step { step: id.clone(), status: status.name(), what: "attempt-ended" });
        }
        self.leave_work(step);
        if *result != AttemptResult::Interrupted {
            self.close_unbegun(step);
        }
        match result {
            AttemptResult::Succeeded { output } => {
                self.steps[step].output = output.map(Box::new);
                self.finish(step, Status::Succeeded);
            }
            AttemptResult::Failed { failure, retry_at } | AttemptResult::TimedOut { failure, retry_at } => {
                self.attempt_failed(step, failure, *retry_at);
            }
            AttemptResult::Cancelled => self.stop_short(step),
            AttemptResult::Interrupted => self.interrupted(step),
        }
        if self.waits[step].in_scope {
            self.join_rollback(step);
        }
        Ok(())
    }

    fn attempt_failed(&mut self, step: Index, failure: &Failure, retry_at: Option<Moment>) {
        self.steps[step].failures += 1;
        if self.rollback.is_some() {
            return self.stop_short(step);
        }
        match retry_at.filter(|_| !self.is_in_doubt(step)) {
            Some(at) => {
                self.steps[step].status = Status::Backoff(at);
                self.backoff.insert((at, step));
            }
            None => self.fail(step, failure.message.clone()),
        }
    }

    pub(super) fn fail(&mut self, step: Index, reason: String) {
        let goes_on = self.graph.steps[step].continue_on_error && !self.is_pivot(step) && !self.is_stopping();
        if !goes_on {
            return self.fail_run(step, reason);
        }
        self.give_up_on(step, Status::Failed);
        self.undo_alone(step);
    }

    /// An attempt whose process is gone, and of whose effects all is known that can be known.
    fn interrupted(&mut self, step: Index) {
        match self.rollback.is_some() {
            true => self.stop_short(step),
            false => self.make_ready_unless_in_doubt(step),
        }
    }

    /// What nobody can tell the end of is never simply repeated.
    pub(super) fn is_in_doubt(&self, step: Index) -> bool {
        self.steps[step].has_unknown() && !self.graph.steps[step].idempotent
    }

    pub(super) fn make_ready_unless_in_doubt(&mut self, step: Index) {
        if self.is_in_doubt(step) {
            self.steps[step].status = Status::Doubtful;
            self.doubtful.insert(step);
            // Only a person can say how it goes on; what can go on meanwhile does.
            self.limits.release(step);
        } else {
            self.make_ready(step);
        }
    }

    pub(super) fn stop_short(&mut self, step: Index) {
        self.steps[step].status = Status::Cancelled;
        self.unfinished -= 1;
        self.limits.release(step);
    }

    fn approval_asked(&mut self, id: &StepId, at: Moment) -> Result<(), Illegal> {
        let step = self.find(id)?;
        let state = &mut self.steps[step];
        if state.status != Status::Ready {
            return Err(Illegal::Step { step: id.clone(), status: state.status.name(), what: "approval-asked" });
        }
        (state.status, state.attempt, state.began) = (Status::Asking, 1, Some(at));
        self.leave_ready(step);
        self.gates.insert(step);
        self.watch_gate(step);
        Ok(())
    }

    pub(super) fn watch_gate(&mut self, step: Index) {
        let limit = self.step_deadline(step);
        self.steps[step].set_times(|times| times.deadline = limit);
        let wake = self.steps[step].times().until.or(limit);
        self.deadlines.extend(wake.map(|at| (at, step)));
    }

    fn approval_answered(&mut self, id: &StepId, approved: bool, by: &str) -> Result<(), Illegal> {
        let step = self.find(id)?;
        if self.steps[step].status != Status::Asking {
            return Err(Illegal::Step { step: id.clone(), status: self.steps[step].status.name(), what: "approval-answered" });
        }
        self.leave_work(step);
        match approved {
            true => self.finish(step, Status::Succeeded),
            false => self.fail_run(step, format!("rejected by {by}")),
        }
        Ok(())
    }

    fn cancel_requested(&mut self, level: CancelLevel, by: &str) {
        let wish = match level {
            CancelLevel::RollBack => &mut self.cancel,
            CancelLevel::Halt => &mut self.halt,
        };
        wish.get_or_insert_with(|| by.to_owned());
    }

    fn leave_work(&mut self, step: Index) {
        self.running.remove(step);
        self.gates.remove(step);
        self.lost.remove(step);
        self.leave_ready(step);
        let times = self.steps[step].times();
        for at in [times.deadline, times.until].into_iter().flatten() {
            self.deadlines.remove(&(at, step));
        }
        self.steps[step].set_times(|times| (times.deadline, times.until) = (None, None));
    }

    pub(super) fn make_ready(&mut self, step: Index) {
        self.steps[step].status = Status::Ready;
        match self.limits.names(step) {
            true => self.limits.line_up(step),
            false => self.ready.insert(step),
        }
    }

    fn leave_ready(&mut self, step: Index) {
        self.ready.remove(step);
        self.limits.leave_line(step);
    }

    /// A step that came to a good end: those that waited only for it become ready.
    pub(super) fn finish(&mut self, step: Index, status: Status) {
        self.steps[step].status = status;
        self.unfinished -= 1;
        self.limits.release(step);
        for entry in self.edges.dependents.row(step) {
            self.need_over(self.edges.dependents.at(entry));
        }
    }

    /// A step that came to no good end while the run goes on: those that need it are skipped once all that they need is over.
    fn give_up_on(&mut self, step: Index, status: Status) {
        self.steps[step].status = status;
        self.unfinished -= 1;
        self.limits.release(step);
        for entry in self.edges.dependents.row(step) {
            let next = self.edges.dependents.at(entry);
            // A savepoint is reached all the same.
            if self.graph.steps[next].role != Role::Guard {
                self.waits[next].missing.get_or_insert(place_number(step));
            }
            self.need_over(next);
        }
    }

    fn need_over(&mut self, step: Index) {
        let waits = &mut self.waits[step];
        waits.pending_needs -= 1;
        if waits.pending_needs > 0 || self.steps[step].status != Status::Waiting {
            return;
        }
        match self.waits[step].missing {
            Some(_) => self.to_skip.insert(step),
            None => self.make_ready(step),
        }
    }

    /// A step that failed and takes the run with it.
    fn fail_run(&mut self, step: Index, reason: String) {
        self.steps[step].status = Status::Failed;
        self.unfinished -= 1;
        self.limits.release(step);
        self.failures.push((step, reason));
    }
}

fn merge_targets(known: &mut Vec<Target>, more: &[Target]) {
    for target in more {
        if !known.contains(target) {
            known.push(target.clone());
        }
    }
}
