//! What is said of whole runs, record by record.

use super::of;
use crate::record::{AttemptResult, CancelLevel, EffectKey, Failure, Record, Reversibility, Settled, UndoResult, What};
use crate::report::samples::{self, Journal};
use crate::report::story::{Hand, Story};
use crate::report::summary::Summary;
use jiff::tz::TimeZone;

fn told(records: &[Record]) -> String {
    let mut story = Story::default();
    let mut lines = Vec::new();
    for record in records {
        story.record(record);
        if let Some(sentence) = of(&story, record, &TimeZone::UTC) {
            let step = sentence.step.map(|step| format!("{step}: ")).unwrap_or_default();
            lines.push(format!("{:?} {step}{}", sentence.tone, sentence.text));
        }
    }
    lines.join("\n")
}

#[test]
fn a_run_that_succeeds() {
    insta::assert_snapshot!(told(&samples::succeeded()), @"
    Plain run 20261121-120300-7f3a of blue-green in production: 7 steps
    Begin database: started
    Good database: done in 1m 01s
    Begin colours: started
    Good colours: done in 0.3s
    Begin deploy: started
    Good deploy: done in 1.2s
    Begin healthy: started
    Good healthy: done in 9.4s
    Begin smoke: started
    Warn smoke: attempt 1 failed: GET /api/v1/streams/active answered in 350ms, expected 200ms; the next in 1.0s
    Begin smoke: attempt 2
    Good smoke: done in 3.8s, at attempt 2
    Begin switch: started
    Good switch: done in 0.7s
    Plain retire: skipped: its `when` is false
    Good back: savepoint reached
    ");
}

#[test]
fn a_run_that_comes_undone() {
    insta::assert_snapshot!(told(&samples::rolled_back()), @"
    Plain run 20261121-120300-7f3a of blue-green in production: 7 steps
    Begin database: started
    Good database: done in 1m 01s
    Begin colours: started
    Good colours: done in 0.3s
    Begin deploy: started
    Good deploy: done in 1.2s
    Begin healthy: started
    Bad healthy: failed: image web:v3 of pod web-green-5c9f-x2 cannot be pulled: not found
    Bad rolling back what `back` guards, within 5m, because healthy failed
    Plain healthy: evidence kept: `bowline show 20261121-120300-7f3a --evidence healthy`
    Begin healthy: taking it back
    Good healthy: nothing to take back
    Begin deploy: taking it back
    Warn deploy: taken back in 2.1s; 1 change by somebody else left alone
    Begin colours: taking it back
    Good colours: nothing to take back
    Good what must hold after the rollback holds
    ");
}

#[test]
fn a_run_that_is_stuck_and_in_doubt() {
    insta::assert_snapshot!(told(&samples::stuck()), @"
    Plain run 20261121-120300-7f3a of blue-green in production: 7 steps
    Begin database: started
    Good database: done in 1m 01s
    Begin colours: started
    Good colours: done in 0.3s
    Begin deploy: started
    Good deploy: done in 1.2s
    Begin healthy: started
    Good healthy: done in 9.4s
    Begin smoke: started
    Good smoke: done in 0.8s
    Begin switch: started
    Bad switch: timed out: waiting for the new side to answer through the ingress
    Warn database: in doubt: a program's end cannot be looked up
    Bad rolling back what `back` guards, within 5m, because switch failed
    Warn switch: no evidence could be kept: the server did not answer within 5s
    Begin switch: taking it back
    Warn switch: not taken back yet: the server refused the write: 403 Forbidden; the next try in 1.5s
    Bad switch: could not be taken back: the server refused the write: 403 Forbidden
    ");
}

#[test]
fn a_run_that_a_person_rejects() {
    insta::assert_snapshot!(told(&samples::rejected()), @"
    Plain run 20261121-120300-7f3a of blue-green in production: 7 steps
    Begin database: started
    Good database: done in 1m 01s
    Warn colours: asks: Move production to v3? (answer with `bowline approve 20261121-120300-7f3a colours` or `bowline reject 20261121-120300-7f3a colours`)
    Bad colours: rejected by ada: not on a Friday
    Bad rolling back what `back` guards, within 5m, because colours failed
    ");
}

#[test]
fn a_run_that_is_halted_and_resumed() {
    let mut records = samples::halted();
    records.push(samples::resumed(records.len()));
    insta::assert_snapshot!(told(&records), @"
    Plain run 20261121-120300-7f3a of blue-green in production: 7 steps
    Begin database: started
    Good database: done in 1m 01s
    Begin colours: started
    Good colours: done in 0.3s
    Begin deploy: started
    Warn cancel asked by Ctrl-C: nothing more starts, what was done is taken back; once more halts at once
    Warn halt asked by Ctrl-C: halting as soon as possible
    Warn deploy: stopped
    Plain resumed by ops@ci-7 (process 5000)
    ");
}

#[test]
fn a_step_in_doubt_is_taken_back_with_the_rest_and_nobody_is_asked() {
    let mut journal = Journal::of(samples::blue_green());
    journal.begin("deploy", 1).write(What::CancelRequested { level: CancelLevel::RollBack, by: "Ctrl-C".to_owned() });
    let settled = Settled::Unknown("nobody can tell whether `make` ran to its end".to_owned());
    journal.write(What::EffectSettled { step: samples::id("deploy"), key: EffectKey("run".into()), settled });
    insta::assert_snapshot!(told(&journal.end("deploy", 1, AttemptResult::Cancelled).records), @"
    Plain run 20261121-120300-7f3a of blue-green in production: 7 steps
    Begin deploy: started
    Warn cancel asked by Ctrl-C: nothing more starts, what was done is taken back; once more halts at once
    Warn deploy: stopped, half way perhaps; taken back as if it was done
    ");
}

#[test]
fn past_a_step_that_cannot_be_taken_back_a_cancel_promises_nothing() {
    let mut plan = samples::blue_green();
    plan.steps[0].reversibility = Reversibility::Irreversible;
    let mut journal = Journal::of(plan);
    journal.begin("database", 1).write(What::EffectDone {
        step: samples::id("database"),
        key: EffectKey("run".into()),
        after: samples::blob(),
    });
    journal.write(What::CancelRequested { level: CancelLevel::RollBack, by: "ada".to_owned() });
    let told = told(&journal.records);
    assert!(told.ends_with("cancel asked by ada: nothing more starts; what was done stays, since database cannot be taken back"), "{told}");
}

/// `send` is done and cannot be taken back, `wait` is at work in a guard that does not hold it.
fn behind_the_pivot() -> Journal {
    use Reversibility::{Irreversible, Reversible};
    let steps = vec![
        samples::step("send", "shell", Irreversible, &[]),
        samples::step("a", "shell", Reversible, &["send"]),
        samples::step("wait", "shell", Reversible, &["a"]),
        samples::step("back", "rollback-on-fail", Reversibility::ReadOnly, &["wait"]),
    ];
    let mut journal = Journal::of(samples::graph(steps, vec![samples::guard("back", &["a", "wait"], 60)]));
    journal.begin("send", 1).write(What::EffectDone { step: samples::id("send"), key: EffectKey("run".into()), after: samples::blob() });
    journal.end("send", 1, AttemptResult::Succeeded { output: None });
    journal
}

fn to_cancel(story: &Story) -> String {
    let next = Summary::of(&story.clone().in_hand(Hand::Process)).next;
    next.into_iter().find(|next| !next.command.ends_with("--halt")).map(|next| next.does).unwrap_or_default()
}

#[test]
fn a_guard_behind_the_pivot_goes_back_and_that_is_said() {
    let mut journal = behind_the_pivot();
    journal.done("a", 10);
    // Between two steps, and while one is at work.
    assert_eq!(to_cancel(&Story::of(&journal.records)), "stops it, and takes back what `back` guards; the rest stays");
    journal.begin("wait", 1);
    assert_eq!(to_cancel(&Story::of(&journal.records)), "stops it, and takes back what `back` guards; the rest stays");
    journal.write(What::CancelRequested { level: CancelLevel::RollBack, by: "ada".to_owned() });
    let said = told(&journal.records);
    assert!(said.ends_with("nothing more starts; what `back` guards is taken back, the rest stays, since send cannot be"), "{said}");
    let story = Story::of(&journal.records);
    assert!(story.goes_back() && !story.takes_back(story.step(&samples::id("send")).unwrap()));
}

#[test]
fn a_guard_that_holds_the_pivot_does_not_go_back() {
    let mut journal = behind_the_pivot();
    if let What::RunOpened { graph, .. } = &mut journal.records[0].what {
        std::sync::Arc::make_mut(graph).guards[0].guards.insert(samples::id("send"));
    }
    journal.begin("a", 1);
    assert_eq!(to_cancel(&Story::of(&journal.records)), "stops it; what it did stays");
    journal.write(What::CancelRequested { level: CancelLevel::RollBack, by: "ada".to_owned() });
    assert!(told(&journal.records).ends_with("what was done stays, since send cannot be taken back"));
    assert!(!Story::of(&journal.records).goes_back());
}

#[test]
fn what_nobody_saw_end_is_told_once_as_in_doubt() {
    let mut journal = Journal::of(samples::blue_green());
    journal.begin("deploy", 1);
    let resumed = samples::resumed(journal.records.len());
    journal.write(resumed.what);
    let settled = Settled::Unknown("nobody saw its program end".to_owned());
    journal.write(What::EffectSettled { step: samples::id("deploy"), key: EffectKey("run".into()), settled });
    let said = told(&journal.end("deploy", 1, AttemptResult::Interrupted).records);
    assert!(said.ends_with("(process 5000)\nWarn deploy: in doubt: nobody saw its program end"), "{said}");
}

/// What is said of `deploy` when its process stops its program: the last line.
fn stopped(change: impl FnOnce(&mut Journal), result: AttemptResult) -> String {
    let mut journal = Journal::of(samples::blue_green());
    journal.begin("deploy", 1);
    change(&mut journal);
    let settled = Settled::Unknown("nobody knows how far its program got".to_owned());
    journal.write(What::EffectSettled { step: samples::id("deploy"), key: EffectKey("run".into()), settled });
    let said = told(&journal.end("deploy", 1, result).records);
    assert_eq!(said.matches("deploy: ").count(), 2, "one line of its beginning, one of its end: {said}");
    said.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn of_a_program_that_its_own_process_stopped_its_end_is_told_in_one_line() {
    let ask = |level| {
        move |journal: &mut Journal| {
            journal.write(What::CancelRequested { level, by: "ada".to_owned() });
        }
    };
    let timed_out = || AttemptResult::TimedOut {
        failure: Failure { causes: vec!["it was stopped before its end".to_owned()], ..Failure::permanent("it took longer than it may") },
        retry_at: None,
    };
    let lost = || AttemptResult::Failed { failure: Failure::permanent("the connection was lost"), retry_at: None };
    assert_eq!(
        stopped(ask(CancelLevel::RollBack), AttemptResult::Cancelled),
        "Warn deploy: stopped, half way perhaps; taken back as if it was done"
    );
    assert_eq!(stopped(ask(CancelLevel::Halt), AttemptResult::Interrupted), "Warn deploy: stopped, half way perhaps: in doubt");
    assert_eq!(
        stopped(|_| {}, timed_out()),
        "Bad deploy: timed out: it took longer than it may: it was stopped before its end, half way perhaps"
    );
    assert_eq!(stopped(|_| {}, lost()), "Bad deploy: failed: the connection was lost; how far it got is in doubt");
}

#[test]
fn of_items_of_which_the_same_is_in_doubt_it_is_told_once() {
    let steps = ["work[a]", "work[b]", "other"].map(|step| samples::step(step, "shell", Reversibility::Reversible, &[]));
    let mut journal = Journal::of(samples::graph(steps.to_vec(), Vec::new()));
    for step in &steps {
        journal.begin(step.id.as_str(), 1);
    }
    let resumed = samples::resumed(journal.records.len());
    journal.write(resumed.what);
    for step in &steps {
        let settled = Settled::Unknown("nobody saw its program end".to_owned());
        journal.write(What::EffectSettled { step: step.id.clone(), key: EffectKey("run".into()), settled });
    }
    insta::assert_snapshot!(told(&journal.records).split_once("5000)\n").unwrap().1, @"
    Warn work[a]: in doubt: nobody saw its program end
    Warn other: in doubt: nobody saw its program end
    ");
}

#[test]
fn who_cancels_a_run_that_goes_back_already_is_told_so() {
    let mut journal = Journal::of(samples::blue_green());
    journal.done("deploy", 10).rollback(Some("deploy"), "no luck");
    journal.write(What::CancelRequested { level: CancelLevel::RollBack, by: "Ctrl-C".to_owned() });
    let said = told(&journal.records);
    assert!(said.ends_with("cancel asked by Ctrl-C: it is going back already; once more halts at once"), "{said}");
}

#[test]
fn a_step_whose_time_for_going_back_was_over_is_told_whose_time_that_was() {
    let mut journal = Journal::of(samples::blue_green());
    journal.done("deploy", 10).rollback(Some("deploy"), "no luck");
    journal.write(What::UndoStarted { step: samples::id("deploy"), attempt: 1 }).wait(300_000);
    let failure = Failure { causes: vec!["1 of 3 back".to_owned()], ..Failure::permanent("it was stopped") };
    let result = UndoResult::Failed { failure, marks: Vec::new(), retry_at: None };
    journal.write(What::UndoEnded { step: samples::id("deploy"), attempt: 1, result });
    let said = told(&journal.records);
    let told = "Bad deploy: could not be taken back: stopped after the 5m that `back` allows (`budget`): 1 of 3 back";
    assert!(said.ends_with(told), "{said}");
}

#[test]
fn a_try_of_taking_back_is_told_once_and_why_only_where_it_is_news() {
    let mut journal = Journal::of(samples::blue_green());
    journal.done("deploy", 10).rollback(Some("deploy"), "asked for");
    for (attempt, why) in [(1, "503"), (2, "503"), (3, "403"), (4, "403")] {
        let retry_at = (attempt < 4).then(|| crate::ids::Moment::from_millis(samples::OPENED + 4_010));
        let result = UndoResult::Failed { failure: Failure::permanent(why), marks: Vec::new(), retry_at };
        journal.write(What::UndoStarted { step: samples::id("deploy"), attempt });
        journal.write(What::UndoEnded { step: samples::id("deploy"), attempt, result });
    }
    let said = told(&journal.records);
    insta::assert_snapshot!(said.split_once("rolling back").unwrap().1.split_once('\n').unwrap().1, @"
    Begin deploy: taking it back
    Warn deploy: not taken back yet: 503; the next try in 4.0s
    Warn deploy: not taken back yet: try 2 failed as the one before; the next try in 4.0s
    Warn deploy: not taken back yet: 403; the next try in 4.0s
    Bad deploy: could not be taken back: 403
    ");
}

/// An approval that waits so long for an answer, in a plan that was changed.
fn asked(limit: u64, change: impl FnOnce(&mut crate::record::Graph)) -> String {
    let mut plan = samples::blue_green();
    plan.steps[1] = samples::step("colours", "approve", Reversibility::ReadOnly, &["database"]);
    plan.steps[1].timeout = Some(crate::ids::Period(std::time::Duration::from_secs(limit)));
    change(&mut plan);
    let mut journal = Journal::of(plan);
    journal.done("database", 61_000);
    journal.write(What::ApprovalAsked { step: samples::id("colours"), message: "Go?".to_owned() });
    let story = Story::of(&journal.records);
    let terms = story.terms(story.step(&samples::id("colours")).unwrap(), &TimeZone::UTC).unwrap();
    assert!(told(&journal.records).ends_with(&format!(" colours` {terms})")), "{}", told(&journal.records));
    terms
}

#[test]
fn an_approval_tells_until_when_it_waits_and_what_comes_then() {
    assert_eq!(asked(7_200, |_| {}), "by 14:04:01, else what `back` guards is rolled back");
    assert_eq!(asked(86_400, |plan| plan.guards.clear()), "by 2026-11-22 12:04, else everything is rolled back");
    assert_eq!(asked(60, |plan| plan.halts_on_failure = true), "by 12:05:01, else the run halts");
    assert_eq!(asked(60, |plan| plan.steps[1].continue_on_error = true), "by 12:05:01, else the run goes on without it");
}

#[test]
fn an_approval_past_the_pivot_halts_unless_a_guard_holds_it_without_the_pivot() {
    let unanswered = |guards: &[&str]| {
        let mut plan = samples::blue_green();
        plan.steps[0].reversibility = Reversibility::Irreversible;
        plan.steps[1] = samples::step("colours", "approve", Reversibility::ReadOnly, &["database"]);
        plan.guards = vec![samples::guard("back", guards, 300)];
        let mut journal = Journal::of(plan);
        let (step, key) = (samples::id("database"), EffectKey("run".into()));
        journal.begin("database", 1).write(What::EffectDone { step, key, after: samples::blob() });
        journal.end("database", 1, AttemptResult::Succeeded { output: None });
        journal.write(What::ApprovalAsked { step: samples::id("colours"), message: "Go?".to_owned() });
        let story = Story::of(&journal.records);
        story.unanswered(story.step(&samples::id("colours")).unwrap())
    };
    assert_eq!(unanswered(&["colours", "deploy"]), "what `back` guards is rolled back");
    assert_eq!(unanswered(&["database", "colours"]), "the run halts");
    assert_eq!(unanswered(&["deploy"]), "the run halts");
}
