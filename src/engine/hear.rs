//! What the driver records of what work tells it.

use super::EngineError;
use super::carry::to_value;
use super::core::StopReason;
use super::doing::{lacked, with_last_words};
use super::drive::Driver;
use super::hand::Message;
use crate::action::{ActionError, ErasedTicket, Evidence, Intent, Known};
use crate::ids::StepId;
use crate::record::{AttemptResult, EffectKey, Failure, Mark, MarkKind, Settled, UndoResult, What};
use serde_json::Value;
use std::time::Duration;

impl Driver {
    /// Records what work tells.
    pub(super) fn take(&mut self, message: Message) -> Result<(), EngineError> {
        match message {
            Message::Intend { step, intent, effects, reply } => {
                let answer = self.intend(&step, &intent, effects)?;
                // An attempt that was dropped meanwhile does not use its tickets.
                let _ = reply.send(answer);
                Ok(())
            }
            Message::Known { step, key, settled } => self.known(step, key, settled),
            Message::Ended { step, attempt, result } => self.ended(step, attempt, result),
            Message::LookedUp { step, settled } => {
                self.hand.lookups.remove(&step);
                settled.into_iter().try_for_each(|(key, settled)| self.known(step.clone(), key, settled))
            }
            Message::Undone { step, attempt, result } => self.undone(step, attempt, result),
            Message::WatchDue { step } => self.begin_watch(step),
            Message::Superseded { step, superseded } => self.superseded(step, superseded),
            Message::Evidence { step, evidence, error } => {
                let shown = |item: Evidence| Evidence {
                    title: self.ledger.redactor.clean(&item.title),
                    text: self.ledger.redactor.clean(&item.text),
                };
                let evidence: Vec<_> = evidence.into_iter().map(shown).collect();
                let blob = match evidence.is_empty() {
                    true => None,
                    false => Some(self.ledger.seal(&to_value(&evidence))?),
                };
                self.ledger.record(What::EvidenceKept { step, evidence: blob, error })?;
                self.evidence.cancel();
                Ok(())
            }
            Message::Verified { failure } => {
                self.hand.verifying = false;
                self.ledger.record(What::RollbackVerified { failure: failure.map(|failure| self.ledger.redactor.failure(&failure)) })
            }
        }
    }

    /// While the run is stopped where it is, an attempt that did not come to its end is to be begun again. One that came to it by itself
    /// just then, and failed, is not: the signal that stops the run may have been heard by its program, too.
    pub(super) fn take_halting(&mut self, message: Message) -> Result<(), EngineError> {
        match message {
            Message::Intend { reply, .. } => {
                let _ = reply.send(Err(ActionError::transient("the run is being stopped")));
                Ok(())
            }
            Message::Ended { step, attempt, result: Err(_) } if !self.has_failed_by_itself(&step) => {
                self.hand.attempts.remove(&step);
                self.keep_lines(&step, attempt, false)?;
                self.settle_unbegun(&step)?;
                self.ledger.record(What::AttemptEnded { step, attempt, result: AttemptResult::Interrupted })
            }
            Message::Undone { step, attempt, result: Err(_) } => {
                self.hand.undos.remove(&step);
                self.keep_lines(&step, attempt, true)?;
                self.ledger.record(What::UndoEnded { step, attempt, result: UndoResult::Interrupted })
            }
            other => self.take(other),
        }
    }

    /// An attempt tells its end when nothing of it is in flight any more. What it had not begun by then it will not do, and nobody has to
    /// look that up; what is known of earlier attempts is as true as before.
    fn settle_unbegun(&mut self, step: &StepId) -> Result<(), EngineError> {
        let Some(state) = self.ledger.core.step(step) else { return Ok(()) };
        let unbegun: Vec<_> = state.open_effects().map(|(key, effect)| (key.clone(), effect.known.clone())).collect();
        for (key, known) in unbegun {
            self.ledger.record(match known {
                Some(Settled::Done(after)) => What::EffectDone { step: step.clone(), key, after },
                known => What::EffectSettled { step: step.clone(), key, settled: known.unwrap_or(Settled::NotDone) },
            })?;
        }
        Ok(())
    }

    /// True for an attempt that did something which may not be repeated, and of which all is known.
    fn has_failed_by_itself(&self, step: &StepId) -> bool {
        let did = self.hand.attempts.get(step).is_some_and(|work| work.has_done && !work.repeatable);
        did && self.ledger.core.step(step).is_some_and(|state| state.open_effects().next().is_none() && !state.has_unknown())
    }

    fn intend(
        &mut self,
        step: &StepId,
        intent: &Intent,
        effects: Vec<(EffectKey, Value)>,
    ) -> Result<Result<Vec<ErasedTicket>, ActionError>, EngineError> {
        let stopped = self.hand.attempts.get(step).is_none_or(|work| work.stop.is_cancelled());
        if stopped {
            return Ok(Err(ActionError::transient("the step is being stopped")));
        }
        let mut tickets = Vec::with_capacity(effects.len());
        let mut intended = Vec::with_capacity(effects.len());
        for (key, undo) in effects {
            let earlier = self.ledger.core.step(step).and_then(|state| state.effects.get(&key)).cloned();
            let ticket = match earlier {
                Some(effect) => {
                    let known = match &effect.known {
                        None => Known::Open,
                        Some(settled) => Known::Settled(self.opened(settled)?),
                    };
                    intended.push((key.clone(), effect.undo));
                    ErasedTicket { key, undo: self.ledger.open(&effect.undo)?, known }
                }
                None => {
                    intended.push((key.clone(), self.ledger.seal(&undo)?));
                    ErasedTicket { key, undo, known: Known::Open }
                }
            };
            tickets.push(ticket);
        }
        let (class, irreversible) = (intent.class.clone(), intent.irreversible);
        self.ledger.record(What::EffectsIntended { step: step.clone(), effects: intended, class, irreversible })?;
        Ok(Ok(tickets))
    }

    fn known(&mut self, step: StepId, key: EffectKey, settled: Settled<Value>) -> Result<(), EngineError> {
        if let (Settled::Done(_), Some(work)) = (&settled, self.hand.attempts.get_mut(&step)) {
            work.has_done = true;
        }
        let earlier = self.ledger.core.step(&step).and_then(|state| state.effects.get(&key)).and_then(|effect| effect.done());
        let what = match (settled, earlier) {
            // This attempt did nothing; what an earlier one is known to have done is there all the same.
            (Settled::NotDone, Some(after)) => What::EffectDone { after: *after, step, key },
            (Settled::Done(after), _) => What::EffectDone { step, key, after: self.ledger.seal(&after)? },
            (Settled::NotDone, _) => What::EffectSettled { step, key, settled: Settled::NotDone },
            (Settled::Other(why), _) => What::EffectSettled { step, key, settled: Settled::Other(self.ledger.redactor.clean(&why)) },
            (Settled::Unknown(why), _) => What::EffectSettled { step, key, settled: Settled::Unknown(self.ledger.redactor.clean(&why)) },
        };
        self.ledger.record(what)
    }

    fn ended(&mut self, step: StepId, attempt: u32, result: Result<Value, ActionError>) -> Result<(), EngineError> {
        let reason = self.hand.attempts.remove(&step).and_then(|work| work.reason);
        let last = self.sink.doings.take(&step);
        self.keep_lines(&step, attempt, false)?;
        let succeeded = result.is_ok();
        let result = match result {
            Ok(output) => {
                let blob = if output.is_null() { None } else { Some(self.ledger.seal(&output)?) };
                if !output.is_null() {
                    self.outputs.insert(step.clone(), output);
                }
                AttemptResult::Succeeded { output: blob }
            }
            Err(error) => self.failed(&step, reason, last, error.into_failure()),
        };
        self.ledger.record(What::AttemptEnded { step: step.clone(), attempt, result })?;
        if succeeded { self.watch(&step) } else { Ok(()) }
    }

    /// Keeps the end of what a step's programs printed, so that it can be read when the screen is gone.
    fn keep_lines(&mut self, step: &StepId, attempt: u32, undo: bool) -> Result<(), EngineError> {
        let Some(tail) = self.sink.take_tail(step) else { return Ok(()) };
        // A secret may have become known only after the line was printed.
        let lines: Vec<String> = tail.lines.iter().map(|line| self.ledger.redactor.clean(line)).collect();
        let lines = self.ledger.seal(&to_value(&lines))?;
        self.ledger.record(What::LinesKept { step: step.clone(), attempt, undo, lines, dropped: tail.dropped })
    }

    fn failed(&self, step: &StepId, reason: Option<StopReason>, last: Option<String>, failure: Failure) -> AttemptResult {
        let retry_at = |failure: &Failure| {
            let now = self.ledger.clock.now();
            self.ledger.core.retry_delay(step, failure, now).map(|delay| now.after(self.jittered(delay)))
        };
        match reason {
            Some(StopReason::GoingBack) => AttemptResult::Cancelled,
            Some(StopReason::TimedOut) => {
                let causes = lacked(last, failure.message).into_iter().chain(failure.causes).collect();
                let failure = Failure { message: "it took longer than it may".to_owned(), causes, retriable: true, ..failure };
                AttemptResult::TimedOut { retry_at: retry_at(&failure), failure }
            }
            None => AttemptResult::Failed { retry_at: retry_at(&failure), failure },
        }
    }

    /// Full delays plus up to a fifth: failed neighbours do not come back all at once.
    fn jittered(&self, delay: Duration) -> Duration {
        delay.mul_f64(1.0 + self.random.fraction() / 5.0)
    }

    fn undone(&mut self, step: StepId, attempt: u32, result: Result<Vec<Mark>, ActionError>) -> Result<(), EngineError> {
        self.hand.undos.remove(&step);
        let last = self.sink.doings.take(&step);
        self.keep_lines(&step, attempt, true)?;
        let residue = |marks: &[Mark]| marks.iter().find(|mark| mark.kind == MarkKind::Residue).cloned();
        let result = match result {
            Ok(marks) => match residue(&marks) {
                None => UndoResult::Undone { marks },
                Some(mark) => {
                    let why = if mark.notes.is_empty() { "it is still there".to_owned() } else { mark.notes.join("; ") };
                    let failure = Failure { retriable: true, ..Failure::permanent(format!("{}: {why}", mark.key.0)) };
                    self.undo_failed(&step, failure, marks)
                }
            },
            Err(error) => self.undo_failed(&step, with_last_words(error.into_failure(), last), Vec::new()),
        };
        self.ledger.record(What::UndoEnded { step, attempt, result })
    }

    fn undo_failed(&self, step: &StepId, failure: Failure, marks: Vec<Mark>) -> UndoResult {
        let now = self.ledger.clock.now();
        let retry_at = self.ledger.core.undo_delay(step, &failure, now).map(|delay| now.after(self.jittered(delay)));
        UndoResult::Failed { failure, marks, retry_at }
    }
}
