//! A CEL expression that must hold of an answer. It asks nobody.

use crate::expr::{Condition, ConditionError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A CEL expression that must be true of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ConditionExpect(pub String);

impl ConditionExpect {
    /// Says what is not as expected.
    pub fn complaint(&self, names: &Map<String, Value>) -> Option<String> {
        let condition = match Condition::parse(&self.0) {
            Ok(condition) => condition,
            Err(_) => return self.problem(),
        };
        match condition.holds_over(names) {
            Ok(true) => None,
            Ok(false) => Some(format!("expected {}, which does not hold", self.0)),
            Err(error) => Some(format!("expected {}, which cannot be told: {error}", self.0)),
        }
    }

    /// Says that it is no expression.
    pub fn problem(&self) -> Option<String> {
        let told = match Condition::parse(&self.0) {
            Ok(condition) => condition.slips().iter().map(ConditionError::whole).collect::<Vec<_>>().join("; "),
            Err(error) => error.whole(),
        };
        (!told.is_empty()).then(|| format!("`{}` is not a CEL expression: {told}", self.0))
    }
}
