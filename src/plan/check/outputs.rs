//! What the output of each kind of action has, from its schema. It knows no step.

use crate::action::DynAction;
use serde_json::{Map, Value};
use std::collections::HashMap;

/// The schemas of outputs that were asked for.
#[derive(Default)]
pub(super) struct Outputs(HashMap<&'static str, (Value, Map<String, Value>)>);

/// A field that an output does not have.
pub(super) struct Unknown {
    pub(super) field: String,
    pub(super) known: Vec<String>,
}

impl Outputs {
    /// Checks that an output can have a field. What a schema leaves open passes.
    pub(super) fn check(&mut self, action: &dyn DynAction, fields: &[&str]) -> Result<(), Unknown> {
        let (schema, definitions) = self.of(action);
        has(schema, definitions, fields, 0)
    }

    /// True when the schema itself names the field: what it merely leaves open is not meant.
    pub(super) fn declares(&mut self, action: &dyn DynAction, field: &str) -> bool {
        let (schema, definitions) = self.of(action);
        let name = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
        let schema = name.and_then(|name| definitions.get(name)).unwrap_or(schema);
        schema.get("properties").is_some_and(|properties| properties.get(field).is_some())
    }

    fn of(&mut self, action: &dyn DynAction) -> &(Value, Map<String, Value>) {
        self.0.entry(action.kind()).or_insert_with(|| {
            let mut generator = schemars::SchemaGenerator::default();
            let schema = action.output_schema(&mut generator).to_value();
            (schema, generator.take_definitions(true))
        })
    }
}

fn has(schema: &Value, definitions: &Map<String, Value>, fields: &[&str], depth: usize) -> Result<(), Unknown> {
    let ([field, rest @ ..], Value::Object(object), 0..32) = (fields, schema, depth) else { return Ok(()) };
    if let Some(name) = object.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next()) {
        return definitions.get(name).map_or(Ok(()), |schema| has(schema, definitions, fields, depth + 1));
    }
    if let Some(choices) = ["anyOf", "oneOf"].into_iter().find_map(|key| object.get(key)?.as_array()) {
        let objects = choices.iter().filter(|choice| choice.get("type").and_then(Value::as_str) != Some("null"));
        let mut tried: Vec<Result<(), Unknown>> = objects.map(|choice| has(choice, definitions, fields, depth + 1)).collect();
        return match tried.iter().any(Result::is_ok) {
            true => Ok(()),
            false => tried.pop().unwrap_or(Ok(())),
        };
    }
    let properties = object.get("properties").and_then(Value::as_object);
    if let Some(property) = properties.and_then(|properties| properties.get(*field)) {
        return has(property, definitions, rest, depth + 1);
    }
    match (object.get("additionalProperties"), properties) {
        (Some(open @ Value::Object(_)), _) => has(open, definitions, rest, depth + 1),
        (Some(Value::Bool(true)), _) | (None, None) => scalar_has_none(object, field),
        (_, properties) => {
            let known = properties.map(|properties| properties.keys().cloned().collect()).unwrap_or_default();
            Err(Unknown { field: (*field).to_owned(), known })
        }
    }
}

/// A text or a number has no fields; a list has numbered ones, which nobody can know before.
fn scalar_has_none(object: &Map<String, Value>, field: &str) -> Result<(), Unknown> {
    let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
    match ["string", "integer", "number", "boolean"].contains(&kind) {
        true => Err(Unknown { field: field.to_owned(), known: Vec::new() }),
        false => Ok(()),
    }
}
