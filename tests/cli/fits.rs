//! Whether a value fits a JSON Schema: the words that our own schemas use, and no others, so that a new one does not go unchecked.

use serde_json::Value;

/// Words that say nothing about a value, or nothing that is looked at here.
const SAYS_NOTHING: [&str; 9] = ["$schema", "$defs", "title", "description", "default", "examples", "format", "writeOnly", "deprecated"];

/// Says where and why a value does not fit.
///
/// # Errors
/// When it does not fit, or the schema uses a word that is not known here.
pub fn fits(schema: &Value, root: &Value, value: &Value) -> Result<(), String> {
    let Value::Object(rules) = schema else {
        return if schema == &Value::Bool(false) { Err(format!("nothing may stand here: {value}")) } else { Ok(()) };
    };
    for (word, rule) in rules {
        let holds = match word.as_str() {
            "$ref" => {
                let path = rule.as_str().unwrap_or_default().trim_start_matches('#');
                fits(root.pointer(path).ok_or_else(|| format!("{path} leads nowhere"))?, root, value)?;
                true
            }
            "type" => rule.as_array().map_or_else(|| is(rule, value), |kinds| kinds.iter().any(|kind| is(kind, value))),
            "const" => rule == value,
            "enum" => rule.as_array().is_some_and(|words| words.contains(value)),
            "required" => list(rule).iter().all(|key| key.as_str().is_some_and(|key| value.get(key).is_some() || !value.is_object())),
            "minimum" => value.as_f64().is_none_or(|number| rule.as_f64().is_some_and(|least| number >= least)),
            "maximum" => value.as_f64().is_none_or(|number| rule.as_f64().is_some_and(|most| number <= most)),
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= rule.as_u64().unwrap_or(0)),
            "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= rule.as_u64().unwrap_or(u64::MAX)),
            "uniqueItems" => true,
            "properties" | "additionalProperties" => keys(rules, root, value).map(|()| true)?,
            "items" => each(
                rule,
                root,
                value
                    .as_array()
                    .map_or(&[][..], |items| &items[list(&rules.get("prefixItems").cloned().unwrap_or_default()).len().min(items.len())..]),
            )?,
            "prefixItems" => {
                for (rule, item) in list(rule).iter().zip(value.as_array().into_iter().flatten()) {
                    fits(rule, root, item)?;
                }
                true
            }
            "anyOf" => list(rule).iter().any(|choice| fits(choice, root, value).is_ok()),
            "oneOf" => one_of(list(rule), root, value)?,
            "allOf" => {
                list(rule).iter().try_for_each(|rule| fits(rule, root, value))?;
                true
            }
            known if SAYS_NOTHING.contains(&known) => true,
            other => return Err(format!("`{other}` is not known here")),
        };
        if !holds {
            return Err(format!("`{word}: {rule}` does not hold for {value}"));
        }
    }
    Ok(())
}

fn list(rule: &Value) -> &[Value] {
    rule.as_array().map_or(&[], Vec::as_slice)
}

fn each(rule: &Value, root: &Value, items: &[Value]) -> Result<bool, String> {
    items.iter().try_for_each(|item| fits(rule, root, item)).map(|()| true)
}

fn one_of(choices: &[Value], root: &Value, value: &Value) -> Result<bool, String> {
    let tried: Vec<Result<(), String>> = choices.iter().map(|choice| fits(choice, root, value)).collect();
    match tried.iter().filter(|tried| tried.is_ok()).count() {
        1 => Ok(true),
        0 => Err(tried.into_iter().filter_map(Result::err).max_by_key(String::len).unwrap_or_default()),
        several => Err(format!("{several} choices fit {value}")),
    }
}

fn keys(rules: &serde_json::Map<String, Value>, root: &Value, value: &Value) -> Result<(), String> {
    let known = rules.get("properties").and_then(Value::as_object);
    for (key, value) in value.as_object().into_iter().flatten() {
        match (known.and_then(|known| known.get(key)), rules.get("additionalProperties")) {
            (Some(rule), _) | (None, Some(rule)) => fits(rule, root, value).map_err(|why| format!("{key}: {why}"))?,
            (None, None) => {}
        }
    }
    Ok(())
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => false,
    }
}

#[test]
fn what_does_not_fit_is_found() {
    use serde_json::json;
    let schema = json!({
        "type": "object", "required": ["a"], "additionalProperties": false,
        "properties": { "a": { "type": ["integer", "null"], "minimum": 1 }, "b": { "oneOf": [{ "const": "x" }, { "type": "array", "items": { "type": "string" } }] } },
    });
    for good in [json!({ "a": 1 }), json!({ "a": null, "b": "x" }), json!({ "a": 2, "b": ["y"] })] {
        assert_eq!(fits(&schema, &schema, &good), Ok(()), "{good}");
    }
    for bad in [
        json!({}),
        json!({ "a": 0 }),
        json!({ "a": "1" }),
        json!({ "a": 1, "c": 1 }),
        json!({ "a": 1, "b": "y" }),
        json!({ "a": 1, "b": [1] }),
    ] {
        assert!(fits(&schema, &schema, &bad).is_err(), "{bad}");
    }
}
