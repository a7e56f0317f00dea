//! A JSON-like tree whose scalars may be templates. It knows neither YAML nor the step that it belongs to.

use super::{Reference, RenderError, Text, TextError, Values, helpers};
use serde_json::{Map, Value};
use std::borrow::Cow;

/// The type that is wanted where a template stands, as far as it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Whatever the expression gives.
    #[default]
    Any,
    /// A text: a lone expression that gives a number is written out.
    Text,
    /// A number: a text that holds one is read.
    Number,
    /// A boolean: a text that holds one is read.
    Boolean,
}

/// A tree with templates in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Template(Part);

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Literal(Value),
    Hole(Box<Hole>),
    List(Vec<Template>),
    Map(Vec<(String, Template)>),
}

#[derive(Debug, Clone, PartialEq)]
struct Hole {
    text: Text,
    wanted: Wanted,
    sample: Value,
}

impl Template {
    /// A tree without templates.
    pub fn literal(value: Value) -> Self {
        Self(Part::Literal(value))
    }

    /// A scalar that is a template. `sample` is a value of the right type, for looking at the whole before it can be rendered.
    pub fn text(text: Text, wanted: Wanted, sample: Value) -> Self {
        Self(Part::Hole(Box::new(Hole { text, wanted, sample })))
    }

    /// A list.
    pub fn list(items: Vec<Template>) -> Self {
        if !items.iter().all(Self::is_literal) {
            return Self(Part::List(items));
        }
        Self::literal(Value::Array(items.into_iter().filter_map(Self::into_literal).collect()))
    }

    /// A mapping.
    pub fn map(entries: Vec<(String, Template)>) -> Self {
        if !entries.iter().all(|(_, value)| value.is_literal()) {
            return Self(Part::Map(entries));
        }
        Self::literal(Value::Object(entries.into_iter().filter_map(|(key, value)| Some((key, value.into_literal()?))).collect()))
    }

    /// Takes every text that holds an expression as a template.
    ///
    /// # Errors
    /// When one of them is not a template.
    pub fn parse(value: Value) -> Result<Self, TextError> {
        match value {
            Value::String(text) if Text::is_template(&text) => Ok(Self::text(Text::parse(&text)?, Wanted::Any, Value::String(text))),
            Value::Array(items) => Ok(Self::list(items.into_iter().map(Self::parse).collect::<Result<_, _>>()?)),
            Value::Object(entries) => {
                let entries = entries.into_iter().map(|(key, value)| Ok((key, Self::parse(value)?)));
                Ok(Self::map(entries.collect::<Result<_, TextError>>()?))
            }
            other => Ok(Self::literal(other)),
        }
    }

    /// A mapping with one entry replaced; anything else as it is.
    #[must_use]
    pub fn with_entry(self, key: &str, value: Template) -> Self {
        let entries: Vec<(String, Template)> = match self.0 {
            Part::Map(entries) => entries,
            Part::Literal(Value::Object(entries)) => entries.into_iter().map(|(key, value)| (key, Self::literal(value))).collect(),
            other => return Self(other),
        };
        let replaced = |(name, old): (String, Template)| if name == key { (name, value.clone()) } else { (name, old) };
        Self::map(entries.into_iter().map(replaced).collect())
    }

    fn into_literal(self) -> Option<Value> {
        match self.0 {
            Part::Literal(value) => Some(value),
            _ => None,
        }
    }

    /// True when there is no template in it.
    pub fn is_literal(&self) -> bool {
        matches!(self.0, Part::Literal(_))
    }

    /// The names that its templates refer to.
    pub fn references(&self) -> Vec<Reference> {
        let mut all = Vec::new();
        self.visit(&mut |hole| all.extend(hole.text.references().iter().cloned()));
        all
    }

    fn visit(&self, see: &mut impl FnMut(&Hole)) {
        match &self.0 {
            Part::Literal(_) => {}
            Part::Hole(hole) => see(hole),
            Part::List(items) => items.iter().for_each(|item| item.visit(see)),
            Part::Map(entries) => entries.iter().for_each(|(_, value)| value.visit(see)),
        }
    }

    /// Renders every template.
    ///
    /// # Errors
    /// The first template that has no value, or not one of the wanted type.
    pub fn render(&self, values: &Values) -> Result<Value, RenderError> {
        self.with(&|hole| hole.wanted.take(hole.text.render(values)?))
    }

    /// Renders what depends on no step; a sample stands for the rest. For looking at a step before the run.
    ///
    /// # Errors
    /// As [`Template::render`].
    pub fn render_known(&self, values: &Values) -> Result<Value, RenderError> {
        self.with(&|hole| match hole.text.references().iter().any(|reference| reference.path[0] == "steps") {
            true => Ok(hole.sample.clone()),
            false => hole.wanted.take(hole.text.render(values)?),
        })
    }

    /// The tree with samples for all its templates.
    pub fn sample(&self) -> Cow<'_, Value> {
        match &self.0 {
            Part::Literal(value) => Cow::Borrowed(value),
            _ => Cow::Owned(self.with(&|hole| Ok(hole.sample.clone())).unwrap_or_default()),
        }
    }

    fn with(&self, fill: &impl Fn(&Hole) -> Result<Value, RenderError>) -> Result<Value, RenderError> {
        match &self.0 {
            Part::Literal(value) => Ok(value.clone()),
            Part::Hole(hole) => fill(hole),
            Part::List(items) => items.iter().map(|item| item.with(fill)).collect::<Result<_, _>>().map(Value::Array),
            Part::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| Ok((key.clone(), value.with(fill)?)));
                entries.collect::<Result<Map<_, _>, _>>().map(Value::Object)
            }
        }
    }
}

impl Wanted {
    fn take(self, value: Value) -> Result<Value, RenderError> {
        let wrong = |text: &str, wanted| Err(RenderError::WrongType { text: text.to_owned(), wanted });
        match (self, value) {
            (Wanted::Text, value @ (Value::Number(_) | Value::Bool(_))) => Ok(Value::String(helpers::as_text(&value).unwrap_or_default())),
            (Wanted::Number, Value::String(text)) => match text.trim().parse() {
                Ok(number) => Ok(Value::Number(number)),
                Err(_) => wrong(&text, "a number"),
            },
            (Wanted::Boolean, Value::String(text)) => match text.trim() {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                _ => wrong(&text, "true or false"),
            },
            (_, value) => Ok(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Template, Wanted};
    use crate::expr::{RenderError, Text, Values};
    use serde_json::{Value, json};

    fn values() -> Values {
        Values { inputs: json!({ "n": 3, "text": "x3" }), steps: json!({ "a": { "out": [1] } }), ..Values::default() }
    }

    #[test]
    fn a_tree_is_rendered_leaf_by_leaf() {
        let tree =
            Template::parse(json!({ "a": ["{{ inputs.n }}", 1], "b": { "c": "v{{ inputs.n }}" }, "d": "{{ steps.a.out }}" })).unwrap();
        assert_eq!(tree.render(&values()), Ok(json!({ "a": [3, 1], "b": { "c": "v3" }, "d": [1] })));
        assert_eq!(tree.references().len(), 3);
        assert!(!tree.is_literal());
        assert!(Template::parse(json!({ "a": [1, "b"] })).unwrap().is_literal());
    }

    #[test]
    fn a_template_gives_what_is_wanted_where_it_stands() {
        let render = |text: &str, wanted| Template::text(Text::parse(text).unwrap(), wanted, Value::Null).render(&values());
        assert_eq!(render("{{ inputs.n }}", Wanted::Text), Ok(json!("3")));
        assert_eq!(render("{{ inputs.n }}0", Wanted::Number), Ok(json!(30)));
        assert_eq!(render("{{ inputs.text }}", Wanted::Number), Err(RenderError::WrongType { text: "x3".into(), wanted: "a number" }));
        assert_eq!(render("{{ eq inputs.n 3 }}", Wanted::Boolean), Ok(json!(true)));
    }

    #[test]
    fn what_depends_on_a_step_is_sampled_before_the_run() {
        let hole = |text: &str| Template::text(Text::parse(text).unwrap(), Wanted::Any, json!("sample"));
        let tree = Template::list(vec![hole("{{ steps.later.out }}"), hole("{{ inputs.n }}")]);
        assert_eq!(tree.render_known(&values()), Ok(json!(["sample", 3])));
        assert_eq!(*tree.sample(), json!(["sample", "sample"]));
    }
}
