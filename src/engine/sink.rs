//! Takes the news and questions of actions to the reporter and the secrets. It knows no run.

use super::doing::Doings;
use super::secrets::Secrets;
use super::tail::{Tail, Tails};
use crate::action::{ActionError, Progress, Redactor, Secret, Sink};
use crate::event::Event;
use crate::ids::{Moment, StepId};
use crate::ports::Clock;
use futures::FutureExt;
use futures::future::BoxFuture;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::WeakUnboundedSender;

/// Tells nothing that holds a secret.
pub(super) struct EventSink {
    /// With the clock that tells when it was said: it may be shown later.
    outbox: Option<(WeakUnboundedSender<Event>, Arc<dyn Clock>)>,
    redactor: Redactor,
    secrets: Arc<dyn Secrets>,
    /// What programs print, as far as it will be kept.
    tails: Tails,
    /// What steps said last that they do.
    pub(super) doings: Doings,
    /// Of lines that go on, what was not told yet: it may hold the beginning of a secret.
    held: Mutex<HashMap<StepId, String>>,
}

impl EventSink {
    pub(super) fn new(outbox: Option<(WeakUnboundedSender<Event>, Arc<dyn Clock>)>, redactor: Redactor, secrets: Arc<dyn Secrets>) -> Self {
        Self { outbox, redactor, secrets, tails: Tails::default(), doings: Doings::default(), held: Mutex::default() }
    }

    /// Tells nobody anything.
    pub(super) fn silent(redactor: Redactor, secrets: Arc<dyn Secrets>) -> Self {
        Self::new(None, redactor, secrets)
    }

    /// What comes after the ledger is closed is not told any more.
    pub(super) fn tell(&self, event: impl FnOnce(Moment) -> Event) {
        let Some((outbox, clock)) = &self.outbox else { return };
        if let Some(outbox) = outbox.upgrade() {
            let _ = outbox.send(event(clock.now()));
        }
    }

    /// Takes out what a step printed; none when it printed nothing.
    pub(super) fn take_tail(&self, step: &StepId) -> Option<Tail> {
        // Of a program that was left nobody knows how its last line goes on.
        drop(self.take_held(step));
        self.tails.take(step)
    }

    fn take_held(&self, step: &StepId) -> Option<String> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(step)
    }

    fn line(&self, step: &StepId, text: String) {
        self.tails.push(step, text.clone());
        self.tell(|at| Event::Line { step: step.clone(), text, at });
    }
}

impl Sink for EventSink {
    fn progress(&self, step: &StepId, progress: Progress) {
        let step = step.clone();
        let text = |text: String| self.redactor.clean(&text);
        match progress {
            Progress::Doing(doing) => {
                let text = text(doing);
                self.doings.say(&step, &text);
                self.tell(|at| Event::Doing { step, text, at });
            }
            Progress::Of { done, total, unit } => self.tell(|_| Event::Of { step, done, total, unit }),
            Progress::Line(line) => self.line(&step, text(self.take_held(&step).unwrap_or_default() + &line)),
            Progress::Piece(piece) => {
                let whole = self.take_held(&step).unwrap_or_default() + &piece;
                let (told, rest) = self.redactor.clean_beginning(&whole);
                self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(step.clone(), rest);
                if !told.is_empty() {
                    self.line(&step, told);
                }
            }
            Progress::Warning(warning) => {
                let text = text(warning);
                self.tell(|_| Event::Warning { step: Some(step), text });
            }
        }
    }

    fn secret(&self, name: &str) -> BoxFuture<'static, Result<Secret, ActionError>> {
        let (resolving, redactor) = (self.secrets.resolve(name), self.redactor.clone());
        async move {
            let secret = resolving.await?;
            redactor.learn(&secret);
            Ok(secret)
        }
        .boxed()
    }

    fn hide(&self, secret: &Secret) {
        self.redactor.learn(secret);
    }
}

#[cfg(test)]
mod tests {
    use super::EventSink;
    use crate::action::{ActionError, Progress, Redactor, Secret, Sink};
    use crate::engine::Secrets;
    use crate::ids::StepId;
    use futures::future::{BoxFuture, FutureExt, ready};
    use std::sync::Arc;

    struct None;

    impl Secrets for None {
        fn resolve(&self, name: &str) -> BoxFuture<'static, Result<Secret, ActionError>> {
            ready(Err(ActionError::permanent(format!("there is no {name}")))).boxed()
        }
    }

    #[test]
    fn a_secret_between_two_pieces_of_a_line_is_never_told() {
        let sink = EventSink::silent(Redactor::new([&Secret::new("hunter2".to_owned())]), Arc::new(None));
        let (step, other) = (StepId::new("build").unwrap(), StepId::new("other").unwrap());
        let printed = |step: &StepId, text: String, goes_on| sink.progress(step, Progress::printed(text, goes_on));
        printed(&step, format!("{}hun", "x".repeat(100)), true);
        printed(&other, "between".to_owned(), false);
        printed(&step, format!("ter2{}", "y".repeat(100)), true);
        printed(&step, "z".to_owned(), false);
        printed(&step, "next".to_owned(), false);
        let lines: Vec<String> = sink.take_tail(&step).unwrap().lines.into();
        assert_eq!(lines[..lines.len() - 1].concat(), format!("{}[secret]{}z", "x".repeat(100), "y".repeat(100)));
        assert_eq!((lines.len(), lines.last().map(String::as_str)), (4, Some("next")));
        printed(&step, "it is stopped: hunt".to_owned(), true);
        assert!(sink.take_tail(&step).is_none());
    }
}
