//! Who is who: the steps by their ids.

use super::Checker;
use crate::ids::StepId;
use crate::plan::read::Named;
use crate::plan::suggest::instead;
use std::collections::HashMap;

/// The place of each step by its id; the first one when two share an id.
pub(super) struct Names(pub(super) HashMap<StepId, usize>);

impl Names {
    pub(super) fn get(&self, id: &str) -> Option<usize> {
        self.0.get(id).copied()
    }
}

impl Checker<'_, '_> {
    pub(super) fn names(&mut self) -> Names {
        let mut names: HashMap<StepId, usize> = HashMap::new();
        for (index, draft) in self.drafts.iter().enumerate() {
            let Some(id) = &draft.id else { continue };
            match names.get(id) {
                Some(&first) => {
                    let problem = self.notes.error("plan::duplicate-step", &draft.id_span, format!("there are two steps `{id}`"));
                    problem.also(&self.drafts[first].id_span, "the first").help("give one of them another id");
                }
                None => {
                    names.insert(id.clone(), index);
                }
            }
        }
        Names(names)
    }

    /// The step that is named, told if there is none.
    pub(super) fn resolve(&mut self, names: &Names, named: &Named) -> Option<usize> {
        let found = names.get(&named.id);
        if found.is_none() {
            let help = match named.id.split_once('[').filter(|(family, _)| names.get(family).is_some()) {
                Some((family, _)) => format!("write `{family}`: it stands for the steps of all its items"),
                None => self.known_steps(&named.id),
            };
            self.notes.error("plan::unknown-step", &named.span, format!("there is no step `{}`", named.id)).help(help);
        }
        found
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
