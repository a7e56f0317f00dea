//! Who comes before whom: turns the names of a graph into places and edges.

use super::illegal::GraphError;
use super::places::Places;
use crate::record::{Graph, GuardSummary};
use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::BTreeSet;

/// Who comes before whom; a step's place is its node.
pub(super) type Edges = DiGraph<(), ()>;

/// An edge from each step to every step that needs it.
///
/// # Errors
/// When a name is unknown, or steps wait for each other in a circle.
pub(super) fn edges(graph: &Graph, places: &Places) -> Result<Edges, GraphError> {
    let mut edges = Edges::with_capacity(graph.steps.len(), graph.steps.iter().map(|step| step.needs.len()).sum());
    for _ in &graph.steps {
        edges.add_node(());
    }
    for (place, step) in graph.steps.iter().enumerate() {
        let mut needs = BTreeSet::new();
        for name in &step.needs {
            let need = places.find(graph, name).ok_or_else(|| GraphError::Unknown { by: step.id.clone(), name: name.clone() })?;
            if needs.insert(need) {
                edges.add_edge(NodeIndex::new(need), NodeIndex::new(place), ());
            }
        }
    }
    check_acyclic(graph, &edges)?;
    Ok(edges)
}

fn check_acyclic(graph: &Graph, edges: &Edges) -> Result<(), GraphError> {
    if toposort(edges, None).is_ok() {
        return Ok(());
    }
    // Not tarjan_scc: it recurses, and a long chain would overflow the stack.
    let circles = kosaraju_scc(edges).into_iter();
    let mut circle = circles.filter(|group| group.len() > 1 || group.iter().any(|node| edges.contains_edge(*node, *node)));
    let mut circle = circle.next().unwrap_or_default();
    circle.sort();
    Err(GraphError::Cycle(circle.into_iter().map(|node| graph.steps[node.index()].id.clone()).collect()))
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
