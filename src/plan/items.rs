//! The items of a `for-each`, from a value, and their keys. It knows no step and no place.

use super::model::{Item, plain};
use crate::ids::check_item;
use serde_json::Value;

/// How items are written.
pub(super) const HELP: &str =
    "items are texts, numbers or booleans that can stand in an id; write a mapping where they hold more: `{ eu: { … } }`";

/// The key of one item of a list: the item itself.
///
/// # Errors
/// When it cannot tell a step from others.
pub(super) fn key(value: &Value) -> Result<String, String> {
    match value {
        Value::String(_) | Value::Number(_) | Value::Bool(_) => check(plain(value)),
        Value::Null => Err("an item is nothing, and steps need names".to_owned()),
        Value::Array(_) | Value::Object(_) => Err("a list or a mapping cannot name a step".to_owned()),
    }
}

/// A key, if it can stand in a step's id.
///
/// # Errors
/// Says why not.
pub(super) fn check(key: String) -> Result<String, String> {
    match check_item(&key) {
        Ok(()) => Ok(key),
        Err(why) => Err(format!("`{key}` cannot stand in the id of a step: {why}")),
    }
}

/// The items of a list or a mapping.
///
/// # Errors
/// Everything that is wrong with them.
pub(super) fn of(value: &Value) -> Result<Vec<Item>, Vec<String>> {
    let named: Vec<(Result<String, String>, &Value)> = match value {
        Value::Array(items) => items.iter().map(|item| (key(item), item)).collect(),
        Value::Object(entries) => entries.iter().map(|(name, item)| (check(name.clone()), item)).collect(),
        _ => return Err(vec!["only a list or a mapping has items".to_owned()]),
    };
    let (mut items, mut problems) = (Vec::<Item>::new(), Vec::new());
    let mut seen = std::collections::HashSet::new();
    for (key, value) in named {
        match key {
            Ok(key) if !seen.insert(key.clone()) => problems.push(format!("the item `{key}` stands there twice")),
            Ok(key) => items.push(Item { key, value: value.clone() }),
            Err(why) => problems.push(why),
        }
    }
    match problems.is_empty() {
        true => Ok(items),
        false => Err(problems),
    }
}
