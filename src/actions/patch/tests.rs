//! `patch` on the test server.

use super::Patch;
use crate::action::conformance::{Stage, World, faults};
use crate::action::{DynAction, DynEffect, Known, Progress};
use crate::actions::test_world::{Listener, Servers, read_cx, taken_back, tried_with};
use crate::cluster::test_server::Mishap;
use crate::cluster::{Address, Clusters};
use crate::record::{EffectKey, MarkKind, Settled};
use serde_json::{Value, json};
use std::sync::Arc;

const DB: &str = "/apis/apps/v1/namespaces/shop/statefulsets/db";
const POD: &str = "/api/v1/namespaces/shop/pods/db-0";
const CONF: &str = "/api/v1/namespaces/shop/configmaps/conf";

fn make(clusters: Clusters) -> Arc<dyn DynAction> {
    Arc::new(Patch::new(clusters))
}

fn stage(patch: Value) -> Servers {
    let mut params = json!({ "object": "configmap/conf" });
    params.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    let conf = json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { "a": "1", "b": "1" }, "list": [1],
        "metadata": { "name": "conf", "namespace": "shop", "uid": "u",
            "managedFields": [{ "manager": "kubectl", "operation": "Apply", "apiVersion": "v1", "fieldsV1": { "f:data": { "f:a": {}, "f:b": {} } } }] } });
    Servers::of(make, params, vec![(CONF, conf)])
}

fn replacing() -> Value {
    json!({ "json": [{ "op": "test", "path": "/data/a", "value": "1" }, { "op": "replace", "path": "/data/a", "value": "2" }] })
}

#[tokio::test]
async fn it_holds_what_every_action_must_hold() {
    for patch in [
        json!({ "merge": { "data": { "a": "2", "b": null, "c": "3" } } }),
        json!({ "merge": { "data": { "a": "1" } } }),
        replacing(),
        json!({ "json": [{ "op": "add", "path": "/list/-", "value": 2 }] }),
    ] {
        assert_eq!(faults(&stage(patch.clone())).await, Vec::<String>::new(), "{patch}");
    }
}

#[tokio::test]
async fn it_writes_as_its_own_manager_and_leaves_the_rest_alone() {
    let (tried, world) = stage(replacing()).tried().await;
    assert_eq!(tried.output.unwrap(), json!({ "object": "configmap/conf", "changed": true }));
    let live = world.server.object(CONF).unwrap();
    assert_eq!(live["data"], json!({ "a": "2", "b": "1" }));
    assert!(live["metadata"]["managedFields"].to_string().contains("bowline-patch:conformance"));
}

#[tokio::test]
async fn what_others_changed_since_stays() {
    let (tried, world) = stage(json!({ "merge": { "data": { "a": "2", "b": "2" } } })).tried().await;
    tried.output.unwrap();
    let mut live = world.server.object(CONF).unwrap();
    live["data"]["b"] = json!("theirs");
    world.server.put(CONF, live);
    let marks = taken_back(&world, tried.effects).await;
    assert_eq!(marks[0].kind, MarkKind::Kept);
    assert_eq!(world.server.object(CONF).unwrap()["data"], json!({ "a": "1", "b": "theirs" }));
}

#[tokio::test]
async fn who_is_overtaken_looks_again_before_writing() {
    let (listener, world) = (Listener::default(), stage(replacing()).fresh().await);
    world.server.meet(&[Mishap::Overtaken("/data/b", json!("theirs"))]);
    let tried = tried_with(&world, &listener).await;
    tried.output.unwrap();
    assert_eq!(world.server.object(CONF).unwrap()["data"], json!({ "a": "2", "b": "theirs" }));
    let marks = taken_back(&world, tried.effects).await;
    assert_eq!((marks[0].kind, &world.server.object(CONF).unwrap()["data"]), (MarkKind::Restored, &json!({ "a": "1", "b": "theirs" })));
    // What is tested for by the patch is looked at again, too.
    let world = stage(replacing()).fresh().await;
    world.server.meet(&[Mishap::Overtaken("/data/a", json!("theirs"))]);
    let tried = tried_with(&world, &Listener::default()).await;
    insta::assert_snapshot!(tried.output.unwrap_err(), @r#"operation 1 does not fit configmap/conf: `/data/a` is "theirs", not "1""#);
}

#[tokio::test]
async fn a_lost_answer_is_looked_up_although_the_test_holds_no_more() {
    let (listener, world) = (Listener::default(), stage(replacing()).fresh().await);
    world.server.meet(&[Mishap::Lost]);
    let tried = tried_with(&world, &listener).await;
    assert!(tried.output.is_err() && tried.effects[0].known == Known::Open);
    let marks = taken_back(&world, tried.effects).await;
    assert_eq!((marks[0].kind, &world.server.object(CONF).unwrap()["data"]["a"]), (MarkKind::Restored, &json!("1")));
}

/// What the server adds to a patch goes with it.
#[tokio::test]
async fn a_lost_answer_is_taken_back_with_what_the_server_added() {
    let (listener, world) = (Listener::default(), stage(json!({ "merge": { "data": { "a": "2" } } })).fresh().await);
    world.server.complete(|object| {
        if object["data"]["a"] == "2" {
            object["data"]["added"] = json!("to 2");
        }
    });
    world.server.meet(&[Mishap::Lost]);
    let tried = tried_with(&world, &listener).await;
    assert!(tried.output.is_err());
    assert_eq!(world.server.object(CONF).unwrap()["data"], json!({ "a": "2", "b": "1", "added": "to 2" }));
    let marks = taken_back(&world, tried.effects).await;
    assert_eq!((marks[0].kind, &world.server.object(CONF).unwrap()["data"]), (MarkKind::Restored, &json!({ "a": "1", "b": "1" })));
}

#[tokio::test]
async fn a_load_balancer_that_is_given_up_is_told_before() {
    let web = json!({ "apiVersion": "v1", "kind": "Service", "spec": { "type": "LoadBalancer" },
        "metadata": { "name": "web", "namespace": "shop", "uid": "s", "managedFields": [] },
        "status": { "loadBalancer": { "ingress": [{ "hostname": "lb.example.com" }] } } });
    let params = json!({ "object": "service/web", "merge": { "spec": { "type": "ClusterIP" } } });
    let stage = Servers::of(make, params, vec![("/api/v1/namespaces/shop/services/web", web)]);
    let (listener, world) = (Listener::default(), stage.fresh().await);
    let preview = world.action().preview(read_cx(&world, &listener), world.params()).await.unwrap();
    insta::assert_snapshot!(preview.notes.join("; "), @"service/web gives up its load balancer at lb.example.com: going back gets it another one, whose address may differ");
    let tried = tried_with(&world, &listener).await;
    tried.output.unwrap();
    let warned = |progress: &Progress| matches!(progress, Progress::Warning(text) if *text == preview.notes[0]);
    assert!(tried.told.iter().any(warned), "{:?}", tried.told);
}

/// A StatefulSet whose pod is stuck on another template.
fn of_stateful_set() -> Servers {
    let status = json!({ "replicas": 1, "readyReplicas": 1, "availableReplicas": 1, "updatedReplicas": 1, "currentRevision": "db-1", "updateRevision": "db-1" });
    let db = json!({ "apiVersion": "apps/v1", "kind": "StatefulSet", "spec": { "replicas": 1, "image": "1" }, "status": status,
        "metadata": { "name": "db", "namespace": "shop", "uid": "u", "managedFields": [] } });
    let pod = json!({ "apiVersion": "v1", "kind": "Pod", "status": { "phase": "Pending" },
        "metadata": { "name": "db-0", "namespace": "shop", "uid": "p", "labels": { "controller-revision-hash": "db-2" }, "ownerReferences": [{ "uid": "u" }] } });
    let params = json!({ "object": "stateful-set/db", "merge": { "spec": { "image": "2" } } });
    Servers::of(make, params, vec![(DB, db), (POD, pod)])
}

#[tokio::test]
async fn a_stateful_set_that_is_put_back_is_freed_of_pods_that_are_stuck() {
    let (tried, world) = of_stateful_set().tried().await;
    tried.output.unwrap();
    let marks = taken_back(&world, tried.effects).await;
    assert_eq!((marks[0].kind, &marks[0].notes), (MarkKind::Restored, &Vec::new()));
    assert!(world.server.object(POD).is_none() && world.server.object(DB).unwrap()["spec"]["image"] == "1");
}

#[tokio::test]
async fn health_that_we_may_not_see_is_a_note() {
    let (tried, world) = of_stateful_set().tried().await;
    tried.output.unwrap();
    world.server.hide("pods");
    let marks = taken_back(&world, tried.effects).await;
    assert_eq!((marks[0].kind, world.server.object(DB).unwrap()["spec"]["image"].as_str()), (MarkKind::Restored, Some("1")));
    insta::assert_snapshot!(marks[0].notes.join("\n"), @r"
    statefulset/db was not freed of pods that may hold it up: Forbidden
    nobody saw whether what was restored is healthy again: Forbidden
    ");
}

#[tokio::test]
async fn what_the_way_back_needs_is_asked_for() {
    insta::assert_snapshot!(of_stateful_set().rights().await, @r"
    may not get statefulsets.apps `db` in namespace `shop`
    may not patch statefulsets.apps `db` in namespace `shop`
    may not update statefulsets.apps `db` in namespace `shop`: needed to take the change back
    may not list statefulsets.apps in namespace `shop`: needed to take the change back
    may not watch statefulsets.apps in namespace `shop`: needed to take the change back
    may not list pods in namespace `shop`: needed to take the change back
    may not watch pods in namespace `shop`: needed to take the change back
    may not list events in namespace `shop`: needed to take the change back
    may not watch events in namespace `shop`: needed to take the change back
    may not delete pods in namespace `shop`: needed to take the change back
    ");
    insta::assert_snapshot!(stage(json!({ "merge": { "data": { "a": "2" }, "immutable": true } })).rights().await, @r"
    may not get configmaps `conf` in namespace `shop`
    may not patch configmaps `conf` in namespace `shop`
    may not update configmaps `conf` in namespace `shop`: needed to take the change back
    may not list pods in namespace `shop`: needed to take the change back
    may not create pods/eviction in namespace `shop`: needed to take the change back
    may not create configmaps in namespace `shop`: needed to take the change back
    may not delete configmaps `conf` in namespace `shop`: needed to take the change back
    may not list configmaps in namespace `shop`: needed to take the change back
    may not watch configmaps in namespace `shop`: needed to take the change back
    ");
    let mut sealed = stage(json!({ "json": [{ "op": "add", "path": "/immutable", "value": true }] }));
    assert!(sealed.rights().await.contains("may not create configmaps"));
    sealed.objects[0].1["immutable"] = json!(true);
    assert!(!sealed.rights().await.contains("may not create configmaps"), "it was immutable before");
}

/// Where a workload goes back before the configuration that was patched, its pods start on the patched one.
#[tokio::test]
async fn who_read_what_is_taken_back_is_sent_away() {
    let conf = |manager: &str, second: u8, value: &str| {
        let entry = json!({ "manager": manager, "operation": "Update", "apiVersion": "v1", "time": format!("2026-01-01T00:00:0{second}Z"),
            "fieldsV1": { "f:data": { "f:a": {} } } });
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { "a": value },
            "metadata": { "name": "conf", "namespace": "shop", "uid": "u", "managedFields": [entry] } })
    };
    let pod = |name: &str, second: u8| {
        json!({ "apiVersion": "v1", "kind": "Pod", "spec": { "volumes": [{ "configMap": { "name": "conf" } }] }, "status": { "phase": "Running" },
            "metadata": { "name": name, "namespace": "shop", "uid": name, "creationTimestamp": format!("2026-01-01T00:00:0{second}Z"),
                "ownerReferences": [{ "kind": "ReplicaSet", "name": "x", "uid": "x", "controller": true }] } })
    };
    let mut stage = stage(replacing());
    let pods = [("/api/v1/namespaces/shop/pods/before", pod("before", 3)), ("/api/v1/namespaces/shop/pods/between", pod("between", 7))];
    stage.objects = pods.into();
    let world = stage.fresh().await;
    let (before, after) =
        (world.server.put(CONF, conf("kubectl", 1, "1")), world.server.put(CONF, conf("bowline-patch:conformance", 5, "2")));
    let at = serde_json::to_value(Address::known("ConfigMap", "shop", "conf")).unwrap();
    let known = Known::Settled(Settled::Done(json!({ "after": after })));
    let effect = DynEffect { key: EffectKey("patch".into()), undo: json!({ "at": at, "before": before }), known };
    let marks = taken_back(&world, vec![effect]).await;
    assert_eq!(
        (marks[0].kind, &marks[0].notes, &world.server.object(CONF).unwrap()["data"]["a"]),
        (MarkKind::Restored, &Vec::new(), &json!("1"))
    );
    let evicted: Vec<String> = world.server.writes().into_iter().filter(|write| write.contains("/eviction/")).collect();
    assert_eq!(evicted, ["POST /api/v1/namespaces/shop/pods/between/eviction/between"]);
}
