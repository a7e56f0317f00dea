//! What a record can say.

use super::effect::{BlobRef, EffectKey, Settled};
use super::graph::{Graph, Target, UndoClass};
use super::result::{AttemptResult, Failure, Outcome, UndoResult};
use crate::ids::{Moment, PlanName, RunId, StepId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One thing that happened to a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The run exists. Always the first record.
    #[serde(rename_all = "kebab-case")]
    RunOpened {
        /// The run.
        run: RunId,
        /// Its plan.
        plan: PlanName,
        /// The environment that was chosen.
        environment: Option<String>,
        /// The graph, fixed for the run's whole life.
        graph: Arc<Graph>,
        /// Plan text, inputs and every referenced file: all that the run will ever read.
        frozen: BlobRef,
        /// It runs in a simulated world, which ends with its process.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        simulated: bool,
    },
    /// A process took the run in hand.
    #[serde(rename_all = "kebab-case")]
    EpochOpened {
        /// Who.
        holder: Holder,
        /// What it was asked to do.
        mode: Mode,
        /// What later runs have written: it stays as it is when this run is taken back although it was over.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        spared: Vec<Target>,
        /// Of a rollback that was asked for: the step that is to go back, or that is there once for each item, with all that needed it;
        /// everything when none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepId>,
    },
    /// A step will not run.
    #[serde(rename_all = "kebab-case")]
    StepSkipped {
        /// The step.
        step: StepId,
        /// Why.
        reason: SkipReason,
    },
    /// A try of a step begins. Its parameters are rendered and fixed.
    #[serde(rename_all = "kebab-case")]
    AttemptStarted {
        /// The step.
        step: StepId,
        /// Counts from 1.
        attempt: u32,
        /// The rendered parameters, and those of the plan's own undo; none when rendering failed or there are none.
        params: Option<BlobRef>,
        /// What it may write.
        targets: Vec<Target>,
        /// Set by a pause: when it is over.
        until: Option<Moment>,
    },
    /// Effects may now leave: what undoes them is durable with this record.
    #[serde(rename_all = "kebab-case")]
    EffectsIntended {
        /// The step.
        step: StepId,
        /// The effects and what undoes each. A key that was intended before keeps its first undo.
        effects: Vec<(EffectKey, BlobRef)>,
        /// How urgently they are undone; unchanged when none.
        class: Option<UndoClass>,
        /// True when one of them can not be taken back after all.
        irreversible: bool,
    },
    /// An effect is done and its answer is known.
    #[serde(rename_all = "kebab-case")]
    EffectDone {
        /// The step.
        step: StepId,
        /// The effect.
        key: EffectKey,
        /// What the write returned.
        after: BlobRef,
    },
    /// A doubt about an effect was resolved, as far as it can be.
    #[serde(rename_all = "kebab-case")]
    EffectSettled {
        /// The step.
        step: StepId,
        /// The effect.
        key: EffectKey,
        /// The answer.
        settled: Settled<BlobRef>,
    },
    /// A try of a step is over; none of its effects is in flight any more.
    #[serde(rename_all = "kebab-case")]
    AttemptEnded {
        /// The step.
        step: StepId,
        /// Which try.
        attempt: u32,
        /// How it ended.
        result: AttemptResult,
    },
    /// An approval waits for a person.
    #[serde(rename_all = "kebab-case")]
    ApprovalAsked {
        /// The step.
        step: StepId,
        /// What is asked.
        message: String,
    },
    /// A person answered.
    #[serde(rename_all = "kebab-case")]
    ApprovalAnswered {
        /// The step.
        step: StepId,
        /// Yes or no.
        approved: bool,
        /// Who, as far as the program can tell.
        by: String,
        /// Their words.
        comment: Option<String>,
    },
    /// Somebody wants the run to stop.
    #[serde(rename_all = "kebab-case")]
    CancelRequested {
        /// How.
        level: CancelLevel,
        /// Who or what.
        by: String,
    },
    /// From here the run goes back.
    #[serde(rename_all = "kebab-case")]
    RollbackOpened {
        /// How far.
        scope: Scope,
        /// Why.
        cause: Cause,
        /// When compensations stop being retried.
        deadline: Moment,
    },
    /// A compensation begins.
    #[serde(rename_all = "kebab-case")]
    UndoStarted {
        /// The step that is taken back.
        step: StepId,
        /// Counts from 1.
        attempt: u32,
    },
    /// A compensation is over.
    #[serde(rename_all = "kebab-case")]
    UndoEnded {
        /// The step.
        step: StepId,
        /// Which try.
        attempt: u32,
        /// How it ended.
        result: UndoResult,
    },
    /// What the outside looked like when a step failed.
    #[serde(rename_all = "kebab-case")]
    EvidenceKept {
        /// The step.
        step: StepId,
        /// The evidence; none when it could not be had.
        evidence: Option<BlobRef>,
        /// Why it could not be had, or not all of it.
        error: Option<String>,
    },
    /// The last lines that the programs of an attempt or a compensation printed.
    #[serde(rename_all = "kebab-case")]
    LinesKept {
        /// The step.
        step: StepId,
        /// Which attempt, or which compensation.
        attempt: u32,
        /// It was a compensation.
        undo: bool,
        /// The lines, a JSON array of texts.
        lines: BlobRef,
        /// How many came before these and were not kept.
        dropped: u64,
    },
    /// What must hold after a rollback was looked at.
    #[serde(rename_all = "kebab-case")]
    RollbackVerified {
        /// Why it does not hold; none when it does.
        failure: Option<Failure>,
    },
    /// A person said how an effect that nobody can look up ended.
    #[serde(rename_all = "kebab-case")]
    DoubtAnswered {
        /// The step.
        step: StepId,
        /// Done or not done.
        done: bool,
        /// Who.
        by: String,
        /// What earlier attempts are known to have done stands although it was not done this time. In records from before it went with it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        earlier_stands: bool,
    },
    /// The run rests, open, until somebody says `resume`, `rollback` or `abandon`.
    #[serde(rename_all = "kebab-case")]
    RunHalted {
        /// `Stuck` or `Halted`.
        outcome: Outcome,
        /// Why.
        reason: String,
    },
    /// The run is over. Always the last record.
    #[serde(rename_all = "kebab-case")]
    RunClosed {
        /// How it ended.
        outcome: Outcome,
        /// What is worth knowing besides.
        notes: Vec<String>,
    },
}

impl What {
    /// The word that stands for its kind where it is stored.
    pub fn name(&self) -> &'static str {
        match self {
            What::RunOpened { .. } => "run-opened",
            What::EpochOpened { .. } => "epoch-opened",
            What::StepSkipped { .. } => "step-skipped",
            What::AttemptStarted { .. } => "attempt-started",
            What::EffectsIntended { .. } => "effects-intended",
            What::EffectDone { .. } => "effect-done",
            What::EffectSettled { .. } => "effect-settled",
            What::AttemptEnded { .. } => "attempt-ended",
            What::ApprovalAsked { .. } => "approval-asked",
            What::ApprovalAnswered { .. } => "approval-answered",
            What::CancelRequested { .. } => "cancel-requested",
            What::RollbackOpened { .. } => "rollback-opened",
            What::UndoStarted { .. } => "undo-started",
            What::UndoEnded { .. } => "undo-ended",
            What::EvidenceKept { .. } => "evidence-kept",
            What::LinesKept { .. } => "lines-kept",
            What::RollbackVerified { .. } => "rollback-verified",
            What::DoubtAnswered { .. } => "doubt-answered",
            What::RunHalted { .. } => "run-halted",
            What::RunClosed { .. } => "run-closed",
        }
    }
}

/// The process that holds a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Holder {
    /// Host name.
    pub host: String,
    /// Process id on that host.
    pub pid: u32,
    /// When that process started, as the host counts it: a reused pid is not the same process.
    pub started: u64,
    /// The boot of that host.
    pub boot: String,
    /// Login name.
    pub user: String,
}

/// What a process was asked to do with a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Run it.
    Run,
    /// Go on where it stopped, in the direction it had.
    Resume,
    /// Take it back.
    Rollback,
    /// Close it as it is.
    Abandon,
}

/// Why a step did not run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SkipReason {
    /// Its `when` is false.
    Condition,
    /// A step that it needs failed and the plan goes on without it.
    Needs(StepId),
}

/// How hard a run is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CancelLevel {
    /// Start nothing more, settle, roll back.
    RollBack,
    /// Stop as soon as possible; the run can be resumed.
    Halt,
}

/// How far a rollback goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// To the start.
    Everything,
    /// Back to where this guard's steps began.
    Guard(StepId),
    /// This step, or those of all its items, and all that needed them, because somebody asked for just that.
    Step(StepId),
}

/// Why a run goes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Cause {
    /// The step that failed, when it was one.
    pub step: Option<StepId>,
    /// One line.
    pub reason: String,
}
