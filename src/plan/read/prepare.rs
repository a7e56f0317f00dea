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
                        self.tell_problem(action, problem, node, &draft.kind_span);
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
                self.notes.said("plan::wrong-value", &draft.kind_span, &words, &tells_its_keys(action));
            }
            Err(_) => {}
        }
    }

    /// What an action finds wrong with its parameters, where it stands or else at `otherwise`.
    pub(super) fn tell_problem(&mut self, action: &dyn DynAction, problem: &str, node: &Node, otherwise: &Range<usize>) {
        let span = quoted(node, problem).unwrap_or_else(|| otherwise.clone());
        self.notes.judged("plan::wrong-value", &span, problem, &tells_its_keys(action));
    }

    /// Files are frozen when the run opens: a name that a step finds out comes too late.
    fn check_sources(&mut self, sources: &[String], draft: &Draft) {
        for mention in draft.mentions.iter().filter(|mention| !mention.in_condition && mention.reference.path[0] == "steps") {
            let raw = mention.reference.to_string();
            if sources.iter().any(|source| source.contains("{{") && source.contains(&raw)) {
                let message = "the files that a run reads are frozen when it opens, before any step has an output";
                self.notes.judgment("plan::late-file", &mention.span, message).help("name the file without the output of a step");
            }
        }
    }
}

fn tells_its_keys(action: &dyn DynAction) -> String {
    format!("`bowline actions {}` tells its keys and what each takes", action.kind())
}

/// Where the parameter stands of which a problem begins to speak, or the expression that it quotes. Other words may stand in many places,
/// and mean something else in each.
fn quoted(node: &Node, problem: &str) -> Option<Range<usize>> {
    let begins = problem.strip_prefix('`').and_then(|rest| rest.split('`').next()).and_then(|key| node.get(key));
    if let Some(value) = begins {
        return Some(value.label.clone());
    }
    let quoted = problem.split('`').skip(1).step_by(2).filter(|part| part.contains(['(', '=', '<', '>', '!', '/']));
    quoted.filter_map(|part| scalar(node, part)).next()
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
