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

/// A halted run of which two open ones would keep each other out: for the time of the later one it is taken for another plan's.
fn ran_since(bench: &Bench) {
    alter(bench, "UPDATE runs SET plan = 'other' WHERE run = 'r1'");
    bench.run(&["run", "plan.yaml", "--run-id", "r2"]).assert_code(0);
    alter(bench, "UPDATE runs SET plan = 'note' WHERE run = 'r1'");
}

const SLOWLY: &str = "
plan: note
steps:
  - id: write
    shell: { run: 'echo note > note.txt' }
    undo: [{ shell: { run: 'touch undoing; while [ -e slow ]; do sleep 0.05; done; rm -f note.txt' } }]
  - id: wait
    shell: { run: 'touch begun; while [ -e wait ]; do sleep 0.05; done', read-only: true }
  - id: check
    shell: { run: 'test ! -e broken', read-only: true }
  - id: again
    shell: { run: 'echo again >> note.txt' }
    undo: { none: it goes with the note }
";

#[test]
fn what_later_runs_wrote_is_not_trampled_by_a_run_that_goes_on_going_back() {
    let bench = Bench::with(SLOWLY);
    bench.write("broken", "");
    bench.write("slow", "");
    let run = bench.start(&["run", "plan.yaml", "--run-id", "r1"]);
    bench.wait_for("undoing");
    signal(&run, "KILL");
    wait(run);
    for name in ["broken", "slow"] {
        std::fs::remove_file(bench.path(name)).expect("it is there");
    }
    waits_until("what it left at work has not ended", || !bench.has("note.txt"));
    ran_since(&bench);
    let refused = bench.run(&["resume", "r1"]);
    refused.assert_code(7).assert_says("run r2 of `note` came later").assert_says("`bowline rollback r1 --partial");
    assert!(bench.has("note.txt"));
    bench.run(&["rollback", "r1", "--partial", "--yes"]).assert_code(0);
    assert!(bench.has("note.txt"), "a later run may have built on it");
}

fn halted_in_the_middle() -> Bench {
    let bench = Bench::with(SLOWLY);
    bench.write("wait", "");
    let run = bench.start(&["run", "plan.yaml", "--run-id", "r1"]);
    bench.wait_for("begun");
    bench.run(&["cancel", "r1", "--halt"]).assert_code(0);
    wait(run).assert_code(5);
    std::fs::remove_file(bench.path("wait")).expect("it is there");
    bench
}

#[test]
fn what_later_runs_wrote_stays_where_a_run_goes_on_and_has_to_go_back_after_all() {
    let bench = halted_in_the_middle();
    ran_since(&bench);
    bench.write("broken", "");
    bench.run(&["resume", "r1"]).assert_code(3).assert_says("run r2 of `note` came later");
    assert!(bench.has("note.txt"), "what the later run wrote is gone");
}

#[test]
fn a_run_that_opened_earlier_and_wrote_later_is_in_the_way_of_one_that_wrote_before() {
    let bench = halted_in_the_middle();
    ran_since(&bench);
    bench.run(&["resume", "r1"]).assert_code(0);
    bench.run(&["rollback", "r2", "--yes"]).assert_code(7).assert_says("run r1 of `note` came later");
    assert!(bench.has("note.txt"));
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

#[test]
fn a_cancel_that_was_not_heard_holds_for_whoever_takes_the_run_up() {
    let (bench, run) = asking();
    signal(&run, "STOP");
    bench.run(&["cancel", "asks"]).assert_code(0).assert_says("has not answered yet").assert_says("goes back");
    signal(&run, "KILL");
    wait(run);
    bench.run(&["resume", "asks"]).assert_code(3).assert_says("cancelled by");
    assert!(!bench.has("first.txt"));
}

#[test]
fn what_is_asked_of_a_process_that_dies_over_it_is_refused_and_asked_of_nobody_else() {
    for word in ["cancel", "approve"] {
        let (bench, run) = asking();
        signal(&run, "STOP");
        let asked = bench.start(&[word, "asks"]);
        waits_until("it is not put", || requests(&bench) == 1);
        signal(&run, "KILL");
        wait(run);
        wait(asked).assert_code(7).assert_says("nobody works on run asks");
        let run = bench.start(&["resume", "asks"]);
        waits_until("it does not ask again", || bench.run(&["show", "asks"]).out.contains("asks"));
        bench.run(&["approve", "asks", "gate"]);
        wait(run).assert_code(0);
    }
}
