//! What the driver has in hand: attempts, compensations and look-ups at work, and what they tell it.

use super::core::StopReason;
use crate::action::{ActionError, ErasedTicket, Evidence, Intent, Superseded};
use crate::ids::StepId;
use crate::record::{EffectKey, Failure, Mark, Settled};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// What work tells the driver.
pub(super) enum Message {
    /// Effects are about to leave.
    Intend {
        step: StepId,
        intent: Intent,
        effects: Vec<(EffectKey, Value)>,
        reply: oneshot::Sender<Result<Vec<ErasedTicket>, ActionError>>,
    },
    /// An effect's end is known.
    Known { step: StepId, key: EffectKey, settled: Settled<Value> },
    /// An attempt is over; none of its effects is in flight.
    Ended { step: StepId, attempt: u32, result: Result<Value, ActionError> },
    /// The effects of a lost attempt were looked up.
    LookedUp { step: StepId, settled: Vec<(EffectKey, Settled<Value>)> },
    /// A compensation is over.
    Undone { step: StepId, attempt: u32, result: Result<Vec<Mark>, ActionError> },
    /// What a step wrote is to be watched from now on.
    WatchDue { step: StepId },
    /// Somebody else changed what a step wrote.
    Superseded { step: StepId, superseded: Superseded },
    /// Evidence was taken.
    Evidence { step: StepId, evidence: Vec<Evidence>, error: Option<String> },
    /// It was looked whether the world is as it must be.
    Verified { failure: Option<Failure> },
}

/// An attempt or a compensation at work.
pub(super) struct Work {
    pub(super) stop: CancellationToken,
    pub(super) reason: Option<StopReason>,
    /// It may simply be begun again, however far it got.
    pub(super) repeatable: bool,
    /// Something is known that it did.
    pub(super) has_done: bool,
}

impl Work {
    pub(super) fn new() -> Self {
        Self { stop: CancellationToken::new(), reason: None, repeatable: true, has_done: false }
    }
}

/// Everything at work.
#[derive(Default)]
pub(super) struct Hand {
    pub(super) attempts: HashMap<StepId, Work>,
    pub(super) undos: HashMap<StepId, Work>,
    pub(super) lookups: HashMap<StepId, Work>,
    /// How many actions of a step's own undo are done.
    pub(super) undone: HashMap<StepId, Arc<AtomicUsize>>,
    pub(super) evidence: Option<StepId>,
    pub(super) verifying: bool,
    /// Who looks after what steps have written. Dropping one ends it.
    pub(super) watches: HashMap<StepId, AbortOnDropHandle<()>>,
}

impl Hand {
    /// Tells everything to stop.
    pub(super) fn stop_all(&self) {
        for work in self.attempts.values().chain(self.undos.values()).chain(self.lookups.values()) {
            work.stop.cancel();
        }
    }

    /// True when nothing is at work that may still change something.
    pub(super) fn is_empty(&self) -> bool {
        self.attempts.is_empty() && self.undos.is_empty() && self.lookups.is_empty()
    }

    /// Takes out what is over, when nothing can be recorded any more. Who waits for an answer gets none.
    pub(super) fn forget(&mut self, message: Message) {
        match message {
            Message::Ended { step, .. } => drop(self.attempts.remove(&step)),
            Message::Undone { step, .. } => drop(self.undos.remove(&step)),
            Message::LookedUp { step, .. } => drop(self.lookups.remove(&step)),
            Message::Intend { .. }
            | Message::Known { .. }
            | Message::WatchDue { .. }
            | Message::Superseded { .. }
            | Message::Evidence { .. }
            | Message::Verified { .. } => {}
        }
    }
}
