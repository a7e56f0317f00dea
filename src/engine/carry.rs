//! How the driver carries out what the core decided.

use super::EngineError;
use super::attempt::{Attempt, look_up_all};
use super::core::Command;
use super::drive::{Driver, Next};
use super::hand::Work;
use super::program::{Compensation, Rendered};
use super::retreat::{EVIDENCE_WITHIN, Retreat, take_evidence, verify};
use super::settle::Lookup;
use crate::action::{ActionError, DynEffect, ErasedTicket, Known, UndoCx};
use crate::ids::{Moment, StepId};
use crate::record::{AttemptResult, BlobRef, EffectKey, Failure, Role, Scope, Settled, SkipReason, Target, UndoResult, What};
use serde_json::Value;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

impl Driver {
    /// Carries out everything that the core wants now.
    pub(super) fn carry_out_all(&mut self) -> Result<Next, EngineError> {
        loop {
            self.settle_doubts()?;
            let now = self.ledger.clock.now();
            let decision = self.ledger.core.decide(now);
            let before = self.ledger.core.next_seq();
            for command in decision.commands {
                if let Command::Halt { reason } = command {
                    return Ok(Next::Halt(reason));
                }
                self.carry_out(command, now)?;
            }
            if self.ledger.core.closed().is_some() || self.ledger.core.halted().is_some() {
                return Ok(Next::Over);
            }
            if self.ledger.core.next_seq() == before {
                return Ok(Next::Wait(decision.wake));
            }
        }
    }

    /// What people said of steps in doubt is used as soon as the doubt is there, and nobody is being asked who may know better.
    fn settle_doubts(&mut self) -> Result<(), EngineError> {
        let core = &self.ledger.core;
        let is_asked = |step: &StepId| core.step(step).is_some_and(|state| state.open_effects().next().is_some());
        let is_due = |(step, (done, _)): &(&StepId, &(bool, String))| core.takes_answer(step, *done) && !is_asked(step);
        let due: Vec<StepId> = self.answers.iter().filter(is_due).map(|(step, _)| step.clone()).collect();
        for step in due {
            if let Some((done, by)) = self.answers.remove(&step) {
                self.ledger.record(What::DoubtAnswered { step, done, by, earlier_stands: !done })?;
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, command: Command, now: Moment) -> Result<(), EngineError> {
        match command {
            Command::Record(what) => self.ledger.record(what),
            Command::Start { step, attempt } => self.start(step, attempt, now),
            Command::Stop { step, reason } => {
                if let Some(work) = self.hand.attempts.get_mut(&step).filter(|work| work.reason.is_none()) {
                    work.reason = Some(reason);
                    work.stop.cancel();
                }
                Ok(())
            }
            Command::Settle { step } => self.settle(step),
            Command::StartUndo { step, attempt } => self.start_undo(step, attempt),
            Command::StopUndo { step } => {
                if let Some(work) = self.hand.undos.get(&step) {
                    work.stop.cancel();
                }
                Ok(())
            }
            Command::TakeEvidence { step } => self.start_evidence(step),
            Command::Verify { scope } => {
                self.start_verify(&scope);
                Ok(())
            }
            // Looked at before any command is carried out.
            Command::Halt { .. } => Ok(()),
        }
    }

    fn start(&mut self, step: StepId, attempt: u32, now: Moment) -> Result<(), EngineError> {
        let Some(role) = self.ledger.core.summary(&step).map(|summary| summary.role) else { return Ok(()) };
        // An attempt that never got as far as its parameters has said nothing about the condition.
        if self.ledger.core.step(&step).is_none_or(|state| state.params.is_none()) {
            match self.program.holds(&step, &self.outputs) {
                Ok(true) => {}
                Ok(false) => return self.ledger.record(What::StepSkipped { step, reason: SkipReason::Condition }),
                Err(failure) => return self.fail_at_once(step, attempt, failure),
            }
        }
        match role {
            Role::Approve => match self.program.question(&step, &self.outputs) {
                Ok(message) => self.ledger.record(What::ApprovalAsked { step, message }),
                Err(failure) => self.fail_at_once(step, attempt, failure),
            },
            Role::Pause => match self.program.pause(&step, &self.outputs) {
                Ok(time) => {
                    let until = Some(now.after(time));
                    self.ledger.record(What::AttemptStarted { step, attempt, params: None, targets: Vec::new(), until })
                }
                Err(failure) => self.fail_at_once(step, attempt, failure),
            },
            Role::Action | Role::Guard => self.start_action(step, attempt),
        }
    }

    fn fail_at_once(&mut self, step: StepId, attempt: u32, failure: Failure) -> Result<(), EngineError> {
        self.begin_attempt(&step, attempt, None, Vec::new())?;
        self.ledger.record(What::AttemptEnded { step, attempt, result: AttemptResult::Failed { failure, retry_at: None } })
    }

    /// What was said of an attempt before says nothing of this one, whether it was needed or not.
    fn begin_attempt(&mut self, step: &StepId, attempt: u32, params: Option<BlobRef>, targets: Vec<Target>) -> Result<(), EngineError> {
        self.answers.remove(step);
        self.ledger.record(What::AttemptStarted { step: step.clone(), attempt, params, targets, until: None })
    }

    fn start_action(&mut self, step: StepId, attempt: u32) -> Result<(), EngineError> {
        let (rendered, known) = match self.rendered(&step)? {
            // The first attempt's parameters stay: what is undone must be what was done.
            Some(rendered) => (rendered, true),
            None => match self.program.render(&step, &self.outputs) {
                Ok(rendered) => (rendered, false),
                Err(failure) => return self.fail_at_once(step, attempt, failure),
            },
        };
        let Some(action) = self.registry.get(rendered.kind.as_str()).cloned() else {
            let failure = Failure::permanent(format!("this bowline does not know the action `{}`", rendered.kind));
            return self.fail_at_once(step, attempt, failure);
        };
        let prepared = match action.prepare(&self.scope, &self.frozen, &rendered.params) {
            Ok(prepared) => prepared,
            Err(error) => return self.fail_at_once(step, attempt, error.into_failure()),
        };
        if let Some(problem) = prepared.problems.into_iter().next() {
            return self.fail_at_once(step, attempt, Failure::permanent(problem));
        }
        let allowed = self.writers.check(&self.ledger.core, &step, &prepared.targets).and_then(|()| self.check_undo(&rendered.undo));
        if let Err(failure) = allowed {
            return self.fail_at_once(step, attempt, failure);
        }
        let params = match known {
            true => None,
            false => Some(self.ledger.seal(&to_value(&rendered))?),
        };
        self.writers.note(&step, &prepared.targets);
        self.begin_attempt(&step, attempt, params, prepared.targets)?;
        let idempotent = self.ledger.core.summary(&step).is_some_and(|summary| summary.idempotent);
        let work = Work { repeatable: prepared.repeatable || idempotent, ..Work::new() };
        let earlier = self.begun(&step)?.into_iter().map(|DynEffect { key, undo, known }| ErasedTicket { key, undo, known });
        let attempt = Attempt {
            action,
            params: rendered.params,
            attempt,
            earlier: earlier.collect(),
            cx: self.read_cx(&step, work.stop.clone()),
            journal: Arc::clone(&self.ledger.journal),
            clock: Arc::clone(&self.ledger.clock),
            messages: self.messages.clone(),
            permit: Arc::clone(&self.permit),
        };
        self.hand.attempts.insert(step, work);
        tokio::spawn(attempt.run());
        Ok(())
    }

    /// What is to take a step back must be sound before the step does anything.
    fn check_undo(&self, undo: &Compensation) -> Result<(), Failure> {
        let Compensation::Steps(steps) = undo else { return Ok(()) };
        for (kind, params) in steps {
            let unknown = || Failure::permanent(format!("this bowline does not know the action `{kind}` of the step's undo"));
            let action = self.registry.get(kind.as_str()).ok_or_else(unknown)?;
            let prepared = action.prepare(&self.scope, &self.frozen, params).map_err(ActionError::into_failure)?;
            if let Some(problem) = prepared.problems.into_iter().next() {
                return Err(Failure::permanent(format!("the step's undo cannot work: {problem}")));
            }
        }
        Ok(())
    }

    /// The parameters that were rendered for a step's first attempt.
    pub(super) fn rendered(&self, step: &StepId) -> Result<Option<Rendered>, EngineError> {
        let Some(blob) = self.ledger.core.step(step).and_then(|state| state.params.as_ref()) else { return Ok(None) };
        let value = self.ledger.open(blob)?;
        let rendered = serde_json::from_value(value);
        rendered
            .map(Some)
            .map_err(|e| crate::journal::JournalError::Damaged(format!("the parameters of {step} cannot be read: {e}")).into())
    }

    fn settle(&mut self, step: StepId) -> Result<(), EngineError> {
        if self.hand.lookups.contains_key(&step) {
            return Ok(());
        }
        let open: Vec<EffectKey> = match self.ledger.core.step(&step) {
            Some(state) => state.open_effects().map(|(key, _)| key.clone()).collect(),
            None => Vec::new(),
        };
        let rendered = self.rendered(&step)?;
        let action = rendered.as_ref().and_then(|rendered| self.registry.get(rendered.kind.as_str()).cloned());
        let (Some(rendered), Some(action)) = (rendered, action) else {
            for key in open {
                let settled = Settled::Unknown("its parameters are not known".to_owned());
                self.ledger.record(What::EffectSettled { step: step.clone(), key, settled })?;
            }
            return Ok(());
        };
        let begun = self.begun(&step)?.into_iter().filter(|effect| open.contains(&effect.key));
        let open = begun.map(|DynEffect { key, undo, known }| ErasedTicket { key, undo, known }).collect();
        let work = Work::new();
        let cx = self.read_cx(&step, work.stop.clone());
        let lookup = Lookup { action, cx, params: rendered.params, clock: Arc::clone(&self.ledger.clock) };
        self.hand.lookups.insert(step.clone(), work);
        tokio::spawn(look_up_all(lookup, open, self.messages.clone(), step));
        Ok(())
    }

    pub(super) fn begun(&self, step: &StepId) -> Result<Vec<DynEffect>, EngineError> {
        let Some(state) = self.ledger.core.step(step) else { return Ok(Vec::new()) };
        let effects = state.effects.iter().map(|(key, effect)| {
            let known = match &effect.known {
                None => Known::Open,
                Some(settled) => Known::Settled(self.opened(settled)?),
            };
            Ok(DynEffect { key: key.clone(), undo: self.ledger.open(&effect.undo)?, known })
        });
        effects.collect()
    }

    pub(super) fn opened(&self, settled: &Settled<BlobRef>) -> Result<Settled<Value>, EngineError> {
        Ok(match settled {
            Settled::NotDone => Settled::NotDone,
            Settled::Done(after) => Settled::Done(self.ledger.open(after)?),
            Settled::Other(why) => Settled::Other(why.clone()),
            Settled::Unknown(why) => Settled::Unknown(why.clone()),
        })
    }

    fn start_undo(&mut self, step: StepId, attempt: u32) -> Result<(), EngineError> {
        self.hand.watches.remove(&step);
        let effects = self.begun(&step)?;
        let unknown = Failure::permanent("its parameters are not known");
        let rendered = self.rendered(&step)?;
        self.ledger.record(What::UndoStarted { step: step.clone(), attempt })?;
        let Some(rendered) = rendered else {
            let result = UndoResult::Failed { failure: unknown, marks: Vec::new(), retry_at: None };
            return self.ledger.record(What::UndoEnded { step, attempt, result });
        };
        let work = Work::new();
        let cx = UndoCx { read: self.read_cx(&step, work.stop.clone()), evidence: self.evidence_token() };
        let retreat = Retreat {
            registry: self.registry.clone(),
            rendered,
            effects,
            done: Arc::clone(self.hand.undone.entry(step.clone()).or_default()),
            spared: self.ledger.core.spared().to_vec(),
            cx,
            attempt,
            journal: Arc::clone(&self.ledger.journal),
            clock: Arc::clone(&self.ledger.clock),
            messages: self.messages.clone(),
            permit: Arc::clone(&self.permit),
        };
        self.hand.undos.insert(step, work);
        tokio::spawn(retreat.run());
        Ok(())
    }

    /// Fires when the evidence is kept. Where none is taken, nothing waits for it.
    fn evidence_token(&self) -> CancellationToken {
        let cause = self.ledger.core.rollback().and_then(|rollback| rollback.cause.step.as_ref());
        let due = cause.is_some_and(|step| self.ledger.core.wants_evidence(step));
        match due {
            true => self.evidence.clone(),
            false => {
                let nothing_to_wait_for = CancellationToken::new();
                nothing_to_wait_for.cancel();
                nothing_to_wait_for
            }
        }
    }

    fn start_evidence(&mut self, step: StepId) -> Result<(), EngineError> {
        if self.hand.evidence.is_some() {
            return Ok(());
        }
        let (rendered, effects) = (self.rendered(&step)?, self.begun(&step)?);
        let cx = self.read_cx(&step, CancellationToken::new());
        let clock = Arc::clone(&self.ledger.clock);
        tokio::spawn(take_evidence(self.registry.clone(), rendered, effects, cx, Arc::clone(&clock), self.messages.clone()));
        let token = self.evidence.clone();
        tokio::spawn(async move {
            clock.sleep(EVIDENCE_WITHIN).await;
            token.cancel();
        });
        self.hand.evidence = Some(step);
        Ok(())
    }

    fn start_verify(&mut self, scope: &Scope) {
        if std::mem::replace(&mut self.hand.verifying, true) {
            return;
        }
        let wanted = self.program.verification(scope, &self.outputs);
        let name = match (&wanted, self.ledger.core.graph().steps.first()) {
            (Ok(Some(verification)), _) => verification.guard.clone(),
            (_, Some(step)) => step.id.clone(),
            (_, None) => return,
        };
        let cx = self.read_cx(&name, CancellationToken::new());
        tokio::spawn(verify(self.registry.clone(), wanted, cx, self.messages.clone(), Arc::clone(&self.permit)));
    }
}

/// Types of ours always have a JSON form; `null` would be found when it is read back.
pub(super) fn to_value<T: serde::Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}
