//! What is wrong with an object, field by field, in the API server's words. It knows no rule.

use serde_json::{Value, json};

/// What is wrong, in the order in which it was found.
#[derive(Debug, Default)]
pub(in crate::sim) struct Wrong(Vec<Fault>);

/// One thing that is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sim) struct Fault {
    pub(in crate::sim) field: String,
    /// The word for programs.
    pub(in crate::sim) reason: &'static str,
    /// The words for people.
    pub(in crate::sim) message: String,
}

impl Wrong {
    pub(super) fn required(&mut self, field: impl Into<String>, why: &str) {
        let message = if why.is_empty() { "Required value".to_owned() } else { format!("Required value: {why}") };
        self.push(field, "FieldValueRequired", message);
    }

    pub(super) fn invalid(&mut self, field: impl Into<String>, value: &Value, why: &str) {
        self.push(field, "FieldValueInvalid", format!("Invalid value: {}: {why}", sorted(value)));
    }

    /// A text that has not the form that it must have; see [`super::names`].
    pub(super) fn text(&mut self, field: &str, value: &str, why: Option<String>) {
        if let Some(why) = why {
            self.invalid(field, &json!(value), &why);
        }
    }

    pub(super) fn duplicate(&mut self, field: impl Into<String>, value: &Value) {
        self.push(field, "FieldValueDuplicate", format!("Duplicate value: {value}"));
    }

    pub(super) fn forbidden(&mut self, field: impl Into<String>, why: &str) {
        self.push(field, "FieldValueForbidden", format!("Forbidden: {why}"));
    }

    pub(super) fn not_found(&mut self, field: impl Into<String>, value: &Value) {
        self.push(field, "FieldValueNotFound", format!("Not found: {value}"));
    }

    /// A word that is none of those that are possible, which stand in the order of the alphabet. What is not given is as it should be.
    pub(super) fn word(&mut self, field: &str, value: &Value, known: &[&str]) {
        if value.as_str().is_some_and(|word| !known.contains(&word)) {
            let known: Vec<String> = known.iter().map(|word| format!("{word:?}")).collect();
            let message = format!("Unsupported value: {value}: supported values: {}", known.join(", "));
            self.push(field, "FieldValueNotSupported", message);
        }
    }

    /// A number that is not given, or is at least zero.
    pub(super) fn count(&mut self, field: &str, value: &Value) {
        if value.as_i64().is_some_and(|count| count < 0) {
            self.invalid(field, value, "must be greater than or equal to 0");
        }
    }

    /// The number of a port.
    pub(super) fn port(&mut self, field: &str, value: &Value) {
        if value.as_i64().is_some_and(|port| !(1..=65_535).contains(&port)) {
            self.invalid(field, value, "must be between 1 and 65535, inclusive");
        }
    }

    pub(super) fn into_faults(self) -> Vec<Fault> {
        self.0
    }

    fn push(&mut self, field: impl Into<String>, reason: &'static str, message: String) {
        self.0.push(Fault { field: field.into(), reason, message });
    }
}

/// A value as a real server writes it, with the keys of its mappings in order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_by_key(|(name, _)| *name);
            Value::Object(entries.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect())
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}
