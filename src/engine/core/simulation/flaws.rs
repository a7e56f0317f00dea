//! The simulation finds deliberate mistakes: a check that cannot fail proves nothing.

use super::run;
use super::runner::Flaw;

fn is_found(flaw: Flaw) {
    let found = (0..1_000).find(|seed| run(*seed, Some(flaw)).is_err());
    assert!(found.is_some(), "{flaw:?} was not found in 1,000 cases");
}

#[test]
fn a_dropped_intent_is_found() {
    is_found(Flaw::DropIntent);
}

#[test]
fn a_recaptured_undo_is_found() {
    is_found(Flaw::Recapture);
}

#[test]
fn an_early_start_is_found() {
    is_found(Flaw::StartEarly);
}

#[test]
fn a_forgotten_failed_step_is_found() {
    is_found(Flaw::ForgetFailed);
}

#[test]
fn an_undo_out_of_order_is_found() {
    is_found(Flaw::UndoOutOfOrder);
}

#[test]
fn a_step_that_begins_although_its_lock_is_held_is_found() {
    is_found(Flaw::IgnoreLimits);
}
