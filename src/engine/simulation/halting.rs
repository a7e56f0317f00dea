//! One step of the real driver whose run is halted while its program works, and whose program ends by itself just then.

use super::world::{NoSecrets, VirtualClock};
use super::{Nobody, SeededRandom};
use crate::action::{Action, ActionError, Begun, Cx, Frozen, Intent, Preview, ReadCx, Redactor, Registry, RunScope, UndoCx};
use crate::engine::core::simulation::case::Dice;
use crate::engine::core::testing::{graph, step};
use crate::engine::{Compensation, Control, Opening, Outputs, Program, Rendered, Unlimited, Verification, drive};
use crate::ids::{ActionKind, PlanName, RunId, StepId};
use crate::journal::MemoryStore;
use crate::record::{
    AttemptResult, BlobRef, CancelLevel, Digest, EffectKey, Failure, Mark, Outcome, Reversibility, Scope, Settled, Target, What,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

#[derive(Debug, Clone, Serialize, Deserialize, schemars::JsonSchema)]
struct Params {
    repeatable: bool,
}

/// Runs a program that hears the signal which halts the run, and ends with a code of its own.
struct Catching {
    controls: mpsc::UnboundedSender<Control>,
}

impl Action for Catching {
    const KIND: &'static str = "shell";
    const ABOUT: &'static str = "Is halted in the middle.";
    type Params = Params;
    type Undo = i64;
    type After = i64;
    type Output = Value;

    fn reversibility(&self, _: &Params) -> Reversibility {
        Reversibility::Reversible
    }

    fn targets(&self, _: &RunScope, _: &Frozen, _: &Params) -> Vec<Target> {
        Vec::new()
    }

    fn repeatable(&self, params: &Params) -> bool {
        params.repeatable
    }

    async fn preview(&self, _: &ReadCx, _: &Params) -> Result<Preview, ActionError> {
        Ok(Preview::default())
    }

    async fn perform(&self, cx: &Cx<Self>, _: &Params) -> Result<Value, ActionError> {
        let (controls, stopped) = (self.controls.clone(), cx.read.cancel.clone());
        let tickets = cx.intend(Intent::default(), vec![(EffectKey("run".into()), 0)]).await?;
        for ticket in tickets {
            let (controls, stopped) = (controls.clone(), stopped.clone());
            let program = async move {
                let _ = controls.send(Control::Cancel { level: CancelLevel::Halt, by: "SIGTERM".to_owned() });
                stopped.cancelled().await;
                Ok(3)
            };
            cx.effect(ticket, program).await?;
        }
        Err(ActionError::transient("it exited with code 3"))
    }

    async fn settle(&self, _: &ReadCx, _: &Params, _: &Begun<Self>) -> Result<Settled<i64>, ActionError> {
        Ok(Settled::Unknown("nobody knows".to_owned()))
    }

    async fn compensate(&self, _: &UndoCx, _: &Params, _: Vec<Begun<Self>>) -> Result<Vec<Mark>, ActionError> {
        Ok(Vec::new())
    }
}

/// The plan: one step.
struct One(Params);

impl Program for One {
    fn holds(&self, _: &StepId, _: &Outputs) -> Result<bool, Failure> {
        Ok(true)
    }

    fn render(&self, _: &StepId, _: &Outputs) -> Result<Rendered, Failure> {
        let params = json!({ "repeatable": self.0.repeatable });
        Ok(Rendered { kind: ActionKind::new("shell").expect("valid"), params, undo: Compensation::ByAction })
    }

    fn question(&self, _: &StepId, _: &Outputs) -> Result<String, Failure> {
        Ok(String::new())
    }

    fn pause(&self, _: &StepId, _: &Outputs) -> Result<Duration, Failure> {
        Ok(Duration::ZERO)
    }

    fn verification(&self, _: &Scope, _: &Outputs) -> Result<Option<Verification>, Failure> {
        Ok(None)
    }
}

/// How the step's attempt is recorded.
fn ended(repeatable: bool) -> AttemptResult {
    let store = MemoryStore::new();
    let (controls, obeyed) = mpsc::unbounded_channel();
    let (run, plan) = (RunId::new("run").expect("valid"), PlanName::new("plan").expect("valid"));
    let journal = store.hold();
    let first = What::RunOpened {
        run: run.clone(),
        plan: plan.clone(),
        environment: None,
        graph: Arc::new(graph(vec![step("only", &[])])),
        frozen: BlobRef { id: Digest([0; 32]), sealed: Digest([0; 32]), size: 0 },
        simulated: false,
    };
    let opening = Opening {
        program: Arc::new(One(Params { repeatable })),
        registry: Registry::default().with(Catching { controls }),
        clock: Arc::new(VirtualClock::default()),
        random: Arc::new(SeededRandom(Mutex::new(Dice::new(1)))),
        scope: Arc::new(RunScope { run, plan, environment: None, namespace: None, context: None }),
        frozen: Frozen::default(),
        secrets: Arc::new(NoSecrets),
        redactor: Redactor::default(),
        epoch: journal.epoch(),
        journal: Arc::new(journal),
        permit: Arc::new(Unlimited),
        records: Vec::new(),
        first,
        reporter: Arc::new(Nobody),
        controls: obeyed,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    assert_eq!(runtime.block_on(drive(opening)).expect("the journal holds").outcome, Outcome::Halted);
    let ended = store.records().into_iter().find_map(|record| match record.what {
        What::AttemptEnded { result, .. } => Some(result),
        _ => None,
    });
    ended.expect("the attempt has an end")
}

#[test]
fn a_program_that_ends_by_itself_when_the_run_is_halted_has_failed_and_is_not_begun_again() {
    assert!(matches!(ended(false), AttemptResult::Failed { failure, .. } if failure.message == "it exited with code 3"));
    assert_eq!(ended(true), AttemptResult::Interrupted, "what may be repeated is");
}
