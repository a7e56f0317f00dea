//! Finding out how an effect ended whose answer was lost.

use crate::action::{ActionError, DynAction, DynEffect, ErasedTicket, ReadCx};
use crate::ports::Clock;
use crate::record::Settled;
use futures::FutureExt;
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
    let effect = DynEffect { key: ticket.key.clone(), undo: ticket.undo.clone(), known: ticket.known.clone() };
    let mut wait = Duration::from_millis(500);
    for attempt in 1..=tries {
        let fencing = AssertUnwindSafe(lookup.action.fence(lookup.cx.clone(), lookup.params.clone(), effect.clone())).catch_unwind();
        let fenced = tokio::select! {
            fenced = fencing => fenced.unwrap_or_else(|_| Err(ActionError::permanent("the action broke down"))),
            () = lookup.clock.sleep(within) => Err(ActionError::transient("there was no answer")),
        };
        match fenced {
            Ok(()) => return,
            Err(error) if attempt == tries || !error.is_transient() => {
                return lookup.cx.warn(format!("that it happens late could not be ruled out: {}: {error}", ticket.key.0));
            }
            Err(_) => lookup.clock.sleep(wait).await,
        }
        wait *= 2;
    }
}

/// Asks the action, a few times when it cannot tell yet. What nobody can tell is `Unknown`, never a guess.
pub(super) async fn look_up(lookup: &Lookup, ticket: &ErasedTicket) -> Settled<Value> {
    let effect = DynEffect { key: ticket.key.clone(), undo: ticket.undo.clone(), known: ticket.known.clone() };
    let mut wait = Duration::from_millis(500);
    for attempt in 1..=TRIES {
        let looking = AssertUnwindSafe(lookup.action.settle(lookup.cx.clone(), lookup.params.clone(), effect.clone())).catch_unwind();
        let found = tokio::select! {
            found = looking => found.unwrap_or_else(|_| Err(ActionError::permanent("the action broke down"))),
            () = lookup.clock.sleep(WITHIN) => Err(ActionError::transient("there was no answer")),
        };
        match found {
            Ok(settled) => return settled,
            Err(error) if attempt == TRIES || !error.is_transient() => {
                return Settled::Unknown(format!("it could not be looked up: {error}"));
            }
            Err(_) => lookup.clock.sleep(wait).await,
        }
        wait *= 2;
    }
    Settled::Unknown("it could not be looked up".to_owned())
}
