//! Conditions that can be answered before the run, because they depend on no step. It skips no step.

use super::bind::Bound;
use super::model::Plan;
use crate::action::{About, Finding, RunScope};
use crate::expr::{Condition, RenderError, Values};
use crate::ids::StepId;
use serde_json::{Value, json};

impl Plan {
    /// The conditions that have no answer with these inputs: whoever came to them would fail.
    pub fn unanswerable(&self, bound: &Bound, scope: &RunScope) -> Vec<(StepId, Finding)> {
        let mut values = self.values(bound, Some(&scope.run));
        let mut found = Vec::new();
        for step in &self.steps {
            let Some(when) = &step.when else { continue };
            values.each = step.item.as_ref().map_or(Value::Null, |item| json!({ "key": item.key, "value": item.value }));
            if let Some(Err(error)) = answer(when, &values) {
                found.push((step.id.clone(), finding(&error)));
            }
        }
        found
    }
}

fn finding(error: &RenderError) -> Finding {
    Finding {
        message: format!("with these inputs it has no answer: {error}"),
        help: "compare values of one type, as `int(text)`, `double(text)` and `string(number)` make them, and ask `has(inputs.NAME.PART)` \
               for a part that may be missing"
            .to_owned(),
        code: "plan::condition",
        about: About::Key("when"),
        is_warning: false,
    }
}

/// The answer of a condition; none where it depends on a step, or on the run's id.
pub(super) fn answer(when: &Condition, values: &Values) -> Option<Result<bool, RenderError>> {
    let is_open = |path: &[String]| match path.first().map(String::as_str) {
        Some("steps") => true,
        Some("run") => path.get(1).is_none_or(|field| field == "id"),
        _ => false,
    };
    if when.references().iter().any(|reference| is_open(&reference.path)) { None } else { Some(when.holds(values)) }
}
