//! What is said of mistakes on a terminal of few columns: no line is wider than it, and no word is broken.

use crate::bench::Bench;
use crate::pty;

const WRONG: &str = "
plan: shop
inputs:
  replicas: { type: integer, min: 1, about: How many pods answer at the same time }
steps:
  - id: prepare-the-database
    needs: [everything-is-over]
    shell: { run: 'psql --quiet --command \"select 1\" postgres://somewhere/with/a/long/name', reed-only: true }
    undo: rm -f the-file-of-before.txt
  - id: deploy
    shell: kubectl apply -f manifests/app.yaml
  - id: everything-is-over
    rollback-on-fail: { guards: [prepare-the-database, deploy] }
";

#[test]
fn a_mistake_in_a_plan_is_drawn_within_the_terminal() {
    let bench = Bench::with(WRONG);
    for columns in [40, 60, 80] {
        let seen = pty::run(&bench, columns, &["validate", "plan.yaml"], "", &[]);
        seen.assert_code(2).assert_says("reed-only").assert_says("did you mean `read-only`?").assert_says("plan::own-guard");
        assert_eq!(seen.broken_lines(), [""; 0], "{columns} columns:\n{}", seen.text());
    }
}

#[test]
fn inputs_that_do_not_fit_are_told_between_words() {
    let plan = "plan: shop\ninputs:\n  replicas: { type: integer, min: 1 }\nsteps:\n  - { id: a, pause: '{{ inputs.replicas }}s' }\n";
    let bench = Bench::with(plan);
    for columns in [40, 80] {
        let seen = pty::run(&bench, columns, &["run", "plan.yaml", "-i", "replicas=0", "-i", "replcas=5"], "", &[]);
        seen.assert_code(2).assert_says("the inputs do not fit the plan `shop`");
        assert_eq!(seen.broken_lines(), [""; 0], "{columns} columns:\n{}", seen.text());
    }
}

#[test]
fn a_command_line_that_means_nothing_is_told_between_words() {
    let bench = Bench::new();
    for columns in [40, 80] {
        for words in [
            &["run", "plan.yaml", "--dry-run"][..],
            &["deploy", "plan.yaml"],
            &["run", "plan.yaml", "--jobs", "a-number-that-is-none-at-all"],
            &["run", "plan.yaml", "--output", "something-else-entirely"],
            &["resume", "--settle", "migrate"],
        ] {
            let seen = pty::run(&bench, columns, words, "", &[]);
            seen.assert_code(2);
            assert_eq!(seen.broken_lines(), [""; 0], "{words:?} at {columns} columns:\n{}", seen.text());
        }
    }
}

#[test]
fn only_validate_and_run_tell_warnings_and_run_in_a_line() {
    let bench = Bench::with(
        "plan: shop\nsteps:\n  - { id: before, shell: { run: 'true' }, undo: [{ shell: { run: 'true' } }] }\n  - { id: a, pause: 10ms }\n  - { id: back, rollback-on-fail: { guards: [a] } }\n",
    );
    let warning = "`before` is in no guard";
    bench.run(&["validate", "plan.yaml"]).assert_code(0).assert_says(warning).assert_says("write `guards: [before, a]` in `back`");
    let run = bench.run(&["run", "plan.yaml"]);
    run.assert_code(0).assert_says(&format!("warning: plan.yaml:3:11: {warning}")).assert_says("`bowline validate plan.yaml`");
    assert_eq!(run.all().matches(warning).count(), 1, "{}", run.all());
    for words in [&["graph", "plan.yaml"][..], &["preview", "plan.yaml"], &["show"]] {
        assert!(!bench.run(words).assert_code(0).all().contains(warning), "{words:?}");
    }
}
