//! What `show` says of made-up runs.

use super::{Standing, object, told};
use crate::ids::Period;
use crate::journal::RunState;
use crate::record::{Outcome, What};
use crate::report::paint::Paint;
use crate::report::samples;
use crate::report::story::{Hand, Story};
use jiff::tz::TimeZone;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

fn standing(state: RunState) -> Standing {
    Standing { state, is_in_part: false, is_simulated: false }
}

fn shown(story: &Story, state: RunState) -> String {
    told(story, standing(state), "version=v3", &TimeZone::UTC, Paint::default()).join("\n")
}

fn json(story: &Story, state: RunState) -> Value {
    let inputs = serde_json::json!({ "version": "v3" });
    serde_json::from_str(&object(story, standing(state), inputs.as_object())).unwrap()
}

#[test]
fn a_run_that_came_undone() {
    insta::assert_snapshot!(shown(&Story::of(&samples::rolled_back()), RunState::Closed(Outcome::RolledBack)), @"
    run 20261121-120300-7f3a of blue-green in production, opened 2026-11-21 12:03:00 +00:00, rolled-back
    inputs: version=v3

      database  backup            done     1m 01s
      colours   detect-colour     undone   0.3s
      deploy    apply             kept     1.2s
      healthy   wait-healthy      undone   4.2s
      smoke     smoke-test        not-run
      switch    switch-ingress    not-run
      retire    scale             not-run
      back      rollback-on-fail  not-run

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
fn a_run_that_is_stuck() {
    insta::assert_snapshot!(shown(&Story::of(&samples::stuck()), RunState::Stuck), @"
    run 20261121-120300-7f3a of blue-green in production, opened 2026-11-21 12:03:00 +00:00, stuck
    inputs: version=v3

      database  backup            done     1m 01s  in doubt
      colours   detect-colour     done     0.3s
      deploy    apply             done     1.2s
      healthy   wait-healthy      done     9.4s
      smoke     smoke-test        done     0.8s
      switch    switch-ingress    residue  30s
      retire    scale             not-run
      back      rollback-on-fail  not-run

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
fn of_a_run_that_lives_it_is_told_what_its_process_can_be_told() {
    insta::assert_snapshot!(shown(&Story::of(&samples::running()).in_hand(Hand::Process), RunState::Live), @"
    run 20261121-120300-7f3a of blue-green in production, opened 2026-11-21 12:03:00 +00:00, live
    inputs: version=v3

      database  backup            done     1m 01s
      colours   detect-colour     done     0.3s
      deploy    apply             running
      healthy   wait-healthy      waiting
      smoke     smoke-test        waiting
      switch    switch-ingress    waiting
      retire    scale             waiting
      back      rollback-on-fail  waiting

    blue-green in production is under way: 2 steps of 7 done
    next:
      bowline cancel 20261121-120300-7f3a
          stops it, and takes back what it did
      bowline cancel 20261121-120300-7f3a --halt
          stops it where it is
    ");
}

#[test]
fn of_a_run_that_goes_back_it_is_told_how_far_it_is() {
    let records = samples::stuck();
    let undoing = records.iter().position(|record| matches!(record.what, What::UndoStarted { .. })).unwrap();
    insta::assert_snapshot!(shown(&Story::of(&records[..=undoing]).in_hand(Hand::Process), RunState::Live), @"
    run 20261121-120300-7f3a of blue-green in production, opened 2026-11-21 12:03:00 +00:00, live
    inputs: version=v3

      database  backup            done     1m 01s  in doubt
      colours   detect-colour     done     0.3s
      deploy    apply             done     1.2s
      healthy   wait-healthy      done     9.4s
      smoke     smoke-test        done     0.8s
      switch    switch-ingress    undoing  30s
      retire    scale             not-run
      back      rollback-on-fail  not-run

    blue-green in production rolls back what `back` guards: 0 steps taken back, 2 to go
    switch: waiting for the new side to answer through the ingress
    in doubt:
      database: a program's end cannot be looked up
    warning: switch: not all evidence could be kept: the server did not answer within 5s
    next:
      bowline cancel 20261121-120300-7f3a --halt  stops it where it is
    ");
}

#[test]
fn a_run_that_asks_is_told_with_its_answers() {
    let records = samples::rejected();
    let asked = records.iter().position(|record| matches!(record.what, What::ApprovalAsked { .. })).unwrap();
    let json = json(&Story::of(&records[..=asked]).in_hand(Hand::Process), RunState::Live);
    let next: Vec<&str> = json["summary"]["next"].as_array().unwrap().iter().map(|next| next["command"].as_str().unwrap()).collect();
    insta::assert_snapshot!(next.join("\n"), @"
    bowline approve 20261121-120300-7f3a colours
    bowline reject 20261121-120300-7f3a colours
    bowline cancel 20261121-120300-7f3a
    bowline cancel 20261121-120300-7f3a --halt
    ");
}

#[test]
fn a_question_is_told_with_the_time_that_is_left_for_it() {
    let mut records = samples::rejected();
    let asked = records.iter().position(|record| matches!(record.what, What::ApprovalAsked { .. })).unwrap();
    records.truncate(asked + 1);
    if let What::RunOpened { graph, .. } = &mut records[0].what {
        Arc::make_mut(graph).steps[1].timeout = Some(Period(Duration::from_secs(7_200)));
    }
    let asking = Story::of(&records).in_hand(Hand::Process);
    let told = shown(&asking, RunState::Live);
    let line = told.lines().find(|line| line.contains("asking")).unwrap_or(&told);
    insta::assert_snapshot!(line.trim(), @"colours   approve           asking           Move production to v3? (answer by 14:04:01, else what `back` guards is rolled back)");
    assert_eq!(json(&asking, RunState::Live)["steps"][1]["answer-by"], "2026-11-21T14:04:01.04Z");
}

#[test]
fn of_a_run_whose_process_is_gone_nothing_is_said_to_run() {
    let told = shown(&Story::of(&samples::running()), RunState::Dead);
    insta::assert_snapshot!(told.split("\n\n").nth(1).unwrap(), @"
      database  backup            done         1m 01s
      colours   detect-colour     done         0.3s
      deploy    apply             interrupted          was at work when its bowline ended
      healthy   wait-healthy      not-run
      smoke     smoke-test        not-run
      switch    switch-ingress    not-run
      retire    scale             not-run
      back      rollback-on-fail  not-run
    ");
}

#[test]
fn programs_get_every_step() {
    let json = json(&Story::of(&samples::rolled_back()), RunState::Closed(Outcome::RolledBack));
    assert_eq!(json["steps"][3]["status"], "undone");
    assert_eq!(json["steps"][3]["failure"]["message"], "image web:v3 of pod web-green-5c9f-x2 cannot be pulled");
    assert_eq!(json["summary"]["outcome"], "rolled-back");
    assert_eq!((&json["state"], &json["in-part"], &json["simulated"]), (&"rolled-back".into(), &false.into(), &false.into()));
    assert_eq!((&json["run"], &json["plan"]), (&"20261121-120300-7f3a".into(), &"blue-green".into()));
    assert_eq!(json["opened"], "2026-11-21T12:03:00Z");
    assert_eq!((&json["environment"], &json["inputs"]["version"]), (&"production".into(), &"v3".into()));
}
