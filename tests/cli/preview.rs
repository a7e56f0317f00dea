//! What a plan would do, told without doing it.

use crate::bench::Bench;

const PLAN: &str = "
plan: look
inputs:
  loud: { type: boolean, default: false }
steps:
  - id: version
    shell: { run: 'echo 7', read-only: true }
  - id: write
    shell: { run: 'echo {{ steps.version.stdout }} > written.txt' }
    undo: [{ shell: { run: 'rm written.txt' } }]
  - id: shout
    when: inputs.loud
    shell: { run: 'touch shouted.txt' }
    undo: { none: it is only noise }
  - id: after
    shell: { run: 'echo {{ steps.write.code }}', read-only: true }
";

#[test]
fn read_only_steps_are_run_and_nothing_is_changed() {
    let bench = Bench::with(PLAN);
    let told = bench.run(&["preview", "plan.yaml"]);
    told.assert_code(0).assert_says("echo 7 > written.txt").assert_says("its `when` is false").assert_says("known after write");
    assert!(!bench.has("written.txt") && !bench.has("shouted.txt"));
    bench.run(&["preview", "plan.yaml", "--exit-code"]).assert_code(6);
    let json = bench.run(&["preview", "plan.yaml", "--output", "json"]);
    json.assert_code(0).assert_says("\"known-after\"").assert_says("\"refused\":false");
    bench.run(&["runs"]).assert_says("no run was ever kept");
}

#[test]
fn a_step_that_only_claims_to_look_is_refused() {
    let bench = Bench::with(&PLAN.replace("'echo 7', read", "'echo no such thing >&2; exit 9', read"));
    bench.run(&["preview", "plan.yaml"]).assert_code(7).assert_says("no such thing").assert_says("known after version");
}

#[test]
fn what_only_looks_changes_nothing_though_it_cannot_look_yet() {
    let bench = Bench::with(PLAN);
    bench.run(&["preview", "plan.yaml"]).assert_says("would change something in 1 of 4 steps");
    let skipped = PLAN
        .replace("'rm written.txt' } }]", "'rm written.txt' } }]\n    when: inputs.loud")
        .replace("steps.write.code", "default steps.write.code 0");
    let bench = Bench::with(&skipped);
    let told = bench.run(&["preview", "plan.yaml", "--exit-code"]);
    told.assert_code(0).assert_says("would change nothing").assert_says("after  shell");
    assert!(!told.all().contains("known after"), "who was skipped has no output, now and later");
}
