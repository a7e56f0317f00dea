//! From a plan's tree to its head and the drafts of its steps: every key is read by itself, so that mistakes add up. What the steps
//! have to do with each other is not known here.

mod each;
mod engine;
mod head;
mod input;
mod meant;
mod params;
mod place;
mod prepare;
mod simulate;
mod step;
mod undo;

pub(super) use each::EachDraft;
pub(super) use engine::BUDGET;
pub(super) use head::Head;
#[cfg(test)]
pub(super) use head::PLAN_KEYS;
pub(super) use input::typed_text;

use super::Undo;
use super::decode::{Failure, Mistake};
use super::model::Does;
use super::problem::Notes;
use super::suggest::{closest_key, instead, instead_key};
use super::written::RetryWritten;
use crate::action::{Registry, RunScope};
use crate::expr::yaml::{Entry, Kind, Node};
use crate::expr::{Comparison, Condition, Reference, Text, Wanted};
use crate::ids::{ActionKind, Period, PlanName, RunId, StepId};
use crate::record::{Reversibility, Target};
use meant::as_own;
use smol_str::SmolStr;
use std::fmt;
use std::ops::Range;

/// The kinds of step that the engine carries out itself.
pub(super) const GUARD: &str = "rollback-on-fail";
pub(super) const APPROVE: &str = "approve";
pub(super) const PAUSE: &str = "pause";
/// All of them.
pub(super) const ENGINE_KINDS: [&str; 3] = [GUARD, APPROVE, PAUSE];

/// A step as far as it can be understood by itself.
pub(super) struct Draft {
    pub(super) id: Option<StepId>,
    /// What was written as its id and cannot be one.
    pub(super) bad_id: Option<String>,
    pub(super) id_span: Range<usize>,
    pub(super) kind: Option<ActionKind>,
    pub(super) kind_span: Range<usize>,
    pub(super) about: Option<String>,
    pub(super) needs: Option<Vec<Named>>,
    pub(super) when: Option<Condition>,
    pub(super) each: Option<Box<EachDraft>>,
    pub(super) max_parallel: Option<u32>,
    pub(super) locks: Vec<Named>,
    pub(super) timeout: Option<Period>,
    pub(super) retry: Option<Box<RetryWritten>>,
    pub(super) continue_on_error: bool,
    pub(super) idempotent: bool,
    pub(super) undo: Undo,
    pub(super) does: Option<Does>,
    /// Of a guard: the steps that it names.
    pub(super) guards: Option<Vec<Named>>,
    /// Of a guard: what it names could not be read.
    pub(super) has_broken_guards: bool,
    /// What its action says of it, templates replaced by samples.
    pub(super) prepared: Option<Nature>,
    /// The files that it names without a template.
    pub(super) files: Vec<Named>,
    pub(super) mentions: Vec<Mention>,
    /// The secrets that it names, but for its undo.
    pub(super) secrets: Vec<Named>,
    /// Those that its undo names.
    pub(super) undo_secrets: Vec<Named>,
}

/// What an action says of one use of it, as much of that as is asked for later: see [`crate::action::Prepared`].
pub(super) struct Nature {
    pub(super) reversibility: Reversibility,
    pub(super) targets: Vec<Target>,
    pub(super) reads_files: bool,
    pub(super) runs_commands: bool,
    pub(super) repeatable: bool,
    pub(super) kept: bool,
}

/// A step's id, or a secret's name, where it is written.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) id: SmolStr,
    pub(super) span: Range<usize>,
}

/// A name in an expression, and its place in the plan.
#[derive(Debug, Clone)]
pub(super) struct Mention {
    pub(super) reference: Reference,
    pub(super) span: Range<usize>,
    pub(super) in_condition: bool,
    /// What it is compared with, in a condition.
    pub(super) compared: Option<Comparison>,
    /// What is wanted where it stands, if it stands there alone.
    pub(super) wanted: Wanted,
    /// It names a step whose output is taken as it is: `applied-by: deploy`.
    pub(super) is_step: bool,
}

/// Reads a plan's tree.
pub(super) struct Reader<'r, 's> {
    pub(super) registry: &'r Registry,
    pub(super) notes: Notes<'s>,
    drafts: Vec<Draft>,
    scope: RunScope,
}

impl<'r, 's> Reader<'r, 's> {
    pub(super) fn new(registry: &'r Registry, notes: Notes<'s>) -> Self {
        let run = RunId::new("check").expect("a word in lower case is a name");
        let plan = PlanName::new("check").expect("a word in lower case is a name");
        let scope = RunScope { run, plan, environment: None, namespace: None, context: None };
        Self { registry, notes, drafts: Vec::new(), scope }
    }

    /// The entries of a mapping; told if it is none.
    fn entries_of<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Entry] {
        match &node.kind {
            Kind::Map(entries) => entries,
            Kind::Null => &[],
            _ => {
                let message = format!("expected {what}, found {}", node.describe());
                self.notes.error("plan::wrong-type", &node.label, message).help("write `key: value`, one a line");
                &[]
            }
        }
    }

    /// Tells what did not fit. True when everything did.
    fn tell(&mut self, failures: &[Failure], what: impl fmt::Display + Copy) -> bool {
        failures.iter().for_each(|failure| self.tell_one(failure, what, None));
        failures.is_empty()
    }

    /// The same for keys of the plan's own, whose lines are known.
    fn tell_own(&mut self, failures: &[Failure], what: impl fmt::Display + Copy, entries: &[Entry]) -> bool {
        for failure in failures {
            let entry = entries.iter().find(|entry| entry.value.label == failure.span);
            self.tell_one(failure, what, entry.and_then(|entry| as_own(&entry.key, &entry.value)));
        }
        failures.is_empty()
    }

    fn tell_one(&mut self, failure: &Failure, what: impl fmt::Display, meant: Option<String>) {
        let span = &failure.span;
        match &failure.mistake {
            Mistake::UnknownKey { key, known } => {
                let known = known.iter().map(String::as_str);
                let help = match closest_key(key, known.clone()).is_none() && super::written::STEP_KEYS.contains(&key.as_str()) {
                    true => format!("`{key}` is a key of steps: write it beside the action"),
                    false => instead_key(key, "keys", known),
                };
                self.notes.error("plan::unknown-key", span, format!("there is no key `{key}` in {what}")).help(help);
            }
            Mistake::UnknownWord { word, known } => {
                let help = instead(word, "words", known.iter().map(String::as_str));
                self.notes.error("plan::unknown-word", span, format!("`{word}` is not known here")).help(help);
            }
            Mistake::WrongType { wanted } | Mistake::WrongValue { wanted } => {
                let problem = self.notes.error("plan::wrong-type", span, format!("expected {wanted}, found {}", failure.found));
                let meant = meant.map(|line| format!("write {line}")).or_else(|| unquote(wanted, &failure.found));
                problem.help(meant.unwrap_or_else(|| format!("write {wanted}")));
            }
            Mistake::MissingKey { key } => {
                let problem = self.notes.error("plan::missing-key", span, format!("{what} needs the key `{key}` here"));
                problem.help(format!("add `{key}: …` here"));
            }
            Mistake::Other(words) => {
                let otherwise = match words.contains("came too") {
                    true => "keep one of them".to_owned(),
                    false => format!("write what {what} takes here"),
                };
                self.notes.said("plan::wrong-value", span, words, &otherwise);
            }
            Mistake::Known => {}
        }
    }

    /// Refuses templates where a value must be known before the run.
    fn refuse_templates(&mut self, node: &Node) {
        match &node.kind {
            Kind::Text(text) if Text::is_template(text) => {
                let message = "a template is not possible here: this must be known before the run";
                self.notes.error("plan::template-not-here", &node.label, message).help("write the value itself");
            }
            Kind::List(items) => items.iter().for_each(|item| self.refuse_templates(item)),
            Kind::Map(entries) => entries.iter().for_each(|entry| self.refuse_templates(&entry.value)),
            _ => {}
        }
    }
}

/// `'5'` where a number is wanted.
fn unquote(wanted: &str, found: &str) -> Option<String> {
    if wanted == "a list" && !found.starts_with("a ") {
        return Some("write a list: `[first, second]`, or one `- …` a line".to_owned());
    }
    let text = found.strip_prefix("the text `")?.strip_suffix('`')?;
    let fits =
        (wanted.contains("number") && text.parse::<f64>().is_ok()) || (wanted.contains("`true`") && matches!(text, "true" | "false"));
    match (fits, wanted.contains("`true`")) {
        (true, _) => Some(format!("write `{text}` without quotes")),
        (false, true) => Some("write `true` or `false`".to_owned()),
        (false, false) => None,
    }
}
