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

/// The places that were found last, where two rows of steps are followed: those that begin and those that end. Most records are of one of
/// them or of its neighbour, and need no look into a table that is larger than the processor's cache.
#[derive(Debug, Clone, Default)]
pub(super) struct Recent {
    rows: [Index; 2],
}

impl Recent {
    /// The step's place, if it is near one that was found before.
    pub(super) fn find(&mut self, graph: &Graph, id: &StepId) -> Option<Index> {
        let is_it = |place: &Index| graph.steps.get(*place).is_some_and(|step| step.id == *id);
        let near = |row: Index| [row, row.wrapping_add(1), row.wrapping_sub(1)].into_iter().find(is_it);
        let (row, place) = self.rows.iter().enumerate().find_map(|(row, at)| Some((row, near(*at)?)))?;
        self.rows[row] = place;
        self.rows.swap(0, row);
        Some(place)
    }

    /// Follows this place instead of the row that was met less lately.
    pub(super) fn follow(&mut self, place: Index) {
        self.rows = [place, self.rows[0]];
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{graph, id, step};
    use super::Recent;

    #[test]
    fn two_rows_are_followed_forward_and_back_and_nothing_else_is_found() {
        let steps: Vec<String> = (0..20).map(|place| format!("s{place}")).collect();
        let graph = graph(steps.iter().map(|name| step(name, &[])).collect());
        let mut recent = Recent::default();
        assert_eq!(recent.find(&graph, &id("s9")), None);
        recent.follow(9);
        for place in 1..9 {
            assert_eq!(recent.find(&graph, &id(&steps[place])), Some(place));
            assert_eq!(recent.find(&graph, &id(&steps[place + 9])), Some(place + 9));
        }
        for place in (1..8).rev() {
            assert_eq!(recent.find(&graph, &id(&steps[place])), Some(place));
            assert_eq!(recent.find(&graph, &id(&steps[place])), Some(place));
        }
        assert_eq!(recent.find(&graph, &id("s13")), None);
        assert_eq!(recent.find(&graph, &id("no-such-step")), None);
    }
}
