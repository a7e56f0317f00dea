//! Inputs that hold what a secret of the plan is: whoever gave them meant the secret's name. It keeps no value.

use super::context::Context;
use super::print;
use crate::action::Secret;
use crate::engine::{Ahead, Previewing, secrets_needed};
use crate::plan::SecretSource;
use serde_json::Value;
use std::collections::BTreeMap;

/// A shorter secret is only found where it is all that an input says: it may be a part of innocent text.
const SHORTEST_PART: usize = 4;

/// The inputs that hold one, each with the name of the secret. What a program tells is not known before it is needed, and not looked for.
pub async fn inputs(context: &Context, previewing: &Previewing, inputs: &Value) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let given: Vec<(&String, &Value)> = inputs.as_object().into_iter().flatten().filter(|(_, value)| holds(value, &|_| true)).collect();
    if given.is_empty() || context.simulated_secrets.is_some() {
        return found;
    }
    for needed in secrets_needed(previewing, |_| Ahead::All) {
        let is_told_by_program = matches!(previewing.plan.secrets.get(&needed.name), None | Some(SecretSource::Command(_)));
        // One that is missing is told by whoever needs it.
        let Some(secret) = (if is_told_by_program { None } else { previewing.secrets.resolve(&needed.name).await.ok() }) else { continue };
        let disclosing = given.iter().filter(|(_, value)| holds(value, &|text| discloses(text, &secret)));
        found.extend(disclosing.map(|(input, _)| ((*input).clone(), needed.name.clone())));
    }
    found
}

/// Tells them before the run.
pub fn warn(context: &Context, disclosed: &BTreeMap<String, String>) {
    if context.is_json() {
        return;
    }
    let line = |(input, secret): (&String, &String)| {
        format!(
            "warning: the input `{input}` holds the secret `{secret}`: name the secret where an action takes one; `show` leaves the input's \
             value out"
        )
    };
    print::notices(&disclosed.iter().map(line).collect::<Vec<_>>(), context.streams);
}

fn discloses(text: &str, secret: &Secret) -> bool {
    let secret = secret.expose().trim();
    !secret.is_empty() && (text.trim() == secret || (secret.len() >= SHORTEST_PART && text.contains(secret)))
}

/// True when some text in the value is such.
fn holds(value: &Value, is_such: &impl Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => is_such(text),
        Value::Array(items) => items.iter().any(|item| holds(item, is_such)),
        Value::Object(entries) => entries.iter().any(|(key, value)| is_such(key) || holds(value, is_such)),
        Value::Number(number) => is_such(&number.to_string()),
        Value::Null | Value::Bool(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{discloses, holds};
    use crate::action::Secret;
    use serde_json::{Value, json};

    #[test]
    fn an_input_discloses_a_secret_wherever_it_holds_it() {
        let holds = |value: Value, secret: &str| holds(&value, &|text| discloses(text, &Secret::new(secret.to_owned())));
        assert!(holds(json!("hunter2"), "hunter2\n") && holds(json!("postgres://a:hunter2@db"), "hunter2") && holds(json!("a"), "a"));
        assert!(
            holds(json!({ "x": ["y", "hunter2"] }), "hunter2")
                && holds(json!({ "hunter2": 1 }), "hunter2")
                && holds(json!(123456), "123456")
        );
        assert!(!holds(json!("staging"), "a") && !holds(json!(["", null, true]), "hunter2") && !holds(json!("x"), " "));
    }
}
