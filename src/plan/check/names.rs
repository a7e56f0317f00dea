//! Who is who: the steps by their ids.

use super::Checker;
use crate::ids::StepId;
use crate::plan::read::Named;
use crate::plan::suggest::instead;
use std::collections::{HashMap, HashSet};

/// The place of each step by its id; the first one when two share an id.
pub(super) struct Names {
    pub(super) places: HashMap<StepId, usize>,
    /// Ids of several steps, and what was meant as an id and cannot be one: whoever names them means something, and nobody knows what.
    unclear: HashSet<String>,
}

/// What a name in a list of steps means.
pub(super) enum Meant {
    /// A step; of a step with `for-each` all its steps.
    Step(usize),
    /// One of the steps of a step with `for-each`.
    Item(usize, String),
    /// It is told already why nobody knows.
    Unclear,
}

impl Names {
    pub(super) fn get(&self, id: &str) -> Option<usize> {
        self.places.get(id).copied()
    }

    pub(super) fn is_unclear(&self, id: &str) -> bool {
        self.unclear.contains(id)
    }

    /// True when every id means one step.
    pub(super) fn are_clear(&self) -> bool {
        self.unclear.is_empty()
    }
}

impl Checker<'_, '_> {
    pub(super) fn names(&mut self) -> Names {
        let mut places: HashMap<StepId, usize> = HashMap::new();
        let mut unclear: HashSet<String> = HashSet::new();
        for (index, draft) in self.drafts.iter().enumerate() {
            let Some(id) = &draft.id else {
                unclear.extend(draft.bad_id.clone());
                continue;
            };
            match places.get(id) {
                Some(&first) => {
                    unclear.insert(id.to_string());
                    let problem = self.notes.error("plan::duplicate-step", &draft.id_span, format!("there are two steps `{id}`"));
                    problem.also(&self.drafts[first].id_span, "the first").help("give one of them another id");
                }
                None => {
                    places.insert(id.clone(), index);
                }
            }
        }
        Names { places, unclear }
    }

    /// The steps that a scenario names are there.
    pub(super) fn check_simulated(&mut self, names: &Names) {
        for named in std::mem::take(&mut self.head.simulated) {
            self.meant(names, &named);
        }
    }

    /// What is named, told if there is no such thing.
    pub(super) fn meant(&mut self, names: &Names, named: &Named) -> Meant {
        if names.is_unclear(&named.id) {
            return Meant::Unclear;
        }
        if let Some(step) = names.get(&named.id) {
            return Meant::Step(step);
        }
        // What cannot be an id was told where it was read.
        let Ok(id) = StepId::new(&named.id) else { return Meant::Unclear };
        if let Some((family, item)) = id.parts() {
            match names.get(family) {
                _ if names.is_unclear(family) => return Meant::Unclear,
                Some(step) => return self.meant_item(step, item, named),
                None => {}
            }
        }
        let help = self.known_steps(&named.id);
        self.notes.error("plan::unknown-step", &named.span, format!("there is no step `{}`", named.id)).help(help);
        Meant::Unclear
    }

    /// One item of a step. What items an input has is known when it has a value: the rest is seen then.
    fn meant_item(&mut self, step: usize, item: &str, named: &Named) -> Meant {
        let id = self.called(step);
        let (message, help) = match &self.drafts[step].each {
            Some(each) if each.can_have(item) => return Meant::Item(step, item.to_owned()),
            Some(each) => (format!("`{id}` has no item `{item}`"), instead(item, "items", each.keys())),
            None => (format!("`{id}` has no items: it has no `for-each`"), format!("write `{id}`")),
        };
        self.notes.error("plan::unknown-step", &named.span, message).help(help);
        Meant::Unclear
    }

    pub(super) fn known_steps(&self, word: &str) -> String {
        let known: Vec<&str> = self.drafts.iter().filter_map(|draft| draft.id.as_ref()).map(StepId::as_str).collect();
        instead(word, "steps", known)
    }

    /// A step's id, or its number if it has none.
    pub(super) fn called(&self, index: usize) -> String {
        self.drafts[index].id.as_ref().map_or_else(|| format!("step {}", index + 1), StepId::to_string)
    }
}
