//! What the expressions of a manifest ask of the values that are given: which of them are used, and which names stand for nothing. It
//! fills nothing in.

use super::manifest::is_kept;
use super::near::closest;
use super::{Reference, Text, kind_of};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Words with which the expressions of Go's templates begin, or of which they are made.
const GO: [&str; 18] = [
    "end", "else", "range", "if", "with", "define", "template", "include", "block", "break", "continue", "nil", "true", "false", "printf",
    "print", "println", "index",
];

/// What a manifest asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// The values that it uses.
    pub used: BTreeSet<String>,
    /// The expressions that cannot be filled in, in the order of the text; each once.
    pub wrong: Vec<Wrong>,
}

/// An expression that cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// As written, with its braces.
    pub expression: String,
    /// What is wrong with it.
    pub message: String,
    /// What to write instead.
    pub help: String,
}

/// Looks at every text of a document for which these values are given. A text among the values that is a template itself stands for
/// something that is not known yet.
pub fn asked(document: &Value, values: &Map<String, Value>) -> Asked {
    let mut asked = Asked::default();
    texts(document, &mut |text| {
        // A value may be called as one of their words is.
        let names_one = |parsed: &Text| parsed.references().iter().any(|name| values.contains_key(&name.path[0]));
        let is_foreign = |expression: &str| is_of_go(expression) && !Text::parse(expression).is_ok_and(|parsed| names_one(&parsed));
        let is_go = expressions(text).any(is_foreign);
        for expression in expressions(text).filter(|expression| !is_foreign(expression)) {
            asked.look_at(expression, values, is_go);
        }
    });
    asked
}

/// The first expression that looks as if it were to be filled in, for a document for which no values are given.
pub fn unfilled(document: &Value) -> Option<String> {
    let mut first = None;
    texts(document, &mut |text| {
        let is_plain = |expression: &&str| Text::parse(expression).is_ok_and(|parsed| parsed.is_plain());
        if first.is_none() && !expressions(text).any(is_of_go) {
            first = expressions(text).find(is_plain).map(str::to_owned);
        }
    });
    first
}

/// The expressions of a text with their braces, but for those that a backslash keeps as they are.
fn expressions(text: &str) -> impl Iterator<Item = &str> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let start = from + text[from..].find("{{")?;
            let end = start + text[start..].find("}}")? + 2;
            from = end;
            if !is_kept(&text[..start]) {
                return Some(&text[start..end]);
            }
        }
    })
}

/// True for what is written for another program's templates: `{{ $labels.pod }}`, `{{ .Values.tag }}`, `{{- range … }}`.
fn is_of_go(expression: &str) -> bool {
    let inside = expression.trim_matches(['{', '}']);
    let word = inside.trim_start().split(|c: char| c.is_whitespace()).next().unwrap_or_default();
    inside.starts_with('-') || inside.ends_with('-') || word.starts_with(['.', '$', '%']) || word.contains("$.") || GO.contains(&word)
}

/// True for a block, a comment or a part of another program's templates: `{{#if tag}}`, `{{! why }}`, `{{> tag}}`.
fn is_of_blocks(expression: &str) -> bool {
    expression.trim_start_matches('{').trim_start().starts_with(['#', '/', '^', '>', '!'])
}

fn texts(value: &Value, see: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) if Text::is_template(text) => see(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, see)),
        Value::Object(entries) => entries.values().for_each(|entry| texts(entry, see)),
        _ => {}
    }
}

impl Asked {
    fn look_at(&mut self, expression: &str, values: &Map<String, Value>, is_go: bool) {
        let wrong = match Text::parse(expression) {
            Ok(parsed) => parsed.references().iter().find_map(|name| self.fault(expression, name, values, is_go)),
            Err(_) if is_go || is_of_blocks(expression) => None,
            // `{{ lower tag }}`, `{{ tag | upper }}`: whoever names a given value means it to be filled in.
            Err(error) => {
                let names_one = |word: &str| values.contains_key(word.split('.').next().unwrap_or_default());
                let inside = expression.trim_matches(['{', '}']).trim();
                inside.split_whitespace().any(names_one).then(|| match expression.starts_with("{{{") {
                    true => ("three braces mean nothing here".to_owned(), format!("write `{{{{ {inside} }}}}`: it is filled in as it is")),
                    false => (error.message, error.help.unwrap_or_else(|| kept(expression))),
                })
            }
        };
        let Some((message, help)) = wrong else { return };
        let wrong = Wrong { expression: expression.to_owned(), message, help };
        if !self.wrong.contains(&wrong) {
            self.wrong.push(wrong);
        }
    }

    /// What is wrong with a name, and what to write instead.
    fn fault(&mut self, expression: &str, name: &Reference, values: &Map<String, Value>, is_go: bool) -> Option<(String, String)> {
        let (first, parts) = name.path.split_first()?;
        let Some(mut value) = values.get(first) else {
            let near = closest(first, values.keys().map(String::as_str));
            // In a text of another program only what is nearly one of ours is taken for it.
            return (!is_go || near.is_some()).then(|| (format!("there is no value `{first}`"), instead(near, values, expression)));
        };
        self.used.insert(first.clone());
        let mut known = first.clone();
        for part in parts.iter().filter(|_| !name.optional) {
            value = match value {
                Value::Object(entries) => match entries.get(part) {
                    Some(value) => value,
                    None => {
                        let near = closest(part, entries.keys().map(String::as_str));
                        let near = near.map(|near| format!("{known}.{near}"));
                        return Some((format!("the value `{known}` has no `{part}`"), instead(near.as_deref(), entries, expression)));
                    }
                },
                Value::Array(_) => return None,
                Value::String(text) if Text::is_template(text) => return None,
                other => {
                    return Some((
                        format!("the value `{known}` is {} and has no `{part}`", kind_of(other)),
                        format!("write `{{{{ {known} }}}}`"),
                    ));
                }
            };
            known = format!("{known}.{part}");
        }
        None
    }
}

fn instead(near: Option<&str>, known: &Map<String, Value>, expression: &str) -> String {
    match near {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => kept(expression),
        None => {
            let names: Vec<&str> = known.keys().map(String::as_str).collect();
            format!("known values: {}; {}", names.join(", "), kept(expression))
        }
    }
}

/// How to keep what is for another program.
fn kept(expression: &str) -> String {
    format!("write `\\{expression}` for what is to stay as it is")
}

#[cfg(test)]
mod tests {
    use super::{asked, unfilled};
    use serde_json::{Value, json};

    fn values() -> Value {
        json!({ "tag": "v1", "colour": "blue", "resources": { "cpu": "1" }, "later": "{{ steps.a.out }}", "zones": ["a"] })
    }

    fn told(text: &str) -> Vec<String> {
        let wrong = asked(&json!({ "data": [text] }), values().as_object().unwrap()).wrong;
        wrong.into_iter().map(|wrong| format!("{}: {}: {}", wrong.expression, wrong.message, wrong.help)).collect()
    }

    #[test]
    fn a_name_that_stands_for_nothing_is_told_with_what_was_meant() {
        insta::assert_snapshot!(told("web:{{ tga }} {{tag}}").join("\n"), @"{{ tga }}: there is no value `tga`: did you mean `tag`?");
        insta::assert_snapshot!(told("{{ host }}").join("\n"), @r"{{ host }}: there is no value `host`: known values: tag, colour, resources, later, zones; write `\{{ host }}` for what is to stay as it is");
        insta::assert_snapshot!(told("{{ resources.cpus }} {{ resources.memory.max }}").join("\n"), @r"
        {{ resources.cpus }}: the value `resources` has no `cpus`: did you mean `resources.cpu`?
        {{ resources.memory.max }}: the value `resources` has no `memory`: known values: cpu; write `\{{ resources.memory.max }}` for what is to stay as it is
        ");
        insta::assert_snapshot!(told("{{ tag.name }}").join("\n"), @"{{ tag.name }}: the value `tag` is a text and has no `name`: write `{{ tag }}`");
        insta::assert_snapshot!(told("{{ quote tga }} {{ lower tag }} {{ default colur 'x' }}").join("\n"), @r"
        {{ quote tga }}: there is no value `tga`: did you mean `tag`?
        {{ lower tag }}: there is no helper `lower`: known helpers: and, default, eq, gt, gte, json, len, lookup, lt, lte, ne, not, or, quote, required, text
        {{ default colur 'x' }}: there is no value `colur`: did you mean `colour`?
        ");
    }

    #[test]
    fn what_other_templates_make_of_a_value_is_told() {
        insta::assert_snapshot!(told("{{ tag | upper }} {{{ tag }}} {{ .x | tag }} {{ other | upper }}").join("\n"), @"");
    }

    #[test]
    fn what_is_given_what_is_for_others_and_what_is_not_known_yet_is_no_mistake() {
        for text in [
            "{{ tag }}-{{colour}} {{ default resources.memory '1' }} {{ later.any.part }} {{ zones.[0] }}",
            "{{ $labels.pod }} {{ .Values.tga }} {{- range .Items }} {{ end }} {{ instance }}",
            "{{ if .x }}{{ else }}{{ end }} {{ template \"a\" . }}",
            "\\{{ instance }} \\{{ tga }} \\\\{{ tag }}",
            "{{#if tag}}x{{/if}} {{^ tag }} {{! tag }} {{> tag}}",
            "{{/* tag is here */}}{{ define \"x\" }}",
            "{{ unclosed",
        ] {
            assert_eq!(told(text), Vec::<String>::new(), "{text}");
        }
        assert_eq!(told("{{ $labels.pod }} {{ tga }}").len(), 1, "what is nearly ours is ours");
    }

    #[test]
    fn it_is_seen_which_values_are_used() {
        let used =
            asked(&json!({ "a": "{{ default resources.memory tag }}", "{{ colour }}": "\\{{ zones }}" }), values().as_object().unwrap())
                .used;
        assert_eq!(used.into_iter().collect::<Vec<_>>(), ["resources", "tag"]);
        let used = asked(&json!("{{ index }} {{ end }}"), json!({ "index": 1 }).as_object().unwrap()).used;
        assert_eq!(used.into_iter().collect::<Vec<_>>(), ["index"], "a value is called as a word of Go's is");
    }

    #[test]
    fn what_looks_as_if_values_were_forgotten() {
        assert_eq!(unfilled(&json!({ "a": ["x", "web:{{ tag }} {{ b }}"] })), Some("{{ tag }}".to_owned()));
        for text in ["{{ .Values.tag }}", "{{ $x }} {{ tag }}", "\\{{ tag }}", "{{#if tag}}", "{{ unclosed", "{{ }}"] {
            assert_eq!(unfilled(&json!({ "a": text })), None, "{text}");
        }
    }
}
