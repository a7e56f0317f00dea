//! A checked plan. It knows what was written and that it fits together, not how anything is done.

use super::Problem;
use crate::expr::{Condition, Template};
use crate::ids::{ActionKind, LockName, LockNamespace, Period, PlanName, StepId};
use crate::record::{RetryPolicy, Reversibility};
use crate::scenario::Scenario;
use indexmap::IndexMap;
use petgraph::graph::DiGraph;
use regex::Regex;
use serde_json::Value;
use std::collections::HashMap;

pub use super::written::{InputType, SecretSource};

/// A checked plan.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Its name: with the environment its identity.
    pub name: PlanName,
    /// What it is for.
    pub about: Option<String>,
    /// What must be known to run it, by name.
    pub inputs: IndexMap<String, Input>,
    /// Where it can run, by name.
    pub environments: IndexMap<String, Environment>,
    /// Where its secrets come from, by name.
    pub secrets: IndexMap<String, SecretSource>,
    /// Its steps, in the order of the text.
    pub steps: Vec<Step>,
    /// Most steps side by side; 0 means no limit.
    pub concurrency: u32,
    /// The lock that its runs share with those of other plans.
    pub lock: Option<LockName>,
    /// The namespace of its lock.
    pub lock_namespace: Option<LockNamespace>,
    /// What the outside is like when it is simulated.
    pub simulate: Scenario,
    /// What is worth a look although the plan can run.
    pub warnings: Vec<Problem>,
    pub(super) index: HashMap<StepId, usize>,
    pub(super) graph: DiGraph<StepId, ()>,
}

/// Something that must be known to run a plan.
#[derive(Debug, Clone)]
pub struct Input {
    /// The type of its values.
    pub kind: InputType,
    /// What a text must match.
    pub pattern: Option<Regex>,
    /// The only possible values; empty when there is no such list.
    pub one_of: Vec<Value>,
    /// Its value when nobody gives one.
    pub default: Option<Value>,
    /// It must have a value.
    pub required: bool,
    /// What it is for.
    pub about: Option<String>,
}

/// A place where a plan can run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Environment {
    /// The namespace of objects that name none.
    pub namespace: Option<String>,
    /// The kubeconfig context.
    pub context: Option<String>,
    /// The lock that runs of this environment take instead of the plan's.
    pub lock: Option<LockName>,
    /// The namespace of the lock, instead of the plan's.
    pub lock_namespace: Option<LockNamespace>,
    /// Inputs that have another value here.
    pub inputs: IndexMap<String, Value>,
}

/// One node of a plan's graph.
#[derive(Debug, Clone)]
pub struct Step {
    /// Its id.
    pub id: StepId,
    /// Its YAML key.
    pub kind: ActionKind,
    /// What it is for.
    pub about: Option<String>,
    /// The steps that it waits for, without those that others of them wait for anyway.
    pub needs: Vec<StepId>,
    /// What it does.
    pub does: Does,
    /// It runs only when this holds.
    pub when: Option<Condition>,
    /// What happens after a failed attempt.
    pub retry: RetryPolicy,
    /// Time for the whole step.
    pub timeout: Option<Period>,
    /// The run goes on without its dependants when it fails.
    pub continue_on_error: bool,
    /// An attempt with an unknown end may simply be repeated.
    pub idempotent: bool,
    /// How it is taken back.
    pub undo: Undo,
    /// How far it can be taken back.
    pub reversibility: Reversibility,
    /// Why what it does stays when the run goes back; none when it is taken back, cannot be, or changes nothing.
    pub stays: Option<String>,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum Does {
    /// An action, with its parameters.
    Action(Template),
    /// Asks a person.
    Approve {
        /// What is asked.
        message: Template,
    },
    /// Waits.
    Pause {
        /// A text such as `30s`.
        time: Template,
    },
    /// Guards steps; it is the savepoint behind them.
    Guard {
        /// The steps that are taken back together, those of nested guards included.
        guards: Vec<StepId>,
        /// Time that its rollback may take.
        budget: Period,
        /// Probes that must pass after its rollback.
        verify: Vec<Template>,
    },
}

/// How a step is taken back.
#[derive(Debug, Clone, PartialEq)]
pub enum Undo {
    /// As its action knows.
    ByAction,
    /// There is nothing to take back.
    Nothing {
        /// The reason that the plan gives.
        why: String,
    },
    /// By the plan's own steps, in this order.
    Steps(Vec<(ActionKind, Template)>),
}

impl Plan {
    /// The step with this id.
    pub fn step(&self, id: &str) -> Option<&Step> {
        self.index.get(id).and_then(|&index| self.steps.get(index))
    }

    /// The steps as a graph, an edge from each to those that wait for it. Nodes have the steps' order.
    pub fn graph(&self) -> &DiGraph<StepId, ()> {
        &self.graph
    }
}

impl Input {
    /// Checks a value of the right type.
    ///
    /// # Errors
    /// Says what a value must be like.
    pub(super) fn accept(&self, value: &Value) -> Result<(), String> {
        if !self.one_of.is_empty() && !self.one_of.contains(value) {
            let list: Vec<String> = self.one_of.iter().map(plain).collect();
            return Err(format!("`{}` is none of {}", plain(value), list.join(", ")));
        }
        match (&self.pattern, value) {
            (Some(pattern), Value::String(text)) if !pattern.is_match(text) => {
                Err(format!("`{text}` does not match the pattern `{}`", pattern.as_str()))
            }
            _ => Ok(()),
        }
    }
}

/// A value as people write it.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
