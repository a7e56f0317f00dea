//! Reads one step: its common keys and its one action.

use super::engine::named;
use super::place::within;
use super::{Draft, ENGINE_KINDS, EachDraft, GUARD, Mention, Reader};
use crate::expr::yaml::{Entry, Kind, Node};
use crate::expr::{Condition, Wanted};
use crate::ids::{ActionKind, StepId};
use crate::plan::Undo;
use crate::plan::decode::decode_own;
use crate::plan::model::Does;
use crate::plan::suggest::{closest_key, instead_key};
use crate::plan::written::{STEP_KEYS, StepWritten};
use std::num::NonZeroU32;
use std::ops::Range;

/// Programs that people write where an action stands.
const PROGRAMS: [&str; 3] = ["helm", "kubectl", "kustomize"];

impl Reader<'_, '_> {
    /// Reads one item of the list of steps.
    pub(in crate::plan) fn take_step(&mut self, node: &Node) {
        let draft = self.step(node);
        self.drafts.push(draft);
    }

    /// Tells a list without steps, or what stands in its place. The steps themselves were taken while the tree was read.
    pub(super) fn check_list(&mut self, node: &Node) {
        match &node.kind {
            Kind::List(_) if !self.drafts.is_empty() => {}
            Kind::List(_) | Kind::Null => {
                self.notes.error("plan::no-steps", &node.label, "a plan needs at least one step").help("add `- id: first` and an action");
            }
            _ => {
                let message = format!("expected a list of steps, found {}", node.describe());
                self.notes.error("plan::wrong-type", &node.label, message).help("begin every step with `- id: …`");
            }
        }
    }

    fn step(&mut self, node: &Node) -> Draft {
        let mut draft = self.common(node);
        let others: Vec<&Entry> = node.entries().iter().filter(|entry| !STEP_KEYS.contains(&entry.key.as_str())).collect();
        let is_known = |key: &str| self.registry.get(key).is_some();
        if let Some(slip) = others.iter().find(|entry| !is_known(&entry.key) && closest_key(&entry.key, STEP_KEYS) == Some("for-each")) {
            draft.each.get_or_insert_with(|| Box::new(EachDraft::unknown(&slip.key_span)));
        }
        if let Some(entry) = self.action_of(&others, &draft.id_span, node) {
            draft.kind = ActionKind::new(&entry.key).ok();
            draft.kind_span = entry.key_span.clone();
            match self.registry.get(&entry.key).cloned() {
                Some(action) => {
                    let template = self.params(&*action, &entry.value, &mut draft.mentions, &mut draft.secrets);
                    if let Some(template) = &template {
                        self.prepare(&*action, template, &entry.value, &mut draft);
                    }
                    draft.does = template.map(Does::Action);
                }
                None => {
                    self.refuse_keys(&entry.key, node);
                    self.engine_kind(entry, &mut draft);
                }
            }
        }
        draft
    }

    fn common(&mut self, node: &Node) -> Draft {
        let written = self.written(node);
        let mut mentions = Vec::new();
        let when = node.get("when").and_then(|node| self.when(node, &mut mentions));
        let each = node.get("for-each").map(|node| self.for_each(node, &mut mentions));
        self.check_max_parallel(node);
        let mut undo_secrets = Vec::new();
        let undo = node.get("undo").map_or(Undo::ByAction, |node| self.undo(node, &mut mentions, &mut undo_secrets));
        let label = node.get("id").map_or(&node.label, |node| &node.label).clone();
        Draft {
            id: id_of(node),
            bad_id: bad_id_of(node),
            kind_span: label.clone(),
            id_span: label,
            kind: None,
            about: written.as_ref().and_then(|written| written.about.clone()),
            needs: node.get("needs").and_then(named),
            when,
            each: each.map(Box::new),
            max_parallel: written.as_ref().and_then(|written| written.max_parallel).map(NonZeroU32::get),
            locks: node.get("locks").and_then(named).unwrap_or_default(),
            timeout: written.as_ref().and_then(|written| written.timeout),
            continue_on_error: written.as_ref().is_some_and(|written| written.continue_on_error),
            idempotent: written.as_ref().is_some_and(|written| written.idempotent),
            retry: written.and_then(|written| written.retry).map(Box::new),
            undo,
            does: None,
            guards: None,
            has_broken_guards: false,
            prepared: None,
            files: Vec::new(),
            mentions,
            secrets: Vec::new(),
            undo_secrets,
        }
    }

    /// The common keys, if they fit.
    fn written(&mut self, node: &Node) -> Option<StepWritten> {
        let entries = self.entries_of(node, "a step");
        let decoded = decode_own::<StepWritten>(node, &STEP_KEYS);
        if !entries.is_empty() {
            self.tell_own(&decoded.failures, "a step", entries);
        }
        for key in ["id", "needs", "max-parallel", "locks", "timeout", "retry", "continue-on-error", "idempotent"] {
            node.get(key).into_iter().for_each(|inner| self.refuse_templates(inner));
        }
        let written = decoded.value;
        if let Some(retry) = node.get("retry") {
            self.check_factor(retry, written.as_ref().and_then(|written| written.retry.as_ref()));
        }
        written
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
                    compared: condition.comparison(&reference.at).cloned(),
                    wanted: Wanted::Any,
                    is_step: false,
                }));
                for slip in condition.slips() {
                    let span = within(source, node, &text, &slip.at);
                    let help = text.get(slip.at.clone()).and_then(misplaced).or(slip.help.as_deref()).unwrap_or_default();
                    self.notes.judgment("plan::condition", &span, &slip.message).help(help);
                }
                Some(condition)
            }
            Err(error) => {
                let span = within(source, node, &text, &error.at);
                let help = match text.contains("{{") {
                    true => "conditions are CEL, without braces: `when: inputs.replicas > 1`",
                    false => "conditions are CEL: `when: inputs.replicas > 1 && run.environment == 'production'`",
                };
                self.notes
                    .error("plan::condition", &span, format!("this is not a condition: {error}"))
                    .help(error.help.as_deref().unwrap_or(help));
                None
            }
        }
    }

    /// The one key of a step that is its action; told if there is not exactly one.
    fn action_of<'n>(&mut self, others: &[&'n Entry], id_span: &Range<usize>, node: &Node) -> Option<&'n Entry> {
        let is_kind = |key: &str| ENGINE_KINDS.contains(&key) || self.registry.get(key).is_some();
        let (known, unknown): (Vec<&Entry>, Vec<&Entry>) = others.iter().partition(|entry| is_kind(&entry.key));
        if let ([one], []) = (known.as_slice(), unknown.as_slice()) {
            return Some(one);
        }
        let kinds: Vec<&str> = self.registry.iter().map(|action| action.kind()).chain(ENGINE_KINDS).collect();
        unknown.iter().for_each(|entry| self.tell_unknown(entry, others.len() == 1, &kinds));
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

    /// An unknown key is an action with a slip in it, if it is the only one that can be the action and is near no common key.
    fn tell_unknown(&mut self, entry: &Entry, is_alone: bool, kinds: &[&str]) {
        let key = &entry.key;
        if key == "unless" {
            let problem = self.notes.error("plan::unknown-key", &entry.key_span, "there is no key `unless` in a step");
            problem.help("write the opposite: `when: '!(…)'`");
        } else if is_alone && closest_key(key, STEP_KEYS).is_none() {
            let meant = closest_key(key, kinds.iter().copied()).and_then(|kind| self.as_mapping(&**self.registry.get(kind)?, &entry.value));
            // What follows the name of a program is a command line of its own, and no manifest.
            let meant = meant.filter(|_| !PROGRAMS.contains(&key.as_str()));
            let help = meant.map_or_else(|| instead_key(key, "actions", kinds.iter().copied()), |line| format!("did you mean {line}?"));
            self.notes.error("plan::unknown-action", &entry.key_span, format!("there is no action `{key}`")).help(help);
        } else {
            let help = instead_key(key, "keys", STEP_KEYS.into_iter().chain(kinds.iter().copied()));
            self.notes.error("plan::unknown-key", &entry.key_span, format!("there is no key `{key}` in a step")).help(help);
        }
    }

    /// Common keys that mean nothing for a kind that the engine carries out itself.
    fn refuse_keys(&mut self, kind: &str, node: &Node) {
        let refused: &[&str] = match kind {
            GUARD => &["when", "for-each", "max-parallel", "locks", "timeout", "retry", "continue-on-error", "idempotent", "undo"],
            _ => &["max-parallel", "locks", "retry", "continue-on-error", "idempotent", "undo"],
        };
        for entry in node.entries().iter().filter(|entry| refused.contains(&entry.key.as_str())) {
            let message = format!("`{}` means nothing for `{kind}`", entry.key);
            self.notes.error("plan::key-not-here", &entry.key_span, message).help("remove it");
        }
    }
}

/// What to write instead of a function that other tools have for this.
fn misplaced(function: &str) -> Option<&'static str> {
    match function {
        "always" | "success" => Some("leave `when` out: a step runs once all that it needs is done"),
        "len" | "length" | "count" => Some("`size(…)` tells how many there are: `size(inputs.list) > 0`"),
        "failure" | "failed" | "cancelled" => {
            Some("what to do when a step fails stands in its `undo`, or in a `rollback-on-fail` behind it")
        }
        _ => None,
    }
}

/// The step's id, whatever else is wrong with it: others refer to it.
fn id_of(node: &Node) -> Option<StepId> {
    StepId::new(written_id(node)?).ok()
}

/// What is written as its id and is none: others may name it all the same.
fn bad_id_of(node: &Node) -> Option<String> {
    written_id(node).filter(|id| StepId::new(id).is_err()).map(str::to_owned)
}

fn written_id(node: &Node) -> Option<&str> {
    let id = node.get("id")?;
    match (&id.kind, &id.written) {
        (Kind::Text(id), _) | (_, Some(id)) => Some(id),
        _ => None,
    }
}
