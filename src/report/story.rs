//! What a display knows of a run: folded from records and progress, complete enough for every face. It knows no terminal and no clock.

use super::called::Called;
use crate::ids::{ActionKind, Moment, PlanName, RunId, StepId};
use crate::record::{CancelLevel, Cause, EffectKey, Failure, Graph, Holder, Mark, MarkKind, Mode, Outcome, Reversibility, Role, Scope};
use indexmap::IndexMap;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

pub use super::ahead::Ahead;
pub use super::status::{Counts, Status};

/// A run as far as it has been told. Folding the same record twice, or missing some, does no harm.
#[derive(Debug, Clone, Default)]
pub struct Story {
    /// The run.
    pub run: Option<RunId>,
    /// Its plan.
    pub plan: Option<PlanName>,
    /// The environment that was chosen.
    pub environment: Option<String>,
    /// It ran in a simulated world, which is gone with its process.
    pub is_simulated: bool,
    /// Its graph.
    pub graph: Option<Graph>,
    /// Every step, in plan order.
    pub steps: IndexMap<StepId, StepStory>,
    /// Who holds it, or held it last, and what for.
    pub holder: Option<(Holder, Mode)>,
    /// The hardest stop that was asked for, and by whom.
    pub cancel: Option<(CancelLevel, String)>,
    /// Somebody asked for the way back: a wish that outlives the process that heard it.
    pub back_asked: bool,
    /// Set when the run goes back.
    pub rollback: Option<RollbackStory>,
    /// Set when the run rests or is over.
    pub ending: Option<Ending>,
    /// What a person should see also after the run.
    pub warnings: Vec<Warning>,
    /// What the commands that are told must say again.
    pub called: Called,
    /// Who has it in hand now.
    pub hand: Hand,
    /// What comes when somebody takes it up as it rests, where the engine was asked.
    pub ahead: Option<Ahead>,
    /// The width of a column for the names of steps, but for names that are too long for one.
    pub column: usize,
    /// When it opened.
    pub opened: Option<Moment>,
    /// When the last record was written.
    pub last_at: Option<Moment>,
    pub(super) last_seq: Option<u64>,
}

/// A step as far as it has been told.
#[derive(Debug, Clone)]
pub struct StepStory {
    /// Its id.
    pub id: StepId,
    /// Its kind; none when the record that lists the steps was missed.
    pub kind: Option<ActionKind>,
    /// Who carries it out.
    pub role: Role,
    /// How far it can be taken back.
    pub reversibility: Reversibility,
    /// What it does stays when the run goes back: the plan says so.
    pub stays: bool,
    /// Where it stands.
    pub status: Status,
    /// Attempts so far.
    pub attempts: u32,
    /// When its first attempt began.
    pub started: Option<Moment>,
    /// When it came to rest on the way forward.
    pub ended: Option<Moment>,
    /// When taking it back began.
    pub undo_started: Option<Moment>,
    /// When that came to rest.
    pub undo_ended: Option<Moment>,
    /// How it came to rest on the way forward; none before it did.
    pub came_to: Option<Status>,
    /// Why its last attempt failed.
    pub failure: Option<Failure>,
    /// Why it could not be taken back.
    pub undo_failure: Option<Failure>,
    /// Tries of taking it back that failed, since its process took the run up.
    pub undo_tries: u32,
    /// The last of them failed just as the one before did.
    pub undo_failed_alike: bool,
    /// What became of its effects.
    pub marks: Vec<Mark>,
    /// Effects of which nobody can tell whether they happened, and why not.
    pub doubts: Vec<(EffectKey, String)>,
    /// Effects that may have happened and are not taken back; with each whether its end is known.
    pub(super) stands: IndexMap<EffectKey, bool>,
    /// Another process took the run up since the step was last at work: its times begin anew.
    pub(super) anew: bool,
    /// Taking it back was stopped because the time for that was over.
    pub(super) is_out_of_time: bool,
    /// Nobody can tell how far it got, because it was stopped, or lost, by the process that was at it.
    pub(super) is_half_way: bool,
    /// Evidence of its failure.
    pub evidence: EvidenceStory,
    /// What it does or waits for right now.
    pub doing: Option<String>,
    /// How much of it is done.
    pub of: Option<Portion>,
}

/// How much of a step is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portion {
    /// Parts done.
    pub done: u64,
    /// Parts in all; 0 when nobody knows.
    pub total: u64,
    /// What is counted.
    pub unit: String,
}

/// What is known of the look at the outside when a step failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EvidenceStory {
    /// Something was kept.
    pub kept: bool,
    /// Why it is not all, or nothing.
    pub missing: Option<String>,
}

/// A run on its way back.
#[derive(Debug, Clone)]
pub struct RollbackStory {
    /// How far.
    pub scope: Scope,
    /// Why.
    pub cause: Cause,
    /// Since when.
    pub opened: Moment,
    /// When compensations stop being retried.
    pub deadline: Moment,
    /// What the look after the rollback said: none before it, then whether it failed.
    pub verified: Option<Option<Failure>>,
}

/// How a run ended, or rests.
#[derive(Debug, Clone)]
pub struct Ending {
    /// Its outcome.
    pub outcome: Outcome,
    /// Why it rests; none when it is over.
    pub reason: Option<String>,
    /// What is worth knowing besides.
    pub notes: Vec<String>,
    /// False when it rests and waits for a person.
    pub closed: bool,
    /// When.
    pub at: Moment,
}

/// Who has a run in hand, as far as whoever tells of it knows. Records do not say whether the process that wrote them lives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Hand {
    /// Nobody: it is over, it rests, or its process is gone.
    #[default]
    Nobody,
    /// A process works on it.
    Process,
    /// A process on a machine that cannot be seen from here.
    Elsewhere,
}

/// Something that a person should see also after the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The step, when it is about one.
    pub step: Option<StepId>,
    /// One line.
    pub text: String,
}

impl Story {
    /// Folds records from the first one on.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a crate::record::Record>) -> Self {
        let mut story = Self::default();
        for record in records {
            story.record(record);
        }
        story
    }

    /// A story whose commands say again what was said.
    #[must_use]
    pub fn called(self, called: &Called) -> Self {
        Self { called: called.clone(), ..self }
    }

    /// The story of a run that somebody has in hand.
    #[must_use]
    pub fn in_hand(self, hand: Hand) -> Self {
        Self { hand, ..self }
    }

    /// The step of this id.
    pub fn step(&self, id: &StepId) -> Option<&StepStory> {
        self.steps.get(id)
    }

    /// The step whose failure is the reason for what followed, when it was one.
    pub fn culprit(&self) -> Option<&StepStory> {
        let named = self.rollback.as_ref().and_then(|rollback| rollback.cause.step.as_ref()).and_then(|id| self.steps.get(id));
        let failed = || {
            let failed = self.steps.values().filter(|step| step.failure.is_some() && step.status != Status::Done);
            failed.min_by_key(|step| step.ended)
        };
        named.or_else(failed)
    }

    /// From the opening to the last record.
    pub fn time(&self) -> Duration {
        match (self.opened, self.last_at) {
            (Some(opened), Some(last)) => last.since(opened),
            _ => Duration::ZERO,
        }
    }

    /// True for a step that the open rollback takes back.
    pub fn is_in_scope(&self, step: &StepId) -> bool {
        match self.rollback.as_ref().map(|rollback| &rollback.scope) {
            None => false,
            Some(Scope::Everything) => true,
            Some(Scope::Guard(guard)) => {
                let guards = self.graph.iter().flat_map(|graph| &graph.guards);
                guards.filter(|summary| summary.id == *guard).any(|summary| summary.guards.contains(step))
            }
            Some(Scope::Step(first)) => self.graph.as_ref().is_some_and(|graph| stands_on(graph, step, first)),
        }
    }

    /// Steps with effects of which nobody can tell whether they happened.
    pub fn doubtful(&self) -> impl Iterator<Item = &StepStory> {
        self.steps.values().filter(|step| !step.doubts.is_empty())
    }
}

/// True for a step that needs this one, or one of its items, however far away, and for itself.
fn stands_on(graph: &Graph, step: &StepId, first: &StepId) -> bool {
    let needs: HashMap<&StepId, &Vec<StepId>> = graph.steps.iter().map(|summary| (&summary.id, &summary.needs)).collect();
    let mut known = HashSet::from([step]);
    let mut open = vec![step];
    while let Some(next) = open.pop() {
        if first.stands_for(next) {
            return true;
        }
        let needs = needs.get(next).into_iter().copied().flatten();
        open.extend(needs.filter(|need| known.insert(need)));
    }
    false
}

impl StepStory {
    pub(super) fn unknown(id: &StepId) -> Self {
        Self {
            id: id.clone(),
            kind: None,
            role: Role::Action,
            reversibility: Reversibility::Reversible,
            stays: false,
            status: Status::Waiting,
            attempts: 0,
            started: None,
            ended: None,
            undo_started: None,
            undo_ended: None,
            came_to: None,
            failure: None,
            undo_failure: None,
            undo_tries: 0,
            undo_failed_alike: false,
            marks: Vec::new(),
            doubts: Vec::new(),
            stands: IndexMap::new(),
            anew: false,
            is_out_of_time: false,
            is_half_way: false,
            evidence: EvidenceStory::default(),
            doing: None,
            of: None,
        }
    }

    /// True when going back found nothing to take back of it, and says why.
    pub(super) fn has_left_nothing(&self) -> bool {
        !self.marks.is_empty() && self.marks.iter().all(|mark| mark.kind == MarkKind::Nothing && !mark.notes.is_empty())
    }

    /// How it came to rest on the way forward, unless it was done.
    pub fn fall(&self) -> Option<&Status> {
        self.came_to.as_ref().filter(|status| **status != Status::Done)
    }

    /// True when it came to rest on the way forward because it failed, whatever became of it then.
    pub fn has_failed(&self) -> bool {
        matches!(self.came_to, Some(Status::Failed | Status::TimedOut))
    }

    /// True when something that it did, or may have done, is still there.
    pub fn may_stand(&self) -> bool {
        !self.stands.is_empty()
    }

    /// True for a step that was at work when its process went: whether it is in doubt shows when it is looked up.
    pub fn was_cut_off(&self) -> bool {
        matches!(self.status, Status::Running | Status::Undoing | Status::Interrupted)
    }

    /// How long it took to come to rest on the way forward.
    pub fn time(&self) -> Option<Duration> {
        Some(self.ended?.since(self.started?))
    }

    /// How long taking it back took.
    pub fn undo_time(&self) -> Option<Duration> {
        Some(self.undo_ended?.since(self.undo_started?))
    }

    /// Its effects that were marked so.
    pub fn marked(&self, kind: MarkKind) -> impl Iterator<Item = &Mark> {
        self.marks.iter().filter(move |mark| mark.kind == kind)
    }
}
