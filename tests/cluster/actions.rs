//! `job`, `exec`, `patch`, `delete` and `wait-for` together, in one plan: done, undone, and taken up after a kill.

use crate::cluster;
use crate::harness::Cluster;
use crate::stage::{Ended, Stage};
use serde_json::Value;
use std::time::{Duration, Instant};

const RUN: [&str; 5] = ["run", "plan.yaml", "-e", "test", "--yes"];

const BASE: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: { name: box }
spec: { replicas: 1, selector: { matchLabels: { app: box } }, template: { metadata: { labels: { app: box } }, spec: { terminationGracePeriodSeconds: 0, containers: [{ name: c, image: 'busybox:1', imagePullPolicy: Never, command: ['sleep', '3600'] }] } } }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: old, labels: { team: a } }
data: { a: '1' }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { mode: blue, other: '1' }
";

const PLAN: &str = "plan: actions
environments: { test: { namespace: NAMESPACE } }
steps:
  - id: ready
    wait-for: { object: deployment/box, until: 'object.status.readyReplicas == object.spec.replicas' }
  - id: settings
    patch:
      object: configmap/settings
      json:
        - { op: test, path: /data/mode, value: blue }
        - { op: replace, path: /data/mode, value: green }
  - id: migrate
    job: { image: 'busybox:1', command: 'echo one; sleep PAUSE; echo two' }
    undo: [{ exec: { pod: deployment/box, run: 'rm -f /tmp/migrated' } }]
  - id: mark
    exec: { pod: selector/app=box, run: ['sh', '-c', 'cat > /tmp/migrated'], input: '{{ steps.migrate.logs }}' }
    undo: [{ exec: { pod: deployment/box, run: 'rm -f /tmp/migrated' } }]
  - id: clean
    delete: { objects: [configmap/old] }
  - id: gone
    wait-for: { object: configmap/old, absent: true }
  - id: last
    shell: { run: 'exit CODE', read-only: true }
    retry: { attempts: 1 }
";

struct Scene(Stage);

impl Scene {
    fn new(cluster: &'static Cluster, name: &str, pause: u32, code: i32) -> Self {
        let stage = Stage::bare(cluster, name);
        stage.namespace.apply(BASE);
        stage.namespace.wait_for_rollout("deployment/box", Duration::from_secs(60));
        let plan = PLAN.replace("NAMESPACE", stage.namespace.name()).replace("PAUSE", &pause.to_string());
        stage.write("plan.yaml", &plan.replace("CODE", &code.to_string()));
        Self(stage)
    }

    fn run(&self) -> Ended {
        self.0.run(&RUN)
    }

    fn mode(&self) -> Value {
        self.0.namespace.get(&["configmap", "settings"])["data"]["mode"].clone()
    }

    /// What the last step of the migration left in the pod; none when there is nothing.
    fn migrated(&self) -> Option<String> {
        let output = self.0.namespace.kubectl(&["exec", "deployment/box", "--", "cat", "/tmp/migrated"]);
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn jobs(&self) -> usize {
        self.0.namespace.get(&["jobs"])["items"].as_array().map_or(0, Vec::len)
    }
}

/// An object without what says which one it is, and when.
fn content(mut object: Value) -> Value {
    let metadata = object["metadata"].as_object_mut().expect("an object");
    ["uid", "resourceVersion", "creationTimestamp"].iter().for_each(|name| drop(metadata.remove(*name)));
    object
}

#[test]
fn a_plan_of_all_of_them_is_done() {
    let scene = Scene::new(cluster!(), "acts", 0, 0);
    scene.run().assert_code(0).assert_says("two");
    assert_eq!((scene.mode(), scene.migrated().as_deref()), (Value::from("green"), Some("one\ntwo")));
    assert!(!scene.0.namespace.kubectl(&["get", "configmap", "old"]).status.success());
}

#[test]
fn what_they_did_is_taken_back() {
    let scene = Scene::new(cluster!(), "acts-back", 0, 1);
    let before = content(scene.0.namespace.get(&["configmap", "old", "--show-managed-fields"]));
    scene.run().assert_code(3).assert_says("everything is as it was");
    assert_eq!(content(scene.0.namespace.get(&["configmap", "old", "--show-managed-fields"])), before);
    assert_eq!((scene.mode(), scene.migrated()), (Value::from("blue"), None));
    assert_eq!(scene.jobs(), 0, "the Job of a step with an undo of its own does not stay");
}

#[test]
fn a_job_is_found_again_by_the_run_that_takes_up_a_killed_one() {
    let scene = Scene::new(cluster!(), "acts-kill", 4, 0);
    let mut run = scene.0.start(&RUN);
    let started = Instant::now();
    while scene.jobs() == 0 {
        assert!(started.elapsed() < Duration::from_secs(60), "no Job is ever made");
        std::thread::sleep(Duration::from_millis(100));
    }
    run.kill().expect("it is our child");
    run.wait().expect("it is our child");
    scene.0.run(&["resume"]).assert_code(0);
    assert_eq!((scene.jobs(), scene.migrated().as_deref()), (1, Some("one\ntwo")));
}

#[test]
fn a_command_that_fails_in_a_pod_leaves_the_pod_s_last_lines_as_evidence() {
    let scene = Scene::new(cluster!(), "acts-seen", 0, 0);
    let talk = "plan: talk
environments: { test: { namespace: NAMESPACE } }
steps:
  - id: talk
    exec: { pod: deployment/box, run: 'echo the disk is full > /proc/1/fd/1; exit 3' }
    undo: { none: it only talks }
    retry: { attempts: 1 }
";
    scene.0.write("plan.yaml", &talk.replace("NAMESPACE", scene.0.namespace.name()));
    scene.run().assert_code(3).assert_says("exited with code 3 in pod/box-");
    scene.0.run(&["show", "--evidence", "talk"]).assert_code(0).assert_says("in pod/box-").assert_says("the disk is full");
}
