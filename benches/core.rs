//! The core alone: time and memory of 10,000 and 100,000 steps, forward and back.
//!
//! Each is measured in a process of its own, as each run has one: a process that has just let go of the memory of a small run gives it to
//! the next small one for nothing, and asks the system anew for a large one.
//!
//! `cargo bench --bench core [-- ROUNDS]`
//! `cargo bench --bench core -- one SHAPE COUNT`: microseconds, records and the most memory in KiB of one run

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
        stays: false,
    };
    Graph {
        steps: (0..count).map(step).collect(),
        guards: Vec::new(),
        concurrency: 8,
        budget: Period(Duration::from_secs(600)),
        verified: false,
        limits: Vec::new(),
        halts_on_failure: false,
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
    What::RunOpened { run, plan, environment: None, graph: Arc::new(graph), frozen: blob(), simulated: false }
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

/// Most memory that the process ever held, in KiB (Linux).
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// One run in this process.
fn one(name: &str, count: usize) {
    let (_, shape) = SHAPES.into_iter().find(|(known, _)| *known == name).expect("a shape");
    let (time, records) = measure(count, shape);
    println!("{} {records} {}", time.as_micros(), peak().unwrap_or_default());
}

/// One run in a process of its own: microseconds, records, KiB.
fn apart(name: &str, count: usize) -> [u64; 3] {
    let me = std::env::current_exe().expect("the bench's own file");
    let output = std::process::Command::new(me).args(["one", name, &count.to_string()]).output().expect("the bench can be started");
    assert!(output.status.success(), "{name} of {count}: {}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).expect("numbers");
    let numbers: Vec<u64> = said.split_whitespace().map(|number| number.parse().expect("a number")).collect();
    numbers.try_into().expect("three numbers")
}

fn median<T: PartialOrd + Copy>(values: &mut [T]) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).expect("no time is unordered"));
    values[values.len() / 2]
}

fn compare(rounds: usize) {
    let mut most = 0;
    for (name, _) in SHAPES {
        let (mut small, mut large, mut growth, mut records) = (Vec::new(), Vec::new(), Vec::new(), 0);
        for _ in 0..rounds {
            let [ten, ..] = apart(name, 10_000);
            let [hundred, written, peak] = apart(name, 100_000);
            (records, most) = (written, most.max(peak));
            small.push(ten);
            large.push(hundred);
            growth.push(hundred as f64 / ten as f64);
        }
        let millis = |times: &mut [u64]| format!("{:.1} (least {:.1})", median(times) as f64 / 1e3, times[0] as f64 / 1e3);
        let (small, large) = (millis(&mut small), millis(&mut large));
        let least = growth.iter().copied().fold(f64::MAX, f64::min);
        println!(
            "{name}: 10,000 steps {small} ms, 100,000 steps {large} ms ({records} records), growth {:.1} (least {least:.1})",
            median(&mut growth)
        );
    }
    println!("peak memory: {} MiB", most / 1024);
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["one", name, count] => one(name, count.parse().expect("a number")),
        [rounds] => compare(rounds.parse().expect("a number of rounds")),
        _ => compare(7),
    }
}
