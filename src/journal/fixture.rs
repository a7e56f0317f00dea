//! What the journal's tests share.

use super::lock::Identity;
use super::{Held, Outside, StateFolder};
use crate::ids::{ActionKind, Moment, Period, PlanName, StepId};
use crate::ports::{SystemClock, SystemHost, SystemRandom};
use crate::record::{CancelLevel, Graph, Record, RetryPolicy, Reversibility, Role, StepSummary, VERSION, What};
use futures::executor::block_on;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub(super) const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// The real outside: the journal's subject is what a real disk and a real kernel keep.
pub(super) fn outside() -> Outside {
    Outside { clock: Arc::new(SystemClock), random: Arc::new(SystemRandom::default()), host: Arc::new(SystemHost) }
}

pub(super) fn open(path: &Path) -> StateFolder {
    StateFolder::open(path, outside(), Some(KEY.to_owned())).unwrap()
}

pub(super) fn identity(plan: &str) -> Identity {
    Identity { plan: PlanName::new(plan).unwrap(), environment: Some("test".to_owned()) }
}

pub(super) fn graph() -> Graph {
    let step = StepSummary {
        id: StepId::new("deploy").unwrap(),
        kind: ActionKind::new("apply").unwrap(),
        role: Role::Action,
        needs: Vec::new(),
        reversibility: Reversibility::Reversible,
        retry: RetryPolicy::ONCE,
        timeout: None,
        continue_on_error: false,
        idempotent: false,
        stays: false,
    };
    Graph {
        steps: vec![step],
        guards: Vec::new(),
        concurrency: 0,
        budget: Period(Duration::from_secs(600)),
        verified: false,
        limits: Vec::new(),
        halts_on_failure: false,
    }
}

pub(super) fn append(held: &Held, seq: u64, what: What) {
    held.journal().append(Record { v: VERSION, seq, at: Moment::from_millis(1_795_000_000_000), epoch: held.epoch(), what }).unwrap();
}

/// Opens the run with its first record and makes that durable.
pub(super) fn begin(held: &Held) {
    let frozen = held.journal().seal(b"all that the run reads").unwrap();
    let identity = held.identity();
    let what = What::RunOpened {
        run: held.run().clone(),
        plan: identity.plan.clone(),
        environment: identity.environment.clone(),
        graph: Arc::new(graph()),
        frozen,
        simulated: false,
    };
    append(held, 0, what);
    block_on(held.journal().durable()).unwrap();
}

/// A record that means nothing here.
pub(super) fn note(text: &str) -> What {
    What::CancelRequested { level: CancelLevel::Halt, by: text.to_owned() }
}
