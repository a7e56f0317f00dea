//! What attempts and compensations do in a case: they begin, intend, change the world, fail and end, as their scripts and the dice say.

use super::super::invariants;
use super::{Attempt, Flaw, Run, Runner, UndoWork, blob, key};
use crate::engine::core::{Command, Status, StopReason};
use crate::ids::StepId;
use crate::record::{AttemptResult, BlobRef, EffectKey, Failure, Mark, MarkKind, Outcome, Role, Settled, SkipReason, UndoResult, What};

impl Runner<'_> {
    /// Carries a command out, or finds that it is in hand. True when something changed.
    pub(super) fn carry_out(&mut self, command: Command) -> Run<bool> {
        match command {
            Command::Record(what) => self.record(what).map(|()| true),
            Command::Start { step, attempt } => self.start(&step, attempt),
            Command::Stop { step, reason } => {
                let step = self.place(&step);
                let found = self.attempts.iter_mut().find(|attempt| attempt.step == step && attempt.stop.is_none());
                Ok(found.map(|attempt| attempt.stop = Some(reason)).is_some())
            }
            Command::Settle { step } => self.settle(&step).map(|()| true),
            Command::StartUndo { step, attempt } => self.start_undo(&step, attempt),
            Command::StopUndo { step } => {
                let step = self.place(&step);
                let found = self.undos.iter_mut().find(|undo| undo.step == step && !undo.stop);
                Ok(found.map(|undo| undo.stop = true).is_some())
            }
            Command::TakeEvidence { step } => {
                let late = self.in_hand.insert(step.clone()) || !self.dice.one_in(3);
                if !late {
                    self.record(What::EvidenceKept { step, evidence: None, error: None })?;
                }
                Ok(!late || (self.attempts.is_empty() && self.undos.is_empty()))
            }
            Command::Verify { .. } => self.record(What::RollbackVerified { failure: None }).map(|()| true),
            Command::Halt { reason } => self.record(What::RunHalted { outcome: Outcome::Halted, reason }).map(|()| true),
        }
    }

    fn start(&mut self, id: &StepId, attempt: u32) -> Run<bool> {
        let step = self.place(id);
        if self.flaw == Some(Flaw::StartEarly)
            && let Some(early) = (0..self.case.scripts.len()).find(|step| self.state(*step).status == Status::Waiting)
        {
            self.world.insert((early, 0), 1);
        }
        let script = &self.case.scripts[step];
        let until = match self.case.graph.steps[step].role {
            Role::Approve => {
                let (approved, by) = (script.approves, "somebody".to_owned());
                self.record(What::ApprovalAsked { step: id.clone(), message: String::new() })?;
                if !self.dice.one_in(3) {
                    self.record(What::ApprovalAnswered { step: id.clone(), approved, by, comment: None })?;
                }
                return Ok(true);
            }
            Role::Pause => Some(self.now.after(std::time::Duration::from_secs(5))),
            _ if script.skipped => {
                return self.record(What::StepSkipped { step: id.clone(), reason: SkipReason::Condition }).map(|()| true);
            }
            _ => None,
        };
        let (targets, fails) = (script.targets.clone(), self.state(step).failures < script.failures);
        self.record(What::AttemptStarted { step: id.clone(), attempt, params: Some(blob(0)), targets, until })?;
        if until.is_none() {
            self.attempts.push(Attempt { step, number: attempt, fails, intended: false, begun: 0, recorded: 0, stop: None });
        }
        invariants::keep_limits(self).map(|()| true)
    }

    pub(super) fn settle(&mut self, id: &StepId) -> Run<()> {
        let step = self.place(id);
        let open: Vec<EffectKey> = self.state(step).open_effects().map(|(key, _)| key.clone()).collect();
        for effect in open {
            let done = self.world.get(&(step, number(&effect))) == Some(&1);
            let is_away = !self.case.steady && self.dice.one_in(8);
            let settled = match (self.case.scripts[step].opaque || is_away, done) {
                (true, _) => Settled::Unknown("nobody answers".into()),
                (false, true) => Settled::Done(blob(1)),
                (false, false) => Settled::NotDone,
            };
            self.record(What::EffectSettled { step: id.clone(), key: effect, settled })?;
        }
        Ok(())
    }

    fn start_undo(&mut self, id: &StepId, attempt: u32) -> Run<bool> {
        let step = self.place(id);
        if self.flaw == Some(Flaw::UndoOutOfOrder)
            && let Some(other) = (0..step).find(|other| self.state(*other).undo == crate::engine::core::Undo::No && self.touched(*other))
        {
            invariants::may_be_undone(self, other)?;
        }
        self.record(What::UndoStarted { step: id.clone(), attempt })?;
        let fails = self.undo_failures[step] > 0;
        self.undo_failures[step] -= u32::from(fails);
        self.undos.push(UndoWork { step, number: attempt, fails, restored: 0, stop: false });
        invariants::keep_limits(self).map(|()| true)
    }

    /// Lets one attempt or compensation, chosen by the dice, do its next bit of work.
    pub(super) fn work(&mut self) -> Run<bool> {
        let able: Vec<usize> = (0..self.attempts.len()).filter(|place| self.can_move(&self.attempts[*place])).collect();
        let all = able.len() + self.undos.len();
        if all == 0 {
            return Ok(false);
        }
        match self.dice.below(all) {
            place if place < able.len() => self.work_on_attempt(able[place])?,
            place => self.work_on_undo(place - able.len())?,
        }
        Ok(true)
    }

    fn can_move(&self, attempt: &Attempt) -> bool {
        let script = &self.case.scripts[attempt.step];
        let hangs = attempt.fails && script.hangs && attempt.begun >= script.fails_after && attempt.begun == attempt.recorded;
        attempt.stop.is_some() || !hangs
    }

    fn work_on_attempt(&mut self, place: usize) -> Run<()> {
        let script = &self.case.scripts[self.attempts[place].step];
        let attempt = &self.attempts[place];
        let (step, id) = (attempt.step, self.id(attempt.step));
        if attempt.begun > attempt.recorded {
            let effect = attempt.recorded;
            self.attempts[place].recorded += 1;
            return self.record(What::EffectDone { step: id, key: key(effect), after: blob(1) });
        }
        let over = attempt.stop.is_some() || attempt.begun == script.effects || (attempt.fails && attempt.begun >= script.fails_after);
        if !attempt.intended && !over {
            self.attempts[place].intended = true;
            return self.intend(step);
        }
        if !over {
            let effect = attempt.begun;
            self.durable = self.records.len();
            if self.flaw != Some(Flaw::DropIntent) || effect > 0 {
                invariants::may_leave(self, step, &key(effect))?;
            }
            self.world.insert((step, effect), 1);
            self.attempts[place].begun += 1;
            return Ok(());
        }
        self.end_attempt(place)
    }

    fn intend(&mut self, step: usize) -> Run<()> {
        let script = &self.case.scripts[step];
        let mut effects = Vec::new();
        for effect in 0..script.effects {
            let before = self.world.get(&(step, effect)).copied().unwrap_or(0);
            if self.flaw == Some(Flaw::DropIntent) && effect == 0 {
                continue;
            }
            if self.flaw == Some(Flaw::Recapture) {
                self.recaptured.insert((step, effect), before);
            }
            effects.push((key(effect), blob(before)));
        }
        self.record(What::EffectsIntended { step: self.id(step), effects, class: Some(script.class.clone()), irreversible: false })
    }

    fn end_attempt(&mut self, place: usize) -> Run<()> {
        let attempt = self.attempts.swap_remove(place);
        let id = self.id(attempt.step);
        let is_whole = !attempt.fails && attempt.begun == self.case.scripts[attempt.step].effects;
        let failure = Failure { retriable: true, ..Failure::permanent("it failed") };
        let retry_at = self.core.retry_delay(&id, &failure, self.now).map(|delay| self.now.after(delay));
        let result = match attempt.stop {
            // Its last request may get through all the same.
            Some(StopReason::GoingBack) if is_whole && self.dice.one_in(2) => AttemptResult::Succeeded { output: None },
            Some(StopReason::GoingBack) => AttemptResult::Cancelled,
            Some(StopReason::TimedOut) => AttemptResult::TimedOut { failure, retry_at },
            None if attempt.fails => AttemptResult::Failed { failure, retry_at },
            None => AttemptResult::Succeeded { output: None },
        };
        self.record(What::AttemptEnded { step: id, attempt: attempt.number, result })
    }

    fn work_on_undo(&mut self, place: usize) -> Run<()> {
        let undo = &self.undos[place];
        let (step, id, number) = (undo.step, self.id(undo.step), undo.number);
        let effects = self.case.scripts[step].effects;
        let forgets = self.flaw == Some(Flaw::ForgetFailed) && self.state(step).status == Status::Failed;
        let gives_up = undo.fails && undo.restored >= effects / 2;
        if undo.restored < effects && !forgets && !gives_up && !undo.stop {
            let effect = undo.restored;
            self.undos[place].restored += 1;
            return self.restore(step, effect);
        }
        let undo = self.undos.swap_remove(place);
        let failure = Failure { retriable: true, ..Failure::permanent("it cannot be taken back") };
        let result = match undo.fails || undo.stop {
            true => {
                let retry_at = self.core.undo_delay(&id, &failure, self.now).map(|delay| self.now.after(delay));
                UndoResult::Failed { failure, marks: Vec::new(), retry_at }
            }
            false => UndoResult::Undone { marks: vec![Mark { key: key(0), kind: MarkKind::Restored, notes: Vec::new() }] },
        };
        self.record(What::UndoEnded { step: id, attempt: number, result })
    }

    fn restore(&mut self, step: usize, effect: usize) -> Run<()> {
        self.durable = self.records.len();
        if self.world.get(&(step, effect)).copied().unwrap_or(0) != 0 {
            invariants::may_be_undone(self, step)?;
        }
        let Some(captured) = self.state(step).effects.get(&key(effect)) else { return Ok(()) };
        let before = number_in(&captured.undo);
        let before = self.recaptured.get(&(step, effect)).copied().unwrap_or(before);
        self.world.insert((step, effect), before);
        Ok(())
    }
}

fn number(key: &EffectKey) -> usize {
    key.0.parse().expect("a number")
}

/// What [`blob`] was made from.
fn number_in(blob: &BlobRef) -> i64 {
    let mut value = [0; 8];
    value.copy_from_slice(&blob.id.0[..8]);
    i64::from_le_bytes(value)
}
