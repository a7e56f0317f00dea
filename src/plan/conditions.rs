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
        self.without_answer(self.values(bound, Some(&scope.run)), |_| true)
    }

    /// As [`Plan::unanswerable`], while some inputs are not known, nor the environment of a plan that has some.
    pub fn unanswerable_so_far(&self, known: &Value) -> Vec<(StepId, Finding)> {
        let has_one_place = self.environments.is_empty();
        let values = Values {
            inputs: known.clone(),
            steps: json!({}),
            run: json!({ "plan": self.name.as_str(), "environment": null }),
            each: Value::Null,
        };
        self.without_answer(values, |path| match path {
            [root, name, ..] if root == "inputs" => known.get(name).is_some(),
            [root, field, ..] if root == "run" => field == "plan" || has_one_place,
            [root, ..] => root != "inputs",
            [] => true,
        })
    }

    fn without_answer(&self, mut values: Values, is_known: impl Fn(&[String]) -> bool) -> Vec<(StepId, Finding)> {
        let mut found = Vec::new();
        // The items of one that stands for many are not known yet.
        for step in self.steps.iter().filter(|step| step.for_each.is_none()) {
            let Some(when) = step.when.as_ref().filter(|when| when.references().iter().all(|one| is_known(&one.path))) else { continue };
            values.each = step.item.as_ref().map_or(Value::Null, |item| json!({ "key": item.key, "value": item.value }));
            if let Some(Err(error)) = answer(when, &values) {
                found.push((step.id.clone(), finding(when, &values, &error)));
            }
        }
        found
    }
}

fn finding(when: &Condition, values: &Values, error: &RenderError) -> Finding {
    Finding {
        message: format!("with these inputs it has no answer: {error}"),
        help: help(when, values, error),
        code: "plan::condition",
        about: About::Key("when"),
        is_warning: false,
    }
}

/// What to write instead, as far as the values tell.
fn help(when: &Condition, values: &Values, error: &RenderError) -> String {
    let named = || when.references().iter().filter(|one| one.path.len() == 2 && one.path[0] == "inputs");
    let input = |is_meant: fn(&Value) -> bool| named().map(|one| &one.path[1]).find(|name| is_meant(&values.inputs[name.as_str()]));
    let (is_null, is_list) = match error {
        RenderError::Condition { reason, .. } => (reason.contains("null"), reason.contains("'list")),
        RenderError::NotBoolean { found, .. } => (found.contains("null"), found.contains("list")),
        _ => (false, false),
    };
    if let Some(name) = input(Value::is_null).filter(|_| is_null) {
        let name = path(name);
        return format!("nobody has given `{name}`, so it is null: ask first `{name} != null && …`, or give the input a `default`");
    }
    if let Some(name) = input(Value::is_array).filter(|_| is_list) {
        let name = path(name);
        return format!("ask a list for an item, `'x' in {name}`, or how many it has, `size({name}) > 0`");
    }
    match (error, named().next()) {
        (RenderError::NotBoolean { .. }, Some(one)) => format!("compare it: `{} == …`", path(&one.path[1])),
        _ => "compare values of one type, as `int(text)`, `double(text)` and `string(number)` make them, and ask `has(inputs.NAME.PART)` \
              for a part that may be missing"
            .to_owned(),
    }
}

/// An input as CEL names it.
fn path(name: &str) -> String {
    if name.contains('-') { format!("inputs[\"{name}\"]") } else { format!("inputs.{name}") }
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
