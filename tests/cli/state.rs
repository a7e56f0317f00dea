//! State folders that are not there, or cannot be used.

use crate::bench::Bench;
use crate::plans::TWO;

#[test]
fn a_look_makes_no_state_folder() {
    let bench = Bench::new();
    for command in [["runs"].as_slice(), &["show"], &["resume"], &["journal", "verify"], &["abandon", "--yes"]] {
        bench.run(command).assert_code(2).assert_says("no run was ever kept");
    }
    assert!(!bench.has("state"));
    let mut unnamed = std::process::Command::new(env!("CARGO_BIN_EXE_bowline"));
    unnamed.arg("runs").env("HOME", bench.path("home")).env_remove("XDG_STATE_HOME").env_remove("BOWLINE_STATE");
    let output = unnamed.output().expect("bowline");
    assert!(output.status.success(), "nobody has run anything yet, which is no mistake");
    assert!(!bench.has("home"));
}

#[test]
fn what_cannot_be_used_ends_with_2_and_is_named() {
    let bench = Bench::with(&TWO.replace("LAST", "true"));
    bench.write("state", "a file");
    for command in [["runs"].as_slice(), &["run", "plan.yaml"]] {
        bench.run(command).assert_code(2).assert_says("the state folder cannot be used").assert_says("state`");
    }
    std::fs::remove_file(bench.path("state")).expect("the file");
    bench.run(&["run", "plan.yaml"]).assert_code(0);
    bench.write("state/key", "no key");
    bench.run(&["run", "plan.yaml"]).assert_code(2).assert_says("state/key` holds no key");
    bench.write("state/journal.db", &"junk ".repeat(1000));
    let ended = bench.run(&["runs"]);
    ended.assert_code(2).assert_says("cannot be read").assert_says("journal.db");
    assert!(!ended.all().contains("cannot be written"));
}

#[test]
fn an_answer_for_a_step_that_is_not_in_doubt_is_refused() {
    let bench = Bench::with(
        "plan: sure\nsteps:\n  - id: one\n    shell: { run: 'true' }\n    undo: { none: nothing }\n  - id: two\n    shell: { run: 'false' }\n",
    );
    bench.run(&["run", "plan.yaml", "--yes"]).assert_code(5);
    bench.run(&["resume", "--settle", "one=done"]).assert_code(2).assert_says("`one` is not in doubt").assert_says("no step is in doubt");
    bench.run(&["resume", "--settle", "three=done"]).assert_code(2).assert_says("no step `three`");
}

#[test]
fn without_its_cluster_nothing_of_a_plan_begins() {
    let bench = Bench::with(
        "plan: kube\nsteps:\n  - id: first\n    shell: { run: 'touch first.txt' }\n    undo: { none: a file }\n  - id: down\n    scale: { deployment: web, replicas: 1 }\n",
    );
    bench.write(
        "config",
        "apiVersion: v1\nkind: Config\ncurrent-context: test\nclusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\nusers: [{name: u, user: {token: x}}]\ncontexts: [{name: test, context: {cluster: c, user: u}}]\n",
    );
    let ended = bench.run(&["run", "plan.yaml", "--kubeconfig", "config"]);
    ended.assert_code(7).assert_says("https://127.0.0.1:1").assert_says("context `test`");
    assert!(!bench.has("first.txt") && !bench.has("state"));
}

#[test]
fn a_kubeconfig_that_cannot_be_used_is_named_once_and_in_one_line() {
    let bench = Bench::with("plan: kube\nsteps:\n  - id: down\n    scale: { deployment: web, replicas: 1 }\n");
    bench.write("broken", "apiVersion: v1\nkind: [Config\n");
    for (file, says) in [("absent", "/absent cannot be read"), ("broken", "/broken is not YAML of a kubeconfig")] {
        let ended = bench.run(&["run", "plan.yaml", "--kubeconfig", file]);
        ended.assert_code(7).assert_says(says);
        let path = bench.path(file).display().to_string();
        assert_eq!(ended.err.matches(&path).count(), 1, "{}", ended.err);
        assert!(!ended.err.contains('"') && !ended.err.contains(" | "), "{}", ended.err);
    }
}

#[test]
fn what_is_not_there_is_named() {
    let bench = Bench::with("plan: p\nsteps:\n  - id: one\n    shell: { run: 'true' }\n    undo: { none: nothing }\n");
    bench.run(&["validate", "state"]).assert_code(2).assert_says("the folder in which you are");
    std::fs::create_dir(bench.path("folder")).expect("a folder");
    bench.run(&["validate", "folder"]).assert_code(2).assert_says("not its folder");
    bench.run(&["run", "plan.yaml"]).assert_code(0);
    bench.run(&["show", "--evidence", "nope"]).assert_code(2).assert_says("no step `nope`");
    bench.write("export.jsonl", "{}\n");
    bench.run(&["journal", "verify", "--file", "export.jsonl"]).assert_code(2).assert_says("export.jsonl");
}
