//! The values of inputs: those of a file, and those of the command line, which win. It knows no plan.

use super::context::Context;
use super::failure::CommandFailure;
use super::settings::Setting;
use crate::expr::yaml::{Kind, Node, parse};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// The values that were given, as texts: what types they have is the plan's.
///
/// # Errors
/// When the file cannot be read or is no mapping, or an input is given twice in one place.
pub async fn given(context: &Context, settings: &[Setting], file: Option<&Path>) -> Result<BTreeMap<String, String>, CommandFailure> {
    let mut given = match file {
        Some(file) => of_file(context, file).await?,
        None => BTreeMap::new(),
    };
    let mut typed = BTreeMap::new();
    for setting in settings {
        if typed.insert(setting.input.clone(), setting.value.clone()).is_some() {
            return Err(CommandFailure::usage(format!("the input `{}` is set twice", setting.input)));
        }
    }
    given.extend(typed);
    Ok(given)
}

async fn of_file(context: &Context, file: &Path) -> Result<BTreeMap<String, String>, CommandFailure> {
    let shown = file.display();
    let cannot_read = || CommandFailure::usage(format!("cannot read the inputs {shown}"));
    let bytes = context.ports.files.read(file).await.map_err(|error| cannot_read().because(&error.source))?;
    let text = String::from_utf8(bytes).map_err(|error| cannot_read().because(&error))?;
    values(&text).map_err(|problem| CommandFailure::usage(format!("{shown}: {problem}")).hint("write one `input: value` a line"))
}

/// A key without a value leaves the input to the environment and the plan.
fn values(text: &str) -> Result<BTreeMap<String, String>, String> {
    let (root, twice) = parse(text).map_err(|error| format!("line {}: {error}", error.line))?;
    if let Some(error) = twice.first() {
        return Err(format!("line {}: {error}", error.line));
    }
    match root.kind {
        Kind::Map(entries) => Ok(entries.into_iter().filter_map(|entry| Some((entry.key, as_text(&entry.value)?))).collect()),
        Kind::Null => Ok(BTreeMap::new()),
        _ => Err(format!("{} stands where inputs should", root.describe())),
    }
}

/// A value as it would be typed: a list or a mapping is JSON then.
fn as_text(node: &Node) -> Option<String> {
    match (&node.kind, &node.written) {
        (Kind::Null, _) => None,
        (Kind::Text(text), _) => Some(text.clone()),
        (_, Some(written)) => Some(written.clone()),
        _ => Some(as_json(node).to_string()),
    }
}

fn as_json(node: &Node) -> Value {
    match &node.kind {
        Kind::Null => Value::Null,
        Kind::Bool(value) => Value::Bool(*value),
        Kind::Number(number) => Value::Number(number.clone()),
        Kind::Text(text) => Value::String(text.clone()),
        Kind::List(items) => items.iter().map(as_json).collect(),
        Kind::Map(entries) => {
            let pairs = entries.iter().map(|entry| (entry.key.clone(), as_json(&entry.value)));
            Value::Object(pairs.collect::<Map<_, _>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::values;

    #[test]
    fn values_are_taken_as_they_are_written() {
        let text = "version: 1.10\nname: yes\nloud: true\nempty: ''\nunset:\nregions: [eu, us]\n";
        let told: Vec<String> = values(text).unwrap().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(told, ["empty=", "loud=true", "name=yes", "regions=[\"eu\",\"us\"]", "version=1.10"]);
        assert!(values("# nothing yet\n").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_mapping_is_told_with_its_place() {
        assert_eq!(values("- a\n").unwrap_err(), "a list stands where inputs should");
        assert!(values("a: 1\na: 2\n").unwrap_err().starts_with("line 2: "));
        assert!(values("a: [\n").unwrap_err().starts_with("line "));
    }
}
