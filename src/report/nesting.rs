//! Which steps and guards stand in which guard, for pictures that draw guards as boxes. It draws nothing.

use crate::ids::StepId;
use crate::record::{Graph, GuardSummary, StepSummary};
use std::cmp::Reverse;
use std::collections::HashMap;

/// The steps and guards of a graph by the smallest guard that holds them. Guards nest or are disjoint, so there is at most one smallest.
pub(super) struct Nesting<'g> {
    steps: HashMap<Option<&'g StepId>, Vec<&'g StepSummary>>,
    guards: HashMap<Option<&'g StepId>, Vec<&'g GuardSummary>>,
}

impl<'g> Nesting<'g> {
    pub(super) fn of(graph: &'g Graph) -> Self {
        let mut from_large_to_small: Vec<&GuardSummary> = graph.guards.iter().collect();
        from_large_to_small.sort_by_key(|guard| Reverse(guard.guards.len()));
        let mut holders: HashMap<&StepId, &StepId> = HashMap::new();
        for guard in from_large_to_small {
            holders.extend(guard.guards.iter().map(|held| (held, &guard.id)));
        }
        let mut nesting = Self { steps: HashMap::new(), guards: HashMap::new() };
        for step in &graph.steps {
            nesting.steps.entry(holders.get(&step.id).copied()).or_default().push(step);
        }
        for guard in &graph.guards {
            nesting.guards.entry(holders.get(&guard.id).copied()).or_default().push(guard);
        }
        nesting
    }

    /// The steps that stand in this guard and in none within it; in none at all without a guard. In plan order.
    pub(super) fn steps(&self, holder: Option<&'g StepId>) -> &[&'g StepSummary] {
        self.steps.get(&holder).map(Vec::as_slice).unwrap_or_default()
    }

    /// The guards that stand there.
    pub(super) fn guards(&self, holder: Option<&'g StepId>) -> &[&'g GuardSummary] {
        self.guards.get(&holder).map(Vec::as_slice).unwrap_or_default()
    }
}
