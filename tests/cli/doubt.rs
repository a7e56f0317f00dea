//! A program that was at work when the runner was killed: nobody can tell how it ended, so people are asked.

use crate::bench::{Bench, signal, wait};

const PLAN: &str = "
plan: doubt
steps:
  - id: risky
    shell: { run: 'echo . >> tries.txt; sleep 1' }
    undo: [{ shell: { run: 'echo undone >> undone.txt' } }]
  - id: after
    shell: { run: 'touch after.txt' }
    undo: [{ shell: { run: 'rm -f after.txt' } }]
";

fn killed() -> Bench {
    let bench = Bench::with(PLAN);
    let run = bench.start(&["run", "plan.yaml", "--yes"]);
    bench.wait_for("tries.txt");
    signal(&run, "KILL");
    wait(run);
    bench.run(&["resume"]).assert_code(5).assert_says("risky").assert_says("--settle");
    assert_eq!(bench.read("tries.txt"), ".\n", "it was repeated although nobody knew how it ended");
    bench
}

#[test]
fn said_to_be_done_it_is_not_repeated() {
    let bench = killed();
    bench.run(&["resume", "--settle", "risky=done"]).assert_code(0);
    assert_eq!(bench.read("tries.txt"), ".\n");
    assert!(bench.has("after.txt"));
}

#[test]
fn said_to_be_undone_it_runs_again() {
    let bench = killed();
    bench.run(&["resume", "--settle", "risky=not-done"]).assert_code(0);
    assert_eq!(bench.read("tries.txt"), ".\n.\n");
}

#[test]
fn going_back_takes_it_for_done() {
    let bench = killed();
    bench.run(&["rollback"]).assert_code(0);
    assert_eq!(bench.read("undone.txt"), "undone\n");
}
