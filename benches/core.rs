//! The core alone: time and memory of 10,000 and 100,000 steps, forward and back.
//!
//! `cargo bench --bench core`

#![allow(clippy::print_stdout, reason = "a bench tells its figures")]

use bowline::engine::core::{Command, Core};
use bowline::ids::{ActionKind, Moment, Period, PlanName, RunId, StepId};
use bowline::record::{
    AttemptResult, BlobRef, Digest, EffectKey, Failure, Graph, Mark, MarkKind, Outcome, Record, RetryPolicy, Reversibility, Role,
    StepSummary, UndoResult, VERSION, What,
};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn blob() -> BlobRef {
    BlobRef { id: Digest([0; 32]), sealed: Digest([0; 32]), size: 100 }
}

fn id(place: usize) -> StepId {
    StepId::new(&format!("step-{place}")).expect("valid")
}

/// The needs of each step of a shape.
type Shape = fn(usize) -> Vec<usize>;

const SHAPES: [(&str, Shape); 3] = [
    ("chain", |place| place.checked_sub(1).into_iter().collect()),
    ("wide", |place| if place == 0 { vec![] } else { vec![0] }),
    ("layers of ten", |place| if place < 10 { vec![] } else { (place / 10 * 10 - 10..place / 10 * 10).step_by(3).collect() }),
];

fn graph(count: usize, shape: Shape) -> Graph {
    let step = |place: usize| StepSummary {
        id: id(place),
        kind: ActionKind::new("shell").expect("valid"),
        role: Role::Action,
        needs: shape(place).into_iter().map(id).collect(),
        reversibility: Reversibility::Reversible,
        retry: RetryPolicy::ONCE,
        timeout: None,
        continue_on_error: false,
        idempotent: false,
    };
    Graph {
        steps: (0..count).map(step).collect(),
        guards: Vec::new(),
        concurrency: 8,
        budget: Period(Duration::from_secs(600)),
        verified: false,
    }
}

struct Run {
    core: Core,
    now: Moment,
    records: usize,
}

impl Run {
    fn record(&mut self, what: What) {
        let record = Record { v: VERSION, seq: self.core.next_seq(), at: self.now, epoch: 1, what };
        self.core.apply(&record).expect("a legal record");
        self.records += 1;
    }

    /// Runs forward until the last step, which fails; then back.
    fn there_and_back(&mut self, last: &StepId) {
        let mut work = VecDeque::new();
        while self.core.closed().is_none() {
            let commands = self.core.decide(self.now).commands;
            let mut moved = false;
            for command in commands {
                match command {
                    Command::Record(what) => {
                        self.record(what);
                        moved = true;
                    }
                    Command::Start { step, attempt } => {
                        self.record(What::AttemptStarted {
                            step: step.clone(),
                            attempt,
                            params: Some(blob()),
                            targets: Vec::new(),
                            until: None,
                        });
                        let effects = vec![(EffectKey("run".into()), blob())];
                        self.record(What::EffectsIntended { step: step.clone(), effects, class: None, irreversible: false });
                        work.push_back((step, false));
                    }
                    Command::StartUndo { step, attempt } => {
                        self.record(What::UndoStarted { step: step.clone(), attempt });
                        work.push_back((step, true));
                    }
                    Command::TakeEvidence { step } => self.record(What::EvidenceKept { step, evidence: None, error: None }),
                    _ => {}
                }
            }
            if let Some((step, undo)) = work.pop_front() {
                self.end(step, undo, last);
            } else {
                assert!(moved, "the run hangs");
            }
        }
        assert_eq!(self.core.closed(), Some(Outcome::RolledBack));
    }

    fn end(&mut self, step: StepId, undo: bool, last: &StepId) {
        if undo {
            let marks = vec![Mark { key: EffectKey("run".into()), kind: MarkKind::Restored, notes: Vec::new() }];
            return self.record(What::UndoEnded { step, attempt: 1, result: UndoResult::Undone { marks } });
        }
        self.record(What::EffectDone { step: step.clone(), key: EffectKey("run".into()), after: blob() });
        let result = match step == *last {
            true => AttemptResult::Failed { failure: Failure::permanent("on purpose"), retry_at: None },
            false => AttemptResult::Succeeded { output: None },
        };
        self.record(What::AttemptEnded { step, attempt: 1, result });
    }
}

fn opening(graph: Graph) -> What {
    let (run, plan) = (RunId::new("run").expect("valid"), PlanName::new("plan").expect("valid"));
    What::RunOpened { run, plan, environment: None, graph: Arc::new(graph), frozen: blob() }
}

fn measure(count: usize, shape: Shape) -> (Duration, usize) {
    let graph = graph(count, shape);
    let started = Instant::now();
    let what = opening(graph);
    let core = Core::replay([&Record { v: VERSION, seq: 0, at: Moment::from_millis(0), epoch: 1, what }]).expect("a sound graph");
    let mut run = Run { core, now: Moment::from_millis(0), records: 1 };
    run.there_and_back(&id(count - 1));
    (started.elapsed(), run.records)
}

/// Most memory that the process ever held, in MiB (Linux).
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib / 1024)
}

fn main() {
    for (name, shape) in SHAPES {
        let mut best = [Duration::MAX; 2];
        let mut records = 0;
        for _ in 0..3 {
            for (best, count) in best.iter_mut().zip([10_000, 100_000]) {
                let (time, written) = measure(count, shape);
                *best = time.min(*best);
                records = written;
            }
        }
        let growth = best[1].as_secs_f64() / best[0].as_secs_f64();
        println!("{name}: 10,000 steps {:?}, 100,000 steps {:?} ({records} records), growth {growth:.1}", best[0], best[1]);
    }
    println!("peak memory: {} MiB", peak().map_or_else(|| "unknown".to_owned(), |mib| mib.to_string()));
}
