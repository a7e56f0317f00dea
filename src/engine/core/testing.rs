//! Graphs for tests.

use crate::ids::{ActionKind, Period, StepId};
use crate::record::{Graph, RetryPolicy, Reversibility, Role, StepSummary};
use std::time::Duration;

pub(crate) fn id(name: &str) -> StepId {
    StepId::new(name).expect("test names are valid")
}

pub(crate) fn step(name: &str, needs: &[&str]) -> StepSummary {
    StepSummary {
        id: id(name),
        kind: ActionKind::new("shell").expect("a valid kind"),
        role: Role::Action,
        needs: needs.iter().map(|need| id(need)).collect(),
        reversibility: Reversibility::Reversible,
        retry: RetryPolicy::ONCE,
        timeout: None,
        continue_on_error: false,
        idempotent: false,
        stays: false,
    }
}

pub(crate) fn graph(steps: Vec<StepSummary>) -> Graph {
    Graph {
        steps,
        guards: Vec::new(),
        concurrency: 0,
        budget: Period(Duration::from_secs(600)),
        verified: false,
        halts_on_failure: false,
        limits: Vec::new(),
    }
}
