//! What the core remembers of each step.

use super::effect_list::EffectList;
use crate::ids::{Moment, StepId};
use crate::record::{BlobRef, Cause, EffectKey, Scope, Settled, Target, UndoClass};
use std::collections::BTreeSet;

/// A step's place in the graph.
pub(super) type Index = usize;

/// A place, or a count of steps, as steps keep it: a graph has no more than that (see [`super::places::Places::of`]).
pub(super) fn place_number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// Where a step stands on its way forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// A step that it needs is not done.
    Waiting,
    /// It may start.
    Ready,
    /// An attempt is at work.
    Running,
    /// It failed and is tried again then.
    Backoff(Moment),
    /// A person is asked.
    Asking,
    /// It was interrupted and nobody can tell what it did.
    Doubtful,
    /// It did what it should.
    Succeeded,
    /// It failed for good.
    Failed,
    /// It was stopped half way because the run goes back.
    Cancelled,
    /// It will not run.
    Skipped,
}

impl Status {
    /// The word for people.
    pub fn name(self) -> &'static str {
        match self {
            Status::Waiting => "waiting",
            Status::Ready => "ready",
            Status::Running => "running",
            Status::Backoff(_) => "backing off",
            Status::Asking => "asking",
            Status::Doubtful => "in doubt",
            Status::Succeeded => "done",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
            Status::Skipped => "skipped",
        }
    }

    /// True when the step began and has not come to an end.
    pub fn is_under_way(self) -> bool {
        matches!(self, Status::Running | Status::Backoff(_) | Status::Asking | Status::Doubtful)
    }
}

/// Where a step stands on its way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Undo {
    /// Nobody wants it back.
    No,
    /// It waits for its turn.
    Wanted,
    /// A compensation is at work.
    Running,
    /// It failed and is tried again then.
    Backoff(Moment),
    /// It is taken back.
    Done,
    /// It cannot be taken back; what stands on it stays, too.
    GaveUp,
}

/// One effect of a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Effect {
    /// What takes it back.
    pub undo: BlobRef,
    /// What was last known of it.
    pub known: Option<Settled<BlobRef>>,
    /// It was intended, by the first attempt or again, and nobody has told its end.
    pub in_flight: bool,
    /// What an attempt is known to have done, where less is known of a later one.
    pub(super) earlier: Option<Box<BlobRef>>,
}

impl Effect {
    /// One that was intended just now.
    pub(super) fn intended(undo: BlobRef) -> Self {
        Self { undo, known: None, in_flight: true, earlier: None }
    }

    /// Takes in what became of it.
    pub(super) fn learn(&mut self, known: Settled<BlobRef>) {
        if let (Some(Settled::Done(after)), false) = (&self.known, matches!(known, Settled::Done(_))) {
            self.earlier = Some(Box::new(*after));
        }
        self.known = Some(known);
        self.in_flight = false;
    }

    /// What an attempt is known to have done, be it the last one or not.
    pub fn done(&self) -> Option<&BlobRef> {
        match &self.known {
            Some(Settled::Done(after)) => Some(after),
            _ => self.earlier.as_deref(),
        }
    }
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// Where it stands.
    pub status: Status,
    /// Attempts begun.
    pub attempt: u32,
    /// Attempts that failed since the step was last taken up anew.
    pub failures: u32,
    /// When the first attempt of this holder began.
    pub began: Option<Moment>,
    /// Its rendered parameters.
    pub params: Option<BlobRef>,
    /// What later steps may refer to.
    pub output: Option<Box<BlobRef>>,
    /// Its effects, in the order in which they were first intended.
    pub effects: EffectList,
    /// What it may have written.
    pub targets: Vec<Target>,
    /// How urgently it is taken back.
    pub class: UndoClass,
    /// One of its effects cannot be taken back after all.
    pub irreversible: bool,
    /// Its evidence was taken, or could not be.
    pub evidence: bool,
    /// Where it stands on its way back.
    pub undo: Undo,
    /// Compensations begun.
    pub undo_attempt: u32,
    /// Compensations that failed since the step was last taken up anew.
    pub undo_failures: u32,
    /// When something of it is over; nothing for most steps.
    times: Option<Box<Times>>,
}

/// The times at which something of a step is over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// When the attempt at work is stopped.
    pub deadline: Option<Moment>,
    /// When a pause is over.
    pub until: Option<Moment>,
    /// When it is no longer taken back alone, while the run goes on.
    pub undo_deadline: Option<Moment>,
}

/// Whom a step waits for, forward and back. Kept apart from the rest of it: the end of one step changes this of all its neighbours.
#[derive(Debug, Clone, Default)]
pub(super) struct Waits {
    pub(super) pending_needs: u32,
    /// A step that it needs and that came to no good end.
    pub(super) missing: Option<u32>,
    /// Steps that need this one and are not clear yet: counts down while the run goes back.
    pub(super) pending_dependents: u32,
    pub(super) in_scope: bool,
    pub(super) clear: bool,
}

impl Waits {
    /// As before anything happened.
    pub(super) fn for_needs(count: usize) -> Self {
        Self { pending_needs: place_number(count), ..Self::default() }
    }
}

impl Default for Step {
    fn default() -> Self {
        Self {
            status: Status::Waiting,
            attempt: 0,
            failures: 0,
            began: None,
            params: None,
            output: None,
            effects: EffectList::default(),
            targets: Vec::new(),
            class: UndoClass::Ordinary,
            irreversible: false,
            evidence: false,
            undo: Undo::No,
            undo_attempt: 0,
            undo_failures: 0,
            times: None,
        }
    }
}

impl Step {
    /// What its effects have touched, those aside of which it is known that they never happened.
    pub fn may_have_touched(&self) -> impl Iterator<Item = &EffectKey> {
        let may_stand = |effect: &Effect| effect.in_flight || effect.known != Some(Settled::NotDone);
        self.effects.iter().filter(move |(_, effect)| may_stand(effect)).map(|(key, _)| key)
    }

    /// When something of it is over.
    pub fn times(&self) -> Times {
        self.times.as_deref().copied().unwrap_or_default()
    }

    /// Changes when something of it is over. Taking away what is not there costs nothing.
    pub(super) fn set_times(&mut self, change: impl FnOnce(&mut Times)) {
        let mut times = self.times();
        change(&mut times);
        match &mut self.times {
            Some(kept) => **kept = times,
            None if times == Times::default() => {}
            None => self.times = Some(Box::new(times)),
        }
    }

    /// True when something that it did, or may have done, is still there.
    pub fn may_have_effects(&self) -> bool {
        self.undo != Undo::Done && self.effects.values().any(|effect| effect.in_flight || effect.known != Some(Settled::NotDone))
    }

    /// The effects that may be in flight.
    pub fn open_effects(&self) -> impl Iterator<Item = (&EffectKey, &Effect)> {
        self.effects.iter().filter(|(_, effect)| effect.in_flight)
    }

    /// True when nobody can tell how one of its effects ended.
    pub fn has_unknown(&self) -> bool {
        self.effects.values().any(|effect| matches!(effect.known, Some(Settled::Unknown(_))))
    }
}

/// A rollback that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollback {
    /// How far it goes.
    pub scope: Scope,
    /// Why.
    pub cause: Cause,
    /// When compensations stop being retried.
    pub deadline: Moment,
    /// When it opened, by this holder.
    pub opened: Moment,
    /// The steps that are taken back, in plan order.
    pub steps: Vec<StepId>,
    /// The holder that opened it.
    pub epoch: u64,
    /// Steps in scope that are not clear.
    pub(super) left: usize,
    /// Steps whose traffic goes back at once, each with the steps that must be undone before.
    pub(super) urgent: Vec<(Index, BTreeSet<Index>)>,
}
