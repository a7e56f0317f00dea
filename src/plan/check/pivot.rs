//! The pivot: the first step that cannot be taken back. What comes after it must be retriable, since nothing is undone any more.

use super::order::Order;
use super::{Checker, has_effects, reversibility};
use crate::plan::model::Does;
use crate::plan::read::Draft;
use crate::record::Reversibility;

impl Checker<'_, '_> {
    pub(super) fn check_pivot(&mut self, order: &Order) {
        let count = self.drafts.len();
        let (mut pivots, mut changed): (Vec<Option<usize>>, Vec<bool>) = (vec![None; count], vec![false; count]);
        for &step in &order.sorted {
            for &need in &order.needs[step] {
                let is_pivot = reversibility(&self.drafts[need]) == Reversibility::Irreversible;
                pivots[step] = pivots[step].or(pivots[need]).or(is_pivot.then_some(need));
                changed[step] |= changed[need] || has_effects(&self.drafts[need]);
            }
            match pivots[step] {
                Some(pivot) => self.check_after(step, pivot),
                None if changed[step] && reversibility(&self.drafts[step]) == Reversibility::Irreversible => self.warn_pivot(step),
                None => {}
            }
        }
    }

    fn check_after(&mut self, step: usize, pivot: usize) {
        if can_be_retried(&self.drafts[step]) {
            return;
        }
        let (id, pivot_id) = (self.called(step), self.called(pivot));
        let message = format!("`{id}` cannot be retried, and after `{pivot_id}` nothing can be taken back");
        let problem = self.notes.judgment("plan::after-pivot", &self.drafts[step].id_span, message);
        problem.also(&self.drafts[pivot].id_span, "this cannot be taken back");
        problem.help(format!(
            "say `idempotent: true` if `{id}` may be repeated, or `continue-on-error: true`; or say how `{pivot_id}` is taken back: `undo: [...]` or `undo: {{ none: why }}`"
        ));
    }

    fn warn_pivot(&mut self, step: usize) {
        let message = format!("`{}` cannot be taken back: once it has begun, nothing before it is undone", self.called(step));
        let problem = self.notes.warning("plan::pivot", &self.drafts[step].id_span, message);
        problem.help("say how it is taken back: `undo: [...]`, or `undo: { none: why }` if there is nothing to take back");
    }
}

fn can_be_retried(draft: &Draft) -> bool {
    let Some(prepared) = &draft.prepared else { return true };
    let is_action = matches!(draft.does, Some(Does::Action(_)));
    let needs_care = matches!(prepared.reversibility, Reversibility::Irreversible | Reversibility::Compensable);
    !is_action || !needs_care || prepared.repeatable || draft.idempotent || draft.continue_on_error
}
