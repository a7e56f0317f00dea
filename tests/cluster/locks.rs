//! Runners with state folders of their own, as on two machines: one works, the other is kept out, and who was stopped writes nothing late.

use crate::cluster;
use crate::harness::{Cluster, Namespace};
use crate::stage::Ended;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PLAN: &str = "
plan: guarded
environments:
  here: { namespace: NAMESPACE }
steps:
  - id: first
    apply: { manifests: [first.yaml] }
  - id: gate
    shell: { run: 'touch begun; while [ ! -e go ]; do sleep 0.1; done', read-only: true }
  - id: second
    apply: { manifests: [second.yaml] }
";

struct Scene {
    namespace: Namespace,
    folder: tempfile::TempDir,
}

impl Scene {
    fn new(cluster: &'static Cluster, name: &str) -> Self {
        let namespace = cluster.namespace(name);
        let scene = Self { folder: tempfile::tempdir().expect("a folder for the test"), namespace };
        scene.write("plan.yaml", &PLAN.replace("NAMESPACE", scene.namespace.name()));
        for name in ["first", "second"] {
            let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: {name} }}\ndata: {{ value: ours }}\n");
            scene.write(&format!("{name}.yaml"), &text);
        }
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("the test's folder can be written");
    }

    /// The program with the state folder of this name.
    fn command(&self, state: &str, arguments: &[&str]) -> Command {
        let mut command = self.namespace.cluster().command(env!("CARGO_BIN_EXE_bowline"));
        command.args(arguments).arg("--state").arg(self.path(state)).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn bowline(&self, state: &str, arguments: &[&str]) -> Ended {
        Ended::from(self.command(state, arguments).output().expect("bowline can be started"))
    }

    /// Starts a run and waits until it is between its two writes.
    fn start(&self, state: &str) -> Child {
        self.begin(self.command(state, &["run", "plan.yaml", "-e", "here", "--yes"]))
    }

    fn begin(&self, mut run: Command) -> Child {
        let child = run.spawn().expect("bowline can be started");
        let started = Instant::now();
        while !self.path("begun").exists() {
            assert!(started.elapsed() < Duration::from_secs(60), "the run does not get to its gate");
            std::thread::sleep(Duration::from_millis(50));
        }
        child
    }

    /// The run that is open in a state folder, as a lost machine's backup would bring it.
    fn move_run(&self, from: &str, to: &str) {
        let export = self.path("export.jsonl");
        self.bowline(from, &["journal", "export", "--to", export.to_str().expect("a path in UTF-8")]).assert_code(0);
        fs::create_dir_all(self.path(to)).expect("a folder");
        fs::copy(self.path(from).join("key"), self.path(to).join("key")).expect("the run has made its key");
        self.bowline(to, &["journal", "import", export.to_str().expect("a path in UTF-8")]).assert_code(0);
    }

    fn configs(&self) -> Vec<String> {
        let list = self.namespace.get(&["configmaps"]);
        let names = list["items"].as_array().into_iter().flatten().filter_map(|item| item["metadata"]["name"].as_str());
        names.filter(|name| *name != "kube-root-ca.crt").map(str::to_owned).collect()
    }
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status().expect("kill can be started");
    assert!(sent.success());
}

fn end(child: Child) -> Ended {
    Ended::from(child.wait_with_output().expect("it is our child"))
}

#[test]
fn of_two_runners_with_separate_state_folders_one_works_and_the_other_is_told_who() {
    let scene = Scene::new(cluster!(), "lock-two");
    let first = scene.start("one");
    let pid = format!("process {} ", first.id());
    let refused = scene.bowline("two", &["run", "plan.yaml", "-e", "here", "--yes"]);
    refused.assert_code(7).assert_says(&pid).assert_says(&scene.path("one").display().to_string());
    refused.assert_says("`bowline resume ").assert_says("`bowline rollback ").assert_says("`bowline abandon ");
    assert_eq!(scene.configs(), ["first"]);
    // Longer than the right to write lasts without renewal.
    std::thread::sleep(Duration::from_secs(12));
    scene.write("go", "");
    end(first).assert_code(0);
    scene.bowline("two", &["run", "plan.yaml", "-e", "here", "--yes"]).assert_code(0);
}

#[test]
fn a_run_that_rests_keeps_other_machines_out_until_it_is_dealt_with() {
    let scene = Scene::new(cluster!(), "lock-rest");
    let first = scene.start("one");
    signal(&first, "TERM");
    end(first).assert_code(5);
    let refused = scene.bowline("two", &["run", "plan.yaml", "-e", "here", "--yes"]);
    refused.assert_code(7).assert_says(&scene.path("one").display().to_string()).assert_says("`bowline abandon ");
    let begun = Instant::now();
    scene.bowline("one", &["rollback"]).assert_code(0);
    assert!(begun.elapsed() < Duration::from_secs(20), "who said that it stopped is not waited for");
    assert!(scene.configs().is_empty());
    scene.write("go", "");
    scene.bowline("two", &["run", "plan.yaml", "-e", "here", "--yes"]).assert_code(0);
}

#[test]
fn a_holder_that_was_stopped_changes_nothing_once_it_goes_on() {
    let scene = Scene::new(cluster!(), "lock-stop");
    let first = scene.start("one");
    signal(&first, "STOP");
    scene.move_run("one", "two");
    let begun = Instant::now();
    scene.bowline("two", &["rollback"]).assert_code(0);
    assert!(begun.elapsed() > Duration::from_secs(24), "it was taken over after {:?}", begun.elapsed());
    assert!(scene.configs().is_empty());
    scene.write("go", "");
    signal(&first, "CONT");
    let ended = end(first);
    ended.assert_code(5);
    assert!(ended.all().contains("lock"), "it says why it stopped: {}", ended.all());
    assert!(scene.configs().is_empty(), "it wrote {:?} after it was taken over", scene.configs());
}

#[test]
fn a_living_holder_is_not_taken_over() {
    let scene = Scene::new(cluster!(), "lock-alive");
    let first = scene.start("one");
    scene.move_run("one", "two");
    scene.bowline("two", &["rollback"]).assert_code(7).assert_says("is at work");
    scene.bowline("two", &["abandon", "--lock-of", "plan.yaml", "-e", "here", "--yes"]).assert_code(7).assert_says("is at work");
    scene.write("go", "");
    end(first).assert_code(0);
}

#[test]
fn a_lock_whose_state_folder_is_lost_is_freed_on_purpose() {
    let scene = Scene::new(cluster!(), "lock-lost");
    let mut first = scene.start("one");
    first.kill().expect("it is our child");
    end(first);
    fs::remove_dir_all(scene.path("one")).expect("the test's own folder");
    scene.write("go", "");
    scene.bowline("two", &["run", "plan.yaml", "-e", "here", "--yes"]).assert_code(7).assert_says("--lock-of");
    scene.bowline("two", &["abandon", "--lock-of", "plan.yaml", "-e", "here"]).assert_code(7).assert_says("nobody can be asked");
    scene.bowline("two", &["abandon", "--lock-of", "plan.yaml", "-e", "here", "--yes"]).assert_code(0);
    scene.bowline("two", &["run", "plan.yaml", "-e", "here", "--yes"]).assert_code(0);
}

#[test]
fn a_plan_that_makes_its_namespace_is_told_where_its_lock_can_be() {
    let scene = Scene::new(cluster!(), "lock-home");
    let home = format!("{}-new", scene.namespace.name());
    scene.write("space.yaml", &format!("apiVersion: v1\nkind: Namespace\nmetadata: {{ name: {home} }}\n"));
    let plan = |head: &str| {
        format!(
            "plan: home\n{head}environments:\n  here: {{ namespace: {home} }}\nsteps:\n  - id: space\n    apply: {{ manifests: [space.yaml] }}\n"
        )
    };
    scene.write("plan.yaml", &plan(""));
    scene.bowline("one", &["run", "plan.yaml", "-e", "here", "--yes"]).assert_code(7).assert_says("lock-namespace");
    scene.write("plan.yaml", &plan(&format!("lock-namespace: {}\n", scene.namespace.name())));
    scene.bowline("one", &["run", "plan.yaml", "-e", "here", "--yes"]).assert_code(0);
    scene.namespace.cluster().kubectl_ok(&["delete", "namespace", &home, "--wait=false"]);
}

#[test]
fn a_run_that_went_on_in_another_folder_is_refused_where_it_was_left() {
    let scene = Scene::new(cluster!(), "lock-twice");
    let first = scene.start("one");
    signal(&first, "TERM");
    end(first).assert_code(5);
    scene.move_run("one", "two");
    scene.write("go", "");
    scene.bowline("two", &["resume"]).assert_code(0);
    let other = scene.path("two").display().to_string();
    for word in ["resume", "rollback"] {
        scene.bowline("one", &[word]).assert_code(7).assert_says("went on in another state folder").assert_says(&other);
    }
    assert_eq!(scene.configs(), ["first", "second"]);
    scene.bowline("one", &["abandon", "--yes"]).assert_code(0);
}

#[test]
fn a_lock_that_a_run_could_not_give_up_is_freed_by_abandoning_it() {
    let scene = Scene::new(cluster!(), "lock-left");
    let first = scene.start("one");
    let lease = ["lease", "bowline.guarded.here"];
    let held = scene.namespace.get(&lease);
    scene.write("go", "");
    end(first).assert_code(0);
    // As if that had been refused.
    let left = serde_json::json!({ "metadata": { "annotations": held["metadata"]["annotations"] }, "spec": held["spec"] });
    scene.namespace.kubectl_ok(&["patch", lease[0], lease[1], "--type", "merge", "-p", &left.to_string()]);
    let refused = scene.bowline("two", &["run", "plan.yaml", "-e", "here", "--yes"]);
    refused.assert_code(7).assert_says("frees the lock of a run that is over, too");
    let run = held["metadata"]["annotations"]["bowline/run"].as_str().expect("a run holds it");
    scene.bowline("one", &["abandon", run]).assert_code(0).assert_says("is free");
    scene.bowline("one", &["abandon", run]).assert_code(7).assert_says("is over");
    scene.bowline("two", &["run", "plan.yaml", "-e", "here", "--yes"]).assert_code(0);
}

/// The library that moves a program's wall clock. `tests/cluster/build` installs it.
fn faketime() -> PathBuf {
    let mut libraries =
        fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path().join("faketime/libfaketime.so.1"));
    libraries.find(|library| library.exists()).expect("the Debian package libfaketime is installed")
}

/// A holder whose wall clock is wrong: it is not taken over while it works, and is when it has stopped, as late as any other.
fn holds_with_a_clock_that_is_wrong_by(name: &str, skew: &str) {
    let scene = Scene::new(cluster!(), name);
    let mut run = scene.command("one", &["run", "plan.yaml", "-e", "here", "--yes"]);
    run.env("LD_PRELOAD", faketime()).env("FAKETIME", skew).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let first = scene.begin(run);
    // Longer than the right to write lasts without renewal.
    std::thread::sleep(Duration::from_secs(12));
    scene.bowline("two", &["run", "plan.yaml", "-e", "here", "--yes"]).assert_code(7);
    scene.move_run("one", "two");
    scene.bowline("two", &["rollback"]).assert_code(7).assert_says("is at work");
    signal(&first, "STOP");
    let begun = Instant::now();
    scene.bowline("two", &["rollback"]).assert_code(0);
    let took = begun.elapsed();
    assert!((24..90).contains(&took.as_secs()), "it was taken over after {took:?}");
    scene.write("go", "");
    signal(&first, "CONT");
    end(first).assert_code(5);
    assert!(scene.configs().is_empty(), "it wrote {:?} after it was taken over", scene.configs());
}

#[test]
fn a_holder_whose_clock_is_an_hour_fast_is_like_any_other() {
    holds_with_a_clock_that_is_wrong_by("lock-fast", "+1h");
}

#[test]
fn a_holder_whose_clock_is_an_hour_slow_is_like_any_other() {
    holds_with_a_clock_that_is_wrong_by("lock-slow", "-1h");
}
