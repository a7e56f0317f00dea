//! Verdicts over objects as controllers leave them, above all those that look healthy and are not.

use super::{Pin, Trouble, Verdict, View, judge};
use crate::cluster::object::Object;
use serde_json::{Value, json};

fn verdict(object: &Value, view: &[Value]) -> String {
    let objects: Vec<Object> = view.iter().cloned().map(Object).collect();
    let of = |kind: &str| objects.iter().filter(|object| object.kind() == kind).collect::<Vec<_>>();
    let view = View { pods: of("Pod"), replica_sets: of("ReplicaSet"), events: of("Event") };
    show(&judge(&Object(object.clone()), &view, &Pin::default()))
}

fn show(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Healthy => "healthy".to_owned(),
        Verdict::Waiting(reason) => format!("waiting: {reason}"),
        Verdict::Failing(trouble) => format!("failing: {trouble}"),
        Verdict::Failed(trouble) => format!("failed: {trouble}"),
    }
}

/// A Deployment of two whose rollout is done.
fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web", "uid": "d", "generation": 2 },
        "spec": { "replicas": 2 },
        "status": { "observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2 }
    })
}

fn replica_set(uid: &str, revision: &str) -> Value {
    json!({ "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": { "name": uid, "uid": uid, "ownerReferences": [{ "uid": "d" }],
        "annotations": { "deployment.kubernetes.io/revision": revision } } })
}

fn pod(name: &str, owner: &str, container: Value) -> Value {
    let mut status = container;
    status["name"] = json!("app");
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "ownerReferences": [{ "uid": owner }], "labels": { "controller-revision-hash": "new" } },
        "spec": { "restartPolicy": "Always", "containers": [{ "name": "app", "image": "web:v3" }] },
        "status": { "phase": "Running", "containerStatuses": [status], "conditions": [{ "type": "PodScheduled", "status": "True" }] } })
}

fn waiting(reason: &str, message: &str) -> Value {
    json!({ "state": { "waiting": { "reason": reason, "message": message } }, "ready": false, "restartCount": 0 })
}

fn with(mut object: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap()[name] = value;
    object
}

#[test]
fn a_status_from_before_the_write_says_nothing() {
    assert_eq!(verdict(&deployment(), &[]), "healthy");
    let stale = with(deployment(), "/metadata/generation", json!(3));
    assert_eq!(verdict(&stale, &[]), "waiting: its controller has not seen the change yet");
    let never = with(deployment(), "/status", json!({}));
    assert_eq!(verdict(&never, &[]), "waiting: its controller has not seen the change yet");
    // The watch may still show the object as it was before our write.
    let pin = Pin { uid: Some("d".to_owned()), generation: Some(3), owned: None };
    assert_eq!(show(&judge(&Object(deployment()), &View::default(), &pin)), "waiting: the change has not been seen yet");
}

#[test]
fn an_object_that_was_made_anew_is_not_ours() {
    let pin = Pin { uid: Some("other".to_owned()), generation: Some(1), owned: None };
    assert_eq!(show(&judge(&Object(deployment()), &View::default(), &pin)), "failed: it was deleted and made anew by somebody else");
    let going = with(deployment(), "/metadata/deletionTimestamp", json!("2026-11-21T00:00:00Z"));
    assert_eq!(verdict(&going, &[]), "failing: it is being deleted");
}

#[test]
fn one_new_pod_with_one_old_one_is_not_done() {
    let rolling = with(with(deployment(), "/status/replicas", json!(3)), "/status/updatedReplicas", json!(1));
    assert_eq!(verdict(&rolling, &[]), "waiting: 0 of 2 pods new and ready", "the two that are available may be old ones");
    let further = with(rolling, "/status/availableReplicas", json!(3));
    assert_eq!(verdict(&further, &[]), "waiting: 1 of 2 pods new and ready");
    let leftover = with(deployment(), "/status/replicas", json!(3));
    assert_eq!(verdict(&leftover, &[]), "waiting: 1 old pods are still there");
    // With one replica and `maxUnavailable: 1` other tools are content with none.
    let none = with(with(deployment(), "/status/availableReplicas", json!(0)), "/status/readyReplicas", json!(0));
    assert_eq!(verdict(&none, &[]), "waiting: 0 of 2 pods new and ready");
    let scaled_down = with(with(deployment(), "/spec/replicas", json!(0)), "/status", json!({ "observedGeneration": 2 }));
    assert_eq!(verdict(&scaled_down, &[]), "healthy");
}

#[test]
fn a_missing_image_is_told_at_once_and_by_name() {
    let rolling = with(deployment(), "/status/updatedReplicas", json!(1));
    let message = "failed to pull and unpack image \"registry.example/web:v3\": failed to resolve reference \"registry.example/web:v3\": registry.example/web:v3: not found";
    let sets = [replica_set("old", "1"), replica_set("new", "2")];
    for reason in ["ErrImagePull", "ImagePullBackOff"] {
        let mut view = sets.to_vec();
        view.push(pod("web-new-1", "new", waiting(reason, message)));
        let told = verdict(&rolling, &view);
        assert_eq!(
            told,
            format!("failed: pod/web-new-1: container `app`: {reason}: image registry.example/web:v3 cannot be pulled: not found")
        );
    }
    let timed_out = "Back-off pulling image \"r/web:v3\": ErrImagePull: failed to pull and unpack image \"r/web:v3\": dial tcp: timeout";
    let told = show(&super::pod::judge(&Object(pod("p", "x", waiting("ImagePullBackOff", timed_out)))));
    assert!(told.contains("ImagePullBackOff: image r/web:v3 cannot be pulled: dial tcp: timeout"), "{told}");
}

#[test]
fn a_registry_that_does_not_answer_may_answer_later() {
    for message in [
        "dial tcp: lookup registry.example: no such host",
        "net/http: TLS handshake timeout",
        "unexpected status code 503 Service Unavailable",
    ] {
        let told = show(&super::pod::judge(&Object(pod("p", "x", waiting("ErrImagePull", message)))));
        assert!(told.starts_with("failing: "), "{told}");
    }
    for (reason, message) in [
        ("InvalidImageName", "couldn't parse image name"),
        ("ErrImageNeverPull", "not present with pull policy of Never"),
        ("ErrImagePull", "pull access denied, repository does not exist"),
        ("ErrImagePull", "401 Unauthorized"),
    ] {
        let told = show(&super::pod::judge(&Object(pod("p", "x", waiting(reason, message)))));
        assert!(told.starts_with("failed: "), "{told}");
    }
}

#[test]
fn pods_of_the_old_template_may_be_broken() {
    let rolling = with(deployment(), "/status/updatedReplicas", json!(1));
    let view = [replica_set("old", "1"), replica_set("new", "2"), pod("web-old", "old", waiting("ErrImagePull", "x: not found"))];
    assert_eq!(verdict(&rolling, &view), "waiting: 1 of 2 pods new and ready");
}

#[test]
fn a_crash_loop_counts_at_every_moment_of_the_loop() {
    let ended = json!({ "exitCode": 1, "reason": "Error" });
    let moments = [
        json!({ "state": { "waiting": { "reason": "CrashLoopBackOff" } }, "lastState": { "terminated": ended }, "ready": false, "restartCount": 2 }),
        json!({ "state": { "terminated": ended }, "lastState": {}, "ready": false, "restartCount": 2 }),
        json!({ "state": { "running": {} }, "lastState": { "terminated": ended }, "ready": false, "restartCount": 2 }),
    ];
    for moment in moments {
        let told = show(&super::pod::judge(&Object(pod("p", "x", moment))));
        assert_eq!(told, "failing: pod/p: container `app`: it ended with exit code 1, started again 2 times (image web:v3)");
    }
}

#[test]
fn an_init_container_can_be_the_one_that_is_broken() {
    let mut object = pod("p", "x", json!({ "state": { "waiting": { "reason": "PodInitializing" } }, "ready": false, "restartCount": 0 }));
    let mut init = waiting("CrashLoopBackOff", "");
    init["name"] = json!("migrate");
    init["lastState"] = json!({ "terminated": { "exitCode": 2 } });
    object["status"]["initContainerStatuses"] = json!([init]);
    assert_eq!(show(&super::pod::judge(&Object(object))), "failing: pod/p: container `migrate`: it ended with exit code 2");
}

#[test]
fn a_command_that_is_not_in_the_image_never_will_be() {
    let message = "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec: \"/nope\": stat /nope: no such file or directory";
    let told = show(&super::pod::judge(&Object(pod("p", "x", waiting("RunContainerError", message)))));
    assert!(told.starts_with("failed: "), "{told}");
    let config = show(&super::pod::judge(&Object(pod("p", "x", waiting("CreateContainerConfigError", "configmap \"c\" not found")))));
    assert!(config.starts_with("failing: "), "{config}");
}

#[test]
fn a_failed_pod_is_not_healthy_and_a_done_one_is() {
    let ended =
        |code: u32| json!({ "state": { "terminated": { "exitCode": code, "reason": "Error" } }, "ready": false, "restartCount": 0 });
    let never = |phase: &str, code: u32| {
        with(with(pod("p", "x", ended(code)), "/status/phase", json!(phase)), "/spec/restartPolicy", json!("Never"))
    };
    assert_eq!(verdict(&never("Succeeded", 0), &[]), "healthy");
    assert_eq!(verdict(&never("Failed", 3), &[]), "failed: pod/p: container `app`: it ended with exit code 3 (image web:v3)");
}

#[test]
fn a_pod_that_fits_nowhere_is_failing() {
    let conditions =
        json!([{ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available" }]);
    let nowhere = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p" }, "spec": {}, "status": { "phase": "Pending", "conditions": conditions } });
    assert_eq!(verdict(&nowhere, &[]), "failing: pod/p: Unschedulable: 0/1 nodes are available");
}

#[test]
fn a_quota_is_told_long_before_any_deadline() {
    let conditions = |message: &str| json!([{ "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message }]);
    let rolling = with(deployment(), "/status/updatedReplicas", json!(0));
    let quota = with(rolling.clone(), "/status/conditions", conditions("pods \"web-1\" is forbidden: exceeded quota: small"));
    assert_eq!(verdict(&quota, &[]), "failed: pods \"web-1\" is forbidden: exceeded quota: small");
    let timeout = with(rolling, "/status/conditions", conditions("Internal error occurred: timeout"));
    assert!(verdict(&timeout, &[]).starts_with("failing: "));
}

#[test]
fn a_paused_rollout_never_ends() {
    let paused = with(with(deployment(), "/status/updatedReplicas", json!(1)), "/spec/paused", json!(true));
    assert!(verdict(&paused, &[]).starts_with("failing: it is paused"));
}

/// A StatefulSet of two whose rollout is done, and its pods.
fn stateful_set() -> (Value, Vec<Value>) {
    let set = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": { "name": "db", "uid": "s", "generation": 1 },
        "spec": { "replicas": 2, "updateStrategy": { "type": "RollingUpdate", "rollingUpdate": { "partition": 0 } },
            "volumeClaimTemplates": [{ "metadata": { "name": "data" } }] },
        "status": { "observedGeneration": 1, "replicas": 2, "readyReplicas": 2, "availableReplicas": 2, "updatedReplicas": 2,
            "currentRevision": "new", "updateRevision": "new" }
    });
    let member = |name: &str| {
        let ready = json!({ "state": { "running": {} }, "ready": true, "restartCount": 0 });
        let volumes = json!([{ "name": "data", "persistentVolumeClaim": { "claimName": format!("data-{name}") } }]);
        with(pod(name, "s", ready), "/spec/volumes", volumes)
    };
    (set, vec![member("db-0"), member("db-1")])
}

#[test]
fn a_set_that_lacks_a_volume_looks_whole_and_is_not() {
    let (set, pods) = stateful_set();
    assert_eq!(verdict(&set, &pods), "healthy");
    let more = with(set, "/spec/volumeClaimTemplates", json!([{ "metadata": { "name": "data" } }, { "metadata": { "name": "log" } }]));
    assert!(verdict(&more, &pods).starts_with("failing: pod/db-0: it lacks the volume `log`"));
}

#[test]
fn old_pods_of_a_set_are_not_new_ones() {
    let (set, pods) = stateful_set();
    let remade = with(set.clone(), "/status/updatedReplicas", json!(0));
    assert!(verdict(&remade, &pods).starts_with("waiting: 0 of 2 pods new and ready"));
    let rolling = with(set.clone(), "/status/currentRevision", json!("old"));
    assert!(verdict(&rolling, &pods).starts_with("waiting: "));
    let partial = with(with(rolling, "/spec/updateStrategy/rollingUpdate/partition", json!(1)), "/status/updatedReplicas", json!(1));
    assert_eq!(verdict(&partial, &pods), "healthy");
    let on_delete = with(with(set, "/spec/updateStrategy", json!({ "type": "OnDelete" })), "/status/updateRevision", json!("newer"));
    assert!(verdict(&on_delete, &pods).starts_with("failing: 2 pods are still of the old revision"));
}

#[test]
fn what_a_sets_controller_could_not_do_is_in_its_events() {
    let (set, _) = stateful_set();
    let set = with(
        with(set, "/status/readyReplicas", json!(0)),
        "/metadata/managedFields",
        json!([{ "manager": "x", "time": "2026-11-21T05:00:00Z" }]),
    );
    let event = |time: &str| {
        json!({ "apiVersion": "v1", "kind": "Event", "metadata": { "name": "e" }, "involvedObject": { "uid": "s" }, "reason": "FailedCreate",
            "message": "create Pod db-0 in StatefulSet db failed error: pods \"db-0\" is forbidden: exceeded quota", "lastTimestamp": time })
    };
    assert!(verdict(&set, &[event("2026-11-21T05:00:01Z")]).starts_with("failed: create Pod db-0"));
    assert!(verdict(&set, &[event("2026-11-21T04:59:59Z")]).starts_with("waiting: "));
}

#[test]
fn a_running_job_is_not_done() {
    let job = |status: Value| json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "j", "uid": "j", "generation": 1 }, "spec": { "completions": 1 }, "status": status });
    let condition = |kind: &str, status: &str| json!({ "conditions": [{ "type": kind, "status": status, "reason": "BackoffLimitExceeded", "message": "too often" }] });
    assert_eq!(verdict(&job(json!({ "active": 1 })), &[]), "waiting: 0 of 1 pods done");
    assert_eq!(verdict(&job(condition("Complete", "True")), &[]), "healthy");
    assert_eq!(verdict(&job(condition("FailureTarget", "True")), &[]), "failed: BackoffLimitExceeded: too often");
    assert_eq!(verdict(&job(condition("Failed", "False")), &[]), "waiting: 0 of 1 pods done");
    assert!(verdict(&job(condition("Suspended", "True")), &[]).starts_with("failing: it is suspended"));
}

#[test]
fn a_daemon_set_is_done_on_every_node() {
    let set = |updated: u32| {
        json!({ "apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": { "name": "l", "uid": "l", "generation": 1 }, "spec": {},
            "status": { "observedGeneration": 1, "desiredNumberScheduled": 2, "numberAvailable": 2, "numberReady": 2, "updatedNumberScheduled": updated } })
    };
    assert_eq!(verdict(&set(2), &[]), "healthy");
    assert_eq!(verdict(&set(1), &[]), "waiting: 1 of 2 pods new and ready");
    // A node that was tainted later keeps its pod.
    let mut tainted = set(2);
    tainted["status"]["numberMisscheduled"] = json!(1);
    assert_eq!(verdict(&tainted, &[]), "healthy");
}

#[test]
fn a_replication_controller_is_judged_by_its_pods() {
    let controller = |ready: u32| {
        json!({ "apiVersion": "v1", "kind": "ReplicationController", "metadata": { "name": "rc", "uid": "rc", "generation": 1 },
            "spec": { "replicas": 1 }, "status": { "observedGeneration": 1, "replicas": 1, "readyReplicas": ready, "availableReplicas": ready } })
    };
    assert_eq!(verdict(&controller(1), &[]), "healthy");
    assert_eq!(verdict(&controller(0), &[]), "waiting: 0 of 1 pods ready");
}

#[test]
fn what_starts_nothing_is_healthy_when_it_is_stored() {
    let object = |api: &str, kind: &str, more: Value| {
        let mut object = json!({ "apiVersion": api, "kind": kind, "metadata": { "name": "x" } });
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        object
    };
    assert_eq!(verdict(&object("v1", "ConfigMap", json!({})), &[]), "healthy");
    assert_eq!(verdict(&object("v1", "Service", json!({ "spec": { "type": "ClusterIP" } })), &[]), "healthy");
    let balancer = json!({ "spec": { "type": "LoadBalancer" }, "status": { "loadBalancer": { "ingress": [{}] } } });
    assert_eq!(verdict(&object("v1", "Service", balancer), &[]), "waiting: it has no address yet");
    let ready = |status: &str| json!({ "status": { "conditions": [{ "type": "Ready", "status": status, "message": "syncing" }] } });
    assert_eq!(verdict(&object("example.com/v1", "Gadget", ready("False")), &[]), "waiting: syncing");
    assert_eq!(verdict(&object("example.com/v1", "Gadget", ready("True")), &[]), "healthy");
}

#[test]
fn trouble_names_the_image_once() {
    let trouble = Trouble { image: Some("web:v3".to_owned()), ..Trouble::of("cannot pull web:v3") };
    assert_eq!(trouble.to_string(), "cannot pull web:v3");
}
