//! The pivot: the first step that cannot be taken back. What comes after it must be retriable, since nothing is undone any more but by a guard
//! that does not hold it.

use super::guards::GuardSet;
use super::order::Order;
use super::{Checker, has_effects, reversibility};
use crate::plan::model::Does;
use crate::plan::read::Draft;
use crate::record::Reversibility;

impl Checker<'_, '_> {
    pub(super) fn check_pivot(&mut self, order: &Order, guards: &[GuardSet]) {
        let count = self.drafts.len();
        let (mut pivots, mut changed): (Vec<Option<usize>>, Vec<bool>) = (vec![None; count], vec![false; count]);
        for &step in &order.sorted {
            for &need in &order.needs[step] {
                let is_pivot = reversibility(&self.drafts[need]) == Reversibility::Irreversible;
                pivots[step] = pivots[step].or(pivots[need]).or(is_pivot.then_some(need));
                changed[step] |= changed[need] || has_effects(&self.drafts[need]);
            }
            match pivots[step] {
                Some(pivot) => self.check_after(step, pivot, guards),
                None if changed[step] && reversibility(&self.drafts[step]) == Reversibility::Irreversible => {
                    self.warn_pivot(step, order, guards)
                }
                None => {}
            }
        }
    }

    fn check_after(&mut self, step: usize, pivot: usize, guards: &[GuardSet]) {
        if can_be_retried(&self.drafts[step]) {
            return;
        }
        let (id, pivot_id) = (self.called(step), self.called(pivot));
        // A guard of its own goes back also then.
        let is_apart = guards.iter().any(|guard| guard.steps.contains(&step) && !guard.steps.contains(&pivot));
        let message = match is_apart {
            true => format!("`{id}` cannot be retried, and it comes after `{pivot_id}`, which cannot be taken back"),
            false => format!("`{id}` cannot be retried, and after `{pivot_id}` nothing can be taken back"),
        };
        let problem = self.notes.judgment("plan::after-pivot", &self.drafts[step].id_span, message);
        problem.also(&self.drafts[pivot].id_span, "this cannot be taken back");
        problem.help(format!(
            "say `idempotent: true` if `{id}` may be repeated, or `continue-on-error: true`; or say how `{pivot_id}` is taken back: `undo: [...]` or `undo: {{ none: why }}`"
        ));
    }

    fn warn_pivot(&mut self, step: usize, order: &Order, guards: &[GuardSet]) {
        let id = self.called(step);
        let holder = guards.iter().filter(|guard| guard.steps.contains(&step)).min_by_key(|guard| guard.steps.len());
        let is_apart = |other: &usize| guards.iter().any(|guard| guard.steps.contains(other) && !guard.steps.contains(&step));
        let is_lost = |other: &usize| has_effects(&self.drafts[*other]) && order.is_before(step, *other) && !is_apart(other);
        let lost = holder.and_then(|guard| guard.steps.iter().copied().find(is_lost).map(|lost| (guard.step, lost)));
        let message = format!("`{id}` cannot be taken back: once it has begun, nothing before it is undone");
        let mut help = "say how it is taken back: `undo: [...]`, or `undo: { none: why }` if there is nothing to take back".to_owned();
        let message = match lost {
            Some((guard, lost)) => {
                let (guard, lost) = (self.called(guard), self.called(lost));
                help.push_str(&format!("; or let a guard that does not hold `{id}` guard `{lost}`"));
                format!("{message}, nor what `{guard}` guards after it, such as `{lost}`")
            }
            None => message,
        };
        self.notes.warning("plan::pivot", &self.drafts[step].id_span, message).help(help);
    }
}

fn can_be_retried(draft: &Draft) -> bool {
    let Some(prepared) = &draft.prepared else { return true };
    let is_action = matches!(draft.does, Some(Does::Action(_)));
    let needs_care = matches!(prepared.reversibility, Reversibility::Irreversible | Reversibility::Compensable);
    !is_action || !needs_care || prepared.repeatable || draft.idempotent || draft.continue_on_error
}
