//! The work of going back: compensations, evidence and the look afterwards. Runs beside the driver and tells it by messages.

use super::effects::Unjournaled;
use super::guarded::to_its_end;
use super::hand::Message;
use super::permit::Permit;
use super::program::{Compensation, Rendered, Verification};
use crate::action::{ActionError, DynEffect, Effects, ReadCx, Registry, UndoCx};
use crate::ids::ActionKind;
use crate::journal::RunJournal;
use crate::ports::Clock;
use crate::record::{Failure, Mark, MarkKind, Target};
use futures::FutureExt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

/// How long a workload's compensation waits for the evidence of the failure.
pub(super) const EVIDENCE_WITHIN: Duration = Duration::from_secs(5);
/// What is said of what stays because of a later run.
const SPARED: &str = "a later run wrote it, or may have built on it: it stays";
/// One try of one compensation.
pub(super) struct Retreat {
    pub(super) registry: Registry,
    pub(super) rendered: Rendered,
    pub(super) effects: Vec<DynEffect>,
    /// How many actions of the plan's own undo are done: the next try goes on there.
    pub(super) done: Arc<AtomicUsize>,
    /// What later runs have written: it stays.
    pub(super) spared: Vec<Target>,
    pub(super) cx: UndoCx,
    pub(super) attempt: u32,
    pub(super) journal: Arc<dyn RunJournal>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) messages: mpsc::UnboundedSender<Message>,
    pub(super) permit: Arc<dyn Permit>,
}

impl Retreat {
    /// Runs it to its end, which the driver is told.
    pub(super) async fn run(self) {
        let (step, attempt, messages) = (self.cx.read.step.clone(), self.attempt, self.messages.clone());
        let result = self.compensate().await;
        let _ = messages.send(Message::Undone { step, attempt, result });
    }

    async fn compensate(self) -> Result<Vec<Mark>, ActionError> {
        // Taking back is an effect, too: nobody may find it done before the journal says that it was begun.
        self.journal.durable().await.map_err(|e| ActionError::permanent("the journal cannot be written").because(&e))?;
        tokio::select! {
            biased;
            entered = self.permit.entry() => entered.map_err(ActionError::transient)?,
            () = self.cx.read.cancel.cancelled() => return Err(ActionError::transient("it was stopped")),
        }
        let (stop, clock) = (self.cx.read.cancel.clone(), Arc::clone(&self.clock));
        let tracker = TaskTracker::new();
        to_its_end(self.work(tracker.clone()), tracker, stop, &*clock).await
    }

    async fn work(self, tracker: TaskTracker) -> Result<Vec<Mark>, ActionError> {
        match &self.rendered.undo {
            Compensation::ByAction => {
                let action = find(&self.registry, &self.rendered.kind)?;
                let (spared, ours): (Vec<DynEffect>, Vec<DynEffect>) =
                    self.effects.iter().cloned().partition(|effect| effect.key.is_spared(&self.spared));
                let mut marks = match ours.is_empty() {
                    true => Vec::new(),
                    false => action.compensate(self.cx.clone(), self.rendered.params.clone(), ours).await?,
                };
                let kept = |effect: DynEffect| Mark { key: effect.key, kind: MarkKind::Kept, notes: vec![SPARED.to_owned()] };
                marks.extend(spared.into_iter().map(kept));
                Ok(marks)
            }
            Compensation::Nothing(why) => Ok(self.mark_all(MarkKind::Nothing, Some(why))),
            // What the plan's own undo touches nobody knows: it may be just what has to stay.
            Compensation::Steps(_) if self.effects.iter().any(|effect| effect.key.is_spared(&self.spared)) => {
                Ok(self.mark_all(MarkKind::Kept, Some(&SPARED.to_owned())))
            }
            Compensation::Steps(steps) => {
                // Nobody knows what they destroy: the evidence of the failure comes first.
                self.cx.evidence.cancelled().await;
                let action = find(&self.registry, &self.rendered.kind)?;
                action.make_way(self.cx.clone(), self.rendered.params.clone(), self.effects.clone()).await?;
                let effects: Arc<dyn Effects> =
                    Arc::new(Unjournaled { tracker, permit: Arc::clone(&self.permit), stopped: self.cx.read.cancel.clone() });
                for (at, (kind, params)) in steps.iter().enumerate().skip(self.done.load(Ordering::Relaxed)) {
                    let action = find(&self.registry, kind)?;
                    let done = action.perform(self.cx.read.clone(), Arc::clone(&effects), params.clone()).await;
                    done.map_err(|error| numbered(error, at + 1, steps.len()))?;
                    self.done.store(at + 1, Ordering::Relaxed);
                }
                Ok(self.mark_all(MarkKind::Restored, None))
            }
        }
    }

    fn mark_all(&self, kind: MarkKind, note: Option<&String>) -> Vec<Mark> {
        self.effects.iter().map(|effect| Mark { key: effect.key.clone(), kind, notes: note.into_iter().cloned().collect() }).collect()
    }
}

/// Which of several actions it was.
fn numbered(error: ActionError, number: usize, count: usize) -> ActionError {
    if count == 1 {
        return error;
    }
    let mut failure = error.into_failure();
    failure.message = format!("action {number} of {count} of its `undo`: {}", failure.message);
    failure.into()
}

fn find<'a>(registry: &'a Registry, kind: &ActionKind) -> Result<&'a Arc<dyn crate::action::DynAction>, ActionError> {
    registry.get(kind.as_str()).ok_or_else(|| ActionError::permanent(format!("this bowline does not know the action `{kind}`")))
}

/// Takes the evidence of a failure, within a time: going back must not wait long for it.
pub(super) async fn take_evidence(
    registry: Registry,
    rendered: Option<Rendered>,
    effects: Vec<DynEffect>,
    cx: ReadCx,
    clock: Arc<dyn Clock>,
    messages: mpsc::UnboundedSender<Message>,
) {
    let step = cx.step.clone();
    let action = rendered.and_then(|rendered| Some((registry.get(rendered.kind.as_str()).cloned()?, rendered.params)));
    let (evidence, error) = match action {
        None => (Vec::new(), None),
        Some((action, params)) => tokio::select! {
            evidence = AssertUnwindSafe(action.evidence(cx, params, effects)).catch_unwind() => (evidence.unwrap_or_default(), None),
            () = clock.sleep(EVIDENCE_WITHIN) => (Vec::new(), Some("it took too long".to_owned())),
        },
    };
    let _ = messages.send(Message::Evidence { step, evidence, error });
}

/// Looks whether the world is as it must be after the rollback.
pub(super) async fn verify(
    registry: Registry,
    wanted: Result<Option<Verification>, Failure>,
    cx: ReadCx,
    messages: mpsc::UnboundedSender<Message>,
    permit: Arc<dyn Permit>,
) {
    let failure = match wanted {
        Err(failure) => Some(failure),
        Ok(None) => None,
        Ok(Some(Verification { kind, params, .. })) => {
            let effects: Arc<dyn Effects> = Arc::new(Unjournaled { tracker: TaskTracker::new(), permit, stopped: cx.cancel.clone() });
            let result = match find(&registry, &kind) {
                Ok(action) => AssertUnwindSafe(action.perform(cx, effects, params)).catch_unwind().await,
                Err(error) => Ok(Err(error)),
            };
            match result {
                Ok(result) => result.err().map(ActionError::into_failure),
                Err(_) => Some(Failure::permanent("the check broke down; this is a bug in bowline")),
            }
        }
    };
    let _ = messages.send(Message::Verified { failure });
}
