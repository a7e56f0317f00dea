//! Which steps may be at work side by side: the one that holds a lock, the few of a `for-each`. It knows no record and no clock.

use super::places::Places;
use super::state::Index;
use crate::record::Graph;
use std::collections::{BTreeSet, HashMap};

/// The limits of a run, and who fills them. Steps that no limit names are unknown here and cost nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Limits {
    limits: Vec<Limit>,
    /// For each step the limits that name it.
    of: HashMap<Index, Vec<usize>>,
}

#[derive(Debug, Clone)]
struct Limit {
    most: usize,
    /// From its first attempt until it is over, back-off included: nobody meddles with what is half done. Or while it is taken back.
    holders: BTreeSet<Index>,
    /// Steps that may begin as soon as there is room.
    line: BTreeSet<Index>,
}

/// What is still free, while it is decided who begins.
#[derive(Debug)]
pub(super) struct Room<'l> {
    limits: &'l Limits,
    free: Vec<usize>,
}

impl Limits {
    /// Nothing is held. Names that stand for no step are passed over: a graph is checked elsewhere.
    pub(super) fn of(graph: &Graph, places: &Places) -> Self {
        let mut limits = Self::default();
        for (number, summary) in graph.limits.iter().enumerate() {
            let most = (summary.most as usize).max(1);
            limits.limits.push(Limit { most, holders: BTreeSet::new(), line: BTreeSet::new() });
            for step in summary.steps.iter().filter_map(|id| places.find(graph, id)) {
                limits.of.entry(step).or_default().push(number);
            }
        }
        limits
    }

    fn of_step(&self, step: Index) -> &[usize] {
        self.of.get(&step).map(Vec::as_slice).unwrap_or_default()
    }

    /// True for a step that some limit names.
    pub(super) fn names(&self, step: Index) -> bool {
        !self.of.is_empty() && self.of.contains_key(&step)
    }

    /// A step is ready and wants to begin.
    pub(super) fn line_up(&mut self, step: Index) {
        self.each_of(step, |limit| limit.line.insert(step));
    }

    /// It does not want to begin any more.
    pub(super) fn leave_line(&mut self, step: Index) {
        self.each_of(step, |limit| limit.line.remove(&step));
    }

    /// It is at work.
    pub(super) fn hold(&mut self, step: Index) {
        self.each_of(step, |limit| limit.holders.insert(step));
    }

    /// It is over.
    pub(super) fn release(&mut self, step: Index) {
        self.each_of(step, |limit| limit.holders.remove(&step));
    }

    /// Those holders of a step's limits that are idle let go.
    pub(super) fn let_go(&mut self, step: Index, is_idle: impl Fn(Index) -> bool) {
        self.each_of(step, |limit| {
            limit.holders.retain(|holder| *holder == step || !is_idle(*holder));
            true
        });
    }

    /// The run turns back: who is not at work lets go.
    pub(super) fn release_idle(&mut self, is_at_work: impl Fn(Index) -> bool) {
        self.limits.iter_mut().for_each(|limit| limit.holders.retain(|step| is_at_work(*step)));
    }

    fn each_of(&mut self, step: Index, mut change: impl FnMut(&mut Limit) -> bool) {
        if self.of.is_empty() {
            return;
        }
        for &number in self.of.get(&step).into_iter().flatten() {
            change(&mut self.limits[number]);
        }
    }

    /// True when a step may begin now.
    pub(super) fn has_room(&self, step: Index) -> bool {
        self.of_step(step).iter().map(|number| &self.limits[*number]).all(|limit| limit.has_room(step))
    }

    /// The steps that are ready.
    pub(super) fn lined_up(&self) -> BTreeSet<Index> {
        self.limits.iter().flat_map(|limit| limit.line.iter().copied()).collect()
    }

    pub(super) fn is_line_empty(&self) -> bool {
        self.limits.iter().all(|limit| limit.line.is_empty())
    }

    pub(super) fn room(&self) -> Room<'_> {
        Room { limits: self, free: self.limits.iter().map(|limit| limit.most.saturating_sub(limit.holders.len())).collect() }
    }
}

impl Limit {
    fn has_room(&self, step: Index) -> bool {
        self.holders.len() < self.most || self.holders.contains(&step)
    }
}

impl Room<'_> {
    /// Takes a place in every limit of a step; false, and nothing is taken, when one of them is full.
    pub(super) fn take(&mut self, step: Index) -> bool {
        let open = self.limits.of_step(step).iter().filter(|number| !self.limits.limits[**number].holders.contains(&step));
        let open: Vec<usize> = open.copied().collect();
        let may = open.iter().all(|number| self.free[*number] > 0);
        if may {
            open.iter().for_each(|number| self.free[*number] -= 1);
        }
        may
    }

    /// Takes places for those that are ready, in the order of the plan within each limit. Only limits with room are looked through.
    pub(super) fn admit(&mut self) -> BTreeSet<Index> {
        let mut admitted = BTreeSet::new();
        for (number, limit) in self.limits.limits.iter().enumerate() {
            // Who was cut off in the middle holds its place still.
            let holders = limit.holders.iter().filter(|step| limit.line.contains(step));
            for &step in holders.chain(&limit.line) {
                if self.free[number] == 0 && !limit.holders.contains(&step) {
                    break;
                }
                if !admitted.contains(&step) && self.take(step) {
                    admitted.insert(step);
                }
            }
        }
        admitted
    }
}
