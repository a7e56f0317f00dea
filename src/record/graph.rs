//! The summary of a checked plan's graph that a run keeps: all that deciding needs, nothing that performing needs.

use crate::ids::{ActionKind, Period, StepId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::Duration;

/// The steps of a run, in the order in which the plan lists them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Graph {
    /// Every step, guards and gates included.
    pub steps: Vec<StepSummary>,
    /// Every `rollback-on-fail`, in plan order; the implicit guard over everything is not listed.
    pub guards: Vec<GuardSummary>,
    /// Most steps at work side by side; 0 means no limit.
    pub concurrency: u32,
    /// Time that the implicit guard's rollback may take.
    pub budget: Period,
    /// Something must be checked after the implicit guard's rollback.
    pub verified: bool,
    /// Which steps must not all be at work side by side: those of one lock, those of one `for-each`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<LimitSummary>,
    /// A failure halts the run where it is instead of taking it back: so the person wanted it who opened the run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub halts_on_failure: bool,
}

/// One step as the engine sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct StepSummary {
    /// Its id.
    pub id: StepId,
    /// Its YAML key, for people.
    pub kind: ActionKind,
    /// What the engine does when its turn comes.
    pub role: Role,
    /// The steps that it waits for (transitively reduced).
    pub needs: Vec<StepId>,
    /// How far it can be taken back.
    pub reversibility: Reversibility,
    /// What happens after a failed attempt.
    pub retry: RetryPolicy,
    /// Time for the whole step, retries and back-off included; none means no limit.
    pub timeout: Option<Period>,
    /// A failure undoes this step alone and the run goes on without its dependants.
    pub continue_on_error: bool,
    /// An attempt with an unknown end may simply be repeated.
    pub idempotent: bool,
    /// What it does stays when the run goes back: the plan says so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stays: bool,
}

/// Who carries a step out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// An action, through the seam.
    Action,
    /// A person who says yes or no.
    Approve,
    /// The clock.
    Pause,
    /// Nobody: a `rollback-on-fail` is a savepoint that is reached.
    Guard,
}

/// Whether the effects of a step can be taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reversibility {
    /// It changes nothing.
    ReadOnly,
    /// The action knows how to take it back, or there is nothing to take back and the plan says why.
    Reversible,
    /// The plan gives the steps that take it back.
    Compensable,
    /// It cannot be taken back: the pivot.
    Irreversible,
}

/// What happens after a failed attempt. The delay before attempt `n + 1` is `backoff * factor^(n-1)`, at most `max`, plus jitter.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct RetryPolicy {
    /// Attempts in all, at least 1.
    pub attempts: u32,
    /// Delay before the second attempt.
    pub backoff: Period,
    /// Growth of the delay.
    pub factor: f64,
    /// Longest delay.
    pub max: Period,
    /// Time for one attempt; none means no limit but the step's.
    pub timeout: Option<Period>,
}

impl RetryPolicy {
    /// One attempt, no limit in time.
    pub const ONCE: Self =
        Self { attempts: 1, backoff: Period(Duration::from_secs(1)), factor: 2.0, max: Period(Duration::from_secs(30)), timeout: None };

    /// The delay after `failed` attempts, before jitter; none when there is no attempt left.
    pub fn delay_after(&self, failed: u32) -> Option<Duration> {
        if failed >= self.attempts {
            return None;
        }
        let power = i32::try_from(failed.saturating_sub(1)).unwrap_or(i32::MAX);
        let seconds = self.backoff.0.as_secs_f64() * self.factor.max(0.0).powi(power);
        let most = self.max.0.as_secs_f64();
        Some(Duration::from_secs_f64(if seconds.is_finite() { seconds.min(most) } else { most }))
    }
}

/// A `rollback-on-fail`: the steps that are taken back together, and its savepoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct GuardSummary {
    /// The id of the guard's own step.
    pub id: StepId,
    /// The steps that it guards, those of nested guards included.
    pub guards: BTreeSet<StepId>,
    /// Time that its rollback may take.
    pub budget: Period,
    /// Something must be checked after its rollback.
    pub verified: bool,
}

/// Steps of which only some may be at work at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct LimitSummary {
    /// What the plan calls it: a lock's name, or the step that is there once for each item.
    pub name: String,
    /// Most of them at work at a time, at least 1.
    pub most: u32,
    /// The steps.
    pub steps: Vec<StepId>,
}

/// Something outside that a step writes, by a name that two steps share exactly when they write the same thing:
/// `kube:apps/Deployment/production/web-blue`, `file:/srv/app.conf`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Target(pub String);

impl Target {
    /// All that programs did: nobody knows which objects that are.
    pub fn programs() -> Self {
        Self("programs".to_owned())
    }
}

/// When a step's compensation may run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UndoClass {
    /// After every step that needed it is undone.
    #[default]
    Ordinary,
    /// At once; it waits only for the undo of steps that wrote one of these targets.
    #[serde(rename_all = "kebab-case")]
    Traffic {
        /// What must be fit before traffic may return to it.
        needs_fit: Vec<Target>,
    },
}
