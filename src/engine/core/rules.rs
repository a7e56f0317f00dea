//! Rules of the core, each as the records that broke it once.

mod locks;
mod parts;

use super::testing::{graph, id, step};
use super::{Command, Core, Status};
use crate::ids::{Moment, Period, PlanName, RunId, StepId};
use crate::record::{
    AttemptResult, BlobRef, CancelLevel, Cause, Digest, EffectKey, Failure, Graph, Holder, Mode, Outcome, Record, RetryPolicy,
    Reversibility, Role, Scope, Settled, StepSummary, Target, UndoClass, What,
};
use std::sync::Arc;
use std::time::Duration;

struct Run(Core, i64);

fn blob() -> BlobRef {
    BlobRef { id: Digest([0; 32]), sealed: Digest([0; 32]), size: 0 }
}

impl Run {
    fn of(steps: Vec<StepSummary>) -> Self {
        Self::with(graph(steps))
    }

    fn with(graph: Graph) -> Self {
        let mut run = Self(Core::new(graph.clone()).unwrap(), 0);
        let (name, plan) = (RunId::new("run").unwrap(), PlanName::new("plan").unwrap());
        run.say(What::RunOpened { run: name, plan, environment: None, graph: Arc::new(graph), frozen: blob(), simulated: false });
        run
    }

    fn say(&mut self, what: What) {
        let epoch = if matches!(what, What::EpochOpened { .. }) { self.0.epoch() + 1 } else { self.0.epoch().max(1) };
        let record = Record { v: 1, seq: self.0.next_seq(), at: Moment::from_millis(self.1), epoch, what };
        self.0.apply(&record).unwrap();
    }

    fn take_up(&mut self, mode: Mode) {
        let holder = Holder { host: "h".into(), pid: 1, started: 1, boot: "b".into(), user: "u".into() };
        self.say(What::EpochOpened { holder, mode, spared: Vec::new(), step: None });
    }

    fn done(&mut self, step: &str) {
        self.start(step, 1);
        self.settle(step, Settled::Done(blob()));
        self.say(What::AttemptEnded { step: id(step), attempt: 1, result: AttemptResult::Succeeded { output: None } });
    }

    /// What is being taken back, once the rollback that is wanted is opened.
    fn goes_back(&mut self) -> Vec<StepId> {
        let Some(Command::Record(opened @ What::RollbackOpened { .. })) = self.wants().pop() else { panic!("no rollback is opened") };
        self.say(opened);
        self.0.rollback().map(|rollback| rollback.steps.clone()).unwrap_or_default()
    }

    fn start(&mut self, step: &str, attempt: u32) {
        self.say(What::AttemptStarted { step: id(step), attempt, params: Some(blob()), targets: Vec::new(), until: None });
        let effects = vec![(EffectKey("run".into()), blob())];
        self.say(What::EffectsIntended { step: id(step), effects, class: None, irreversible: false });
    }

    fn settle(&mut self, step: &str, settled: Settled<BlobRef>) {
        self.say(What::EffectSettled { step: id(step), key: EffectKey("run".into()), settled });
    }

    fn fail(&mut self, step: &str, attempt: u32, retry_at: Option<Moment>) {
        let failure = Failure { retriable: true, ..Failure::permanent("it failed") };
        self.say(What::AttemptEnded { step: id(step), attempt, result: AttemptResult::Failed { failure, retry_at } });
    }

    fn status(&self, step: &str) -> Status {
        self.0.step(&id(step)).unwrap().status
    }

    fn wants(&self) -> Vec<Command> {
        self.0.decide(Moment::from_millis(self.1)).commands
    }
}

fn irreversible(name: &str) -> StepSummary {
    StepSummary { reversibility: Reversibility::Irreversible, ..step(name, &[]) }
}

#[test]
fn what_nobody_can_look_up_is_repeated_neither_by_a_retry_nor_by_a_resume() {
    let policy = RetryPolicy { attempts: 3, ..RetryPolicy::ONCE };
    let mut run = Run::of(vec![StepSummary { retry: policy, ..irreversible("migrate") }]);
    run.start("migrate", 1);
    run.settle("migrate", Settled::Unknown("lost".into()));
    let failure = Failure { retriable: true, ..Failure::permanent("it failed") };
    assert_eq!(run.0.retry_delay(&id("migrate"), &failure, Moment::from_millis(0)), None, "a retry that will not come is not promised");
    run.fail("migrate", 1, Some(Moment::from_millis(1_000)));
    assert_eq!(run.status("migrate"), Status::Failed, "a retry would repeat it");
    run.say(What::RunHalted { outcome: Outcome::Halted, reason: "past the pivot".into() });
    run.take_up(Mode::Resume);
    assert_eq!(run.status("migrate"), Status::Doubtful, "a resume would repeat it");
}

#[test]
fn an_irreversible_effect_under_way_is_not_cut_off_by_a_failure_elsewhere() {
    let mut run = Run::of(vec![irreversible("migrate"), step("probe", &[])]);
    run.start("migrate", 1);
    run.start("probe", 1);
    run.settle("probe", Settled::NotDone);
    run.fail("probe", 1, None);
    assert_eq!(run.wants(), [], "it is waited for");
    run.settle("migrate", Settled::Done(blob()));
    assert!(matches!(run.wants().as_slice(), [Command::Stop { step, .. }] if *step == id("migrate")));
}

#[test]
fn the_time_that_nobody_held_the_run_does_not_count_against_a_step() {
    let slow = StepSummary { timeout: Some(Period(Duration::from_secs(60))), ..step("slow", &[]) };
    let mut run = Run::of(vec![slow]);
    run.start("slow", 1);
    run.settle("slow", Settled::NotDone);
    run.say(What::AttemptEnded { step: id("slow"), attempt: 1, result: AttemptResult::Interrupted });
    run.say(What::RunHalted { outcome: Outcome::Halted, reason: "stopped".into() });
    run.1 = 3_600_000;
    run.take_up(Mode::Resume);
    run.start("slow", 2);
    assert_eq!(run.0.step(&id("slow")).unwrap().times().deadline, Some(Moment::from_millis(3_660_000)));
}

#[test]
fn the_wish_to_go_back_outlives_the_process_that_heard_it() {
    let mut run = Run::of(vec![step("first", &[])]);
    run.start("first", 1);
    run.take_up(Mode::Rollback);
    run.take_up(Mode::Resume);
    run.settle("first", Settled::Done(blob()));
    run.say(What::AttemptEnded { step: id("first"), attempt: 1, result: AttemptResult::Interrupted });
    assert!(matches!(run.wants().as_slice(), [Command::Record(What::RollbackOpened { .. })]));
}

#[test]
fn a_repeated_write_counts_as_in_flight_although_the_first_one_is_known() {
    let mut run = Run::of(vec![step("write", &[])]);
    run.start("write", 1);
    run.settle("write", Settled::Done(blob()));
    run.fail("write", 1, Some(Moment::from_millis(1_000)));
    run.1 = 1_000;
    run.start("write", 2);
    run.take_up(Mode::Resume);
    assert_eq!(run.wants(), [Command::Settle { step: id("write") }]);
}

#[test]
fn going_back_keeps_the_concurrency_and_traffic_waits_for_no_place() {
    let steps = ["one", "two", "three", "four"].map(|name| step(name, &[])).into_iter().chain([step("last", &[])]);
    let mut run = Run::with(Graph { concurrency: 2, ..graph(steps.collect()) });
    for name in ["one", "two", "three", "four"] {
        run.start(name, 1);
        if name == "four" {
            let class = Some(UndoClass::Traffic { needs_fit: Vec::new() });
            run.say(What::EffectsIntended { step: id(name), effects: Vec::new(), class, irreversible: false });
        }
        run.settle(name, Settled::Done(blob()));
        run.say(What::AttemptEnded { step: id(name), attempt: 1, result: AttemptResult::Succeeded { output: None } });
    }
    run.start("last", 1);
    run.settle("last", Settled::NotDone);
    run.fail("last", 1, None);
    let Some(Command::Record(opened)) = run.wants().pop() else { panic!("no rollback is opened") };
    run.say(opened);
    let started = |run: &Run| -> Vec<StepId> {
        let undo = |command| match command {
            Command::StartUndo { step, .. } => Some(step),
            _ => None,
        };
        run.wants().into_iter().filter_map(undo).collect()
    };
    assert_eq!(started(&run), [id("four"), id("one"), id("two")]);
    run.say(What::UndoStarted { step: id("one"), attempt: 1 });
    run.say(What::UndoStarted { step: id("two"), attempt: 1 });
    assert_eq!(started(&run), [id("four")]);
}

#[test]
fn a_step_that_is_taken_back_alone_has_the_time_of_a_rollback_and_no_more() {
    let optional = StepSummary { continue_on_error: true, ..step("optional", &[]) };
    let mut run = Run::of(vec![optional, step("other", &[])]);
    run.start("optional", 1);
    run.settle("optional", Settled::Done(blob()));
    run.fail("optional", 1, None);
    run.say(What::UndoStarted { step: id("optional"), attempt: 1 });
    let limit = run.0.graph().budget.0;
    assert_eq!(run.0.decide(Moment::from_millis(0)).wake, Some(Moment::from_millis(0).after(limit)));
    run.1 = 10_000_000;
    assert!(run.wants().contains(&Command::StopUndo { step: id("optional") }));
    let failure = Failure { retriable: true, ..Failure::permanent("it was stopped") };
    assert_eq!(run.0.undo_delay(&id("optional"), &failure, Moment::from_millis(run.1)), None);
}

#[test]
fn what_succeeded_is_taken_back_later_and_nothing_else_reopens_a_closed_run() {
    let mut run = Run::of(vec![step("first", &[])]);
    run.start("first", 1);
    run.settle("first", Settled::Done(blob()));
    run.say(What::AttemptEnded { step: id("first"), attempt: 1, result: AttemptResult::Succeeded { output: None } });
    run.say(What::RunClosed { outcome: Outcome::Succeeded, notes: Vec::new() });
    let holder = Holder { host: "h".into(), pid: 1, started: 1, boot: "b".into(), user: "u".into() };
    let epoch = |mode, core: &Core| {
        let what = What::EpochOpened { holder: holder.clone(), mode, spared: vec![Target("kube:x".into())], step: None };
        Record { v: 1, seq: core.next_seq(), at: Moment::from_millis(0), epoch: core.epoch() + 1, what }
    };
    for mode in [Mode::Run, Mode::Resume, Mode::Abandon] {
        let mut copy = run.0.clone();
        assert!(copy.apply(&epoch(mode, &run.0)).is_err(), "{mode:?}");
    }
    let record = epoch(Mode::Rollback, &run.0);
    run.0.apply(&record).unwrap();
    assert_eq!(run.0.spared(), [Target("kube:x".into())]);
    assert!(matches!(run.wants().as_slice(), [Command::Record(What::RollbackOpened { .. })]));
    run.say(What::RollbackOpened {
        scope: Scope::Everything,
        cause: Cause { step: None, reason: "asked".into() },
        deadline: Moment::from_millis(9),
    });
    assert!(matches!(run.wants().as_slice(), [Command::StartUndo { .. }]));
}

#[test]
fn where_a_failure_only_halts_the_run_a_resume_tries_the_step_again() {
    let mut run = Run::with(Graph { halts_on_failure: true, ..graph(vec![step("first", &[]), step("second", &["first"])]) });
    run.done("first");
    run.start("second", 1);
    run.settle("second", Settled::Done(blob()));
    run.fail("second", 1, None);
    let Some(Command::Record(halted @ What::RunHalted { outcome: Outcome::Halted, .. })) = run.wants().pop() else { panic!("it goes on") };
    run.say(halted);
    run.take_up(Mode::Resume);
    assert_eq!(run.status("second"), Status::Ready);
    run.start("second", 2);
    run.fail("second", 2, None);
    assert!(matches!(run.wants().as_slice(), [Command::Record(What::RunHalted { .. })]), "it is as it was opened");
    run.say(What::RunHalted { outcome: Outcome::Halted, reason: "again".into() });
    run.take_up(Mode::Rollback);
    assert_eq!(run.goes_back(), [id("first"), id("second")], "whoever asks gets everything back");
}

#[test]
fn where_a_failure_only_halts_the_run_a_cancel_takes_it_back() {
    let mut run = Run::with(Graph { halts_on_failure: true, ..graph(vec![step("first", &[]), step("second", &[])]) });
    run.done("first");
    run.start("second", 1);
    run.settle("second", Settled::NotDone);
    run.say(What::CancelRequested { level: CancelLevel::RollBack, by: "ann".into() });
    run.say(What::AttemptEnded { step: id("second"), attempt: 1, result: AttemptResult::Cancelled });
    assert_eq!(run.goes_back(), [id("first")]);
}

/// What the first attempt did is known; of the second one nobody knows, until a person or a look-up says that it did nothing.
fn done_and_then_unknown() -> Run {
    let mut run = Run::of(vec![step("write", &[])]);
    run.start("write", 1);
    run.settle("write", Settled::Done(blob()));
    run.fail("write", 1, Some(Moment::from_millis(1_000)));
    run.1 = 1_000;
    run.start("write", 2);
    run.settle("write", Settled::Unknown("lost".into()));
    run.say(What::AttemptEnded { step: id("write"), attempt: 2, result: AttemptResult::Interrupted });
    run
}

#[test]
fn that_the_last_attempt_did_nothing_says_nothing_of_an_earlier_one() {
    let known = |run: &Run| run.0.step(&id("write")).unwrap().effects.values().next().unwrap().known.clone();
    let answer = |earlier_stands| What::DoubtAnswered { step: id("write"), done: false, by: "ann".into(), earlier_stands };
    let mut run = done_and_then_unknown();
    run.say(answer(true));
    assert_eq!(known(&run), Some(Settled::Done(blob())));
    let mut old = done_and_then_unknown();
    old.say(answer(false));
    assert_eq!(known(&old), Some(Settled::NotDone), "a journal from before is read as it was meant");
}

/// A step in doubt, taken up by the next process.
fn doubtful_and_taken_up() -> Run {
    let mut run = Run::of(vec![step("write", &[]), step("after", &["write"])]);
    run.start("write", 1);
    run.take_up(Mode::Resume);
    run.settle("write", Settled::Unknown("the server is away".into()));
    run.say(What::AttemptEnded { step: id("write"), attempt: 1, result: AttemptResult::Interrupted });
    let Some(Command::Record(halted @ What::RunHalted { .. })) = run.wants().pop() else { panic!("it goes on in doubt") };
    run.say(halted);
    run.take_up(Mode::Resume);
    run
}

#[test]
fn what_could_not_be_looked_up_is_looked_up_again_by_the_next_process() {
    let mut run = doubtful_and_taken_up();
    assert_eq!(run.wants(), [Command::Settle { step: id("write") }]);
    run.settle("write", Settled::Unknown("it is still away".into()));
    assert!(matches!(run.wants().as_slice(), [Command::Record(What::RunHalted { .. })]), "once for each process");
    for settled in [Settled::Done(blob()), Settled::NotDone] {
        let mut run = doubtful_and_taken_up();
        run.settle("write", settled);
        assert_eq!(run.status("write"), Status::Ready);
        run.start("write", 2);
    }
}

#[test]
fn in_doubt_again_a_person_is_heard_and_a_rollback_opened_as_before() {
    let mut run = doubtful_and_taken_up();
    run.settle("write", Settled::Unknown("it is still away".into()));
    run.say(What::DoubtAnswered { step: id("write"), done: true, by: "ann".into(), earlier_stands: true });
    assert_eq!(run.status("write"), Status::Succeeded);
    // Journals from before have an answer, or a rollback, where a look-up is due now.
    let mut old = doubtful_and_taken_up();
    old.say(What::DoubtAnswered { step: id("write"), done: false, by: "ann".into(), earlier_stands: false });
    assert_eq!((old.status("write"), old.wants().len()), (Status::Ready, 1));
    let mut old = doubtful_and_taken_up();
    let (scope, cause) = (Scope::Everything, Cause { step: None, reason: "asked for".into() });
    old.say(What::RollbackOpened { scope, cause, deadline: Moment::from_millis(9) });
    assert_eq!(old.wants(), [Command::StartUndo { step: id("write"), attempt: 1 }]);
    assert_eq!(old.0.step(&id("write")).unwrap().open_effects().count(), 0);
}

#[test]
fn waits_that_a_wrong_clock_has_measured_end_when_the_run_is_taken_up() {
    let pause = StepSummary { role: Role::Pause, ..step("rest", &[]) };
    let mut run = Run::of(vec![StepSummary { retry: RetryPolicy { attempts: 2, ..RetryPolicy::ONCE }, ..step("write", &[]) }, pause]);
    run.1 = 3 * 3_600_000;
    let until = Some(Moment::from_millis(run.1 + 60_000));
    run.say(What::AttemptStarted { step: id("rest"), attempt: 1, params: None, targets: Vec::new(), until });
    run.start("write", 1);
    run.settle("write", Settled::NotDone);
    run.fail("write", 1, Some(Moment::from_millis(run.1 + 5_000)));
    run.1 = 0;
    run.take_up(Mode::Resume);
    assert_eq!(run.wants(), [Command::Start { step: id("write"), attempt: 2 }]);
    run.1 = 60_000;
    let over = What::AttemptEnded { step: id("rest"), attempt: 1, result: AttemptResult::Succeeded { output: None } };
    assert!(run.wants().contains(&Command::Record(over)), "a pause keeps its length");
}
