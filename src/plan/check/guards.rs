//! What each `rollback-on-fail` guards: guards nest or are disjoint, and nobody outside works with what a guard may still take back.

use super::advice::Advice;
use super::names::{Meant, Names};
use super::order::Order;
use super::{Checker, has_effects};
use crate::plan::read::{GUARD, Named};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Most steps of one mistake that are pointed at.
const MOST_SHOWN: usize = 3;

/// The steps that one guard holds, those of nested guards and their own steps included.
pub(super) struct GuardSet {
    pub(super) step: usize,
    pub(super) steps: BTreeSet<usize>,
    /// The steps that it names; none where it names none and holds what no guard above it does.
    pub(super) named: Option<BTreeSet<usize>>,
    /// Something that it names means no step: nobody knows all that it holds.
    pub(super) is_unclear: bool,
}

/// What no guard holds above a step.
pub(super) fn free(sets: &[GuardSet], step: usize) -> BTreeSet<usize> {
    let held: BTreeSet<usize> = sets.iter().flat_map(|set| set.steps.iter().copied().chain([set.step])).collect();
    (0..step).filter(|above| !held.contains(above)).collect()
}

/// Adds a guard to those above it.
pub(super) fn push(sets: &mut Vec<GuardSet>, step: usize, named: Option<BTreeSet<usize>>, is_unclear: bool) {
    let mut set = GuardSet { step, steps: named.clone().unwrap_or_else(|| free(sets, step)), named, is_unclear };
    // Naming a guard names what it holds; holding all that it holds holds the guard.
    for inner in sets.iter() {
        if set.steps.contains(&inner.step) {
            set.steps.extend(&inner.steps);
            set.is_unclear |= inner.is_unclear;
        } else if !inner.steps.is_empty() && inner.steps.is_subset(&set.steps) {
            set.steps.insert(inner.step);
        }
    }
    sets.push(set);
}

/// What is wrong with guards, or worth a look, before it has words.
struct Fault {
    code: &'static str,
    message: String,
    /// The steps that it is about, the first one first, with words for them.
    places: Vec<(usize, String)>,
    /// The guards that it is about, by their numbers.
    guards: Vec<usize>,
    /// Said where nobody knows what to write.
    otherwise: String,
}

impl Checker<'_, '_> {
    pub(super) fn guard_sets(&mut self, names: &Names) -> Vec<GuardSet> {
        let mut sets: Vec<GuardSet> = Vec::new();
        for step in 0..self.drafts.len() {
            if !self.is_guard(step) {
                continue;
            }
            let mut is_unclear = self.drafts[step].has_broken_guards;
            let named = self.drafts[step].guards.clone();
            let named = named.map(|named| named.iter().filter_map(|named| self.guarded(names, named, step, &mut is_unclear)).collect());
            push(&mut sets, step, named, is_unclear);
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
        let (overlaps, beside) = self.overlaps(&clear);
        let open = self.open(&clear, order, &beside);
        // What an unclear guard holds may be all that is missing.
        let loose = if clear.len() == guards.len() { self.unguarded(guards, order) } else { Vec::new() };
        if overlaps.is_empty() && open.is_empty() && loose.is_empty() {
            return;
        }
        let advice = if clear.len() == guards.len() { self.advice(guards, order, &loose) } else { Advice::default() };
        let unguarded = self.told_unguarded(guards, &loose);
        let faults: Vec<Fault> = overlaps.into_iter().chain(open).chain(unguarded).collect();
        let spoken: BTreeSet<usize> = faults.iter().flat_map(|fault| fault.guards.iter().copied()).collect();
        for (number, fault) in faults.iter().enumerate() {
            // What follows elsewhere from mending this is told with the first.
            let more = |guard: &usize| fault.guards.contains(guard) || number == 0 && !spoken.contains(guard);
            self.tell(fault, advice.help(more, number + 1 == faults.len()));
        }
    }

    fn tell(&mut self, fault: &Fault, help: Option<String>) {
        let Some((first, words)) = fault.places.first() else { return };
        let span = &self.drafts[*first].id_span;
        let problem = match fault.code {
            "plan::unguarded" => self.notes.warning(fault.code, span, fault.message.as_str()),
            _ => self.notes.error(fault.code, span, fault.message.as_str()),
        };
        if !words.is_empty() {
            problem.words(words.as_str());
        }
        for (step, words) in &fault.places[1..] {
            problem.also(&self.drafts[*step].id_span, words.as_str());
        }
        problem.help(help.unwrap_or_else(|| fault.otherwise.clone()));
    }

    /// Guards that have steps in common and do not nest, and the pairs of them.
    fn overlaps(&self, guards: &[&GuardSet]) -> (Vec<Fault>, BTreeSet<(usize, usize)>) {
        let (mut faults, mut pairs) = (Vec::new(), BTreeSet::new());
        for (number, later) in guards.iter().enumerate() {
            for (before, earlier) in guards[..number].iter().enumerate() {
                let shared = earlier.steps.intersection(&later.steps).next().copied();
                let nested = earlier.steps.is_subset(&later.steps) || later.steps.is_subset(&earlier.steps);
                let Some(shared) = shared.filter(|_| !nested) else { continue };
                let (one, other, shared) = (self.called(earlier.step), self.called(later.step), self.called(shared));
                pairs.extend([(earlier.step, later.step), (later.step, earlier.step)]);
                faults.push(Fault {
                    code: "plan::guards-overlap",
                    message: format!("`{shared}` is held by `{one}` and by `{other}`, and neither holds all of the other"),
                    places: vec![(later.step, String::new()), (earlier.step, "the other guard".to_owned())],
                    guards: vec![before, number],
                    otherwise: "guards nest or have no step in common".to_owned(),
                });
            }
        }
        (faults, pairs)
    }

    /// A step that needs a guarded one is inside the guard or comes after it.
    fn open(&self, guards: &[&GuardSet], order: &Order, beside: &BTreeSet<(usize, usize)>) -> Vec<Fault> {
        let mut holders: HashMap<usize, Vec<usize>> = HashMap::new();
        for (number, guard) in guards.iter().enumerate() {
            guard.steps.iter().for_each(|&step| holders.entry(step).or_default().push(number));
        }
        let mut open: BTreeMap<usize, Vec<(usize, usize)>> = BTreeMap::new();
        for (step, needs) in order.needs.iter().enumerate() {
            for &need in needs {
                for &number in holders.get(&need).into_iter().flatten() {
                    let guard = guards[number];
                    let is_inside = guard.steps.contains(&step) || guard.step == step;
                    // Of guards that overlap only that is told.
                    let is_told = is_inside || beside.contains(&(step, guard.step));
                    if !is_told && !order.may_be_before(guard.step, None, step) {
                        open.entry(number).or_default().push((step, need));
                    }
                }
            }
        }
        open.into_iter().map(|(number, steps)| self.told_open(number, guards[number].step, &steps)).collect()
    }

    fn told_open(&self, number: usize, guard: usize, open: &[(usize, usize)]) -> Fault {
        let mut steps = open.to_vec();
        steps.dedup_by_key(|(step, _)| *step);
        let (first, need) = steps[0];
        let (guard_id, id) = (self.called(guard), self.called(first));
        let message = match steps.len() {
            1 => format!("`{id}` needs `{}`, which `{guard_id}` may still take back", self.called(need)),
            2 => format!("`{id}` and `{}` need what `{guard_id}` may still take back", self.called(steps[1].0)),
            more => format!("`{id}` and {} others need what `{guard_id}` may still take back", more - 1),
        };
        let words = |need: usize| if steps.len() == 1 { String::new() } else { format!("needs `{}`", self.called(need)) };
        let shown = steps.iter().take(MOST_SHOWN).map(|&(step, need)| (step, words(need)));
        Fault {
            code: "plan::guard-open",
            message,
            places: shown.chain([(guard, "the guard".to_owned())]).collect(),
            guards: vec![number],
            otherwise: format!("add `{id}` to the guards of `{guard_id}`, or let it need `{guard_id}`"),
        }
    }

    /// Steps with effects in no guard, each with the number of the first guard after it.
    fn unguarded(&self, guards: &[GuardSet], order: &Order) -> Vec<(usize, usize)> {
        let held: BTreeSet<usize> = guards.iter().flat_map(|guard| guard.steps.iter().copied()).collect();
        let is_loose = |step: &usize| !held.contains(step) && has_effects(&self.drafts[*step]);
        let first = |step: usize| Some((guards.iter().position(|guard| order.is_before(step, guard.step))?, step));
        (0..self.drafts.len()).filter(is_loose).filter_map(first).collect()
    }

    fn told_unguarded(&self, guards: &[GuardSet], loose: &[(usize, usize)]) -> Option<Fault> {
        let &(number, first) = loose.first()?;
        let (id, guard_id) = (self.called(first), self.called(guards[number].step));
        let message = match loose.len() {
            1 => format!("`{id}` is in no guard: a failure that `{guard_id}` takes back leaves its changes where they are"),
            many => format!(
                "`{id}` and {} are in no guard: a failure that `{guard_id}` takes back leaves their changes where they are",
                others(many - 1)
            ),
        };
        Some(Fault {
            code: "plan::unguarded",
            message,
            places: loose.iter().take(MOST_SHOWN).map(|&(_, step)| (step, String::new())).collect(),
            guards: loose.iter().map(|(number, _)| *number).collect(),
            otherwise: format!("add it to the guards of `{guard_id}`"),
        })
    }
}

fn others(count: usize) -> String {
    match count {
        1 => "another step".to_owned(),
        many => format!("{many} others"),
    }
}
