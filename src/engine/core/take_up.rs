//! A process takes the run up that another one left: what was at work is an orphan, what had given up gets another chance.

use super::Core;
use super::state::{Index, Status, Undo};
use crate::record::Mode;

impl Core {
    pub(super) fn epoch_opened(&mut self, epoch: u64, mode: Mode) {
        self.epoch = epoch;
        self.mode = mode;
        self.back_asked |= mode == Mode::Rollback;
        self.halted = None;
        self.closed = None;
        self.halt = None;
        self.deadlines.clear();
        for step in self.running.iter() {
            self.steps[step].deadline = None;
        }
        self.lost.extend(&self.running);
        for step in self.gates.iter().collect::<Vec<_>>() {
            self.watch_gate(step);
        }
        self.take_up_undo();
        if self.rollback.is_none() && mode == Mode::Resume {
            self.take_up_failed();
        }
    }

    /// Compensations that were at work are lost; those that gave up get another chance. The order is made anew when the rollback is opened again.
    fn take_up_undo(&mut self) {
        self.undo_lost.extend(&self.undo_running);
        self.undo_backoff.clear();
        self.undo_deadlines.clear();
        self.undo_urgent.clear();
        self.undo_ready.clear();
        self.verified = None;
        for place in 0..self.steps.len() {
            let step = &mut self.steps[place];
            step.undo_failures = 0;
            step.undo_deadline = None;
            // Time that nobody held the run does not count against a step; a person's time to answer goes on.
            if self.rollback.is_none() && !self.gates.contains(place) {
                step.began = None;
            }
            if matches!(step.undo, Undo::GaveUp | Undo::Backoff(_)) {
                step.undo = Undo::Wanted;
            }
            if step.undo == Undo::Wanted && self.rollback.is_none() {
                self.want_back(place);
            }
        }
    }

    /// Past the pivot a failed step is not undone but tried again when somebody resumes; and what was stopped for a
    /// rollback that never opened goes on.
    fn take_up_failed(&mut self) {
        if self.why_back().is_some() && !self.pivot_passed() {
            return;
        }
        for (step, _) in std::mem::take(&mut self.failures) {
            // One that was being taken back alone goes on being taken back.
            if self.steps[step].status == Status::Failed && self.steps[step].undo == Undo::No {
                self.unfinished += 1;
                self.steps[step].failures = 0;
                self.make_ready_unless_in_doubt(step);
            }
        }
        let cancelled: Vec<Index> = (0..self.steps.len()).filter(|step| self.steps[*step].status == Status::Cancelled).collect();
        for step in cancelled {
            self.unfinished += 1;
            self.make_ready_unless_in_doubt(step);
        }
        self.back_asked = false;
        self.cancel = None;
    }
}
