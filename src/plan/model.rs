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
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

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
    /// The files that its steps name without a template.
    pub files: Vec<NamedFile>,
    /// What is worth a look although the plan can run.
    pub warnings: Vec<Problem>,
    /// The steps that are there once for each item, by the id that the plan gives them all.
    pub families: IndexMap<StepId, Family>,
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
    /// The only possible values, of a list the only possible items; empty when there is no such list.
    pub one_of: Vec<Value>,
    /// The least number or length of time.
    pub min: Option<Value>,
    /// The greatest number or length of time.
    pub max: Option<Value>,
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
    /// It is to be there once for each of these items, which are not known yet; see [`Plan::spread`].
    pub for_each: Option<Box<ForEach>>,
    /// The item that it is there for.
    pub item: Option<Box<Item>>,
    /// Of the steps that name the same lock one is at work at a time.
    pub locks: Vec<LockName>,
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
    /// Its parameters hold no template, name no file and write nothing that has a name: nothing new can be told of it later.
    pub(super) is_settled: bool,
    /// The secrets that it, its undo or what it verifies names.
    pub secrets: BTreeSet<String>,
    /// Those of them that its `undo` steps name.
    pub undo_secrets: BTreeSet<String>,
    /// Why what it does stays when the run goes back; none when it is taken back, cannot be, or changes nothing.
    pub stays: Option<String>,
}

/// A file, a folder or a pattern that a step names, where its text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// The step.
    pub step: StepId,
    /// What it is called in the plan.
    pub path: String,
    pub(super) span: Range<usize>,
}

/// What a step is to be there once for.
#[derive(Debug, Clone, PartialEq)]
pub struct ForEach {
    /// The items.
    pub items: Items,
    /// Most of its steps side by side.
    pub max_parallel: Option<u32>,
}

/// Where items come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Items {
    /// The plan lists them.
    Known(Vec<Item>),
    /// They are the value of this input.
    Input(String),
}

/// One item of a `for-each`.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// What tells it from the others: it stands in the step's id.
    pub key: String,
    /// Its value.
    pub value: Value,
}

/// The steps that one step of the plan stands for.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// The steps, with the keys of their items, in the order of these.
    pub members: Vec<(String, StepId)>,
    /// Most of them side by side.
    pub max_parallel: Option<u32>,
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
        self.accept_word(value)?;
        if let Some(min) = self.min.as_ref().filter(|min| is_less(value, min)) {
            return Err(format!("`{}` is less than {}", plain(value), plain(min)));
        }
        if let Some(max) = self.max.as_ref().filter(|max| is_less(max, value)) {
            return Err(format!("`{}` is more than {}", plain(value), plain(max)));
        }
        match (&self.pattern, value) {
            (Some(pattern), Value::String(text)) if !pattern.is_match(text) => {
                Err(format!("`{text}` does not match the pattern `{}`", pattern.as_str()))
            }
            _ => Ok(()),
        }
    }

    fn accept_word(&self, value: &Value) -> Result<(), String> {
        let items = match (value, self.kind) {
            (Value::Array(items), InputType::List) => items.as_slice(),
            _ => std::slice::from_ref(value),
        };
        match items.iter().find(|item| !self.one_of.is_empty() && !self.one_of.contains(item)) {
            Some(other) => {
                let list: Vec<String> = self.one_of.iter().map(plain).collect();
                Err(format!("`{}` is none of {}", plain(other), list.join(", ")))
            }
            None => Ok(()),
        }
    }
}

/// Numbers by their size, lengths of time by theirs; anything else is never less.
fn is_less(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => match (one.as_i64(), other.as_i64()) {
            (Some(one), Some(other)) => one < other,
            _ => one.as_f64() < other.as_f64(),
        },
        (Value::String(one), Value::String(other)) => {
            matches!((one.parse::<Period>(), other.parse::<Period>()), (Ok(one), Ok(other)) if one < other)
        }
        _ => false,
    }
}

/// A value as people write it.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
