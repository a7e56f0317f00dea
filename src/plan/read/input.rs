//! Reads inputs, and values for them. It knows no environment and no run.

use super::Reader;
use crate::expr::Text;
use crate::expr::yaml::{self, Entry, Kind, Node};
use crate::ids::{Period, check_label};
use crate::plan::decode::decode_as;
use crate::plan::model::{Input, plain};
use crate::plan::written::{InputType, InputWritten};
use indexmap::IndexMap;
use regex::Regex;
use serde_json::Value;
use std::collections::HashSet;

impl Reader<'_, '_> {
    /// The inputs; those of which something could not be read are `broken`.
    pub(super) fn inputs(&mut self, node: &Node, broken: &mut HashSet<String>) -> IndexMap<String, Input> {
        let entries = self.entries_of(node, "a mapping of inputs");
        entries.iter().map(|entry| (entry.key.clone(), self.input(entry, broken))).collect()
    }

    fn input(&mut self, entry: &Entry, broken: &mut HashSet<String>) -> Input {
        self.check_name(entry, "an input");
        let written = match &entry.value.kind {
            Kind::Null => InputWritten::default(),
            _ => {
                let decoded = decode_as::<InputWritten>(&entry.value);
                self.tell(&decoded.failures, "an input");
                match decoded.value {
                    Some(written) => written,
                    // Whether its values fit would be said of a type that nobody wrote.
                    None => {
                        broken.insert(entry.key.clone());
                        return Input::unknown();
                    }
                }
            }
        };
        ["default", "enum", "min", "max"].into_iter().filter_map(|key| entry.value.get(key)).for_each(|node| self.refuse_templates(node));
        let pattern = written.pattern.as_deref().and_then(|pattern| self.pattern(entry, pattern, written.kind));
        let mut input = Input {
            kind: written.kind,
            pattern,
            required: written.required.unwrap_or(written.default.is_none()),
            about: written.about,
            ..Input::unknown()
        };
        (input.min, input.max) = (self.bound(entry, "min", &input), self.bound(entry, "max", &input));
        if let (Some(min), Some(max)) = (&input.min, &input.max)
            && let Err(message) = (Input { max: Some(max.clone()), min: None, ..input.clone() }).accept(min)
        {
            let span = entry.value.get("min").map_or(&entry.key_span, |node| &node.label);
            self.notes.error("plan::wrong-value", span, message).help("`min` is at most `max`");
            (input.min, input.max) = (None, None);
        }
        if let Some(Kind::List(items)) = entry.value.get("enum").map(|node| &node.kind) {
            let word = Input { kind: if input.kind == InputType::List { InputType::String } else { input.kind }, ..input.clone() };
            input.one_of = items.iter().filter_map(|item| self.value_of(item, &word)).collect();
        }
        input.default = entry.value.get("default").filter(|node| node.kind != Kind::Null).and_then(|node| self.value_of(node, &input));
        input
    }

    /// The least or the greatest value.
    fn bound(&mut self, entry: &Entry, key: &str, input: &Input) -> Option<Value> {
        let node = entry.value.get(key)?;
        if !matches!(input.kind, InputType::Integer | InputType::Number | InputType::Duration) {
            let message = format!("only numbers and lengths of time have a `{key}`");
            self.notes.error("plan::wrong-value", &node.label, message).help("remove it, or say `type: integer`, `number` or `duration`");
            return None;
        }
        self.value_of(node, &Input { pattern: None, ..input.clone() })
    }

    fn pattern(&mut self, entry: &Entry, pattern: &str, kind: InputType) -> Option<Regex> {
        let span = entry.value.get("pattern").map_or(&entry.key_span, |node| &node.label);
        if kind != InputType::String {
            let problem = self.notes.error("plan::wrong-value", span, "only an input of type `string` can have a pattern");
            problem.help("remove it, or say `type: string`");
        }
        match Regex::new(pattern) {
            Ok(regex) => Some(regex),
            Err(error) => {
                let text = error.to_string();
                let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                let problem = self.notes.error("plan::wrong-value", span, format!("this is not a regular expression: {reason}"));
                problem.help("write one as in `'^v\\d+$'`, in single quotes");
                None
            }
        }
    }

    /// A value for an input, told if it does not fit.
    pub(super) fn value_of(&mut self, node: &Node, input: &Input) -> Option<Value> {
        // That it stands there is told already.
        if matches!(&node.kind, Kind::Text(text) if Text::is_template(text)) {
            return None;
        }
        let value = typed_node(node, input.kind).and_then(|value| input.accept(&value).map(|()| value));
        let help = || match &node.kind {
            // Who writes no type may not know that there are others.
            Kind::List(_) if input.kind == InputType::String => "say `type: list`, or write a text".to_owned(),
            Kind::Map(_) if input.kind == InputType::String => "say `type: map`, or write a text".to_owned(),
            _ => like(input),
        };
        value.map_err(|message| self.notes.error("plan::wrong-value", &node.label, message).help(help())).ok()
    }

    pub(super) fn check_name(&mut self, entry: &Entry, what: &str) {
        if let Err(error) = check_label(&entry.key) {
            self.notes.error("plan::bad-name", &entry.key_span, format!("`{}` cannot name {what}", entry.key)).help(error.to_string());
        }
    }
}

impl Input {
    /// An input of which nothing is said.
    fn unknown() -> Self {
        Self {
            kind: InputType::String,
            pattern: None,
            one_of: Vec::new(),
            min: None,
            max: None,
            default: None,
            required: true,
            about: None,
        }
    }
}

/// What a value for an input looks like.
fn like(input: &Input) -> String {
    let kind = match (&input.pattern, input.kind) {
        (Some(pattern), _) => format!("write a text that matches `{}`", pattern.as_str()),
        (None, InputType::String) => "write a text".to_owned(),
        (None, InputType::Integer) => "write a whole number".to_owned(),
        (None, InputType::Number) => "write a number".to_owned(),
        (None, InputType::Boolean) => "write `true` or `false`".to_owned(),
        (None, InputType::List) => "write a list: `[first, second]`".to_owned(),
        (None, InputType::Map) => "write a mapping: `{ key: value }`".to_owned(),
        (None, InputType::Duration) => "write a length of time, such as `30s`, `5m` or `1h 30m`".to_owned(),
    };
    let words: Vec<String> = input.one_of.iter().map(plain).collect();
    let bounds = [("at least", &input.min), ("at most", &input.max)]
        .map(|(word, bound)| bound.as_ref().map(|bound| format!("{word} {}", plain(bound))));
    let bounds: Vec<String> = bounds.into_iter().flatten().collect();
    match (words.is_empty(), bounds.is_empty()) {
        (false, _) => format!("{kind}; possible: {}", words.join(", ")),
        (true, false) => format!("{kind}, {}", bounds.join(" and ")),
        (true, true) => kind,
    }
}

fn typed_node(node: &Node, kind: InputType) -> Result<Value, String> {
    let wrong = || format!("expected {}, found {}", words(kind), node.describe());
    match (&node.kind, &node.written, kind) {
        (Kind::List(_), _, InputType::List) | (Kind::Map(_), _, InputType::Map) => {
            let decoded = decode_as::<Value>(node);
            let first = decoded.failures.first().map(|failure| failure.mistake.to_string());
            decoded.value.ok_or_else(|| first.unwrap_or_else(wrong))
        }
        (Kind::Text(text), _, InputType::String) => Ok(Value::String(text.clone())),
        (Kind::Text(text), _, InputType::Duration) => typed_text(text, kind),
        (Kind::Number(_) | Kind::Bool(_), Some(written), _) if !matches!(kind, InputType::List | InputType::Map) => {
            typed_text(written, kind)
        }
        _ => Err(wrong()),
    }
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
        InputType::Duration => text.parse::<Period>().map(|_| Value::String(text.to_owned())).map_err(|_| wrong()),
        InputType::List | InputType::Map => {
            let (root, _) = yaml::parse(text).map_err(|error| format!("{}: {error}", wrong()))?;
            typed_node(&root, kind)
        }
    }
}

fn words(kind: InputType) -> &'static str {
    match kind {
        InputType::String => "a text",
        InputType::Integer => "a whole number",
        InputType::Number => "a number",
        InputType::Boolean => "`true` or `false`",
        InputType::List => "a list such as `[a, b]`",
        InputType::Map => "a mapping such as `{ a: 1 }`",
        InputType::Duration => "a length of time such as `30s`",
    }
}
