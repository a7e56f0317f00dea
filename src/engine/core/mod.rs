//! The pure core: a run's state, which only records change, and what to do next. It knows no clock, no journal and no action.
//!
//! A step's way, each arrow one record:
//!
//! ```text
//! waiting -> ready -> running -> succeeded
//!               ^        |-> backoff -> (ready)        attempt-ended, failed, retry-at
//!               |        |-> failed                    attempt-ended, no retry
//!               |        |-> cancelled                 attempt-ended, stopped because the run goes back
//!               |        `-> doubtful -> (ready)      attempt-ended, interrupted, an effect that nobody can look up; asked again by the next process
//!               `------------'                         attempt-ended, interrupted, every effect known
//! ready -> asking -> succeeded | failed                an approval
//! waiting | ready -> skipped
//! ```
//!
//! and its way back, once a rollback or `continue-on-error` wants it: `wanted -> running -> done | backoff | gave-up`.

mod apply;
mod decide;
mod effect_list;
mod effects;
mod illegal;
mod limits;
mod order;
mod place_set;
mod places;
#[cfg(test)]
mod rules;
mod scope;
#[cfg(test)]
pub(super) mod simulation;
mod state;
mod take_up;
#[cfg(test)]
pub(crate) mod testing;
mod unwind;

pub use decide::{Command, Decision, StopReason};
pub use effect_list::EffectList;
pub use illegal::{GraphError, Illegal};
pub use state::{Effect, Rollback, Status, Step, Times, Undo};

use crate::ids::{Moment, PlanName, RunId, StepId};
use crate::record::{BlobRef, Failure, Graph, Mode, Outcome, Role, StepSummary, Target};
use limits::Limits;
use order::Edges;
use place_set::PlaceSet;
use places::{Places, Recent};
use state::{Index, Waits};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Most tries of one compensation.
pub const UNDO_TRIES: u32 = 5;

/// The state of one run.
#[derive(Debug, Clone)]
pub struct Core {
    graph: Arc<Graph>,
    places: Places,
    edges: Edges,
    steps: Vec<Step>,
    waits: Vec<Waits>,
    recent: Recent,
    next_seq: u64,
    epoch: u64,
    mode: Mode,
    run: Option<RunId>,
    plan: Option<PlanName>,
    frozen: Option<BlobRef>,
    unfinished: usize,
    /// Ready steps that no limit names.
    ready: PlaceSet,
    /// Who may be at work beside whom, and the ready steps that have to ask for that.
    limits: Limits,
    /// Gates that are open: they take no place among the steps at work.
    gates: PlaceSet,
    running: PlaceSet,
    backoff: BTreeSet<(Moment, Index)>,
    deadlines: BTreeSet<(Moment, Index)>,
    /// Attempts whose process is gone.
    lost: PlaceSet,
    doubtful: PlaceSet,
    /// Those in doubt since before this process, which asks once more.
    unsure: PlaceSet,
    /// Final failures that were not dealt with by `continue-on-error`, in the order in which they happened.
    failures: Vec<(Index, String)>,
    /// Steps all of whose needs are over, not all of them well.
    to_skip: PlaceSet,
    /// Who wants the run taken back.
    cancel: Option<String>,
    /// Somebody asked for a rollback: a wish that outlives the process that heard it.
    back_asked: bool,
    /// The step that they want back, or that is there once for each item, with all that needed it; everything when none.
    back_step: Option<StepId>,
    /// Who wants it stopped where it is.
    halt: Option<String>,
    rollback: Option<Rollback>,
    /// Traffic that may go back now: before all others, it takes no place among the steps at work and waits for none.
    undo_urgent: PlaceSet,
    /// Other steps that may be taken back when there is a place.
    undo_ready: PlaceSet,
    undo_running: PlaceSet,
    undo_backoff: BTreeSet<(Moment, Index)>,
    undo_deadlines: BTreeSet<(Moment, Index)>,
    undo_lost: PlaceSet,
    verified: Option<Option<Failure>>,
    halted: Option<(Outcome, String)>,
    closed: Option<Outcome>,
    /// What later runs have written: it is not taken back.
    spared: Vec<Target>,
}

impl Core {
    /// An unopened run of this graph.
    ///
    /// # Errors
    /// When ids repeat, a name is unknown, or steps wait for each other in a circle.
    pub fn new(graph: impl Into<Arc<Graph>>) -> Result<Self, GraphError> {
        let graph = graph.into();
        let places = Places::of(&graph)?;
        let edges = order::edges(&graph, &places)?;
        order::check_guards(&graph, &places)?;
        let steps = vec![Step::default(); graph.steps.len()];
        let waits = (0..steps.len()).map(|step| Waits::for_needs(edges.needs.of(step).len())).collect();
        let none = PlaceSet::none_of(steps.len());
        let limits = Limits::of(&graph, &places);
        let first: Vec<Index> = (0..steps.len()).filter(|step| edges.needs.of(*step).len() == 0).collect();
        let mut core = Self {
            unfinished: steps.len(),
            graph,
            places,
            edges,
            steps,
            waits,
            recent: Recent::default(),
            ready: none.clone(),
            limits,
            next_seq: 0,
            epoch: 0,
            mode: Mode::Run,
            run: None,
            plan: None,
            frozen: None,
            gates: none.clone(),
            running: none.clone(),
            backoff: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            lost: none.clone(),
            doubtful: none.clone(),
            unsure: none.clone(),
            failures: Vec::new(),
            to_skip: none.clone(),
            cancel: None,
            back_asked: false,
            back_step: None,
            halt: None,
            rollback: None,
            undo_urgent: none.clone(),
            undo_ready: none.clone(),
            undo_running: none.clone(),
            undo_backoff: BTreeSet::new(),
            undo_deadlines: BTreeSet::new(),
            undo_lost: none,
            verified: None,
            halted: None,
            closed: None,
            spared: Vec::new(),
        };
        first.into_iter().for_each(|step| core.make_ready(step));
        Ok(core)
    }

    /// The run's state after these records, the first of which opened it.
    ///
    /// # Errors
    /// When they are not the journal of a run.
    pub fn replay<'a>(records: impl IntoIterator<Item = &'a crate::record::Record>) -> Result<Self, Illegal> {
        let mut records = records.into_iter().peekable();
        let Some(crate::record::What::RunOpened { graph, .. }) = records.peek().map(|record| &record.what) else {
            return Err(Illegal::NotOpened);
        };
        let mut core = Self::new(Arc::clone(graph))?;
        records.try_for_each(|record| core.apply(record))?;
        Ok(core)
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The run's id, once it is opened.
    pub fn run(&self) -> Option<&RunId> {
        self.run.as_ref()
    }

    /// What was frozen with the run, once it is opened.
    pub fn frozen(&self) -> Option<&BlobRef> {
        self.frozen.as_ref()
    }

    /// The number that the next record must carry.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// What later runs have written: it is not taken back.
    pub fn spared(&self) -> &[Target] {
        &self.spared
    }

    /// The number of the process that holds the run.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// What the graph says of a step.
    pub fn summary(&self, id: &StepId) -> Option<&StepSummary> {
        self.places.find(&self.graph, id).map(|step| &self.graph.steps[step])
    }

    /// A step's state.
    pub fn step(&self, id: &StepId) -> Option<&Step> {
        self.places.find(&self.graph, id).map(|step| &self.steps[step])
    }

    /// Every step with its id, in plan order.
    pub fn steps(&self) -> impl Iterator<Item = (&StepId, &Step)> {
        self.graph.steps.iter().map(|step| &step.id).zip(&self.steps)
    }

    /// The rollback, once it is open.
    pub fn rollback(&self) -> Option<&Rollback> {
        self.rollback.as_ref()
    }

    /// How the run ended, once it is closed.
    pub fn closed(&self) -> Option<Outcome> {
        self.closed
    }

    /// Why the run rests, while nobody has taken it up again.
    pub fn halted(&self) -> Option<(Outcome, &str)> {
        self.halted.as_ref().map(|(outcome, reason)| (*outcome, reason.as_str()))
    }

    /// The delay before another attempt after one that failed like this, without jitter; none when this was the last one.
    pub fn retry_delay(&self, id: &StepId, failure: &Failure, now: Moment) -> Option<Duration> {
        let step = self.places.find(&self.graph, id)?;
        let summary = &self.graph.steps[step];
        if !failure.retriable || self.is_stopping() || self.is_in_doubt(step) {
            return None;
        }
        let delay = summary.retry.delay_after(self.steps[step].failures + 1)?;
        let over = self.step_deadline(step).is_some_and(|deadline| now.after(delay) >= deadline);
        (!over).then_some(delay)
    }

    /// The delay before another try of a compensation, without jitter; none when it gives up.
    pub fn undo_delay(&self, id: &StepId, failure: &Failure, now: Moment) -> Option<Duration> {
        let step = &self.steps[self.places.find(&self.graph, id)?];
        let tries = step.undo_failures + 1;
        if !failure.retriable || tries >= UNDO_TRIES {
            return None;
        }
        let delay = Duration::from_secs(1 << tries.min(5));
        let deadline = self.rollback.as_ref().map(|rollback| rollback.deadline).or(step.times().undo_deadline);
        let over = deadline.is_some_and(|deadline| now.after(delay) >= deadline);
        (!over).then_some(delay)
    }

    /// True for a step whose failure can be looked into, and was not yet.
    pub fn wants_evidence(&self, id: &StepId) -> bool {
        self.places.find(&self.graph, id).is_some_and(|step| self.graph.steps[step].role == Role::Action && !self.steps[step].evidence)
    }

    /// The steps that this one needs.
    fn needs(&self, step: Index) -> impl Iterator<Item = Index> {
        self.edges.needs.of(step)
    }

    /// The steps that need this one.
    fn dependents(&self, step: Index) -> impl Iterator<Item = Index> {
        self.edges.dependents.of(step)
    }

    fn is_stopping(&self) -> bool {
        self.cancel.is_some() || self.rollback.is_some() || !self.failures.is_empty() || self.back_asked
    }

    fn step_deadline(&self, step: Index) -> Option<Moment> {
        let limit = self.graph.steps[step].timeout?;
        self.steps[step].began.map(|began| began.after(limit.0))
    }

    /// A step's place.
    fn find(&mut self, id: &StepId) -> Result<Index, Illegal> {
        if let Some(place) = self.recent.find(&self.graph, id) {
            return Ok(place);
        }
        let place = self.places.find(&self.graph, id).ok_or_else(|| Illegal::UnknownStep(id.clone()))?;
        self.recent.follow(place);
        Ok(place)
    }
}
