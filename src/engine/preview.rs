//! What a plan would do, found out without changing anything: each step's action is asked, in the order of the graph.

use super::planned::Planned;
use super::program::{Outputs, Program};
use super::secrets::Secrets;
use super::sink::EventSink;
use crate::action::{ActionError, Effects, ErasedTicket, Frozen, Intent, Preview, ReadCx, Redactor, Registry, RunScope};
use crate::ids::{ActionKind, StepId};
use crate::plan::{Does, Plan, Step};
use crate::record::{EffectKey, Failure, Reversibility};
use futures::FutureExt;
use futures::future::BoxFuture;
use petgraph::algo::toposort;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// All that a preview needs.
pub struct Previewing {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The plan, bound to its inputs.
    pub program: Planned,
    /// The actions.
    pub registry: Registry,
    /// Whose run it would be.
    pub scope: Arc<RunScope>,
    /// The files that it would read.
    pub frozen: Frozen,
    /// Where its secrets come from.
    pub secrets: Arc<dyn Secrets>,
    /// Those that are known before anybody asks for them.
    pub redactor: Redactor,
}

/// One step of a plan, as it would go.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Seen {
    /// The step.
    pub step: StepId,
    /// Its YAML key.
    pub kind: ActionKind,
    /// What would happen.
    pub sight: Sight,
    /// It only looks, whatever it will find.
    #[serde(skip)]
    only_looks: bool,
}

/// What a look at a step found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sight {
    /// What its action would do.
    Would(Preview),
    /// It would not run: its `when` is false.
    Skipped,
    /// It depends on what these steps will find or make.
    KnownAfter {
        /// The steps.
        steps: Vec<StepId>,
        /// Why it cannot be told now; none when it refers to their outputs.
        why: Option<String>,
    },
    /// A person would be asked.
    Asks(String),
    /// It would wait.
    Waits(String),
    /// A savepoint.
    Savepoint,
    /// It could not be looked at, or would be refused.
    Refused(Failure),
}

impl Seen {
    /// True when something would be changed, or cannot be told yet.
    pub fn changes(&self) -> bool {
        match &self.sight {
            Sight::Would(preview) => !preview.changes.is_empty(),
            Sight::KnownAfter { .. } => !self.only_looks,
            Sight::Skipped | Sight::Asks(_) | Sight::Waits(_) | Sight::Savepoint | Sight::Refused(_) => false,
        }
    }

    /// What speaks against running the plan.
    pub fn refusals(&self) -> Vec<String> {
        match &self.sight {
            Sight::Would(preview) => preview.refusals.clone(),
            Sight::Refused(failure) => vec![failure.causes.iter().fold(failure.message.clone(), |text, cause| format!("{text}: {cause}"))],
            _ => Vec::new(),
        }
    }
}

/// Looks at every step, and tells them in the plan's order.
pub async fn preview(previewing: Previewing) -> Vec<Seen> {
    let order = toposort(previewing.plan.graph(), None).unwrap_or_default();
    let redactor = previewing.redactor.clone();
    let sink = Arc::new(EventSink::silent(redactor.clone(), Arc::clone(&previewing.secrets)));
    let mut looker = Looker { previewing, redactor, sink, outputs: Outputs::new(), skipped: BTreeSet::new(), changing: BTreeSet::new() };
    let mut seen = Vec::new();
    for node in order {
        let plan = Arc::clone(&looker.previewing.plan);
        let step = &plan.steps[node.index()];
        let sight = looker.look(step).await;
        let only_looks = step.reversibility == Reversibility::ReadOnly;
        let told = Seen { step: step.id.clone(), kind: step.kind.clone(), sight: looker.clean(sight), only_looks };
        looker.skipped.extend((told.sight == Sight::Skipped).then(|| step.id.clone()));
        looker.changing.extend(told.changes().then(|| step.id.clone()));
        seen.push((node.index(), told));
    }
    seen.sort_by_key(|(place, _)| *place);
    seen.into_iter().map(|(_, seen)| seen).collect()
}

struct Looker {
    previewing: Previewing,
    redactor: Redactor,
    sink: Arc<EventSink>,
    /// What read-only steps found, as things are now.
    outputs: Outputs,
    /// The steps that would not run: they have no output.
    skipped: BTreeSet<StepId>,
    /// The steps that would change something.
    changing: BTreeSet<StepId>,
}

impl Looker {
    async fn look(&mut self, step: &Step) -> Sight {
        let used = self.previewing.plan.outputs_used(step).into_iter();
        let unknown: Vec<StepId> = used.filter(|id| !self.outputs.contains_key(id) && !self.skipped.contains(id)).collect();
        if !unknown.is_empty() {
            return Sight::KnownAfter { steps: unknown, why: None };
        }
        match self.previewing.program.holds(&step.id, &self.outputs) {
            Err(failure) => return Sight::Refused(failure),
            Ok(false) => return Sight::Skipped,
            Ok(true) => {}
        }
        let program = &self.previewing.program;
        let told = match &step.does {
            Does::Guard { .. } => Ok(Sight::Savepoint),
            Does::Approve { .. } => program.question(&step.id, &self.outputs).map(Sight::Asks),
            Does::Pause { .. } => program.pause(&step.id, &self.outputs).map(|time| Sight::Waits(crate::ids::Period(time).to_string())),
            Does::Action(_) => self.ask(step).await,
        };
        told.unwrap_or_else(Sight::Refused)
    }

    async fn ask(&mut self, step: &Step) -> Result<Sight, Failure> {
        let rendered = self.previewing.program.render(&step.id, &self.outputs)?;
        let unknown = || Failure::permanent(format!("this bowline does not know the action `{}`", rendered.kind));
        let action = Arc::clone(self.previewing.registry.get(rendered.kind.as_str()).ok_or_else(unknown)?);
        let cx = ReadCx {
            step: step.id.clone(),
            scope: Arc::clone(&self.previewing.scope),
            frozen: self.previewing.frozen.clone(),
            cancel: CancellationToken::new(),
            sink: Arc::clone(&self.sink) as Arc<dyn crate::action::Sink>,
        };
        let broke = |_| Err(ActionError::permanent("the action broke down; this is a bug in bowline"));
        let preview = AssertUnwindSafe(action.preview(cx.clone(), rendered.params.clone())).catch_unwind().await.unwrap_or_else(broke);
        let mut preview = match (preview, self.changers_before(step)) {
            (Ok(preview), _) => preview,
            (Err(error), before) if before.is_empty() => return Err(error.into_failure()),
            // What is not there yet may be made by a step before this one.
            (Err(error), steps) => return Ok(Sight::KnownAfter { steps, why: Some(error.to_string()) }),
        };
        match action.missing_rights(cx.clone(), rendered.params.clone()).await {
            Ok(missing) => preview.refusals.extend(missing),
            Err(error) => preview.notes.push(format!("whether rights are missing cannot be told: {error}")),
        }
        // What would be refused is not tried.
        if step.reversibility == Reversibility::ReadOnly && preview.refusals.is_empty() && self.is_used(&step.id) {
            let found = AssertUnwindSafe(action.perform(cx, Arc::new(NoEffects), rendered.params)).catch_unwind().await;
            match found.unwrap_or_else(|_| Err(ActionError::permanent("the action broke down; this is a bug in bowline"))) {
                Ok(output) => drop(self.outputs.insert(step.id.clone(), output)),
                Err(error) => preview.refusals.push(error.to_string()),
            }
        }
        Ok(Sight::Would(preview))
    }

    /// The steps right before this one, or before those, that would change something.
    fn changers_before(&self, step: &Step) -> Vec<StepId> {
        let (mut found, mut open) = (BTreeSet::new(), step.needs.clone());
        let mut passed = BTreeSet::new();
        while let Some(id) = open.pop() {
            if !passed.insert(id.clone()) {
                continue;
            }
            match self.changing.contains(&id) {
                true => drop(found.insert(id)),
                false => open.extend(self.previewing.plan.step(id.as_str()).into_iter().flat_map(|step| step.needs.clone())),
            }
        }
        found.into_iter().collect()
    }

    fn is_used(&self, id: &StepId) -> bool {
        self.previewing.plan.steps.iter().any(|step| self.previewing.plan.outputs_used(step).contains(id))
    }

    /// What actions say may hold secrets that they were given.
    fn clean(&self, sight: Sight) -> Sight {
        let texts = |texts: Vec<String>| texts.iter().map(|text| self.redactor.clean(text)).collect();
        match sight {
            Sight::Would(mut preview) => {
                preview.refusals = texts(preview.refusals);
                preview.notes = texts(preview.notes);
                for change in &mut preview.changes {
                    change.lines = texts(std::mem::take(&mut change.lines));
                }
                Sight::Would(preview)
            }
            Sight::KnownAfter { steps, why } => Sight::KnownAfter { steps, why: why.map(|why| self.redactor.clean(&why)) },
            Sight::Asks(text) => Sight::Asks(self.redactor.clean(&text)),
            Sight::Refused(failure) => Sight::Refused(self.redactor.failure(&failure)),
            other => other,
        }
    }
}

/// A preview has no effects: an action that claims to be read-only and tries one is stopped.
struct NoEffects;

impl Effects for NoEffects {
    fn intend(&self, _: Intent, effects: Vec<(EffectKey, Value)>) -> BoxFuture<'static, Result<Vec<ErasedTicket>, ActionError>> {
        let refused = effects.is_empty().then(Vec::new).ok_or_else(|| ActionError::permanent("it would change something"));
        async move { refused }.boxed()
    }

    fn effect(
        &self,
        _: ErasedTicket,
        _: BoxFuture<'static, Result<Value, crate::action::EffectError>>,
    ) -> BoxFuture<'static, Result<Value, ActionError>> {
        async { Err(ActionError::permanent("it would change something")) }.boxed()
    }
}
