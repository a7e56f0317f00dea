//! The lines to write so that a plan's guards are right, all of them together. It finds no mistakes.

use super::guards::{GuardSet, push};
use super::order::Order;
use super::repair::Repair;
use super::{Checker, has_effects, reversibility};
use crate::record::Reversibility;
use std::collections::{BTreeMap, BTreeSet};

/// So many lines are told with each of the mistakes that they mend: a part of them mends nothing.
const MOST_TOGETHER: usize = 2;

/// Ids for a guard that holds everything, as far as a plan has not used them.
const OVER_ALL: [&str; 3] = ["all", "everything", "whole-plan"];

/// Most guards that are tried for what is in none.
const MOST_TRIED: usize = 8;

/// Guards times steps above which nobody waits for advice.
const MOST_LOOKED_AT: usize = 20_000;

/// What to write, and where.
#[derive(Debug, Default)]
pub(super) struct Advice {
    /// By the number of a guard: `guards: […]` in it.
    guards: BTreeMap<usize, String>,
    /// `needs: […]` in steps that come after a guard, with that guard's number.
    needs: Vec<(usize, String)>,
    /// A guard that is missing at the end.
    at_end: Option<String>,
}

impl Advice {
    /// The lines of those guards, or all where they are few, and what stands at the end where this is the last that is told; none where
    /// there is nothing to write.
    pub(super) fn help(&self, is_meant: impl Fn(&usize) -> bool, is_last: bool) -> Option<String> {
        let is_short = self.guards.len() + self.needs.len() <= MOST_TOGETHER;
        let guards = self.guards.iter().filter(|(number, _)| is_short || is_meant(number)).map(|(_, line)| line);
        let needs = self.needs.iter().filter(|(number, _)| is_short || is_meant(number)).map(|(_, line)| line);
        let mut lines: Vec<&str> = guards.chain(needs).map(String::as_str).collect();
        lines.dedup();
        let end = self.at_end.as_deref().filter(|_| is_last);
        match (lines.as_slice(), end) {
            ([], None) => None,
            ([], Some(end)) => Some(end.to_owned()),
            (_, None) => Some(format!("write {}", lines.join(" and "))),
            (_, Some(end)) => Some(format!("write {}; then {end}", lines.join(" and "))),
        }
    }
}

impl Checker<'_, '_> {
    /// What to write so that these guards hold, and no step with effects is in none; `loose` are those, each with a guard that can take it.
    pub(super) fn advice(&self, guards: &[GuardSet], order: &Order, loose: &[(usize, usize)]) -> Advice {
        if guards.len() * self.drafts.len() > MOST_LOOKED_AT {
            return Advice::default();
        }
        let with_effects: Vec<usize> = (0..self.drafts.len()).filter(|step| has_effects(&self.drafts[*step])).collect();
        // Each in the guard that follows it, or all in one guard: whatever is the least to write.
        let in_one = |guard: usize| loose.iter().map(|&(_, step)| (guard, step)).collect::<Vec<_>>();
        let ways = std::iter::once(loose.to_vec()).chain((0..guards.len().min(MOST_TRIED)).map(in_one));
        let repairs = ways.filter_map(|more| Repair::of(guards, order, &with_effects, &more));
        if let Some(repair) = repairs.min_by_key(Repair::cost) {
            return self.lines(guards, &repair);
        }
        // A guard cannot take in what stands below it, but one below everything can.
        let Some(repair) = Repair::of(guards, order, &[], &[]) else { return Advice::default() };
        let mut advice = self.lines(guards, &repair);
        advice.at_end = Some(self.guard_of_all(&repair));
        advice
    }

    fn lines(&self, guards: &[GuardSet], repair: &Repair<'_>) -> Advice {
        let mut advice = Advice::default();
        let mut sets: Vec<GuardSet> = Vec::new();
        for (number, (guard, right)) in guards.iter().zip(&repair.sets).enumerate() {
            push(&mut sets, guard.step, guard.named.clone(), false);
            if sets[number].steps != right.steps {
                sets.truncate(number);
                push(&mut sets, guard.step, right.named.clone(), false);
                let (names, id) = (self.names_of(&repair.sets, &right.steps), self.called(guard.step));
                let mut taken_in = right.steps.difference(&guard.steps).copied();
                let pivot = taken_in.find(|&step| reversibility(&self.drafts[step]) == Reversibility::Irreversible);
                let until = pivot.map(|pivot| format!(" (which takes nothing back once `{}` has run)", self.called(pivot)));
                advice.guards.insert(number, format!("`guards: [{names}]` in `{id}`{}", until.unwrap_or_default()));
            }
        }
        for (&step, waits) in &repair.waits {
            let line = format!("`needs: [{}]` in `{}`", self.needs_after(&repair.sets, step, waits), self.called(step));
            let number = guards.iter().position(|guard| waits.contains(&guard.step));
            advice.needs.extend(number.map(|number| (number, line)));
        }
        advice
    }

    /// The ids that stand for these steps: a guard stands for what it holds.
    fn names_of(&self, sets: &[GuardSet], steps: &BTreeSet<usize>) -> String {
        let inner = sets.iter().filter(|guard| steps.contains(&guard.step));
        let implied: BTreeSet<usize> = inner.flat_map(|guard| guard.steps.iter().copied()).collect();
        let names: Vec<String> = steps.difference(&implied).map(|&step| self.called(step)).collect();
        names.join(", ")
    }

    /// What a step needs that comes after these guards: whatever they hold is over then.
    fn needs_after(&self, sets: &[GuardSet], step: usize, waits: &BTreeSet<usize>) -> String {
        let waited = sets.iter().filter(|guard| waits.contains(&guard.step));
        let over: BTreeSet<String> = waited.flat_map(|guard| &guard.steps).map(|&step| self.called(step)).collect();
        let family = |id: &str| id.split('[').next().unwrap_or_default().to_owned();
        let named = self.drafts[step].needs.iter().flatten().map(|named| named.id.to_string());
        let kept = named.filter(|id| !over.contains(&family(id)));
        let guards = waits.iter().map(|&guard| self.called(guard)).filter(|id| !over.contains(id));
        let mut all: Vec<String> = kept.chain(guards).collect();
        all.dedup();
        all.join(", ")
    }

    fn guard_of_all(&self, repair: &Repair<'_>) -> String {
        let all: BTreeSet<usize> = (0..self.drafts.len()).collect();
        let names = self.names_of(&repair.sets, &all);
        let is_free = |id: &&str| !self.drafts.iter().any(|draft| draft.id.as_ref().is_some_and(|known| known.as_str() == *id));
        let id = OVER_ALL.into_iter().find(is_free).unwrap_or("guard-of-all");
        format!("add below all steps `- {{ id: {id}, rollback-on-fail: {{ guards: [{names}] }} }}`")
    }
}
