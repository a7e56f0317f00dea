//! Lets steps fail: once they have done everything, which is the worst moment for whoever has to take it back, and when they would wait for
//! ever. It changes nothing else.

use super::Standstill;
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
use std::time::Duration;

/// The steps that are still to fail, and what they say. Each fails once: what the plan gives to take it back is no step of its own.
pub(super) type Fails = Arc<Mutex<BTreeMap<StepId, String>>>;

/// Time that an action has to come to an end by itself when nothing happens any more.
const GRACE: Duration = Duration::from_secs(2);

/// An action, some of whose steps fail.
pub(super) struct Failing {
    inner: Arc<dyn DynAction>,
    fails: Fails,
    standstill: Arc<Standstill>,
}

impl Failing {
    /// Puts failures behind an action.
    pub(super) fn new(inner: Arc<dyn DynAction>, fails: Fails, standstill: Arc<Standstill>) -> Self {
        Self { inner, fails, standstill }
    }

    /// Performs the action, as long as something can come of it.
    async fn perform_in_time(&self, cx: ReadCx, effects: Arc<dyn Effects>, params: Value) -> Result<Value, ActionError> {
        let (step, reached, stop) = (cx.step.clone(), self.standstill.reached(), cx.cancel.child_token());
        let mut work = self.inner.perform(ReadCx { cancel: stop.clone(), ..cx }, effects, params);
        tokio::select! {
            biased;
            result = &mut work => return result,
            () = reached.cancelled() => stop.cancel(),
        }
        let stopped = tokio::select! {
            biased;
            Ok(output) = &mut work => return Ok(output),
            () = self.standstill.clock().sleep(GRACE) => never(self.standstill.last_word(&step)),
        };
        Err(stopped)
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
            let output = self.perform_in_time(cx, effects, params).await?;
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

/// Why a step fails that would wait for ever. Another try would wait as long.
fn never(last_word: Option<String>) -> ActionError {
    let told = last_word.map(|text| format!(": {}", text.strip_prefix("waiting: ").unwrap_or(&text))).unwrap_or_default();
    ActionError::permanent(format!("nothing in the simulation will make it come true{told}"))
        .hint("describe in the plan's `simulate:` what will, or give the step a `timeout`")
}
