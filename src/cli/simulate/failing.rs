//! Lets steps fail once they have done everything: the worst moment for whoever has to take it back. It changes nothing else.

use crate::action::{
    ActionError, DynAction, DynEffect, Effects, Evidence, Frozen, Prepared, Preview, ReadCx, RunScope, Sent, Telling, UndoCx,
};
use crate::ids::StepId;
use crate::record::{Mark, Settled};
use futures::future::{BoxFuture, FutureExt};
use schemars::{Schema, SchemaGenerator};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The steps that are still to fail, and what they say. Each fails once: what the plan gives to take it back is no step of its own.
pub type Fails = Arc<Mutex<BTreeMap<StepId, String>>>;

/// An action, some of whose steps fail.
pub struct Failing {
    inner: Arc<dyn DynAction>,
    fails: Fails,
}

impl Failing {
    /// Puts failures behind an action.
    pub fn new(inner: Arc<dyn DynAction>, fails: Fails) -> Self {
        Self { inner, fails }
    }
}

impl DynAction for Failing {
    fn kind(&self) -> &'static str {
        self.inner.kind()
    }

    fn about(&self) -> &'static str {
        self.inner.about()
    }

    fn undone(&self) -> &'static str {
        self.inner.undone()
    }

    fn example(&self) -> &'static str {
        self.inner.example()
    }

    fn decode(&self, from: &mut dyn erased_serde::Deserializer<'_>) -> Result<(), erased_serde::Error> {
        self.inner.decode(from)
    }

    fn params_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        self.inner.params_schema(generator)
    }

    fn output_schema(&self, generator: &mut SchemaGenerator) -> Schema {
        self.inner.output_schema(generator)
    }

    fn prepare(&self, scope: &RunScope, frozen: &Frozen, params: &Value) -> Result<Prepared, ActionError> {
        self.inner.prepare(scope, frozen, params)
    }

    fn sent(&self, frozen: &Frozen, params: &Value) -> Vec<Sent> {
        self.inner.sent(frozen, params)
    }

    fn preview(&self, cx: ReadCx, params: Value) -> BoxFuture<'_, Result<Preview, ActionError>> {
        self.inner.preview(cx, params)
    }

    fn missing_rights(&self, cx: ReadCx, params: Value) -> BoxFuture<'_, Result<Vec<String>, ActionError>> {
        self.inner.missing_rights(cx, params)
    }

    fn perform(&self, cx: ReadCx, effects: Arc<dyn Effects>, params: Value) -> BoxFuture<'_, Result<Value, ActionError>> {
        async move {
            let step = cx.step.clone();
            let output = self.inner.perform(cx, effects, params).await?;
            match self.fails.lock().unwrap_or_else(PoisonError::into_inner).remove(&step) {
                Some(why) => Err(ActionError::permanent(why)),
                None => Ok(output),
            }
        }
        .boxed()
    }

    fn fence(&self, cx: ReadCx, params: Value, effect: DynEffect) -> BoxFuture<'_, Result<(), ActionError>> {
        self.inner.fence(cx, params, effect)
    }

    fn settle(&self, cx: ReadCx, params: Value, effect: DynEffect) -> BoxFuture<'_, Result<Settled<Value>, ActionError>> {
        self.inner.settle(cx, params, effect)
    }

    fn compensate(&self, cx: UndoCx, params: Value, effects: Vec<DynEffect>) -> BoxFuture<'_, Result<Vec<Mark>, ActionError>> {
        self.inner.compensate(cx, params, effects)
    }

    fn make_way(&self, cx: UndoCx, params: Value, effects: Vec<DynEffect>) -> BoxFuture<'_, Result<(), ActionError>> {
        self.inner.make_way(cx, params, effects)
    }

    fn is_watched(&self) -> bool {
        self.inner.is_watched()
    }

    fn watch<'a>(&'a self, cx: ReadCx, params: Value, effects: Vec<DynEffect>, tell: &'a Telling<'a>) -> BoxFuture<'a, ()> {
        self.inner.watch(cx, params, effects, tell)
    }

    fn evidence(&self, cx: ReadCx, params: Value, effects: Vec<DynEffect>) -> BoxFuture<'_, Vec<Evidence>> {
        self.inner.evidence(cx, params, effects)
    }
}
