//! What a bound plan asks of the outside: programs, servers and objects, objects that it sends, answers of people. It asks for nothing, and knows
//! only what is known before the run.

use super::bind::Bound;
use super::conditions::answer;
use super::model::{Does, Plan, Step, Undo};
use crate::action::{Asked, Frozen, Prepared, Registry, RunScope, Script, Sent};
use crate::expr::{Template, Values};
use crate::ids::{ActionKind, StepId};
use crate::scenario::Approval;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// Something that a step asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Demand<T> {
    /// The step.
    pub step: StepId,
    /// What it asks for. Where a part of it is known only in the run, `*` stands for that.
    pub what: T,
    /// Every run asks for it that does not fail before. Else it may be skipped, or stands behind what a simulation lets fail, or is for the
    /// way back.
    pub is_certain: bool,
}

/// All that steps ask for, in the order of the plan.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Demands {
    /// Programs on this machine, of steps and of what takes them back.
    pub programs: Vec<Demand<Script>>,
    /// Objects that are sent to a cluster.
    pub objects: Vec<Demand<Sent>>,
    /// What else they ask of the outside.
    pub asked: Vec<Demand<Asked>>,
    /// Answers of people.
    pub answers: Vec<Demand<()>>,
}

impl Plan {
    /// Names what all steps ask for, as far as it does not depend on what steps give. `frozen` holds the files that they read.
    pub fn demands(&self, registry: &Registry, bound: &Bound, scope: &RunScope, frozen: &Frozen) -> Demands {
        let mut look = Look { registry, scope, frozen, values: self.values(bound, None) };
        // Each run has another one.
        look.values.run["id"] = json!("*");
        let unreached = self.unreached();
        let mut demands = Demands::default();
        for step in &self.steps {
            look.values.each = step.item.as_ref().map_or(Value::Null, |item| json!({ "key": item.key, "value": item.value }));
            let runs = step.when.as_ref().map_or(Some(true), |when| answer(when, &look.values)?.ok());
            if runs != Some(false) {
                let is_certain = runs.is_some() && !unreached.contains(&step.id);
                look.add(step, is_certain, &mut demands);
            }
        }
        demands
    }

    /// The steps to which a simulated run does not come: they stand on one that fails, or on a question that is answered with no.
    fn unreached(&self) -> HashSet<&StepId> {
        let said = &self.simulate;
        let fails = |step: &&Step| {
            said.approvals.get(&step.id) == Some(&Approval::Rejected) || (said.fails.contains_key(&step.id) && !step.continue_on_error)
        };
        let mut open: Vec<&StepId> = self.steps.iter().filter(fails).map(|step| &step.id).collect();
        let mut found = HashSet::new();
        if open.is_empty() {
            return found;
        }
        let mut dependents: HashMap<&StepId, Vec<&StepId>> = HashMap::new();
        for step in &self.steps {
            step.needs.iter().for_each(|need| dependents.entry(need).or_default().push(&step.id));
        }
        while let Some(step) = open.pop() {
            open.extend(dependents.get(step).into_iter().flatten().copied().filter(|dependent| found.insert(*dependent)));
        }
        found
    }
}

struct Look<'r> {
    registry: &'r Registry,
    scope: &'r RunScope,
    frozen: &'r Frozen,
    values: Values,
}

impl Look<'_> {
    fn add(&self, step: &Step, is_certain: bool, demands: &mut Demands) {
        let id = || step.id.clone();
        match &step.does {
            Does::Action(template) => {
                demands.take(self.of(&step.kind, template), &step.id, is_certain);
                let objects = self.sent(&step.kind, template).into_iter();
                demands.objects.extend(objects.map(|what| Demand { step: id(), what, is_certain }));
            }
            Does::Approve { .. } => demands.answers.push(Demand { step: id(), what: (), is_certain }),
            _ => {}
        }
        demands.take(self.back(step), &step.id, false);
        if let Undo::Steps(steps) = &step.undo {
            let objects = steps.iter().flat_map(|(kind, template)| self.sent(kind, template));
            demands.objects.extend(objects.map(|what| Demand { step: id(), what, is_certain: false }));
        }
    }

    fn sent(&self, kind: &ActionKind, template: &Template) -> Vec<Sent> {
        let params = template.render_known(&self.values).ok();
        let action = self.registry.get(kind.as_str()).zip(params);
        let sent = action.map_or_else(Vec::new, |(action, params)| action.sent(self.frozen, &params));
        sent.into_iter().map(|sent| Sent { object: starred_in(sent.object), ..sent }).collect()
    }

    fn back(&self, step: &Step) -> Vec<Prepared> {
        let verified = match &step.does {
            Does::Guard { verify, .. } => verify.as_slice(),
            _ => &[],
        };
        let probes = verified.iter().filter_map(|probe| probe.render_known(&self.values).ok());
        let test = ActionKind::new("smoke-test").ok();
        let of_test = |probe: Value| self.prepared(test.as_ref()?, &json!({ "probes": [probe] }));
        let mut all: Vec<Prepared> = probes.filter_map(of_test).collect();
        if let Undo::Steps(steps) = &step.undo {
            all.extend(steps.iter().flat_map(|(kind, template)| self.of(kind, template)));
        }
        all
    }

    fn of(&self, kind: &ActionKind, template: &Template) -> Option<Prepared> {
        self.prepared(kind, &template.render_known(&self.values).ok()?)
    }

    fn prepared(&self, kind: &ActionKind, params: &Value) -> Option<Prepared> {
        self.registry.get(kind.as_str())?.prepare(self.scope, &Frozen::default(), params).ok()
    }
}

impl Demands {
    fn take(&mut self, asked: impl IntoIterator<Item = Prepared>, step: &StepId, is_certain: bool) {
        for prepared in asked {
            let programs = prepared.programs.into_iter().map(|script| Demand { step: step.clone(), what: known(script), is_certain });
            self.programs.extend(programs);
            let asks = prepared.asks.into_iter().map(|asked| Demand { step: step.clone(), what: known_of(asked), is_certain });
            self.asked.extend(asks);
        }
    }
}

fn known_of(asked: Asked) -> Asked {
    match asked {
        Asked::Server { method, url, host } => {
            Asked::Server { method: starred(&method), url: starred(&url), host: host.map(|host| starred(&host)) }
        }
        Asked::Object(name) => Asked::Object(starred(&name)),
        Asked::InPod { pod, container, script } => {
            Asked::InPod { pod: starred(&pod), container: container.map(|name| starred(&name)), script: known(script) }
        }
    }
}

/// A sample that stands for what is known in the run alone is its template.
fn known(script: Script) -> Script {
    match script {
        Script::Shell(text) => Script::Shell(starred(&text)),
        Script::Program { program, args } => {
            Script::Program { program: starred(&program), args: args.iter().map(|word| starred(word)).collect() }
        }
    }
}

fn starred_in(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(starred(&text)),
        Value::Array(items) => items.into_iter().map(starred_in).collect(),
        Value::Object(entries) => entries.into_iter().map(|(key, value)| (key, starred_in(value))).collect(),
        other => other,
    }
}

fn starred(text: &str) -> String {
    // A block may give nothing at all, or its text many times.
    let (text, last) = match (text.find("{{#"), text.rfind("}}")) {
        (Some(start), Some(end)) if start < end => (&text[..start], format!("*{}", &text[end + 2..])),
        _ => (text, String::new()),
    };
    let (mut known, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once("{{") {
        known.push_str(before);
        known.push('*');
        rest = behind.split_once("}}").map_or("", |(_, rest)| rest);
    }
    known + rest + &last
}

#[cfg(test)]
mod tests {
    use super::starred;

    #[test]
    fn a_star_stands_for_what_is_known_in_the_run() {
        for (text, known) in
            [("make", "make"), ("a {{ steps.x.y }} b{{z}}", "a * b*"), ("{{ unclosed", "*"), ("a {{x}} {{#if y}}b{{/if}} c", "a * * c")]
        {
            assert_eq!(starred(text), known);
        }
    }
}
