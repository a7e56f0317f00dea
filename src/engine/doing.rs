//! What each step said last that it does or waits for: when its time is over, that is what it lacked. It knows no journal and no terminal.

use crate::ids::StepId;
use crate::record::Failure;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What an action says that was merely stopped: that its time was over is known.
const MERELY_STOPPED: [&str; 2] = ["it was stopped", "stopped while it was waiting"];

/// The last word of each step.
#[derive(Default)]
pub(super) struct Doings(Mutex<HashMap<StepId, String>>);

impl Doings {
    /// A step says what it does.
    pub(super) fn say(&self, step: &StepId, text: &str) {
        let mut doings = self.lock();
        match doings.get_mut(step) {
            Some(last) => text.clone_into(last),
            None => drop(doings.insert(step.clone(), text.to_owned())),
        }
    }

    /// Takes out what a step said last.
    pub(super) fn take(&self, step: &StepId) -> Option<String> {
        self.lock().remove(step)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<StepId, String>> {
        // A text is taken in whole or not at all.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a step did not end in time: what it said last, and what it said when it was stopped, each once.
pub(super) fn lacked(last: Option<String>, message: String) -> Vec<String> {
    let message = Some(message).filter(|message| !MERELY_STOPPED.contains(&message.as_str()));
    match (last, message) {
        (Some(last), Some(message)) if last.contains(&message) => vec![last],
        (Some(last), Some(message)) if message.contains(&last) => vec![message],
        (last, message) => last.into_iter().chain(message).collect(),
    }
}

/// A failure that says no more than that it was stopped, with what was said last before.
pub(super) fn with_last_words(failure: Failure, last: Option<String>) -> Failure {
    match MERELY_STOPPED.contains(&failure.message.as_str()) {
        true => Failure { causes: last.into_iter().chain(failure.causes).collect(), ..failure },
        false => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::{Doings, lacked, with_last_words};
    use crate::ids::StepId;
    use crate::record::Failure;

    #[test]
    fn the_last_word_counts_and_is_taken_once() {
        let (doings, step) = (Doings::default(), StepId::new("healthy").unwrap());
        doings.say(&step, "1 of 3 ready");
        doings.say(&step, "2 of 3 ready");
        assert_eq!(doings.take(&step).as_deref(), Some("2 of 3 ready"));
        assert_eq!(doings.take(&step), None, "the next attempt begins anew");
    }

    #[test]
    fn what_was_lacking_is_told_once_and_that_it_was_stopped_not_at_all() {
        let told = |last: Option<&str>, message: &str| lacked(last.map(str::to_owned), message.to_owned()).join("; ");
        assert_eq!(told(Some("waiting: 1 of 3 ready"), "stopped while it was waiting"), "waiting: 1 of 3 ready");
        assert_eq!(told(Some("waiting: 1 of 3 ready"), "1 of 3 ready"), "waiting: 1 of 3 ready");
        assert_eq!(told(Some("pods are on their way"), "it may go on in pod/db-0"), "pods are on their way; it may go on in pod/db-0");
        assert_eq!(told(None, "it was stopped"), "");
        let undone = with_last_words(Failure::permanent("it was stopped"), Some("1 of 3 back".to_owned()));
        assert_eq!(undone.causes, ["1 of 3 back"]);
        assert_eq!(with_last_words(Failure::permanent("403"), Some("1 of 3 back".to_owned())).causes, [""; 0]);
    }
}
