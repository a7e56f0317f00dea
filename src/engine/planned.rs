//! A checked plan as the driver's program: renders what the plan says with the run's inputs and the outputs so far.

use super::program::{Compensation, Outputs, Program, Rendered, Verification};
use crate::expr::{Reference, RenderError, Template, Values};
use crate::ids::{ActionKind, Period, StepId};
use crate::plan::{Does, Plan, Step, Undo};
use crate::record::{Failure, Scope};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// The action that looks whether probes pass.
const VERIFIER: &str = "smoke-test";

/// A checked plan, bound to a run's inputs.
pub struct Planned {
    plan: Arc<Plan>,
    values: Values,
}

impl Planned {
    /// Binds a plan to what does not change while it runs.
    pub fn new(plan: Arc<Plan>, values: Values) -> Self {
        Self { plan, values }
    }

    fn step(&self, id: &StepId) -> Result<&Step, Failure> {
        self.plan.step(id.as_str()).ok_or_else(|| Failure::permanent(format!("the plan has no step `{id}`")))
    }

    /// What expressions see. Only the outputs that they name: a copy of all, at every step, would cost the square of the plan.
    fn values(&self, step: &Step, outputs: &Outputs, references: &[Reference]) -> Values {
        let mut steps = Map::new();
        for reference in references.iter().filter(|reference| reference.path.first().is_some_and(|name| name == "steps")) {
            match reference.path.get(1) {
                Some(id) => steps.extend(self.output(id, outputs).map(|output| (id.clone(), output))),
                None => steps.extend(outputs.iter().map(|(id, output)| (id.to_string(), output.clone()))),
            }
        }
        let each = step.item.as_ref().map_or(Value::Null, |item| json!({ "key": item.key, "value": item.value }));
        Values { steps: Value::Object(steps), each, ..self.values.clone() }
    }

    /// A step's output; of a step that is there once for each item, the outputs by the keys of the items.
    fn output(&self, id: &str, outputs: &Outputs) -> Option<Value> {
        let Some(family) = self.plan.families.get(id) else { return outputs.get(id).cloned() };
        let known = family.members.iter().filter_map(|(key, id)| Some((key.clone(), outputs.get(id)?.clone())));
        Some(Value::Object(known.collect()))
    }

    fn rendered(&self, step: &Step, template: &Template, outputs: &Outputs) -> Result<Value, Failure> {
        template.render(&self.values(step, outputs, &template.references())).map_err(|error| cannot_render(&error))
    }
}

fn cannot_render(error: &RenderError) -> Failure {
    Failure::permanent(error.to_string())
}

fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

impl Program for Planned {
    fn holds(&self, step: &StepId, outputs: &Outputs) -> Result<bool, Failure> {
        let step = self.step(step)?;
        match &step.when {
            None => Ok(true),
            Some(condition) => condition.holds(&self.values(step, outputs, condition.references())).map_err(|error| cannot_render(&error)),
        }
    }

    fn render(&self, step: &StepId, outputs: &Outputs) -> Result<Rendered, Failure> {
        let step = self.step(step)?;
        let Does::Action(params) = &step.does else {
            return Err(Failure::permanent(format!("`{}` is no action", step.kind)));
        };
        let undo = match &step.undo {
            Undo::ByAction => Compensation::ByAction,
            Undo::Nothing { why } => Compensation::Nothing(why.clone()),
            Undo::Steps(steps) => {
                let rendered = steps.iter().map(|(kind, params)| Ok((kind.clone(), self.rendered(step, params, outputs)?)));
                Compensation::Steps(rendered.collect::<Result<_, Failure>>()?)
            }
        };
        Ok(Rendered { kind: step.kind.clone(), params: self.rendered(step, params, outputs)?, undo })
    }

    fn question(&self, step: &StepId, outputs: &Outputs) -> Result<String, Failure> {
        let asking = self.step(step)?;
        match &asking.does {
            Does::Approve { message } => self.rendered(asking, message, outputs).map(text),
            _ => Err(Failure::permanent(format!("`{step}` asks nothing"))),
        }
    }

    fn pause(&self, step: &StepId, outputs: &Outputs) -> Result<Duration, Failure> {
        let waiting = self.step(step)?;
        let Does::Pause { time } = &waiting.does else {
            return Err(Failure::permanent(format!("`{step}` is no pause")));
        };
        let time = text(self.rendered(waiting, time, outputs)?);
        time.parse::<Period>().map(|period| period.0).map_err(|error| Failure::permanent(error.to_string()))
    }

    fn verification(&self, scope: &Scope, outputs: &Outputs) -> Result<Option<Verification>, Failure> {
        let guard = match scope {
            Scope::Guard(id) => Some(self.step(id)?),
            Scope::Everything => self.plan.guard_of_the_start(),
            Scope::Step(_) => None,
        };
        let Some((guard, Does::Guard { verify, .. })) = guard.map(|step| (step, &step.does)) else { return Ok(None) };
        if verify.is_empty() {
            return Ok(None);
        }
        let probes = verify.iter().map(|probe| self.rendered(guard, probe, outputs)).collect::<Result<Vec<_>, _>>()?;
        let kind = ActionKind::new(VERIFIER).map_err(|error| Failure::permanent(error.to_string()))?;
        Ok(Some(Verification { guard: guard.id.clone(), kind, params: json!({ "probes": probes, "within": "30s" }) }))
    }
}
