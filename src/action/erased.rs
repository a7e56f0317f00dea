//! The seam as the engine sees it: every type of an action is JSON here.

use super::cx::{decode, decode_known, encode};
use super::{
    Action, ActionError, Asked, Begun, Cx, EffectError, Evidence, Finding, Frozen, Intent, Known, Preview, ReadCx, RunScope, Sent, Telling,
    UndoCx,
};
use crate::ports::Script;
use crate::record::{EffectKey, Mark, Reversibility, Settled, Target};
use futures::future::{BoxFuture, FutureExt};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::sync::Arc;

/// An effect that was intended, in JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct DynEffect {
    /// Its key.
    pub key: EffectKey,
    /// What takes it back.
    pub undo: Value,
    /// What is known of it.
    pub known: Known<Value>,
}

/// A ticket, in JSON.
#[derive(Debug, Clone, PartialEq)]
pub struct ErasedTicket {
    /// The effect.
    pub key: EffectKey,
    /// What takes it back.
    pub undo: Value,
    /// What earlier attempts left behind.
    pub known: Known<Value>,
}

/// The way from an action to the journal. The engine implements it.
pub trait Effects: Send + Sync {
    /// What earlier attempts of the step intended, and what became of it.
    fn earlier(&self) -> Vec<ErasedTicket> {
        Vec::new()
    }

    /// Makes undos durable, then answers with tickets in the same order.
    fn intend(&self, intent: Intent, effects: Vec<(EffectKey, Value)>) -> BoxFuture<'static, Result<Vec<ErasedTicket>, ActionError>>;

    /// Carries an effect out to its end, whatever becomes of the caller.
    fn effect(
        &self,
        ticket: ErasedTicket,
        future: BoxFuture<'static, Result<Value, EffectError>>,
    ) -> BoxFuture<'static, Result<Value, ActionError>>;
}

/// What can be said of a use of an action before it runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    /// How far it can be taken back.
    pub reversibility: Reversibility,
    /// What it writes.
    pub targets: Vec<Target>,
    /// The files that it reads.
    pub sources: Vec<String>,
    /// The programs whose output it reads.
    pub commands: Vec<Script>,
    /// The programs that it runs on this machine.
    pub programs: Vec<Script>,
    /// What else it asks of the outside.
    pub asks: Vec<Asked>,
    /// Mistakes in the parameters.
    pub problems: Vec<String>,
    /// What its files hold that does not fit them.
    pub findings: Vec<Finding>,
    /// An attempt whose end nobody knows may simply be repeated.
    pub repeatable: bool,
    /// What it leaves is meant to stay although the run goes back.
    pub kept: bool,
}

/// An [`Action`] with its types erased.
pub trait DynAction: Send + Sync {
    /// The YAML key.
    fn kind(&self) -> &'static str;
    /// One sentence for people.
    fn about(&self) -> &'static str;
    /// What takes it back, for people.
    fn undone(&self) -> &'static str;
    /// A small plan that uses it.
    fn example(&self) -> &'static str;
    /// Decodes parameters without using them, so that the plan's reader can point at what is wrong.
    ///
    /// # Errors
    /// What the deserializer says.
    fn decode(&self, from: &mut dyn erased_serde::Deserializer<'_>) -> Result<(), erased_serde::Error>;
    /// The schema of its parameters.
    fn params_schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema;
    /// The schema of its output.
    fn output_schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema;
    /// Looks at rendered parameters.
    ///
    /// # Errors
    /// When they do not decode.
    fn prepare(&self, scope: &RunScope, frozen: &Frozen, params: &Value) -> Result<Prepared, ActionError>;
    /// See [`Action::sent`]; nothing when the parameters do not decode.
    fn sent(&self, frozen: &Frozen, params: &Value) -> Vec<Sent>;
    /// See [`Action::preview`].
    fn preview(&self, cx: ReadCx, params: Value) -> BoxFuture<'_, Result<Preview, ActionError>>;
    /// See [`Action::missing_rights`].
    fn missing_rights(&self, cx: ReadCx, params: Value) -> BoxFuture<'_, Result<Vec<String>, ActionError>>;
    /// See [`Action::perform`].
    fn perform(&self, cx: ReadCx, effects: Arc<dyn Effects>, params: Value) -> BoxFuture<'_, Result<Value, ActionError>>;
    /// See [`Action::fence`].
    fn fence(&self, cx: ReadCx, params: Value, effect: DynEffect) -> BoxFuture<'_, Result<(), ActionError>>;
    /// See [`Action::settle`].
    fn settle(&self, cx: ReadCx, params: Value, effect: DynEffect) -> BoxFuture<'_, Result<Settled<Value>, ActionError>>;
    /// See [`Action::compensate`].
    fn compensate(&self, cx: UndoCx, params: Value, effects: Vec<DynEffect>) -> BoxFuture<'_, Result<Vec<Mark>, ActionError>>;
    /// See [`Action::make_way`].
    fn make_way(&self, cx: UndoCx, params: Value, effects: Vec<DynEffect>) -> BoxFuture<'_, Result<(), ActionError>>;
    /// See [`Action::WATCHED`].
    fn is_watched(&self) -> bool;
    /// See [`Action::watch`].
    fn watch<'a>(&'a self, cx: ReadCx, params: Value, effects: Vec<DynEffect>, tell: &'a Telling<'a>) -> BoxFuture<'a, ()>;
    /// See [`Action::evidence`].
    fn evidence(&self, cx: ReadCx, params: Value, effects: Vec<DynEffect>) -> BoxFuture<'_, Vec<Evidence>>;
}

/// Takes a value as it is, or one that others go on using.
fn params<'v, A: Action>(value: impl Deserializer<'v, Error = serde_json::Error>) -> Result<A::Params, ActionError> {
    A::Params::deserialize(value)
        .map_err(|e| ActionError::permanent(format!("the parameters of `{}` do not fit once they are rendered", A::KIND)).because(&e))
}

fn begun<A: Action>(effect: DynEffect) -> Result<Begun<A>, ActionError> {
    Ok(Begun { key: effect.key, undo: decode(effect.undo)?, known: decode_known(effect.known)? })
}

impl<A: Action> DynAction for A {
    fn kind(&self) -> &'static str {
        A::KIND
    }

    fn about(&self) -> &'static str {
        A::ABOUT
    }

    fn undone(&self) -> &'static str {
        A::UNDONE
    }

    fn example(&self) -> &'static str {
        A::EXAMPLE
    }

    fn decode(&self, from: &mut dyn erased_serde::Deserializer<'_>) -> Result<(), erased_serde::Error> {
        erased_serde::deserialize::<A::Params>(from).map(drop)
    }

    fn params_schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<A::Params>()
    }

    fn output_schema(&self, generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<A::Output>()
    }

    fn prepare(&self, scope: &RunScope, frozen: &Frozen, value: &Value) -> Result<Prepared, ActionError> {
        let params = params::<A>(value)?;
        Ok(Prepared {
            reversibility: self.reversibility(&params),
            targets: self.targets(scope, frozen, &params),
            sources: self.sources(&params),
            commands: self.commands(&params),
            programs: self.programs(&params),
            asks: self.asks(&params),
            problems: self.problems(&params),
            findings: self.look_into(frozen, &params),
            repeatable: self.repeatable(&params),
            kept: self.is_kept(&params),
        })
    }

    fn sent(&self, frozen: &Frozen, value: &Value) -> Vec<Sent> {
        params::<A>(value).map_or_else(|_| Vec::new(), |params| Action::sent(self, frozen, &params))
    }

    fn preview(&self, cx: ReadCx, value: Value) -> BoxFuture<'_, Result<Preview, ActionError>> {
        async move { Action::preview(self, &cx, &params::<A>(value)?).await }.boxed()
    }

    fn missing_rights(&self, cx: ReadCx, value: Value) -> BoxFuture<'_, Result<Vec<String>, ActionError>> {
        async move { Action::missing_rights(self, &cx, &params::<A>(value)?).await }.boxed()
    }

    fn perform(&self, cx: ReadCx, effects: Arc<dyn Effects>, value: Value) -> BoxFuture<'_, Result<Value, ActionError>> {
        async move {
            let params = params::<A>(value)?;
            let output = Action::perform(self, &Cx::new(cx, effects), &params).await?;
            encode(&output)
        }
        .boxed()
    }

    fn fence(&self, cx: ReadCx, value: Value, effect: DynEffect) -> BoxFuture<'_, Result<(), ActionError>> {
        async move { Action::fence(self, &cx, &params::<A>(value)?, &begun::<A>(effect)?).await }.boxed()
    }

    fn settle(&self, cx: ReadCx, value: Value, effect: DynEffect) -> BoxFuture<'_, Result<Settled<Value>, ActionError>> {
        async move {
            let settled = Action::settle(self, &cx, &params::<A>(value)?, &begun::<A>(effect)?).await?;
            Ok(match settled {
                Settled::NotDone => Settled::NotDone,
                Settled::Done(after) => Settled::Done(encode(&after)?),
                Settled::Other(why) => Settled::Other(why),
                Settled::Unknown(why) => Settled::Unknown(why),
            })
        }
        .boxed()
    }

    fn compensate(&self, cx: UndoCx, value: Value, effects: Vec<DynEffect>) -> BoxFuture<'_, Result<Vec<Mark>, ActionError>> {
        async move {
            let effects = effects.into_iter().map(begun::<A>).collect::<Result<Vec<_>, _>>()?;
            Action::compensate(self, &cx, &params::<A>(value)?, effects).await
        }
        .boxed()
    }

    fn make_way(&self, cx: UndoCx, value: Value, effects: Vec<DynEffect>) -> BoxFuture<'_, Result<(), ActionError>> {
        async move {
            let effects = effects.into_iter().map(begun::<A>).collect::<Result<Vec<_>, _>>()?;
            Action::make_way(self, &cx, &params::<A>(value)?, effects).await
        }
        .boxed()
    }

    fn is_watched(&self) -> bool {
        A::WATCHED
    }

    fn watch<'a>(&'a self, cx: ReadCx, value: Value, effects: Vec<DynEffect>, tell: &'a Telling<'a>) -> BoxFuture<'a, ()> {
        async move {
            if let Some((params, effects)) = readable::<A>(value, effects) {
                Action::watch(self, &cx, &params, effects, tell).await;
            }
        }
        .boxed()
    }

    fn evidence(&self, cx: ReadCx, value: Value, effects: Vec<DynEffect>) -> BoxFuture<'_, Vec<Evidence>> {
        async move {
            match readable::<A>(value, effects) {
                Some((params, effects)) => Action::evidence(self, &cx, &params, effects).await,
                None => Vec::new(),
            }
        }
        .boxed()
    }
}

/// What is only looked at may be left out when it cannot be read.
fn readable<A: Action>(value: Value, effects: Vec<DynEffect>) -> Option<(A::Params, Vec<Begun<A>>)> {
    Some((params::<A>(value).ok()?, effects.into_iter().map(begun::<A>).collect::<Result<_, _>>().ok()?))
}
