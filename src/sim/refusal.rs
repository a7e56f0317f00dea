//! How the API server says no: a `Status` object. It knows no rule.

use super::kinds::Kind;
use super::owners::Conflict;
use super::rules::Fault;
use serde_json::{Value, json};

/// A request that is refused.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Refusal {
    pub(super) code: u16,
    pub(super) reason: &'static str,
    pub(super) message: String,
    pub(super) causes: Vec<Value>,
}

impl Refusal {
    pub(super) fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), causes: Vec::new() }
    }

    pub(super) fn not_found(kind: &Kind, name: &str) -> Self {
        Self::new(404, "NotFound", format!("{} {name:?} not found", kind.resource()))
    }

    pub(super) fn exists(kind: &Kind, name: &str) -> Self {
        Self::new(409, "AlreadyExists", format!("{} {name:?} already exists", kind.resource()))
    }

    pub(super) fn stale(kind: &Kind, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::new(409, "Conflict", format!("Operation cannot be fulfilled on {} {name:?}: {why}", kind.resource()))
    }

    pub(super) fn other_uid(kind: &Kind, name: &str, wanted: &Value, live: &Value) -> Self {
        let why = format!("Precondition failed: UID in precondition: {}, UID in object meta: {}", text(wanted), text(live));
        Self::new(409, "Conflict", format!("Operation cannot be fulfilled on {} {name:?}: {why}", kind.resource()))
    }

    /// Content that is not valid: each field with what is wrong with it.
    pub(super) fn invalid(kind: &Kind, name: &str, faults: &[Fault]) -> Self {
        let told: Vec<String> = faults.iter().map(|fault| format!("{}: {}", fault.field, fault.message)).collect();
        let cause = |fault: &Fault| json!({ "reason": fault.reason, "message": fault.message, "field": fault.field });
        let told = if told.len() == 1 { told.concat() } else { format!("[{}]", told.join(", ")) };
        let message = format!("{} {name:?} is invalid: {told}", kind.full_name());
        Self { causes: faults.iter().map(cause).collect(), ..Self::new(422, "Invalid", message) }
    }

    pub(super) fn owned(conflicts: &[Conflict]) -> Self {
        let cause = |conflict: &Conflict| {
            let using = if conflict.operation == "Update" { " using Update" } else { "" };
            json!({ "reason": "FieldManagerConflict", "message": format!("conflict with {:?}{using}", conflict.manager), "field": conflict.field })
        };
        let s = if conflicts.len() == 1 { "" } else { "s" };
        let told: Vec<String> = conflicts.iter().map(|conflict| format!("{:?}: {}", conflict.manager, conflict.field)).collect();
        let message = format!("Apply failed with {} conflict{s}: conflicts with {}", conflicts.len(), told.join(", "));
        Self { causes: conflicts.iter().map(cause).collect(), ..Self::new(409, "Conflict", message) }
    }

    /// What a plan's `simulate` does not describe.
    pub(super) fn not_modelled(what: &str) -> Self {
        Self::new(403, "Forbidden", format!("not modelled: {what}"))
    }

    pub(super) fn to_status(&self) -> Value {
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": self.message, "reason": self.reason,
            "details": { "causes": self.causes }, "code": self.code,
        })
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
