//! Which rights a run would lack, as far as that can be told before it begins. It changes nothing.

use super::drive::EventSink;
use super::preview::Previewing;
use super::program::{Compensation, Outputs, Program};
use crate::action::{ReadCx, Redactor, Sink};
use crate::ids::{ActionKind, StepId};
use crate::plan::{Does, Plan, Step};
use crate::record::Reversibility;
use futures::FutureExt;
use indexmap::IndexMap;
use petgraph::Direction::Incoming;
use petgraph::algo::toposort;
use serde_json::Value;
use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Asks the action of every step whose parameters are known by now, and those that would take it back. One line each.
///
/// What cannot be asked is left to the step itself: it looks again before its first write.
pub async fn missing_rights(previewing: &Previewing) -> Vec<(StepId, String)> {
    let redactor = Redactor::default();
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

/// The secrets that steps name of which it is known that they will run, each once: with a step before which nothing is changed, or else
/// with the first.
pub fn secrets_needed(previewing: &Previewing) -> Vec<NeededSecret> {
    let plan = &previewing.plan;
    let runs = |step: &&Step| step.when.is_none() || previewing.program.holds(&step.id, &Outputs::new()).unwrap_or(false);
    let mut needed: IndexMap<&str, NeededSecret> = IndexMap::new();
    if plan.steps.iter().all(|step| step.secrets.is_empty()) {
        return Vec::new();
    }
    let changed = changed_before(plan);
    for step in plan.steps.iter().filter(|step| !step.secrets.is_empty()).filter(runs) {
        let may_be_made = changed.contains(&step.id);
        for name in &step.secrets {
            let new = || NeededSecret { name: name.clone(), step: step.id.clone(), may_be_made };
            let known = needed.entry(name).or_insert_with(new);
            if known.may_be_made && !may_be_made {
                *known = new();
            }
        }
    }
    needed.into_values().collect()
}

/// The steps before which another one changes something.
fn changed_before(plan: &Plan) -> HashSet<&StepId> {
    // Whoever waits, for an object, a person or the clock, may wait for just that.
    let waits = |kind: &str| matches!(kind, "wait-for" | "wait-healthy");
    let changes = |step: &Step| match &step.does {
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
