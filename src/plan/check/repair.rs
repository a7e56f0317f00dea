//! What guards would hold if all that is wrong with them were mended at once, so that what is told to be written is right as a whole.
//! It knows steps by their places only, and tells nothing.

use super::guards::{GuardSet, free, push};
use super::order::{Order, graph_of};
use petgraph::algo::is_cyclic_directed;
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Rounds after which it is given up: in each one some guard takes more in.
const MOST_ROUNDS: usize = 100;

/// Guards as they would be right.
pub(super) struct Repair<'g> {
    written: &'g [GuardSet],
    order: &'g Order,
    /// The steps of which a rollback would take something back.
    with_effects: &'g [usize],
    /// What each guard takes in, by the guards' numbers.
    added: Vec<BTreeSet<usize>>,
    /// What each one holds then.
    pub(super) sets: Vec<GuardSet>,
    /// Steps that have to wait for guards, which they do not as they are written.
    pub(super) waits: BTreeMap<usize, BTreeSet<usize>>,
}

impl<'g> Repair<'g> {
    /// The smallest guards that hold what these do and `more` (a guard by its number, and a step), that nest or have nothing in common,
    /// with which nobody outside works, and before which nothing has effects that no guard holds; none where steps would have to move
    /// for that.
    pub(super) fn of(written: &'g [GuardSet], order: &'g Order, with_effects: &'g [usize], more: &[(usize, usize)]) -> Option<Self> {
        let added = vec![BTreeSet::new(); written.len()];
        let mut repair = Self { written, order, with_effects, added, sets: Vec::new(), waits: BTreeMap::new() };
        for &(guard, step) in more {
            repair.added[guard].insert(step);
        }
        for _ in 0..MOST_ROUNDS {
            repair.settle();
            if !repair.nest() && !repair.close() && !repair.take_in() {
                return repair.holds().then_some(repair);
            }
        }
        None
    }

    /// How much of a plan would have to be written anew: lists first, then what is added to them.
    pub(super) fn cost(&self) -> (usize, usize) {
        let changed = self.added.iter().filter(|added| !added.is_empty()).count();
        (changed + self.waits.len(), self.added.iter().map(BTreeSet::len).sum())
    }

    /// What the guards hold with what they have taken in so far.
    fn settle(&mut self) {
        self.sets = Vec::with_capacity(self.written.len());
        for (guard, added) in self.written.iter().zip(&self.added) {
            let own = || guard.named.clone().unwrap_or_else(|| free(&self.sets, guard.step));
            let named = if added.is_empty() { guard.named.clone() } else { Some(own().union(added).copied().collect()) };
            push(&mut self.sets, guard.step, named, false);
        }
    }

    /// Guards that have a step in common come to stand one within the other.
    fn nest(&mut self) -> bool {
        let mut grown = false;
        for later in 0..self.sets.len() {
            for earlier in 0..later {
                let (inner, outer) = (&self.sets[earlier].steps, &self.sets[later].steps);
                if inner.is_disjoint(outer) || outer.is_subset(inner) || inner.is_subset(outer) {
                    continue;
                }
                let more: Vec<usize> = inner.iter().copied().collect();
                grown |= self.add(later, &more);
            }
        }
        grown
    }

    /// Who needs a guarded step comes into the guard, or after it where it stands below.
    fn close(&mut self) -> bool {
        let mut grown = false;
        let needs = self.needs();
        for number in 0..self.sets.len() {
            let guard = self.sets[number].step;
            let (held, after) = (&self.sets[number].steps, self.after(guard));
            let is_open = |&step: &usize| {
                let is_apart = step != guard && !held.contains(&step) && !after.contains(&step);
                is_apart && needs[step].iter().any(|need| held.contains(need)) && !self.order.may_be_before(guard, None, step)
            };
            let (above, below): (Vec<usize>, Vec<usize>) = (0..needs.len()).filter(is_open).partition(|step| *step < guard);
            grown |= self.add(number, &above);
            for step in below {
                grown |= self.waits.entry(step).or_default().insert(guard);
            }
        }
        grown
    }

    /// What has effects and comes to stand before a guard is held by it, or by another one.
    fn take_in(&mut self) -> bool {
        let mut held: BTreeSet<usize> = self.sets.iter().flat_map(|guard| guard.steps.iter().copied()).collect();
        let mut grown = false;
        for number in 0..self.sets.len() {
            let before = self.before(self.sets[number].step);
            let loose: Vec<usize> =
                self.with_effects.iter().copied().filter(|step| before.contains(step) && !held.contains(step)).collect();
            grown |= self.add(number, &loose);
            held.extend(loose);
        }
        grown
    }

    fn add(&mut self, guard: usize, steps: &[usize]) -> bool {
        let before = self.added[guard].len();
        self.added[guard].extend(steps);
        self.added[guard].len() > before
    }

    /// The edges as they would be.
    fn needs(&self) -> Vec<Vec<usize>> {
        let mut needs = self.order.needs.clone();
        for (step, waits) in &self.waits {
            needs[*step].extend(waits);
        }
        for guard in &self.sets {
            needs[guard.step].extend(&guard.steps);
        }
        needs
    }

    /// Everything that comes after a step.
    fn after(&self, step: usize) -> HashSet<usize> {
        let needs = self.needs();
        let mut needed_by: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
        for (step, needs) in needs.iter().enumerate() {
            needs.iter().for_each(|&need| needed_by[need].push(step));
        }
        reached(&needed_by, step)
    }

    /// Everything that a step waits for.
    fn before(&self, step: usize) -> HashSet<usize> {
        reached(&self.needs(), step)
    }

    /// True when every guard stands below what it holds, and nothing waits for itself.
    fn holds(&self) -> bool {
        let stands_below = self.sets.iter().all(|guard| guard.steps.last().is_none_or(|last| *last < guard.step));
        let needs = self.needs();
        stands_below && !is_cyclic_directed(&graph_of(&needs, &vec![(); needs.len()]))
    }
}

fn reached(edges: &[Vec<usize>], step: usize) -> HashSet<usize> {
    let (mut reached, mut open) = (HashSet::new(), vec![step]);
    while let Some(step) = open.pop() {
        open.extend(edges[step].iter().filter(|&&next| reached.insert(next)));
    }
    reached
}
