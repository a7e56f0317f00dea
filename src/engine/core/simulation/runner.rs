//! Drives the core through one case: plays the journal, the actions, the clock and the crashes.

mod work;

use super::case::{Case, Dice};
use super::invariants;
use crate::engine::core::{Core, Status, StopReason};
use crate::ids::{Moment, PlanName, RunId, StepId};
use crate::record::{BlobRef, CancelLevel, Digest, EffectKey, Holder, Mode, Outcome, Record, Scope, What};
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
    /// A step begins although its lock is held.
    IgnoreLimits,
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
    /// What the core is told of the case.
    graph: Arc<crate::record::Graph>,
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
        let mut graph = case.graph.clone();
        if flaw == Some(Flaw::IgnoreLimits) {
            graph.limits.clear();
        }
        let core = Core::new(graph.clone()).expect("cases are sound");
        Self {
            case,
            graph: Arc::new(graph),
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
            graph: Arc::clone(&self.graph),
            frozen: blob(0),
            simulated: false,
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
        format!("{}\n{:?}\n{:?}", steps.join("\n"), self.case.graph.guards, self.case.graph.limits)
    }

    fn go_on(&mut self) -> Run<Tally> {
        for _ in 0..20_000 {
            if self.crash_is_due() {
                self.crash()?;
            }
            let over = self.core.closed().is_some() && !self.reopen()?;
            if over || (self.core.halted().is_some() && !self.take_up()?) {
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
        let steps = self.core.steps().zip(&self.core.waits);
        let steps: Vec<_> = steps.map(|((id, step), waits)| (id.clone(), step.status, step.undo, waits.pending_dependents)).collect();
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
        match self.core.closed() {
            Some(_) => Ok(()),
            None => self.open_epoch(mode),
        }
    }

    /// Somebody takes the run in hand; who wants it back may want only a part of it.
    fn open_epoch(&mut self, mode: Mode) -> Run<()> {
        let any = self.dice.below(self.case.scripts.len());
        let wants_part = mode == Mode::Rollback && self.dice.one_in(2);
        let step = Some(self.id(any)).filter(|step| wants_part && self.core.may_go_back_to(step));
        let epoch = self.core.epoch() + 1;
        let holder = Holder { host: "h".into(), pid: 1, started: 1, boot: "b".into(), user: "u".into() };
        let what = What::EpochOpened { holder, mode, spared: Vec::new(), step };
        self.push(Record { v: 1, seq: self.core.next_seq(), at: self.now, epoch, what })
    }

    /// Takes back what went well, or a part of it, now and then; and later what that left.
    fn reopen(&mut self) -> Run<bool> {
        let may =
            self.core.may_reopen() && (self.core.closed() == Some(Outcome::Succeeded) || self.core.foresee(&Scope::Everything).is_ok());
        let wanted = may && !self.case.steady && self.dice.one_in(4);
        if wanted {
            self.durable = self.records.len();
            self.since_start = 0;
            self.in_hand.clear();
            self.open_epoch(Mode::Rollback)?;
        }
        Ok(wanted)
    }

    /// Takes up a run that rests, a few times.
    fn take_up(&mut self) -> Run<bool> {
        self.resumes += 1;
        let stuck = matches!(self.core.halted(), Some((Outcome::Stuck, _)));
        if self.resumes > 4 || (stuck && self.dice.one_in(2)) {
            return Ok(false);
        }
        self.durable = self.records.len();
        let mode = if !self.case.steady && self.dice.one_in(5) { Mode::Rollback } else { Mode::Resume };
        self.start_again(mode)?;
        let is_doubtful = |step: &usize| self.state(*step).status == Status::Doubtful;
        let doubtful: Vec<usize> = (0..self.case.scripts.len()).filter(is_doubtful).collect();
        for step in doubtful {
            // Records from before have an answer at once; now the step is looked up first, and may need none.
            if self.dice.one_in(2) {
                self.settle(&self.id(step))?;
            }
            if self.state(step).status != Status::Doubtful {
                continue;
            }
            let done = (0..self.case.scripts[step].effects).all(|effect| self.world.get(&(step, effect)) == Some(&1));
            if !done {
                // Whoever says "not done" has made it so.
                self.world.retain(|(owner, _), _| *owner != step);
            }
            self.record(What::DoubtAnswered { step: self.id(step), done, by: "somebody".into(), earlier_stands: !done })?;
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

    pub(super) fn in_scope(&self, step: usize) -> bool {
        self.core.waits[step].in_scope
    }

    fn place(&self, id: &StepId) -> usize {
        self.core.places.find(&self.core.graph, id).expect("a step of the graph")
    }

    /// The steps at work, forward or back.
    pub(super) fn at_work(&self) -> impl Iterator<Item = usize> {
        self.attempts.iter().map(|attempt| attempt.step).chain(self.undos.iter().map(|undo| undo.step))
    }

    pub(super) fn touched(&self, step: usize) -> bool {
        self.world.range((step, 0)..(step + 1, 0)).any(|(_, value)| *value != 0)
    }

    /// The records of which the journal promised that they last.
    pub(super) fn durable_records(&self) -> &[Record] {
        &self.records[..self.durable]
    }
}

pub(super) fn key(effect: usize) -> EffectKey {
    EffectKey(effect.to_string().into())
}

fn blob(value: i64) -> BlobRef {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&value.to_le_bytes());
    BlobRef { id: Digest(id), sealed: Digest([0; 32]), size: 0 }
}
