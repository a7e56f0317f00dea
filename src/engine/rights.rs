//! Which rights a run would lack, as far as that can be told before it begins. It changes nothing.

use super::core::{Core, Status};
use super::preview::Previewing;
use super::program::{Compensation, Outputs, Program};
use super::sink::EventSink;
use crate::action::{ReadCx, Sink};
use crate::ids::{ActionKind, StepId};
use crate::plan::{Does, Plan, Step, Undo};
use crate::record::{Reversibility, Scope};
use futures::FutureExt;
use indexmap::IndexMap;
use petgraph::Direction::{Incoming, Outgoing};
use petgraph::algo::toposort;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Asks the action of every step whose parameters are known by now, and those that would take it back. One line each.
///
/// What cannot be asked is left to the step itself: it looks again before its first write.
pub async fn missing_rights(previewing: &Previewing) -> Vec<(StepId, String)> {
    let redactor = previewing.redactor.clone();
    let sink = Arc::new(EventSink::silent(redactor.clone(), Arc::clone(&previewing.secrets)));
    let mut missing = Vec::new();
    for step in
        previewing.plan.steps.iter().filter(|step| matches!(step.does, Does::Action(_)) && previewing.plan.outputs_used(step).is_empty())
    {
        let none = Outputs::new();
        if !previewing.program.holds(&step.id, &none).unwrap_or(true) {
            continue;
        }
        let Ok(rendered) = previewing.program.render(&step.id, &none) else { continue };
        let mut uses = vec![(rendered.kind, rendered.params)];
        if let Compensation::Steps(steps) = rendered.undo {
            uses.extend(steps);
        }
        for told in ask(previewing, &sink, &step.id, uses).await {
            missing.push((step.id.clone(), redactor.clean(&told)));
        }
    }
    missing
}

/// A secret that a step will need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeededSecret {
    /// Its name in the plan.
    pub name: String,
    /// The step.
    pub step: StepId,
    /// Something is changed before that step begins, so that a secret that is not there yet may be there then.
    pub may_be_made: bool,
}

/// What of a step is still to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ahead {
    /// All of it: it has not run, or not to its end.
    All,
    /// Only that it may be taken back.
    Undo,
    /// Nothing.
    Nothing,
}

impl Ahead {
    /// What is ahead of each step of a run that goes back this far, or on where none is said.
    pub fn of(core: &Core, plan: &Plan, back: Option<&Scope>) -> HashMap<StepId, Self> {
        let Some(scope) = back else { return Self::on_the_way(core) };
        // What must hold after the rollback is said by its guard.
        let guard = match scope {
            Scope::Everything => plan.guard_of_the_start().map(|guard| &guard.id),
            Scope::Guard(guard) => Some(guard),
            Scope::Step(_) => None,
        };
        let steps = core.foresee(scope).unwrap_or_default();
        steps.into_iter().chain(guard).map(|step| (step.clone(), Self::Undo)).collect()
    }

    fn on_the_way(core: &Core) -> HashMap<StepId, Self> {
        let may_go_back = core.foresee(&Scope::Everything).is_ok();
        let ahead = core.steps().map(|(id, step)| {
            let goes_on_without = core.summary(id).is_some_and(|summary| summary.continue_on_error);
            let ahead = match step.status {
                Status::Succeeded if may_go_back && step.may_have_effects() => Self::Undo,
                Status::Succeeded | Status::Skipped => Self::Nothing,
                Status::Failed if goes_on_without => Self::Nothing,
                _ => Self::All,
            };
            (id.clone(), ahead)
        });
        ahead.collect()
    }
}

/// The secrets that are needed by what is ahead of these steps, each once: with a step before which nothing is changed, or else with the
/// first. Of a step with a condition it must be known that it will run.
pub fn secrets_needed(previewing: &Previewing, ahead: impl Fn(&StepId) -> Ahead) -> Vec<NeededSecret> {
    let plan = &previewing.plan;
    if plan.steps.iter().all(|step| step.secrets.is_empty()) {
        return Vec::new();
    }
    let runs = |step: &Step| step.when.is_none() || previewing.program.holds(&step.id, &Outputs::new()).unwrap_or(false);
    let (changed, changed_since) = (changed_before(plan, &ahead), changed_since(plan, &ahead));
    let mut needed: IndexMap<&str, NeededSecret> = IndexMap::new();
    for step in plan.steps.iter().filter(|step| !step.secrets.is_empty()) {
        let ahead = ahead(&step.id);
        let names: Vec<&String> = match ahead {
            Ahead::All if runs(step) => step.secrets.iter().collect(),
            Ahead::Undo => secrets_of_undo(step).collect(),
            Ahead::All | Ahead::Nothing => Vec::new(),
        };
        let may_be_made = match ahead {
            Ahead::Undo => changed_since.contains(&step.id),
            Ahead::All | Ahead::Nothing => changed.contains(&step.id),
        };
        for name in names {
            let new = || NeededSecret { name: name.clone(), step: step.id.clone(), may_be_made };
            let known = needed.entry(name).or_insert_with(new);
            if known.may_be_made && !may_be_made {
                *known = new();
            }
        }
    }
    needed.into_values().collect()
}

/// What taking a step back asks for: what its `undo` names, or what its action does, which takes it back itself.
fn secrets_of_undo(step: &Step) -> impl Iterator<Item = &String> {
    let by_action = step.secrets.iter().filter(|_| matches!(step.undo, Undo::ByAction) && step.stays.is_none());
    step.undo_secrets.iter().chain(by_action)
}

/// The steps after which another one has changed something: it may have taken away what the undo needs, and its own undo may bring it back.
fn changed_since<'a>(plan: &'a Plan, ahead: &impl Fn(&StepId) -> Ahead) -> HashSet<&'a StepId> {
    let has_changed = |step: &Step| ahead(&step.id) == Ahead::Undo && step.reversibility != Reversibility::ReadOnly;
    let mut changed = HashSet::new();
    for node in toposort(plan.graph(), None).unwrap_or_default().into_iter().rev() {
        let next = plan.graph().neighbors_directed(node, Outgoing).map(|next| &plan.steps[next.index()]);
        if next.into_iter().any(|next| has_changed(next) || changed.contains(&next.id)) {
            changed.insert(&plan.steps[node.index()].id);
        }
    }
    changed
}

/// The steps before which another one is still to change something.
fn changed_before<'a>(plan: &'a Plan, ahead: &impl Fn(&StepId) -> Ahead) -> HashSet<&'a StepId> {
    // Whoever waits, for an object, a person or the clock, may wait for just that.
    let waits = |kind: &str| matches!(kind, "wait-for" | "wait-healthy");
    let changes = |step: &Step| match &step.does {
        _ if ahead(&step.id) != Ahead::All => false,
        Does::Action(_) => step.reversibility != Reversibility::ReadOnly || waits(step.kind.as_str()),
        Does::Approve { .. } | Does::Pause { .. } => true,
        Does::Guard { .. } => false,
    };
    let mut changed = HashSet::new();
    for node in toposort(plan.graph(), None).unwrap_or_default() {
        let needs = plan.graph().neighbors_directed(node, Incoming).map(|need| &plan.steps[need.index()]);
        if needs.into_iter().any(|need| changes(need) || changed.contains(&need.id)) {
            changed.insert(&plan.steps[node.index()].id);
        }
    }
    changed
}

async fn ask(previewing: &Previewing, sink: &Arc<EventSink>, step: &StepId, uses: Vec<(ActionKind, Value)>) -> Vec<String> {
    let cx = ReadCx {
        step: step.clone(),
        scope: Arc::clone(&previewing.scope),
        frozen: previewing.frozen.clone(),
        cancel: CancellationToken::new(),
        sink: Arc::clone(sink) as Arc<dyn Sink>,
    };
    let mut missing = Vec::new();
    for (kind, params) in uses {
        let Some(action) = previewing.registry.get(kind.as_str()) else { continue };
        let asked = AssertUnwindSafe(action.missing_rights(cx.clone(), params)).catch_unwind().await;
        match asked {
            Ok(Ok(told)) => missing.extend(told),
            Ok(Err(error)) => tracing::debug!(%step, %kind, %error, "cannot tell whether rights are missing"),
            Err(_) => tracing::debug!(%step, %kind, "the action broke down when it was asked for its rights"),
        }
    }
    missing
}
