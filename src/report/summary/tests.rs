//! Summaries as people see them.

use super::Summary;
use crate::record::{AttemptResult, BlobRef, CancelLevel, EffectKey, Failure, Outcome, Record, Reversibility, Settled, What};
use crate::report::samples::{self, Journal};
use crate::report::story::{Hand, Story, Warning};

fn told(records: &[Record]) -> String {
    Summary::of(&Story::of(records)).lines().join("\n")
}

#[test]
fn success_is_one_line() {
    insta::assert_snapshot!(told(&samples::succeeded()), @"blue-green in production succeeded in 1m 16s");
}

#[test]
fn success_with_warnings_tells_them() {
    let mut story = Story::of(&samples::succeeded());
    let warning = Warning { step: Some(samples::id("database")), text: "kept 3 of 7 backups".to_owned() };
    story.warnings.extend([warning.clone(), warning]);
    insta::assert_snapshot!(Summary::of(&story).lines().join("\n"), @"
    blue-green in production succeeded in 1m 16s, with warnings
    warning: database: kept 3 of 7 backups
    ");
}

#[test]
fn a_rollback_tells_why_and_what_was_left_alone() {
    insta::assert_snapshot!(told(&samples::rolled_back()), @"
    blue-green in production was rolled back after 1m 08s: what `back` guards is as it was, but for what somebody else changed
    healthy: image web:v3 of pod web-green-5c9f-x2 cannot be pulled: not found
      try this: push the image, or name one that exists
    left alone, because somebody else changed it since:
      deploy: apps/Deployment/production/web-green: spec.replicas is 4 since kubectl-scale set it
    next:
      bowline show 20261121-120300-7f3a --evidence healthy
          shows what was seen when it failed
    ");
}

#[test]
fn a_stuck_run_tells_what_is_left_and_in_doubt_and_what_to_type() {
    insta::assert_snapshot!(told(&samples::stuck()), @"
    blue-green in production is stuck after 1m 46s: what it changed could not all be taken back
    switch: waiting for the new side to answer through the ingress
    still there:
      switch: networking.k8s.io/Ingress/production/api: its backend is still web-green; the server refused the write: 403 Forbidden
    not taken back yet, because what is still there needs them: deploy
    in doubt:
      database: a program's end cannot be looked up
    warning: switch: not all evidence could be kept: the server did not answer within 5s
    next:
      bowline resume 20261121-120300-7f3a
          tries again, once you have mended what was in the way
      bowline rollback 20261121-120300-7f3a
          takes back everything, also what `back` does not guard
      bowline abandon 20261121-120300-7f3a
          closes it as it is
    ");
}

#[test]
fn a_step_that_may_fail_is_told_once_and_a_limit_is_named() {
    let mut plan = samples::blue_green();
    plan.steps[0].timeout = Some(crate::ids::Period(std::time::Duration::from_secs(2)));
    let mut journal = Journal::of(plan);
    let failure = Failure { causes: vec!["it was stopped before its end".to_owned()], ..Failure::permanent("it took longer than it may") };
    journal.begin("database", 1).wait(2_000).end("database", 1, AttemptResult::TimedOut { failure, retry_at: None });
    journal
        .write(What::RunClosed { outcome: Outcome::Succeeded, notes: vec!["database failed and the run went on without it".to_owned()] });
    insta::assert_snapshot!(told(&journal.records), @"
    blue-green in production succeeded in 2.0s, with warnings
    warning: database failed and the run went on without it: it took longer than its 2s: it was stopped before its end
    ");
}

/// A step failed that cannot be taken back, and this is known of what it did.
fn failed_at_the_pivot(settled: Settled<BlobRef>) -> Summary {
    let mut plan = samples::blue_green();
    plan.steps[0].reversibility = Reversibility::Irreversible;
    let mut journal = Journal::of(plan);
    let (step, key) = (samples::id("database"), EffectKey("run".into()));
    journal.begin("database", 1);
    let effects = vec![(key.clone(), samples::blob()), (EffectKey("never-begun".into()), samples::blob())];
    journal.write(What::EffectsIntended { step: step.clone(), effects, class: None, irreversible: false });
    journal.write(What::EffectSettled { step, key, settled });
    journal.end("database", 1, AttemptResult::Failed { failure: Failure::permanent("it failed"), retry_at: None });
    journal.write(What::RunHalted { outcome: Outcome::Halted, reason: "stopped by Ctrl-C".to_owned() });
    Summary::of(&Story::of(&journal.records))
}

#[test]
fn past_the_pivot_nobody_is_told_to_go_back_and_everybody_why() {
    insta::assert_snapshot!(failed_at_the_pivot(Settled::Done(samples::blob())).lines().join("\n"), @"
    blue-green in production is halted after 0ms: stopped by Ctrl-C
    database: it failed
    next:
      bowline resume 20261121-120300-7f3a   goes on where it stopped
      bowline abandon 20261121-120300-7f3a  closes it as it is
    `rollback` is not possible: database cannot be taken back
    ");
    let untouched = failed_at_the_pivot(Settled::NotDone);
    assert!(untouched.no_way_back.is_none() && untouched.next.iter().any(|next| next.command.starts_with("bowline rollback")));
}

#[test]
fn a_halted_run_tells_what_to_type() {
    insta::assert_snapshot!(told(&samples::halted()), @"
    blue-green in production is halted after 1m 02s: stopped by Ctrl-C
    next:
      bowline resume 20261121-120300-7f3a    goes on taking back what was done
      bowline rollback 20261121-120300-7f3a  takes back what was done
      bowline abandon 20261121-120300-7f3a   closes it as it is
    ");
}

fn halted_in_doubt(before: &[What]) -> String {
    let mut journal = Journal::of(samples::blue_green());
    journal.begin("database", 1);
    for what in before {
        journal.write(what.clone());
    }
    let settled = Settled::Unknown("a program's end cannot be looked up".to_owned());
    journal.write(What::EffectSettled { step: samples::id("database"), key: EffectKey("run".into()), settled });
    journal.write(What::RunHalted { outcome: Outcome::Halted, reason: "stopped by Ctrl-C".to_owned() });
    let next: Vec<String> =
        Summary::of(&Story::of(&journal.records)).next.into_iter().map(|next| format!("{}: {}", next.command, next.does)).collect();
    next.join("\n")
}

#[test]
fn only_who_goes_on_is_asked_what_became_of_a_step_in_doubt() {
    insta::assert_snapshot!(halted_in_doubt(&[]), @"
    bowline resume 20261121-120300-7f3a --settle database=done: goes on, where you have looked and seen that it was done (else say `not-done`)
    bowline rollback 20261121-120300-7f3a: takes back what was done
    bowline abandon 20261121-120300-7f3a: closes it as it is
    ");
    let back = What::CancelRequested { level: CancelLevel::RollBack, by: "Ctrl-C".to_owned() };
    insta::assert_snapshot!(halted_in_doubt(&[back]), @"
    bowline resume 20261121-120300-7f3a: goes on taking back what was done
    bowline rollback 20261121-120300-7f3a: takes back what was done
    bowline abandon 20261121-120300-7f3a: closes it as it is
    ");
}

#[test]
fn a_run_without_an_end_says_so() {
    insta::assert_snapshot!(told(&samples::running()), @"
    blue-green in production has not ended: done so far: database, colours
    next:
      bowline resume 20261121-120300-7f3a    goes on where it stopped
      bowline rollback 20261121-120300-7f3a  takes back what was done
      bowline abandon 20261121-120300-7f3a   closes it as it is
    ");
}

#[test]
fn a_run_in_hand_elsewhere_can_only_be_given_up_here() {
    let summary = Summary::of(&Story::of(&samples::running()).in_hand(Hand::Elsewhere));
    let commands: Vec<&str> = summary.next.iter().map(|next| next.command.as_str()).collect();
    assert_eq!(commands, ["bowline abandon 20261121-120300-7f3a"]);
}

#[test]
fn a_rejection_names_the_person() {
    insta::assert_snapshot!(told(&samples::rejected()), @"
    blue-green in production was rolled back after 1m 21s: what `back` guards is as it was
    colours: rejected by ada: not on a Friday
    ");
}

#[test]
fn a_rollback_after_which_only_the_look_failed_is_told_from_one_that_left_something() {
    let mut records = samples::rolled_back();
    let (seq, epoch) = (records.len() as u64, 1);
    let looked = records.iter().position(|record| matches!(record.what, What::RollbackVerified { .. })).unwrap();
    records.truncate(looked);
    let at = records[looked - 1].at;
    let whats = [
        What::RollbackVerified { failure: Some(Failure::permanent("GET /health answered 503")) },
        What::RunHalted { outcome: Outcome::Stuck, reason: "everything is taken back, but GET /health answered 503".to_owned() },
    ];
    records.extend((0..).zip(whats).map(|(place, what)| Record { v: 1, seq: seq + place, at, epoch, what }));
    insta::assert_snapshot!(told(&records), @"
    blue-green in production is stuck after 1m 08s: what `back` guards is taken back, but what must hold then does not
    healthy: image web:v3 of pod web-green-5c9f-x2 cannot be pulled: not found
      try this: push the image, or name one that exists
    left alone, because somebody else changed it since:
      deploy: apps/Deployment/production/web-green: spec.replicas is 4 since kubectl-scale set it
    warning: after the rollback: GET /health answered 503
    next:
      bowline resume 20261121-120300-7f3a
          looks once more whether it holds
      bowline rollback 20261121-120300-7f3a
          does the same, and ends with 0 when everything is taken back
      bowline abandon 20261121-120300-7f3a
          closes it as it is
      bowline show 20261121-120300-7f3a --evidence healthy
          shows what was seen when it failed
    ");
}

#[test]
fn of_a_run_that_was_closed_as_it_is_everything_that_is_still_there_is_told() {
    let mut records = samples::stuck();
    let at = records[records.len() - 1].at;
    let notes = vec!["deploy was left as it was".to_owned()];
    let what = What::RunClosed { outcome: Outcome::Abandoned, notes };
    records.push(Record { v: 1, seq: records.len() as u64, at, epoch: 1, what });
    insta::assert_snapshot!(told(&records), @"
    blue-green in production was closed as it is
    switch: waiting for the new side to answer through the ingress
    still there:
      deploy: apps/Deployment/production/web-green
      switch: networking.k8s.io/Ingress/production/api: its backend is still web-green; the server refused the write: 403 Forbidden
    in doubt:
      database: a program's end cannot be looked up
    warning: switch: not all evidence could be kept: the server did not answer within 5s
    ");
}

#[test]
fn a_rollback_by_hand_ends_without_a_line_that_says_nothing() {
    let mut journal = Journal::of(samples::blue_green());
    journal.done("database", 10).rollback(None, "asked for");
    let mut stuck = Journal::of(samples::blue_green());
    stuck.records.clone_from(&journal.records);
    journal.close(Outcome::RolledBack);
    assert_eq!(Summary::of(&Story::of(&journal.records)).reason, None);
    stuck.write(What::RunHalted { outcome: Outcome::Stuck, reason: "not everything could be taken back".to_owned() });
    assert_eq!(Summary::of(&Story::of(&stuck.records)).reason, None);
}

/// A rollback after these steps failed, one after another.
fn after_failures(failures: &[(String, &str)]) -> Vec<Record> {
    let steps = failures.iter().map(|(step, _)| samples::step(step, "shell", Reversibility::ReadOnly, &[])).collect();
    let mut journal = Journal::of(samples::graph(steps, Vec::new()));
    for (step, _) in failures {
        journal.begin(step, 1);
    }
    for (step, why) in failures {
        let failure = Failure { hint: Some("mend it".to_owned()), ..Failure::permanent(*why) };
        journal.wait(10).end(step, 1, AttemptResult::Failed { failure, retry_at: None });
    }
    journal.rollback(failures.first().map(|(step, _)| step.as_str()), "it failed");
    for (step, _) in failures {
        journal.undone(step, 10, Vec::new());
    }
    journal.close(Outcome::RolledBack);
    journal.records
}

#[test]
fn of_all_steps_that_failed_it_is_told_why_and_of_those_that_failed_alike_once() {
    let name = |name: &str| name.to_owned();
    let records = after_failures(&[
        (name("deploy[us]"), "`make` exited with code 2"),
        (name("migrate"), "no such table"),
        (name("deploy[eu]"), "`make` exited with code 2"),
    ]);
    insta::assert_snapshot!(told(&records).split_once('\n').unwrap().1, @"
    deploy[us], deploy[eu]: `make` exited with code 2
      try this: mend it
    migrate: no such table
      try this: mend it
    ");
    let reasons: Vec<String> = (0..8).map(|number| format!("wrong in its own way {number}")).collect();
    let many: Vec<(String, &str)> = reasons.iter().enumerate().map(|(number, why)| (format!("s{number}"), why.as_str())).collect();
    let told = told(&after_failures(&many));
    assert!(told.contains("s4: wrong") && !told.contains("s5: wrong") && told.contains("and 3 more failed: s5, s6, s7"), "{told}");
}

#[test]
fn what_the_headline_tells_is_not_told_again_and_the_others_are() {
    let mut records = after_failures(&[("one".to_owned(), "no luck"), ("two".to_owned(), "no luck"), ("three".to_owned(), "no table")]);
    let opens = records.iter().position(|record| matches!(record.what, What::RollbackOpened { .. })).unwrap();
    records.truncate(opens + 1);
    let reason = "one: no luck; nothing is taken back, as `--no-rollback` said".to_owned();
    records[opens].what = What::RunHalted { outcome: Outcome::Halted, reason };
    insta::assert_snapshot!(told(&records).split("next:").next().unwrap().trim_end(), @"
    blue-green in production is halted after 30ms: one: no luck; nothing is taken back, as `--no-rollback` said
    two: no luck
      try this: mend it
    three: no table
      try this: mend it
    ");
}

#[test]
fn of_steps_of_which_the_same_is_in_doubt_it_is_told_once() {
    let mut journal = Journal::of(samples::blue_green());
    for (step, key, why) in [
        ("database", "run", "nobody saw its program end"),
        ("deploy", "run", "nobody saw its program end"),
        ("switch", "patch:kube:Service/production/web", "it could not be looked up"),
    ] {
        journal.begin(step, 1);
        let settled = Settled::Unknown(why.to_owned());
        journal.write(What::EffectSettled { step: samples::id(step), key: EffectKey(key.into()), settled });
        journal.end(step, 1, AttemptResult::Interrupted);
    }
    journal.write(What::RunHalted { outcome: Outcome::Halted, reason: "of 3 steps nobody can tell whether they were done".to_owned() });
    insta::assert_snapshot!(told(&journal.records), @"
    blue-green in production is halted after 0ms: of 3 steps nobody can tell whether they were done
    in doubt:
      database, deploy: nobody saw its program end
      switch: Service/production/web; it could not be looked up
    next:
      bowline resume 20261121-120300-7f3a --settle database=done --settle deploy=done --settle switch=done
          goes on, where you have looked and seen that it was done (else say `not-done`)
      bowline rollback 20261121-120300-7f3a
          takes back what was done
      bowline abandon 20261121-120300-7f3a
          closes it as it is
    ");
}
