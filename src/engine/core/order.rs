//! Who comes before whom: turns the names of a graph into places and edges.

use super::illegal::GraphError;
use super::state::Index;
use crate::ids::StepId;
use crate::record::{Graph, GuardSummary};
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use std::collections::HashMap;

type Edges = Vec<Vec<Index>>;

pub(super) fn index(graph: &Graph) -> Result<HashMap<StepId, Index>, GraphError> {
    let mut by_id = HashMap::with_capacity(graph.steps.len());
    for (place, step) in graph.steps.iter().enumerate() {
        if by_id.insert(step.id.clone(), place).is_some() {
            return Err(GraphError::Twice(step.id.clone()));
        }
    }
    Ok(by_id)
}

/// The steps that each step needs, and the steps that need it.
pub(super) fn edges(graph: &Graph, by_id: &HashMap<StepId, Index>) -> Result<(Edges, Edges), GraphError> {
    let mut needs = vec![Vec::new(); graph.steps.len()];
    let mut dependents = vec![Vec::new(); graph.steps.len()];
    for (place, step) in graph.steps.iter().enumerate() {
        for name in &step.needs {
            let need = *by_id.get(name).ok_or_else(|| GraphError::Unknown { by: step.id.clone(), name: name.clone() })?;
            if !needs[place].contains(&need) {
                needs[place].push(need);
                dependents[need].push(place);
            }
        }
    }
    Ok((needs, dependents))
}

pub(super) fn check_acyclic(graph: &Graph, needs: &Edges, dependents: &Edges) -> Result<(), GraphError> {
    let count: usize = dependents.iter().map(Vec::len).sum();
    let mut drawn = DiGraph::<(), ()>::with_capacity(needs.len(), count);
    for _ in needs {
        drawn.add_node(());
    }
    for (place, needs) in needs.iter().enumerate() {
        for need in needs {
            drawn.add_edge(NodeIndex::new(*need), NodeIndex::new(place), ());
        }
    }
    // Not tarjan_scc: it recurses, and a long chain would overflow the stack.
    let circle =
        kosaraju_scc(&drawn).into_iter().find(|group| group.len() > 1 || group.iter().any(|node| drawn.contains_edge(*node, *node)));
    match circle {
        None => Ok(()),
        Some(mut group) => {
            group.sort();
            Err(GraphError::Cycle(group.into_iter().map(|node| graph.steps[node.index()].id.clone()).collect()))
        }
    }
}

pub(super) fn check_guards(graph: &Graph, by_id: &HashMap<StepId, Index>) -> Result<(), GraphError> {
    let unknown = |guard: &GuardSummary| guard.guards.iter().find(|name| !by_id.contains_key(*name)).cloned();
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
