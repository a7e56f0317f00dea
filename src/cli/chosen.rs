//! With which inputs a run was opened that are not what its plan says anyway. The value of one that holds a secret is left out, as far as
//! that was known when the run opened: what programs tell was not.

use super::context::Context;
use super::failure::CommandFailure;
use super::{kept, open};
use crate::action::MASK;
use crate::ids::{Period, RunId};
use crate::journal::StateFolder;
use crate::plan::{Input, InputType};
use crate::record::Record;
use crate::report::words;
use crate::report::wrap::clipped;
use serde_json::{Map, Value};

/// Most columns of a value: whoever wants all of it asks for JSON.
const WIDEST: usize = 40;

/// The inputs that somebody chose, or the environment. All of them where this bowline cannot read the plan.
///
/// # Errors
/// When what the run was opened with cannot be read.
pub fn inputs(context: &Context, folder: &StateFolder, run: &RunId, records: &[Record]) -> Result<Map<String, Value>, CommandFailure> {
    let frozen = kept::frozen(folder, run, records)?;
    let plan = open::begun(context, &frozen.plan_file, &frozen.plan_text).ok();
    let is_default = |name: &String, value: &Value| {
        let input = plan.as_ref().and_then(|plan| plan.inputs.get(name));
        input.is_some_and(|input| is_same(input, input.default.as_ref().unwrap_or(&Value::Null), value))
    };
    let chosen = frozen.inputs.into_iter().filter(|(name, value)| !is_default(name, value));
    let is_hidden = |name: &String| frozen.disclosing.contains(name);
    Ok(chosen.map(|(name, value)| if is_hidden(&name) { (name, Value::from(MASK)) } else { (name, value) }).collect())
}

/// `5m` is `300s`.
fn is_same(input: &Input, one: &Value, other: &Value) -> bool {
    let period = |value: &Value| value.as_str()?.parse::<Period>().ok();
    match input.kind {
        InputType::Duration => one == other || period(one).is_some_and(|length| period(other) == Some(length)),
        _ => one == other,
    }
}

/// The same in one line.
pub fn told(inputs: &Map<String, Value>) -> String {
    let one = |(name, value): (&String, &Value)| format!("{name}={}", clipped(&words::plain(&typed(value)), WIDEST));
    inputs.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A value as a person would type it.
fn typed(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => format!("[{}]", items.iter().map(typed).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| format!("{key}: {}", typed(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        simple => simple.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::told;
    use serde_json::json;

    #[test]
    fn values_are_told_in_one_line_and_long_ones_are_cut() {
        let inputs = json!({
            "version": "v3", "replicas": 3, "loud": true, "nobody": null, "zones": ["eu", "us"],
            "labels": { "team": "payments", "owner": "ada", "tier": "backend" },
            "notes": "first line\nsecond line \u{1b}[31mred\u{1b}[0m and so on and so on",
        });
        insta::assert_snapshot!(told(inputs.as_object().unwrap()), @"version=v3, replicas=3, loud=true, nobody=null, zones=[eu, us], labels={team: payments, owner: ada, tier: …, notes=first line second line red and so on …");
    }
}
