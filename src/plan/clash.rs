//! Steps of a bound plan that write the same object although neither waits for the other. It knows targets by their names alone.

use super::model::Plan;
use crate::record::Target;
use petgraph::Direction::Incoming;
use petgraph::algo::toposort;
use petgraph::graph::NodeIndex;
use std::collections::{BTreeSet, HashMap};

impl Plan {
    /// Says of each object that is written in no certain order by which two steps it is. `writes` has the targets of each step.
    pub(super) fn clashes(&self, writes: &HashMap<usize, Vec<Target>>) -> Vec<String> {
        let mut last: HashMap<&Target, usize> = HashMap::new();
        let mut told = BTreeSet::new();
        // In the order in which they run: if each comes after the one before, all of them do.
        for step in toposort(&self.graph, None).unwrap_or_default().into_iter().map(NodeIndex::index) {
            for target in writes.get(&step).into_iter().flatten().filter(|target| !target.0.contains('*')) {
                if let Some(before) = last.insert(target, step)
                    && before != step
                    && !self.is_before(before, step)
                {
                    told.insert((before.min(step), before.max(step), &target.0));
                }
            }
        }
        let id = |step: usize| &self.steps[step].id;
        let words = told
            .into_iter()
            .map(|(one, other, target)| format!("`{}` and `{}` both write {target}, and neither waits for the other", id(one), id(other)));
        words.collect()
    }

    fn is_before(&self, earlier: usize, later: usize) -> bool {
        let (mut seen, mut open) = (BTreeSet::new(), vec![NodeIndex::new(later)]);
        while let Some(step) = open.pop() {
            for need in self.graph.neighbors_directed(step, Incoming) {
                if need.index() == earlier {
                    return true;
                }
                if seen.insert(need) {
                    open.push(need);
                }
            }
        }
        false
    }
}
