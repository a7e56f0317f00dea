//! What to do next. It costs what changed, not what exists.

use super::Core;
use super::limits::Room;
use super::place_set::PlaceSet;
use super::state::{Index, Status};
use crate::ids::{Moment, StepId};
use crate::record::{AttemptResult, Cause, Failure, Outcome, Role, Scope, SkipReason, UndoClass, UndoResult, What};

/// What is to be done, and when to ask again if nothing happens before.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decision {
    /// In this order. A command stands here until a record shows that it was carried out.
    pub commands: Vec<Command>,
    /// The next moment at which the clock alone changes something.
    pub wake: Option<Moment>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Nothing outside is needed: append this record.
    Record(What),
    /// Begin an attempt, ask for an approval, or find that the step's condition is false.
    Start {
        /// The step.
        step: StepId,
        /// The attempt's number.
        attempt: u32,
    },
    /// Stop the attempt at work; its end comes as a record.
    Stop {
        /// The step.
        step: StepId,
        /// Why.
        reason: StopReason,
    },
    /// Look up the effects of an attempt whose process is gone.
    Settle {
        /// The step.
        step: StepId,
    },
    /// Begin a compensation.
    StartUndo {
        /// The step.
        step: StepId,
        /// The compensation's number.
        attempt: u32,
    },
    /// Stop a compensation: its time is over.
    StopUndo {
        /// The step.
        step: StepId,
    },
    /// Keep what explains the failure of this step.
    TakeEvidence {
        /// The step.
        step: StepId,
    },
    /// Look whether the world is as it must be after the rollback.
    Verify {
        /// How far it went.
        scope: Scope,
    },
    /// Stop everything where it is, leave the run open.
    Halt {
        /// Why.
        reason: String,
    },
}

/// Why an attempt is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// Its time is over.
    TimedOut,
    /// The run goes back.
    GoingBack,
}

impl Core {
    /// Says what to do now.
    pub fn decide(&self, now: Moment) -> Decision {
        let mut out = Decision::default();
        if self.run.is_none() || self.closed.is_some() || self.halted.is_some() {
            return out;
        }
        self.pick_up_lost(&mut out);
        if let Some(by) = &self.halt {
            out.commands.push(Command::Halt { reason: format!("stopped by {by}") });
            return out;
        }
        match &self.rollback {
            Some(open) if open.epoch < self.epoch => self.reopen_rollback(&mut out, open.scope.clone(), open.cause.clone(), now),
            Some(_) => self.go_back(&mut out, now),
            None => match self.why_back() {
                Some((scope, cause)) => self.turn_back(&mut out, scope, cause, now),
                None => self.go_forward(&mut out, now),
            },
        }
        out.wake = self.next_wake(now);
        out
    }

    fn id(&self, step: Index) -> StepId {
        self.graph.steps[step].id.clone()
    }

    fn ended(&self, step: Index, result: AttemptResult) -> Command {
        Command::Record(What::AttemptEnded { step: self.id(step), attempt: self.steps[step].attempt.max(1), result })
    }

    /// What the last holder left at work.
    fn pick_up_lost(&self, out: &mut Decision) {
        // Their attempts have their ends: only what they did is asked for once more.
        out.commands.extend(self.unsure.iter().map(|step| Command::Settle { step: self.id(step) }));
        for step in self.lost.iter() {
            out.commands.push(match self.steps[step].open_effects().next() {
                Some(_) => Command::Settle { step: self.id(step) },
                None => self.ended(step, AttemptResult::Interrupted),
            });
        }
        for step in self.undo_lost.iter() {
            let attempt = self.steps[step].undo_attempt;
            out.commands.push(Command::Record(What::UndoEnded { step: self.id(step), attempt, result: UndoResult::Interrupted }));
        }
    }

    fn go_forward(&self, out: &mut Decision, now: Moment) {
        for (step, need) in self.to_skip.iter().filter_map(|step| Some((step, self.waits[step].missing?))) {
            let reason = SkipReason::Needs(self.id(need as Index));
            out.commands.push(Command::Record(What::StepSkipped { step: self.id(step), reason }));
        }
        self.watch_deadlines(out, now);
        let mut room = self.limits.room();
        let places = self.start_undo(out, now, &mut room);
        self.start_due(out, now, places, &mut room);
        if self.unfinished == 0 && self.is_undo_quiet() {
            out.commands.push(Command::Record(What::RunClosed { outcome: Outcome::Succeeded, notes: self.closing_notes() }));
        } else if !self.doubtful.is_empty() && self.is_quiet() && out.commands.is_empty() {
            let reason = match self.doubtful.iter().collect::<Vec<_>>().as_slice() {
                [one] => format!("nobody can tell whether {} was done", self.id(*one)),
                several => format!("of {} steps nobody can tell whether they were done", several.len()),
            };
            out.commands.push(Command::Record(What::RunHalted { outcome: Outcome::Halted, reason }));
        }
    }

    /// True when nothing is at work and nothing waits for the clock or a person.
    fn is_quiet(&self) -> bool {
        let forward = self.running.is_empty() && self.gates.is_empty() && self.backoff.is_empty();
        let forward = forward && self.ready.is_empty() && self.limits.is_line_empty();
        forward && self.is_undo_quiet()
    }

    /// True when nothing is taken back, or waits to be.
    fn is_undo_quiet(&self) -> bool {
        let waiting = !self.undo_urgent.is_empty() || !self.undo_ready.is_empty() || !self.undo_backoff.is_empty();
        !waiting && self.undo_running.is_empty()
    }

    fn closing_notes(&self) -> Vec<String> {
        let failed = self.steps().filter(|(_, step)| step.status == Status::Failed);
        failed.map(|(id, _)| format!("{id} failed and the run went on without it")).collect()
    }

    fn watch_deadlines(&self, out: &mut Decision, now: Moment) {
        // What is taken back alone holds up a halt, too, until it ends.
        let over = self.undo_deadlines.iter().take_while(|(at, _)| *at <= now);
        out.commands.extend(over.map(|(_, step)| Command::StopUndo { step: self.id(*step) }));
        for (_, step) in self.deadlines.iter().take_while(|(at, _)| *at <= now) {
            let state = &self.steps[*step];
            out.commands.push(match (self.graph.steps[*step].role, state.times().until) {
                (Role::Pause, Some(until)) if until <= now => self.ended(*step, AttemptResult::Succeeded { output: None }),
                (Role::Action, _) => Command::Stop { step: self.id(*step), reason: StopReason::TimedOut },
                _ => {
                    let failure = Failure::permanent("nobody answered in time");
                    self.ended(*step, AttemptResult::TimedOut { failure, retry_at: None })
                }
            });
        }
    }

    /// Places that nobody works at.
    fn free_places(&self) -> usize {
        let limit = match self.graph.concurrency {
            0 => usize::MAX,
            limit => limit as usize,
        };
        limit.saturating_sub(self.running.len() + self.undo_running.len())
    }

    fn start_due(&self, out: &mut Decision, now: Moment, mut free: usize, room: &mut Room<'_>) {
        // What waits to be tried again holds its places all the while.
        let due = self.backoff.iter().take_while(|(at, _)| *at <= now).map(|(_, step)| *step);
        for step in due.chain(in_order(self.ready.iter(), room.admit())) {
            let role = self.graph.steps[step].role;
            match role {
                // A savepoint is reached when nothing before it is half done.
                Role::Guard if self.is_undoing_within(step) => {}
                Role::Guard => out.commands.push(self.ended(step, AttemptResult::Succeeded { output: None })),
                Role::Action if free == 0 => break,
                Role::Action | Role::Approve | Role::Pause => {
                    free -= usize::from(role == Role::Action);
                    out.commands.push(Command::Start { step: self.id(step), attempt: self.steps[step].attempt + 1 });
                }
            }
        }
    }

    fn is_undoing_within(&self, guard: Index) -> bool {
        let sets = [&self.undo_urgent, &self.undo_ready, &self.undo_running].into_iter().flat_map(PlaceSet::iter);
        let mut undoing = sets.chain(self.undo_backoff.iter().map(|(_, step)| *step));
        let guard = self.graph.guards.iter().find(|summary| summary.id == self.graph.steps[guard].id);
        undoing.any(|step| guard.is_some_and(|guard| guard.guards.contains(&self.graph.steps[step].id)))
    }

    /// Something failed or somebody wants back: stops what is at work and opens the rollback, unless the pivot is passed.
    fn turn_back(&self, out: &mut Decision, scope: Scope, cause: Cause, now: Moment) {
        // What cannot be taken back is not cut off in the middle: it has its own time limits.
        self.watch_deadlines(out, now);
        self.stop_running(out, |step| !(self.is_irreversible(step) && self.steps[step].open_effects().next().is_some()));
        let is_looked_up = !self.lost.is_empty() || !self.unsure.is_empty() || !self.undo_lost.is_empty();
        if is_looked_up || self.running.iter().any(|step| self.is_irreversible(step)) {
            return;
        }
        if self.stays_where_it_failed() {
            return self.halt_at(out, &cause, "nothing is taken back, as `--no-rollback` said");
        }
        let Some(pivot) = self.pivot_within(&scope) else {
            let deadline = now.after(self.terms(&scope).0);
            out.commands.push(Command::Record(What::RollbackOpened { scope, cause, deadline }));
            return;
        };
        self.halt_at(out, &cause, &format!("{} cannot be taken back", self.id(pivot)));
    }

    /// Halts once nothing is at work any more.
    fn halt_at(&self, out: &mut Decision, cause: &Cause, but: &str) {
        if self.running.is_empty() && self.undo_running.is_empty() {
            let failed = cause.step.as_ref().map(|step| format!("{step}: ")).unwrap_or_default();
            let reason = format!("{failed}{}; {but}", cause.reason);
            out.commands.push(Command::Record(What::RunHalted { outcome: Outcome::Halted, reason }));
        }
    }

    fn reopen_rollback(&self, out: &mut Decision, scope: Scope, cause: Cause, now: Moment) {
        if !self.lost.is_empty() || !self.undo_lost.is_empty() {
            return;
        }
        let scope = if self.back_asked { self.scope_asked() } else { scope };
        match self.pivot_within(&scope) {
            None => {
                let deadline = now.after(self.terms(&scope).0);
                out.commands.push(Command::Record(What::RollbackOpened { scope, cause, deadline }));
            }
            Some(pivot) => {
                let reason = format!("{} cannot be taken back", self.id(pivot));
                out.commands.push(Command::Record(What::RunHalted { outcome: Outcome::Halted, reason }));
            }
        }
    }

    fn stop_running(&self, out: &mut Decision, may_stop: impl Fn(Index) -> bool) {
        for step in self.running.iter().filter(|step| !self.lost.contains(*step) && may_stop(*step)) {
            out.commands.push(Command::Stop { step: self.id(step), reason: StopReason::GoingBack });
        }
    }

    fn go_back(&self, out: &mut Decision, now: Moment) {
        let Some(rollback) = &self.rollback else { return };
        self.stop_running(out, |_| true);
        let evidence = rollback.cause.step.clone().filter(|step| self.wants_evidence(step));
        out.commands.extend(evidence.clone().map(|step| Command::TakeEvidence { step }));
        if now >= rollback.deadline {
            out.commands.extend(self.undo_running.iter().map(|step| Command::StopUndo { step: self.id(step) }));
        } else {
            self.start_undo(out, now, &mut self.limits.room());
        }
        let working = !self.running.is_empty() || !self.undo_running.is_empty() || evidence.is_some();
        let waiting =
            now < rollback.deadline && !(self.undo_urgent.is_empty() && self.undo_ready.is_empty() && self.undo_backoff.is_empty());
        if !working && !waiting {
            self.end_rollback(out, rollback.left, &rollback.scope);
        }
    }

    fn end_rollback(&self, out: &mut Decision, left: usize, scope: &Scope) {
        let end = |outcome, reason: &str| Command::Record(What::RunHalted { outcome, reason: reason.to_owned() });
        out.commands.push(match (&self.verified, left) {
            (_, 1..) => end(Outcome::Stuck, "not everything could be taken back"),
            // Where nothing was taken back there is nothing to look at.
            (None, 0) if self.terms(scope).1 && self.rollback.as_ref().is_some_and(|open| !open.steps.is_empty()) => {
                Command::Verify { scope: scope.clone() }
            }
            (Some(Some(failure)), 0) => end(Outcome::Stuck, &format!("everything is taken back, but {}", failure.message)),
            (None | Some(None), 0) => Command::Record(What::RunClosed { outcome: Outcome::RolledBack, notes: Vec::new() }),
        });
    }

    /// Begins what may be taken back now, and returns the places that are left.
    fn start_undo(&self, out: &mut Decision, now: Moment, room: &mut Room<'_>) -> usize {
        let mut free = self.free_places();
        let start = |step: Index| Command::StartUndo { step: self.id(step), attempt: self.steps[step].undo_attempt + 1 };
        out.commands.extend(self.undo_urgent.iter().filter(|step| room.take(*step)).map(start));
        let due = self.undo_backoff.iter().take_while(|(at, _)| *at <= now).map(|(_, step)| *step);
        for step in due.chain(self.undo_ready.iter()) {
            let is_ordinary = matches!(self.steps[step].class, UndoClass::Ordinary);
            if is_ordinary && free == 0 {
                // Traffic that is tried again takes no place; after it come ordinary steps only.
                if self.undo_ready.contains(step) {
                    break;
                }
                continue;
            }
            if room.take(step) {
                free -= usize::from(is_ordinary);
                out.commands.push(start(step));
            }
        }
        free
    }

    fn next_wake(&self, now: Moment) -> Option<Moment> {
        let first = |queue: &std::collections::BTreeSet<(Moment, Index)>| queue.range((now, Index::MAX)..).next().map(|(at, _)| *at);
        let deadline = self.rollback.as_ref().map(|rollback| rollback.deadline).filter(|deadline| *deadline > now);
        [first(&self.backoff), first(&self.deadlines), first(&self.undo_backoff), first(&self.undo_deadlines), deadline]
            .into_iter()
            .flatten()
            .min()
    }
}

/// Two ascending lists as one.
fn in_order(one: impl Iterator<Item = Index>, other: impl IntoIterator<Item = Index>) -> impl Iterator<Item = Index> {
    let (mut one, mut other) = (one.peekable(), other.into_iter().peekable());
    std::iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some(first), Some(second)) if second < first => other.next(),
        (Some(_), _) => one.next(),
        (None, _) => other.next(),
    })
}
