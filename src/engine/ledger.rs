//! Append, then apply, then act: the one place where the state changes.

use super::EngineError;
use super::core::Core;
use crate::action::Redactor;
use crate::event::{Event, Reporter};
use crate::journal::{JournalError, RunJournal};
use crate::ports::Clock;
use crate::record::{AttemptResult, BlobRef, Cause, Mark, Record, UndoResult, VERSION, What};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long a record may wait before it is made durable only to be shown: records that an effect waits for are so at once.
const SHOW_WITHIN: Duration = Duration::from_millis(100);

/// The way to the reporter: news keep their place among the records, which wait until they are durable.
pub(super) type Outbox = mpsc::UnboundedSender<Event>;

pub(super) struct Ledger {
    pub(super) core: Core,
    pub(super) journal: Arc<dyn RunJournal>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) redactor: Redactor,
    epoch: u64,
    outbox: Option<Outbox>,
    publisher: tokio::task::JoinHandle<()>,
    /// Fires when the ledger goes.
    closing: DropGuard,
}

impl Ledger {
    pub(super) fn new(
        core: Core,
        epoch: u64,
        journal: Arc<dyn RunJournal>,
        clock: Arc<dyn Clock>,
        reporter: Arc<dyn Reporter>,
        redactor: Redactor,
    ) -> Self {
        let (outbox, inbox) = mpsc::unbounded_channel::<Event>();
        let closing = CancellationToken::new();
        let publisher = tokio::spawn(publish(inbox, Arc::clone(&journal), Arc::clone(&clock), reporter, closing.clone()));
        let closing = closing.drop_guard();
        Self { core, journal, clock, redactor, epoch, outbox: Some(outbox), publisher, closing }
    }

    /// Appends and applies a record. It is durable once `journal.durable()` says so; until then nothing may leave.
    pub(super) fn record(&mut self, what: What) -> Result<(), EngineError> {
        let what = self.without_secrets(what);
        let record = Record { v: VERSION, seq: self.core.next_seq(), at: self.clock.now(), epoch: self.epoch, what };
        self.core.apply(&record)?;
        tracing::debug!(seq = record.seq, what = record.what.name(), "record");
        self.journal.append(record.clone())?;
        if let Some(outbox) = &self.outbox {
            // The publisher is gone only when the journal is broken, which the next append tells.
            let _ = outbox.send(Event::Recorded(Arc::new(record)));
        }
        Ok(())
    }

    /// A way to the reporter that ends with the ledger.
    pub(super) fn outbox(&self) -> Option<mpsc::WeakUnboundedSender<Event>> {
        self.outbox.as_ref().map(Outbox::downgrade)
    }

    pub(super) fn seal(&self, value: &serde_json::Value) -> Result<BlobRef, EngineError> {
        Ok(self.journal.seal(value.to_string().as_bytes())?)
    }

    pub(super) fn open(&self, blob: &BlobRef) -> Result<serde_json::Value, JournalError> {
        let bytes = self.journal.open(blob)?;
        serde_json::from_slice(&bytes).map_err(|e| JournalError::Damaged(format!("blob {} holds no JSON: {e}", blob.id)))
    }

    /// Waits until everything is durable and shown.
    pub(super) async fn close(mut self) -> Result<(), EngineError> {
        let result = self.journal.durable().await;
        drop(self.outbox.take());
        drop(self.closing);
        let _ = self.publisher.await;
        Ok(result?)
    }

    fn clean(&self, marks: Vec<Mark>) -> Vec<Mark> {
        let clean = |mark: Mark| Mark { notes: mark.notes.iter().map(|note| self.redactor.clean(note)).collect(), ..mark };
        marks.into_iter().map(clean).collect()
    }

    fn without_secrets(&self, what: What) -> What {
        match what {
            What::AttemptEnded { step, attempt, result } => {
                let result = match result {
                    AttemptResult::Failed { failure, retry_at } => {
                        AttemptResult::Failed { failure: self.redactor.failure(&failure), retry_at }
                    }
                    AttemptResult::TimedOut { failure, retry_at } => {
                        AttemptResult::TimedOut { failure: self.redactor.failure(&failure), retry_at }
                    }
                    other => other,
                };
                What::AttemptEnded { step, attempt, result }
            }
            What::UndoEnded { step, attempt, result: UndoResult::Failed { failure, marks, retry_at } } => {
                let (failure, marks) = (self.redactor.failure(&failure), self.clean(marks));
                What::UndoEnded { step, attempt, result: UndoResult::Failed { failure, marks, retry_at } }
            }
            What::UndoEnded { step, attempt, result: UndoResult::Undone { marks } } => {
                What::UndoEnded { step, attempt, result: UndoResult::Undone { marks: self.clean(marks) } }
            }
            What::RollbackOpened { scope, cause, deadline } => {
                let cause = Cause { reason: self.redactor.clean(&cause.reason), ..cause };
                What::RollbackOpened { scope, cause, deadline }
            }
            What::ApprovalAsked { step, message } => What::ApprovalAsked { step, message: self.redactor.clean(&message) },
            other => other,
        }
    }
}

/// Shows records once they are durable, and everything in its order. Several are made durable together, so that showing costs
/// hardly a sync.
async fn publish(
    mut inbox: mpsc::UnboundedReceiver<Event>,
    journal: Arc<dyn RunJournal>,
    clock: Arc<dyn Clock>,
    reporter: Arc<dyn Reporter>,
    closing: CancellationToken,
) {
    let mut gathered = Vec::new();
    while let Some(first) = inbox.recv().await {
        if !matches!(first, Event::Recorded(_)) {
            reporter.event(&first);
            continue;
        }
        gathered.push(first);
        // What comes meanwhile is looked at when the time is over: to be woken by each record would cost more than to show it.
        tokio::select! {
            biased;
            () = closing.cancelled() => {}
            () = clock.sleep(SHOW_WITHIN) => {}
        }
        while let Ok(next) = inbox.try_recv() {
            gathered.push(next);
        }
        if journal.durable().await.is_err() {
            return;
        }
        gathered.drain(..).for_each(|event| reporter.event(&event));
    }
}
