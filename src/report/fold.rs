//! Folds records and progress into a story. Pure; it tolerates duplicates and gaps, since progress and old records may come in any amount.

use super::story::{Ending, EvidenceStory, Portion, RollbackStory, Status, StepStory, Story, Warning};
use crate::event::Event;
use crate::ids::{Moment, Period, StepId};
use crate::record::{
    AttemptResult, CancelLevel, EffectKey, Failure, Graph, Mark, MarkKind, Mode, Outcome, Record, Reversibility, Settled, UndoResult, What,
};

/// The widest column of step names; a longer name pushes its own line only.
const WIDEST: usize = 24;
/// What a record says of every attempt that met its limit; people want to know which.
const TOO_LONG: &str = "it took longer than it may";

impl Story {
    /// Takes an event in.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Recorded(record) => self.record(record),
            Event::Doing { step, text, .. } => self.entry(step).doing = Some(text.clone()),
            Event::Of { step, done, total, unit } => {
                self.entry(step).of = Some(Portion { done: *done, total: *total, unit: unit.clone() });
            }
            Event::Warning { step, text } => self.warnings.push(Warning { step: step.clone(), text: self.called.complete(text) }),
            Event::Line { .. } | Event::Notice { .. } | Event::Released { .. } => {}
        }
    }

    /// Takes a record in, unless it or a later one was taken in before.
    pub fn record(&mut self, record: &Record) {
        if self.last_seq.is_some_and(|last| record.seq <= last) {
            return;
        }
        self.last_seq = Some(record.seq);
        self.last_at = Some(record.at);
        self.ahead = None;
        self.apply(record.at, &record.what);
    }

    fn apply(&mut self, at: Moment, what: &What) {
        match what {
            What::RunOpened { run, plan, environment, graph, simulated, .. } => {
                self.is_simulated = *simulated;
                self.run = Some(run.clone());
                self.plan = Some(plan.clone());
                self.environment.clone_from(environment);
                self.opened = Some(at);
                self.take_graph(graph);
            }
            What::EpochOpened { holder, mode, .. } => {
                self.holder = Some((holder.clone(), *mode));
                self.back_asked |= *mode == Mode::Rollback;
                self.taken_in_hand();
            }
            What::CancelRequested { level, by } => {
                self.back_asked |= *level == CancelLevel::RollBack;
                if self.cancel.as_ref().is_none_or(|(before, _)| before < level) {
                    self.cancel = Some((*level, by.clone()));
                }
            }
            What::RollbackOpened { scope, cause, deadline } => {
                self.rollback =
                    Some(RollbackStory { scope: scope.clone(), cause: cause.clone(), opened: at, deadline: *deadline, verified: None });
            }
            What::RollbackVerified { failure } => {
                if let Some(rollback) = &mut self.rollback {
                    rollback.verified = Some(failure.clone());
                }
            }
            What::RunHalted { outcome, reason } => self.rest(at, *outcome, Some(reason.clone()), Vec::new()),
            What::RunClosed { outcome, notes } => self.rest(at, *outcome, None, notes.clone()),
            _ => self.apply_to_step(at, what),
        }
    }

    fn apply_to_step(&mut self, at: Moment, what: &What) {
        match what {
            What::StepSkipped { step, reason } => self.entry(step).rest(at, Status::Skipped(reason.clone())),
            What::AttemptStarted { step, attempt, until, .. } => self.entry(step).begin(at, *attempt, *until),
            What::AttemptEnded { step, result, .. } => {
                let limit = self.limit(step, at);
                self.entry(step).end(at, result, limit);
            }
            What::EffectsIntended { step, effects, irreversible, .. } => {
                self.entry(step).intend(effects.iter().map(|(key, _)| key), *irreversible);
            }
            What::EffectSettled { step, key, settled } => self.entry(step).settled(key, settled),
            What::EffectDone { step, key, .. } => {
                let step = self.entry(step);
                step.doubts.retain(|(doubted, _)| doubted != key);
                step.known(key, true);
            }
            What::DoubtAnswered { step, done, .. } => self.entry(step).settled_by_hand(at, *done),
            What::ApprovalAsked { step, message } => self.entry(step).ask(at, message),
            What::ApprovalAnswered { step, approved, by, comment } => self.entry(step).answered(at, *approved, by, comment.as_deref()),
            What::UndoStarted { step, .. } => self.entry(step).begin_undo(at),
            What::UndoEnded { step, result, .. } => {
                let over = self.time_over(step, at);
                self.entry(step).end_undo(at, result, over);
            }
            What::EvidenceKept { step, evidence, error } => {
                self.entry(step).evidence = EvidenceStory { kept: evidence.is_some(), missing: error.clone() };
            }
            _ => {}
        }
    }

    fn take_graph(&mut self, graph: &Graph) {
        // Records of a step that came before the graph must not push it to the front.
        let mut early = std::mem::take(&mut self.steps);
        for summary in &graph.steps {
            let mut step = early.shift_remove(&summary.id).unwrap_or_else(|| StepStory::unknown(&summary.id));
            step.kind = Some(summary.kind.clone());
            step.role = summary.role;
            step.reversibility = summary.reversibility;
            step.stays = summary.stays;
            self.steps.insert(summary.id.clone(), step);
        }
        // Kept, since displays ask for it with every line and a plan may have very many steps.
        self.column = graph.steps.iter().map(|step| step.id.as_str().len()).filter(|length| *length <= WIDEST).max().unwrap_or(0);
        self.graph = Some(graph.clone());
    }

    fn entry(&mut self, id: &StepId) -> &mut StepStory {
        self.steps.entry(id.clone()).or_insert_with(|| StepStory::unknown(id))
    }

    /// The limit that an attempt which ends now has met, if it met one: the step's, or else that of an attempt.
    fn limit(&self, id: &StepId, at: Moment) -> Option<Period> {
        let summary = self.graph.as_ref()?.steps.iter().find(|summary| summary.id == *id)?;
        let so_far = self.step(id).and_then(|step| step.started).map(|started| at.since(started));
        let met = |limit: &Period| so_far.is_none_or(|time| time >= limit.0);
        summary.timeout.filter(met).or(summary.retry.timeout)
    }

    /// Another process took the run: what the one before it had under way is no longer under way, and its rest is over.
    fn taken_in_hand(&mut self) {
        self.ending = None;
        self.cancel = self.cancel.take().filter(|(level, _)| *level == CancelLevel::RollBack);
        for step in self.steps.values_mut() {
            step.anew = true;
            if matches!(step.status, Status::Running | Status::Undoing) {
                step.status = Status::Interrupted;
                step.quieten();
            }
        }
    }

    fn rest(&mut self, at: Moment, outcome: Outcome, reason: Option<String>, notes: Vec<String>) {
        self.ending = Some(Ending { outcome, closed: reason.is_none(), reason, notes, at });
    }
}

impl StepStory {
    fn quieten(&mut self) {
        self.doing = None;
        self.of = None;
    }

    /// Keeps what may happen from now on.
    fn intend<'a>(&mut self, effects: impl Iterator<Item = &'a EffectKey>, irreversible: bool) {
        if irreversible {
            self.reversibility = Reversibility::Irreversible;
        }
        for key in effects {
            self.stands.entry(key.clone()).or_insert(false);
        }
    }

    fn settled<T>(&mut self, key: &EffectKey, settled: &Settled<T>) {
        self.doubts.retain(|(doubted, _)| doubted != key);
        if let Settled::Unknown(why) = settled {
            self.is_half_way = self.status == Status::Running && key.target().is_none();
            self.doubts.push((key.clone(), why.clone()));
        }
        self.known(key, !matches!(settled, Settled::NotDone));
    }

    /// It is known of an effect whether it happened, or may have.
    fn known(&mut self, key: &EffectKey, happened: bool) {
        match happened {
            true => drop(self.stands.insert(key.clone(), true)),
            false => drop(self.stands.swap_remove(key)),
        }
    }

    fn begin(&mut self, at: Moment, attempt: u32, until: Option<Moment>) {
        self.attempts = attempt;
        // The time that nobody held the run is not the step's.
        if std::mem::take(&mut self.anew) {
            self.started = None;
        }
        self.started.get_or_insert(at);
        self.came_to = None;
        self.is_half_way = false;
        self.status = until.map_or(Status::Running, Status::Pausing);
        self.quieten();
    }

    fn ask(&mut self, at: Moment, message: &str) {
        self.begin(at, 1, None);
        self.status = Status::Asking(message.to_owned());
    }

    /// An answer is the end of an approval: no other record follows.
    fn answered(&mut self, at: Moment, approved: bool, by: &str, comment: Option<&str>) {
        if approved {
            return self.rest(at, Status::Done);
        }
        let comment = comment.map(|comment| format!(": {comment}")).unwrap_or_default();
        self.failure = Some(Failure::permanent(format!("rejected by {by}{comment}")));
        self.rest(at, Status::Failed);
    }

    fn rest(&mut self, at: Moment, status: Status) {
        self.ended = Some(at);
        self.came_to = (!status.is_live()).then(|| status.clone());
        self.status = status;
        self.quieten();
    }

    fn end(&mut self, at: Moment, result: &AttemptResult, limit: Option<Period>) {
        if *result != AttemptResult::Interrupted {
            // What was watched to its end and is not known was never begun.
            self.stands.retain(|_, known| *known);
        }
        let (failure, retry_at, last) = match result {
            AttemptResult::Succeeded { .. } => {
                self.failure = None;
                return self.rest(at, Status::Done);
            }
            AttemptResult::Cancelled => return self.rest(at, Status::Cancelled),
            AttemptResult::Interrupted => return self.rest(at, Status::Interrupted),
            AttemptResult::Failed { failure, retry_at } => (failure, *retry_at, Status::Failed),
            AttemptResult::TimedOut { failure, retry_at } => (failure, *retry_at, Status::TimedOut),
        };
        let mut failure = failure.clone();
        if let (true, Some(limit)) = (failure.message == TOO_LONG, limit) {
            failure.message = format!("it took longer than its {limit}");
        }
        self.failure = Some(failure);
        self.rest(at, retry_at.map_or(last, Status::Backoff));
    }

    /// Done, it counts as done; not done, its turn comes again.
    fn settled_by_hand(&mut self, at: Moment, done: bool) {
        for (key, _) in std::mem::take(&mut self.doubts) {
            self.known(&key, done);
        }
        match done {
            true => self.rest(at, Status::Done),
            // What has failed is not tried again by that.
            false if matches!(self.status, Status::Failed | Status::TimedOut | Status::Cancelled) => {}
            false => self.status = Status::Waiting,
        }
    }

    fn begin_undo(&mut self, at: Moment) {
        if std::mem::take(&mut self.anew) {
            self.undo_started = None;
            self.undo_tries = 0;
        }
        self.undo_started.get_or_insert(at);
        self.is_out_of_time = false;
        self.status = Status::Undoing;
        self.quieten();
    }

    fn end_undo(&mut self, at: Moment, result: &UndoResult, over: Option<String>) {
        self.undo_ended = Some(at);
        self.quieten();
        match result {
            UndoResult::Undone { marks } => {
                self.undo_failure = None;
                // What is taken back is in doubt no longer, and does not stand.
                self.doubts.clear();
                self.stands.clear();
                self.undone(marks);
            }
            UndoResult::Failed { failure, marks, retry_at: Some(at) } => self.undo_failed(failure.clone(), marks, Some(*at)),
            UndoResult::Failed { failure, marks, retry_at: None } => {
                let failure = over.map_or_else(|| failure.clone(), |over| self.out_of_time(failure, over));
                self.undo_failed(failure, marks, None);
            }
            UndoResult::Interrupted => self.status = Status::Interrupted,
        }
    }

    fn undone(&mut self, marks: &[Mark]) {
        let has = |kind| marks.iter().any(|mark| mark.kind == kind);
        self.status = match (has(MarkKind::Residue), has(MarkKind::Kept)) {
            (true, _) => Status::Residue,
            (false, true) => Status::Kept,
            (false, false) => Status::Undone,
        };
        self.marks = marks.to_vec();
    }

    fn undo_failed(&mut self, failure: Failure, marks: &[Mark], retry_at: Option<Moment>) {
        self.undo_failed_alike = self.undo_tries > 0 && self.undo_failure.as_ref() == Some(&failure);
        self.undo_tries += 1;
        self.undo_failure = Some(failure);
        self.marks = marks.to_vec();
        self.status = retry_at.map_or(Status::Residue, Status::UndoBackoff);
    }
}

#[cfg(test)]
mod tests;
