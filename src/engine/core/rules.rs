//! Rules of the core, each as the records that broke it once.

use super::testing::{graph, id, step};
use super::{Command, Core, Status};
use crate::ids::{Moment, Period, PlanName, RunId};
use crate::record::{
    AttemptResult, BlobRef, Digest, EffectKey, Failure, Graph, Holder, Mode, Outcome, Record, Reversibility, Settled, StepSummary, What,
};
use std::time::Duration;

struct Run(Core, i64);

fn blob() -> BlobRef {
    BlobRef { id: Digest([0; 32]), sealed: Digest([0; 32]), size: 0 }
}

impl Run {
    fn of(steps: Vec<StepSummary>) -> Self {
        let graph: Graph = graph(steps);
        let mut run = Self(Core::new(graph.clone()).unwrap(), 0);
        let (name, plan) = (RunId::new("run").unwrap(), PlanName::new("plan").unwrap());
        run.say(What::RunOpened { run: name, plan, environment: None, graph: Box::new(graph), frozen: blob() });
        run
    }

    fn say(&mut self, what: What) {
        let epoch = if matches!(what, What::EpochOpened { .. }) { self.0.epoch() + 1 } else { self.0.epoch().max(1) };
        let record = Record { v: 1, seq: self.0.next_seq(), at: Moment::from_millis(self.1), epoch, what };
        self.0.apply(&record).unwrap();
    }

    fn take_up(&mut self, mode: Mode) {
        let holder = Holder { host: "h".into(), pid: 1, started: 1, boot: "b".into(), user: "u".into() };
        self.say(What::EpochOpened { holder, mode });
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
    let mut run = Run::of(vec![irreversible("migrate")]);
    run.start("migrate", 1);
    run.settle("migrate", Settled::Unknown("lost".into()));
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
    assert_eq!(run.0.step(&id("slow")).unwrap().deadline, Some(Moment::from_millis(3_660_000)));
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
