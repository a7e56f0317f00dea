//! Who comes before whom: turns the names of a graph into places and edges.

use super::illegal::GraphError;
use super::places::Places;
use super::state::{Index, place_number};
use crate::ids::StepId;
use crate::record::{Graph, GuardSummary};
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use std::ops::Range;

/// Who comes before whom, from both sides; a step's place is its number.
#[derive(Debug, Clone)]
pub(super) struct Edges {
    /// For each step the ones that it needs.
    pub(super) needs: Rows,
    /// For each step the ones that need it.
    pub(super) dependents: Rows,
}

/// For each step some others. All of them stand behind each other in one piece of memory: a large run walks through it from end to end.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    /// Where each step's row begins, and behind the last one where it ends.
    starts: Vec<u32>,
    places: Vec<u32>,
}

impl Rows {
    fn with_capacity(steps: usize, places: usize) -> Self {
        let mut starts = Vec::with_capacity(steps + 1);
        starts.push(0);
        Self { starts, places: Vec::with_capacity(places) }
    }

    /// Ends the row at hand, each place once.
    fn end_row(&mut self) {
        let start = self.starts.last().map_or(0, |start| *start as usize);
        self.places[start..].sort_unstable();
        let mut kept = start;
        for at in start..self.places.len() {
            if kept == start || self.places[kept - 1] != self.places[at] {
                self.places[kept] = self.places[at];
                kept += 1;
            }
        }
        self.places.truncate(kept);
        self.starts.push(place_number(kept));
    }

    /// The same pairs seen from the other side.
    fn turned(&self) -> Self {
        let count = self.len();
        let mut starts = vec![0; count + 1];
        self.places.iter().for_each(|place| starts[*place as usize + 1] += 1);
        (0..count).for_each(|step| starts[step + 1] += starts[step]);
        let (mut next, mut places) = (starts.clone(), vec![0; self.places.len()]);
        for step in 0..count {
            for other in self.of(step) {
                places[next[other] as usize] = place_number(step);
                next[other] += 1;
            }
        }
        Self { starts, places }
    }

    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// A step's row.
    pub(super) fn of(&self, step: Index) -> impl ExactSizeIterator<Item = Index> {
        self.places[self.row(step)].iter().map(|place| *place as Index)
    }

    /// Where a step's row stands, for who changes something else meanwhile: see [`Self::at`].
    pub(super) fn row(&self, step: Index) -> Range<usize> {
        self.starts[step] as usize..self.starts[step + 1] as usize
    }

    /// One place of a row.
    pub(super) fn at(&self, entry: usize) -> Index {
        self.places[entry] as Index
    }
}

/// Finds out who needs whom.
///
/// # Errors
/// When a name is unknown, or steps wait for each other in a circle.
pub(super) fn edges(graph: &Graph, places: &Places) -> Result<Edges, GraphError> {
    let count = graph.steps.iter().map(|step| step.needs.len()).sum();
    u32::try_from(count).map_err(|_| GraphError::TooMany)?;
    let mut needs = Rows::with_capacity(graph.steps.len(), count);
    for (place, step) in graph.steps.iter().enumerate() {
        let before = place.checked_sub(1).map_or(0..0, |before| needs.row(before));
        for (nth, name) in step.needs.iter().enumerate() {
            let likely = before.clone().nth(nth).map(|entry| needs.at(entry));
            let found = likely.and_then(|place| near(graph, name, place)).or_else(|| places.find(graph, name));
            let need = found.ok_or_else(|| GraphError::Unknown { by: step.id.clone(), name: name.clone() })?;
            needs.places.push(place_number(need));
        }
        needs.end_row();
    }
    let edges = Edges { dependents: needs.turned(), needs };
    check_acyclic(graph, &edges)?;
    Ok(edges)
}

/// The place of a step that is looked for, if it is this one or the next: most steps need what the step above needs, or what stands as far
/// above them. That is told without a look into a table that is larger than the processor's cache.
fn near(graph: &Graph, name: &StepId, place: Index) -> Option<Index> {
    [place, place + 1].into_iter().find(|place| graph.steps.get(*place).is_some_and(|step| step.id == *name))
}

/// Every step has its turn once all that it needs had theirs, unless there is a circle.
fn check_acyclic(graph: &Graph, edges: &Edges) -> Result<(), GraphError> {
    let mut pending: Vec<usize> = (0..graph.steps.len()).map(|step| edges.needs.of(step).len()).collect();
    let mut open: Vec<Index> = (0..pending.len()).filter(|step| pending[*step] == 0).collect();
    let mut reached = 0;
    while let Some(step) = open.pop() {
        reached += 1;
        for next in edges.dependents.of(step) {
            pending[next] -= 1;
            if pending[next] == 0 {
                open.push(next);
            }
        }
    }
    match reached == pending.len() {
        true => Ok(()),
        false => Err(GraphError::Cycle(circle(edges).into_iter().map(|step| graph.steps[step].id.clone()).collect())),
    }
}

/// Steps that wait for each other.
fn circle(edges: &Edges) -> Vec<Index> {
    let pairs = (0..edges.needs.len()).flat_map(|step| edges.needs.of(step).map(move |need| (need, step)));
    let graph: DiGraph<(), (), usize> = DiGraph::from_edges(pairs);
    // Not tarjan_scc: it recurses, and a long chain would overflow the stack.
    let circles = kosaraju_scc(&graph).into_iter();
    let mut circle = circles.filter(|group| group.len() > 1 || group.iter().any(|node| graph.contains_edge(*node, *node)));
    let mut circle: Vec<Index> = circle.next().unwrap_or_default().into_iter().map(NodeIndex::index).collect();
    circle.sort_unstable();
    circle
}

pub(super) fn check_guards(graph: &Graph, places: &Places) -> Result<(), GraphError> {
    let unknown = |guard: &GuardSummary| guard.guards.iter().find(|name| places.find(graph, name).is_none()).cloned();
    match graph.guards.iter().find_map(|guard| unknown(guard).map(|name| (guard.id.clone(), name))) {
        Some((by, name)) => Err(GraphError::Unknown { by, name }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{graph, step};
    use super::super::{Core, GraphError};
    use crate::ids::StepId;

    #[test]
    fn a_circle_is_named_whole() {
        let graph = graph(vec![step("a", &["c"]), step("b", &["a"]), step("c", &["b"]), step("d", &[])]);
        let names = ["a", "b", "c"].map(|id| StepId::new(id).unwrap()).to_vec();
        assert_eq!(Core::new(graph).map(drop), Err(GraphError::Cycle(names)));
    }

    #[test]
    fn a_step_that_needs_itself_is_a_circle() {
        let result = Core::new(graph(vec![step("a", &["a"])])).map(drop);
        assert_eq!(result, Err(GraphError::Cycle(vec![StepId::new("a").unwrap()])));
    }

    #[test]
    fn names_are_checked() {
        assert!(matches!(Core::new(graph(vec![step("a", &[]), step("a", &[])])), Err(GraphError::Twice(_))));
        assert!(matches!(Core::new(graph(vec![step("a", &["b"])])), Err(GraphError::Unknown { .. })));
    }
}
