//! Finding out how an effect ended whose answer was lost.

use crate::action::{ActionError, DynAction, DynEffect, ErasedTicket, ReadCx};
use crate::ports::Clock;
use crate::record::Settled;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::Value;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

/// All that looking up an effect of one step needs.
#[derive(Clone)]
pub(super) struct Lookup {
    pub(super) action: Arc<dyn DynAction>,
    pub(super) cx: ReadCx,
    pub(super) params: Value,
    pub(super) clock: Arc<dyn Clock>,
}

pub(super) const TRIES: u32 = 4;
/// Time for one look.
pub(super) const WITHIN: Duration = Duration::from_secs(30);

/// Keeps an effect whose answer nobody has heard, or whose process is gone, from happening after it was looked up. Where that fails, people
/// are told: the look may be outrun by what it looks for.
pub(super) async fn fence(lookup: &Lookup, ticket: &ErasedTicket, tries: u32, within: Duration) {
    let fence = |effect| lookup.action.fence(lookup.cx.clone(), lookup.params.clone(), effect);
    if let Err(error) = insist(lookup, ticket, tries, within, fence).await {
        lookup.cx.warn(format!("that it happens late could not be ruled out: {}: {error}", ticket.key.0));
    }
}

/// Asks the action, a few times when it cannot tell yet. What nobody can tell is `Unknown`, never a guess.
pub(super) async fn look_up(lookup: &Lookup, ticket: &ErasedTicket) -> Settled<Value> {
    let settle = |effect| lookup.action.settle(lookup.cx.clone(), lookup.params.clone(), effect);
    let found = insist(lookup, ticket, TRIES, WITHIN, settle).await;
    found.unwrap_or_else(|error| Settled::Unknown(format!("it could not be looked up: {error}")))
}

/// Asks again, later each time, as long as that may help.
async fn insist<'a, T>(
    lookup: &'a Lookup,
    ticket: &ErasedTicket,
    tries: u32,
    within: Duration,
    ask: impl Fn(DynEffect) -> BoxFuture<'a, Result<T, ActionError>>,
) -> Result<T, ActionError> {
    let effect = DynEffect { key: ticket.key.clone(), undo: ticket.undo.clone(), known: ticket.known.clone() };
    let (mut tried, mut wait) = (0, Duration::from_millis(500));
    loop {
        tried += 1;
        let answer = tokio::select! {
            answer = AssertUnwindSafe(ask(effect.clone())).catch_unwind() =>
                answer.unwrap_or_else(|_| Err(ActionError::permanent("the action broke down"))),
            () = lookup.clock.sleep(within) => Err(ActionError::transient("there was no answer")),
        };
        match answer {
            Err(error) if tried < tries && error.is_transient() => lookup.clock.sleep(wait).await,
            answer => return answer,
        }
        wait *= 2;
    }
}
