//! The programs on this machine that a bound plan runs, as far as they are known before it does. It starts none.

use super::bind::Bound;
use super::model::{Does, Plan, Step, Undo};
use crate::action::{Registry, RunScope, Script};
use crate::expr::{Template, Values};
use crate::ids::{ActionKind, StepId};
use crate::scenario::Approval;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// What is known of a plan's programs. Where a part of a command line is known only in the run, `*` stands for it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Programs {
    /// Those of steps that every run comes to that does not fail before.
    pub forth: Vec<Script>,
    /// Those of steps that may be skipped, that stand behind what a simulation lets fail, and those that take steps back.
    pub perhaps: Vec<Script>,
}

impl Plan {
    /// Names the programs of all steps, in the order of the plan.
    pub fn programs(&self, registry: &Registry, bound: &Bound, scope: &RunScope) -> Programs {
        let mut look = Look { registry, scope, values: self.values(bound, None) };
        // Each run has another one.
        look.values.run["id"] = json!("*");
        let unreached = self.unreached();
        let mut programs = Programs::default();
        for step in &self.steps {
            look.values.each = step.item.as_ref().map_or(Value::Null, |item| json!({ "key": item.key, "value": item.value }));
            let is_certain = step.when.is_none() && !unreached.contains(&step.id);
            let certain = if is_certain { &mut programs.forth } else { &mut programs.perhaps };
            certain.extend(look.own(step));
            programs.perhaps.extend(look.back(step));
        }
        programs
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
    values: Values,
}

impl Look<'_> {
    fn own(&self, step: &Step) -> Vec<Script> {
        match &step.does {
            Does::Action(template) => self.of(&step.kind, template),
            _ => Vec::new(),
        }
    }

    fn back(&self, step: &Step) -> Vec<Script> {
        let verified = match &step.does {
            Does::Guard { verify, .. } => verify.as_slice(),
            _ => &[],
        };
        let probes = verified.iter().filter_map(|probe| probe.render_known(&self.values).ok());
        let test = ActionKind::new("smoke-test").ok();
        let of_test = |probe: Value| test.as_ref().map_or_else(Vec::new, |kind| self.asked(kind, &json!({ "probes": [probe] })));
        let mut all: Vec<Script> = probes.flat_map(of_test).collect();
        if let Undo::Steps(steps) = &step.undo {
            all.extend(steps.iter().flat_map(|(kind, template)| self.of(kind, template)));
        }
        all
    }

    fn of(&self, kind: &ActionKind, template: &Template) -> Vec<Script> {
        template.render_known(&self.values).map_or_else(|_| Vec::new(), |params| self.asked(kind, &params))
    }

    fn asked(&self, kind: &ActionKind, params: &Value) -> Vec<Script> {
        let action = self.registry.get(kind.as_str());
        let prepared = action.and_then(|action| action.prepare(self.scope, &Default::default(), params).ok());
        prepared.into_iter().flat_map(|prepared| prepared.programs).map(known).collect()
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

fn starred(text: &str) -> String {
    let (mut known, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once("{{") {
        known.push_str(before);
        known.push('*');
        rest = behind.split_once("}}").map_or("", |(_, rest)| rest);
    }
    known + rest
}

#[cfg(test)]
mod tests {
    use super::starred;

    #[test]
    fn a_star_stands_for_what_is_known_in_the_run() {
        for (text, known) in [("make", "make"), ("a {{ steps.x.y }} b{{z}}", "a * b*"), ("{{ unclosed", "*")] {
            assert_eq!(starred(text), known);
        }
    }
}
