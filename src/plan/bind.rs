//! A plan bound to an environment and inputs: every value typed and checked. It does not know where values were given.

use super::model::{Does, Environment, Input, Plan, Undo, plain};
use super::read::typed_text;
use super::suggest::instead;
use crate::action::{Frozen, Prepared, Registry, RunScope, Script};
use crate::expr::{Template, Values};
use crate::ids::{ActionKind, LockName, LockNamespace, RunId, StepId};
use crate::record::Reversibility;
use miette::Diagnostic;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashMap};

/// What a run of a plan knows before its first step.
#[derive(Debug, Clone, PartialEq)]
pub struct Bound {
    /// The environment that was chosen.
    pub environment: Option<String>,
    /// An object: each input by its name; null where an optional one has no value.
    pub inputs: Value,
    /// The namespace of objects that name none.
    pub namespace: Option<String>,
    /// The kubeconfig context.
    pub context: Option<String>,
    /// The lock that the run shares with those of other plans; none when it takes that of its own plan and environment.
    pub lock: Option<LockName>,
    /// The namespace of the lock, where that is not the run's.
    pub lock_namespace: Option<LockNamespace>,
}

/// One thing that keeps a plan from being bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Diagnostic)]
#[error("{message}")]
pub struct BindProblem {
    /// What is wrong.
    pub message: String,
    /// What to type instead.
    #[help]
    pub help: Option<String>,
}

/// Everything that keeps a plan from being bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Diagnostic)]
#[error("the inputs do not fit the plan `{plan}`")]
#[diagnostic(code(plan::inputs))]
pub struct BindProblems {
    /// The plan.
    pub plan: String,
    /// One for each value that is wrong or missing.
    #[related]
    pub problems: Vec<BindProblem>,
}

/// What somebody chose, as far as it fits.
struct Chosen {
    environment: Environment,
    inputs: Map<String, Value>,
    /// The inputs of which something was said that does not.
    wrong: Vec<String>,
    problems: Vec<BindProblem>,
}

impl Plan {
    /// Binds the plan to an environment and to inputs given as texts. What is given wins over the environment, and that over defaults.
    ///
    /// # Errors
    /// Every value that is unknown, missing or does not fit.
    pub fn bind(&self, environment: Option<&str>, given: &BTreeMap<String, String>) -> Result<Bound, BindProblems> {
        let mut problems: Vec<BindProblem> = self.check_environment(environment).into_iter().collect();
        let Chosen { environment: chosen, mut inputs, wrong, problems: misfits } = self.chosen(environment, given);
        problems.extend(misfits);
        for (name, input) in self.inputs.iter().filter(|(name, _)| !wrong.contains(name)) {
            match inputs.contains_key(name) {
                true => {}
                false if input.required => problems.push(missing(name, input)),
                false => drop(inputs.insert(name.clone(), Value::Null)),
            }
        }
        match problems.is_empty() {
            true => Ok(Bound {
                environment: environment.map(str::to_owned),
                inputs: Value::Object(inputs),
                namespace: chosen.namespace,
                context: chosen.context,
                lock: chosen.lock.or_else(|| self.lock.clone()),
                lock_namespace: chosen.lock_namespace.or_else(|| self.lock_namespace.clone()),
            }),
            false => Err(BindProblems { plan: self.name.to_string(), problems }),
        }
    }

    /// The inputs whose values are known, though others may be missing: those that are given, and defaults, but for those that
    /// environments replace while none is chosen.
    ///
    /// # Errors
    /// Every value that is unknown or does not fit.
    pub fn known(&self, environment: Option<&str>, given: &BTreeMap<String, String>) -> Result<Value, BindProblems> {
        let Chosen { mut inputs, mut problems, .. } = self.chosen(environment, given);
        problems.extend(environment.and_then(|name| self.check_environment(Some(name))));
        let may_differ = |name: &String| environment.is_none() && self.environments.values().any(|one| one.inputs.contains_key(name));
        inputs.retain(|name, _| given.contains_key(name) || !may_differ(name));
        match problems.is_empty() {
            true => Ok(Value::Object(inputs)),
            false => Err(BindProblems { plan: self.name.to_string(), problems }),
        }
    }

    fn chosen(&self, environment: Option<&str>, given: &BTreeMap<String, String>) -> Chosen {
        let environment = environment.and_then(|name| self.environments.get(name)).cloned().unwrap_or_default();
        let (mut wrong, mut problems) = (Vec::new(), Vec::new());
        for name in given.keys().filter(|name| !self.inputs.contains_key(*name)) {
            let help = instead(name, "inputs", self.inputs.keys().map(String::as_str));
            problems.push(BindProblem { message: format!("the plan has no input `{name}`"), help: Some(help) });
        }
        let mut inputs = Map::new();
        for (name, input) in &self.inputs {
            match value(name, input, given.get(name), environment.inputs.get(name)) {
                Ok(found) => inputs.extend(found.map(|value| (name.clone(), value))),
                Err(problem) => {
                    wrong.push(name.clone());
                    problems.push(problem);
                }
            }
        }
        Chosen { environment, inputs, wrong, problems }
    }

    fn check_environment(&self, environment: Option<&str>) -> Option<BindProblem> {
        let known = || self.environments.keys().map(String::as_str);
        match environment {
            Some(name) if !self.environments.contains_key(name) => {
                let message = format!("the plan has no environment `{name}`");
                let help = match self.environments.is_empty() {
                    true => "leave `--environment` out: this plan has no environments".to_owned(),
                    false => instead(name, "environments", known()),
                };
                Some(BindProblem { message, help: Some(help) })
            }
            None if !self.environments.is_empty() => {
                let names: Vec<&str> = known().collect();
                let help = format!("choose one with `--environment`: {}", names.join(", "));
                Some(BindProblem { message: "the plan needs an environment".to_owned(), help: Some(help) })
            }
            _ => None,
        }
    }

    /// What expressions see before the first step has an output. The run's id is null as long as there is no run.
    pub fn values(&self, bound: &Bound, run: Option<&RunId>) -> Values {
        let run = json!({ "id": run.map(RunId::as_str), "plan": self.name.as_str(), "environment": bound.environment });
        Values { inputs: bound.inputs.clone(), steps: json!({}), run, each: Value::Null }
    }

    /// What the actions say of parameters that were not wholly known when the plan was checked, as far as those are known before the run; samples stand for the outputs of steps.
    /// The plan's own undo steps come after the step that they belong to.
    ///
    /// # Errors
    /// Every step whose parameters do not fit with these inputs.
    pub fn prepared(
        &self,
        registry: &Registry,
        bound: &Bound,
        scope: &RunScope,
        frozen: &Frozen,
    ) -> Result<Vec<(StepId, Prepared)>, BindProblems> {
        let mut look = Look { registry, frozen, scope, values: self.values(bound, Some(&scope.run)) };
        let (mut all, mut problems) = (Vec::new(), Vec::new());
        let mut writes = HashMap::new();
        for (place, step) in self.steps.iter().enumerate().filter(|(_, step)| !step.is_settled) {
            look.values.each = step.item.as_ref().map_or(Value::Null, |item| json!({ "key": item.key, "value": item.value }));
            let undo = match &step.undo {
                Undo::Steps(undo) => undo.as_slice(),
                _ => &[],
            };
            let own = match &step.does {
                Does::Action(template) => Some((true, &step.kind, template)),
                _ => None,
            };
            for (is_own, kind, template) in own.into_iter().chain(undo.iter().map(|(kind, template)| (false, kind, template))) {
                match look.at(kind, template) {
                    Ok(prepared) => {
                        let targets = prepared.as_ref().filter(|prepared| is_own && prepared.reversibility != Reversibility::ReadOnly);
                        targets.into_iter().for_each(|prepared| drop(writes.insert(place, prepared.targets.clone())));
                        all.extend(prepared.map(|prepared| (step.id.clone(), prepared)));
                    }
                    Err(reasons) => problems.extend(reasons.into_iter().map(|reason| BindProblem {
                        message: format!("the step `{}` does not fit these inputs: {reason}", step.id),
                        help: None,
                    })),
                }
            }
        }
        let help = Some("let one wait for the other, in its `needs`".to_owned());
        problems.extend(self.clashes(&writes).into_iter().map(|message| BindProblem { message, help: help.clone() }));
        match problems.is_empty() {
            true => Ok(all),
            false => Err(BindProblems { plan: self.name.to_string(), problems }),
        }
    }

    /// The files that steps read, as patterns from the plan's folder, to be frozen when the run opens.
    ///
    /// # Errors
    /// As [`Plan::prepared`].
    pub fn sources(&self, registry: &Registry, bound: &Bound, scope: &RunScope) -> Result<Vec<(StepId, String)>, BindProblems> {
        let prepared = self.prepared(registry, bound, scope, &Frozen::default())?.into_iter();
        Ok(prepared.flat_map(|(id, prepared)| prepared.sources.into_iter().map(move |source| (id.clone(), source))).collect())
    }

    /// The programs whose output steps read, to be run once when the run opens.
    ///
    /// # Errors
    /// As [`Plan::prepared`].
    pub fn commands(&self, registry: &Registry, bound: &Bound, scope: &RunScope) -> Result<Vec<(StepId, Script)>, BindProblems> {
        let prepared = self.prepared(registry, bound, scope, &Frozen::default())?.into_iter();
        Ok(prepared.flat_map(|(id, prepared)| prepared.commands.into_iter().map(move |command| (id.clone(), command))).collect())
    }
}

/// Looks at parameters before the run.
struct Look<'r> {
    registry: &'r Registry,
    frozen: &'r Frozen,
    scope: &'r RunScope,
    values: Values,
}

impl Look<'_> {
    /// None where the outputs of steps are needed to say anything.
    fn at(&self, kind: &ActionKind, template: &Template) -> Result<Option<Prepared>, Vec<String>> {
        let is_known = !template.references().iter().any(|reference| reference.path[0] == "steps");
        let params = template.render_known(&self.values).map_err(|error| vec![error.to_string()])?;
        let Some(action) = self.registry.get(kind.as_str()) else { return Ok(None) };
        match action.prepare(self.scope, self.frozen, &params) {
            Ok(prepared) if is_known && !prepared.problems.is_empty() => Err(prepared.problems),
            Ok(prepared) => Ok(Some(prepared)),
            Err(error) if is_known => {
                let failure = error.into_failure();
                Err(vec![failure.causes.into_iter().next().unwrap_or(failure.message)])
            }
            Err(_) => Ok(None),
        }
    }
}

fn missing(name: &str, input: &Input) -> BindProblem {
    let about = input.about.as_ref().map(|about| format!(" ({about})")).unwrap_or_default();
    BindProblem { message: format!("the input `{name}`{about} has no value"), help: Some(format!("give it with `-i {name}=…`")) }
}

/// The value of an input; none when nobody gives one.
fn value(name: &str, input: &Input, given: Option<&String>, here: Option<&Value>) -> Result<Option<Value>, BindProblem> {
    let Some(text) = given else { return Ok(here.or(input.default.as_ref()).cloned()) };
    let value = typed_text(text, input.kind).and_then(|value| input.accept(&value).map(|()| Some(value)));
    value.map_err(|message| {
        let default = input.default.as_ref().map(|default| format!("the default is `{}`", plain(default)));
        BindProblem { message: format!("the input `{name}`: {message}"), help: default }
    })
}
