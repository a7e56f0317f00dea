//! Records of made-up runs, folded.

use crate::record::{AttemptResult, Failure, MarkKind, Outcome, Record, What};
use crate::report::samples;
use crate::report::story::{Hand, Status, Story};

fn statuses(story: &Story) -> String {
    let words: Vec<String> = story.steps.values().map(|step| format!("{}={}", step.id, step.status.word())).collect();
    words.join(" ")
}

#[test]
fn a_run_that_comes_undone_is_told_step_by_step() {
    let story = Story::of(&samples::rolled_back());
    insta::assert_snapshot!(statuses(&story), @"database=done colours=undone deploy=kept healthy=undone smoke=waiting switch=waiting retire=waiting back=waiting");
    assert_eq!(story.ending.map(|ending| (ending.outcome, ending.closed)), Some((Outcome::RolledBack, true)));
    assert_eq!(story.rollback.and_then(|rollback| rollback.cause.step).map(|id| id.to_string()), Some("healthy".to_owned()));
}

#[test]
fn a_duplicate_changes_nothing() {
    let records = samples::rolled_back();
    let twice: Vec<Record> = records.iter().flat_map(|record| [record.clone(), record.clone()]).collect();
    let again = [records.clone(), records.clone()].concat();
    let once = format!("{:?}", Story::of(&records));
    assert_eq!(format!("{:?}", Story::of(&twice)), once);
    assert_eq!(format!("{:?}", Story::of(&again)), once);
}

#[test]
fn any_record_may_be_missing() {
    let records = samples::rolled_back();
    for missing in 0..records.len() {
        let rest: Vec<&Record> = records.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, record)| record).collect();
        let story = Story::of(rest);
        // Whatever is lost, what follows it still tells where the step came to rest.
        let healthy = story.steps.get("healthy").map(|step| step.status.clone());
        assert!(healthy.is_some_and(|status| !matches!(status, Status::Waiting)), "without record {missing}");
    }
}

#[test]
fn counts_leave_guards_out() {
    let counts = Story::of(&samples::rolled_back()).counts();
    assert_eq!((counts.all, counts.done, counts.undone, counts.waiting), (7, 1, 3, 3));
}

#[test]
fn a_word_is_true_of_whoever_has_the_run_in_hand() {
    let word = |story: &Story, step: &str| story.word(story.step(&samples::id(step)).unwrap());
    let running = Story::of(&samples::running());
    assert_eq!((word(&running, "deploy"), word(&running, "healthy")), ("interrupted", "not-run"));
    for hand in [Hand::Process, Hand::Elsewhere] {
        let running = running.clone().in_hand(hand);
        assert_eq!((word(&running, "deploy"), word(&running, "healthy")), ("running", "waiting"));
    }
    let records = samples::rejected();
    let asked = records.iter().position(|record| matches!(record.what, What::ApprovalAsked { .. })).unwrap();
    let asking = Story::of(&records[..=asked]);
    assert_eq!(word(&asking, "colours"), "unanswered");
    assert_eq!(word(&asking.in_hand(Hand::Process), "colours"), "asking");
}

#[test]
fn a_step_that_failed_and_stays_has_failed() {
    let stays = |result| {
        let mut journal = samples::Journal::of(samples::blue_green());
        journal.begin("deploy", 1).end("deploy", 1, result).rollback(Some("deploy"), "it failed");
        journal.undone("deploy", 1, vec![samples::mark("run", MarkKind::Nothing, "it only tells")]);
        let story = Story::of(&journal.records);
        story.word(story.step(&samples::id("deploy")).unwrap())
    };
    let failed = || Failure::permanent("no");
    assert_eq!(stays(AttemptResult::Failed { failure: failed(), retry_at: None }), "failed");
    assert_eq!(stays(AttemptResult::TimedOut { failure: failed(), retry_at: None }), "timed-out");
    assert_eq!(stays(AttemptResult::Cancelled), "cancelled");
    assert_eq!(stays(AttemptResult::Succeeded { output: None }), "stays");
}

#[test]
fn what_a_dead_process_had_under_way_is_interrupted() {
    let mut records = samples::running();
    records.push(samples::resumed(records.len()));
    let story = Story::of(&records);
    assert_eq!(story.steps.get("deploy").map(|step| step.status.clone()), Some(Status::Interrupted));
}
