//! The way from an action to the journal: undo first, then the effect, on a task that nobody drops half way.

use super::hand::Message;
use super::permit::Permit;
use super::settle::{Lookup, fence, look_up};
use crate::action::{ActionError, EffectError, Effects, ErasedTicket, Intent, Known};
use crate::ids::StepId;
use crate::journal::RunJournal;
use crate::record::{EffectKey, Settled};
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The effects of one attempt.
pub(super) struct Journaled {
    pub(super) step: StepId,
    /// What earlier attempts left.
    pub(super) earlier: Vec<ErasedTicket>,
    pub(super) messages: mpsc::UnboundedSender<Message>,
    pub(super) journal: Arc<dyn RunJournal>,
    pub(super) lookup: Lookup,
    /// Effects in flight.
    pub(super) tracker: TaskTracker,
    /// Fires when the attempt is stopped: what has not left stays.
    pub(super) stopped: CancellationToken,
    /// Asked just before an effect leaves.
    pub(super) permit: Arc<dyn Permit>,
}

/// Time to make sure that a lost request does not arrive late. Whoever waits for this attempt waits for that, too.
const SOON: Duration = Duration::from_secs(10);

/// Waits until something may leave; false when it is stopped before, or nothing ever may again.
fn may_leave(permit: &dyn Permit, stopped: CancellationToken) -> BoxFuture<'static, bool> {
    let entry = permit.entry();
    async move {
        tokio::select! {
            biased;
            entered = entry => entered.is_ok(),
            () = stopped.cancelled() => false,
        }
    }
    .boxed()
}

fn stopping() -> ActionError {
    ActionError::transient("the step is being stopped")
}

impl Effects for Journaled {
    fn earlier(&self) -> Vec<ErasedTicket> {
        self.earlier.clone()
    }

    fn intend(&self, intent: Intent, effects: Vec<(EffectKey, Value)>) -> BoxFuture<'static, Result<Vec<ErasedTicket>, ActionError>> {
        let (reply, answer) = oneshot::channel();
        let sent = self.messages.send(Message::Intend { step: self.step.clone(), intent, effects, reply });
        let (journal, stopped) = (Arc::clone(&self.journal), self.stopped.clone());
        async move {
            sent.map_err(|_| stopping())?;
            let tickets = answer.await.map_err(|_| stopping())??;
            journal.durable().await.map_err(|e| ActionError::permanent("the journal cannot be written").because(&e))?;
            match stopped.is_cancelled() {
                true => Err(stopping()),
                false => Ok(tickets),
            }
        }
        .boxed()
    }

    fn effect(
        &self,
        ticket: ErasedTicket,
        future: BoxFuture<'static, Result<Value, EffectError>>,
    ) -> BoxFuture<'static, Result<Value, ActionError>> {
        if self.stopped.is_cancelled() {
            return futures::future::ready(Err(stopping())).boxed();
        }
        let (step, messages, lookup) = (self.step.clone(), self.messages.clone(), self.lookup.clone());
        let may_leave = may_leave(&*self.permit, self.stopped.clone());
        let task = self.tracker.spawn(async move {
            if !may_leave.await {
                // It never began, and nobody says so: what an attempt has not begun by its end has not happened.
                return Err(stopping());
            }
            let result = AssertUnwindSafe(future)
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Err(EffectError::Lost(ActionError::permanent("the action broke down in the middle of an effect"))));
            let (settled, result) = match result {
                Ok(after) => (Settled::Done(after.clone()), Ok(after)),
                // This attempt did nothing: what became of an earlier one is as true as before.
                Err(EffectError::Refused(error)) => match &ticket.known {
                    Known::Settled(earlier) => (earlier.clone(), Err(error)),
                    Known::Open => (Settled::NotDone, Err(error)),
                },
                Err(EffectError::Lost(error)) => {
                    // It may still be on its way, and must not arrive after somebody has looked. Nothing keeps the making of what was not
                    // there from that.
                    fence(&lookup, &ticket, 1, SOON).await;
                    let settled = look_up(&lookup, &ticket).await;
                    let result = match &settled {
                        Settled::Done(after) => Ok(after.clone()),
                        _ => Err(error),
                    };
                    (settled, result)
                }
            };
            // The next effect's intent, and the attempt's end, follow this message: order is kept by the driver, no answer is needed.
            // The driver is gone only when the run is given up; there is nobody left to tell.
            let _ = messages.send(Message::Known { step, key: ticket.key, settled });
            result
        });
        async move { task.await.unwrap_or_else(|_| Err(stopping())) }.boxed()
    }
}

/// The effects of a compensation that the plan gives. Nothing takes a compensation back, so they are not journaled; it may be repeated.
pub(super) struct Unjournaled {
    pub(super) tracker: TaskTracker,
    pub(super) permit: Arc<dyn Permit>,
    /// Fires when the undo is stopped: what has not left stays.
    pub(super) stopped: CancellationToken,
}

impl Effects for Unjournaled {
    fn intend(&self, _: Intent, effects: Vec<(EffectKey, Value)>) -> BoxFuture<'static, Result<Vec<ErasedTicket>, ActionError>> {
        let ticket = |(key, undo)| ErasedTicket { key, undo, known: Known::Open };
        futures::future::ready(Ok(effects.into_iter().map(ticket).collect())).boxed()
    }

    fn effect(
        &self,
        _: ErasedTicket,
        future: BoxFuture<'static, Result<Value, EffectError>>,
    ) -> BoxFuture<'static, Result<Value, ActionError>> {
        let may_leave = may_leave(&*self.permit, self.stopped.clone());
        let task = self.tracker.spawn(async move {
            match may_leave.await {
                true => future.await,
                false => Err(EffectError::Refused(stopping())),
            }
        });
        async move {
            match task.await {
                Ok(Ok(after)) => Ok(after),
                Ok(Err(EffectError::Refused(error) | EffectError::Lost(error))) => Err(error),
                Err(_) => Err(ActionError::transient("the action broke down in the middle of an effect")),
            }
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::Unjournaled;
    use crate::action::{Effects, ErasedTicket, Known};
    use crate::engine::Permit;
    use crate::record::EffectKey;
    use futures::future::{BoxFuture, FutureExt};
    use serde_json::Value;
    use std::sync::Arc;
    use tokio::sync::Semaphore;
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;

    /// Lets in once it is opened.
    struct Later(Arc<Semaphore>);

    impl Permit for Later {
        fn entry(&self) -> BoxFuture<'static, Result<(), String>> {
            let gate = Arc::clone(&self.0);
            async move { gate.acquire().await.map(drop).map_err(|error| error.to_string()) }.boxed()
        }

        fn lapsed(&self) -> BoxFuture<'static, String> {
            futures::future::pending().boxed()
        }
    }

    #[tokio::test]
    async fn an_undo_that_is_stopped_while_it_waits_for_the_permit_writes_nothing() {
        let (gate, stopped) = (Arc::new(Semaphore::new(0)), CancellationToken::new());
        let permit: Arc<dyn Permit> = Arc::new(Later(Arc::clone(&gate)));
        let effects = Unjournaled { tracker: TaskTracker::new(), permit, stopped: stopped.clone() };
        let ticket = ErasedTicket { key: EffectKey("run".into()), undo: Value::Null, known: Known::Open };
        let (wrote, written) = tokio::sync::oneshot::channel();
        let writing = effects.effect(ticket, async move { Ok(wrote.send(()).map(|()| Value::Null).unwrap_or(Value::Null)) }.boxed());
        stopped.cancel();
        let tracker = effects.tracker.clone();
        tracker.close();
        tokio::task::yield_now().await;
        gate.add_permits(1);
        tracker.wait().await;
        assert!(written.await.is_err(), "it wrote although it was stopped");
        assert!(writing.await.is_err_and(|error| error.is_transient()));
    }
}
