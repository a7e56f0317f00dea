//! Takes the steps that are there once for each item together, where nothing in the tree tells them apart. It draws nothing.

use super::Remarks;
use crate::ids::StepId;
use crate::record::{Graph, StepSummary};
use std::collections::{BTreeMap, BTreeSet};

/// The longest list of items that is told whole.
const LONGEST: usize = 24;

/// A graph in which one step stands for all that are alike, and whom each of those stands for.
pub(super) struct Alike {
    pub(super) graph: Graph,
    pub(super) remarks: Remarks,
    items: BTreeMap<StepId, Vec<String>>,
}

impl Alike {
    pub(super) fn of(graph: &Graph, remarks: &Remarks) -> Self {
        let mut families: BTreeMap<StepId, Vec<&StepSummary>> = BTreeMap::new();
        for step in &graph.steps {
            let family = step.id.parts().and_then(|(family, _)| StepId::new(family).ok());
            family.into_iter().for_each(|family| families.entry(family).or_default().push(step));
        }
        families.retain(|_, steps| steps.len() > 1 && are_alike(steps, remarks) && !is_torn(graph, steps));
        let one_of = families.iter().flat_map(|(family, steps)| steps.iter().map(move |step| (&step.id, family))).collect();
        let graph = folded(graph, &one_of);
        let staying = remarks.staying.iter().map(|(id, why)| (stands(&one_of, id), why.clone())).collect();
        let items = |steps: &Vec<&StepSummary>| steps.iter().filter_map(|step| Some(step.id.parts()?.1.to_owned())).collect();
        let items = families.iter().map(|(family, steps)| (family.clone(), items(steps))).collect();
        Self { graph, remarks: Remarks { staying, spreading: remarks.spreading.clone() }, items }
    }

    /// A step's id, or that of its family with all items: `deploy[eu, us]`, and where there are many `deploy[a … z]`.
    pub(super) fn label(&self, id: &StepId) -> String {
        let Some(items) = self.items.get(id) else { return id.to_string() };
        let all = items.join(", ");
        match (all.chars().count() <= LONGEST, items.as_slice()) {
            (false, [first, .., last]) => format!("{id}[{first} … {last}]"),
            _ => format!("{id}[{all}]"),
        }
    }

    /// For how many items a step stands whose label does not tell all of them.
    pub(super) fn untold(&self, id: &StepId) -> Option<usize> {
        let items = self.items.get(id).filter(|items| items.len() > 2)?;
        (items.join(", ").chars().count() > LONGEST).then_some(items.len())
    }

    /// How many steps of the plan these are.
    pub(super) fn count<'a>(&self, ids: impl IntoIterator<Item = &'a StepId>) -> usize {
        ids.into_iter().map(|id| self.items.get(id).map_or(1, Vec::len)).sum()
    }
}

/// True when only their ids differ.
fn are_alike(steps: &[&StepSummary], remarks: &Remarks) -> bool {
    let Some(first) = steps.first() else { return false };
    let needs = |step: &StepSummary| step.needs.iter().cloned().collect::<BTreeSet<_>>();
    steps.iter().all(|step| {
        let as_first = StepSummary { id: first.id.clone(), needs: first.needs.clone(), ..(*step).clone() };
        as_first == **first && needs(step) == needs(first) && remarks.staying.get(&step.id) == remarks.staying.get(&first.id)
    })
}

/// True when some step needs a part of them, or some guard holds a part.
fn is_torn(graph: &Graph, steps: &[&StepSummary]) -> bool {
    let is_part = |held: usize| held > 0 && held < steps.len();
    let ids: BTreeSet<&StepId> = steps.iter().map(|step| &step.id).collect();
    let needed = |step: &StepSummary| step.needs.iter().filter(|need| ids.contains(need)).count();
    let guarded = |guards: &BTreeSet<StepId>| guards.iter().filter(|id| ids.contains(id)).count();
    graph.steps.iter().any(|step| is_part(needed(step))) || graph.guards.iter().any(|guard| is_part(guarded(&guard.guards)))
}

fn stands(one_of: &BTreeMap<&StepId, &StepId>, id: &StepId) -> StepId {
    one_of.get(id).map_or_else(|| id.clone(), |family| (*family).clone())
}

fn folded(graph: &Graph, one_of: &BTreeMap<&StepId, &StepId>) -> Graph {
    let mut told = BTreeSet::new();
    let mut all = Graph { steps: Vec::new(), ..graph.clone() };
    for step in &graph.steps {
        let id = stands(one_of, &step.id);
        if !told.insert(id.clone()) {
            continue;
        }
        let mut needs: Vec<StepId> = Vec::new();
        for need in step.needs.iter().map(|need| stands(one_of, need)) {
            if !needs.contains(&need) {
                needs.push(need);
            }
        }
        all.steps.push(StepSummary { id, needs, ..step.clone() });
    }
    for guard in &mut all.guards {
        guard.guards = guard.guards.iter().map(|id| stands(one_of, id)).collect();
    }
    all
}
