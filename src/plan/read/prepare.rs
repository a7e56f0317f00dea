//! Asks an action what it says of its parameters before anything is rendered.

use super::{Draft, Named, Nature, Reader};
use crate::action::{DynAction, Frozen};
use crate::expr::yaml::{Kind, Node};
use crate::expr::{Template, Text};
use std::ops::Range;

impl Reader<'_, '_> {
    pub(super) fn prepare(&mut self, action: &dyn DynAction, template: &Template, node: &Node, draft: &mut Draft) {
        match action.prepare(&self.scope, &Frozen::default(), &template.sample()) {
            Ok(prepared) => {
                // With samples in it, what an action finds wrong may be the sample.
                if template.is_literal() {
                    for problem in &prepared.problems {
                        self.notes.said("plan::wrong-value", &draft.kind_span, problem, &otherwise(action));
                    }
                }
                let commands = prepared.commands.iter().map(|command| command.whole());
                let read: Vec<String> = prepared.sources.iter().cloned().chain(commands).collect();
                self.check_sources(&read, draft);
                draft.files =
                    prepared.sources.iter().filter_map(|path| Some(Named { id: path.into(), span: scalar(node, path)? })).collect();
                draft.prepared = Some(Nature {
                    reversibility: prepared.reversibility,
                    reads_files: !prepared.sources.is_empty(),
                    runs_commands: !prepared.commands.is_empty(),
                    repeatable: prepared.repeatable,
                    kept: prepared.kept,
                    targets: prepared.targets,
                });
            }
            Err(error) if template.is_literal() => {
                let causes = error.failure().causes.join(": ");
                let words = format!("these parameters do not fit: {causes}");
                self.notes.said("plan::wrong-value", &draft.kind_span, &words, &otherwise(action));
            }
            Err(_) => {}
        }
    }

    /// Files are frozen when the run opens: a name that a step finds out comes too late.
    fn check_sources(&mut self, sources: &[String], draft: &Draft) {
        for mention in draft.mentions.iter().filter(|mention| !mention.in_condition && mention.reference.path[0] == "steps") {
            let raw = mention.reference.to_string();
            if sources.iter().any(|source| source.contains("{{") && source.contains(&raw)) {
                let message = "the files that a run reads are frozen when it opens, before any step has an output";
                self.notes.error("plan::late-file", &mention.span, message).help("name the file without the output of a step");
            }
        }
    }
}

fn otherwise(action: &dyn DynAction) -> String {
    format!("`bowline actions {}` tells its keys and what each takes", action.kind())
}

/// Where a text stands among parameters.
fn scalar(node: &Node, text: &str) -> Option<Range<usize>> {
    match &node.kind {
        Kind::Text(own) => (own == text && !Text::is_template(own)).then(|| node.label.clone()),
        Kind::List(items) => items.iter().find_map(|item| scalar(item, text)),
        Kind::Map(entries) => entries.iter().find_map(|entry| scalar(&entry.value, text)),
        _ => None,
    }
}
