//! What is said of runs that rest on their way back, and of many items of which nobody can tell.

use super::Summary;
use crate::ids::Moment;
use crate::record::{AttemptResult, EffectKey, Failure, Outcome, Record, Reversibility, Settled, UndoResult, What};
use crate::report::samples::{self, Journal};
use crate::report::story::{Hand, Story};

fn told(records: &[Record]) -> String {
    Summary::of(&Story::of(records)).lines().join("\n")
}

/// A guard that allows five minutes is taken back, and `deploy` takes longer; `database` stands outside of it, or nothing does.
fn out_of_time(stands_outside: bool) -> Vec<Record> {
    let mut journal = Journal::of(samples::blue_green());
    let effect = |step: &str| What::EffectDone { step: samples::id(step), key: EffectKey("run".into()), after: samples::blob() };
    if stands_outside {
        journal.begin("database", 1).write(effect("database"));
        journal.end("database", 1, AttemptResult::Succeeded { output: None });
    }
    journal.begin("deploy", 1).write(effect("deploy")).end("deploy", 1, AttemptResult::Succeeded { output: None });
    journal.begin("healthy", 1).end("healthy", 1, AttemptResult::Failed { failure: Failure::permanent("no luck"), retry_at: None });
    journal.rollback(Some("healthy"), "no luck").write(What::UndoStarted { step: samples::id("deploy"), attempt: 1 }).wait(300_000);
    let failure = Failure { retriable: true, ..Failure::permanent("it was stopped before its end") };
    let result = UndoResult::Failed { failure, marks: Vec::new(), retry_at: None };
    journal.write(What::UndoEnded { step: samples::id("deploy"), attempt: 1, result });
    journal.write(What::RunHalted { outcome: Outcome::Stuck, reason: "not everything could be taken back".to_owned() });
    journal.records
}

#[test]
fn a_guard_whose_time_ran_out_is_told_as_that_and_what_has_more_time() {
    insta::assert_snapshot!(told(&out_of_time(false)), @"
    blue-green in production is stuck after 5m 00s: what it changed could not all be taken back
    healthy: no luck
    still there:
      deploy: all that it did: stopped after the 5m that `back` allows (`budget`)
    next:
      bowline resume 20261121-120300-7f3a    tries again, with the same 5m
      bowline rollback 20261121-120300-7f3a  takes back everything, within 10m
      bowline abandon 20261121-120300-7f3a   closes it as it is
    ");
    let more = told(&out_of_time(true));
    assert!(more.contains("takes back everything within 10m, also what `back` does not guard"), "{more}");
}

#[test]
fn what_ends_in_time_is_not_said_to_have_taken_too_long() {
    let mut records = out_of_time(false);
    records.iter_mut().filter(|record| matches!(record.what, What::UndoEnded { .. })).for_each(|record| {
        record.at = Moment::from_millis(samples::OPENED + 299_000);
    });
    let told = told(&records);
    assert!(told.contains("deploy: all that it did: it was stopped before its end"), "{told}");
    assert!(told.contains("does the same within 10m, and ends with 0 when everything is taken back"), "{told}");
    assert!(told.contains("tries again, once you have mended what was in the way"), "{told}");
}

/// The guard is on its way back, `switch` is tried again, and then nobody works on it: it is halted, or its process is gone.
fn on_its_way_back(is_halted: bool) -> Vec<Record> {
    let mut journal = Journal::of(samples::blue_green());
    for step in ["deploy", "switch"] {
        let (step, key) = (samples::id(step), EffectKey("run".into()));
        journal.begin(step.as_str(), 1).write(What::EffectDone { step: step.clone(), key, after: samples::blob() });
        journal.end(step.as_str(), 1, AttemptResult::Succeeded { output: None });
    }
    journal.rollback(None, "cancelled by ada").write(What::UndoStarted { step: samples::id("switch"), attempt: 1 });
    let retry_at = Some(Moment::from_millis(samples::OPENED + 9_000));
    let result = UndoResult::Failed { failure: Failure::permanent("503"), marks: Vec::new(), retry_at };
    journal.write(What::UndoEnded { step: samples::id("switch"), attempt: 1, result });
    if is_halted {
        journal.write(What::RunHalted { outcome: Outcome::Halted, reason: "stopped by ada".to_owned() });
    }
    journal.records
}

#[test]
fn of_a_run_that_rests_on_its_way_back_it_is_told_what_is_still_to_come() {
    insta::assert_snapshot!(told(&on_its_way_back(true)).split("next:").next().unwrap().trim_end(), @"
    blue-green in production is halted after 0ms: stopped by ada
    cancelled by ada
    still to be taken back: switch, deploy
    ");
    insta::assert_snapshot!(told(&on_its_way_back(false)).split("next:").next().unwrap().trim_end(), @"
    blue-green in production has not ended: it was going back
    cancelled by ada
    still to be taken back: switch, deploy
    ");
    let story = Story::of(&on_its_way_back(true));
    let words: Vec<&str> = ["switch", "deploy"].iter().map(|step| story.word(story.step(&samples::id(step)).unwrap())).collect();
    assert_eq!(words, ["not-undone", "done"]);
    let alive = Summary::of(&Story::of(&on_its_way_back(false)).in_hand(Hand::Process));
    assert!(alive.to_take_back.is_empty() && alive.residue.is_empty(), "its process is at it");
}

/// Items of `work` that were cut off: in doubt, but for those named last, which were looked up and are to be begun again.
fn items(doubtful: &[&str], looked_up: &[&str]) -> Summary {
    let all = doubtful.iter().chain(looked_up);
    let steps = all.clone().map(|step| samples::step(step, "shell", Reversibility::Reversible, &[])).collect();
    let mut journal = Journal::of(samples::graph(steps, Vec::new()));
    for step in all.clone() {
        journal.begin(step, 1);
    }
    for step in doubtful {
        let settled = Settled::Unknown("nobody saw its program end".to_owned());
        journal.write(What::EffectSettled { step: samples::id(step), key: EffectKey("run".into()), settled });
    }
    for step in all {
        journal.end(step, 1, AttemptResult::Interrupted);
    }
    journal.write(What::RunHalted { outcome: Outcome::Halted, reason: "of 3 steps nobody can tell".to_owned() });
    Summary::of(&Story::of(&journal.records))
}

#[test]
fn all_items_in_doubt_are_settled_by_one_name_unless_that_means_others_too() {
    let resume = |summary: Summary| summary.next[0].command.replace("bowline resume 20261121-120300-7f3a", "");
    assert_eq!(resume(items(&["work[a]", "work[b]", "other"], &[])), " --settle work=done --settle other=done");
    assert_eq!(resume(items(&["work[a]", "work[b]"], &["work[c]"])), " --settle 'work[a]=done' --settle 'work[b]=done'");
    assert_eq!(resume(items(&["work[a]"], &[])), " --settle 'work[a]=done'", "one is named as it is");
    let many: Vec<String> = (0..30).map(|item| format!("work[{item}]")).collect();
    let told = items(&many.iter().map(String::as_str).collect::<Vec<_>>(), &[]).lines().join("\n");
    assert!(told.contains("in doubt:\n  30 steps of `work`: nobody saw its program end\nnext:"), "{told}");
}
