//! Journals of made-up runs, for the tests of every display.

use super::tree::Remarks;
use crate::ids::{ActionKind, Moment, Period, PlanName, RunId, StepId};
use crate::record::{
    AttemptResult, BlobRef, CancelLevel, Cause, Digest, EffectKey, Failure, Graph, GuardSummary, Holder, Mark, MarkKind, Mode, Outcome,
    Record, RetryPolicy, Reversibility, Role, Scope, Settled, SkipReason, StepSummary, UndoResult, What,
};
use std::sync::Arc;
use std::time::Duration;

/// 2026-11-21T12:03:00Z.
pub const OPENED: i64 = 1_795_262_580_000;

pub fn id(text: &str) -> StepId {
    StepId::new(text).expect("a step id")
}

fn seconds(count: u64) -> Period {
    Period(Duration::from_secs(count))
}

pub fn step(name: &str, kind: &str, reversibility: Reversibility, needs: &[&str]) -> StepSummary {
    let role = match kind {
        "rollback-on-fail" => Role::Guard,
        "approve" => Role::Approve,
        "pause" => Role::Pause,
        _ => Role::Action,
    };
    StepSummary {
        id: id(name),
        kind: ActionKind::new(kind).expect("a kind"),
        role,
        needs: needs.iter().map(|need| id(need)).collect(),
        reversibility,
        retry: RetryPolicy::ONCE,
        timeout: None,
        continue_on_error: false,
        idempotent: false,
        stays: false,
    }
}

pub fn guard(name: &str, guards: &[&str], budget: u64) -> GuardSummary {
    GuardSummary { id: id(name), guards: guards.iter().map(|step| id(step)).collect(), budget: seconds(budget), verified: true }
}

/// A plan in which what a step does stays.
pub fn staying(step: &str, why: &str) -> Remarks {
    Remarks { staying: [(id(step), why.to_owned())].into(), ..Remarks::default() }
}

pub fn graph(steps: Vec<StepSummary>, guards: Vec<GuardSummary>) -> Graph {
    Graph { steps, guards, concurrency: 0, budget: seconds(600), verified: false, halts_on_failure: false, limits: Vec::new() }
}

/// The plan of the design.
pub fn blue_green() -> Graph {
    use Reversibility::{ReadOnly, Reversible};
    let mut steps = vec![
        step("database", "backup", Reversible, &[]),
        step("colours", "detect-colour", ReadOnly, &["database"]),
        step("deploy", "apply", Reversible, &["colours"]),
        step("healthy", "wait-healthy", ReadOnly, &["deploy"]),
        step("smoke", "smoke-test", ReadOnly, &["healthy"]),
        step("switch", "switch-ingress", Reversible, &["smoke"]),
        step("retire", "scale", Reversible, &["switch"]),
        step("back", "rollback-on-fail", ReadOnly, &["retire"]),
    ];
    steps[4].retry.attempts = 3;
    graph(steps, vec![guard("back", &["colours", "deploy", "healthy", "smoke", "switch", "retire"], 300)])
}

/// Makes records with a time of their own.
pub struct Journal {
    at: i64,
    epoch: u64,
    pub records: Vec<Record>,
}

impl Journal {
    pub fn of(graph: Graph) -> Self {
        let mut journal = Self { at: OPENED, epoch: 1, records: Vec::new() };
        journal.write(What::RunOpened {
            run: RunId::new("20261121-120300-7f3a").expect("a run id"),
            plan: PlanName::new("blue-green").expect("a plan name"),
            environment: Some("production".to_owned()),
            graph: Arc::new(graph),
            frozen: blob(),
            simulated: false,
        });
        journal.write(What::EpochOpened { holder: holder(), mode: Mode::Run, spared: Vec::new(), step: None });
        journal
    }

    pub fn wait(&mut self, millis: i64) -> &mut Self {
        self.at += millis;
        self
    }

    pub fn write(&mut self, what: What) -> &mut Self {
        let seq = self.records.len() as u64;
        self.records.push(Record { v: 1, seq, at: Moment::from_millis(self.at), epoch: self.epoch, what });
        self
    }

    pub fn begin(&mut self, step: &str, attempt: u32) -> &mut Self {
        self.write(What::AttemptStarted { step: id(step), attempt, params: None, targets: Vec::new(), until: None })
    }

    pub fn end(&mut self, step: &str, attempt: u32, result: AttemptResult) -> &mut Self {
        self.write(What::AttemptEnded { step: id(step), attempt, result })
    }

    pub fn done(&mut self, step: &str, millis: i64) -> &mut Self {
        self.begin(step, 1).wait(millis).end(step, 1, AttemptResult::Succeeded { output: None })
    }

    pub fn undone(&mut self, step: &str, millis: i64, marks: Vec<Mark>) -> &mut Self {
        self.write(What::UndoStarted { step: id(step), attempt: 1 }).wait(millis);
        self.write(What::UndoEnded { step: id(step), attempt: 1, result: UndoResult::Undone { marks } })
    }

    pub fn rollback(&mut self, step: Option<&str>, reason: &str) -> &mut Self {
        let cause = Cause { step: step.map(id), reason: reason.to_owned() };
        let deadline = Moment::from_millis(self.at).after(Duration::from_secs(300));
        self.write(What::RollbackOpened { scope: Scope::Guard(id("back")), cause, deadline })
    }

    pub fn close(&mut self, outcome: Outcome) -> &mut Self {
        self.write(What::RunClosed { outcome, notes: Vec::new() })
    }
}

pub fn blob() -> BlobRef {
    BlobRef { id: Digest([0xab; 32]), sealed: Digest([0xcd; 32]), size: 42 }
}

pub fn holder() -> Holder {
    Holder { host: "ci-7".to_owned(), pid: 4711, started: 99, boot: "b00t".to_owned(), user: "ops".to_owned() }
}

pub fn mark(key: &str, kind: MarkKind, note: &str) -> Mark {
    Mark { key: EffectKey(key.into()), kind, notes: if note.is_empty() { Vec::new() } else { vec![note.to_owned()] } }
}

fn failed(failure: Failure, retry_at: Option<Moment>) -> AttemptResult {
    AttemptResult::Failed { failure, retry_at }
}

fn image_missing() -> Failure {
    Failure {
        causes: vec!["not found".to_owned()],
        hint: Some("push the image, or name one that exists".to_owned()),
        ..Failure::permanent("image web:v3 of pod web-green-5c9f-x2 cannot be pulled")
    }
}

/// Everything works, the smoke test at its second attempt; `retire` is skipped.
pub fn succeeded() -> Vec<Record> {
    let mut journal = Journal::of(blue_green());
    journal
        .wait(40)
        .done("database", 61_000)
        .done("colours", 300)
        .done("deploy", 1_200)
        .done("healthy", 9_400)
        .begin("smoke", 1)
        .wait(2_000);
    let retry_at = Moment::from_millis(journal.at + 1_000);
    let slow = Failure { retriable: true, ..Failure::permanent("GET /api/v1/streams/active answered in 350ms, expected 200ms") };
    journal.end("smoke", 1, failed(slow, Some(retry_at))).wait(1_000).begin("smoke", 2).wait(800);
    journal.end("smoke", 2, AttemptResult::Succeeded { output: None }).done("switch", 700);
    journal.write(What::StepSkipped { step: id("retire"), reason: SkipReason::Condition });
    journal.done("back", 0).close(Outcome::Succeeded);
    journal.records
}

/// `deploy` is under way.
pub fn running() -> Vec<Record> {
    let mut journal = Journal::of(blue_green());
    journal.wait(40).done("database", 61_000).done("colours", 300).begin("deploy", 1);
    journal.records
}

/// The image is missing; the guard is taken back, but somebody else scaled the deployment meanwhile.
pub fn rolled_back() -> Vec<Record> {
    let mut journal = Journal::of(blue_green());
    journal.wait(40).done("database", 61_000).done("colours", 300).done("deploy", 1_200).begin("healthy", 1).wait(4_200);
    journal
        .end("healthy", 1, failed(image_missing(), None))
        .rollback(Some("healthy"), "image web:v3 of pod web-green-5c9f-x2 cannot be pulled");
    journal.write(What::EvidenceKept { step: id("healthy"), evidence: Some(blob()), error: None });
    journal.undone("healthy", 10, Vec::new());
    let kept = mark("apply:kube:apps/Deployment/production/web-green", MarkKind::Kept, "spec.replicas is 4 since kubectl-scale set it");
    journal.undone("deploy", 2_100, vec![kept, mark("apply:kube:Service/production/web", MarkKind::Restored, "")]);
    journal.undone("colours", 10, Vec::new());
    journal.write(What::RollbackVerified { failure: None }).close(Outcome::RolledBack);
    journal.records
}

/// The switch cannot be taken back, and a script ended nobody knows how.
pub fn stuck() -> Vec<Record> {
    let mut journal = Journal::of(blue_green());
    journal.wait(40).done("database", 61_000).done("colours", 300).done("deploy", 1_200);
    let key = EffectKey("apply:kube:apps/Deployment/production/web-green".into());
    journal.write(What::EffectDone { step: id("deploy"), key, after: blob() }).done("healthy", 9_400).done("smoke", 800);
    journal.begin("switch", 1).wait(30_000);
    let timed_out = Failure { hint: None, ..Failure::permanent("waiting for the new side to answer through the ingress") };
    journal.end("switch", 1, AttemptResult::TimedOut { failure: timed_out, retry_at: None });
    let unknown = Settled::Unknown("a program's end cannot be looked up".to_owned());
    journal.write(What::EffectSettled { step: id("database"), key: EffectKey("run".into()), settled: unknown });
    journal.rollback(Some("switch"), "waiting for the new side to answer through the ingress");
    journal.write(What::EvidenceKept { step: id("switch"), evidence: None, error: Some("the server did not answer within 5s".to_owned()) });
    journal.write(What::UndoStarted { step: id("switch"), attempt: 1 }).wait(1_000);
    let refused =
        || Failure { causes: vec!["403 Forbidden".to_owned()], retriable: true, ..Failure::permanent("the server refused the write") };
    let retry_at = Some(Moment::from_millis(journal.at + 1_500));
    let result = UndoResult::Failed { failure: refused(), marks: Vec::new(), retry_at };
    journal.write(What::UndoEnded { step: id("switch"), attempt: 1, result }).wait(1_500);
    journal.write(What::UndoStarted { step: id("switch"), attempt: 2 }).wait(1_000);
    let residue = mark("patch:kube:networking.k8s.io/Ingress/production/api", MarkKind::Residue, "its backend is still web-green");
    let result = UndoResult::Failed { failure: refused(), marks: vec![residue], retry_at: None };
    journal.write(What::UndoEnded { step: id("switch"), attempt: 2, result });
    journal.write(What::RunHalted { outcome: Outcome::Stuck, reason: "switch could not be taken back".to_owned() });
    journal.records
}

/// A person says no.
pub fn rejected() -> Vec<Record> {
    let mut plan = blue_green();
    plan.steps[1] = step("colours", "approve", Reversibility::ReadOnly, &["database"]);
    let mut journal = Journal::of(plan);
    journal.wait(40).done("database", 61_000);
    journal.write(What::ApprovalAsked { step: id("colours"), message: "Move production to v3?".to_owned() }).wait(20_000);
    let comment = Some("not on a Friday".to_owned());
    journal.write(What::ApprovalAnswered { step: id("colours"), approved: false, by: "ada".to_owned(), comment });
    journal.rollback(Some("colours"), "rejected by ada").close(Outcome::RolledBack);
    journal.records
}

/// Two Ctrl-C stop a deployment half way.
pub fn halted() -> Vec<Record> {
    let mut journal = Journal { records: running(), at: OPENED + 62_000, epoch: 1 };
    journal.write(What::CancelRequested { level: CancelLevel::RollBack, by: "Ctrl-C".to_owned() }).wait(700);
    journal.write(What::CancelRequested { level: CancelLevel::Halt, by: "Ctrl-C".to_owned() }).wait(100);
    journal.end("deploy", 1, AttemptResult::Cancelled);
    journal.write(What::RunHalted { outcome: Outcome::Halted, reason: "stopped by Ctrl-C".to_owned() });
    journal.records
}

/// The record of a process that takes such a run over.
pub fn resumed(seq: usize) -> Record {
    let what = What::EpochOpened { holder: Holder { pid: 5000, ..holder() }, mode: Mode::Resume, spared: Vec::new(), step: None };
    Record { v: 1, seq: seq as u64, at: Moment::from_millis(OPENED + 90_000), epoch: 2, what }
}
