//! `wait-for` on the test server.

use super::WaitFor;
use crate::action::conformance::{Stage, faults};
use crate::action::{DynAction, Progress};
use crate::actions::test_world::{Listener, Servers, clusters, problems, tried_with};
use crate::cluster::Clusters;
use crate::cluster::test_server::TestServer;
use serde_json::{Value, json};
use std::sync::Arc;

const DATA: &str = "/api/v1/namespaces/shop/persistentvolumeclaims/data";

fn make(clusters: Clusters) -> Arc<dyn DynAction> {
    Arc::new(WaitFor::new(clusters))
}

fn claim(phase: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "PersistentVolumeClaim", "status": { "phase": phase },
        "metadata": { "name": "data", "namespace": "shop", "uid": "u", "labels": { "app": "db" }, "managedFields": [] } })
}

fn stage(params: Value, phase: &str) -> Servers {
    Servers::of(make, params, vec![(DATA, claim(phase))])
}

fn bound() -> Value {
    json!({ "object": "persistent-volume-claim/data", "until": "object.status.phase == 'Bound'" })
}

#[tokio::test]
async fn it_holds_what_every_action_must_hold() {
    for params in [
        bound(),
        json!({ "kind": "persistentvolumeclaim", "selector": "app=db", "exists": true }),
        json!({ "object": "pod/none", "absent": true }),
        json!({ "object": "example.com/v1/Gadget/none", "absent": true }),
    ] {
        assert_eq!(faults(&stage(params.clone(), "Bound")).await, Vec::<String>::new(), "{params}");
    }
}

#[tokio::test]
async fn a_change_is_seen_by_watch() {
    let (listener, world) = (Listener::default(), stage(bound(), "Pending").fresh().await);
    let change = async {
        // The first look is over once it is told.
        while listener.told().is_empty() {
            tokio::task::yield_now().await;
        }
        world.server.put(DATA, claim("Bound"));
    };
    let (tried, ()) = tokio::join!(tried_with(&world, &listener), change);
    let output = tried.output.unwrap();
    assert_eq!((&output["objects"], &output["object"]["status"]["phase"]), (&json!(["persistentvolumeclaim/data"]), &json!("Bound")));
    let told = [Progress::Doing(r#"waiting: persistentvolumeclaim/data: object.status.phase is "Pending""#.to_owned())];
    assert_eq!(tried.told, told);
}

#[tokio::test]
async fn who_is_stopped_says_what_was_seen_last() {
    let (listener, world) = (Listener::default(), stage(bound(), "Pending").fresh().await);
    let stop = async {
        while listener.told().is_empty() {
            tokio::task::yield_now().await;
        }
        listener.cancel.cancel();
    };
    let (tried, ()) = tokio::join!(tried_with(&world, &listener), stop);
    insta::assert_snapshot!(tried.output.unwrap_err(), @r#"persistentvolumeclaim/data: object.status.phase is "Pending""#);
}

#[tokio::test]
async fn what_goes_is_seen_to_be_gone() {
    let world = stage(json!({ "kind": "persistentvolumeclaim", "selector": "app=db", "absent": true }), "Bound").fresh().await;
    let listener = Listener::default();
    let change = async {
        while listener.told().is_empty() {
            tokio::task::yield_now().await;
        }
        world.server.remove(DATA);
    };
    let (tried, ()) = tokio::join!(tried_with(&world, &listener), change);
    assert_eq!(tried.output.unwrap(), json!({ "objects": [] }));
}

#[test]
fn mistakes_that_types_allow_are_told() {
    let action = WaitFor::new(clusters(&TestServer::default()));
    insta::assert_snapshot!(problems(&action, json!({})), @r"
    say what to wait for: an `object`, or a `kind`
    say one of `until`, `exists: true` and `absent: true`
    ");
    let wrong = json!({ "object": "gadget/x", "kind": "pod", "exists": true, "until": "status.phase == 'Bound'" });
    insta::assert_snapshot!(problems(&action, wrong), @r#"
    `gadget/x` names no object: write `deployment/web`, or with group and version `example.com/v1/Gadget/web`
    `object` names one; `kind`, `selector` and `at-least` are for several: keep one way
    say one of `until`, `exists: true` and `absent: true`
    `until` knows only `object`, not `status.phase`: write for example `object.status.phase == "Bound"`
    "#);
    assert!(problems(&action, json!({ "object": "pod/x", "until": "object.status.phase = 'a'" })).contains("`==` compares"));
}
