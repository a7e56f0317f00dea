//! The outside of a simulated run: numbers that scripted steps write, and a clock that costs no time.

use crate::action::{Action, ActionError, Begun, Cx, EffectError, Frozen, Intent, Preview, ReadCx, RunScope, Secret, UndoCx};
use crate::engine::core::simulation::case::Case;
use crate::engine::{Compensation, Control, Outputs, Program, Rendered, Secrets, Verification};
use crate::ids::{ActionKind, Moment, StepId};
use crate::journal::MemoryStore;
use crate::ports::Clock;
use crate::record::{EffectKey, Failure, Mark, MarkKind, Reversibility, Scope, Settled, Target, UndoClass, What};
use futures::future::{BoxFuture, FutureExt};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

/// Tokio's clock, which stands still while anything can be done; goes on across lives.
#[derive(Default)]
pub(super) struct VirtualClock(Mutex<(i64, Option<tokio::time::Instant>)>);

impl Clock for VirtualClock {
    fn now(&self) -> Moment {
        let mut state = self.0.lock().expect("one thread");
        let now = tokio::time::Instant::now();
        let start = *state.1.get_or_insert(now);
        if now < start {
            state.1 = Some(now);
        } else {
            state.0 += (now - start).as_millis() as i64;
            state.1 = Some(now);
        }
        Moment::from_millis(state.0)
    }

    fn sleep(&self, wait: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(wait).boxed()
    }
}

/// What stands outside, shared by every life of a run.
#[derive(Clone)]
pub(super) struct World(Arc<Mutex<Outside>>, MemoryStore);

#[derive(Default)]
struct Outside {
    values: BTreeMap<(String, String), i64>,
    failures: HashMap<String, u32>,
    undo_failures: HashMap<String, u32>,
    faults: Vec<String>,
}

impl World {
    pub(super) fn new(store: MemoryStore) -> Self {
        Self(Arc::default(), store)
    }

    fn outside<T>(&self, with: impl FnOnce(&mut Outside) -> T) -> T {
        with(&mut self.0.lock().expect("one thread"))
    }

    pub(super) fn stands(&self, step: &str, key: &str) -> bool {
        self.outside(|outside| outside.values.get(&(step.to_owned(), key.to_owned())).is_some_and(|value| *value != 0))
    }

    pub(super) fn clear(&self, step: &str, key: &str) {
        self.outside(|outside| outside.values.remove(&(step.to_owned(), key.to_owned())));
    }

    pub(super) fn next_life(&self) {
        self.outside(|outside| outside.failures.clear());
    }

    pub(super) fn faults(&self) -> Vec<String> {
        self.outside(|outside| outside.faults.clone())
    }

    /// Writes, and looks whether it was allowed to.
    fn write(&self, step: &str, key: &str, value: i64, undo: bool) {
        let records = self.1.records();
        let promised = records.iter().any(|record| match &record.what {
            What::EffectsIntended { step: by, effects, .. } => {
                !undo && by.as_str() == step && effects.iter().any(|(intended, _)| intended.0 == key)
            }
            What::UndoStarted { step: by, .. } => undo && by.as_str() == step,
            _ => false,
        });
        self.outside(|outside| {
            if !promised {
                outside.faults.push(format!("{step}/{key} became {value} before the journal knew"));
            }
            outside.values.insert((step.to_owned(), key.to_owned()), value);
        });
    }
}

pub(super) struct NoSecrets;

impl Secrets for NoSecrets {
    fn resolve(&self, _: &str) -> BoxFuture<'static, Result<Secret, ActionError>> {
        futures::future::ready(Err(ActionError::permanent("there are no secrets here"))).boxed()
    }
}

/// What one step does.
#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
pub(super) struct Params {
    step: String,
    effects: usize,
    failures: u32,
    fails_after: usize,
    hangs: bool,
    opaque: bool,
    undo_failures: u32,
    traffic: Option<Vec<String>>,
    targets: Vec<String>,
    irreversible: bool,
}

/// An action that does what its parameters say.
pub(super) struct Script(World);

impl Script {
    pub(super) fn new(world: World) -> Self {
        Self(world)
    }
}

impl Action for Script {
    const KIND: &'static str = "shell";
    const ABOUT: &'static str = "Does what its script says.";
    type Params = Params;
    type Undo = i64;
    type After = i64;
    type Output = Value;

    fn reversibility(&self, params: &Params) -> Reversibility {
        if params.irreversible { Reversibility::Irreversible } else { Reversibility::Reversible }
    }

    fn targets(&self, _: &RunScope, _: &Frozen, params: &Params) -> Vec<Target> {
        params.targets.iter().cloned().map(Target).collect()
    }

    async fn preview(&self, _: &ReadCx, _: &Params) -> Result<Preview, ActionError> {
        Ok(Preview::default())
    }

    async fn perform(&self, cx: &Cx<Self>, params: &Params) -> Result<Value, ActionError> {
        let fails = self.0.outside(|outside| {
            let failed = outside.failures.entry(params.step.clone()).or_default();
            *failed += 1;
            *failed <= params.failures
        });
        let class = params.traffic.clone().map(|fit| UndoClass::Traffic { needs_fit: fit.into_iter().map(Target).collect() });
        let before = |effect: usize| i64::from(self.0.stands(&params.step, &effect.to_string()));
        let effects = (0..params.effects).map(|effect| (EffectKey(effect.to_string().into()), before(effect))).collect();
        let tickets = cx.intend(Intent { class, irreversible: false }, effects).await?;
        for (place, ticket) in tickets.into_iter().enumerate() {
            if fails && place >= params.fails_after {
                break;
            }
            let (world, step, key) = (self.0.clone(), params.step.clone(), ticket.key.0.to_string());
            let lost = place % 3 == 2;
            let only_once = params.effects == 1;
            let write = async move {
                tokio::time::sleep(Duration::from_millis(3)).await;
                if only_once && world.stands(&step, &key) {
                    return Err(EffectError::Refused(ActionError::transient("it is there already")));
                }
                world.write(&step, &key, 1, false);
                tokio::time::sleep(Duration::from_millis(3)).await;
                if lost { Err(EffectError::Lost(ActionError::transient("no answer"))) } else { Ok(1) }
            };
            cx.effect(ticket, write).await?;
        }
        if fails && params.hangs {
            cx.read.cancel.cancelled().await;
        }
        if fails { Err(ActionError::transient("it failed")) } else { Ok(json!({ "step": params.step })) }
    }

    async fn settle(&self, _: &ReadCx, params: &Params, effect: &Begun<Self>) -> Result<Settled<i64>, ActionError> {
        Ok(match (params.opaque, self.0.stands(&params.step, &effect.key.0)) {
            (true, _) => Settled::Unknown("opaque".to_owned()),
            (false, true) => Settled::Done(1),
            (false, false) => Settled::NotDone,
        })
    }

    async fn compensate(&self, cx: &UndoCx, params: &Params, effects: Vec<Begun<Self>>) -> Result<Vec<Mark>, ActionError> {
        cx.evidence.cancelled().await;
        let fails = self.0.outside(|outside| {
            let failed = outside.undo_failures.entry(params.step.clone()).or_default();
            *failed += 1;
            *failed <= params.undo_failures
        });
        let mut marks = Vec::new();
        for (place, effect) in effects.into_iter().enumerate() {
            if fails && place >= params.effects / 2 {
                return Err(ActionError::transient("it cannot be taken back"));
            }
            self.0.write(&params.step, &effect.key.0, effect.undo, true);
            tokio::time::sleep(Duration::from_millis(2)).await;
            marks.push(Mark { key: effect.key, kind: MarkKind::Restored, notes: Vec::new() });
        }
        Ok(marks)
    }
}

/// The plan of a case.
pub(super) struct Steps {
    params: HashMap<StepId, (Params, bool, bool)>,
    controls: mpsc::UnboundedSender<Control>,
}

impl Steps {
    pub(super) fn new(case: &Case, controls: mpsc::UnboundedSender<Control>) -> Self {
        let steps = case.graph.steps.iter().zip(&case.scripts);
        let params = steps.map(|(step, script)| {
            let traffic = match &script.class {
                UndoClass::Ordinary => None,
                UndoClass::Traffic { needs_fit } => Some(needs_fit.iter().map(|target| target.0.clone()).collect()),
            };
            let params = Params {
                step: step.id.to_string(),
                effects: script.effects,
                failures: script.failures,
                fails_after: script.fails_after,
                hangs: script.hangs,
                opaque: script.opaque,
                undo_failures: script.undo_failures,
                traffic,
                targets: script.targets.iter().map(|target| target.0.clone()).collect(),
                irreversible: step.reversibility == Reversibility::Irreversible,
            };
            (step.id.clone(), (params, script.skipped, script.approves))
        });
        Self { params: params.collect(), controls }
    }
}

impl Program for Steps {
    fn holds(&self, step: &StepId, _: &Outputs) -> Result<bool, Failure> {
        Ok(!self.params[step].1)
    }

    fn render(&self, step: &StepId, _: &Outputs) -> Result<Rendered, Failure> {
        let params = serde_json::to_value(&self.params[step].0).expect("plain data");
        Ok(Rendered { kind: ActionKind::new("shell").expect("valid"), params, undo: Compensation::ByAction })
    }

    fn question(&self, step: &StepId, _: &Outputs) -> Result<String, Failure> {
        let (controls, step, approved) = (self.controls.clone(), step.clone(), self.params[step].2);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(3)).await;
            let _ = controls.send(Control::Answer { step, approved, by: "somebody".into(), comment: None });
        });
        Ok("may it go on?".to_owned())
    }

    fn pause(&self, _: &StepId, _: &Outputs) -> Result<Duration, Failure> {
        Ok(Duration::from_secs(5))
    }

    fn verification(&self, _: &Scope, _: &Outputs) -> Result<Option<Verification>, Failure> {
        Ok(None)
    }
}
