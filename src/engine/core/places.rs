//! Finds a step's place in the graph by its id.

use super::illegal::GraphError;
use super::state::Index;
use crate::ids::StepId;
use crate::record::Graph;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use std::hash::{BuildHasher, RandomState};

/// The places alone, arranged by their steps' ids: the ids stand in the graph, and a large table stays in the processor's cache.
#[derive(Debug, Clone)]
pub(super) struct Places {
    table: HashTable<u32>,
    hasher: RandomState,
}

impl Places {
    /// # Errors
    /// When an id stands twice, or there are more steps than can be counted.
    pub(super) fn of(graph: &Graph) -> Result<Self, GraphError> {
        let hasher = RandomState::new();
        let mut table = HashTable::with_capacity(graph.steps.len());
        let id = |place: &u32| &graph.steps[*place as usize].id;
        for (place, step) in graph.steps.iter().enumerate() {
            let place = u32::try_from(place).map_err(|_| GraphError::TooMany)?;
            match table.entry(hasher.hash_one(&step.id), |other| *id(other) == step.id, |other| hasher.hash_one(id(other))) {
                Entry::Occupied(_) => return Err(GraphError::Twice(step.id.clone())),
                Entry::Vacant(entry) => entry.insert(place),
            };
        }
        Ok(Self { table, hasher })
    }

    /// The place of a step of the graph that these places are of.
    pub(super) fn find(&self, graph: &Graph, id: &StepId) -> Option<Index> {
        let is_it = |place: &u32| graph.steps[*place as usize].id == *id;
        self.table.find(self.hasher.hash_one(id), is_it).map(|place| *place as usize)
    }
}
