//! What can still be taken back once a pivot has run: what a guard keeps that holds one, and which guards do not hold it. It draws nothing.

use crate::ids::StepId;
use crate::record::{Graph, GuardSummary, Reversibility};
use std::collections::{BTreeSet, HashMap};

/// The steps of a guard that cannot be taken back, in plan order.
pub(super) fn pivots<'g>(graph: &'g Graph, guard: &GuardSummary) -> Vec<&'g StepId> {
    let held = graph.steps.iter().filter(|step| guard.guards.contains(&step.id));
    held.filter(|step| step.reversibility == Reversibility::Irreversible).map(|step| &step.id).collect()
}

/// The steps of a guard that it can take back: as long as none of its pivots has run, and so none of what comes after one.
pub(super) fn taken_back(graph: &Graph, guard: &GuardSummary) -> BTreeSet<StepId> {
    let pivots = pivots(graph, guard);
    if pivots.is_empty() {
        return guard.guards.clone();
    }
    let mut needed_by: HashMap<&StepId, Vec<&StepId>> = HashMap::new();
    for step in &graph.steps {
        step.needs.iter().for_each(|need| needed_by.entry(need).or_default().push(&step.id));
    }
    let lost = reached(pivots, &needed_by);
    guard.guards.iter().filter(|step| !lost.contains(*step)).cloned().collect()
}

/// The guards that take something back also once this step has run, which cannot be: they do not hold it, and not only what comes before it.
/// Of nested ones the outermost.
pub(super) fn guards_past<'g>(graph: &'g Graph, pivot: &'g StepId) -> Vec<&'g StepId> {
    let needs: HashMap<&StepId, Vec<&StepId>> = graph.steps.iter().map(|step| (&step.id, step.needs.iter().collect())).collect();
    let before = reached(vec![pivot], &needs);
    let is_past = |guard: &&GuardSummary| !before.contains(&guard.id) && !guard.guards.contains(pivot);
    let past: Vec<&GuardSummary> = graph.guards.iter().filter(is_past).collect();
    let is_outermost = |guard: &&&GuardSummary| !past.iter().any(|other| other.guards.contains(&guard.id));
    past.iter().filter(is_outermost).map(|guard| &guard.id).collect()
}

/// These steps and all that edges lead to from them.
fn reached<'g>(from: Vec<&'g StepId>, edges: &HashMap<&'g StepId, Vec<&'g StepId>>) -> BTreeSet<&'g StepId> {
    let (mut reached, mut open) = (BTreeSet::new(), from);
    while let Some(step) = open.pop() {
        if reached.insert(step) {
            open.extend(edges.get(step).into_iter().flatten());
        }
    }
    reached
}
