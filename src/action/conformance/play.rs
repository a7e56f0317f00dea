//! The engine's part, played in memory: it keeps undos and answers, dies where it is told to, and asks actions to settle.

use super::World;
use crate::action::{
    ActionError, DynEffect, EffectError, Effects, ErasedTicket, Evidence, Intent, Known, Preview, Progress, ReadCx, Secret, Sink, UndoCx,
};
use crate::ids::StepId;
use crate::record::{EffectKey, Mark, Settled};
use futures::future::{BoxFuture, FutureExt};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Where the process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crash {
    /// Its undo is durable, the effect of this number never begins.
    Before(usize),
    /// The effect of this number happens, its answer is never recorded.
    After(usize),
}

#[derive(Debug, Clone)]
struct Entry {
    key: EffectKey,
    /// As text: what cannot be written and read back is lost in a crash.
    undo: String,
    known: Known<Value>,
    happened: bool,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<Entry>,
    begun: usize,
    crash: Option<Crash>,
    dead: bool,
    running: Vec<JoinHandle<()>>,
}

/// A journal in memory, and the engine that writes it.
#[derive(Debug, Default, Clone)]
pub(super) struct Journal(Arc<Mutex<State>>);

impl Journal {
    /// Dies at this point.
    pub(super) fn dying(crash: Option<Crash>) -> Self {
        let journal = Self::default();
        journal.state().crash = crash;
        journal
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many effects were begun, in all attempts.
    pub(super) fn begun(&self) -> usize {
        self.state().begun
    }

    /// True when the process died where it was told to.
    pub(super) fn is_dead(&self) -> bool {
        self.state().dead
    }

    /// The effects as a compensation gets them: through text, in the order in which they were intended.
    pub(super) fn effects(&self) -> Vec<DynEffect> {
        let undo = |entry: &Entry| serde_json::from_str(&entry.undo).unwrap_or(Value::Null);
        self.state()
            .entries
            .iter()
            .map(|entry| DynEffect { key: entry.key.clone(), undo: undo(entry), known: entry.known.clone() })
            .collect()
    }

    /// Waits until nothing is in flight, then begins another process with the same journal.
    pub(super) async fn revive(&self) {
        let running = std::mem::take(&mut self.state().running);
        for handle in running {
            // A panic of the action shows as an effect without an answer.
            let _ = handle.await;
        }
        let mut state = self.state();
        (state.crash, state.dead) = (None, false);
    }

    /// Whether an effect happened, as the kit saw it.
    fn happened(&self, key: &EffectKey) -> bool {
        self.state().entries.iter().any(|entry| entry.key == *key && entry.happened)
    }

    fn learn(&self, key: &EffectKey, known: Known<Value>) {
        if let Some(entry) = self.state().entries.iter_mut().find(|entry| entry.key == *key) {
            entry.known = known;
        }
    }

    /// Takes the answer of an effect, unless the process died meanwhile.
    fn answer(&self, number: usize, key: &EffectKey, answer: Result<Value, EffectError>) -> Result<Value, ActionError> {
        let mut state = self.state();
        state.dead |= state.crash == Some(Crash::After(number));
        let dead = state.dead;
        let Some(entry) = state.entries.iter_mut().find(|entry| entry.key == *key) else {
            return Err(ActionError::permanent("an effect without an intent"));
        };
        entry.happened |= !matches!(answer, Err(EffectError::Refused(_)));
        if dead {
            return Err(died());
        }
        match answer {
            Ok(after) => {
                entry.known = Known::Settled(Settled::Done(after.clone()));
                Ok(after)
            }
            Err(EffectError::Refused(error)) => {
                entry.known = Known::Settled(Settled::NotDone);
                Err(error)
            }
            Err(EffectError::Lost(error)) => Err(error),
        }
    }
}

fn died() -> ActionError {
    ActionError::permanent("the process died here")
}

impl Effects for Journal {
    fn intend(&self, _intent: Intent, effects: Vec<(EffectKey, Value)>) -> BoxFuture<'static, Result<Vec<ErasedTicket>, ActionError>> {
        let mut state = self.state();
        if state.dead {
            return async { Err(died()) }.boxed();
        }
        let mut tickets = Vec::new();
        for (key, undo) in effects {
            if !state.entries.iter().any(|entry| entry.key == key) {
                state.entries.push(Entry { key: key.clone(), undo: undo.to_string(), known: Known::Open, happened: false });
            }
            let entry = state.entries.iter().find(|entry| entry.key == key).expect("it was put there just now");
            let undo = serde_json::from_str(&entry.undo).unwrap_or(Value::Null);
            tickets.push(ErasedTicket { key, undo, known: entry.known.clone() });
        }
        async move { Ok(tickets) }.boxed()
    }

    fn effect(
        &self,
        ticket: ErasedTicket,
        future: BoxFuture<'static, Result<Value, EffectError>>,
    ) -> BoxFuture<'static, Result<Value, ActionError>> {
        let mut state = self.state();
        let number = state.begun;
        state.begun += 1;
        state.dead |= state.crash == Some(Crash::Before(number));
        if state.dead {
            return async { Err(died()) }.boxed();
        }
        let (tell, told) = tokio::sync::oneshot::channel();
        let journal = self.clone();
        state.running.push(tokio::spawn(async move {
            let answer = future.await;
            // Nobody listens when the attempt is gone: the journal has it all the same.
            let _ = tell.send(journal.answer(number, &ticket.key, answer));
        }));
        async move { told.await.unwrap_or_else(|_| Err(ActionError::permanent("an effect broke down"))) }.boxed()
    }
}

/// Answers secrets and drops news.
struct Quiet(BTreeMap<String, String>);

impl Sink for Quiet {
    fn progress(&self, _step: &StepId, _progress: Progress) {}

    fn secret(&self, name: &str) -> BoxFuture<'static, Result<Secret, ActionError>> {
        let value = self.0.get(name).cloned().ok_or_else(|| ActionError::permanent(format!("there is no secret `{name}`")));
        async move { value.map(Secret::new) }.boxed()
    }
}

/// One world, what it looked like at first, and the journal of what was done to it.
pub(super) struct Scene<W> {
    pub(super) world: W,
    pub(super) before: String,
    pub(super) journal: Journal,
}

impl<W: World> Scene<W> {
    pub(super) async fn set(world: W, crash: Option<Crash>) -> Self {
        let before = world.fingerprint().await;
        Self { world, before, journal: Journal::dying(crash) }
    }

    fn read(&self) -> ReadCx {
        let secrets = names(&self.world.params()).into_iter().filter_map(|name| self.world.secret(&name).map(|value| (name, value)));
        ReadCx {
            step: StepId::new("tried").expect("a label"),
            scope: Arc::new(self.world.scope()),
            frozen: self.world.frozen(),
            cancel: CancellationToken::new(),
            sink: Arc::new(Quiet(secrets.collect())),
        }
    }

    pub(super) async fn preview(&self) -> Result<Preview, ActionError> {
        self.world.action().preview(self.read(), self.world.params()).await
    }

    /// One attempt, and everything that it left in flight.
    pub(super) async fn perform(&self) -> Result<Value, ActionError> {
        let effects: Arc<dyn Effects> = Arc::new(self.journal.clone());
        self.world.action().perform(self.read(), effects, self.world.params()).await
    }

    pub(super) async fn evidence(&self) -> Vec<Evidence> {
        self.world.action().evidence(self.read(), self.world.params(), self.journal.effects()).await
    }

    pub(super) async fn compensate(&self, effects: Vec<DynEffect>) -> Result<Vec<Mark>, ActionError> {
        let evidence = CancellationToken::new();
        evidence.cancel();
        self.world.action().compensate(UndoCx { read: self.read(), evidence }, self.world.params(), effects).await
    }

    /// Settles what is open. Answers true when somebody would have to be asked.
    ///
    /// # Errors
    /// When an answer is not what happened, or there is none.
    pub(super) async fn settle(&self) -> Result<bool, String> {
        self.journal.revive().await;
        let mut asked = false;
        for effect in self.journal.effects().into_iter().filter(|effect| effect.known == Known::Open) {
            let key = effect.key.clone();
            let settled = self.world.action().settle(self.read(), self.world.params(), effect).await;
            let settled = settled.map_err(|error| format!("settling `{}` failed: {error}", key.0))?;
            match (&settled, self.journal.happened(&key)) {
                (Settled::Done(_), false) => return Err(format!("`{}` was settled as done and never happened", key.0)),
                (Settled::NotDone, true) => return Err(format!("`{}` was settled as not done and happened", key.0)),
                (Settled::Unknown(_) | Settled::Other(_), _) => asked = true,
                _ => {}
            }
            self.journal.learn(&key, Known::Settled(settled));
        }
        Ok(asked)
    }
}

/// Every text in the parameters: one of them may name a secret.
fn names(params: &Value) -> Vec<String> {
    match params {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(names).collect(),
        Value::Object(fields) => fields.values().flat_map(names).collect(),
        _ => Vec::new(),
    }
}
