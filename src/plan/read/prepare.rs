//! Asks an action what it says of its parameters before anything is rendered.

use super::{Draft, Reader};
use crate::action::{DynAction, Frozen};
use crate::expr::Template;

impl Reader<'_, '_> {
    pub(super) fn prepare(&mut self, action: &dyn DynAction, template: &Template, draft: &mut Draft) {
        match action.prepare(&self.scope, &Frozen::default(), &template.sample()) {
            Ok(prepared) => {
                // With samples in it, what an action finds wrong may be the sample.
                if template.is_literal() {
                    for problem in &prepared.problems {
                        self.notes.error("plan::wrong-value", &draft.kind_span, problem.clone());
                    }
                }
                let commands = prepared.commands.iter().map(|command| command.whole());
                let read: Vec<String> = prepared.sources.iter().cloned().chain(commands).collect();
                self.check_sources(&read, draft);
                draft.prepared = Some(prepared);
            }
            Err(error) if template.is_literal() => {
                let causes = error.failure().causes.join(": ");
                self.notes.error("plan::wrong-value", &draft.kind_span, format!("these parameters do not fit: {causes}"));
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
