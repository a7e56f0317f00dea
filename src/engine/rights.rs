//! Which rights a run would lack, as far as that can be told before it begins. It changes nothing.

use super::drive::EventSink;
use super::preview::Previewing;
use super::program::{Compensation, Outputs, Program};
use crate::action::{ReadCx, Redactor, Sink};
use crate::ids::{ActionKind, StepId};
use crate::plan::{Does, Step};
use futures::FutureExt;
use serde_json::Value;
use std::collections::BTreeMap;
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

/// The secrets that steps name of which it is known that they will run, each with the first step that does.
pub fn secrets_needed(previewing: &Previewing) -> BTreeMap<String, StepId> {
    let mut needed = BTreeMap::new();
    let runs = |step: &&Step| step.when.is_none() || previewing.program.holds(&step.id, &Outputs::new()).unwrap_or(false);
    for step in previewing.plan.steps.iter().filter(|step| !step.secrets.is_empty()).filter(runs) {
        for name in &step.secrets {
            needed.entry(name.clone()).or_insert_with(|| step.id.clone());
        }
    }
    needed
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
