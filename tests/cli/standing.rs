//! What is said to whoever wants of a run what only one that stands otherwise can do: how it stands, since when, and what can be typed.

use crate::bench::{Bench, Ended, wait};
use crate::given::{PLAN, asking, halted};

/// A run of this plan that succeeded, was rolled back, or was abandoned.
fn over(how: &str) -> Bench {
    let bench = Bench::with(PLAN);
    match how {
        "succeeded" => drop(bench.run(&["run", "plan.yaml", "--run-id", "r1"]).assert_code(0)),
        "rolled back" => {
            bench.write("broken", "");
            bench.run(&["run", "plan.yaml", "--run-id", "r1"]).assert_code(3);
        }
        _ => {
            bench.write("broken", "");
            bench.run(&["run", "plan.yaml", "--run-id", "r1", "--no-rollback"]).assert_code(5);
            bench.run(&["abandon", "--yes"]).assert_code(0);
        }
    }
    bench
}

#[track_caller]
fn assert_told(ended: &Ended, code: i32, words: &[&str]) {
    words.iter().fold(ended.assert_code(code), |ended, words| ended.assert_says(words));
}

#[test]
fn of_a_run_that_is_over_it_is_said_how_and_when_it_ended() {
    for (how, did) in
        [("succeeded", "it succeeded at 20"), ("rolled back", "it was rolled back at 20"), ("abandoned", "it was closed as it is at 20")]
    {
        let bench = over(how);
        for words in
            [&["approve", "r1", "first"][..], &["reject", "r1", "check"], &["cancel", "r1"], &["abandon", "r1", "--yes"], &["resume", "r1"]]
        {
            assert_told(&bench.run(words), 7, &["run r1 is over", did, "`bowline show r1"]);
        }
        if how != "succeeded" {
            assert_told(&bench.run(&["rollback", "r1", "--yes"]), 7, &["run r1 is over", did]);
        } else {
            bench.run(&["cancel", "r1"]).assert_says("`bowline rollback r1");
        }
        assert_told(&bench.run(&["resume"]), 2, &["no run is open", "the last one, r1 of `notes`"]);
    }
}

#[test]
fn of_a_run_on_which_nobody_works_it_is_said_what_can_be_typed() {
    let (bench, run) = asking();
    bench.run(&["cancel", "--halt"]).assert_code(0);
    wait(run).assert_code(5);
    for words in [&["approve"][..], &["approve", "asks", "gate"], &["reject", "asks", "gate"], &["cancel"]] {
        let told = bench.run(words);
        assert_told(
            &told,
            7,
            &[
                "nobody works on run asks: it is halted since 20",
                "goes on, and asks again",
                "`bowline rollback asks",
                "`bowline abandon asks",
            ],
        );
    }
}

#[test]
fn of_a_run_at_work_it_is_said_who_works_on_it() {
    let (bench, run) = asking();
    for words in [&["resume"][..], &["rollback"], &["rollback", "asks", "--yes"], &["abandon", "--yes"]] {
        assert_told(&bench.run(words), 7, &["run asks is at work since 20", "process ", "`bowline cancel asks"]);
    }
    bench
        .run(&["approve", "asks", "first"])
        .assert_code(2)
        .assert_says("`first` of run asks asks nothing now: it is done")
        .assert_says("these ask: gate");
    bench.run(&["approve", "asks", "nobody"]).assert_code(2).assert_says("run asks has no step `nobody`");
    bench.run(&["approve"]).assert_code(0);
    wait(run).assert_code(0);
}

#[test]
fn who_answers_need_not_name_the_run_while_only_one_asks() {
    let (bench, run) = asking();
    bench.write("other.yaml", &PLAN.replace("plan: notes", "plan: other"));
    bench.write("broken", "");
    bench.run(&["run", "other.yaml", "--no-rollback"]).assert_code(5);
    bench.run(&["approve", "gate"]).assert_code(0).assert_says("approved gate of run asks");
    wait(run).assert_code(0);
}

#[test]
fn a_run_that_is_resumed_asks_its_question_again() {
    let (bench, run) = asking();
    bench.run(&["cancel", "--halt"]).assert_code(0);
    wait(run).assert_code(5);
    let run = bench.start(&["resume"]);
    while !bench.run(&["approve"]).all().contains("approved gate") {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let told = wait(run);
    told.assert_code(0).assert_says("resumed by").assert_says("asks: Is everybody ready? (answer with `bowline approve asks gate");
}

#[test]
fn past_the_pivot_only_what_works_is_offered_and_nothing_else_is_begun() {
    let bench = Bench::with(
        "plan: gone\nsteps:\n  - id: send\n    shell: { run: 'echo sent >> sent.txt; test ! -e broken' }\n  - id: after\n    shell: { run: 'true', read-only: true }\n",
    );
    bench.write("broken", "");
    let halted = bench.run(&["run", "plan.yaml", "--yes", "--run-id", "r1"]);
    halted.assert_code(5).assert_says("send cannot be taken back").assert_says("bowline resume r1").assert_says("bowline abandon r1");
    assert!(!halted.all().contains("bowline rollback"), "{}", halted.all());
    let refused = bench.run(&["rollback", "r1", "--yes"]);
    refused.assert_code(7).assert_says("`send` cannot be taken back").assert_says("nothing was done").assert_says("`bowline resume r1");
    std::fs::remove_file(bench.path("broken")).expect("it is there");
    bench.run(&["resume"]).assert_code(0);
}

/// What programs name, they name from where the run began: a rollback from elsewhere would take nothing back and say that it had.
#[test]
fn a_run_is_taken_back_in_the_folder_in_which_it_began() {
    let plan = "plan: note
steps:
  - id: write
    shell: { run: 'echo hello > note.txt' }
    undo: [{ shell: { run: 'rm -f note.txt' } }]
";
    let bench = Bench::with(plan);
    let elsewhere = tempfile::tempdir().expect("a folder");
    let from = |folder: &std::path::Path, arguments: &[&str]| {
        Ended::from(bench.command(arguments).current_dir(folder).output().expect("bowline can be started"))
    };
    bench.run(&["run", "plan.yaml", "--run-id", "r1"]).assert_code(0);
    assert!(bench.has("note.txt"));
    from(elsewhere.path(), &["rollback", "r1", "--yes"]).assert_code(0);
    assert!(!bench.has("note.txt"), "it was taken back somewhere else");

    let gone = bench.path("gone");
    std::fs::create_dir(&gone).expect("the test's folder can be written");
    let plan = bench.path("plan.yaml").display().to_string();
    from(&gone, &["run", &plan, "--run-id", "r2"]).assert_code(0);
    std::fs::remove_dir_all(&gone).expect("the test's own folder");
    assert_told(&from(elsewhere.path(), &["rollback", "r2", "--yes"]), 7, &["gone", "where the run began", "bring that folder back"]);
}

#[test]
fn an_older_run_is_not_taken_back_below_a_later_one_of_its_plan() {
    let plan = "plan: release
inputs: { version: { type: string } }
steps:
  - id: write
    shell: { run: 'echo {{ inputs.version }} >> log' }
    undo: [{ shell: { run: 'rm -f log' } }]
";
    let bench = Bench::with(plan);
    for run in ["r1", "r2"] {
        bench.run(&["run", "plan.yaml", "--run-id", run, "-i", &format!("version={run}")]).assert_code(0);
    }
    let refused = bench.run(&["rollback", "r1", "--yes"]);
    assert_told(&refused, 7, &["run r2 of `release` came later", "--partial"]);
    bench.run(&["rollback", "r2", "--yes"]).assert_code(0);
    bench.run(&["rollback", "r1", "--yes"]).assert_code(0);

    // Nor is what the later one may have built on taken back with the rest. Where that is all, the run is not closed for nothing.
    for run in ["r3", "r4"] {
        bench.run(&["run", "plan.yaml", "--run-id", run, "-i", &format!("version={run}")]).assert_code(0);
    }
    let partly = bench.run(&["rollback", "r3", "--partial", "--yes"]);
    assert_told(&partly, 7, &["later runs wrote all that run r3 did, or may have built on it", "take the later run back first"]);
    assert!(bench.has("log"));
    bench.run(&["rollback", "r4", "--yes"]).assert_code(0);
    bench.run(&["rollback", "r3", "--yes"]).assert_code(0);
}

#[test]
fn a_name_that_no_run_has_is_told_with_those_that_ask() {
    let (bench, run) = asking();
    bench.run(&["approve", "wrong"]).assert_code(2).assert_says("run asks has no step `wrong`").assert_says("these ask: gate");
    for verb in ["approve", "reject"] {
        bench.run(&[verb, "wrong", "gate"]).assert_code(2).assert_says(&format!("these ask: `bowline {verb} asks gate"));
    }
    for command in ["show", "logs", "approve"] {
        bench.run(&[command, ""]).assert_code(2);
    }
    bench.run(&["show", ""]).assert_says("it is empty: `bowline runs` lists");
    bench.run(&["show", "wrong"]).assert_code(2).assert_says("the only one is asks of `asking` (live)");
    bench.run(&["show"]).assert_code(0).assert_says("bowline approve asks gate").assert_says("asking is under way: 1 step of 2 done");
    bench.run(&["approve", "asks"]).assert_code(0).assert_says("approved gate of run asks");
    wait(run).assert_code(0);
    bench.run(&["approve", "wrong", "gate"]).assert_code(2).assert_says("no run asks anything now");
}

#[test]
fn whoever_edited_the_plan_is_told_that_the_run_goes_on_with_the_one_it_has() {
    let bench = halted();
    assert!(!bench.run(&["resume"]).all().contains("was edited"));
    bench.write("plan.yaml", &PLAN.replace("second.txt", "another.txt"));
    bench.run(&["resume"]).assert_says("plan.yaml was edited since").assert_says("`bowline rollback r1");
    let told = bench.run(&["resume", "--output", "json"]);
    assert!(told.out.lines().next().is_some_and(|line| line.contains("\"warning\"") && line.contains("was edited since")), "{}", told.out);
    assert!(!bench.run(&["rollback"]).assert_code(0).all().contains("was edited"), "whoever goes back wants the old one");
}

#[test]
fn of_a_run_that_is_closed_as_it_is_it_is_said_what_stays() {
    let bench = halted();
    let closed = bench.run(&["abandon", "--yes"]);
    closed.assert_code(0).assert_says("still there:\n  first: what it did\n");
    assert!(!closed.all().contains("left as it was") && !closed.all().contains("warning"), "{}", closed.all());
    bench.run(&["show"]).assert_says("still there:\n  first: what it did\n");
}

#[test]
fn a_list_that_is_cut_short_says_how_many_more_there_are() {
    let bench = Bench::with("plan: p\nsteps:\n  - id: one\n    shell: { run: 'true', read-only: true }\n");
    for _ in 0..3 {
        bench.run(&["run", "plan.yaml"]).assert_code(0);
    }
    let told = bench.run(&["runs", "--plan", "p", "-n", "2"]);
    told.assert_code(0).assert_says("1 more, which are older: `bowline runs --plan p --all --state ");
    assert_eq!(told.out.lines().count(), 3, "a head and two runs:\n{}", told.out);
    let all = bench.run(&["runs", "--all"]);
    assert!(all.assert_code(0).out.lines().count() == 4 && !bench.run(&["runs"]).all().contains("more"), "{}", all.all());
}

#[test]
fn what_stays_on_purpose_is_not_offered_to_be_taken_back() {
    let bench = Bench::with(
        "
plan: keeps
steps:
  - id: keep
    shell: { run: 'echo 1 > kept.txt' }
    undo: { none: it is only a note }
  - id: second
    shell: { run: 'echo 2 > second.txt' }
    undo: [{ shell: { run: 'rm -f second.txt' } }]
",
    );
    bench.run(&["run", "plan.yaml", "--run-id", "r1"]).assert_code(0);
    bench.run(&["resume", "r1"]).assert_code(7).assert_says("`bowline rollback r1");
    bench.run(&["rollback", "r1", "--step", "second", "--yes"]).assert_code(0);
    for words in [&["resume", "r1"][..], &["show", "r1"]] {
        let told = bench.run(words);
        assert!(!told.all().contains("bowline rollback"), "{}", told.all());
    }
    bench.run(&["rollback", "r1", "--yes"]).assert_code(7).assert_says("left nothing that can be taken back");
}

#[test]
fn a_run_that_cannot_be_read_keeps_nobody_from_the_others() {
    let (bench, run) = asking();
    bench.write("broken", "");
    bench.write("back.yaml", &PLAN.replace("plan: notes", "plan: back"));
    bench.run(&["run", "back.yaml", "--run-id", "back"]).assert_code(3);
    let plan = std::fs::read_to_string(bench.path("plan.yaml")).expect("it is there");
    bench.write("other.yaml", &plan.replace("plan: asking", "plan: other"));
    let other = bench.start(&["run", "other.yaml", "--run-id", "other"]);
    while !bench.run(&["show", "other"]).out.contains("Is everybody ready?") {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let journal = rusqlite::Connection::open(bench.path("state").join("journal.db")).expect("it is there");
    journal.busy_timeout(std::time::Duration::from_secs(5)).expect("a number");
    let damage = "UPDATE records SET bytes = x'7b' WHERE seq = 0 AND no IN (SELECT no FROM runs WHERE run IN ('back', 'other'))";
    assert_eq!(journal.execute(damage, []).expect("the test's own journal"), 2);
    bench.run(&["show", "back"]).assert_code(2);
    bench.run(&["runs"]).assert_code(0).assert_says("rolled-back").assert_says("asks");
    bench.run(&["approve", "gate"]).assert_code(0).assert_says("approved gate of run asks");
    wait(run).assert_code(0);
    crate::bench::signal(&other, "KILL");
    drop(other.wait_with_output());
}
