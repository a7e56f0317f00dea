//! What others change before a run, and in its middle: going back leaves every field as it was just before, or as they made it since.

use crate::cluster;
use crate::harness::Cluster;
use crate::stage::{Ended, Stage};
use std::process::Child;
use std::time::{Duration, Instant};

const PLAN: &str = "plan: app
steps:
  - id: deploy
    apply: { manifests: [app.yaml], force: FORCE }
  - id: healthy
    wait-healthy: { applied-by: deploy, failure-grace: 6s }
    timeout: 90s
  - id: safe
    rollback-on-fail: { guards: [deploy, healthy] }
";

fn deployment(name: &str, replicas: &str, image: &str, level: &str) -> String {
    format!(
        "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {{ name: {name} }}\nspec: {{ {replicas} selector: {{ matchLabels: {{ app: {name} }} }}, template: {{ metadata: {{ labels: {{ app: {name} }} }}, \
         spec: {{ terminationGracePeriodSeconds: 0, containers: [{{ name: web, image: '{image}', env: [{{ name: LEVEL, value: {level} }}] }}] }} }} }}\n"
    )
}

/// Version 1 is whole; version 2 has an image that does not exist, and brings two objects.
pub fn app(version: u32) -> String {
    let level = format!("v{version}");
    let mut app = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: cfg }}\ndata: {{ same: a, level: {level} }}\n");
    app += &format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{ name: web }}\nspec: {{ selector: {{ app: web }}, ports: [{{ name: http, port: {}, targetPort: 8080 }}] }}\n",
        79 + version
    );
    app += &deployment("web", "", &format!("web:{level}"), &level);
    app += &deployment("db", "replicas: 1,", if version == 1 { "web:v1" } else { "web:none" }, &level);
    if version == 2 {
        app += "---\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: added }\ndata: { a: b }\n";
        app += &deployment("newdep", "replicas: 1,", "web:v2", &level);
    }
    app
}

fn staged(cluster: &'static Cluster, name: &str, force: bool) -> Stage {
    let stage = Stage::bare(cluster, name);
    stage.write("plan.yaml", &PLAN.replace("FORCE", &force.to_string()));
    stage.write("app.yaml", &app(1));
    run(&stage).assert_code(0);
    stage
}

fn arguments(stage: &Stage) -> [&str; 5] {
    ["run", "plan.yaml", "--namespace", stage.namespace.name(), "--yes"]
}

fn run(stage: &Stage) -> Ended {
    stage.run(&arguments(stage))
}

/// Edits that touch nothing which the plan manages.
fn edit_beside(stage: &Stage) {
    stage.namespace.kubectl_ok(&["scale", "deployment/web", "--replicas=3"]);
    stage.namespace.kubectl_ok(&["annotate", "deployment/web", "configmap/cfg", "team=a"]);
    stage.namespace.kubectl_ok(&["patch", "configmap/cfg", "--patch", "{\"data\":{\"extra\":\"x\"}}", "--field-manager=patcher"]);
    stage.namespace.wait_for_rollout("deployment/web", Duration::from_secs(60));
}

fn set(stage: &Stage, key: &str, value: &str) {
    stage.namespace.kubectl_ok(&[
        "patch",
        "configmap/cfg",
        "--patch",
        &format!("{{\"data\":{{\"{key}\":\"{value}\"}}}}"),
        "--field-manager=hotfix",
    ]);
}

#[test]
fn edits_beside_what_the_plan_manages_survive_an_upgrade_that_fails() {
    let stage = staged(cluster!(), "beside", false);
    edit_beside(&stage);
    let before = stage.world();
    stage.write("app.yaml", &app(2));
    run(&stage).assert_code(3).assert_says("web:none").assert_says("rolled back");
    before.assert_same(&stage.world());
    stage.write("app.yaml", &app(1));
    run(&stage).assert_code(0);
    before.assert_same(&stage.world());
}

#[test]
fn edits_of_what_the_plan_manages_are_not_overwritten_without_force() {
    let stage = staged(cluster!(), "managed", false);
    set(&stage, "level", "hotfix");
    stage.namespace.kubectl_ok(&["scale", "deployment/db", "--replicas=4"]);
    let before = stage.world();
    stage.write("app.yaml", &app(2));
    run(&stage)
        .assert_code(3)
        .assert_says("data.level belongs to hotfix")
        .assert_says("spec.replicas belongs to kubectl")
        .assert_says("force: true");
    before.assert_same(&stage.world());
}

#[test]
fn edits_of_what_the_plan_manages_come_back_when_they_were_overwritten_on_purpose() {
    let stage = staged(cluster!(), "forced", true);
    set(&stage, "level", "hotfix");
    set(&stage, "same", "hotfix");
    stage.namespace.kubectl_ok(&["scale", "deployment/db", "--replicas=4"]);
    stage.namespace.wait_for_rollout("deployment/db", Duration::from_secs(60));
    let before = stage.world();
    stage.write("app.yaml", &app(2));
    run(&stage).assert_code(3);
    before.assert_same(&stage.world());
}

/// Starts the upgrade and waits until it waits for the image that does not exist.
pub fn started(stage: &Stage) -> Child {
    let child = stage.start(&arguments(stage));
    let started = Instant::now();
    while stage.namespace.kubectl(&["get", "deployment/newdep"]).status.code() != Some(0) {
        assert!(started.elapsed() < Duration::from_secs(30), "the upgrade never got to its last object");
        std::thread::sleep(Duration::from_millis(50));
    }
    child
}

pub fn ended(child: Child) -> Ended {
    Ended::from(child.wait_with_output().expect("bowline is a child of this process"))
}

#[test]
fn edits_in_the_middle_stay_and_all_else_goes_back() {
    let stage = staged(cluster!(), "middle", false);
    let before = stage.world();
    stage.write("app.yaml", &app(2));
    let child = started(&stage);
    stage.namespace.kubectl_ok(&["scale", "deployment/web", "--replicas=2"]);
    stage.namespace.kubectl_ok(&["annotate", "service/web", "team=a"]);
    let ended = ended(child);
    ended.assert_code(3);
    let after = stage.world();
    let differences = before.differences(&after);
    let theirs = |line: &&String| {
        ["managedFields", "Deployment/web.spec.replicas", "Service/web.metadata.annotations"].iter().any(|part| line.contains(part))
    };
    assert_eq!(differences.iter().filter(|line| !theirs(line)).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(stage.namespace.get(&["deployment/web"])["spec"]["replicas"], 2);
    assert_eq!(stage.namespace.get(&["service/web"])["metadata"]["annotations"]["team"], "a");
}

#[test]
fn a_hotfix_of_our_field_in_the_middle_is_kept_and_told() {
    let stage = staged(cluster!(), "hotfix", false);
    let before = stage.world();
    stage.write("app.yaml", &app(2));
    let child = started(&stage);
    set(&stage, "level", "hotfix");
    let ended = ended(child);
    ended.assert_code(3).assert_says("data.level was changed by hotfix and stays");
    let differences = before.differences(&stage.world());
    let told: Vec<&String> = differences.iter().filter(|line| !line.contains("managedFields")).collect();
    assert_eq!(told, ["ConfigMap/cfg.data.level: \"v1\" -> \"hotfix\""]);
}

#[test]
fn whoever_puts_our_image_back_all_the_time_ends_the_wait_and_is_not_fought() {
    let stage = staged(cluster!(), "reverter", false);
    let before = stage.world();
    stage.write("app.yaml", &app(2));
    let child = started(&stage);
    let patch = "[{\"op\":\"replace\",\"path\":\"/spec/template/spec/containers/0/image\",\"value\":\"web:v1\"}]";
    let back = || stage.namespace.kubectl(&["patch", "deployment/web", "--type=json", "--patch", patch, "--field-manager=reverter"]);
    let begun = Instant::now();
    back();
    let ended = ended(child);
    assert!(begun.elapsed() < Duration::from_secs(15), "the wait went on");
    ended.assert_code(3).assert_says("superseded by reverter");
    back();
    let differences = before.differences(&stage.world());
    assert_eq!(differences.iter().filter(|line| !line.contains("managedFields")).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn a_pod_that_started_on_configuration_that_is_taken_back_is_started_again() {
    let stage = staged(cluster!(), "reader", false);
    let reader = deployment("reader", "replicas: 1,", "web:v1", "x")
        .replace("value: x", "valueFrom: { configMapKeyRef: { name: cfg, key: level } }");
    stage.namespace.apply(&reader);
    stage.namespace.wait_for_rollout("deployment/reader", Duration::from_secs(60));
    stage.write("app.yaml", &app(2));
    let child = started(&stage);
    let uid = |stage: &Stage| {
        let pods = stage.namespace.get(&["pods", "--selector=app=reader", "--field-selector=status.phase=Running"]);
        let live: Vec<String> = pods["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null())
            .map(|pod| pod["metadata"]["uid"].to_string())
            .collect();
        live.first().cloned().unwrap_or_default()
    };
    let first = uid(&stage);
    stage.namespace.kubectl_ok(&["delete", "pod", "--selector=app=reader", "--wait=false"]);
    let deleted = Instant::now();
    let mut bad = String::new();
    while bad.is_empty() || bad == first {
        assert!(deleted.elapsed() < Duration::from_secs(20), "no other pod started on the new configuration");
        std::thread::sleep(Duration::from_millis(50));
        bad = uid(&stage);
    }
    ended(child).assert_code(3);
    stage.namespace.wait_for_rollout("deployment/reader", Duration::from_secs(60));
    let good = uid(&stage);
    assert!(!bad.is_empty() && !good.is_empty() && bad != good, "the pod that read the new configuration still runs: {bad} {good}");
}

#[test]
fn what_a_step_wrote_is_watched_until_the_run_closes() {
    let stage = staged(cluster!(), "watched", false);
    stage.write("app.yaml", &app(1).replace("level: v1", "level: v2").replace("port: 80,", "port: 81,"));
    let plan = "plan: app
steps:
  - id: deploy
    apply: { manifests: [app.yaml] }
  - id: look
    approve: { message: is it good? }
    needs: [deploy]
  - id: safe
    rollback-on-fail: { guards: [deploy, look] }
";
    stage.write("plan.yaml", plan);
    let child = stage.start(&arguments(&stage));
    let begun = Instant::now();
    while stage.namespace.get(&["configmap/cfg"])["data"]["level"] != "v2" {
        assert!(begun.elapsed() < Duration::from_secs(30), "the step never wrote");
        std::thread::sleep(Duration::from_millis(50));
    }
    // What happens while the step still ends is seen, too.
    set(&stage, "level", "hotfix");
    stage.namespace.kubectl_ok(&["delete", "service/web"]);
    std::thread::sleep(Duration::from_secs(3));
    stage.run(&["reject", "look"]).assert_code(0);
    let ended = ended(child);
    ended
        .assert_code(3)
        .assert_says("ConfigMap/")
        .assert_says("superseded by hotfix")
        .assert_says("was deleted, and not by a step of this run");
    assert_eq!(stage.namespace.get(&["configmap/cfg"])["data"]["level"], "hotfix");
}
