//! One writer a run, one open run a plan.

use crate::bench::{Bench, signal, wait};

const SLOW: &str = "
plan: slow
steps:
  - id: first
    shell: { run: 'touch begun; while [ ! -e go ]; do sleep 0.05; done; touch first.txt' }
    undo: [{ shell: { run: 'rm -f first.txt begun' } }]
    idempotent: true
";

#[test]
fn the_second_runner_is_told_who_is_first() {
    let bench = Bench::with(SLOW);
    let first = bench.start(&["run", "plan.yaml", "--yes"]);
    bench.wait_for("begun");
    let pid = first.id().to_string();
    bench.run(&["run", "plan.yaml", "--yes"]).assert_code(7).assert_says(&pid);
    bench.write("go", "");
    wait(first).assert_code(0);
}

#[test]
fn after_a_kill_a_new_run_is_refused_until_the_old_one_is_dealt_with() {
    for (word, code) in [("resume", 0), ("rollback", 0), ("abandon", 0)] {
        let bench = Bench::with(SLOW);
        let first = bench.start(&["run", "plan.yaml", "--yes"]);
        bench.wait_for("begun");
        signal(&first, "KILL");
        wait(first);
        bench.write("go", "");
        let refused = bench.run(&["run", "plan.yaml", "--yes"]);
        refused.assert_code(7).assert_says("resume").assert_says("rollback").assert_says("abandon");
        let arguments: &[&str] = if word == "abandon" { &["abandon", "--yes"] } else { &[word] };
        bench.run(arguments).assert_code(code);
        bench.run(&["run", "plan.yaml", "--yes"]).assert_code(0);
    }
}

#[test]
fn a_key_that_is_lost_is_not_replaced_by_one_that_opens_nothing() {
    let bench = Bench::with(SLOW);
    let mut run = bench.start(&["run", "plan.yaml", "--yes"]);
    bench.wait_for("begun");
    run.kill().expect("it is our child");
    run.wait().expect("it is our child");
    let (key, elsewhere) = (bench.path("state/key"), bench.path("elsewhere"));
    std::fs::rename(&key, &elsewhere).expect("the run has made it");
    bench.run(&["rollback"]).assert_code(2).assert_says("state/key` is gone");
    assert!(!key.exists());
    std::fs::rename(&elsewhere, &key).expect("both are in the test's folder");
    bench.run(&["rollback"]).assert_code(0);
}
