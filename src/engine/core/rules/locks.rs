//! Rules of locks: who lets whom wait.

use super::{Run, blob};
use crate::engine::core::Command;
use crate::engine::core::testing::{graph, id, step};
use crate::ids::Moment;
use crate::record::{
    AttemptResult, BlobRef, Failure, Graph, LimitSummary, Mode, Outcome, RetryPolicy, Settled, StepSummary, UndoResult, What,
};

fn limited(names: &[&str], most: u32) -> Run {
    let limit = LimitSummary { name: "database".to_owned(), most, steps: names.iter().map(|name| id(name)).collect() };
    Run::with(Graph { limits: vec![limit], ..graph(names.iter().map(|name| step(name, &[])).collect()) })
}

#[test]
fn a_lock_lets_one_step_in_and_is_held_until_the_step_is_over() {
    let mut run = limited(&["one", "two"], 1);
    let start = |name: &str, attempt| Command::Start { step: id(name), attempt };
    assert_eq!(run.wants(), [start("one", 1)]);
    run.start("one", 1);
    assert_eq!(run.wants(), []);
    run.settle("one", Settled::NotDone);
    run.fail("one", 1, Some(Moment::from_millis(5_000)));
    assert_eq!(run.wants(), [], "what failed half way keeps the lock until it is tried again");
    run.1 = 5_000;
    assert_eq!(run.wants(), [start("one", 2)]);
    run.start("one", 2);
    run.settle("one", Settled::NotDone);
    run.say(What::AttemptEnded { step: id("one"), attempt: 2, result: AttemptResult::Succeeded { output: None } });
    assert_eq!(run.wants(), [start("two", 1)]);
}

#[test]
fn steps_of_one_lock_are_taken_back_one_after_the_other() {
    let mut run = limited(&["one", "two", "three"], 1);
    for name in ["one", "two"] {
        run.start(name, 1);
        run.settle(name, Settled::Done(blob()));
        run.say(What::AttemptEnded { step: id(name), attempt: 1, result: AttemptResult::Succeeded { output: None } });
    }
    run.start("three", 1);
    run.settle("three", Settled::NotDone);
    run.fail("three", 1, None);
    let Some(Command::Record(opened)) = run.wants().pop() else { panic!("no rollback is opened") };
    run.say(opened);
    let undo = |name: &str| Command::StartUndo { step: id(name), attempt: 1 };
    let undos =
        |run: &Run| -> Vec<Command> { run.wants().into_iter().filter(|command| matches!(command, Command::StartUndo { .. })).collect() };
    assert_eq!(undos(&run), [undo("one")]);
    run.say(What::UndoStarted { step: id("one"), attempt: 1 });
    assert_eq!(undos(&run), []);
    run.say(What::UndoEnded { step: id("one"), attempt: 1, result: UndoResult::Undone { marks: Vec::new() } });
    assert_eq!(undos(&run), [undo("two")]);
}

/// Two steps of one lock; the later one failed, which halted the run, and was taken up when the earlier one was ready, too.
fn taken_up_after(settled: Settled<BlobRef>) -> Run {
    let steps = vec![step("first", &[]), step("early", &["first"]), step("late", &[])];
    let limit = LimitSummary { name: "database".to_owned(), most: 1, steps: [id("early"), id("late")].into() };
    let mut run = Run::with(Graph { halts_on_failure: true, limits: vec![limit], ..graph(steps) });
    run.start("late", 1);
    run.done("first");
    run.settle("late", settled);
    run.fail("late", 1, None);
    run.say(What::RunHalted { outcome: Outcome::Halted, reason: "it failed".into() });
    run.take_up(Mode::Resume);
    run
}

#[test]
fn what_a_halt_left_half_done_keeps_its_lock_when_the_run_goes_on() {
    let run = taken_up_after(Settled::Done(blob()));
    assert_eq!(run.wants(), [Command::Start { step: id("late"), attempt: 2 }], "nobody meddles with what is half done");
}

#[test]
fn what_a_halt_left_untouched_holds_no_lock() {
    let run = taken_up_after(Settled::NotDone);
    assert_eq!(run.wants(), [Command::Start { step: id("early"), attempt: 1 }]);
}

#[test]
fn what_a_person_calls_not_done_keeps_its_lock_for_what_an_earlier_attempt_did() {
    let late = StepSummary { retry: RetryPolicy { attempts: 2, ..RetryPolicy::ONCE }, ..step("late", &[]) };
    let limit = LimitSummary { name: "database".to_owned(), most: 1, steps: [id("early"), id("late")].into() };
    let mut run = Run::with(Graph { limits: vec![limit], ..graph(vec![step("first", &[]), step("early", &["first"]), late]) });
    run.start("late", 1);
    run.settle("late", Settled::Done(blob()));
    run.fail("late", 1, Some(Moment::from_millis(0)));
    run.start("late", 2);
    run.take_up(Mode::Resume);
    run.settle("late", Settled::Unknown("nobody can tell".into()));
    run.say(What::AttemptEnded { step: id("late"), attempt: 2, result: AttemptResult::Interrupted });
    run.done("first");
    run.say(What::DoubtAnswered { step: id("late"), done: false, by: "ann".into(), earlier_stands: true });
    assert_eq!(run.wants(), [Command::Start { step: id("late"), attempt: 3 }], "nobody meddles with what is half done");
}

#[test]
fn what_is_half_taken_back_keeps_its_lock_until_it_is_tried_again() {
    let half = StepSummary { continue_on_error: true, ..step("half", &[]) };
    let limit = LimitSummary { name: "database".to_owned(), most: 1, steps: [id("half"), id("next")].into() };
    let mut run = Run::with(Graph { limits: vec![limit], ..graph(vec![half, step("next", &[])]) });
    run.start("half", 1);
    run.settle("half", Settled::Done(blob()));
    run.fail("half", 1, None);
    run.say(What::UndoStarted { step: id("half"), attempt: 1 });
    let failure = Failure { retriable: true, ..Failure::permanent("it failed half way") };
    let retry_at = Some(Moment::from_millis(2_000));
    run.say(What::UndoEnded { step: id("half"), attempt: 1, result: UndoResult::Failed { failure, marks: Vec::new(), retry_at } });
    assert_eq!(run.wants(), [], "nobody meddles with what is half taken back");
    run.1 = 2_000;
    assert_eq!(run.wants(), [Command::StartUndo { step: id("half"), attempt: 2 }]);
    run.say(What::UndoStarted { step: id("half"), attempt: 2 });
    run.say(What::UndoEnded { step: id("half"), attempt: 2, result: UndoResult::Undone { marks: Vec::new() } });
    assert_eq!(run.wants(), [Command::Start { step: id("next"), attempt: 1 }]);
}
