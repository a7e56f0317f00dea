//! One scalar that is a handlebars template. It knows neither the plan around it nor the type that is wanted.

use super::depth;
use super::helpers::{KEPT, UNNAMED, WRITTEN, registry};
use super::place::byte_at;
use super::walk;
use super::{Reference, RenderError, Values};
use handlebars::template::{HelperTemplate, Parameter, Subexpression, TemplateElement};
use handlebars::{Context, Handlebars, RenderContext, RenderErrorReason, Renderable, StringOutput, Template as Parsed};
use serde_json::{Map, Value};
use std::ops::Range;
use std::sync::PoisonError;

/// A parsed template of one scalar.
#[derive(Debug, Clone, PartialEq)]
pub struct Text {
    source: String,
    parsed: Parsed,
    lone: bool,
    references: Vec<Reference>,
}

/// Says that a text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TextError {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes of the text.
    pub at: Range<usize>,
    /// What to write instead.
    pub help: Option<String>,
}

impl Text {
    /// True when a text holds template expressions at all.
    pub fn is_template(text: &str) -> bool {
        text.contains("{{")
    }

    /// Parses a template.
    ///
    /// # Errors
    /// When it is not well formed, calls an unknown helper, or holds a partial or a decorator.
    pub fn parse(source: &str) -> Result<Self, TextError> {
        depth::check(source)?;
        let mut parsed = Parsed::compile(source).map_err(|error| syntax(source, &error))?;
        let references = walk::references(source, &parsed)?;
        let lone = matches!(parsed.elements.as_slice(), [TemplateElement::Expression(_) | TemplateElement::HtmlExpression(_)]);
        wrap(&mut parsed, if lone { KEPT } else { WRITTEN });
        Ok(Self { source: source.to_owned(), parsed, lone, references })
    }

    /// True when it is one name and nothing else: what it gives is what the name stands for.
    pub fn is_plain(&self) -> bool {
        let inside = self.source.trim().trim_start_matches('{').trim_end_matches('}').trim();
        matches!(self.references.as_slice(), [name] if self.lone && name.to_string() == inside)
    }

    /// True when it is one expression and nothing else: what it gives need not be a text.
    pub fn is_lone(&self) -> bool {
        self.lone
    }

    /// The text as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The names that it refers to.
    pub fn references(&self) -> &[Reference] {
        &self.references
    }

    /// Renders it. A lone expression that is the whole text gives its value, anything else a text.
    ///
    /// # Errors
    /// When a name stands for nothing, or a value cannot be written into a text.
    pub fn render(&self, values: &Values) -> Result<Value, RenderError> {
        self.render_over(values.narrowed(&self.references))
    }

    /// Renders it over other names than those of a plan.
    pub(super) fn render_over(&self, names: Map<String, Value>) -> Result<Value, RenderError> {
        let failed = |error: handlebars::RenderError| self.failure(&error);
        let context = Context::wraps(Value::Object(names)).map_err(failed)?;
        let (registry, kept) = registry();
        let text = write(&self.parsed, &registry, &context).map_err(failed)?;
        let kept = kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        Ok(if self.lone { kept.unwrap_or(Value::Null) } else { Value::String(text) })
    }

    /// The only expression of the text that calls a helper, without its braces.
    fn call(&self) -> Option<&str> {
        let inside = self.source.split("{{").skip(1).filter_map(|rest| rest.split_once("}}")).map(|(inside, _)| inside.trim());
        let mut calls = inside.filter(|inside| inside.contains(' '));
        calls.next().filter(|_| calls.next().is_none())
    }

    fn failure(&self, error: &handlebars::RenderError) -> RenderError {
        match error.reason() {
            RenderErrorReason::MissingVariable(Some(name)) => RenderError::Missing { name: name.clone() },
            RenderErrorReason::NestedError(inner) => match inner.downcast_ref::<RenderError>() {
                Some(RenderError::NotText { name, found }) if name == UNNAMED => {
                    RenderError::NotText { name: self.call().unwrap_or(name).to_owned(), found }
                }
                Some(ours) => ours.clone(),
                None => RenderError::Template { template: self.source.clone(), reason: inner.to_string() },
            },
            other => RenderError::Template { template: self.source.clone(), reason: other.to_string() },
        }
    }
}

fn write(parsed: &Parsed, registry: &Handlebars<'_>, context: &Context) -> Result<String, handlebars::RenderError> {
    let mut output = StringOutput::new();
    parsed.render(registry, context, &mut RenderContext::new(None), &mut output)?;
    output.into_string().map_err(handlebars::RenderError::from)
}

/// Puts a helper around every expression: the engine's own way writes objects as `[object]` and null as nothing.
fn wrap(parsed: &mut Parsed, helper: &str) {
    for element in &mut parsed.elements {
        match element {
            TemplateElement::Expression(call) | TemplateElement::HtmlExpression(call) => wrap_call(call, helper),
            TemplateElement::HelperBlock(block) => {
                [&mut block.template, &mut block.inverse].into_iter().flatten().for_each(|inner| wrap(inner, WRITTEN));
            }
            _ => {}
        }
    }
}

fn wrap_call(call: &mut HelperTemplate, helper: &str) {
    let name = std::mem::replace(&mut call.name, Parameter::Name(helper.to_owned()));
    let params = std::mem::take(&mut call.params);
    let hash = std::mem::take(&mut call.hash);
    let inner = match params.is_empty() && hash.is_empty() {
        true => name,
        false => Parameter::Subexpression(Subexpression::new(name, params, hash)),
    };
    call.params = vec![inner];
}

fn syntax(source: &str, error: &handlebars::TemplateError) -> TextError {
    let at = error.pos().map_or(0, |(line, column)| byte_at(source, line, column));
    // The parser stops at the end of what it could read; the expression that it could not is the last one opened before.
    let start = source[..at].rfind("{{").or_else(|| source[at..].find("{{").map(|found| at + found)).unwrap_or(at);
    let end = source[start..].find("}}").map(|end| start + end + 2);
    let help = match end {
        None => "every `{{` needs its `}}`; write `\\{{` for the two characters themselves",
        Some(_) => "write an expression as `{{ inputs.name }}`, `{{ steps.id.field }}` or `{{ default steps.id.field \"other\" }}`",
    };
    let message = match error.reason() {
        handlebars::TemplateErrorReason::MismatchingClosedHelper(opened, closed) => {
            format!("the block `{opened}` is open, but `{closed}` is closed")
        }
        _ if end.is_none() => "this expression is not closed".to_owned(),
        _ => "this is not a template expression".to_owned(),
    };
    TextError { message, at: start..end.unwrap_or(source.len()), help: Some(help.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::Text;
    use crate::expr::{RenderError, Values};
    use serde_json::{Value, json};

    fn values() -> Values {
        Values {
            inputs: json!({ "app": "web", "replicas": 3, "tags": ["a", "b"], "none": null }),
            steps: json!({ "colours": { "idle": "green", "live": null } }),
            run: json!({ "id": "r1", "plan": "p", "environment": null }),
            each: json!({ "key": "eu", "value": 7 }),
        }
    }

    fn render(text: &str) -> Result<Value, RenderError> {
        Text::parse(text).unwrap().render(&values())
    }

    #[test]
    fn a_lone_expression_keeps_its_type() {
        assert_eq!(render("{{ inputs.replicas }}"), Ok(json!(3)));
        assert_eq!(render("{{ each.value }}"), Ok(json!(7)));
        assert_eq!(render("{{ inputs.tags }}"), Ok(json!(["a", "b"])));
        assert_eq!(render("{{ default steps.none.at 7 }}"), Ok(json!(7)));
        assert_eq!(render("{{inputs.none}}"), Ok(Value::Null));
        assert_eq!(render("{{{inputs.replicas}}}"), Ok(json!(3)));
    }

    #[test]
    fn in_a_text_values_are_written_without_escaping() {
        assert_eq!(render("{{ inputs.app }}-{{ steps.colours.idle }}"), Ok(json!("web-green")));
        assert_eq!(render("n={{ inputs.replicas }} <&>"), Ok(json!("n=3 <&>")));
        assert_eq!(render("{{ quote \"a<b\" }} {{ json inputs.tags }}"), Ok(json!("\"a<b\" [\"a\",\"b\"]")));
        assert_eq!(render("{{#each inputs.tags}}{{this}}{{@index}} {{/each}}"), Ok(json!("a0 b1 ")));
        assert_eq!(render("{{#if inputs.nothing}}yes{{else}}no{{/if}}"), Ok(json!("no")));
        assert_eq!(render("{{ each.key }}-{{ each.value }}"), Ok(json!("eu-7")));
        assert_eq!(render("\\{{ left }}"), Ok(json!("{{ left }}")));
    }

    #[test]
    fn what_has_no_value_or_no_text_is_an_error() {
        assert_eq!(render("{{ inputs.apq }}"), Err(RenderError::Missing { name: "inputs.apq".into() }));
        assert_eq!(render("a{{ inputs.apq }}"), Err(RenderError::Missing { name: "inputs.apq".into() }));
        let null = RenderError::NotText { name: "steps.colours.live".into(), found: "null" };
        assert_eq!(render("web-{{ steps.colours.live }}"), Err(null));
        let list = RenderError::NotText { name: "inputs.tags".into(), found: "a list" };
        assert_eq!(render("web-{{ inputs.tags }}"), Err(list));
        let called = render("web-{{ lookup steps \"colours\" }}-{{ inputs.app }}").unwrap_err().to_string();
        insta::assert_snapshot!(called, @r#"`lookup steps "colours"` is a mapping and cannot be written into a text: write `lookup (lookup steps "colours") "FIELD"`"#);
        assert_eq!(render("{{ lookup (lookup steps \"colours\") \"idle\" }}!"), Ok(json!("green!")));
        assert_eq!(render("{{ required inputs.none \"say which\" }}"), Err(RenderError::Required("say which".into())));
    }

    #[test]
    fn references_are_found_where_they_stand() {
        let text = "{{ inputs.app }} {{ default steps.a-b.out inputs.app }}{{#if run.id}}{{#each inputs.tags as |tag|}}{{tag}}{{x.y}}{{../steps.q}}{{/each}}{{/if}}";
        let parsed = Text::parse(text).unwrap();
        let all: Vec<(String, bool, &str)> = parsed.references().iter().map(|r| (r.to_string(), r.optional, &text[r.at.clone()])).collect();
        let expected = [
            ("inputs.app", false, "inputs.app"),
            ("steps.a-b.out", true, "steps.a-b.out"),
            ("inputs.app", false, "inputs.app"),
            ("run.id", true, "run.id"),
            ("inputs.tags", false, "inputs.tags"),
            ("steps.q", false, "../steps.q"),
        ];
        assert_eq!(all, expected.map(|(name, optional, raw)| (name.to_owned(), optional, raw)));
    }

    #[test]
    fn a_helper_that_is_not_there_or_is_given_too_little_or_too_much_is_refused() {
        for (text, told) in [
            ("{{ defualt inputs.app 'x' }}", "there is no helper `defualt`: did you mean `default`?"),
            ("{{ default inputs.app }}", "`default` takes 2 values, and one stands here: write it as in `{{ default VALUE VALUE }}`"),
            ("{{ json inputs.app inputs.tags }}", "`json` takes one value, and 2 stand here: write it as in `{{ json VALUE }}`"),
            (
                "{{ required inputs.app 'a' 'b' }}",
                "`required` takes 1 or 2 values, and 3 stand here: write it as in `{{ required VALUE }}`",
            ),
            ("{{#if inputs.app inputs.tags}}x{{/if}}", "`if` takes one value, and 2 stand here: write it as in `{{#if VALUE }}`"),
            ("{{#eech inputs.tags}}x{{/eech}}", "there is no block `eech`: did you mean `each`?"),
        ] {
            let error = Text::parse(text).unwrap_err();
            assert_eq!(format!("{error}: {}", error.help.clone().unwrap_or_default()), told, "{text}");
        }
        assert_eq!(render("{{ and inputs.app inputs.tags inputs.replicas }}"), Ok(json!(true)));
    }

    #[test]
    fn a_broken_template_is_refused_where_it_is_broken() {
        for (text, part) in [
            ("a {{ inputs.x", "{{ inputs.x"),
            ("a {{ inputs. }} b", "{{ inputs. }}"),
            ("ok {{ lower inputs.x }}", "{{ lower inputs.x }}"),
            ("x {{> other}}", "{{> other}}"),
            ("{{#nope}}{{/nope}}", "{{#nope}}"),
        ] {
            let error = Text::parse(text).unwrap_err();
            assert_eq!(&text[error.at.clone()], part, "{error}");
        }
    }
}
