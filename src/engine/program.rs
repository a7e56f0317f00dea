//! What the driver asks of a plan: rendered words and parameters, never YAML.

use crate::ids::{ActionKind, StepId};
use crate::record::{Failure, Scope};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// The outputs of the steps that are done.
pub type Outputs = BTreeMap<StepId, Value>;

/// The plan of a run, as the driver sees it. Every answer depends on the run's inputs and the outputs so far alone.
pub trait Program: Send + Sync {
    /// Whether the step's `when` holds.
    ///
    /// # Errors
    /// When it cannot be told.
    fn holds(&self, step: &StepId, outputs: &Outputs) -> Result<bool, Failure>;

    /// The parameters of an action's step.
    ///
    /// # Errors
    /// When a template cannot be rendered.
    fn render(&self, step: &StepId, outputs: &Outputs) -> Result<Rendered, Failure>;

    /// What an approval asks.
    ///
    /// # Errors
    /// When a template cannot be rendered.
    fn question(&self, step: &StepId, outputs: &Outputs) -> Result<String, Failure>;

    /// How long a pause takes.
    ///
    /// # Errors
    /// When a template cannot be rendered, or is no length of time.
    fn pause(&self, step: &StepId, outputs: &Outputs) -> Result<Duration, Failure>;

    /// What must hold after a rollback.
    ///
    /// # Errors
    /// When a template cannot be rendered.
    fn verification(&self, scope: &Scope, outputs: &Outputs) -> Result<Option<Verification>, Failure>;
}

/// What looks whether a rollback has led back.
#[derive(Debug, Clone, PartialEq)]
pub struct Verification {
    /// The guard that asks for it.
    pub guard: StepId,
    /// The action that looks.
    pub kind: ActionKind,
    /// Its parameters.
    pub params: Value,
}

/// An action's use, rendered: fixed for all attempts and for the undo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rendered {
    /// The action.
    pub kind: ActionKind,
    /// Its parameters.
    pub params: Value,
    /// What takes it back.
    pub undo: Compensation,
}

/// What takes a step back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compensation {
    /// The action itself.
    ByAction,
    /// There is nothing to take back, for this reason.
    Nothing(String),
    /// These actions, in this order. They may be repeated.
    Steps(Vec<(ActionKind, Value)>),
}
