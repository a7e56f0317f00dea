//! The JSON Schema of plans, from the types that read them. It checks nothing itself.

use super::read::{APPROVE, GUARD, PAUSE};
use super::written::{ApproveWritten, GuardWritten, PauseWritten, PlanWritten, StepWritten};
use crate::action::Registry;
use crate::ids::Period;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

/// The schema of plans that use the actions of a registry. A template may stand for every scalar of an action's parameters.
pub fn schema(registry: &Registry) -> Value {
    let mut generator = SchemaGenerator::default();
    let mut actions: Map<String, Value> = Map::new();
    for action in registry.iter() {
        let mut params = action.params_schema(&mut generator).to_value();
        allow_templates(&mut params);
        actions.insert(action.kind().to_owned(), described(params, action.about()));
    }
    let mut definitions = generator.take_definitions(true);
    definitions.values_mut().for_each(allow_templates);
    definitions.insert("Template".to_owned(), json!({ "type": "string", "pattern": "\\{\\{", "description": "A template" }));
    definitions.insert("Undo".to_owned(), one_of(&actions, &Map::new()));
    definitions.insert("Step".to_owned(), step(actions));
    let mut plan = inlined::<PlanWritten>();
    plan["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    plan["title"] = json!("A bowline plan");
    plan["properties"]["steps"] = json!({ "type": "array", "minItems": 1, "items": { "$ref": "#/$defs/Step" } });
    plan["required"] = json!(["plan", "steps"]);
    plan["$defs"] = Value::Object(definitions);
    plan
}

/// A step: the common keys and exactly one action.
fn step(mut kinds: Map<String, Value>) -> Value {
    let mut guard = inlined::<GuardWritten>();
    guard["type"] = json!(["object", "null"]);
    kinds.insert(GUARD.to_owned(), guard);
    kinds.insert(APPROVE.to_owned(), inlined::<ApproveWritten>());
    let pause = json!({ "anyOf": [inlined::<Period>(), inlined::<PauseWritten>(), { "$ref": "#/$defs/Template" }] });
    kinds.insert(PAUSE.to_owned(), pause);
    let common = inlined::<StepWritten>()["properties"].as_object().cloned().unwrap_or_default();
    let mut step = one_of(&kinds, &common);
    step["required"] = json!(["id"]);
    step
}

/// A mapping with exactly one of `kinds`, and any of `common`.
fn one_of(kinds: &Map<String, Value>, common: &Map<String, Value>) -> Value {
    let properties: Map<String, Value> = common.iter().chain(kinds).map(|(key, value)| (key.clone(), value.clone())).collect();
    let choices: Vec<Value> = kinds.keys().map(|kind| json!({ "required": [kind] })).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false, "oneOf": choices })
}

/// The schema of a type of this module, without definitions beside it.
fn inlined<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut value = settings.into_generator().into_root_schema_for::<T>().to_value();
    if let Some(object) = value.as_object_mut() {
        object.remove("$schema");
        object.remove("title");
    }
    value
}

fn described(params: Value, about: &str) -> Value {
    match params.get("$ref") {
        // A mapping without required keys may be left empty.
        Some(_) => json!({ "description": about, "anyOf": [params, { "type": "null" }] }),
        None => params,
    }
}

/// Lets a template stand for every scalar below.
fn allow_templates(schema: &mut Value) {
    let Value::Object(object) = schema else { return };
    for key in ["properties", "$defs", "patternProperties"] {
        object.get_mut(key).and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut).for_each(allow_templates);
    }
    for key in ["items", "additionalProperties"] {
        object.get_mut(key).into_iter().for_each(allow_templates);
    }
    let mut has_words = object.contains_key("enum");
    for key in ["anyOf", "oneOf", "allOf", "prefixItems"] {
        for member in object.get_mut(key).and_then(Value::as_array_mut).into_iter().flatten() {
            // A word stays a word: two of them would both take a template, and `oneOf` would refuse it.
            let is_word = member.get("const").is_some() || member.get("enum").is_some();
            has_words |= is_word;
            if !is_word {
                allow_templates(member);
            }
        }
    }
    if has_words || is_scalar(object) {
        let own = Value::Object(std::mem::take(object));
        *schema = json!({ "anyOf": [own, { "$ref": "#/$defs/Template" }] });
    }
}

/// True for what a template's text would not fit as it is.
fn is_scalar(object: &Map<String, Value>) -> bool {
    let narrow = |kind: &Value| matches!(kind.as_str(), Some("integer" | "number" | "boolean"));
    match object.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(narrow) && !kinds.iter().any(|kind| kind == "string"),
        Some(kind) => narrow(kind) || (kind == "string" && object.contains_key("pattern")),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{inlined, schema};
    use crate::plan::read::PLAN_KEYS;
    use crate::plan::testing::registry;
    use crate::plan::written::{PlanWritten, STEP_KEYS, StepWritten};
    use serde_json::{Value, json};

    fn keys(schema: &Value) -> Vec<String> {
        schema["properties"].as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn the_keys_that_are_read_are_those_of_the_schema() {
        assert_eq!(keys(&inlined::<StepWritten>()), STEP_KEYS);
        let mut plan = keys(&inlined::<PlanWritten>());
        plan.push("steps".to_owned());
        assert_eq!(plan, PLAN_KEYS);
    }

    #[test]
    fn every_action_is_a_key_of_a_step_and_takes_templates() {
        let schema = schema(&registry());
        let step = &schema["$defs"]["Step"];
        for kind in ["apply", "shell", "rollback-on-fail", "approve", "pause"] {
            assert!(step["properties"].get(kind).is_some(), "{kind}");
            assert!(step["oneOf"].as_array().unwrap().contains(&json!({ "required": [kind] })), "{kind}");
        }
        let replicas = &schema["$defs"]["ApplyParams"]["properties"]["replicas"];
        assert_eq!(replicas["anyOf"][1], json!({ "$ref": "#/$defs/Template" }));
        assert_eq!(schema["$defs"]["Mode"]["anyOf"][1], json!({ "$ref": "#/$defs/Template" }));
        assert_eq!(schema["$defs"]["ShellParams"]["properties"]["run"]["type"], json!("string"));
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn visit(value: &Value, root: &Value) {
            match value {
                Value::Object(object) => {
                    if let Some(path) = object.get("$ref").and_then(Value::as_str) {
                        assert!(root.pointer(path.trim_start_matches('#')).is_some(), "{path}");
                    }
                    object.values().for_each(|inner| visit(inner, root));
                }
                Value::Array(items) => items.iter().for_each(|inner| visit(inner, root)),
                _ => {}
            }
        }
        let schema = schema(&registry());
        visit(&schema, &schema);
    }
}
