//! Reads inputs, and values for them. It knows no environment and no run.

use super::Reader;
use crate::expr::yaml::{Entry, Kind, Node};
use crate::ids::check_label;
use crate::plan::decode::decode_as;
use crate::plan::model::Input;
use crate::plan::written::{InputType, InputWritten};
use indexmap::IndexMap;
use regex::Regex;
use serde_json::Value;

impl Reader<'_, '_> {
    pub(super) fn inputs(&mut self, node: &Node) -> IndexMap<String, Input> {
        let entries = self.entries_of(node, "a mapping of inputs");
        entries.iter().filter_map(|entry| Some((entry.key.clone(), self.input(entry)?))).collect()
    }

    fn input(&mut self, entry: &Entry) -> Option<Input> {
        self.check_name(entry, "an input");
        let written = match &entry.value.kind {
            Kind::Null => InputWritten::default(),
            _ => {
                let decoded = decode_as::<InputWritten>(&entry.value);
                self.tell(&decoded.failures, "an input");
                decoded.value.unwrap_or_default()
            }
        };
        ["default", "one-of"].into_iter().filter_map(|key| entry.value.get(key)).for_each(|node| self.refuse_templates(node));
        let pattern = written.pattern.as_deref().and_then(|pattern| self.pattern(entry, pattern, written.kind));
        let mut input = Input {
            kind: written.kind,
            pattern,
            one_of: Vec::new(),
            default: None,
            required: written.required.unwrap_or(written.default.is_none()),
            about: written.about,
        };
        if let Some(Kind::List(items)) = entry.value.get("one-of").map(|node| &node.kind) {
            input.one_of = items.iter().filter_map(|item| self.value_of(item, &input)).collect();
        }
        input.default = entry.value.get("default").filter(|node| node.kind != Kind::Null).and_then(|node| self.value_of(node, &input));
        Some(input)
    }

    fn pattern(&mut self, entry: &Entry, pattern: &str, kind: InputType) -> Option<Regex> {
        let span = entry.value.get("pattern").map_or(&entry.key_span, |node| &node.label);
        if kind != InputType::String {
            self.notes.error("plan::wrong-value", span, "only an input of type `string` can have a pattern");
        }
        match Regex::new(pattern) {
            Ok(regex) => Some(regex),
            Err(error) => {
                let text = error.to_string();
                let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                self.notes.error("plan::wrong-value", span, format!("this is not a regular expression: {reason}"));
                None
            }
        }
    }

    /// A value for an input, told if it does not fit.
    pub(super) fn value_of(&mut self, node: &Node, input: &Input) -> Option<Value> {
        let value = typed_node(node, input.kind).and_then(|value| input.accept(&value).map(|()| value));
        value.map_err(|message| self.notes.error("plan::wrong-value", &node.label, message).help(like(input))).ok()
    }

    pub(super) fn check_name(&mut self, entry: &Entry, what: &str) {
        if let Err(error) = check_label(&entry.key) {
            self.notes.error("plan::bad-name", &entry.key_span, format!("`{}` cannot name {what}", entry.key)).help(error.to_string());
        }
    }
}

/// What a value for an input looks like.
fn like(input: &Input) -> String {
    match (&input.pattern, input.kind) {
        (Some(pattern), _) => format!("write a text that matches `{}`", pattern.as_str()),
        (None, InputType::String) => "write a text".to_owned(),
        (None, InputType::Integer) => "write a whole number".to_owned(),
        (None, InputType::Number) => "write a number".to_owned(),
        (None, InputType::Boolean) => "write `true` or `false`".to_owned(),
    }
}

fn typed_node(node: &Node, kind: InputType) -> Result<Value, String> {
    let text = match (&node.kind, &node.written) {
        (Kind::Text(text), _) => {
            return match kind {
                InputType::String => Ok(Value::String(text.clone())),
                _ => Err(format!("expected {}, found {}", words(kind), node.describe())),
            };
        }
        (Kind::Number(_) | Kind::Bool(_), Some(written)) => written,
        _ => return Err(format!("expected {}, found {}", words(kind), node.describe())),
    };
    typed_text(text, kind)
}

/// A value of an input's type from a text, as given on a command line.
///
/// # Errors
/// Says what is wanted.
pub(in crate::plan) fn typed_text(text: &str, kind: InputType) -> Result<Value, String> {
    let wrong = || format!("expected {}, found `{text}`", words(kind));
    match kind {
        InputType::String => Ok(Value::String(text.to_owned())),
        InputType::Boolean => text.parse().map(Value::Bool).map_err(|_| wrong()),
        InputType::Integer => text.parse::<i64>().map(Value::from).map_err(|_| wrong()),
        InputType::Number => text.parse().map(Value::Number).map_err(|_| wrong()),
    }
}

fn words(kind: InputType) -> &'static str {
    match kind {
        InputType::String => "a text",
        InputType::Integer => "a whole number",
        InputType::Number => "a number",
        InputType::Boolean => "`true` or `false`",
    }
}
