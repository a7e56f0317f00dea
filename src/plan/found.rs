//! What actions find in the files that a plan names, told where the plan names them. It reads no files.

use super::model::{Does, NamedFile, Plan};
use super::problem::{Notes, Problem, Problems};
use super::source::Source;
use crate::action::{About, Finding, Frozen, Registry, RunScope, Source as Named};
use crate::expr::place::line_and_column;
use crate::expr::yaml::{Entry, Kind, Node, parse};
use crate::ids::StepId;
use std::ops::Range;

impl Plan {
    /// What the actions find in files, as far as that does not depend on inputs and on what steps give.
    pub fn looked_into(&self, registry: &Registry, scope: &RunScope, frozen: &Frozen) -> Vec<(StepId, Finding)> {
        let actions = self.steps.iter().filter(|step| !step.is_settled).filter_map(|step| match &step.does {
            Does::Action(template) => Some((&step.id, registry.get(step.kind.as_str())?, template)),
            _ => None,
        });
        let prepared = actions.filter_map(|(id, action, params)| Some((id, action.prepare(scope, frozen, &params.sample()).ok()?)));
        prepared.flat_map(|(id, prepared)| prepared.findings.into_iter().map(|finding| (id.clone(), finding))).collect()
    }
}

impl Problems {
    /// Problems of the files that a plan names, whose own text is right: files that cannot be read, and what was found in others.
    ///
    /// # Errors
    /// The problems, if one is a mistake; else they are given as warnings.
    pub fn of_files(source: &Source, faults: &[(NamedFile, String)], found: &[(StepId, Finding)]) -> Result<Vec<Problem>, Self> {
        let mut notes = Notes::new(source);
        faults.iter().for_each(|(file, fault)| notes.file(file, fault));
        // Most plans have none, and need not be read again.
        let root = if found.is_empty() { None } else { parse(&source.text).ok().map(|(root, _)| root) };
        for (step, finding) in found {
            let span = root.as_ref().and_then(|root| place(root, step, &finding.about)).unwrap_or(0..0);
            // Mappings that steps share by an anchor stand at one place: what one of them does not use another may.
            if finding.is_warning && root.as_ref().is_some_and(|root| is_shared(root, &finding.about, &span)) {
                continue;
            }
            let problem = match finding.is_warning {
                true => notes.warning(finding.code, &span, &finding.message),
                false => notes.error(finding.code, &span, &finding.message),
            };
            problem.help(&finding.help);
        }
        notes.finish()
    }
}

/// Where a plan says what it says, for whoever has more to tell of it.
pub struct Places<'s> {
    text: &'s str,
    root: Option<Node>,
}

impl<'s> Places<'s> {
    /// Reads the plan's text once more.
    pub fn of(source: &'s Source) -> Self {
        Self { text: &source.text, root: parse(&source.text).ok().map(|(root, _)| root) }
    }

    /// Line and column, both from 1, of what a step says of this; else of its id.
    pub fn of_step(&self, step: &StepId, about: &About) -> (usize, usize) {
        let found = self.root.as_ref().and_then(|root| place(root, step, about));
        line_and_column(self.text, found.map_or(0, |span| span.start))
    }

    /// True when the plan has this key.
    pub fn has(&self, key: &str) -> bool {
        self.root.as_ref().is_some_and(|root| root.get(key).is_some())
    }
}

/// Where the step says what the finding is about; else its id. The steps for all items are one step here.
fn place(root: &Node, step: &StepId, about: &About) -> Option<Range<usize>> {
    let id = step.parts().map_or(step.as_str(), |(family, _)| family);
    let Kind::List(steps) = &root.get("steps")?.kind else { return None };
    let is_meant = |node: &&Node| matches!(node.get("id").map(|id| &id.kind), Some(Kind::Text(own)) if own == id);
    let node = steps.iter().find(is_meant)?;
    let found = match about {
        About::File(path) => node.entries().iter().find_map(|entry| file(&entry.value, path)),
        About::Parameter(keys) => node.entries().iter().find_map(|entry| key(&entry.value, keys)),
        About::Key(key) => node.get(key).map(|value| value.label.clone()),
    };
    found.or_else(|| node.get("id").map(|id| id.label.clone()))
}

/// True when several steps have the parameter at this place.
fn is_shared(root: &Node, about: &About, span: &Range<usize>) -> bool {
    let (About::Parameter(keys), Some(Kind::List(steps))) = (about, root.get("steps").map(|steps| &steps.kind)) else { return false };
    let has_it = |step: &&Node| step.entries().iter().find_map(|entry| key(&entry.value, keys)).as_ref() == Some(span);
    steps.iter().filter(has_it).count() > 1
}

/// A text that means this file.
fn file(node: &Node, path: &str) -> Option<Range<usize>> {
    match &node.kind {
        Kind::Text(text) => Named::new(text).is_ok_and(|source| source.means(path)).then(|| node.label.clone()),
        Kind::List(items) => items.iter().find_map(|item| file(item, path)),
        Kind::Map(entries) => entries.iter().find_map(|entry| file(&entry.value, path)),
        _ => None,
    }
}

fn key(node: &Node, keys: &[String]) -> Option<Range<usize>> {
    let (first, rest) = keys.split_first()?;
    let entry: &Entry = node.entries().iter().find(|entry| entry.key == *first)?;
    if rest.is_empty() { Some(entry.key_span.clone()) } else { key(&entry.value, rest) }
}
