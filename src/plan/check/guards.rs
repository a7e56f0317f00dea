//! What each `rollback-on-fail` guards: guards nest or are disjoint, and nobody outside works with what a guard may still take back.

use super::names::{Meant, Names};
use super::order::Order;
use super::{Checker, has_effects};
use crate::plan::read::{GUARD, Named};
use std::collections::{BTreeSet, HashMap};

/// The steps that one guard holds, those of nested guards and their own steps included.
pub(super) struct GuardSet {
    pub(super) step: usize,
    pub(super) steps: BTreeSet<usize>,
    /// Something that it names means no step: nobody knows all that it holds.
    pub(super) is_unclear: bool,
}

impl Checker<'_, '_> {
    pub(super) fn guard_sets(&mut self, names: &Names) -> Vec<GuardSet> {
        let mut sets: Vec<GuardSet> = Vec::new();
        let mut held: BTreeSet<usize> = BTreeSet::new();
        for step in 0..self.drafts.len() {
            if !self.is_guard(step) {
                continue;
            }
            let mut is_unclear = self.drafts[step].has_broken_guards;
            let mut steps: BTreeSet<usize> = match self.drafts[step].guards.clone() {
                Some(named) => named.iter().filter_map(|named| self.guarded(names, named, step, &mut is_unclear)).collect(),
                None => (0..step).filter(|above| !held.contains(above) && !self.is_guard(*above)).collect(),
            };
            // Naming a guard names what it holds; holding all that it holds holds the guard.
            for inner in &sets {
                if steps.contains(&inner.step) {
                    steps.extend(&inner.steps);
                    is_unclear |= inner.is_unclear;
                } else if !inner.steps.is_empty() && inner.steps.is_subset(&steps) {
                    steps.insert(inner.step);
                }
            }
            held.extend(&steps);
            sets.push(GuardSet { step, steps, is_unclear });
        }
        sets
    }

    fn is_guard(&self, step: usize) -> bool {
        self.drafts[step].kind.as_ref().is_some_and(|kind| kind.as_str() == GUARD)
    }

    fn guarded(&mut self, names: &Names, named: &Named, step: usize, is_unclear: &mut bool) -> Option<usize> {
        let found = match self.meant(names, named) {
            Meant::Step(found) => found,
            Meant::Item(family, _) => {
                let id = self.called(family);
                let message = format!("a guard holds the steps of all items, and `{}` is one of them", named.id);
                self.notes.error("plan::guards-item", &named.span, message).help(format!("write `{id}`"));
                *is_unclear = true;
                return None;
            }
            Meant::Unclear => {
                *is_unclear = true;
                return None;
            }
        };
        if found >= step {
            let message = format!("a guard stands below the steps that it guards, and `{}` does not stand above", named.id);
            self.notes.error("plan::guards-below", &named.span, message).help("move the guard down");
            return None;
        }
        Some(found)
    }

    pub(super) fn check_guards(&mut self, guards: &[GuardSet], order: &Order) {
        let clear: Vec<&GuardSet> = guards.iter().filter(|guard| !guard.is_unclear).collect();
        self.check_overlaps(&clear);
        self.check_closed(&clear, order);
        if clear.len() == guards.len() {
            self.warn_unguarded(guards, order);
        }
    }

    fn check_overlaps(&mut self, guards: &[&GuardSet]) {
        for (index, later) in guards.iter().enumerate() {
            for earlier in &guards[..index] {
                let shared = earlier.steps.intersection(&later.steps).next().copied();
                let nested = earlier.steps.is_subset(&later.steps) || later.steps.is_subset(&earlier.steps);
                let Some(shared) = shared.filter(|_| !nested) else { continue };
                let (one, other) = (self.called(earlier.step), self.called(later.step));
                let message = format!(
                    "`{shared}` is held by `{one}` and by `{other}`, and neither holds all of the other",
                    shared = self.called(shared)
                );
                let problem = self.notes.error("plan::guards-overlap", &self.drafts[later.step].id_span, message);
                problem.also(&self.drafts[earlier.step].id_span, "the other guard").help("guards nest or have no step in common");
            }
        }
    }

    /// A step that needs a guarded one is inside the guard or comes after it.
    fn check_closed(&mut self, guards: &[&GuardSet], order: &Order) {
        let mut holders: HashMap<usize, Vec<&GuardSet>> = HashMap::new();
        for guard in guards {
            guard.steps.iter().for_each(|&step| holders.entry(step).or_default().push(guard));
        }
        for (step, needs) in order.needs.iter().enumerate() {
            for &need in needs {
                for guard in holders.get(&need).into_iter().flatten() {
                    let is_inside = guard.steps.contains(&step) || guard.step == step;
                    if !is_inside && !order.may_be_before(guard.step, None, step) {
                        self.tell_open(guard.step, step, need);
                    }
                }
            }
        }
    }

    fn tell_open(&mut self, guard: usize, step: usize, need: usize) {
        let (guard_id, id, need_id) = (self.called(guard), self.called(step), self.called(need));
        let message = format!("`{id}` needs `{need_id}`, which `{guard_id}` may still take back");
        let problem = self.notes.error("plan::guard-open", &self.drafts[step].id_span, message);
        problem.also(&self.drafts[guard].id_span, "the guard");
        problem.help(format!("add `{id}` to the guards of `{guard_id}`, or let it need `{guard_id}`"));
    }

    fn warn_unguarded(&mut self, guards: &[GuardSet], order: &Order) {
        let held: BTreeSet<usize> = guards.iter().flat_map(|guard| guard.steps.iter().copied()).collect();
        for step in 0..self.drafts.len() {
            let earlier = guards.iter().find(|guard| order.is_before(step, guard.step));
            let Some(guard) = earlier.filter(|_| !held.contains(&step) && has_effects(&self.drafts[step])) else { continue };
            let (id, guard_id) = (self.called(step), self.called(guard.step));
            let message = format!("`{id}` is in no guard: a failure that `{guard_id}` takes back leaves its changes where they are");
            let problem = self.notes.warning("plan::unguarded", &self.drafts[step].id_span, message);
            problem.help(format!("add it to the guards of `{guard_id}`"));
        }
    }
}
