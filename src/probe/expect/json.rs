//! Values that are expected at places of a JSON text. It asks nobody.

use crate::probe::excerpt;
use jsonpath_rust::JsonPath;
use jsonpath_rust::parser::parse_json_path;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Values that are expected in a JSON text, by JSONPath (RFC 9535).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct JsonExpect(pub BTreeMap<String, Value>);

impl JsonExpect {
    /// Says what is not as expected in a text; nothing when all is, or nothing is expected.
    pub fn complaints(&self, text: &str) -> Vec<String> {
        if self.0.is_empty() {
            return Vec::new();
        }
        match serde_json::from_str::<Value>(text) {
            Ok(document) => self.0.iter().filter_map(|(path, expected)| complaint(path, expected, &document)).collect(),
            Err(_) => vec![format!("expected JSON, got `{}`", excerpt(text))],
        }
    }

    /// Says which paths are none.
    pub fn problems(&self) -> Vec<String> {
        let wrong = self.0.keys().filter(|path| parse_json_path(path).is_err());
        wrong.map(|path| format!("`{path}` is not a JSONPath: write it as `$.status` or `$.items[0].name`")).collect()
    }
}

fn complaint(path: &str, expected: &Value, document: &Value) -> Option<String> {
    let found = match document.query(path) {
        Ok(found) => found,
        Err(_) => return Some(format!("`{path}` is not a JSONPath")),
    };
    if found.is_empty() {
        return Some(format!("expected {path} = {}, got nothing there", excerpt(&expected.to_string())));
    }
    let other = found.into_iter().find(|value| !is_same(value, expected))?;
    Some(format!("expected {path} = {}, got {}", excerpt(&expected.to_string()), excerpt(&other.to_string())))
}

/// Equal as people see it: `1` and `1.0` are.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) => x == y || x.as_f64() == y.as_f64(),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| is_same(x, y)),
        (Value::Object(x), Value::Object(y)) => x.len() == y.len() && x.iter().all(|(key, x)| y.get(key).is_some_and(|y| is_same(x, y))),
        _ => a == b,
    }
}
