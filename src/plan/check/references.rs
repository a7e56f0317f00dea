//! Every name in an expression stands for something that is known when it is needed.

use super::Checker;
use super::names::Names;
use super::order::Order;
use super::outputs::Outputs;
use crate::plan::model::Does;
use crate::plan::read::{Mention, Named};
use crate::plan::suggest::instead;

/// What `run.` can be followed by.
const RUN: [&str; 3] = ["id", "plan", "environment"];

impl Checker<'_, '_> {
    pub(super) fn check_references(&mut self, names: &Names, order: Option<&Order>) {
        let mut outputs = Outputs::default();
        for step in 0..self.drafts.len() {
            for mention in std::mem::take(&mut self.drafts[step].mentions) {
                self.check_mention(step, &mention, names, order, &mut outputs);
            }
            for named in std::mem::take(&mut self.drafts[step].secrets) {
                self.check_secret(&named);
            }
        }
    }

    fn check_secret(&mut self, named: &Named) {
        if self.head.secrets.contains_key(&named.id) || self.head.has_broken_secrets {
            return;
        }
        let help = instead(&named.id, "secrets", self.head.secrets.keys().map(String::as_str));
        let problem = self.notes.error("plan::unknown-secret", &named.span, format!("there is no secret `{}`", named.id));
        problem.help(format!("{help}; secrets are listed below `secrets:`"));
    }

    fn check_mention(&mut self, step: usize, mention: &Mention, names: &Names, order: Option<&Order>, outputs: &mut Outputs) {
        let path: Vec<&str> = mention.reference.path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["inputs"] | ["run"] => {}
            ["steps"] => {
                let problem = self.notes.error("plan::unknown-name", &mention.span, "`steps` alone names no step");
                problem.help("write `steps.ID.FIELD`");
            }
            ["inputs", name, ..] if !self.head.inputs.contains_key(*name) => self.tell_input(mention, name),
            ["inputs", ..] => {}
            ["run", field, ..] if !RUN.contains(field) => {
                let help = instead(field, "fields", RUN);
                self.notes.error("plan::unknown-name", &mention.span, format!("`run` has no field `{field}`")).help(help);
            }
            ["run", ..] => {}
            ["steps", id, fields @ ..] => match names.get(id) {
                Some(found) => self.check_output(step, found, fields, mention, order, outputs),
                None => self.tell_step(mention, id),
            },
            [first, ..] => self.tell_name(mention, first, names),
            [] => {}
        }
    }

    fn tell_input(&mut self, mention: &Mention, name: &str) {
        let known: Vec<&str> = self.head.inputs.keys().map(String::as_str).collect();
        let dashed = known.iter().find(|known| mention.in_condition && known.starts_with(&format!("{name}-")));
        let help = match dashed {
            Some(known) => format!("CEL takes `-` for minus: write `inputs[\"{known}\"]`"),
            None => format!("{}; add it below `inputs:`, if it is new", instead(name, "inputs", known)),
        };
        self.notes.error("plan::unknown-input", &mention.span, format!("there is no input `{name}`")).help(help);
    }

    fn tell_step(&mut self, mention: &Mention, id: &str) {
        let mut ids = self.drafts.iter().filter_map(|draft| draft.id.as_ref());
        let dashed = ids.find(|known| mention.in_condition && known.as_str().starts_with(&format!("{id}-")));
        let help = match dashed {
            Some(known) => format!("CEL takes `-` for minus: write `steps[\"{known}\"]`"),
            None => self.known_steps(id),
        };
        self.notes.error("plan::unknown-step", &mention.span, format!("there is no step `{id}`")).help(help);
    }

    fn tell_name(&mut self, mention: &Mention, first: &str, names: &Names) {
        // The rest of `steps.my-step` in CEL: told with its beginning.
        let before = self.notes.source.text[..mention.span.start].chars().next_back();
        if mention.in_condition && before == Some('-') {
            return;
        }
        let rest = mention.reference.to_string();
        let help = if first == "secrets" {
            "secrets are given by their name where an action takes one, such as `bearer: api-token`".to_owned()
        } else if self.head.inputs.contains_key(first) {
            format!("did you mean `inputs.{rest}`?")
        } else if names.get(first).is_some() {
            format!("did you mean `steps.{rest}`?")
        } else {
            "names begin with `inputs.`, `steps.` or `run.`".to_owned()
        };
        self.notes.error("plan::unknown-name", &mention.span, format!("`{rest}` is not known")).help(help);
    }

    fn check_output(&mut self, step: usize, of: usize, fields: &[&str], mention: &Mention, order: Option<&Order>, outputs: &mut Outputs) {
        let (id, span) = (self.called(of), &mention.span);
        if step == of {
            let problem = self.notes.error("plan::too-early", span, "a step cannot use its own output");
            problem.help("the output is there when the step is over");
            return;
        }
        if order.is_some_and(|order| !order.is_before(of, step)) {
            let message = format!("`{id}` may not be over when this is needed");
            let help = match of > step && self.drafts[step].needs.is_none() {
                true => format!("move `{id}` above this step"),
                false => format!("add `{id}` to `needs`"),
            };
            self.notes.error("plan::too-early", span, message).help(help);
            return;
        }
        self.check_fields(of, fields, mention, outputs);
        let skipped_alike = self.drafts[of].when == self.drafts[step].when;
        if self.drafts[of].when.is_some() && !mention.reference.optional && !skipped_alike {
            let name = mention.reference.to_string();
            let help = match mention.in_condition {
                true => format!("write `has({name}) && …`"),
                false => format!("write `{{{{ default {name} \"…\" }}}}`"),
            };
            let message = format!("`{id}` may be skipped, and then it has no output");
            self.notes.error("plan::may-be-skipped", span, message).help(help);
        }
    }

    fn check_fields(&mut self, of: usize, fields: &[&str], mention: &Mention, outputs: &mut Outputs) {
        let id = self.called(of);
        let Some(kind) = self.drafts[of].kind.clone() else { return };
        let Some(action) = self.registry.get(kind.as_str()) else {
            if matches!(self.drafts[of].does, Some(Does::Approve { .. } | Does::Pause { .. } | Does::Guard { .. })) {
                self.notes.error("plan::unknown-output", &mention.span, format!("`{id}` has no output: it is a step of kind `{kind}`"));
            }
            return;
        };
        if let Err(unknown) = outputs.check(&**action, fields) {
            let message = format!("the output of `{id}` has no `{}`", unknown.field);
            let help = instead(&unknown.field, "fields", unknown.known.iter().map(String::as_str));
            self.notes.error("plan::unknown-output", &mention.span, message).help(help);
        }
    }
}
