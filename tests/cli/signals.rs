//! Ctrl-C once and twice, SIGTERM, a closed pipe; and nobody is left behind.

use crate::bench::{Bench, signal, wait};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Nobody presses Ctrl-C again any sooner: what comes before is taken for the same one. Counted from when the first was seen to be heard.
pub const AGAIN: Duration = Duration::from_millis(310);

/// The sleep's length marks the test's own processes.
pub fn plan(mark: &str) -> String {
    format!(
        "
plan: long
steps:
  - id: before
    shell: {{ run: 'touch before.txt' }}
    undo: [{{ shell: {{ run: 'rm before.txt' }} }}]
  - id: long
    shell: {{ run: 'touch begun; sleep {mark}; touch never' }}
    undo: [{{ shell: {{ run: 'rm begun' }} }}]
    idempotent: true
"
    )
}

pub fn left_behind(mark: &str) -> bool {
    Command::new("pgrep").args(["-f", &format!("^sleep {mark}")]).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

#[test]
fn one_ctrl_c_takes_everything_back() {
    let bench = Bench::with(&plan("301.1"));
    let run = bench.start(&["run", "plan.yaml", "--yes"]);
    bench.wait_for("begun");
    signal(&run, "INT");
    let ended = wait(run);
    ended.assert_code(3).assert_says("rolled back").assert_says("long    stopped, half way perhaps; taken back as if it was done\n");
    assert!(!ended.all().contains("in doubt"), "its own bowline stopped it:\n{}", ended.all());
    assert!(!bench.has("before.txt") && !bench.has("begun") && !left_behind("301.1"));
}

/// `timeout --foreground` and other wrappers forward a Ctrl-C that the terminal has sent already.
#[test]
fn a_ctrl_c_that_arrives_twice_at_once_is_one() {
    let bench = Bench::with(&plan("301.4"));
    let run = bench.start(&["run", "plan.yaml", "--yes"]);
    bench.wait_for("begun");
    signal(&run, "INT");
    // So close that nobody typed it, and far enough apart for two.
    std::thread::sleep(Duration::from_millis(20));
    signal(&run, "INT");
    wait(run).assert_code(3).assert_says("rolled back");
    assert!(!bench.has("before.txt") && !bench.has("begun") && !left_behind("301.4"));
}

#[test]
fn a_second_ctrl_c_halts_and_the_run_can_be_taken_back_later() {
    let slow = plan("301.2").replace("rm before.txt", "while [ ! -e go ]; do sleep 0.05; done; rm before.txt");
    let bench = Bench::with(&slow);
    let run = bench.start(&["run", "plan.yaml", "--yes"]);
    bench.wait_for("begun");
    signal(&run, "INT");
    let started = Instant::now();
    while bench.has("begun") {
        assert!(started.elapsed() < Duration::from_secs(20), "the rollback does not begin");
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(AGAIN);
    signal(&run, "INT");
    wait(run).assert_code(5).assert_says("bowline resume");
    assert!(bench.has("before.txt") && !left_behind("301.2"));
    bench.write("go", "");
    bench.run(&["resume"]).assert_code(3);
    assert!(!bench.has("before.txt"));
}

#[test]
fn sigterm_and_sighup_halt_soon_and_the_run_can_be_resumed() {
    for name in ["TERM", "HUP"] {
        let mark = format!("301.3{}", name.len());
        let bench = Bench::with(&plan(&mark));
        let run = bench.start(&["run", "plan.yaml", "--yes"]);
        bench.wait_for("begun");
        let sent = Instant::now();
        signal(&run, name);
        wait(run).assert_code(5);
        // 7 s are promised; a busy machine gets three times as long.
        assert!(sent.elapsed() < Duration::from_secs(21), "{name}: {:?}", sent.elapsed());
        assert!(bench.has("before.txt") && !left_behind(&mark));
        bench.run(&["rollback"]).assert_code(0);
        assert!(!bench.has("before.txt") && !bench.has("begun"));
    }
}

#[test]
fn a_closed_pipe_is_no_crash() {
    let bench = Bench::with(crate::plans::TWO.replace("LAST", "sleep 0.3").as_str());
    for output in ["lines", "json"] {
        let mut run = bench.start(&["run", "plan.yaml", "--yes", "--output", output]);
        drop(run.stdout.take());
        let ended = wait(run);
        ended.assert_code(0);
        assert!(!ended.err.contains("panicked"), "{}", ended.err);
    }
    assert!(bench.has("two.txt"));
}

#[test]
fn a_pipe_that_is_closed_in_the_middle_of_a_run_does_not_stop_it() {
    for output in ["lines", "json"] {
        let bench = Bench::with(crate::plans::TWO.replace("LAST", "touch middle; while [ ! -e go ]; do sleep 0.02; done").as_str());
        let mut run = bench.start(&["run", "plan.yaml", "--yes", "--output", output]);
        bench.wait_for("middle");
        drop(run.stdout.take());
        bench.write("go", "");
        let ended = wait(run);
        ended.assert_code(0);
        assert!(!ended.err.contains("panicked"), "{}", ended.err);
        bench.run(&["runs"]).assert_code(0).assert_says("succeeded");
    }
}
