//! What templates can call besides the template engine's own helpers. They see values only.

use super::{RenderError, kind_of};
use handlebars::{Context, Handlebars, Helper, HelperDef, PathAndJson, RenderContext, RenderErrorReason, ScopedJson, no_escape};
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};

/// Writes a value into the text around it; put around every expression that stands in a text.
pub(super) const WRITTEN: &str = "bowline-written";
/// Keeps a value as it is; put around an expression that is a whole scalar.
pub(super) const KEPT: &str = "bowline-kept";

/// Helpers that give a value, and how many values each takes: any number where none is named.
pub(super) const INLINE: [(&str, &[usize]); 16] = [
    ("and", &[]),
    ("default", &[2]),
    ("eq", &[2]),
    ("gt", &[2]),
    ("gte", &[2]),
    ("json", &[1]),
    ("len", &[1]),
    ("lookup", &[2]),
    ("lt", &[2]),
    ("lte", &[2]),
    ("ne", &[2]),
    ("not", &[1]),
    ("or", &[]),
    ("quote", &[1]),
    ("required", &[1, 2]),
    ("text", &[1]),
];
/// Helpers that hold a part of the template.
pub(super) const BLOCKS: [(&str, &[usize]); 5] = [("each", &[1]), ("if", &[1]), ("raw", &[0]), ("unless", &[1]), ("with", &[1])];

type Inner = fn(&Helper<'_>) -> Result<Value, RenderError>;

/// A registry with every helper; the second part receives what the kept expression gave.
pub(super) fn registry() -> (Handlebars<'static>, Arc<Mutex<Option<Value>>>) {
    let kept = Arc::new(Mutex::new(None));
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_escape_fn(no_escape);
    let inline: [(&str, Inner); 6] =
        [("json", json), ("default", default), ("required", required), ("quote", quote), ("text", written), (WRITTEN, written)];
    for (name, inner) in inline {
        registry.register_helper(name, Box::new(Given(inner)));
    }
    registry.register_helper(KEPT, Box::new(Keep(Arc::clone(&kept))));
    (registry, kept)
}

struct Given(Inner);

impl HelperDef for Given {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, handlebars::RenderError> {
        (self.0)(helper).map(ScopedJson::Derived).map_err(|error| RenderErrorReason::NestedError(Box::new(error)).into())
    }
}

struct Keep(Arc<Mutex<Option<Value>>>);

impl HelperDef for Keep {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, handlebars::RenderError> {
        let value = present(helper, 0).map_err(|error| RenderErrorReason::NestedError(Box::new(error)))?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value.clone());
        Ok(ScopedJson::Derived(Value::String(String::new())))
    }
}

fn parameter<'h, 'rc>(helper: &'h Helper<'rc>, index: usize) -> Result<&'h PathAndJson<'rc>, RenderError> {
    helper.param(index).ok_or_else(|| RenderError::Template {
        template: helper.name().to_owned(),
        reason: format!("`{}` needs {} value{}", helper.name(), index + 1, if index == 0 { "" } else { "s" }),
    })
}

/// What a helper gave has no name of its own.
pub(super) const UNNAMED: &str = "this expression";

fn name_of(parameter: &PathAndJson<'_>) -> String {
    parameter.relative_path().cloned().unwrap_or_else(|| UNNAMED.to_owned())
}

fn present<'h>(helper: &'h Helper<'_>, index: usize) -> Result<&'h Value, RenderError> {
    let parameter = parameter(helper, index)?;
    match parameter.is_value_missing() {
        true => Err(RenderError::Missing { name: name_of(parameter) }),
        false => Ok(parameter.value()),
    }
}

fn written(helper: &Helper<'_>) -> Result<Value, RenderError> {
    let value = present(helper, 0)?;
    as_text(value).map(Value::String).ok_or_else(|| RenderError::NotText { name: name_of_first(helper), found: kind_of(value) })
}

fn name_of_first(helper: &Helper<'_>) -> String {
    helper.param(0).map_or_else(String::new, name_of)
}

/// A scalar as a text; none for null, lists and mappings, which would come out as nothing or as `[object]`.
pub(super) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn json(helper: &Helper<'_>) -> Result<Value, RenderError> {
    Ok(Value::String(present(helper, 0)?.to_string()))
}

fn quote(helper: &Helper<'_>) -> Result<Value, RenderError> {
    let value = present(helper, 0)?;
    let text = as_text(value).ok_or_else(|| RenderError::NotText { name: name_of_first(helper), found: kind_of(value) })?;
    Ok(Value::String(Value::String(text).to_string()))
}

fn default(helper: &Helper<'_>) -> Result<Value, RenderError> {
    let first = parameter(helper, 0)?;
    match first.is_value_missing() || first.value().is_null() {
        true => present(helper, 1).cloned(),
        false => Ok(first.value().clone()),
    }
}

fn required(helper: &Helper<'_>) -> Result<Value, RenderError> {
    let first = parameter(helper, 0)?;
    if !first.is_value_missing() && !first.value().is_null() {
        return Ok(first.value().clone());
    }
    let message = helper.param(1).and_then(|message| as_text(message.value()));
    Err(RenderError::Required(message.unwrap_or_else(|| format!("`{}` is required and has no value", name_of(first)))))
}

#[cfg(test)]
mod tests {
    use super::{BLOCKS, INLINE};

    /// The names in the first column of the table that begins so.
    fn told(table: &str) -> Vec<&'static str> {
        let page = include_str!("../../docs/language.md");
        let rows = page.lines().skip_while(|line| !line.starts_with(table)).skip(2).take_while(|line| line.starts_with('|'));
        let mut names: Vec<&str> = rows.filter_map(|row| row.split('`').nth(1)).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn the_page_of_the_language_tells_every_helper_and_no_other() {
        assert_eq!(told("| helper |"), INLINE.map(|(name, _)| name));
        assert_eq!(told("| block |"), BLOCKS.map(|(name, _)| name));
    }
}
