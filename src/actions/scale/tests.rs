//! `scale` on the test server.

use super::Scale;
use crate::action::conformance::{Stage, World};
use crate::action::{DynAction, DynEffect, Known};
use crate::actions::test_world::{Listener, Servers, read_cx, tried_with};
use crate::cluster::Clusters;
use crate::record::Settled;
use serde_json::json;
use std::sync::Arc;

const WEB: &str = "/apis/apps/v1/namespaces/shop/deployments/web";

fn make(clusters: Clusters) -> Arc<dyn DynAction> {
    Arc::new(Scale::new(clusters))
}

fn from_one_to_three() -> Servers {
    let web = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "spec": { "replicas": 1 },
        "metadata": { "name": "web", "namespace": "shop", "uid": "u", "managedFields": [] } });
    Servers::of(make, json!({ "deployment": "web", "replicas": 3, "wait": false }), vec![(WEB, web)])
}

/// A write whose answer was lost is found by its writer, whatever others have made of the field since.
#[tokio::test]
async fn what_others_changed_since_does_not_hide_our_write() {
    let stage = from_one_to_three();
    let (tried, world) = stage.tried().await;
    tried.output.unwrap();
    let mut live = world.server.object(WEB).unwrap();
    live["spec"]["replicas"] = json!(5);
    world.server.put(WEB, live);
    let effect = DynEffect { known: Known::Open, ..tried.effects[0].clone() };
    let settled = world.action().settle(read_cx(&world, &Listener::default()), world.params(), effect).await.unwrap();
    let Settled::Done(patched) = settled else { panic!("{settled:?}") };
    assert_eq!(patched["after"]["spec"]["replicas"], 3, "theirs is not ours to take back");
}

/// What an earlier attempt wrote does not answer for a later one.
#[tokio::test]
async fn a_second_write_that_is_lost_is_looked_for_by_itself() {
    let stage = from_one_to_three();
    let (tried, world) = stage.tried().await;
    tried.output.unwrap();
    let mut live = world.server.object(WEB).unwrap();
    live["spec"]["replicas"] = json!(1);
    let settled = async |live| {
        world.server.put(WEB, live);
        world.action().settle(read_cx(&world, &Listener::default()), world.params(), tried.effects[0].clone()).await.unwrap()
    };
    assert_eq!(settled(live.clone()).await, Settled::NotDone, "somebody else has the last word so far");
    live["spec"]["replicas"] = json!(3);
    assert!(matches!(settled(live).await, Settled::Done(_)));
}

/// Whoever types what we would have written has done it, not we.
#[tokio::test]
async fn what_somebody_else_wrote_alike_is_theirs() {
    let web = |count: u32, owner: &str| {
        json!({ "apiVersion": "apps/v1", "kind": "Deployment", "spec": { "replicas": count },
            "metadata": { "name": "web", "namespace": "shop", "uid": "u", "managedFields": [{ "manager": owner, "operation": "Update", "fieldsV1": {} }] } })
    };
    let stage = Servers::of(make, json!({ "deployment": "web", "replicas": 3, "wait": false }), vec![(WEB, web(1, "kubectl"))]);
    for (owner, is_ours) in [("kubectl", false), ("bowline-scale:conformance", true)] {
        let (tried, _) = stage.tried().await;
        let world = stage.fresh().await;
        world.server.put(WEB, web(3, owner));
        let effect = DynEffect { known: Known::Open, ..tried.effects[0].clone() };
        let settled = world.action().settle(read_cx(&world, &Listener::default()), world.params(), effect).await.unwrap();
        assert_eq!(matches!(settled, Settled::Done(_)), is_ours, "{owner}: {settled:?}");
    }
}

#[tokio::test]
async fn a_second_attempt_knows_what_was_before_the_first() {
    let stage = from_one_to_three();
    let (listener, world) = (Listener::default(), stage.fresh().await);
    for attempt in 1..=2 {
        let tried = tried_with(&world, &listener).await;
        assert_eq!(tried.output.unwrap(), json!({ "replicas": 3, "before": 1 }), "{attempt}");
    }
}

#[tokio::test]
async fn health_is_looked_at_on_the_way_back_whether_or_not_it_is_waited_for_before() {
    insta::assert_snapshot!(from_one_to_three().rights().await, @r"
    may not get deployments.apps `web` in namespace `shop`
    may not patch deployments.apps `web` in namespace `shop`
    may not update deployments.apps `web` in namespace `shop`: needed to take the change back
    may not list deployments.apps in namespace `shop`: needed to take the change back
    may not watch deployments.apps in namespace `shop`: needed to take the change back
    may not list pods in namespace `shop`: needed to take the change back
    may not watch pods in namespace `shop`: needed to take the change back
    may not list replicasets.apps in namespace `shop`: needed to take the change back
    may not watch replicasets.apps in namespace `shop`: needed to take the change back
    ");
}
