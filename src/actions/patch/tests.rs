//! `patch` on the test server.

use super::Patch;
use crate::action::conformance::{Stage, World, faults};
use crate::action::{DynAction, Known, Progress};
use crate::actions::test_world::{Listener, Servers, read_cx, taken_back, tried_with};
use crate::cluster::Clusters;
use crate::cluster::test_server::Mishap;
use crate::record::MarkKind;
use serde_json::{Value, json};
use std::sync::Arc;

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
