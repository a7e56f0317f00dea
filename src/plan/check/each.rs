//! What is there once for each item, and what must not run side by side: inputs that can say so, locks that keep something apart.

use super::Checker;
use crate::plan::items;
use crate::plan::model::Items;
use crate::plan::suggest::closest;
use crate::plan::written::InputType;
use std::collections::BTreeMap;
use std::ops::Range;

impl Checker<'_, '_> {
    /// The input of a `for-each` is a list or a mapping, and its default can tell steps apart.
    pub(super) fn check_items(&mut self) {
        for step in 0..self.drafts.len() {
            let Some(each) = &self.drafts[step].each else { continue };
            let (Items::Input(name), span) = (&each.items, each.span.clone()) else { continue };
            // An input that is not there is told with all names that stand for nothing.
            let Some(input) = self.head.inputs.get(name).filter(|_| !self.head.broken_inputs.contains(name)) else { continue };
            if !matches!(input.kind, InputType::List | InputType::Map) {
                let message = format!("the input `{name}` has no items: its type is neither `list` nor `map`");
                let help = format!("say `type: list` of the input `{name}`");
                self.notes.error("plan::for-each", &span, message).help(help);
                continue;
            }
            for why in input.default.as_ref().map(items::of).and_then(Result::err).unwrap_or_default() {
                let message = format!("the default of `{name}` cannot say what this step is there for: {why}");
                self.notes.error("plan::for-each", &span, message).help(items::HELP);
            }
        }
    }

    /// A lock that only one step names keeps nothing apart: often it is another's, with a slip in it.
    pub(super) fn check_locks(&mut self) {
        let mut users: BTreeMap<String, Vec<(usize, Range<usize>)>> = BTreeMap::new();
        for (step, draft) in self.drafts.iter().enumerate() {
            for lock in draft.lock_names() {
                users.entry(lock.id.to_string()).or_default().push((step, lock.span.clone()));
            }
        }
        for (lock, steps) in &users {
            let [(step, span)] = steps.as_slice() else { continue };
            if self.drafts[*step].each.is_some() {
                continue;
            }
            let others = users.keys().filter(|other| *other != lock).map(String::as_str);
            let help = match closest(lock, others) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "name it in every step that must not run beside this one, or remove it".to_owned(),
            };
            self.notes.warning("plan::lonely-lock", span, format!("no other step names the lock `{lock}`")).help(help);
        }
    }
}
