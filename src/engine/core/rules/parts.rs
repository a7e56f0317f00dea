//! Rules of rollbacks that somebody asks for: of a part, and of what a part has left.

use super::{Run, blob, irreversible};
use crate::engine::core::Command;
use crate::engine::core::testing::{graph, id, step};
use crate::ids::{Moment, Period};
use crate::record::{
    AttemptResult, Graph, GuardSummary, Holder, Mode, Outcome, Record, Role, Scope, Settled, StepSummary, UndoResult, What,
};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

fn three_and_one_beside() -> Run {
    let mut run = Run::of(vec![step("base", &[]), step("middle", &["base"]), step("top", &["middle"]), step("beside", &["base"])]);
    ["base", "middle", "top", "beside"].iter().for_each(|step| run.done(step));
    run.say(What::RunClosed { outcome: Outcome::Succeeded, notes: Vec::new() });
    run
}

fn asks_back(run: &Run, step: Option<&str>) -> Record {
    let holder = Holder { host: "h".into(), pid: 1, started: 1, boot: "b".into(), user: "u".into() };
    let what = What::EpochOpened { holder, mode: Mode::Rollback, spared: Vec::new(), step: step.map(id) };
    Record { v: 1, seq: run.0.next_seq(), at: Moment::from_millis(0), epoch: run.0.epoch() + 1, what }
}

#[test]
fn a_step_that_is_taken_back_takes_along_what_needed_it_and_nothing_else() {
    let mut run = three_and_one_beside();
    assert_eq!(run.0.foresee(&Scope::Step(id("middle"))), Ok(vec![&id("middle"), &id("top")]));
    let record = asks_back(&run, Some("middle"));
    run.0.apply(&record).unwrap();
    assert_eq!(run.goes_back(), [id("middle"), id("top")]);
    for step in ["top", "middle"] {
        assert!(matches!(run.wants().as_slice(), [Command::StartUndo { step: next, .. }] if *next == id(step)), "the last first");
        run.say(What::UndoStarted { step: id(step), attempt: 1 });
        run.say(What::UndoEnded { step: id(step), attempt: 1, result: UndoResult::Undone { marks: Vec::new() } });
    }
    assert_eq!(run.wants(), [Command::Record(What::RunClosed { outcome: Outcome::RolledBack, notes: Vec::new() })]);
}

#[test]
fn a_rollback_is_widened_but_never_narrowed() {
    let mut run = three_and_one_beside();
    let record = asks_back(&run, Some("middle"));
    run.0.apply(&record).unwrap();
    run.goes_back();
    assert!(!run.0.may_go_back_to(&id("top")) && run.0.may_go_back_to(&id("middle")));
    let record = asks_back(&run, Some("top"));
    assert!(run.0.clone().apply(&record).is_err(), "what lies outside may be taken back already");
    let record = asks_back(&run, None);
    run.0.apply(&record).unwrap();
    assert_eq!(run.goes_back().len(), 4);
}

/// Takes a part back, or everything that is left, to the end of the run; these steps have something to take back, in this order.
fn take_back(run: &mut Run, part: Option<&str>, expected: &[&str]) {
    let record = asks_back(run, part);
    run.0.apply(&record).unwrap();
    run.goes_back();
    for step in expected {
        assert!(matches!(run.wants().as_slice(), [Command::StartUndo { step: next, .. }] if *next == id(step)), "{step} is next");
        run.say(What::UndoStarted { step: id(step), attempt: 1 });
        run.say(What::UndoEnded { step: id(step), attempt: 1, result: UndoResult::Undone { marks: Vec::new() } });
    }
    let closed = What::RunClosed { outcome: Outcome::RolledBack, notes: Vec::new() };
    assert_eq!(run.wants(), [Command::Record(closed.clone())]);
    run.say(closed);
}

#[test]
fn what_a_part_has_left_is_taken_back_later_and_what_is_back_stays_so() {
    let mut run = three_and_one_beside();
    take_back(&mut run, Some("middle"), &["top", "middle"]);
    assert_eq!(run.0.foresee(&Scope::Everything), Ok(vec![&id("base"), &id("beside")]));
    assert_eq!(run.0.still_written().count(), 2);
    assert!(run.0.may_reopen() && run.0.may_go_back_to(&id("beside")), "a part that is back is no rollback that is under way");
    take_back(&mut run, Some("beside"), &["beside"]);
    take_back(&mut run, None, &["base"]);
    assert!(!run.0.may_reopen(), "nothing is left");
    assert_eq!(run.0.still_written().count(), 0);
    let record = asks_back(&run, None);
    assert!(run.0.apply(&record).is_err());
}

#[test]
fn the_name_of_a_step_that_is_there_for_each_item_means_all_of_them() {
    let steps = vec![step("base", &[]), step("deploy[eu]", &["base"]), step("deploy[us]", &["base"]), step("after", &["deploy[us]"])];
    let mut run = Run::of(steps);
    ["base", "deploy[eu]", "deploy[us]", "after"].iter().for_each(|step| run.done(step));
    run.say(What::RunClosed { outcome: Outcome::Succeeded, notes: Vec::new() });
    let record = asks_back(&run, Some("deploys"));
    assert!(run.0.clone().apply(&record).is_err(), "there is no such step");
    assert_eq!(run.0.way_back(Mode::Rollback, Some(&id("deploy"))), Some(Scope::Step(id("deploy"))));
    let record = asks_back(&run, Some("deploy"));
    run.0.apply(&record).unwrap();
    assert_eq!(run.goes_back(), ["deploy[eu]", "deploy[us]", "after"].map(id));
}

#[test]
fn whoever_takes_a_run_up_goes_on_unless_something_failed_or_somebody_wants_it_back() {
    let mut run = Run::of(vec![step("one", &[]), step("two", &["one"])]);
    run.done("one");
    assert_eq!(run.0.way_back(Mode::Resume, None), None);
    assert_eq!(run.0.way_back(Mode::Rollback, None), Some(Scope::Everything));
    run.start("two", 1);
    run.settle("two", Settled::Done(blob()));
    run.fail("two", 1, None);
    assert_eq!(run.0.way_back(Mode::Resume, None), Some(Scope::Everything), "its process went before it could begin that");
    assert_eq!(run.0.back_when_resumed(), Some(vec![&id("one"), &id("two")]));
}

#[test]
fn whoever_wanted_more_back_than_can_go_may_still_have_what_was_going() {
    let guard = GuardSummary { id: id("guard"), guards: [id("deploy"), id("check")].into(), budget: Period(MINUTE), verified: false };
    let steps = vec![
        irreversible("send"),
        step("deploy", &["send"]),
        step("check", &["deploy"]),
        StepSummary { role: Role::Guard, ..step("guard", &["deploy", "check"]) },
    ];
    let mut run = Run::with(Graph { guards: vec![guard], ..graph(steps) });
    ["send", "deploy"].iter().for_each(|step| run.done(step));
    run.start("check", 1);
    run.settle("check", Settled::NotDone);
    run.fail("check", 1, None);
    assert_eq!(run.goes_back(), [id("deploy")]);
    // By then nobody knew yet that it had been sent.
    run.take_up(Mode::Rollback);
    let Some(Command::Record(halted @ What::RunHalted { .. })) = run.wants().pop() else { panic!("what was sent goes back") };
    run.say(halted);
    assert_eq!(run.0.back_when_resumed(), Some(vec![&id("deploy"), &id("check")]));
    run.take_up(Mode::Resume);
    assert_eq!(run.goes_back(), [id("deploy")]);
}

/// `beside` was at work when what the guard holds failed, and its last request got through all the same.
fn goes_back_with_what_was_beside() -> Run {
    let guard = GuardSummary { id: id("guard"), guards: [id("guarded")].into(), budget: Period(MINUTE), verified: false };
    let steps = vec![step("guarded", &[]), step("beside", &[]), StepSummary { role: Role::Guard, ..step("guard", &["guarded"]) }];
    let mut run = Run::with(Graph { guards: vec![guard], ..graph(steps) });
    run.start("beside", 1);
    run.start("guarded", 1);
    run.settle("guarded", Settled::Done(blob()));
    run.fail("guarded", 1, None);
    assert_eq!(run.goes_back(), ["guarded", "beside"].map(id));
    run.settle("beside", Settled::Done(blob()));
    run.say(What::AttemptEnded { step: id("beside"), attempt: 1, result: AttemptResult::Succeeded { output: None } });
    run
}

#[test]
fn what_goes_back_with_a_rollback_goes_on_doing_so_when_the_next_process_opens_it_again() {
    let mut begun = goes_back_with_what_was_beside();
    begun.say(What::UndoStarted { step: id("beside"), attempt: 1 });
    begun.take_up(Mode::Resume);
    begun.say(What::UndoEnded { step: id("beside"), attempt: 1, result: UndoResult::Interrupted });
    assert_eq!(begun.goes_back(), ["guarded", "beside"].map(id), "it is half taken back");
    let mut not_begun = goes_back_with_what_was_beside();
    not_begun.take_up(Mode::Resume);
    assert_eq!(not_begun.goes_back(), ["guarded", "beside"].map(id), "it ends as without the crash");
}

#[test]
fn what_stays_on_purpose_is_still_written_when_the_rest_is_taken_back() {
    let stays = StepSummary { stays: true, ..step("stays", &[]) };
    let mut run = Run::of(vec![stays, step("goes", &["stays"])]);
    run.done("stays");
    run.done("goes");
    run.say(What::RunClosed { outcome: Outcome::Succeeded, notes: Vec::new() });
    take_back(&mut run, None, &["goes", "stays"]);
    assert_eq!(run.0.still_written().count(), 1);
}
