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

/// Bowline is killed while the program of its step writes; what is left of it is ended before anything is taken back.
#[test]
fn a_program_that_outlived_bowline_is_ended_before_its_step_is_taken_back() {
    for taken in [["rollback"].as_slice(), &["resume", "--settle", "busy=not-done"]] {
        let bench = Bench::with(
            "
plan: orphan
steps:
  - id: busy
    shell: { run: 'if [ -e again ]; then exit 0; fi; touch again; while :; do echo . >> busy.txt; sleep 0.05; done' }
    undo: [{ shell: { run: 'rm busy.txt' } }]
",
        );
        let run = bench.start(&["run", "plan.yaml", "--yes"]);
        bench.wait_for("busy.txt");
        signal(&run, "KILL");
        // Its program holds the pipes: waiting for their end would be waiting for it.
        let mut run = run;
        run.wait().expect("it is our child");
        if taken[0] == "resume" {
            bench.run(&["resume"]).assert_code(5).assert_says("it was ended");
            bench.run(taken).assert_code(0);
            std::fs::remove_file(bench.path("busy.txt")).expect("it was written");
        } else {
            bench.run(taken).assert_code(0).assert_says("it was ended");
        }
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert!(!bench.has("busy.txt"), "it still writes");
    }
}

/// The same of a program that takes something back: it is ended before it is run again.
#[test]
fn an_undo_that_outlived_bowline_is_ended_before_it_is_run_again() {
    let bench = Bench::with(
        "
plan: orphan-undo
steps:
  - id: busy
    shell: { run: 'touch busy.txt' }
    undo: [{ shell: { run: 'if [ -e again ]; then rm busy.txt; exit 0; fi; touch again; while :; do echo . >> busy.txt; sleep 0.05; done' } }]
  - id: fails
    shell: { run: 'false', read-only: true }
",
    );
    let mut run = bench.start(&["run", "plan.yaml", "--yes"]);
    bench.wait_for("again");
    signal(&run, "KILL");
    run.wait().expect("it is our child");
    bench.run(&["rollback"]).assert_code(0).assert_says("it was ended");
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert!(!bench.has("busy.txt"), "it still writes");
}

/// Whoever takes a run back from within its own program cannot end that program, and is refused.
#[test]
fn a_run_whose_program_cannot_be_ended_is_not_taken_back_meanwhile() {
    let bench = Bench::with(&format!(
        "
plan: inside
steps:
  - id: inside
    shell:
      run: |
        touch begun
        while [ ! -e dead ]; do sleep 0.05; done
        {} rollback --state state > said 2>&1 || echo $? > code
        touch over
    undo: [{{ shell: {{ run: 'rm begun' }} }}]
",
        env!("CARGO_BIN_EXE_bowline")
    ));
    let mut run = bench.start(&["run", "plan.yaml", "--yes"]);
    bench.wait_for("begun");
    signal(&run, "KILL");
    run.wait().expect("it is our child");
    bench.write("dead", "");
    bench.wait_for("over");
    assert_eq!(bench.read("code"), "7\n", "{}", bench.read("said"));
    assert!(bench.read("said").contains("kill -TERM -- -") && bench.has("begun"), "{}", bench.read("said"));
    bench.run(&["rollback"]).assert_code(0);
    assert!(!bench.has("begun"));
}

/// Its last step cannot be taken back, and never ends by itself.
const PIVOT: &str = "
plan: pivot
steps:
  - id: first
    shell: { run: 'touch first.txt' }
    undo: [{ shell: { run: 'rm first.txt' } }]
  - id: send
    shell: { run: 'touch begun; while :; do sleep 0.05; done' }
";

/// What cannot be taken back is in doubt. Who has looked and seen that it was not done may go back all the same.
#[test]
fn what_was_not_done_keeps_nobody_from_going_back() {
    let bench = Bench::with(PIVOT);
    let mut run = bench.start(&["run", "plan.yaml", "--yes"]);
    bench.wait_for("begun");
    signal(&run, "KILL");
    run.wait().expect("it is our child");
    bench.run(&["rollback"]).assert_code(5).assert_says("send");
    let told = bench.run(&["rollback"]);
    told.assert_code(7).assert_says("--settle send=not-done").assert_says("takes back the rest");
    assert!(bench.has("first.txt"));
    bench.run(&["rollback", "--settle", "send=not-done"]).assert_code(0);
    assert!(!bench.has("first.txt"));
}

/// Its second attempt cannot even begin: that is no reason to leave what the first one did.
#[test]
fn what_an_attempt_did_goes_back_although_the_next_one_did_nothing() {
    let bench = Bench::with(
        "
plan: halves
steps:
  - id: work
    shell: { run: [./work.sh] }
    idempotent: true
    retry: { attempts: 2, backoff: 10ms }
    undo: [{ shell: { run: 'rm marker' } }]
",
    );
    bench.write("work.sh", "#!/bin/sh\necho half > marker\nrm work.sh\nexit 1\n");
    std::fs::set_permissions(bench.path("work.sh"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("it is ours");
    bench.run(&["run", "plan.yaml"]).assert_code(3);
    assert!(!bench.has("work.sh") && !bench.has("marker"));
}

/// The same where bowline itself stopped the program: it had too little time.
#[test]
fn what_took_too_long_and_was_not_done_keeps_nobody_from_going_back() {
    let bench = Bench::with(&format!("{PIVOT}    timeout: 300ms\n"));
    bench.run(&["run", "plan.yaml", "--yes"]).assert_code(5).assert_says("send");
    bench.run(&["rollback"]).assert_code(7).assert_says("--settle send=not-done");
    bench.run(&["rollback", "--settle", "send=not-done"]).assert_code(0);
    assert!(!bench.has("first.txt"));
}

/// What was said of one attempt says nothing of the next one: the answer that nobody needed is not kept for it.
#[test]
fn an_answer_that_was_not_needed_does_not_count_for_a_later_attempt() {
    let bench = Bench::with(
        "
plan: unneeded
steps:
  - id: a
    timeout: 2s
    shell:
      run: 'if [ -e first ]; then touch second; else touch first; fi; while :; do sleep 0.05; done'
      check: 'if [ -e second ]; then kill $$; fi; exit 1'
    undo: [{ shell: { run: 'rm second' } }]
",
    );
    let mut run = bench.start(&["run", "plan.yaml", "--yes"]);
    bench.wait_for("first");
    signal(&run, "KILL");
    run.wait().expect("it is our child");
    bench.run(&["resume", "--settle", "a=not-done"]).assert_code(3);
    assert!(!bench.has("second"), "the second attempt wrote it, and nobody has said that it did not");
}

/// Its first attempt wrote, and is known to have; of the second one nobody knows. Who says "not done" speaks of the second.
#[test]
fn what_an_earlier_attempt_is_known_to_have_done_goes_back_although_the_last_one_was_not_done() {
    let bench = Bench::with(
        "
plan: twice
steps:
  - id: a
    retry: { attempts: 2, backoff: 10ms }
    shell: { run: 'if [ -e one ]; then touch two; while :; do sleep 0.05; done; fi; touch one; exit 1' }
    undo: [{ shell: { run: 'rm one' } }]
",
    );
    let mut run = bench.start(&["run", "plan.yaml", "--yes"]);
    bench.wait_for("two");
    signal(&run, "KILL");
    run.wait().expect("it is our child");
    bench.run(&["rollback", "--settle", "a=not-done"]).assert_code(0);
    assert!(!bench.has("one"), "the first attempt wrote it");
}

/// What could be asked could not answer; the next process asks again.
#[test]
fn what_could_not_be_looked_up_is_looked_up_again_when_somebody_resumes() {
    let bench = Bench::with(
        "
plan: away
steps:
  - id: a
    shell:
      run: 'echo . >> tries; if [ -e again ]; then exit 0; fi; touch again; while :; do sleep 0.05; done'
      check: 'if [ -e away ]; then kill $$; fi; exit 1'
    undo: [{ shell: { run: 'rm tries' } }]
",
    );
    let mut run = bench.start(&["run", "plan.yaml", "--yes"]);
    bench.wait_for("again");
    signal(&run, "KILL");
    run.wait().expect("it is our child");
    bench.write("away", "");
    for _ in 0..2 {
        bench.run(&["resume"]).assert_code(5).assert_says("`check` gives no answer");
    }
    std::fs::remove_file(bench.path("away")).expect("it is there");
    bench.run(&["resume"]).assert_code(0);
    assert_eq!(bench.read("tries"), ".\n.\n", "its check said that it was not done");
}
