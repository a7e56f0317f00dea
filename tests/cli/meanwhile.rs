//! What other runs and other people do while a command waits, and what later runs have done since: none of it is overlooked.

use crate::bench::{Bench, signal, wait};
use crate::given::asking;
use crate::pty::{Terminal, command};
use std::time::{Duration, Instant};

const NOTE: &str = "
plan: note
steps:
  - id: write
    shell: { run: 'echo note > note.txt' }
    undo: [{ shell: { run: 'rm -f note.txt' } }]
  - id: check
    shell: { run: 'test ! -e broken', read-only: true }
";

/// Somebody is asked whether this run is to be taken back, and says yes only after this was typed elsewhere.
fn asked_while(bench: &Bench, meanwhile: &[&str]) -> crate::pty::Seen {
    let mut terminal = Terminal::start(bench, 80, &format!("exec {}", command(&["rollback", "r1"])), &[]);
    assert!(terminal.shows("Take back?"), "{}", terminal.shown());
    bench.run(meanwhile).assert_code(0);
    terminal.press("y\n");
    terminal.end()
}

#[test]
fn a_later_run_that_comes_while_it_is_asked_is_not_trampled() {
    let bench = Bench::with(NOTE);
    bench.run(&["run", "plan.yaml", "--run-id", "r1"]).assert_code(0);
    let seen = asked_while(&bench, &["run", "plan.yaml", "--run-id", "r2"]);
    seen.assert_code(7).assert_says("run r2 of `note` came later");
    assert!(bench.has("note.txt"), "what the later run wrote is gone");
    bench.run(&["rollback", "r2", "--yes"]).assert_code(0);
    bench.run(&["rollback", "r1", "--yes"]).assert_code(0);
}

#[test]
fn a_run_that_somebody_else_takes_back_while_it_is_asked_is_over() {
    let bench = Bench::with(NOTE);
    bench.run(&["run", "plan.yaml", "--run-id", "r1"]).assert_code(0);
    asked_while(&bench, &["rollback", "r1", "--yes"]).assert_code(7).assert_says("run r1 is over: it was rolled back");
}

#[test]
fn a_halted_run_that_somebody_else_resumes_while_it_is_asked_does_not_go_back_further_than_was_told() {
    let bench = Bench::with(&format!(
        "{NOTE}  - id: last\n    shell: {{ run: 'touch last.txt' }}\n    undo: [{{ shell: {{ run: 'rm last.txt' }} }}]\n"
    ));
    bench.write("broken", "");
    bench.run(&["run", "plan.yaml", "--run-id", "r1", "--no-rollback"]).assert_code(5);
    std::fs::remove_file(bench.path("broken")).expect("it is there");
    asked_while(&bench, &["resume", "r1"]).assert_code(7).assert_says("somebody else").assert_says("bowline rollback r1");
    assert!(bench.has("note.txt") && bench.has("last.txt"));
}

/// Changes a row of the test's own journal.
fn alter(bench: &Bench, change: &str) {
    let journal = rusqlite::Connection::open(bench.path("state").join("journal.db")).expect("it is there");
    journal.busy_timeout(Duration::from_secs(5)).expect("a number");
    assert_eq!(journal.execute(change, []).expect("the test's own journal"), 1);
}

#[test]
fn a_later_run_is_later_although_the_clock_was_set_back_in_between() {
    let bench = Bench::with(NOTE);
    for run in ["r1", "r2"] {
        bench.run(&["run", "plan.yaml", "--run-id", run]).assert_code(0);
    }
    alter(&bench, "UPDATE runs SET opened = opened + 60000 WHERE run = 'r1'");
    bench.run(&["rollback", "r1", "--yes"]).assert_code(7).assert_says("run r2 of `note` came later");
    assert!(bench.has("note.txt"));
}

/// Two open runs of one plan keep each other out: for the time of the later one the halted one is taken for another plan's.
#[test]
fn what_later_runs_wrote_is_spared_by_the_rollback_of_a_halted_run_too() {
    let bench = Bench::with(NOTE);
    bench.write("broken", "");
    bench.run(&["run", "plan.yaml", "--run-id", "r1", "--no-rollback"]).assert_code(5);
    std::fs::remove_file(bench.path("broken")).expect("it is there");
    alter(&bench, "UPDATE runs SET plan = 'other' WHERE run = 'r1'");
    bench.run(&["run", "plan.yaml", "--run-id", "r2"]).assert_code(0);
    alter(&bench, "UPDATE runs SET plan = 'note' WHERE run = 'r1'");
    bench.run(&["rollback", "r1", "--yes"]).assert_code(7).assert_says("run r2 of `note` came later").assert_says("--partial");
    assert!(bench.has("note.txt"));
    bench.run(&["rollback", "r1", "--partial", "--yes"]).assert_code(0);
    assert!(bench.has("note.txt"), "a later run may have built on it");
}

fn waits_until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn requests(bench: &Bench) -> usize {
    let journal = rusqlite::Connection::open(bench.path("state").join("journal.db")).expect("it is there");
    journal.busy_timeout(Duration::from_secs(5)).expect("a number");
    journal.query_row("SELECT count(*) FROM requests", [], |row| row.get(0)).expect("a number")
}

#[test]
fn who_answers_a_question_second_is_told_what_the_first_one_said() {
    let (bench, run) = asking();
    signal(&run, "STOP");
    let first = bench.start(&["approve", "asks", "gate"]);
    waits_until("the first answer is not put", || requests(&bench) == 1);
    let second = bench.start(&["reject", "asks", "gate"]);
    let third = bench.start(&["approve", "asks", "gate", "--output", "json"]);
    waits_until("the others are not put", || requests(&bench) == 3);
    signal(&run, "CONT");
    wait(first).assert_code(0).assert_says("approved gate of run asks");
    wait(second).assert_code(7).assert_says("gate of run asks was approved by").assert_says("`bowline show asks");
    wait(third).assert_code(0).assert_says("\"approved\":true");
    wait(run).assert_code(0);
}

#[test]
fn who_cancels_a_run_that_is_over_by_then_is_told_so() {
    let (bench, run) = asking();
    signal(&run, "STOP");
    let answer = bench.start(&["approve", "asks", "gate"]);
    waits_until("the answer is not put", || requests(&bench) == 1);
    let cancel = bench.start(&["cancel", "asks"]);
    waits_until("the cancel is not put", || requests(&bench) == 2);
    signal(&run, "CONT");
    wait(answer).assert_code(0);
    wait(run).assert_code(0);
    wait(cancel).assert_code(7).assert_says("run asks is over: it succeeded");
}
