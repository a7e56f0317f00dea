//! One attempt, from its rendered parameters to its end: runs beside the driver and tells it by messages.

use super::effects::Journaled;
use super::guarded::to_its_end;
use super::hand::Message;
use super::permit::Permit;
use super::settle::{Lookup, TRIES, WITHIN, fence, look_up};
use crate::action::{ActionError, DynAction, Effects, ErasedTicket, ReadCx};
use crate::ids::StepId;
use crate::journal::RunJournal;
use crate::ports::Clock;
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

pub(super) struct Attempt {
    pub(super) action: Arc<dyn DynAction>,
    pub(super) params: Value,
    pub(super) attempt: u32,
    /// What earlier attempts left.
    pub(super) earlier: Vec<ErasedTicket>,
    pub(super) cx: ReadCx,
    pub(super) journal: Arc<dyn RunJournal>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) messages: mpsc::UnboundedSender<Message>,
    pub(super) permit: Arc<dyn Permit>,
}

impl Attempt {
    /// Runs it to its end, which the driver is told.
    pub(super) async fn run(self) {
        let (step, attempt, messages) = (self.cx.step.clone(), self.attempt, self.messages.clone());
        let result = self.perform().await;
        // The driver is gone only when the whole run is given up; there is nobody left to tell.
        let _ = messages.send(Message::Ended { step, attempt, result });
    }

    async fn perform(self) -> Result<Value, ActionError> {
        let tracker = TaskTracker::new();
        let stopped = self.cx.cancel.clone();
        // Looking up must work although the attempt is stopped: that is when it is needed.
        let lookup_cx = ReadCx { cancel: tokio_util::sync::CancellationToken::new(), ..self.cx.clone() };
        let lookup =
            Lookup { action: Arc::clone(&self.action), cx: lookup_cx, params: self.params.clone(), clock: Arc::clone(&self.clock) };
        let effects: Arc<dyn Effects> = Arc::new(Journaled {
            step: self.cx.step.clone(),
            earlier: self.earlier,
            messages: self.messages.clone(),
            journal: Arc::clone(&self.journal),
            lookup,
            tracker: tracker.clone(),
            stopped: stopped.clone(),
            permit: Arc::clone(&self.permit),
        });
        let work = self.action.perform(self.cx, effects, self.params);
        to_its_end(work, tracker, stopped, &*self.clock).await
    }
}

/// Looks up the effects that an attempt left open whose process is gone.
pub(super) async fn look_up_all(lookup: Lookup, open: Vec<ErasedTicket>, messages: mpsc::UnboundedSender<Message>, step: StepId) {
    let mut settled = Vec::with_capacity(open.len());
    for ticket in open {
        fence(&lookup, &ticket, TRIES, WITHIN).await;
        let found = look_up(&lookup, &ticket).await;
        if lookup.cx.cancel.is_cancelled() {
            break;
        }
        settled.push((ticket.key, found));
    }
    let _ = messages.send(Message::LookedUp { step, settled });
}
