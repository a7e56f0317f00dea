//! Runs with ids of their own, inputs from files, failures that halt, and rollbacks of a part.

use crate::bench::{Bench, Ended, wait};
use crate::given::PLAN;
use crate::pty;
use std::io::{BufRead, Read};

const GREETING: &str = "
plan: greeting
inputs:
  who: { type: string }
  times: { type: integer, default: 1 }
environments:
  test: { who: everybody }
steps:
  - id: greet
    shell: { run: 'echo {{ inputs.who }} {{ inputs.times }} >> greeted.txt' }
    undo: [{ shell: { run: 'rm -f greeted.txt' } }]
";

#[test]
fn inputs_come_from_the_command_line_a_file_the_environment_and_the_plan_in_this_order() {
    let bench = Bench::with(GREETING);
    bench.write("inputs.yaml", "who: the file\ntimes: 3\n");
    let greeted = |arguments: &[&str]| {
        let mut words = vec!["run", "plan.yaml", "-e", "test"];
        words.extend(arguments);
        bench.run(&words).assert_code(0);
        let greeted = bench.read("greeted.txt");
        std::fs::remove_file(bench.path("greeted.txt")).expect("it was written");
        greeted
    };
    assert_eq!(greeted(&[]), "everybody 1\n");
    assert_eq!(greeted(&["--inputs", "inputs.yaml"]), "the file 3\n");
    assert_eq!(greeted(&["--inputs", "inputs.yaml", "-i", "who=me"]), "me 3\n");
    assert_eq!(greeted(&["--input", "who=me", "--set", "times=2"]), "me 2\n");
}

#[test]
fn a_file_of_inputs_that_cannot_be_used_is_named_with_its_line() {
    let bench = Bench::with(GREETING);
    let run = |text: &str| {
        bench.write("inputs.yaml", text);
        bench.run(&["run", "plan.yaml", "-e", "test", "--inputs", "inputs.yaml"])
    };
    run("who: a\nwho: b\n").assert_code(2).assert_says("inputs.yaml: line 2");
    run("[a]").assert_code(2).assert_says("inputs.yaml: a list");
    run("whom: a\n").assert_code(2).assert_says("no input `whom`");
    bench
        .run(&["run", "plan.yaml", "-e", "test", "--inputs", "absent.yaml"])
        .assert_code(2)
        .assert_says("cannot read the inputs absent.yaml");
    assert!(!bench.has("greeted.txt"));
}

#[test]
fn a_run_that_is_asked_for_again_under_its_id_tells_its_end_and_does_nothing() {
    let bench = Bench::with(GREETING);
    let words = ["run", "plan.yaml", "-e", "test", "--run-id", "ci-1"];
    bench.run(&words).assert_code(0);
    bench.run(&words).assert_code(0).assert_says("run ci-1 is over already").assert_says("greeting in test succeeded");
    assert_eq!(bench.read("greeted.txt"), "everybody 1\n", "it ran once");
    let mut json = words.to_vec();
    json.extend(["--output", "json"]);
    let told: serde_json::Value = serde_json::from_str(&bench.run(&json).assert_code(0).out).expect("an object");
    assert_eq!((&told["event"], &told["exit-code"], &told["summary"]["outcome"]), (&"summary".into(), &0.into(), &"succeeded".into()));
    bench.run(&["rollback", "ci-1", "--yes"]).assert_code(0);
    bench.run(&words).assert_code(3).assert_says("rolled back");
}

#[test]
fn an_id_belongs_to_one_plan_its_inputs_and_its_environment() {
    let bench = Bench::with(GREETING);
    bench.run(&["run", "plan.yaml", "-e", "test", "--run-id", "ci-1"]).assert_code(0);
    let other = bench.run(&["run", "plan.yaml", "-e", "test", "--run-id", "ci-1", "-i", "times=2"]);
    other.assert_code(7).assert_says("other inputs").assert_says("--run-id");
    bench.write("plan.yaml", &GREETING.replace("echo", "echo hello"));
    bench
        .run(&["run", "plan.yaml", "-e", "test", "--run-id", "ci-1"])
        .assert_code(7)
        .assert_says("this plan as it was before it was edited");
    bench.write("other.yaml", &GREETING.replace("echo", "echo hello"));
    bench.run(&["run", "other.yaml", "-e", "test", "--run-id", "ci-1"]).assert_code(7).assert_says("another plan");
    bench.write("plan.yaml", &GREETING.replace("plan: greeting", "plan: farewell"));
    bench.run(&["run", "plan.yaml", "-e", "test", "--run-id", "ci-1"]).assert_code(7).assert_says("`greeting` in `test`");
    assert_eq!(bench.read("greeted.txt"), "everybody 1\n");
}

#[test]
fn an_id_whose_run_is_open_is_refused_and_one_that_was_abandoned_does_not_run_again() {
    let bench = Bench::with(PLAN);
    bench.write("broken", "");
    let words = ["run", "plan.yaml", "--run-id", "ci-1", "--no-rollback"];
    bench.run(&words).assert_code(5);
    bench.run(&words).assert_code(7).assert_says("run ci-1 of `notes` is not closed: halted").assert_says("bowline resume ci-1");
    bench.run(&["abandon", "--yes"]).assert_code(0);
    bench.run(&words).assert_code(7).assert_says("was abandoned");
}

#[test]
fn without_rollback_a_failure_halts_and_a_resume_tries_the_step_again() {
    let bench = Bench::with(PLAN);
    bench.write("broken", "");
    let halted = bench.run(&["run", "plan.yaml", "--no-rollback"]);
    halted
        .assert_code(5)
        .assert_says("check: ")
        .assert_says("nothing is taken back")
        .assert_says("bowline resume")
        .assert_says("bowline rollback");
    assert!(bench.has("first.txt") && !bench.has("second.txt"));
    bench.run(&["resume"]).assert_code(5).assert_says("nothing is taken back");
    std::fs::remove_file(bench.path("broken")).expect("it is there");
    bench.run(&["resume"]).assert_code(0).assert_says("succeeded");
    assert!(bench.has("second.txt"));
}

#[test]
fn without_rollback_everything_is_taken_back_once_somebody_asks() {
    let bench = Bench::with(PLAN);
    bench.write("broken", "");
    bench.run(&["run", "plan.yaml", "--no-rollback"]).assert_code(5);
    bench.run(&["rollback"]).assert_code(0).assert_says("first").assert_says("by its `undo` steps");
    assert!(!bench.has("first.txt"));
}

const TREE: &str = "
plan: tree
steps:
  - id: root
    shell: { run: 'touch root' }
    undo: [{ shell: { run: 'rm root' } }]
  - id: branch
    needs: [root]
    shell: { run: 'touch branch' }
    undo: [{ shell: { run: 'rm branch' } }]
  - id: leaf
    needs: [branch]
    shell: { run: 'touch leaf' }
    undo: [{ shell: { run: 'rm leaf' } }]
  - id: other
    needs: [root]
    shell: { run: 'touch other' }
    undo: [{ shell: { run: 'rm other' } }]
";

#[test]
fn one_step_is_taken_back_with_what_needed_it_and_the_rest_stays() {
    let bench = Bench::with(TREE);
    bench.run(&["run", "plan.yaml", "--run-id", "r1"]).assert_code(0);
    bench.run(&["rollback", "r1", "--step", "trunk", "--yes"]).assert_code(2).assert_says("no step `trunk`");
    let back = bench.run(&["rollback", "r1", "--step", "branch", "--yes"]);
    back.assert_code(0).assert_says("the last first").assert_says("what `branch` did, and all that needed it, is as it was");
    assert!(bench.has("root") && bench.has("other") && !bench.has("branch") && !bench.has("leaf"), "{}", back.all());
    back.assert_says("bowline rollback r1").assert_says("takes back the rest");
    bench.run(&["rollback", "r1", "--step", "branch", "--yes"]).assert_code(7).assert_says("left nothing that can be taken back");
    bench.run(&["rollback", "r1", "--yes"]).assert_code(0).assert_says("everything is as it was");
    assert!(!bench.has("root") && !bench.has("other"), "what a part has left is taken back later");
    bench.run(&["rollback", "r1", "--yes"]).assert_code(7).assert_says("run r1 is over: it was rolled back");
}

#[test]
fn what_succeeded_is_taken_back_only_by_who_says_yes() {
    let bench = Bench::with(TREE);
    bench.run(&["run", "plan.yaml", "--run-id", "r1"]).assert_code(0);
    bench.run(&["rollback", "r1"]).assert_code(7).assert_says("4 steps of `tree` would be taken back").assert_says("--yes");
    assert!(bench.has("root"));
    pty::answer(&bench, &["rollback", "r1"], "Take back? [y/N]", "n\n").assert_code(7).assert_says("nothing was done");
    assert!(bench.has("root"));
    pty::answer(&bench, &["rollback", "r1"], "Take back? [y/N]", "y\n").assert_code(0).assert_says("rolled back");
    assert!(!bench.has("root"));
}

/// Starts the program once these keys are there to be read, as after a person who types ahead.
fn typed_ahead(bench: &Bench, keys: &str, arguments: &[&str], then: &str) -> pty::Terminal {
    let lines = format!("while [ ! -e typed ]; do sleep 0.02; done; {}; {then}", pty::command(arguments));
    let mut terminal = pty::Terminal::start(bench, 80, &lines, &[]);
    terminal.press(keys);
    assert!(terminal.shows(keys.trim_end()), "{}", terminal.shown());
    bench.write("typed", "");
    terminal
}

#[test]
fn what_was_typed_before_a_question_is_no_answer_to_it() {
    let bench = Bench::with(TREE);
    bench.run(&["run", "plan.yaml", "--run-id", "r1"]).assert_code(0);
    let mut terminal = typed_ahead(&bench, "y\n", &["rollback", "r1"], "exit $?");
    assert!(terminal.shows("Take back? [y/N]"), "{}", terminal.shown());
    terminal.press("n\n");
    terminal.end().assert_code(7).assert_says("nothing was done");
    assert!(bench.has("root"));
}

#[test]
fn what_was_typed_below_moving_lines_is_no_command_afterwards() {
    // Where a run is told line by line, what is typed shows, and belongs to the shell.
    for (output, left) in [("auto", "left: <>"), ("lines", "left: <touch oops")] {
        let bench = Bench::with(TREE);
        let read = "stty -icanon min 0 time 2; echo \"left: <$(dd bs=64 count=1 2>/dev/null)>\"";
        let mut terminal = typed_ahead(&bench, "touch oops\n", &["run", "plan.yaml", "--output", output], read);
        assert!(terminal.shows("left: <"), "{}", terminal.shown());
        let seen = terminal.end();
        assert!(seen.raw.contains(left), "{output}: {}", seen.text());
    }
}

#[test]
fn what_cannot_be_taken_back_is_said_before_anything_is_done() {
    let bench = Bench::with("plan: gone\nsteps:\n  - id: send\n    shell: { run: 'echo sent > sent.txt' }\n");
    bench.run(&["run", "plan.yaml", "--yes", "--run-id", "r1"]).assert_code(0);
    bench.run(&["rollback", "r1", "--yes"]).assert_code(7).assert_says("`send` cannot be taken back");
    bench.run(&["runs", "--open"]).assert_code(0).assert_says("there are no such runs");
    bench.run(&["runs", "-n", "0"]).assert_code(2);
}

#[test]
fn what_programs_printed_is_kept_sealed_and_told_again() {
    let bench = Bench::with(
        "
plan: chatty
steps:
  - id: talk
    shell: { run: 'echo a line of talk; echo an error >&2' }
    undo: [{ shell: { run: 'echo talking back' } }]
  - id: more
    retry: { attempts: 2, backoff: 10ms }
    idempotent: true
    shell: { run: 'echo try; exit 1' }
    undo: { none: it only talks }
",
    );
    bench.run(&["run", "plan.yaml", "--run-id", "r1"]).assert_code(3);
    let all = bench.run(&["logs", "r1"]);
    all.assert_code(0).assert_says("talk  a line of talk").assert_says("talk  an error").assert_says("talk  talking back");
    assert_eq!(all.out.matches("more  try").count(), 2, "{}", all.all());
    assert_eq!(bench.run(&["logs", "r1", "talk"]).out, "a line of talk\nan error\ntalking back\n");
    bench.run(&["logs", "r1", "silent"]).assert_code(2).assert_says("no step `silent`");
    let export = bench.run(&["journal", "export", "r1"]).out;
    assert!(export.contains("lines-kept") && !export.contains("a line of talk"), "it is sealed");
}

#[test]
fn whoever_follows_a_run_is_told_what_its_programs_printed_until_it_ends() {
    let bench = Bench::with(
        "
plan: chatty
steps:
  - id: first
    shell: { run: 'echo from the first', read-only: true }
  - id: second
    shell: { run: 'touch begun; while [ ! -e go ]; do sleep 0.02; done; echo from the second', read-only: true }
  - id: third
    shell: { run: 'echo from the third; exit 1', read-only: true }
",
    );
    let run = bench.start(&["run", "plan.yaml", "--run-id", "r1"]);
    bench.wait_for("begun");
    while !bench.run(&["logs", "r1"]).out.contains("from the first") {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let mut follows = bench.start(&["logs", "-f", "r1"]);
    let mut told = std::io::BufReader::new(follows.stdout.take().expect("it is piped"));
    let mut line = String::new();
    told.read_line(&mut line).expect("it is text");
    assert_eq!(line.trim_end(), "first   from the first", "it is told while the run goes on");
    assert!(!bench.run(&["logs", "r1"]).out.contains("second"));
    let mut leaves = bench.start(&["logs", "-f", "r1"]);
    std::io::BufReader::new(leaves.stdout.take().expect("it is piped")).read_line(&mut line).expect("it is text");
    wait(leaves).assert_code(0);
    bench.write("go", "");
    wait(run).assert_code(3);
    let mut rest = String::new();
    told.read_to_string(&mut rest).expect("it is text");
    assert_eq!(rest, "second  from the second\nthird   from the third\n");
    wait(follows).assert_code(0).assert_says("second  -- at work");
    assert_eq!(bench.run(&["logs", "--follow", "r1", "third"]).assert_code(0).out, "from the third\n", "of a run that is over all is told");
}

#[test]
fn with_what_a_run_was_opened_is_told_and_secrets_and_defaults_are_not() {
    let bench = Bench::with(
        "
plan: given
inputs:
  version: { type: string, default: v1 }
  replicas: { type: integer, default: 3 }
  wait: { type: duration, default: 90s }
  region: { type: string, default: eu }
  zones: { type: list, default: [a, b] }
  note: { type: string, required: false }
environments:
  production: { region: us }
secrets: { token: { env: TOKEN } }
steps:
  - id: one
    shell:
      run: 'echo {{ inputs.version }} {{ inputs.replicas }} {{ inputs.region }} {{ inputs.wait }}'
      secrets: { TOKEN: token }
      read-only: true
",
    );
    let run = |more: &[&str]| {
        let arguments: Vec<&str> = ["run", "plan.yaml", "-e", "production", "--run-id"].iter().chain(more).copied().collect();
        let ran = bench.command(&arguments).env("TOKEN", "hunter2-hunter2").output().expect("bowline can be started");
        Ended::from(ran).assert_code(0);
    };
    // A minute and a half is what the plan says anyway.
    run(&["r1", "-i", "wait=1m30s"]);
    bench.run(&["show", "r1"]).assert_code(0).assert_says("run r1 of given in production, opened").assert_says("\ninputs: region=us\n");
    run(&["r2", "-i", "version=v2", "-i", "replicas=3", "-i", "zones=[c]", "-i", "wait=2m"]);
    bench.run(&["show", "r2"]).assert_says("\ninputs: version=v2, wait=2m, region=us, zones=[c]\n");
    let json: serde_json::Value = serde_json::from_str(&bench.run(&["show", "r2", "--output", "json"]).out).expect("an object");
    assert_eq!(json["inputs"], serde_json::json!({ "version": "v2", "wait": "2m", "region": "us", "zones": ["c"] }));
    assert_eq!(json["environment"], "production");
}

#[test]
fn a_graph_is_written_for_mermaid_and_for_programs() {
    let bench = Bench::with(PLAN);
    bench.run(&["graph", "plan.yaml", "--format", "mermaid"]).assert_code(0).assert_says("flowchart TD").assert_says("s0 --> s1");
    let json: serde_json::Value = serde_json::from_str(&bench.run(&["graph", "plan.yaml", "--format", "json"]).out).expect("an object");
    assert_eq!((&json["plan"], &json["graph"]["steps"][2]["needs"][0]), (&"notes".into(), &"check".into()));
}
