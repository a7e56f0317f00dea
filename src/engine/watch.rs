//! Keeps an eye on what steps have written, until the run closes. It only tells: what others changed is theirs.

use super::EngineError;
use super::core::{Status, Undo};
use super::drive::Driver;
use super::hand::Message;
use crate::action::Superseded;
use crate::ids::StepId;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// Before that nothing is opened or asked: most runs are over by then, and what happens meanwhile is seen afterwards.
const UNWATCHED: Duration = Duration::from_secs(1);

/// Most steps that are watched: each may take a connection for each kind and namespace, which the run itself must not lack.
const MOST: usize = 32;

impl Driver {
    /// Watches what the steps wrote that were done before this process took the run up.
    pub(super) fn watch_all(&mut self) -> Result<(), EngineError> {
        if self.ledger.core.rollback().is_some() {
            return Ok(());
        }
        let done = self.ledger.core.steps().filter(|(_, step)| step.status == Status::Succeeded && step.undo == Undo::No);
        let done: Vec<StepId> = done.map(|(id, _)| id.clone()).collect();
        done.iter().try_for_each(|step| self.watch(step))
    }

    /// Watches what a step wrote, from a moment later on.
    pub(super) fn watch(&mut self, step: &StepId) -> Result<(), EngineError> {
        let (Some(state), Some(summary)) = (self.ledger.core.step(step), self.ledger.core.summary(step)) else { return Ok(()) };
        let action = self.registry.get(summary.kind.as_str()).filter(|action| action.is_watched());
        if action.is_none() || state.effects.is_empty() || self.hand.watches.len() >= MOST {
            return Ok(());
        }
        let (step, clock, messages) = (step.clone(), Arc::clone(&self.ledger.clock), self.messages.clone());
        let later = {
            let step = step.clone();
            async move {
                clock.sleep(UNWATCHED).await;
                let _ = messages.send(Message::WatchDue { step });
            }
        };
        self.hand.watches.insert(step, AbortOnDropHandle::new(tokio::spawn(later)));
        Ok(())
    }

    /// Begins to watch, unless the step has been taken back meanwhile.
    pub(super) fn begin_watch(&mut self, step: StepId) -> Result<(), EngineError> {
        let kind = self.ledger.core.summary(&step).map(|summary| summary.kind.clone());
        let action = kind.and_then(|kind| self.registry.get(kind.as_str()).cloned());
        let (Some(action), true) = (action, self.hand.watches.contains_key(&step)) else { return Ok(()) };
        // A mere eye ends no run: what cannot be read is not watched.
        let (Ok(Some(rendered)), Ok(effects)) = (self.rendered(&step), self.begun(&step)) else { return Ok(()) };
        let messages = self.messages.clone();
        let cx = self.read_cx(&step, CancellationToken::new());
        let watching = async move {
            let step = cx.step.clone();
            let tell = |superseded| drop(messages.send(Message::Superseded { step: step.clone(), superseded }));
            action.watch(cx, rendered.params, effects, &tell).await;
        };
        self.hand.watches.insert(step, AbortOnDropHandle::new(tokio::spawn(watching)));
        Ok(())
    }

    /// Tells what a watch saw. What another step of this run may have done is no news, and no hand is told twice.
    pub(super) fn superseded(&mut self, step: StepId, superseded: Superseded) -> Result<(), EngineError> {
        let may_be_ours = superseded.by.is_none() && (self.writers.has_other(&step, &superseded.target) || self.deletes_by_kind());
        if may_be_ours || !self.hand.watches.contains_key(&step) || !self.told.insert(superseded.clone()) {
            return Ok(());
        }
        let what = superseded.target.0.trim_start_matches("kube:");
        let text = match superseded.by {
            Some(by) => format!("{what} is superseded by {by}: what was changed there stays, also if this run is taken back"),
            None => format!("{what} was deleted, and not by a step of this run that names it"),
        };
        self.warn(Some(step), text)
    }

    /// True when a step of the run may have deleted objects that it does not name one by one.
    fn deletes_by_kind(&self) -> bool {
        self.ledger.core.steps().any(|(_, step)| step.targets.iter().any(|target| target.0.contains('*')))
    }
}
