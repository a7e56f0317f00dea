//! A step that is there once for each item is named as a whole, too: its name means all items.

use crate::bench::{Bench, signal};

const PLAN: &str = "
plan: each
steps:
  - id: before
    shell: { run: 'touch before.txt' }
    undo: [{ shell: { run: 'rm -f before.txt' } }]
  - id: deploy
    for-each: [eu, us]
    shell: { run: 'echo hello {{ each.value }}; touch {{ each.value }}.txt' }
    undo: [{ shell: { run: 'rm -f {{ each.value }}.txt' } }]
";

#[test]
fn a_rollback_of_a_step_takes_back_all_its_items() {
    let bench = Bench::with(PLAN);
    bench.run(&["run", "plan.yaml", "--run-id", "r1"]).assert_code(0);
    bench.run(&["rollback", "r1", "--step", "deploys", "--yes"]).assert_code(2).assert_says("no step `deploys`");
    let back = bench.run(&["rollback", "r1", "--step", "deploy", "--yes"]);
    back.assert_code(0).assert_says("deploy[eu]").assert_says("deploy[us]").assert_says("what `deploy` did, and all that needed it");
    assert!(bench.has("before.txt") && !bench.has("eu.txt") && !bench.has("us.txt"));
    for words in [&["runs"][..], &["show"]] {
        bench.run(words).assert_code(0).assert_says("rolled-back (in part)");
    }
    let told: serde_json::Value = serde_json::from_str(&bench.run(&["runs", "--output", "json"]).out).expect("an object");
    assert_eq!((&told["state"], &told["in-part"]), (&"rolled-back".into(), &true.into()));
    bench.run(&["rollback", "r1", "--yes"]).assert_code(0);
    assert!(!bench.run(&["runs"]).all().contains("in part"), "all of it is back now");
}

#[test]
fn what_the_programs_of_all_items_printed_is_told_under_their_names() {
    let bench = Bench::with(PLAN);
    bench.run(&["run", "plan.yaml", "--run-id", "r1"]).assert_code(0);
    let told = bench.run(&["logs", "r1", "deploy"]);
    told.assert_code(0).assert_says("deploy[eu]  hello eu").assert_says("deploy[us]  hello us");
    assert_eq!(bench.run(&["logs", "r1", "deploy[eu]"]).assert_code(0).out, "hello eu\n", "of one step each line stays as it was");
}

#[test]
fn all_items_in_doubt_are_settled_by_the_name_of_their_step() {
    let bench =
        Bench::with(&PLAN.replace("touch {{ each.value }}.txt", "touch {{ each.value }}.txt; while [ -e slow ]; do sleep 0.05; done"));
    // A run of the same id in another state folder would end its programs, too.
    bench.write("slow", "");
    let mut run = bench.start(&["run", "plan.yaml", "--run-id", "items-doubt"]);
    bench.wait_for("eu.txt");
    bench.wait_for("us.txt");
    signal(&run, "KILL");
    run.wait().expect("it is our child");
    let logs = bench.run(&["logs", "-f", "items-doubt", "deploy"]);
    logs.assert_code(0).assert_says("deploy[us]  -- bowline was killed while it ran; what it printed is lost");
    assert_eq!(logs.all().lines().count(), 2, "each is told once:\n{}", logs.all());
    let resumed = bench.run(&["resume"]);
    resumed.assert_code(5).assert_says("bowline resume items-doubt --settle deploy=done");
    let ended = "2 steps of `deploy`: the programs still ran although the bowline that had started them was gone: they were ended";
    assert_eq!(resumed.all().matches("still ran").count(), 1, "{}", resumed.assert_says(ended).all());
    std::fs::remove_file(bench.path("slow")).expect("it is there");
    bench.run(&["logs", "items-doubt", "deploy[eu]"]).assert_code(0).assert_says("-- bowline was killed while it ran");
    bench
        .run(&["resume", "--settle", "before=done"])
        .assert_code(2)
        .assert_says("`before` is not in doubt")
        .assert_says("deploy[eu], deploy[us]");
    let twice = ["resume", "--settle", "deploy=done", "--settle", "deploy=not-done"];
    bench.run(&twice).assert_code(2).assert_says("said to be done, and not to be done");
    // Of all, and otherwise of one: it is begun anew.
    std::fs::remove_file(bench.path("us.txt")).expect("it is there");
    bench.run(&["resume", "--settle", "deploy[us]=not-done", "--settle", "deploy=done"]).assert_code(0);
    assert!(bench.has("eu.txt") && bench.has("us.txt"));
}
