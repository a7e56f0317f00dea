//! Drives the core through one case: plays the journal, the actions, the clock and the crashes.

use super::case::{Case, Dice};
use super::invariants;
use crate::engine::core::{Command, Core, Status, StopReason};
use crate::ids::{Moment, PlanName, RunId, StepId};
use crate::record::{
    AttemptResult, BlobRef, CancelLevel, Digest, EffectKey, Failure, Holder, Mark, MarkKind, Mode, Outcome, Record, Role, Settled,
    SkipReason, UndoResult, What,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A deliberate mistake in what carries the core's commands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// An effect leaves although its undo was never journaled.
    DropIntent,
    /// A retry replaces the undo by a picture of what the first attempt left.
    Recapture,
    /// A step starts before what it needs is done.
    StartEarly,
    /// A failed step is taken for one that did nothing.
    ForgetFailed,
    /// A step is taken back before those that stand on it.
    UndoOutOfOrder,
}

/// What the cases went through: a simulation that never crashes proves nothing.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Tally {
    pub(super) records: u64,
    pub(super) crashes: u64,
    pub(super) succeeded: u64,
    pub(super) rolled_back: u64,
    pub(super) stuck: u64,
    pub(super) halted: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.crashes += other.crashes;
        self.succeeded += other.succeeded;
        self.rolled_back += other.rolled_back;
        self.stuck += other.stuck;
        self.halted += other.halted;
    }
}

impl Tally {
    pub(super) fn assert_wide(&self) {
        let ended = self.succeeded + self.rolled_back + self.stuck + self.halted;
        assert!(self.crashes * 4 > ended, "too few crashes: {self:?}");
        let rarest = [self.succeeded, self.rolled_back, self.stuck, self.halted].into_iter().min();
        assert!(rarest.is_some_and(|rarest| rarest * 400 > ended), "one outcome is hardly met: {self:?}");
    }
}

/// An attempt at work.
#[derive(Debug)]
struct Attempt {
    step: usize,
    number: u32,
    fails: bool,
    intended: bool,
    /// Effects begun, and recorded.
    begun: usize,
    recorded: usize,
    stop: Option<StopReason>,
}

#[derive(Debug)]
struct UndoWork {
    step: usize,
    number: u32,
    fails: bool,
    restored: usize,
    stop: bool,
}

pub(super) struct Runner<'a> {
    pub(super) case: &'a Case,
    flaw: Option<Flaw>,
    dice: Dice,
    pub(super) core: Core,
    pub(super) records: Vec<Record>,
    durable: usize,
    since_start: u64,
    now: Moment,
    /// What stands outside: 0 before the run.
    pub(super) world: World,
    recaptured: BTreeMap<(usize, usize), i64>,
    attempts: Vec<Attempt>,
    undos: Vec<UndoWork>,
    undo_failures: Vec<u32>,
    in_hand: BTreeSet<StepId>,
    crash_after: Vec<u64>,
    resumes: u32,
    tally: Tally,
}

/// What stands outside, by step and effect.
pub(super) type World = BTreeMap<(usize, usize), i64>;

type Run<T> = Result<T, String>;

impl<'a> Runner<'a> {
    pub(super) fn new(case: &'a Case, flaw: Option<Flaw>) -> Self {
        let core = Core::new(case.graph.clone()).expect("cases are sound");
        Self {
            case,
            flaw,
            dice: case.dice.clone(),
            core,
            records: Vec::new(),
            durable: 0,
            since_start: 0,
            now: Moment::from_millis(0),
            world: BTreeMap::new(),
            recaptured: BTreeMap::new(),
            attempts: Vec::new(),
            undos: Vec::new(),
            undo_failures: case.scripts.iter().map(|script| script.undo_failures).collect(),
            in_hand: BTreeSet::new(),
            crash_after: case.crash_after.clone(),
            resumes: 0,
            tally: Tally::default(),
        }
    }

    /// Runs to the end; tells the tally, and what stands outside.
    pub(super) fn run(mut self) -> Run<(Tally, World)> {
        self.record(What::RunOpened {
            run: RunId::new("r").expect("valid"),
            plan: PlanName::new("p").expect("valid"),
            environment: None,
            graph: Arc::new(self.case.graph.clone()),
            frozen: blob(0),
        })?;
        let tally = self.go_on().map_err(|why| format!("{why}\n{}\n{}", self.picture(), self.plan()))?;
        self.world.retain(|_, value| *value != 0);
        Ok((tally, self.world))
    }

    fn plan(&self) -> String {
        let step = |(summary, script): (&crate::record::StepSummary, &super::case::Script)| {
            let needs: Vec<&str> = summary.needs.iter().map(StepId::as_str).collect();
            format!(
                "{} {:?} {:?} needs {needs:?} continue {} idempotent {} {script:?}",
                summary.id, summary.role, summary.reversibility, summary.continue_on_error, summary.idempotent
            )
        };
        let steps: Vec<String> = self.case.graph.steps.iter().zip(&self.case.scripts).map(step).collect();
        format!("{}\n{:?}", steps.join("\n"), self.case.graph.guards)
    }

    fn go_on(&mut self) -> Run<Tally> {
        for _ in 0..20_000 {
            if self.crash_is_due() {
                self.crash()?;
            }
            if self.core.closed().is_some() || (self.core.halted().is_some() && !self.take_up()?) {
                return self.finish();
            }
            self.disturb()?;
            let decision = self.core.decide(self.now);
            let mut moved = false;
            for command in decision.commands {
                moved |= self.carry_out(command)?;
                if self.crash_is_due() {
                    break;
                }
            }
            if moved || self.work()? {
                continue;
            }
            match decision.wake {
                Some(wake) => self.now = wake,
                None if self.answer()? => {}
                None => return Err("the run hangs".to_owned()),
            }
        }
        Err("the run does not end".to_owned())
    }

    /// The person who was asked comes back at last.
    fn answer(&mut self) -> Run<bool> {
        let asked = (0..self.case.scripts.len()).find(|step| self.state(*step).status == Status::Asking);
        let Some(step) = asked else { return Ok(false) };
        let (approved, by) = (self.case.scripts[step].approves, "somebody".to_owned());
        self.record(What::ApprovalAnswered { step: self.id(step), approved, by, comment: None }).map(|()| true)
    }

    fn picture(&self) -> String {
        let steps: Vec<_> = self.core.steps().map(|(id, step)| (id.clone(), step.status, step.undo, step.pending_dependents)).collect();
        let records: Vec<String> = self.records.iter().skip(1).map(|record| format!("{} {:?}", record.seq, record.what)).collect();
        format!("{steps:?}\n{}", records.join("\n"))
    }

    fn finish(&mut self) -> Run<Tally> {
        invariants::hold_at_the_end(self)?;
        match self.core.closed().or(self.core.halted().map(|(outcome, _)| outcome)) {
            Some(Outcome::Succeeded) => self.tally.succeeded += 1,
            Some(Outcome::RolledBack) => self.tally.rolled_back += 1,
            Some(Outcome::Stuck) => self.tally.stuck += 1,
            _ => self.tally.halted += 1,
        }
        self.tally.records += self.records.len() as u64;
        Ok(self.tally)
    }

    fn record(&mut self, what: What) -> Run<()> {
        let record = Record { v: 1, seq: self.core.next_seq(), at: self.now, epoch: self.core.epoch().max(1), what };
        self.push(record)
    }

    fn push(&mut self, record: Record) -> Run<()> {
        self.core.apply(&record).map_err(|illegal| format!("{illegal}\n{record:?}"))?;
        self.records.push(record);
        self.since_start += 1;
        Ok(())
    }

    fn crash_is_due(&self) -> bool {
        self.crash_after.last().is_some_and(|after| self.since_start >= *after)
    }

    /// The process is gone, with everything that was not durable.
    fn crash(&mut self) -> Run<()> {
        self.crash_after.pop();
        self.tally.crashes += 1;
        let kept = self.durable + self.dice.below(self.records.len() - self.durable + 1);
        self.records.truncate(kept.max(1));
        let mode = if !self.case.steady && self.dice.one_in(5) { Mode::Rollback } else { Mode::Resume };
        self.start_again(mode)
    }

    fn start_again(&mut self, mode: Mode) -> Run<()> {
        self.core = Core::replay(&self.records).map_err(|illegal| format!("the journal does not replay: {illegal}"))?;
        (self.durable, self.since_start) = (self.records.len(), 0);
        self.attempts.clear();
        self.undos.clear();
        self.in_hand.clear();
        if self.core.closed().is_some() {
            return Ok(());
        }
        let epoch = self.core.epoch() + 1;
        let holder = Holder { host: "h".into(), pid: 1, started: 1, boot: "b".into(), user: "u".into() };
        let what = What::EpochOpened { holder, mode, spared: Vec::new() };
        self.push(Record { v: 1, seq: self.core.next_seq(), at: self.now, epoch, what })
    }

    /// Takes up a run that rests, a few times.
    fn take_up(&mut self) -> Run<bool> {
        self.resumes += 1;
        let stuck = matches!(self.core.halted(), Some((Outcome::Stuck, _)));
        if self.resumes > 4 || (stuck && self.dice.one_in(2)) {
            return Ok(false);
        }
        self.durable = self.records.len();
        self.start_again(Mode::Resume)?;
        let doubtful: Vec<usize> = (0..self.case.scripts.len()).filter(|step| self.state(*step).status == Status::Doubtful).collect();
        for step in doubtful {
            let done = (0..self.case.scripts[step].effects).all(|effect| self.world.get(&(step, effect)) == Some(&1));
            if !done {
                // Whoever says "not done" has made it so.
                self.world.retain(|(owner, _), _| *owner != step);
            }
            self.record(What::DoubtAnswered { step: self.id(step), done, by: "somebody".into() })?;
        }
        Ok(true)
    }

    fn disturb(&mut self) -> Run<()> {
        let seq = Some(self.core.next_seq());
        if self.core.halted().is_some() || self.core.closed().is_some() {
            return Ok(());
        }
        if self.case.cancel_at == seq {
            self.record(What::CancelRequested { level: CancelLevel::RollBack, by: "somebody".into() })?;
        } else if self.case.halt_at == seq {
            self.record(What::CancelRequested { level: CancelLevel::Halt, by: "somebody".into() })?;
        }
        Ok(())
    }

    pub(super) fn id(&self, step: usize) -> StepId {
        self.case.graph.steps[step].id.clone()
    }

    pub(super) fn state(&self, step: usize) -> &crate::engine::core::Step {
        &self.core.steps[step]
    }

    fn place(&self, id: &StepId) -> usize {
        self.core.places.find(&self.core.graph, id).expect("a step of the graph")
    }

    /// Carries a command out, or finds that it is in hand. True when something changed.
    fn carry_out(&mut self, command: Command) -> Run<bool> {
        match command {
            Command::Record(what) => self.record(what).map(|()| true),
            Command::Start { step, attempt } => self.start(&step, attempt),
            Command::Stop { step, reason } => {
                let step = self.place(&step);
                let found = self.attempts.iter_mut().find(|attempt| attempt.step == step && attempt.stop.is_none());
                Ok(found.map(|attempt| attempt.stop = Some(reason)).is_some())
            }
            Command::Settle { step } => self.settle(&step).map(|()| true),
            Command::StartUndo { step, attempt } => self.start_undo(&step, attempt),
            Command::StopUndo { step } => {
                let step = self.place(&step);
                let found = self.undos.iter_mut().find(|undo| undo.step == step && !undo.stop);
                Ok(found.map(|undo| undo.stop = true).is_some())
            }
            Command::TakeEvidence { step } => {
                let late = self.in_hand.insert(step.clone()) || !self.dice.one_in(3);
                if !late {
                    self.record(What::EvidenceKept { step, evidence: None, error: None })?;
                }
                Ok(!late || (self.attempts.is_empty() && self.undos.is_empty()))
            }
            Command::Verify { .. } => self.record(What::RollbackVerified { failure: None }).map(|()| true),
            Command::Halt { reason } => self.record(What::RunHalted { outcome: Outcome::Halted, reason }).map(|()| true),
        }
    }

    fn start(&mut self, id: &StepId, attempt: u32) -> Run<bool> {
        let step = self.place(id);
        if self.flaw == Some(Flaw::StartEarly)
            && let Some(early) = (0..self.case.scripts.len()).find(|step| self.state(*step).status == Status::Waiting)
        {
            self.world.insert((early, 0), 1);
        }
        let script = &self.case.scripts[step];
        let until = match self.case.graph.steps[step].role {
            Role::Approve => {
                let (approved, by) = (script.approves, "somebody".to_owned());
                self.record(What::ApprovalAsked { step: id.clone(), message: String::new() })?;
                if !self.dice.one_in(3) {
                    self.record(What::ApprovalAnswered { step: id.clone(), approved, by, comment: None })?;
                }
                return Ok(true);
            }
            Role::Pause => Some(self.now.after(std::time::Duration::from_secs(5))),
            _ if script.skipped => {
                return self.record(What::StepSkipped { step: id.clone(), reason: SkipReason::Condition }).map(|()| true);
            }
            _ => None,
        };
        let (targets, fails) = (script.targets.clone(), self.state(step).failures < script.failures);
        self.record(What::AttemptStarted { step: id.clone(), attempt, params: Some(blob(0)), targets, until })?;
        if until.is_none() {
            self.attempts.push(Attempt { step, number: attempt, fails, intended: false, begun: 0, recorded: 0, stop: None });
        }
        Ok(true)
    }

    fn settle(&mut self, id: &StepId) -> Run<()> {
        let step = self.place(id);
        let open: Vec<EffectKey> = self.state(step).open_effects().map(|(key, _)| key.clone()).collect();
        for effect in open {
            let done = self.world.get(&(step, number(&effect))) == Some(&1);
            let settled = match (self.case.scripts[step].opaque, done) {
                (true, _) => Settled::Unknown("opaque".into()),
                (false, true) => Settled::Done(blob(1)),
                (false, false) => Settled::NotDone,
            };
            self.record(What::EffectSettled { step: id.clone(), key: effect, settled })?;
        }
        Ok(())
    }

    fn start_undo(&mut self, id: &StepId, attempt: u32) -> Run<bool> {
        let step = self.place(id);
        if self.flaw == Some(Flaw::UndoOutOfOrder)
            && let Some(other) = (0..step).find(|other| self.state(*other).undo == crate::engine::core::Undo::No && self.touched(*other))
        {
            invariants::may_be_undone(self, other)?;
        }
        self.record(What::UndoStarted { step: id.clone(), attempt })?;
        let fails = self.undo_failures[step] > 0;
        self.undo_failures[step] -= u32::from(fails);
        self.undos.push(UndoWork { step, number: attempt, fails, restored: 0, stop: false });
        Ok(true)
    }

    pub(super) fn touched(&self, step: usize) -> bool {
        self.world.range((step, 0)..(step + 1, 0)).any(|(_, value)| *value != 0)
    }

    /// Lets one attempt or compensation, chosen by the dice, do its next bit of work.
    fn work(&mut self) -> Run<bool> {
        let able: Vec<usize> = (0..self.attempts.len()).filter(|place| self.can_move(&self.attempts[*place])).collect();
        let all = able.len() + self.undos.len();
        if all == 0 {
            return Ok(false);
        }
        match self.dice.below(all) {
            place if place < able.len() => self.work_on_attempt(able[place])?,
            place => self.work_on_undo(place - able.len())?,
        }
        Ok(true)
    }

    fn can_move(&self, attempt: &Attempt) -> bool {
        let script = &self.case.scripts[attempt.step];
        let hangs = attempt.fails && script.hangs && attempt.begun >= script.fails_after && attempt.begun == attempt.recorded;
        attempt.stop.is_some() || !hangs
    }

    fn work_on_attempt(&mut self, place: usize) -> Run<()> {
        let script = &self.case.scripts[self.attempts[place].step];
        let attempt = &self.attempts[place];
        let (step, id) = (attempt.step, self.id(attempt.step));
        if attempt.begun > attempt.recorded {
            let effect = attempt.recorded;
            self.attempts[place].recorded += 1;
            return self.record(What::EffectDone { step: id, key: key(effect), after: blob(1) });
        }
        let over = attempt.stop.is_some() || attempt.begun == script.effects || (attempt.fails && attempt.begun >= script.fails_after);
        if !attempt.intended && !over {
            self.attempts[place].intended = true;
            return self.intend(step);
        }
        if !over {
            let effect = attempt.begun;
            self.durable = self.records.len();
            if self.flaw != Some(Flaw::DropIntent) || effect > 0 {
                invariants::may_leave(self, step, &key(effect))?;
            }
            self.world.insert((step, effect), 1);
            self.attempts[place].begun += 1;
            return Ok(());
        }
        self.end_attempt(place)
    }

    fn intend(&mut self, step: usize) -> Run<()> {
        let script = &self.case.scripts[step];
        let mut effects = Vec::new();
        for effect in 0..script.effects {
            let before = self.world.get(&(step, effect)).copied().unwrap_or(0);
            if self.flaw == Some(Flaw::DropIntent) && effect == 0 {
                continue;
            }
            if self.flaw == Some(Flaw::Recapture) {
                self.recaptured.insert((step, effect), before);
            }
            effects.push((key(effect), blob(before)));
        }
        self.record(What::EffectsIntended { step: self.id(step), effects, class: Some(script.class.clone()), irreversible: false })
    }

    fn end_attempt(&mut self, place: usize) -> Run<()> {
        let attempt = self.attempts.swap_remove(place);
        let id = self.id(attempt.step);
        let failure = Failure { retriable: true, ..Failure::permanent("it failed") };
        let retry_at = self.core.retry_delay(&id, &failure, self.now).map(|delay| self.now.after(delay));
        let result = match attempt.stop {
            Some(StopReason::GoingBack) => AttemptResult::Cancelled,
            Some(StopReason::TimedOut) => AttemptResult::TimedOut { failure, retry_at },
            None if attempt.fails => AttemptResult::Failed { failure, retry_at },
            None => AttemptResult::Succeeded { output: None },
        };
        self.record(What::AttemptEnded { step: id, attempt: attempt.number, result })
    }

    fn work_on_undo(&mut self, place: usize) -> Run<()> {
        let undo = &self.undos[place];
        let (step, id, number) = (undo.step, self.id(undo.step), undo.number);
        let effects = self.case.scripts[step].effects;
        let forgets = self.flaw == Some(Flaw::ForgetFailed) && self.state(step).status == Status::Failed;
        let gives_up = undo.fails && undo.restored >= effects / 2;
        if undo.restored < effects && !forgets && !gives_up && !undo.stop {
            let effect = undo.restored;
            self.undos[place].restored += 1;
            return self.restore(step, effect);
        }
        let undo = self.undos.swap_remove(place);
        let failure = Failure { retriable: true, ..Failure::permanent("it cannot be taken back") };
        let result = match undo.fails || undo.stop {
            true => {
                let retry_at = self.core.undo_delay(&id, &failure, self.now).map(|delay| self.now.after(delay));
                UndoResult::Failed { failure, marks: Vec::new(), retry_at }
            }
            false => UndoResult::Undone { marks: vec![Mark { key: key(0), kind: MarkKind::Restored, notes: Vec::new() }] },
        };
        self.record(What::UndoEnded { step: id, attempt: number, result })
    }

    fn restore(&mut self, step: usize, effect: usize) -> Run<()> {
        self.durable = self.records.len();
        if self.world.get(&(step, effect)).copied().unwrap_or(0) != 0 {
            invariants::may_be_undone(self, step)?;
        }
        let Some(captured) = self.state(step).effects.get(&key(effect)) else { return Ok(()) };
        let before = number_in(&captured.undo);
        let before = self.recaptured.get(&(step, effect)).copied().unwrap_or(before);
        self.world.insert((step, effect), before);
        Ok(())
    }

    /// The records of which the journal promised that they last.
    pub(super) fn durable_records(&self) -> &[Record] {
        &self.records[..self.durable]
    }
}

pub(super) fn key(effect: usize) -> EffectKey {
    EffectKey(effect.to_string().into())
}

fn number(key: &EffectKey) -> usize {
    key.0.parse().expect("a number")
}

/// What [`blob`] was made from.
fn number_in(blob: &BlobRef) -> i64 {
    let mut value = [0; 8];
    value.copy_from_slice(&blob.id.0[..8]);
    i64::from_le_bytes(value)
}

fn blob(value: i64) -> BlobRef {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&value.to_le_bytes());
    BlobRef { id: Digest(id), sealed: Digest([0; 32]), size: 0 }
}
