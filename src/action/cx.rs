//! What an action is given while it works: who runs it, what was frozen with the run, and the way to the journal.

use super::erased::{Effects, ErasedTicket};
use super::{Action, ActionError, EffectError, Intent};
use crate::ids::{PlanName, RunId, StepId};
use crate::ports::Script;
use crate::record::{EffectKey, Settled};
use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Whose run this is, and where it works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunScope {
    /// The run.
    pub run: RunId,
    /// The plan: with `bowline:` before it, its field manager.
    pub plan: PlanName,
    /// The environment that was chosen.
    pub environment: Option<String>,
    /// The namespace of objects that name none.
    pub namespace: Option<String>,
    /// The kubeconfig context; the current one when none.
    pub context: Option<String>,
}

/// The files that were frozen with the run, by their path from the plan's folder.
#[derive(Debug, Clone, Default)]
pub struct Frozen(pub Arc<BTreeMap<String, Arc<[u8]>>>);

impl Frozen {
    /// A file's content.
    pub fn file(&self, path: &str) -> Option<Arc<[u8]>> {
        self.0.get(path).cloned()
    }

    /// The name under which a command's output is kept: no file is called so.
    pub fn name_of(command: &Script) -> String {
        format!("$ {}", command.whole())
    }

    /// What a command printed when the run opened.
    pub fn printed(&self, command: &Script) -> Option<Arc<[u8]>> {
        self.file(&Self::name_of(command))
    }
}

/// A value that is never printed, journaled or stored in clear.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes a value in.
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value: for the wire only.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Live news of a step. Never a record: it may be dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// What the step is doing or waiting for, in one line.
    Doing(String),
    /// How much of it is done.
    Of {
        /// Parts done.
        done: u64,
        /// Parts in all.
        total: u64,
        /// What is counted.
        unit: String,
    },
    /// A line that something printed.
    Line(String),
    /// The beginning of a line that is too long to be told at once: what comes next goes on with it.
    Piece(String),
    /// Something that a person should see after the run, too.
    Warning(String),
}

impl Progress {
    /// What something printed: a line, or the beginning of one that goes on.
    pub fn printed(text: String, goes_on: bool) -> Self {
        if goes_on { Self::Piece(text) } else { Self::Line(text) }
    }
}

/// Where an action's live news and questions go.
pub trait Sink: Send + Sync {
    /// Takes news.
    fn progress(&self, step: &StepId, progress: Progress);
    /// Resolves a secret by the name that the plan gives it.
    fn secret(&self, name: &str) -> BoxFuture<'static, Result<Secret, ActionError>>;
    /// Keeps a value out of everything that is told from now on.
    fn hide(&self, _secret: &Secret) {}
}

/// What an action may use to look at the outside.
#[derive(Clone)]
pub struct ReadCx {
    /// The step.
    pub step: StepId,
    /// The run.
    pub scope: Arc<RunScope>,
    /// What was frozen with it.
    pub frozen: Frozen,
    /// Fires when the action should stop waiting.
    pub cancel: CancellationToken,
    /// Where news go.
    pub sink: Arc<dyn Sink>,
}

impl ReadCx {
    /// Tells what the step is doing or waiting for.
    pub fn doing(&self, text: impl Into<String>) {
        self.sink.progress(&self.step, Progress::Doing(text.into()));
    }

    /// Tells something that a person should see after the run, too.
    pub fn warn(&self, text: impl Into<String>) {
        self.sink.progress(&self.step, Progress::Warning(text.into()));
    }

    /// Keeps a value that was met, as in a Secret on a cluster, out of everything that is told from now on.
    pub fn hide(&self, value: String) {
        self.sink.hide(&Secret::new(value));
    }

    /// Resolves a secret by the name that the plan gives it.
    ///
    /// # Errors
    /// When the plan names no such secret or its source has none.
    pub async fn secret(&self, name: &str) -> Result<Secret, ActionError> {
        self.sink.secret(name).await
    }
}

/// What an action is given to take its effects back.
#[derive(Clone)]
pub struct UndoCx {
    /// All that looking needs.
    pub read: ReadCx,
    /// Fires when the evidence of the failure is kept, or is no longer waited for. What destroys evidence waits for it.
    pub evidence: CancellationToken,
}

/// An effect that was intended, and what is known of it.
pub struct Begun<A: Action> {
    /// Its key.
    pub key: EffectKey,
    /// What takes it back, as captured before it first could have happened.
    pub undo: A::Undo,
    /// What is known.
    pub known: Known<A::After>,
}

/// What is known of an intended effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known<T> {
    /// Nothing: it was never begun, or nobody has looked since.
    Open,
    /// The answer.
    Settled(Settled<T>),
}

impl<T> Known<T> {
    /// What its write returned, if it is known to have happened.
    pub fn done(&self) -> Option<&T> {
        match self {
            Known::Settled(Settled::Done(after)) => Some(after),
            _ => None,
        }
    }

    /// True when it is known that nothing happened.
    pub fn is_not_done(&self) -> bool {
        matches!(self, Known::Settled(Settled::NotDone))
    }
}

/// The right to make one effect: its undo is durable.
pub struct Ticket<A: Action> {
    /// The effect.
    pub key: EffectKey,
    /// What takes it back: the one captured first, whoever captured it.
    pub undo: A::Undo,
    /// What earlier attempts left behind.
    pub known: Known<A::After>,
    pub(crate) erased: ErasedTicket,
}

/// What an action is given to do its work.
pub struct Cx<A: Action> {
    /// All that looking needs.
    pub read: ReadCx,
    effects: Arc<dyn Effects>,
    kind: PhantomData<fn() -> A>,
}

impl<A: Action> Cx<A> {
    pub(crate) fn new(read: ReadCx, effects: Arc<dyn Effects>) -> Self {
        Self { read, effects, kind: PhantomData }
    }

    /// What earlier attempts of the step intended, and what became of it as far as it is known.
    ///
    /// # Errors
    /// When it cannot be read back.
    pub fn earlier(&self) -> Result<Vec<Begun<A>>, ActionError> {
        let decoded = |erased: ErasedTicket| Ok(Begun { key: erased.key, undo: decode(erased.undo)?, known: decode_known(erased.known)? });
        self.effects.earlier().into_iter().map(decoded).collect()
    }

    /// Makes the undo of effects durable: one sync for the batch. The undo of a key is captured once; a later attempt gets the first one back.
    ///
    /// # Errors
    /// When the journal cannot be written: nothing may leave then. Or when the step is being stopped.
    pub async fn intend(&self, intent: Intent, effects: Vec<(EffectKey, A::Undo)>) -> Result<Vec<Ticket<A>>, ActionError> {
        let erased = effects.into_iter().map(|(key, undo)| Ok((key, encode(&undo)?))).collect::<Result<Vec<_>, ActionError>>()?;
        let tickets = self.effects.intend(intent, erased).await?;
        tickets
            .into_iter()
            .map(|erased| {
                Ok(Ticket {
                    key: erased.key.clone(),
                    undo: decode(erased.undo.clone())?,
                    known: decode_known(erased.known.clone())?,
                    erased,
                })
            })
            .collect()
    }

    /// Makes the undo of one effect durable.
    ///
    /// # Errors
    /// As [`Cx::intend`].
    pub async fn intend_one(&self, key: EffectKey, undo: A::Undo) -> Result<Ticket<A>, ActionError> {
        let mut tickets = self.intend(Intent::default(), vec![(key, undo)]).await?;
        tickets.pop().ok_or_else(|| ActionError::permanent("the engine gave no ticket for an effect"))
    }

    /// Makes the effect, on a task of the engine: a timed-out or cancelled attempt never drops it half way.
    ///
    /// # Errors
    /// When the effect was refused, or its answer was lost and settling it did not show that it happened.
    pub async fn effect<F>(&self, ticket: Ticket<A>, future: F) -> Result<A::After, ActionError>
    where
        F: Future<Output = Result<A::After, EffectError>> + Send + 'static,
    {
        let erased = async move {
            let after = future.await?;
            encode(&after).map_err(EffectError::Lost)
        };
        decode(self.effects.effect(ticket.erased, Box::pin(erased)).await?)
    }
}

pub(crate) fn encode<T: serde::Serialize>(value: &T) -> Result<serde_json::Value, ActionError> {
    serde_json::to_value(value).map_err(|e| ActionError::permanent("a value cannot be stored").because(&e))
}

pub(crate) fn decode<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> Result<T, ActionError> {
    serde_json::from_value(value).map_err(|e| ActionError::permanent("a stored value cannot be read back").because(&e))
}

pub(crate) fn decode_known<T: serde::de::DeserializeOwned>(known: Known<serde_json::Value>) -> Result<Known<T>, ActionError> {
    Ok(match known {
        Known::Open => Known::Open,
        Known::Settled(Settled::NotDone) => Known::Settled(Settled::NotDone),
        Known::Settled(Settled::Done(after)) => Known::Settled(Settled::Done(decode(after)?)),
        Known::Settled(Settled::Other(why)) => Known::Settled(Settled::Other(why)),
        Known::Settled(Settled::Unknown(why)) => Known::Settled(Settled::Unknown(why)),
    })
}
