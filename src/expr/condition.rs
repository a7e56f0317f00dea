//! A CEL expression that is true or false. It knows neither steps nor probes, only values.

use super::chains::{self, Comparison, Names};
use super::foreign;
use super::place::byte_at;
use super::{Reference, RenderError, Values};
use cel::objects::{Key, Map as CelMap};
use cel::{Context, ExecutionError, Program, Value as CelValue};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// Longest source: an expression costs as much as it likes, and nobody writes more than this by hand.
const LONGEST: usize = 4096;
/// Deepest nesting: the parser recurses, and a stack that overflows takes the whole program with it.
const DEEPEST: usize = 24;
/// Most macros inside each other that go through a list: each multiplies the work by the length of its list.
const MOST_LOOPS: usize = 3;
const LOOPS: [&str; 5] = ["all", "exists", "exists_one", "filter", "map"];

/// A compiled condition. Most steps have none, and copies share one.
#[derive(Debug, Clone)]
pub struct Condition(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    source: String,
    program: Program,
    names: Names,
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.0.source == other.0.source
    }
}

/// Says that a text is not a condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ConditionError {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes of the text.
    pub at: Range<usize>,
    /// What to write instead.
    pub help: Option<String>,
}

impl ConditionError {
    /// What is wrong and what to write instead, for a line of their own.
    pub fn whole(&self) -> String {
        self.help.as_ref().map_or_else(|| self.message.clone(), |help| format!("{}: {help}", self.message))
    }
}

impl Condition {
    /// Compiles a condition.
    ///
    /// # Errors
    /// When it is not CEL, is longer than 4 KiB, or nests too deeply.
    pub fn parse(source: &str) -> Result<Self, ConditionError> {
        guard(source)?;
        let program = Program::compile(source).map_err(|errors| {
            if let Some(at) = source.find("{{") {
                return ConditionError { message: "a template has no place in it".to_owned(), at: at..at + 2, help: None };
            }
            let first = errors.errors.first();
            let place = first.map_or((1, 1), |error| error.pos);
            let number = |n: isize| usize::try_from(n).unwrap_or(1).max(1);
            let start = byte_at(source, number(place.0), number(place.1)).min(source.len());
            let end = source[start..].chars().next().map_or(start, |c| start + c.len_utf8());
            let words = first.map_or("", |error| error.msg.as_str());
            ConditionError {
                message: plainly(words, source, start),
                at: start..end,
                help: foreign::meant(source, start).map(str::to_owned),
            }
        })?;
        let names = chains::names(program.expression(), program.source_info());
        Ok(Self(Arc::new(Compiled { source: source.to_owned(), program, names })))
    }

    /// The condition as written.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The names that it refers to.
    pub fn references(&self) -> &[Reference] {
        &self.0.names.references
    }

    /// Its calls of what is no function, or does not take what it is given. Where one is reached there is no answer.
    pub fn slips(&self) -> &[ConditionError] {
        &self.0.names.slips
    }

    /// How the name that stands here is compared with a literal, if it is.
    pub fn comparison(&self, at: &Range<usize>) -> Option<&Comparison> {
        self.0.names.comparisons.iter().find(|comparison| comparison.at == *at)
    }

    /// Evaluates it over a plan's values.
    ///
    /// # Errors
    /// When a name stands for nothing, or the result is neither true nor false.
    pub fn holds(&self, values: &Values) -> Result<bool, RenderError> {
        self.holds_over(&values.narrowed(&self.0.names.references))
    }

    /// Evaluates it over names of the caller's own, such as the `status` and `body` of an answer.
    ///
    /// # Errors
    /// As [`Condition::holds`].
    pub fn holds_over(&self, names: &Map<String, Value>) -> Result<bool, RenderError> {
        let mut context = Context::default();
        for (name, value) in self.with_parents(names).iter() {
            context.add_variable_from_value(name.as_str(), to_cel(value));
        }
        match self.0.program.execute(&context) {
            Ok(CelValue::Bool(holds)) => Ok(holds),
            Ok(other) => {
                Err(RenderError::NotBoolean { condition: self.0.source.clone(), found: format!("a value of type {}", other.type_of()) })
            }
            Err(ExecutionError::NoSuchKey(name) | ExecutionError::UndeclaredReference(name)) => {
                Err(RenderError::Missing { name: self.full_name(&name) })
            }
            Err(error) => Err(RenderError::Condition { condition: self.0.source.clone(), reason: error.to_string() }),
        }
    }

    /// To CEL it is an error to ask for a part of what is not there: `has(steps.look.stdout)` of a step that was skipped. People who ask
    /// whether there is a part mean to hear that there is none. What is asked for itself, `has(steps.look)`, stays away.
    fn with_parents<'v>(&self, names: &'v Map<String, Value>) -> Cow<'v, Map<String, Value>> {
        let Names { tested, references, .. } = &self.0.names;
        if tested.is_empty() {
            return Cow::Borrowed(names);
        }
        let mut all = names.clone();
        for path in tested {
            let mut at = &mut all;
            for depth in 1..path.len() {
                // Whoever looks at what is around it would see it.
                let is_seen = |other: &[String]| other.len() <= depth && *other == path[..other.len()];
                let is_named = tested.iter().any(|other| *other == path[..depth]) || references.iter().any(|other| is_seen(&other.path));
                if !at.contains_key(&path[depth - 1]) && (depth == 1 || is_named) {
                    break;
                }
                match at.entry(&path[depth - 1]).or_insert_with(|| Value::Object(Map::new())) {
                    Value::Object(inner) => at = inner,
                    _ => break,
                }
            }
        }
        Cow::Owned(all)
    }

    /// The engine tells the last part of a missing name only.
    fn full_name(&self, part: &str) -> String {
        let of = self.0.names.references.iter().find(|reference| reference.path.iter().any(|name| name == part));
        of.map_or_else(|| part.to_owned(), ToString::to_string)
    }
}

/// The parser's words, without its lists of tokens.
fn plainly(words: &str, source: &str, at: usize) -> String {
    if source[at..].starts_with('=') {
        return "`=` is not an operator: `==` compares".to_owned();
    }
    if source.trim().is_empty() {
        return "nothing stands here".to_owned();
    }
    let line = words.lines().next().unwrap_or_default().trim_start_matches("Syntax error: ");
    match line.split(" expecting ").next().unwrap_or(line) {
        "" => "it cannot be read".to_owned(),
        short => short.to_owned(),
    }
}

fn guard(source: &str) -> Result<(), ConditionError> {
    if source.len() > LONGEST {
        let message = format!("a condition has at most {LONGEST} bytes, this one has {}", source.len());
        return Err(ConditionError { message, at: 0..source.len(), help: None });
    }
    let (mut open, mut quote, mut run) = (Vec::new(), None, 0_usize);
    for (at, c) in source.char_indices() {
        match (quote, c) {
            (Some(open), c) => quote = if c == open { None } else { quote },
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[' | '{' | '?') => open.push(c == '(' && is_loop(&source[..at])),
            (None, ')' | ']' | '}') => drop(open.pop()),
            _ => {}
        }
        run = if matches!(c, '!' | '-') { run + 1 } else { 0 };
        let refused = |message: String| Err(ConditionError { message, at: at..at + c.len_utf8(), help: None });
        if open.len() > DEEPEST || run > DEEPEST {
            return refused("this condition is nested too deeply".to_owned());
        }
        if open.iter().filter(|is_loop| **is_loop).count() > MOST_LOOPS {
            return refused(format!("at most {MOST_LOOPS} of `{}` stand inside each other", LOOPS.join("`, `")));
        }
    }
    Ok(())
}

/// True when a macro that goes through a list is called behind this text.
fn is_loop(before: &str) -> bool {
    let name = before.trim_end().rsplit(|c: char| !(c.is_alphanumeric() || c == '_')).next();
    name.is_some_and(|name| LOOPS.contains(&name))
}

/// CEL tells signed numbers from unsigned ones; JSON does not, and a plan compares with `3`, not with `3u`.
fn to_cel(value: &Value) -> CelValue {
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(value) => CelValue::Bool(*value),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(signed), _) => CelValue::Int(signed),
            (None, Some(unsigned)) => CelValue::UInt(unsigned),
            (None, None) => CelValue::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => CelValue::String(Arc::new(text.clone())),
        Value::Array(items) => CelValue::List(Arc::new(items.iter().map(to_cel).collect())),
        Value::Object(entries) => {
            let map: HashMap<Key, CelValue> =
                entries.iter().map(|(key, value)| (Key::String(Arc::new(key.clone())), to_cel(value))).collect();
            CelValue::Map(CelMap { map: Arc::new(map) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Condition;
    use crate::expr::{RenderError, Values};
    use serde_json::json;

    fn values() -> Values {
        Values {
            inputs: json!({ "replicas": 3, "tier": "gold", "zones": ["a", "b"] }),
            steps: json!({ "my-step": { "changed": true, "count": 2 } }),
            run: json!({ "environment": "production" }),
            each: json!({ "key": "eu", "value": { "replicas": 2 } }),
        }
    }

    #[test]
    fn a_condition_is_evaluated_over_the_plans_values() {
        for (text, expected) in [
            ("inputs.replicas > 2 && run.environment == 'production'", true),
            ("inputs.replicas + 1 == 4", true),
            ("steps['my-step'].changed", true),
            ("has(steps.other) && steps.other.changed", false),
            ("has(steps.other.changed)", false),
            ("!has(steps.other.changed) || steps.other.changed", true),
            ("has(steps.other.json.a.b) || has(steps['my-step'].json.a)", false),
            ("has(steps['my-step'].changed) && steps['my-step'].changed", true),
            ("inputs.zones.exists(z, z == 'b')", true),
            ("inputs.tier in ['silver']", false),
            ("each.key == 'eu' && each.value.replicas == 2", true),
            ("true", true),
        ] {
            assert_eq!(Condition::parse(text).unwrap().holds(&values()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_missing_or_not_boolean_is_an_error() {
        let missing = Condition::parse("steps.other.changed").unwrap().holds(&values());
        assert_eq!(missing, Err(RenderError::Missing { name: "steps.other.changed".into() }));
        assert!(matches!(Condition::parse("inputs.replicas").unwrap().holds(&values()), Err(RenderError::NotBoolean { .. })));
    }

    #[test]
    fn references_are_found_where_they_stand() {
        let text = "has(steps.a.x) && steps.a.x == inputs.b || inputs.zones.exists(z, z == steps['c-d'].out)";
        let parsed = Condition::parse(text).unwrap();
        let all: Vec<(String, bool, &str)> = parsed.references().iter().map(|r| (r.to_string(), r.optional, &text[r.at.clone()])).collect();
        let expected = [
            ("steps.a.x", true, "steps.a.x"),
            ("steps.a.x", true, "steps.a.x"),
            ("inputs.b", false, "inputs.b"),
            ("inputs.zones", false, "inputs.zones"),
            ("steps.c-d.out", false, "steps"),
        ];
        assert_eq!(all, expected.map(|(name, optional, raw)| (name.to_owned(), optional, raw)));
    }

    #[test]
    fn a_broken_or_monstrous_condition_is_refused() {
        let error = Condition::parse("inputs.a = 3").unwrap_err();
        assert_eq!(error.at.start, 9, "{error}");
        for text in ["(".repeat(5000), "(".repeat(100), "!".repeat(3000), "a ? ".repeat(900), "[{".repeat(40), String::new(), "'".into()] {
            assert!(Condition::parse(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn loops_inside_each_other_are_few() {
        let nested = |count: usize| format!("size({}[]{}) == 0", "inputs.zones.map(z, ".repeat(count), ")".repeat(count));
        assert_eq!(Condition::parse(&nested(3)).unwrap().holds(&values()), Ok(false));
        assert!(Condition::parse(&nested(4)).unwrap_err().message.contains("inside each other"));
        let beside = ["inputs.zones.all(z, z != 'c')"; 9].join(" && ");
        assert_eq!(Condition::parse(&beside).unwrap().holds(&values()), Ok(true));
    }

    #[test]
    fn the_deepest_allowed_condition_fits_a_small_stack() {
        let deep = format!("{}true{}", "(".repeat(24), ")".repeat(24));
        let long = format!("{}true", "true && ".repeat(400));
        let chain = format!("has(a.{})", vec!["b"; 1500].join("."));
        let spawned = std::thread::Builder::new().stack_size(2 << 20).spawn(move || {
            for text in [deep, long, chain] {
                let _either = Condition::parse(&text);
            }
        });
        spawned.unwrap().join().unwrap();
    }
}
