//! Every name in an expression stands for something that is known when it is needed.

use super::Checker;
use super::names::Names;
use super::order::Order;
use super::outputs::Outputs;
use crate::expr::{Comparison, Reference, Wanted, literal};
use crate::plan::items;
use crate::plan::model::{Does, InputType, Items};
use crate::plan::read::{Mention, Named};
use crate::plan::suggest::{instead, instead_or};

/// What `run.` can be followed by.
const RUN: [&str; 3] = ["id", "plan", "environment"];
/// What `each.` can be followed by.
const EACH: [&str; 2] = ["key", "value"];

impl Checker<'_, '_> {
    pub(super) fn check_references(&mut self, names: &Names, order: Option<&Order>) {
        let mut outputs = Outputs::default();
        for step in 0..self.drafts.len() {
            let mentions = std::mem::take(&mut self.drafts[step].mentions);
            for mention in &mentions {
                self.check_mention(step, mention, names, order, &mut outputs);
            }
            self.drafts[step].mentions = mentions;
            let secrets = std::mem::take(&mut self.drafts[step].secrets);
            let undo_secrets = std::mem::take(&mut self.drafts[step].undo_secrets);
            undo_secrets.iter().chain(&secrets).for_each(|named| self.check_secret(named));
            (self.drafts[step].secrets, self.drafts[step].undo_secrets) = (secrets, undo_secrets);
        }
    }

    fn check_secret(&mut self, named: &Named) {
        if self.head.secrets.contains_key(named.id.as_str()) || self.head.has_broken_secrets {
            return;
        }
        let known = self.head.secrets.keys().map(String::as_str);
        let help = instead_or(&named.id, "secrets", known, "secrets are listed below `secrets:`");
        self.notes.judgment("plan::unknown-secret", &named.span, format!("there is no secret `{}`", named.id)).help(help);
    }

    fn check_mention(&mut self, step: usize, mention: &Mention, names: &Names, order: Option<&Order>, outputs: &mut Outputs) {
        let path: Vec<&str> = mention.reference.path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["inputs"] => self.used.extend(self.head.inputs.keys().cloned()),
            ["run"] => {}
            ["steps"] => {
                let problem = self.notes.judgment("plan::unknown-name", &mention.span, "`steps` alone names no step");
                problem.help("write `steps.ID.FIELD`");
            }
            ["inputs", ..] if self.head.has_broken_inputs => {}
            ["inputs", name, ..] if !self.head.inputs.contains_key(*name) => self.tell_input(mention, name),
            ["inputs", name, parts @ ..] => {
                self.used.insert((*name).to_owned());
                if parts.is_empty() && !self.head.broken_inputs.contains(*name) {
                    self.check_type(mention, name);
                }
            }
            ["run", field, ..] if !RUN.contains(field) => {
                let help = instead(field, "fields", RUN);
                self.notes.judgment("plan::unknown-name", &mention.span, format!("`run` has no field `{field}`")).help(help);
            }
            ["run", ..] => {}
            ["each", ..] if self.drafts[step].each.is_none() => {
                let message = format!("`{}` is known only where there is a `for-each`", mention.reference);
                self.notes.judgment("plan::unknown-name", &mention.span, message).help("add `for-each: [first, second]` to this step");
            }
            ["each", field, ..] if !EACH.contains(field) => {
                let help = instead(field, "fields", EACH);
                self.notes.judgment("plan::unknown-name", &mention.span, format!("`each` has no field `{field}`")).help(help);
            }
            ["each", ..] => {}
            ["steps", id, ..] if names.is_unclear(id) => {}
            ["steps", id, fields @ ..] => match names.get(id) {
                Some(found) => self.check_output(step, found, fields, mention, order, outputs),
                None => self.tell_step(mention, id),
            },
            [first, ..] => self.tell_name(mention, first, names),
            [] => {}
        }
    }

    /// An input that stands alone gives its value, and that must be of the type that is wanted there.
    fn check_type(&mut self, mention: &Mention, name: &str) {
        let Some(kind) = self.head.inputs.get(name).map(|input| input.kind) else { return };
        if let Some(comparison) = &mention.compared {
            return self.check_comparison(mention, comparison, name, kind);
        }
        let wanted = match (mention.wanted, kind) {
            (Wanted::Text, InputType::List | InputType::Map) => "a text",
            (Wanted::Number, InputType::Boolean | InputType::Duration | InputType::List | InputType::Map) => "a number",
            (Wanted::Boolean, InputType::Integer | InputType::Number | InputType::Duration | InputType::List | InputType::Map) => {
                "`true` or `false`"
            }
            _ => return,
        };
        let message = format!("expected {wanted}, and the input `{name}` is of type `{}`", word_of(kind));
        self.notes.judgment("plan::wrong-type", &mention.span, message).help("use another input, or give this one another `type`");
    }

    /// In a condition nothing is made of another type by itself.
    fn check_comparison(&mut self, mention: &Mention, comparison: &Comparison, name: &str, kind: InputType) {
        if kind == InputType::Duration && comparison.is_ordering {
            let why = match comparison.with {
                Wanted::Text => "as a text `9s` comes after `10s`",
                _ => "cannot be compared with that",
            };
            let message = format!("the input `{name}` is of type `duration`, and {why}");
            let input = if name.contains('-') { format!("inputs[\"{name}\"]") } else { format!("inputs.{name}") };
            let help = format!("compare lengths of time: `duration({input}) > duration('30s')`");
            self.notes.judgment("plan::condition", &mention.span, message).help(help);
            return;
        }
        let (own, other) = match kind {
            InputType::String | InputType::Duration => (Wanted::Text, "a text"),
            InputType::Integer | InputType::Number => (Wanted::Number, "a number"),
            InputType::Boolean => (Wanted::Boolean, "`true` or `false`"),
            InputType::List => (Wanted::Any, "another list"),
            InputType::Map => (Wanted::Any, "another mapping"),
        };
        if own == comparison.with {
            return;
        }
        let with = match comparison.with {
            Wanted::Number => "a number",
            Wanted::Text => "a text",
            _ => "a boolean",
        };
        let outcome = if comparison.is_ordering { "cannot be compared with" } else { "never equals" };
        let message = format!("the input `{name}` is of type `{}`, and {outcome} {with}", word_of(kind));
        let help = format!("compare it with {other}, or give the input another `type`");
        match comparison.is_ordering {
            true => self.notes.judgment("plan::condition", &mention.span, message).help(help),
            false => self.notes.warning("plan::condition", &mention.span, message).help(help),
        };
    }

    fn tell_input(&mut self, mention: &Mention, name: &str) {
        let known: Vec<&str> = self.head.inputs.keys().map(String::as_str).collect();
        let dashed = known.iter().find(|known| mention.in_condition && known.starts_with(&format!("{name}-")));
        let help = match dashed {
            Some(known) => format!("CEL takes `-` for minus: write `inputs[\"{known}\"]`"),
            None => instead_or(name, "inputs", known, "add it below `inputs:`, if it is new"),
        };
        self.notes.judgment("plan::unknown-input", &mention.span, format!("there is no input `{name}`")).help(help);
    }

    fn tell_step(&mut self, mention: &Mention, id: &str) {
        let mut ids = self.drafts.iter().filter_map(|draft| draft.id.as_ref());
        let dashed = ids.find(|known| mention.in_condition && known.as_str().starts_with(&format!("{id}-")));
        let help = match dashed {
            Some(known) => format!("CEL takes `-` for minus: write `steps[\"{known}\"]`"),
            None => self.known_steps(id),
        };
        self.notes.judgment("plan::unknown-step", &mention.span, format!("there is no step `{id}`")).help(help);
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
        } else if let Some(literal) = literal(&rest).filter(|_| mention.in_condition) {
            format!("write `{literal}`")
        } else if self.head.inputs.contains_key(first) {
            format!("did you mean `inputs.{rest}`?")
        } else if names.get(first).is_some() {
            format!("did you mean `steps.{rest}`?")
        } else {
            "names begin with `inputs.`, `steps.`, `run.` or, in a step with `for-each`, `each.`".to_owned()
        };
        self.notes.judgment("plan::unknown-name", &mention.span, format!("`{rest}` is not known")).help(help);
    }

    fn check_output(&mut self, step: usize, of: usize, fields: &[&str], mention: &Mention, order: Option<&Order>, outputs: &mut Outputs) {
        let (id, span) = (self.called(of), &mention.span);
        if step == of {
            let problem = self.notes.judgment("plan::too-early", span, "a step cannot use its own output");
            problem.help("the output is there when the step is over");
            return;
        }
        let item = fields.first().copied().filter(|_| self.drafts[of].each.is_some());
        if order.is_some_and(|order| !order.may_be_before(of, item, step)) {
            // Of a step that is waited for in part the part is named.
            let whole = order.is_some_and(|order| !order.needs[step].contains(&of));
            let named = item.filter(|_| !whole).map_or_else(|| id.clone(), |item| format!("{id}[{item}]"));
            let message = format!("`{named}` may not be over when this is needed");
            let help = match of > step && self.drafts[step].needs.is_none() {
                true => format!("move `{named}` above this step"),
                false => format!("add `{named}` to `needs`"),
            };
            self.notes.judgment("plan::too-early", span, message).help(help);
            return;
        }
        match self.drafts[of].each {
            Some(_) => self.check_item_output(of, fields, mention, outputs),
            None => self.check_fields(of, fields, mention, outputs),
        }
        let skipped_alike = self.drafts[of].when == self.drafts[step].when && !self.may_differ_by_item(of, step, item);
        if self.drafts[of].when.is_some() && !mention.reference.optional && !skipped_alike {
            let name = mention.reference.to_string();
            let help = match mention.in_condition {
                true => format!("write `has({name}) && …`"),
                false => format!("write `{{{{ default {name} \"…\" }}}}`"),
            };
            let message = format!("`{id}` may be skipped, and then it has no output");
            self.notes.judgment("plan::may-be-skipped", span, message).help(help);
        }
    }

    /// The output of a step that is there once for each item holds theirs by their keys; the rest of the path is one item's.
    fn check_item_output(&mut self, of: usize, fields: &[&str], mention: &Mention, outputs: &mut Outputs) {
        let (id, keys) = (self.called(of), self.known_items(of));
        if mention.is_step {
            let item = keys.first().map_or("ITEM", String::as_str);
            let message = format!("`{id}` is there once for each item, and the output of one step is needed here");
            let help =
                format!("write `'{{{{ steps.{id}.{item} }}}}'`, or, beside the same `for-each`, `'{{{{ lookup steps.{id} each.key }}}}'`");
            self.notes.judgment("plan::unknown-output", &mention.span, message).help(help);
            return;
        }
        let ([key, rest @ ..], Some(each)) = (fields, &self.drafts[of].each) else { return };
        if !each.can_have(key) {
            let help = instead(key, "items", keys.iter().map(String::as_str));
            let problem = self.notes.judgment("plan::unknown-output", &mention.span, format!("`{id}` has no item `{key}`"));
            problem.help(format!("write `steps.{id}.ITEM.FIELD`; {help}"));
            return;
        }
        let action = self.drafts[of].kind.as_ref().and_then(|kind| self.registry.get(kind.as_str())).cloned();
        // The items of an input may have any name, but hardly that of a field where none comes behind it.
        let mut is_field = |field: &&str| action.as_ref().is_some_and(|action| outputs.declares(&**action, field));
        if !keys.contains(&(*key).to_owned()) && is_field(key) && !rest.first().is_some_and(&mut is_field) {
            let item = keys.first().map_or("ITEM", String::as_str);
            let message = format!("`{id}` is there once for each item, so `{key}` is not known without saying of which");
            self.notes
                .judgment("plan::unknown-output", &mention.span, message)
                .help(format!("write `steps.{id}.{item}.{}`", fields.join(".")));
            return;
        }
        self.check_fields(of, rest, mention, outputs);
    }

    /// True when the same condition may hold for one of these steps and not for the other: it asks for the item, and theirs may be two.
    fn may_differ_by_item(&self, of: usize, step: usize, item: Option<&str>) -> bool {
        let asks = |name: &Reference| name.path.first().is_some_and(|name| name == "each");
        let asks = self.drafts[of].when.as_ref().is_some_and(|when| when.references().iter().any(asks));
        asks && (item.is_some() || self.known_items(of) != self.known_items(step))
    }

    /// The keys of a step's items, as far as they are known now: those of a literal list, or of an input's default.
    fn known_items(&self, of: usize) -> Vec<String> {
        let items = match self.drafts[of].each.as_ref().map(|each| &each.items) {
            Some(Items::Known(items)) => items.clone(),
            Some(Items::Input(name)) => {
                let default = self.head.inputs.get(name).and_then(|input| input.default.as_ref());
                default.and_then(|default| items::of(default).ok()).unwrap_or_default()
            }
            None => Vec::new(),
        };
        items.into_iter().map(|item| item.key).collect()
    }

    /// Inputs that nothing uses. Where something is wrong, it is not known what was meant to use them.
    pub(super) fn warn_unused(&mut self) {
        if self.notes.has_errors() {
            return;
        }
        for (name, span) in &self.head.input_spans {
            if !self.used.contains(name) {
                let problem = self.notes.warning("plan::unused-input", span, format!("nothing uses the input `{name}`"));
                problem.help(format!("remove it, or write `{{{{ inputs.{name} }}}}` where it belongs"));
            }
        }
    }

    fn check_fields(&mut self, of: usize, fields: &[&str], mention: &Mention, outputs: &mut Outputs) {
        let id = self.called(of);
        let Some(kind) = self.drafts[of].kind.clone() else { return };
        let Some(action) = self.registry.get(kind.as_str()) else {
            if matches!(self.drafts[of].does, Some(Does::Approve { .. } | Does::Pause { .. } | Does::Guard { .. })) {
                self.notes
                    .judgment("plan::unknown-output", &mention.span, format!("`{id}` has no output: it is a step of kind `{kind}`"))
                    .help("actions have outputs; this step has none");
            }
            return;
        };
        if let Err(unknown) = outputs.check(&**action, fields) {
            let message = format!("the output of `{id}` has no `{}`", unknown.field);
            let help = instead(&unknown.field, "fields", unknown.known.iter().map(String::as_str));
            self.notes.judgment("plan::unknown-output", &mention.span, message).help(help);
        }
    }
}

/// A type as it is written.
fn word_of(kind: InputType) -> &'static str {
    match kind {
        InputType::String => "string",
        InputType::Integer => "integer",
        InputType::Number => "number",
        InputType::Boolean => "boolean",
        InputType::List => "list",
        InputType::Map => "map",
        InputType::Duration => "duration",
    }
}
