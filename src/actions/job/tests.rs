//! `job` on the test server, with a controller that is played by the test.

use super::Job;
use crate::action::conformance::{Stage, World, faults};
use crate::action::{DynAction, DynEffect, Known, Progress, UndoCx};
use crate::actions::test_world::{Listener, Server, Servers, clusters, problems, read_cx, taken_back, tried, tried_with};
use crate::cluster::Clusters;
use crate::cluster::test_server::{Mishap, TestServer};
use crate::record::{MarkKind, Settled};
use serde_json::{Value, json};
use std::sync::Arc;

const JOBS: &str = "/apis/batch/v1/namespaces/shop/jobs/";
const PODS: &str = "/api/v1/namespaces/shop/pods/";

fn make(clusters: Clusters) -> Arc<dyn DynAction> {
    Arc::new(Job::new(clusters))
}

fn jobs(server: &TestServer) -> Vec<(String, Value)> {
    server.objects().into_iter().filter(|(path, _)| path.starts_with(JOBS)).collect()
}

/// Runs a pod of each Job to the given end, and collects pods whose Job is gone.
fn run_all(server: &TestServer, phase: &str, code: i64, condition: Value) {
    for (path, mut job) in jobs(server).into_iter().filter(|(_, job)| job["status"].is_null()) {
        let name = job["metadata"]["name"].as_str().unwrap().to_owned();
        let pod = format!("{PODS}{name}-p");
        let state = json!({ "terminated": { "exitCode": code } });
        let owner = json!([{ "kind": "Job", "name": name, "uid": job["metadata"]["uid"], "controller": true }]);
        server.put(&pod, json!({ "apiVersion": "v1", "kind": "Pod", "spec": { "restartPolicy": "Never", "containers": [{ "name": "main", "image": "migrate:1" }] },
            "metadata": { "name": format!("{name}-p"), "namespace": "shop", "uid": format!("{name}-p"), "ownerReferences": owner,
                "labels": { "batch.kubernetes.io/job-name": name } },
            "status": { "phase": phase, "containerStatuses": [{ "name": "main", "restartCount": 0, "state": state }] } }));
        server.prints(&format!("{pod}/log"), "12 tables\nhunter\n");
        job["status"] = json!({ "conditions": [condition] });
        server.put(&path, job);
    }
    for (path, pod) in server.objects().into_iter().filter(|(path, _)| path.starts_with(PODS)) {
        if server.object(&format!("{JOBS}{}", pod["metadata"]["labels"]["batch.kubernetes.io/job-name"].as_str().unwrap())).is_none() {
            server.remove(&path);
        }
    }
}

fn good(server: &TestServer) {
    run_all(server, "Succeeded", 0, json!({ "type": "Complete", "status": "True" }));
}

fn bad(server: &TestServer) {
    run_all(
        server,
        "Failed",
        3,
        json!({ "type": "FailureTarget", "status": "True", "reason": "BackoffLimitExceeded", "message": "it failed" }),
    );
}

fn stage(params: Value, controller: fn(&TestServer)) -> Servers {
    Servers { controller: Some(controller), files: vec![("job.yaml", FILE)], ..Servers::of(make, params, Vec::new()) }
}

const FILE: &str = "
apiVersion: batch/v1
kind: Job
metadata: {name: nightly, labels: {team: a}, uid: x}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: main, image: 'migrate:{{ tag }}'}]}}}
";

fn short() -> Value {
    json!({ "image": "migrate:1", "command": "migrate up", "env": { "A": "1" } })
}

/// What the kit's pods own differs from run to run only by the Job's uid.
struct WithoutOwners(Servers);
struct Unowned(Server);

impl World for Unowned {
    fn action(&self) -> Arc<dyn DynAction> {
        self.0.action()
    }
    fn params(&self) -> Value {
        self.0.params()
    }
    fn frozen(&self) -> crate::action::Frozen {
        self.0.frozen()
    }
    fn fingerprint(&self) -> futures::future::BoxFuture<'_, String> {
        let paths: Vec<String> = self.0.server.objects().into_keys().collect();
        Box::pin(futures::future::ready(paths.join("\n")))
    }
}

impl Stage for WithoutOwners {
    type World = Unowned;
    fn fresh(&self) -> futures::future::BoxFuture<'_, Unowned> {
        Box::pin(async { Unowned(self.0.fresh().await) })
    }
}

#[tokio::test]
async fn it_holds_what_every_action_must_hold() {
    let mut looks = short();
    looks["read-only"] = json!(true);
    for params in [short(), looks, json!({ "file": "job.yaml", "values": { "tag": "2" }, "keep": false })] {
        assert_eq!(faults(&WithoutOwners(stage(params.clone(), good))).await, Vec::<String>::new(), "{params}");
    }
}

#[tokio::test]
async fn its_output_is_what_it_printed_and_it_is_told_line_by_line() {
    let (tried, world) = stage(short(), good).tried().await;
    let output = tried.output.unwrap();
    let name = output["job"].as_str().unwrap();
    assert!(name.starts_with("tried-") && name.len() == "tried-".len() + 8, "{name}");
    assert_eq!((&output["succeeded"], &output["logs"]), (&json!(1), &json!("12 tables\nhunter")));
    let lines: Vec<&Progress> = tried.told.iter().filter(|told| matches!(told, Progress::Line(_))).collect();
    assert_eq!(lines, [&Progress::Line("12 tables".to_owned()), &Progress::Line("hunter".to_owned())]);
    let (_, job) = &jobs(&world.server)[0];
    assert_eq!(job["spec"]["template"]["spec"]["containers"][0]["command"], json!(["sh", "-e", "-c", "migrate up"]));
    assert_eq!(job["metadata"]["labels"]["bowline/plan"], "conformance");
    assert!(job["spec"]["ttlSecondsAfterFinished"].is_null(), "it is kept");
}

/// A node that has just seen the end of a container gives its lines a moment later.
#[tokio::test]
async fn lines_that_come_late_are_waited_for() {
    fn silent(server: &TestServer) {
        good(server);
        let logs = server.reads().into_iter().filter(|path| path.ends_with("/log")).count();
        for (path, _) in server.objects().iter().filter(|(path, _)| path.starts_with(PODS)) {
            server.prints(&format!("{path}/log"), if logs < 2 { "" } else { "late\n" });
        }
    }
    let world = stage(short(), silent).fresh().await;
    let reading = async {
        while world.server.reads().iter().filter(|path| path.ends_with("/log")).count() < 2 {
            tokio::task::yield_now().await;
        }
        silent(&world.server);
    };
    let (tried, ()) = tokio::join!(tried(&world), reading);
    assert_eq!(tried.output.unwrap()["logs"], "late");
}

/// Makes a pod of each Job that runs and prints.
fn begun(server: &TestServer) {
    run_all(server, "Running", 0, json!({ "type": "SuccessCriteriaMet", "status": "False" }));
}

/// A Job with `ttlSecondsAfterFinished: 0` is removed with its pods as soon as it has ended.
#[tokio::test]
async fn what_a_pod_printed_that_is_gone_by_then_is_its_output() {
    let world = stage(short(), begun).fresh().await;
    let ending = async {
        while !world.server.reads().iter().any(|path| path.ends_with("/log")) {
            tokio::task::yield_now().await;
        }
        world.server.objects().keys().filter(|path| path.starts_with(PODS)).for_each(|path| world.server.remove(path));
        let (path, mut job) = jobs(&world.server).remove(0);
        job["status"] = json!({ "succeeded": 1, "conditions": [{ "type": "Complete", "status": "True" }] });
        world.server.put(&path, job);
    };
    let (tried, ()) = tokio::join!(tried(&world), ending);
    let output = tried.output.unwrap();
    assert_eq!((&output["succeeded"], &output["logs"]), (&json!(1), &json!("12 tables\nhunter")));
}

#[tokio::test]
async fn what_nobody_has_read_is_not_taken_for_nothing() {
    fn unseen(server: &TestServer) {
        for (path, mut job) in jobs(server).into_iter().filter(|(_, job)| job["status"].is_null()) {
            job["status"] = json!({ "succeeded": 1, "conditions": [{ "type": "Complete", "status": "True" }] });
            server.put(&path, job);
        }
    }
    let (tried, _) = stage(short(), unseen).tried().await;
    let error = tried.output.unwrap_err();
    assert!(error.to_string().ends_with("its pod was removed before all that it printed was read"), "{error}");
    assert_eq!(
        (error.is_transient(), error.failure().hint.as_deref()),
        (false, Some("give the Job a longer `ttlSecondsAfterFinished`, or none"))
    );
    let mut looks = short();
    looks["read-only"] = json!(true);
    assert!(stage(looks, unseen).tried().await.0.output.unwrap_err().is_transient());
}

#[tokio::test]
async fn a_manifest_keeps_what_it_says_and_gets_a_name_of_its_own() {
    let (tried, world) =
        stage(json!({ "file": "job.yaml", "values": { "tag": "2" }, "keep": false, "deadline": "2m" }), good).tried().await;
    assert!(tried.output.unwrap()["job"].as_str().unwrap().starts_with("nightly-"));
    let (_, job) = &jobs(&world.server)[0];
    assert_eq!(job["metadata"]["labels"]["team"], "a");
    assert_eq!(job["spec"]["template"]["spec"]["containers"][0]["image"], "migrate:2");
    assert_eq!((&job["spec"]["ttlSecondsAfterFinished"], &job["spec"]["activeDeadlineSeconds"]), (&json!(600), &json!(120)));
}

#[tokio::test]
async fn a_failure_is_told_with_its_last_words_and_the_next_try_is_another_job() {
    let (listener, world) = (Listener::default(), stage(short(), bad).fresh().await);
    let error = tried_with(&world, &listener).await.output.unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("it ended with exit code 3"), "{error}");
    assert_eq!(error.failure().causes, ["12 tables", "hunter"]);
    let error = tried_with(&world, &listener).await.output.unwrap_err();
    assert!(error.to_string().contains("-2 did not end well"), "{error}");
    assert_eq!(jobs(&world.server).len(), 2);
}

#[tokio::test]
async fn what_was_removed_unseen_is_in_doubt_and_not_run_again() {
    let (listener, world) = (Listener::default(), stage(short(), good).fresh().await);
    tried_with(&world, &listener).await.output.unwrap();
    world.server.remove(&jobs(&world.server)[0].0);
    let error = tried_with(&world, &listener).await.output.unwrap_err().to_string();
    assert!(error.ends_with("was removed before anybody saw how it ended"), "{error}");
    assert_eq!(jobs(&world.server).len(), 0);
    let mut again = short();
    again["idempotent"] = json!(true);
    let (listener, world) = (Listener::default(), stage(again, good).fresh().await);
    tried_with(&world, &listener).await.output.unwrap();
    world.server.remove(&jobs(&world.server)[0].0);
    tried_with(&world, &listener).await.output.unwrap();
}

#[tokio::test]
async fn a_job_that_may_have_been_removed_is_not_called_undone() {
    let mut params = short();
    params["keep"] = json!(false);
    let world = stage(params, good).fresh().await;
    world.server.meet(&[Mishap::Lost]);
    let effect: DynEffect = tried(&world).await.effects.remove(0);
    world.server.remove(&jobs(&world.server)[0].0);
    let settle = async |undo: Value| {
        let effect = DynEffect { key: effect.key.clone(), undo, known: Known::Open };
        world.action().settle(read_cx(&world, &Listener::default()), world.params(), effect).await.unwrap()
    };
    assert_eq!(settle(effect.undo.clone()).await, Settled::NotDone, "it cannot have ended and been removed yet");
    let mut old = effect.undo.clone();
    old["since"] = json!("2026-01-01T00:00:00Z");
    assert!(matches!(settle(old).await, Settled::Unknown(_)));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_made_late_is_found_when_it_is_looked_up() {
    let world = stage(short(), good).fresh().await;
    world.server.meet(&[Mishap::Delayed]);
    let effect: DynEffect = tried(&world).await.effects.remove(0);
    let server = world.server.clone();
    tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        server.arrive();
    });
    let (action, listener) = (world.action(), Listener::default());
    action.fence(read_cx(&world, &listener), world.params(), effect.clone()).await.unwrap();
    let settled = action.settle(read_cx(&world, &listener), world.params(), effect).await.unwrap();
    assert!(matches!(settled, Settled::Done(_)), "{settled:?}");
}

#[tokio::test]
async fn going_back_removes_it_and_says_what_it_cannot_know() {
    let (tried, world) = stage(short(), good).tried().await;
    let marks = taken_back(&world, tried.effects).await;
    assert_eq!((marks[0].kind, jobs(&world.server).len()), (MarkKind::Residue, 0));
    assert!(marks[0].notes[0].starts_with("nothing says how to take back what job/tried-"), "{marks:?}");
    assert_eq!(world.server.objects().len(), 0, "its pods are collected");
}

async fn made_way(world: &Server, effects: Vec<DynEffect>) -> Result<(), crate::action::ActionError> {
    let cx = UndoCx { read: read_cx(world, &Listener::default()), evidence: tokio_util::sync::CancellationToken::new() };
    world.action().make_way(cx, world.params(), effects).await
}

#[tokio::test(start_paused = true)]
async fn an_undo_of_the_plan_does_not_begin_beside_its_program() {
    let (tried, world) = stage(short(), good).tried().await;
    for _ in 0..2 {
        made_way(&world, tried.effects.clone()).await.unwrap();
        assert_eq!(world.server.objects().len(), 0, "the Job and its pods are gone, and a second time there is nothing to do");
    }
    let (tried, world) = stage(short(), good).tried().await;
    let pod = world.server.objects().into_iter().find(|(path, _)| path.starts_with(PODS)).unwrap();
    // It takes its time to end.
    world.server.control(|_| {});
    let error = made_way(&world, tried.effects.clone()).await.unwrap_err();
    assert!(error.is_transient() && error.to_string().ends_with("its program may run on beside the undo"), "{error}");
    assert!(jobs(&world.server).is_empty() && world.server.object(&pod.0).is_some());
    world.server.remove(&pod.0);
    made_way(&world, tried.effects).await.unwrap();
}

#[tokio::test]
async fn the_job_of_somebody_else_does_not_make_way() {
    let (tried, world) = stage(short(), good).tried().await;
    let (path, mut job) = jobs(&world.server).remove(0);
    job["metadata"]["labels"] = json!({});
    job["metadata"]["annotations"] = json!({});
    world.server.put(&path, job);
    made_way(&world, tried.effects).await.unwrap();
    assert_eq!(jobs(&world.server).len(), 1);
}

#[test]
fn mistakes_that_types_allow_are_told() {
    let action = Job::new(clusters(&TestServer::default()));
    insta::assert_snapshot!(problems(&action, json!({ "command": "x", "values": {} })), @r"
    say one of `image`, `file` and `manifest`
    `command`, `env` and `service-account` are for `image`: a manifest has its own
    `values` are for `file`, which is not given
    ");
    insta::assert_snapshot!(problems(&action, json!({ "manifest": { "apiVersion": "v1", "kind": "Pod" } })), @"`manifest`: Pod of v1 is no Job of batch/v1");
}
