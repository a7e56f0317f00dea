//! Reads one step: its common keys and its one action.

use super::engine::named;
use super::place::within;
use super::{Draft, ENGINE_KINDS, GUARD, Mention, Reader};
use crate::expr::Condition;
use crate::expr::yaml::{Entry, Kind, Node};
use crate::ids::{ActionKind, check_label};
use crate::plan::Undo;
use crate::plan::decode::decode_as;
use crate::plan::model::Does;
use crate::plan::suggest::{closest, instead};
use crate::plan::written::{STEP_KEYS, StepWritten};
use std::ops::Range;

impl Reader<'_, '_> {
    pub(super) fn steps(&mut self, node: &Node) -> Vec<Draft> {
        match &node.kind {
            Kind::List(items) if !items.is_empty() => items.iter().map(|item| self.step(item)).collect(),
            Kind::List(_) | Kind::Null => {
                self.notes.error("plan::no-steps", &node.label, "a plan needs at least one step").help("add `- id: first` and an action");
                Vec::new()
            }
            _ => {
                let message = format!("expected a list of steps, found {}", node.describe());
                self.notes.error("plan::wrong-type", &node.label, message).help("begin every step with `- id: …`");
                Vec::new()
            }
        }
    }

    fn step(&mut self, node: &Node) -> Draft {
        let mut draft = self.common(node);
        let others: Vec<&Entry> = node.entries().iter().filter(|entry| !STEP_KEYS.contains(&entry.key.as_str())).collect();
        if let Some(entry) = self.action_of(&others, &draft.id_span, node) {
            draft.kind = ActionKind::new(&entry.key).ok();
            draft.kind_span = entry.key_span.clone();
            match self.registry.get(&entry.key).cloned() {
                Some(action) => {
                    let mut mentions = std::mem::take(&mut draft.mentions);
                    let template = self.params(&*action, &entry.value, &mut mentions);
                    draft.mentions = mentions;
                    if let Some(template) = &template {
                        self.prepare(&*action, template, &mut draft);
                    }
                    draft.does = template.map(Does::Action);
                }
                None => {
                    self.refuse_keys(&entry.key, node);
                    self.engine_kind(&entry.key, &entry.value, &mut draft);
                }
            }
        }
        draft
    }

    fn common(&mut self, node: &Node) -> Draft {
        let entries = self.entries_of(node, "a step");
        let own = entries.iter().filter(|entry| STEP_KEYS.contains(&entry.key.as_str())).cloned().collect();
        let decoded = decode_as::<StepWritten>(&Node { kind: Kind::Map(own), ..node.clone() });
        if !entries.is_empty() {
            self.tell(&decoded.failures, "a step");
        }
        for key in ["id", "needs", "timeout", "retry", "continue-on-error", "idempotent"] {
            node.get(key).into_iter().for_each(|inner| self.refuse_templates(inner));
        }
        let written = decoded.value;
        if let Some(retry) = node.get("retry") {
            self.check_factor(retry, written.as_ref().and_then(|written| written.retry.as_ref()));
        }
        let id_node = node.get("id");
        let id = match id_node.map(|node| (&node.kind, &node.written)) {
            Some((Kind::Text(id), _)) | Some((_, Some(id))) => check_label(id).ok().and_then(|()| id.parse().ok()),
            _ => None,
        };
        let mut mentions = Vec::new();
        let when = node.get("when").and_then(|node| self.when(node, &mut mentions));
        let undo = node.get("undo").map_or(Undo::ByAction, |node| self.undo(node, &mut mentions));
        let label = id_node.map_or(&node.label, |node| &node.label).clone();
        Draft {
            id,
            kind_span: label.clone(),
            id_span: label,
            kind: None,
            about: written.as_ref().and_then(|written| written.about.clone()),
            needs: node.get("needs").and_then(named),
            when,
            timeout: written.as_ref().and_then(|written| written.timeout),
            continue_on_error: written.as_ref().is_some_and(|written| written.continue_on_error),
            idempotent: written.as_ref().is_some_and(|written| written.idempotent),
            retry: written.and_then(|written| written.retry),
            undo,
            does: None,
            guards: None,
            prepared: None,
            mentions,
        }
    }

    fn when(&mut self, node: &Node, mentions: &mut Vec<Mention>) -> Option<Condition> {
        let text = match &node.kind {
            Kind::Text(text) => text.clone(),
            Kind::Bool(value) => value.to_string(),
            _ => {
                let message = format!("expected a condition, found {}", node.describe());
                self.notes.error("plan::wrong-type", &node.label, message).help("write for example `when: inputs.replicas > 1`");
                return None;
            }
        };
        let source = &self.notes.source.text;
        match Condition::parse(&text) {
            Ok(condition) => {
                mentions.extend(condition.references().iter().map(|reference| Mention {
                    span: within(source, node, &text, &reference.at),
                    reference: reference.clone(),
                    in_condition: true,
                }));
                Some(condition)
            }
            Err(error) => {
                let span = within(source, node, &text, &error.at);
                let help = match text.contains("{{") {
                    true => "conditions are CEL, without braces: `when: inputs.replicas > 1`",
                    false => "conditions are CEL: `when: inputs.replicas > 1 && run.environment == 'production'`",
                };
                self.notes.error("plan::condition", &span, format!("this is not a condition: {}", error.message)).help(help);
                None
            }
        }
    }

    /// The one key of a step that is its action; told if there is not exactly one.
    fn action_of<'n>(&mut self, others: &[&'n Entry], id_span: &Range<usize>, node: &Node) -> Option<&'n Entry> {
        let kinds: Vec<&str> = self.registry.iter().map(|action| action.kind()).chain(ENGINE_KINDS).collect();
        let (known, unknown): (Vec<&Entry>, Vec<&Entry>) = others.iter().partition(|entry| kinds.contains(&entry.key.as_str()));
        for entry in &unknown {
            let alone = others.len() == 1;
            let common = closest(&entry.key, STEP_KEYS);
            let (code, message, help) = match (alone && common.is_none(), common) {
                (true, _) => (
                    "plan::unknown-action",
                    format!("there is no action `{}`", entry.key),
                    instead(&entry.key, "actions", kinds.iter().copied()),
                ),
                (false, _) => {
                    let all: Vec<&str> = STEP_KEYS.into_iter().chain(kinds.iter().copied()).collect();
                    ("plan::unknown-key", format!("there is no key `{}` in a step", entry.key), instead(&entry.key, "keys", all))
                }
            };
            self.notes.error(code, &entry.key_span, message).help(help);
        }
        match known.as_slice() {
            [one] => Some(one),
            [] if unknown.is_empty() && !node.entries().is_empty() => {
                let help = format!("add one of: {}", kinds.join(", "));
                self.notes.error("plan::no-action", id_span, "this step does nothing").help(help);
                None
            }
            [] => None,
            [first, more @ ..] => {
                for entry in more {
                    let message = format!("a step has one action, and `{}` is the second here", entry.key);
                    let problem = self.notes.error("plan::two-actions", &entry.key_span, message);
                    problem.also(&first.key_span, "the first").help("make a step of its own for each");
                }
                None
            }
        }
    }

    /// Common keys that mean nothing for a kind that the engine carries out itself.
    fn refuse_keys(&mut self, kind: &str, node: &Node) {
        let refused: &[&str] = match kind {
            GUARD => &["when", "timeout", "retry", "continue-on-error", "idempotent", "undo"],
            _ => &["retry", "continue-on-error", "idempotent", "undo"],
        };
        for entry in node.entries().iter().filter(|entry| refused.contains(&entry.key.as_str())) {
            let message = format!("`{}` means nothing for `{kind}`", entry.key);
            self.notes.error("plan::key-not-here", &entry.key_span, message).help("remove it");
        }
    }
}
