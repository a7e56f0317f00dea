//! Expressions in plans and manifests: templates, conditions, and what they refer to. Pure; it knows no steps, no actions and no files.

mod asked;
mod chains;
mod condition;
mod depth;
mod foreign;
mod functions;
mod helpers;
mod manifest;
pub(crate) mod near;
pub(crate) mod place;
mod quotes;
mod reference;
mod spot;
mod template;
mod text;
mod walk;
pub mod yaml;

pub use asked::{Asked, Wrong, asked, unfilled};
pub use chains::Comparison;
pub use condition::{Condition, ConditionError};
pub use foreign::literal;
pub use manifest::{ManifestError, is_kept, manifest_faults, manifests, placed_manifests, render_manifest};
pub use quotes::{Quoted, quoted};
pub use reference::Reference;
pub use spot::{Spot, Spots};
pub use template::{Template, Wanted};
pub use text::{Text, TextError};

use serde_json::{Map, Value};

/// What expressions see: `inputs`, `steps`, `run`, and `each` in a step that is there once for each item.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Values {
    /// An object: each input by its name.
    pub inputs: Value,
    /// An object: the output of each finished step by its id. A step that was skipped has none.
    pub steps: Value,
    /// An object: `id`, `plan` and `environment` of the run.
    pub run: Value,
    /// An object: `key` and `value` of the step's item; null for a step without one.
    pub each: Value,
}

impl Values {
    /// One object that holds what `references` name and nothing else: outputs may be large.
    fn narrowed(&self, references: &[Reference]) -> Map<String, Value> {
        let roots = [("inputs", &self.inputs), ("steps", &self.steps), ("run", &self.run), ("each", &self.each)];
        let mut narrowed = Map::new();
        for (root, all) in roots {
            let named = references.iter().filter(|reference| reference.path.first().is_some_and(|first| first == root));
            let seconds: Vec<Option<&String>> = named.map(|reference| reference.path.get(1)).collect();
            let part = match all {
                Value::Object(all) if root == "steps" && seconds.iter().all(Option::is_some) => {
                    let wanted = seconds.iter().flatten().filter_map(|id| Some(((*id).clone(), all.get(*id)?.clone())));
                    Value::Object(wanted.collect())
                }
                all if !seconds.is_empty() => all.clone(),
                _ => Value::Object(Map::new()),
            };
            narrowed.insert(root.to_owned(), part);
        }
        narrowed
    }
}

/// What to write for a part of a mapping.
fn part_of(name: &str, found: &str) -> String {
    match (found, name.starts_with("lookup ")) {
        ("a mapping", true) => format!(": write `lookup ({name}) \"FIELD\"`"),
        ("a mapping", false) => format!(": write `{name}.FIELD`"),
        _ => String::new(),
    }
}

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// A name stands for nothing.
    #[error("`{name}` is not known here{}", if name.starts_with("steps.") { ": it may belong to a step that was skipped" } else { "" })]
    Missing {
        /// The name as written.
        name: String,
    },
    /// A value cannot stand in a text.
    #[error("`{name}` is {found} and cannot be written into a text{}", part_of(name, found))]
    NotText {
        /// The name as written.
        name: String,
        /// What it is.
        found: &'static str,
    },
    /// A `required` value is missing.
    #[error("{0}")]
    Required(String),
    /// A rendered text is not of the type that is wanted here.
    #[error("`{text}` is not {wanted}")]
    WrongType {
        /// What came out.
        text: String,
        /// What is wanted.
        wanted: &'static str,
    },
    /// A template went wrong in another way.
    #[error("the template `{template}` cannot be rendered: {reason}")]
    Template {
        /// The template's text.
        template: String,
        /// What the template engine says.
        reason: String,
    },
    /// A condition went wrong.
    #[error("the condition `{condition}` cannot be evaluated: {reason}")]
    Condition {
        /// The condition's text.
        condition: String,
        /// What the evaluation says.
        reason: String,
    },
    /// A condition is neither true nor false.
    #[error("the condition `{condition}` gives {found}, not true or false")]
    NotBoolean {
        /// The condition's text.
        condition: String,
        /// What it gives.
        found: String,
    },
}

/// The words for a kind of value.
fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}
