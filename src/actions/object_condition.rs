//! CEL expressions over one object: whether they hold, and what its fields are when not. Pure.

use crate::cluster::Object;
use crate::expr::{Condition, RenderError};
use serde_json::{Map, Value};

/// Longest value that is told.
const LONGEST: usize = 200;

/// Reads an expression that a parameter of this name gives.
///
/// # Errors
/// When it is none, or speaks of something else than `object`.
pub(super) fn condition(parameter: &str, text: &str) -> Result<Condition, String> {
    let condition = Condition::parse(text).and_then(|condition| match condition.slips().first() {
        Some(slip) => Err(slip.clone()),
        None => Ok(condition),
    });
    let condition = condition.map_err(|error| format!("`{parameter}` is no condition: {}", error.whole()))?;
    match condition.references().iter().find(|reference| reference.path.first().is_some_and(|root| root != "object")) {
        Some(other) => {
            Err(format!("`{parameter}` knows only `object`, not `{other}`: write for example `object.status.phase == \"Bound\"`"))
        }
        None => Ok(condition),
    }
}

/// A field that is not there, or not of the type that it will have, is not as it should be yet.
pub(super) fn holds(condition: &Condition, object: &Object) -> Result<bool, String> {
    let names = Map::from_iter([("object".to_owned(), object.0.clone())]);
    match condition.holds_over(&names) {
        Ok(holds) => Ok(holds),
        Err(error @ RenderError::NotBoolean { .. }) => Err(format!("{}: {error}", object.reference())),
        Err(_) => Ok(false),
    }
}

/// What the fields of an expression are now: `object.status.phase is "Pending"`.
pub(super) fn values(condition: &Condition, object: &Object) -> String {
    if object.kind() == "Secret" {
        return format!("`{}` does not hold", condition.source());
    }
    let mut told: Vec<String> = Vec::new();
    for reference in condition.references() {
        let value = reference.path[1..].iter().try_fold(&object.0, |value, name| value.get(name));
        let text = match value {
            None | Some(Value::Null) => format!("{reference} is not there"),
            Some(value) => format!("{reference} is {}", short(value)),
        };
        if !told.contains(&text) {
            told.push(text);
        }
    }
    if told.is_empty() { format!("`{}` does not hold", condition.source()) } else { told.join(", ") }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
