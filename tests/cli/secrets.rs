//! Secrets that are missing are found before a run begins.

use crate::bench::Bench;

const PLAN: &str = "
plan: guarded
environments:
  test: {}
  production: {}
secrets:
  token: { env: BOWLINE_TEST_TOKEN_OF_NOBODY }
  password: { file: password.txt }
  later: { command: [sh, -c, 'touch asked; echo told'] }
  elsewhere: { env: BOWLINE_TEST_OTHER_TOKEN_OF_NOBODY }
steps:
  - id: first
    shell: { run: 'touch first.txt' }
    undo: [{ shell: { run: 'rm first.txt' } }]
  - id: login
    needs: []
    shell: { run: 'touch login.txt', secrets: { TOKEN: token, PASSWORD: password, LATER: later } }
    undo: [{ shell: { run: 'rm login.txt' } }]
  - id: only-there
    when: 'run.environment == \"production\"'
    shell: { run: 'true', read-only: true, secrets: { OTHER: elsewhere } }
";

#[test]
fn all_that_are_missing_are_told_before_anything_is_done() {
    let bench = Bench::with(PLAN);
    let told = bench.run(&["run", "plan.yaml", "-e", "test"]);
    told.assert_code(2)
        .assert_says("secrets are missing, so nothing was begun")
        .assert_says("login: the secret `token`: the variable BOWLINE_TEST_TOKEN_OF_NOBODY is not set")
        .assert_says("login: the secret `password` cannot be read");
    assert!(!told.all().contains("OTHER_TOKEN"), "what will not run needs nothing:\n{}", told.all());
    assert!(!bench.has("first.txt") && !bench.has("asked") && !bench.has("state/journal.db"));
    let preview = bench.run(&["preview", "plan.yaml", "-e", "test"]);
    preview.assert_code(7).assert_says("a run would be refused: login: the secret `token`");
    bench.write("password.txt", "open sesame\n");
    let run = bench.command(&["run", "plan.yaml", "-e", "test"]).env("BOWLINE_TEST_TOKEN_OF_NOBODY", "t0ken").output();
    let run = crate::bench::Ended::from(run.expect("bowline can be started"));
    run.assert_code(0);
    assert!(bench.has("login.txt") && bench.has("asked"));
    bench.run(&["run", "plan.yaml", "-e", "production"]).assert_code(2).assert_says("only-there: the secret `elsewhere`");
}

#[test]
fn what_an_earlier_step_may_make_is_not_missed_before() {
    let bench = Bench::with(
        "
plan: makes
secrets:
  password: { file: password.txt }
steps:
  - id: make
    shell: { run: 'echo open sesame > password.txt' }
    undo: [{ shell: { run: 'rm password.txt' } }]
  - id: login
    shell: { run: 'true', read-only: true, secrets: { PASSWORD: password } }
",
    );
    bench.run(&["preview", "plan.yaml"]).assert_code(0).assert_says("not there now, unless a step of the run makes it first: login");
    bench.run(&["run", "plan.yaml"]).assert_code(0).assert_says("not there now, unless a step of the run makes it first: login");
}

const BOTH_WAYS: &str = "
plan: both-ways
secrets:
  there: { file: there.txt }
  back: { file: back.txt }
  later: { file: later.txt }
steps:
  - id: first
    shell: { run: 'touch first.txt', secrets: { THERE: there } }
    undo: [{ shell: { run: 'rm first.txt', secrets: { BACK: back } } }]
  - id: check
    shell: { run: 'test ! -e broken', read-only: true }
  - id: last
    shell: { run: 'touch last.txt', secrets: { LATER: later } }
    undo: [{ shell: { run: 'rm last.txt' } }]
";

#[test]
fn whoever_goes_on_or_back_is_told_what_is_missing_before_anything_is_written() {
    let bench = Bench::with(BOTH_WAYS);
    let files = ["there.txt", "back.txt", "later.txt"];
    files.iter().for_each(|name| bench.write(name, "open sesame\n"));
    bench.write("broken", "");
    bench.run(&["run", "plan.yaml", "--run-id", "r1", "--no-rollback"]).assert_code(5);
    files.iter().for_each(|name| std::fs::remove_file(bench.path(name)).expect("it is there"));
    let before = bench.run(&["show", "--log"]).out;
    let told = bench.run(&["resume"]);
    told.assert_code(2).assert_says("secrets are missing, so nothing was begun").assert_says("last: the secret `later` cannot be read");
    told.assert_says("first: the secret `back` cannot be read");
    assert!(!told.all().contains("`there`"), "what was done needs nothing more to be done:\n{}", told.all());
    let told = bench.run(&["rollback"]);
    told.assert_code(2).assert_says("secrets are missing, so nothing was begun").assert_says("first: the secret `back` cannot be read");
    assert!(!told.all().contains("`there`") && !told.all().contains("`later`"), "only the way back counts:\n{}", told.all());
    assert_eq!(bench.run(&["show", "--log"]).out, before, "nothing was written");
    bench.write("back.txt", "open sesame\n");
    bench.run(&["rollback"]).assert_code(0);
    assert!(!bench.has("first.txt"));
}

#[test]
fn what_a_later_step_has_taken_away_stands_in_nobody_s_way() {
    let plan = "plan: login
secrets: { token: { file: token.txt } }
steps:
  - id: login
    shell: { run: 'echo sesame > token.txt' }
    undo: [{ shell: { run: 'rm -f token.txt' } }]
  - id: use
    shell: { run: 'touch used.txt', secrets: { TOKEN: token } }
    undo: [{ shell: { run: 'rm used.txt', secrets: { TOKEN: token } } }]
  - id: logout
    shell: { run: 'rm token.txt' }
    undo: [{ shell: { run: 'echo sesame > token.txt' } }]
  - id: check
    shell: { run: 'test ! -e broken', read-only: true }
";
    for command in ["resume", "rollback"] {
        let bench = Bench::with(plan);
        bench.write("broken", "");
        bench.run(&["run", "plan.yaml", "--run-id", "r1", "--no-rollback"]).assert_code(5);
        std::fs::remove_file(bench.path("broken")).expect("it is there");
        bench.run(&[command, "r1"]).assert_code(0);
        assert_eq!(bench.has("used.txt"), command == "resume");
    }
}

#[test]
fn a_simulated_run_needs_no_secrets() {
    let plan = format!("{PLAN}simulate:\n  processes: [{{ run: '*' }}]\n");
    Bench::with(&plan).run(&["run", "plan.yaml", "-e", "test", "--simulate"]).assert_code(0);
}

#[test]
fn a_program_that_is_not_there_is_missing_before_anything_is_written() {
    let bench = Bench::with(
        "
plan: vault
secrets:
  t: { command: [no-such-vault, read] }
steps:
  - id: login
    shell: { run: 'touch login.txt', secrets: { T: t } }
    undo: [{ shell: { run: 'rm login.txt' } }]
",
    );
    bench.run(&["run", "plan.yaml"]).assert_code(2).assert_says("the secret `t`: there is no program `no-such-vault`");
    assert!(!bench.has("login.txt"));
}

#[test]
fn an_input_that_holds_a_secret_is_warned_of_and_not_shown() {
    let bench = Bench::with(
        "
plan: mixed
inputs: { address: { type: string }, zone: { type: string } }
secrets: { password: { file: password.txt } }
steps:
  - id: login
    shell: { run: 'echo {{ inputs.zone }} {{ inputs.address }}', read-only: true, secrets: { PASSWORD: password } }
",
    );
    bench.write("password.txt", "open sesame\n");
    let told = bench.run(&["run", "plan.yaml", "-i", "address=db:open sesame@x", "-i", "zone=eu"]);
    told.assert_code(0).assert_says("warning: the input `address` holds the secret `password`");
    assert!(!told.all().contains("`zone` holds") && !told.all().contains("sesame"), "{}", told.all());
    let shown = bench.run(&["show"]);
    shown.assert_code(0).assert_says("inputs: address=[secret], zone=eu");
    let json = bench.run(&["show", "--output", "json"]);
    assert!(!json.all().contains("sesame") && json.all().contains("[secret]"), "{}", json.all());
}

#[test]
fn one_that_a_step_was_never_given_is_kept_out_all_the_same() {
    let bench = Bench::with(
        "
plan: inherits
secrets:
  token: { env: BOWLINE_TEST_INHERITED }
steps:
  - id: early
    shell: { run: 'echo early $BOWLINE_TEST_INHERITED; exit $CODE', read-only: true }
  - id: use
    shell: { run: 'true', read-only: true, secrets: { T: token } }
",
    );
    for code in ["0", "3"] {
        let run = bench.command(&["run", "plan.yaml"]).env("BOWLINE_TEST_INHERITED", "hunter2-value").env("CODE", code).output();
        let run = crate::bench::Ended::from(run.expect("bowline can be started"));
        run.assert_says("early [secret]");
        let logs = bench.run(&["logs"]);
        logs.assert_code(0).assert_says("early [secret]");
        assert!(!(run.all() + &logs.all()).contains("hunter2"), "{}{}", run.all(), logs.all());
    }
}

#[test]
fn what_a_process_that_died_was_given_is_kept_out_of_the_way_back() {
    let bench = Bench::with(
        "
plan: dies
secrets:
  token: { file: token.txt }
  gone: { file: gone.txt }
steps:
  - id: first
    shell: { run: 'true' }
    undo: [{ shell: { run: 'cat token.txt >&2; echo; exit 3' } }]
  - id: use
    shell: { run: 'kill -9 $PPID; sleep 1', secrets: { T: token, G: gone }, read-only: true }
",
    );
    bench.write("token.txt", "hunter2-value\n");
    bench.write("gone.txt", "gone-value\n");
    bench.run(&["run", "plan.yaml"]);
    std::fs::remove_file(bench.path("gone.txt")).expect("a file");
    let back = bench.run(&["rollback"]);
    back.assert_says("exited with code 3: [secret]");
    let shown = bench.run(&["show"]);
    assert!(!(back.all() + &shown.all()).contains("hunter2"), "{}{}", back.all(), shown.all());
    let journal = String::from_utf8_lossy(&std::fs::read(bench.path("state/journal.db")).expect("a journal")).into_owned();
    assert!(!journal.contains("hunter2"), "the journal keeps it");
}
