//! Records as the first version wrote them. They lie in people's folders: a line here is never changed and never taken away.

use crate::record::{Record, What};
use std::collections::BTreeSet;

/// One line or more of each kind; together they hold every shape that a part of a record can have.
const V1: &[&str] = &[
    r#"{"v":1,"seq":0,"at":"2026-11-21T03:42:00.123Z","epoch":1,"what":{"run-opened":{"run":"20261121-034200-7f3a","plan":"web","environment":"production","graph":{"steps":[{"id":"deploy","kind":"apply","role":"action","needs":[],"reversibility":"reversible","retry":{"attempts":3,"backoff":"1s","factor":2.0,"max":"30s","timeout":"1m"},"timeout":"5m","continue-on-error":false,"idempotent":true},{"id":"gate","kind":"approve","role":"approve","needs":["deploy"],"reversibility":"read-only","retry":{"attempts":1,"backoff":"1s","factor":2.0,"max":"30s","timeout":null},"timeout":null,"continue-on-error":true,"idempotent":false},{"id":"rest","kind":"pause","role":"pause","needs":["gate"],"reversibility":"compensable","retry":{"attempts":1,"backoff":"1s","factor":2.0,"max":"30s","timeout":null},"timeout":null,"continue-on-error":false,"idempotent":false},{"id":"back","kind":"rollback-on-fail","role":"guard","needs":["rest"],"reversibility":"irreversible","retry":{"attempts":1,"backoff":"1s","factor":2.0,"max":"30s","timeout":null},"timeout":null,"continue-on-error":false,"idempotent":false}],"guards":[{"id":"back","guards":["deploy","gate","rest"],"budget":"5m","verified":true}],"concurrency":4,"budget":"10m","verified":true},"frozen":{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","sealed":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","size":12}}}}"#,
    r#"{"v":1,"seq":1,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"epoch-opened":{"holder":{"host":"h","pid":7,"started":174723,"boot":"b","user":"ann"},"mode":"run"}}}"#,
    r#"{"v":1,"seq":1,"at":"2026-11-21T03:42:00Z","epoch":2,"what":{"epoch-opened":{"holder":{"host":"h","pid":7,"started":174723,"boot":"b","user":"ann"},"mode":"resume"}}}"#,
    r#"{"v":1,"seq":1,"at":"2026-11-21T03:42:00Z","epoch":3,"what":{"epoch-opened":{"holder":{"host":"h","pid":7,"started":174723,"boot":"b","user":"ann"},"mode":"rollback"}}}"#,
    r#"{"v":1,"seq":1,"at":"2026-11-21T03:42:00Z","epoch":4,"what":{"epoch-opened":{"holder":{"host":"h","pid":7,"started":174723,"boot":"b","user":"ann"},"mode":"abandon"}}}"#,
    r#"{"v":1,"seq":2,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"step-skipped":{"step":"deploy","reason":"condition"}}}"#,
    r#"{"v":1,"seq":2,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"step-skipped":{"step":"deploy","reason":{"needs":"gate"}}}}"#,
    r#"{"v":1,"seq":3,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"attempt-started":{"step":"deploy","attempt":1,"params":{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","sealed":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","size":12},"targets":["kube:apps/Deployment/n/web"],"until":null}}}"#,
    r#"{"v":1,"seq":3,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"attempt-started":{"step":"rest","attempt":1,"params":null,"targets":[],"until":"2026-11-21T03:43:00Z"}}}"#,
    r#"{"v":1,"seq":4,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"effects-intended":{"step":"deploy","effects":[["apply:apps/Deployment/n/web",{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","sealed":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","size":12}]],"class":"ordinary","irreversible":false}}}"#,
    r#"{"v":1,"seq":4,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"effects-intended":{"step":"deploy","effects":[],"class":{"traffic":{"needs-fit":["kube:apps/Deployment/n/web"]}},"irreversible":true}}}"#,
    r#"{"v":1,"seq":5,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"effect-done":{"step":"deploy","key":"apply:x","after":{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","sealed":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","size":12}}}}"#,
    r#"{"v":1,"seq":6,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"effect-settled":{"step":"deploy","key":"apply:x","settled":"not-done"}}}"#,
    r#"{"v":1,"seq":6,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"effect-settled":{"step":"deploy","key":"apply:x","settled":{"done":{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","sealed":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","size":12}}}}}"#,
    r#"{"v":1,"seq":6,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"effect-settled":{"step":"deploy","key":"apply:x","settled":{"other":"somebody's"}}}}"#,
    r#"{"v":1,"seq":6,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"effect-settled":{"step":"deploy","key":"apply:x","settled":{"unknown":"it was a process"}}}}"#,
    r#"{"v":1,"seq":7,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"attempt-ended":{"step":"deploy","attempt":1,"result":{"succeeded":{"output":{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","sealed":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","size":12}}}}}}"#,
    r#"{"v":1,"seq":7,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"attempt-ended":{"step":"deploy","attempt":1,"result":{"failed":{"failure":{"message":"m","causes":["c"],"hint":"h","retriable":true},"retry-at":"2026-11-21T03:43:00Z"}}}}}"#,
    r#"{"v":1,"seq":7,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"attempt-ended":{"step":"deploy","attempt":1,"result":{"timed-out":{"failure":{"message":"m","causes":[],"hint":null,"retriable":false},"retry-at":null}}}}}"#,
    r#"{"v":1,"seq":7,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"attempt-ended":{"step":"deploy","attempt":1,"result":"cancelled"}}}"#,
    r#"{"v":1,"seq":7,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"attempt-ended":{"step":"deploy","attempt":1,"result":"interrupted"}}}"#,
    r#"{"v":1,"seq":8,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"approval-asked":{"step":"gate","message":"go on?"}}}"#,
    r#"{"v":1,"seq":9,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"approval-answered":{"step":"gate","approved":true,"by":"ann","comment":"yes"}}}"#,
    r#"{"v":1,"seq":10,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"cancel-requested":{"level":"roll-back","by":"signal"}}}"#,
    r#"{"v":1,"seq":10,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"cancel-requested":{"level":"halt","by":"signal"}}}"#,
    r#"{"v":1,"seq":11,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"rollback-opened":{"scope":"everything","cause":{"step":null,"reason":"cancelled"},"deadline":"2026-11-21T03:52:00Z"}}}"#,
    r#"{"v":1,"seq":11,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"rollback-opened":{"scope":{"guard":"back"},"cause":{"step":"deploy","reason":"failed"},"deadline":"2026-11-21T03:52:00Z"}}}"#,
    r#"{"v":1,"seq":12,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"undo-started":{"step":"deploy","attempt":1}}}"#,
    r#"{"v":1,"seq":13,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"undo-ended":{"step":"deploy","attempt":1,"result":{"undone":{"marks":[{"key":"a","kind":"nothing","notes":[]},{"key":"b","kind":"restored","notes":[]},{"key":"c","kind":"kept","notes":["spec.replicas: somebody's"]}]}}}}}"#,
    r#"{"v":1,"seq":13,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"undo-ended":{"step":"deploy","attempt":1,"result":{"failed":{"failure":{"message":"m","causes":[],"hint":null,"retriable":true},"marks":[{"key":"a","kind":"residue","notes":[]}],"retry-at":"2026-11-21T03:43:00Z"}}}}}"#,
    r#"{"v":1,"seq":13,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"undo-ended":{"step":"deploy","attempt":1,"result":"interrupted"}}}"#,
    r#"{"v":1,"seq":14,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"evidence-kept":{"step":"deploy","evidence":{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","sealed":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","size":12},"error":"no logs"}}}"#,
    r#"{"v":1,"seq":15,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"rollback-verified":{"failure":null}}}"#,
    r#"{"v":1,"seq":16,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"doubt-answered":{"step":"deploy","done":true,"by":"ann"}}}"#,
    r#"{"v":1,"seq":17,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"run-halted":{"outcome":"stuck","reason":"residue"}}}"#,
    r#"{"v":1,"seq":17,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"run-halted":{"outcome":"halted","reason":"cancelled"}}}"#,
    r#"{"v":1,"seq":18,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"run-closed":{"outcome":"succeeded","notes":["n"]}}}"#,
    r#"{"v":1,"seq":18,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"run-closed":{"outcome":"rolled-back","notes":[]}}}"#,
    r#"{"v":1,"seq":18,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"run-closed":{"outcome":"abandoned","notes":[]}}}"#,
    // Shapes that came later.
    r#"{"v":1,"seq":0,"at":"2026-11-21T03:42:00.123Z","epoch":1,"what":{"run-opened":{"run":"ci-4711","plan":"web","environment":null,"graph":{"steps":[],"guards":[],"concurrency":0,"budget":"10m","verified":false,"halts-on-failure":true},"frozen":{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","sealed":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","size":12}}}}"#,
    r#"{"v":1,"seq":1,"at":"2026-11-21T03:42:00Z","epoch":3,"what":{"epoch-opened":{"holder":{"host":"h","pid":7,"started":174723,"boot":"b","user":"ann"},"mode":"rollback","spared":["kube:x"],"step":"deploy"}}}"#,
    r#"{"v":1,"seq":11,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"rollback-opened":{"scope":{"step":"deploy"},"cause":{"step":null,"reason":"asked for"},"deadline":"2026-11-21T03:52:00Z"}}}"#,
    r#"{"v":1,"seq":14,"at":"2026-11-21T03:42:00Z","epoch":1,"what":{"lines-kept":{"step":"deploy","attempt":1,"undo":false,"lines":{"id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","sealed":"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb","size":12},"dropped":3}}}"#,
];

/// A number for each kind, without a wildcard: a new kind does not compile until it has one here, and then it needs a line above.
fn number(what: &What) -> usize {
    match what {
        What::RunOpened { .. } => 0,
        What::EpochOpened { .. } => 1,
        What::StepSkipped { .. } => 2,
        What::AttemptStarted { .. } => 3,
        What::EffectsIntended { .. } => 4,
        What::EffectDone { .. } => 5,
        What::EffectSettled { .. } => 6,
        What::AttemptEnded { .. } => 7,
        What::ApprovalAsked { .. } => 8,
        What::ApprovalAnswered { .. } => 9,
        What::CancelRequested { .. } => 10,
        What::RollbackOpened { .. } => 11,
        What::UndoStarted { .. } => 12,
        What::UndoEnded { .. } => 13,
        What::EvidenceKept { .. } => 14,
        What::RollbackVerified { .. } => 15,
        What::DoubtAnswered { .. } => 16,
        What::RunHalted { .. } => 17,
        What::RunClosed { .. } => 18,
        What::LinesKept { .. } => 19,
    }
}

const KINDS: usize = 20;

#[test]
fn every_record_of_version_1_reads_and_is_written_the_same() {
    for line in V1 {
        let record: Record = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert_eq!(serde_json::to_string(&record).unwrap(), *line);
    }
}

#[test]
fn every_kind_of_record_has_a_line() {
    let seen: BTreeSet<usize> = V1.iter().map(|line| number(&serde_json::from_str::<Record>(line).unwrap().what)).collect();
    assert_eq!(seen, (0..KINDS).collect());
}
