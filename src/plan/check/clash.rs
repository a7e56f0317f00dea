//! Two steps that write the same object must not leave it to chance which of them comes last: neither a run nor the way back would know.
//! Only what can be told from the text is found here; files and inputs are looked at when the plan is bound, the rest when it runs.

use super::Checker;
use super::order::Order;
use crate::plan::read::Draft;
use crate::record::{Reversibility, Target};
use std::collections::BTreeMap;

impl Checker<'_, '_> {
    pub(super) fn check_clashes(&mut self, order: &Order) {
        // In the order in which they run: if each comes after the one before, all of them do.
        let mut last: BTreeMap<&Target, usize> = BTreeMap::new();
        let mut clashes = Vec::new();
        for &step in &order.sorted {
            let draft = &self.drafts[step];
            for target in writes(draft) {
                if is_shared(draft) {
                    clashes.push((step, step, target.clone()));
                }
                match last.insert(target, step) {
                    Some(before) if before != step && !order.may_be_before(before, None, step) => {
                        clashes.push((before.min(step), before.max(step), target.clone()))
                    }
                    _ => {}
                }
            }
        }
        clashes.iter().for_each(|(one, other, target)| self.tell_clash(*one, *other, target));
    }

    fn tell_clash(&mut self, one: usize, other: usize, target: &Target) {
        let (id, other_id) = (self.called(one), self.called(other));
        if one == other {
            let message = format!("every `{id}[…]` writes {}, and none waits for another", target.0);
            let problem = self.notes.judgment("plan::clash", &self.drafts[one].id_span, message);
            problem.help("let what it writes depend on `each.key` or `each.value`");
            return;
        }
        let message = format!("`{id}` and `{other_id}` both write {}, and neither waits for the other", target.0);
        let problem = self.notes.judgment("plan::clash", &self.drafts[other].id_span, message);
        problem.also(&self.drafts[one].id_span, "the other");
        problem.help(format!("let one wait for the other: add `{id}` to the `needs` of `{other_id}`"));
    }
}

/// What a step writes for sure, whatever the templates in it come to.
fn writes(draft: &Draft) -> impl Iterator<Item = &Target> {
    let prepared = draft.prepared.as_ref().filter(|prepared| prepared.reversibility != Reversibility::ReadOnly);
    let known = move |target: &&Target| !(target.0.contains('*') || draft.each.is_some() && target.0.contains("{{"));
    prepared.into_iter().flat_map(|prepared| &prepared.targets).filter(known)
}

/// True when the steps for all items write the same thing: nothing in it depends on the item.
fn is_shared(draft: &Draft) -> bool {
    let many = draft.each.as_ref().is_some_and(|each| each.can_be_many());
    many && !draft.mentions.iter().any(|mention| mention.reference.path.first().is_some_and(|root| root == "each"))
}
