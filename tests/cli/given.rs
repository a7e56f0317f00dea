//! Plans, and runs of them that stand as tests need them.

use crate::bench::{Bench, wait};
use std::process::Child;
use std::time::{Duration, Instant};

pub const PLAN: &str = "
plan: notes
about: Writes two notes.
steps:
  - id: first
    about: The note that the other one stands on.
    shell: { run: 'echo the first note is written now, on a line that is longer than forty columns; echo 1 > first.txt' }
    undo: [{ shell: { run: 'rm -f first.txt' } }]
  - id: check
    shell: { run: 'test ! -e broken', read-only: true }
  - id: second
    shell: { run: 'echo 2 > second.txt' }
    undo: [{ shell: { run: 'rm -f second.txt' } }]
";

const ASKING: &str = "
plan: asking
steps:
  - id: first
    shell: { run: 'echo 1 > first.txt' }
    undo: [{ shell: { run: 'rm -f first.txt' } }]
  - id: gate
    approve: { message: 'Is everybody ready?' }
";

/// Its first step cannot be taken back while there is no program `undo`.
const STICKY: &str = "
plan: sticky
steps:
  - id: write
    shell: { run: 'touch written.txt' }
    undo: [{ shell: { run: [./undo] } }]
  - id: check
    shell: { run: 'test ! -e broken', read-only: true }
  - id: wait
    shell: { run: 'touch begun; while [ -e slow ]; do sleep 0.05; done', read-only: true }
";

pub fn fresh() -> Bench {
    Bench::with(PLAN)
}

pub fn broken() -> Bench {
    let bench = fresh();
    bench.write("broken", "");
    bench
}

pub fn done() -> Bench {
    let bench = fresh();
    bench.run(&["run", "plan.yaml", "--run-id", "r1"]).assert_code(0);
    bench
}

pub fn halted() -> Bench {
    let bench = broken();
    bench.run(&["run", "plan.yaml", "--run-id", "r1", "--no-rollback"]).assert_code(5);
    bench
}

pub fn mended() -> Bench {
    let bench = halted();
    std::fs::remove_file(bench.path("broken")).expect("it is there");
    bench
}

pub fn sticky() -> Bench {
    let bench = Bench::with(STICKY);
    bench.write("broken", "");
    bench
}

pub fn stuck() -> Bench {
    let bench = sticky();
    bench.run(&["run", "plan.yaml", "--run-id", "r1"]).assert_code(4);
    bench
}

/// Cancelled, and halted while its undo was at work.
pub fn halted_on_its_way_back() -> Bench {
    let bench = Bench::with(&STICKY.replace("[./undo]", "'touch undoing; while [ -e slow ]; do sleep 0.05; done; rm -f written.txt'"));
    bench.write("slow", "");
    let run = bench.start(&["run", "plan.yaml", "--run-id", "r1"]);
    bench.wait_for("begun");
    bench.run(&["cancel"]).assert_code(0);
    bench.wait_for("undoing");
    bench.run(&["cancel", "--halt"]).assert_code(0);
    wait(run).assert_code(5);
    std::fs::remove_file(bench.path("slow")).expect("it is there");
    bench
}

/// Starts a run and waits until it asks.
pub fn asking() -> (Bench, Child) {
    let bench = Bench::with(ASKING);
    let run = bench.start(&["run", "plan.yaml", "--run-id", "asks"]);
    let begun = Instant::now();
    while !bench.run(&["show", "asks"]).out.contains("Is everybody ready?") {
        assert!(begun.elapsed() < Duration::from_secs(20), "nobody is asked");
        std::thread::sleep(Duration::from_millis(20));
    }
    (bench, run)
}
