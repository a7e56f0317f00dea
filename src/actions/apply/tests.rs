//! What `apply` makes of answers that are lost, and of volumes. What writes do to fields needs a real server.

use super::{Apply, UndoStorage, storage};
use crate::action::conformance::{Stage, World};
use crate::action::{DynAction, DynEffect, Known};
use crate::actions::kubernetes::Place;
use crate::actions::test_world::{Listener, Servers, clusters, read_cx, taken_back, tried_with};
use crate::cluster::test_server::Mishap;
use crate::cluster::undo::Change;
use crate::cluster::{Address, Clusters, Object};
use crate::record::{EffectKey, Mark, MarkKind, Settled};
use serde_json::{Value, json};
use std::sync::Arc;

const CONF: &str = "/api/v1/namespaces/shop/configmaps/conf";

fn make(clusters: Clusters) -> Arc<dyn DynAction> {
    Arc::new(Apply::new(clusters))
}

/// Looks up the write of an object that was not there, where one stands that was made at a time and that we wrote to at another.
async fn found(made: &str, ours: &str, known: Known<Value>) -> Settled<Value> {
    let entry = json!({ "manager": "bowline:conformance", "operation": "Apply", "apiVersion": "v1", "time": ours, "fieldsV1": {} });
    let conf = json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { "a": "1" },
        "metadata": { "name": "conf", "namespace": "shop", "uid": "u", "creationTimestamp": made, "managedFields": [entry] } });
    let world = Servers::of(make, json!({ "manifests": ["conf.yaml"] }), vec![(CONF, conf)]).fresh().await;
    let at = serde_json::to_value(Address::known("ConfigMap", "shop", "conf")).unwrap();
    let effect = DynEffect { key: EffectKey("apply".into()), undo: json!({ "at": at, "before": null }), known };
    world.action().settle(read_cx(&world, &Listener::default()), world.params(), effect).await.unwrap()
}

fn is_created(settled: &Settled<Value>) -> bool {
    let Settled::Done(after) = settled else { panic!("{settled:?}") };
    after["created"].as_bool().unwrap()
}

#[tokio::test]
async fn what_somebody_else_made_before_we_wrote_to_it_is_not_ours() {
    let (early, late) = ("2026-01-01T00:00:05Z", "2026-01-01T00:00:06Z");
    assert!(is_created(&found(early, early, Known::Open).await));
    assert!(!is_created(&found(early, late, Known::Open).await), "it was there when we wrote to it");
    let made = json!({ "after": { "metadata": { "uid": "u" } }, "created": true });
    assert!(is_created(&found(early, late, Known::Settled(Settled::Done(made))).await), "an earlier attempt made it");
    let made = json!({ "after": { "metadata": { "uid": "other" } }, "created": true });
    assert!(!is_created(&found(early, late, Known::Settled(Settled::Done(made))).await), "that was another one");
}

/// A making whose answer is lost, and that comes after it was looked for: before the second attempt, or in the middle of it.
#[tokio::test(start_paused = true)]
async fn what_an_earlier_attempt_made_too_late_is_taken_back() {
    let manifest = "{ apiVersion: v1, kind: ConfigMap, metadata: { name: conf }, data: { a: '1' } }";
    let mut stage = Servers::of(make, json!({ "manifests": ["conf.yaml"] }), Vec::new());
    stage.files = vec![("conf.yaml", manifest)];
    for between in [true, false] {
        let (listener, world) = (Listener::default(), stage.fresh().await);
        world.server.meet(&[Mishap::Delayed, Mishap::Preceded]);
        assert!(tried_with(&world, &listener).await.output.is_err());
        assert!(world.server.object(CONF).is_none());
        if between {
            world.server.arrive();
        }
        let tried = tried_with(&world, &listener).await;
        tried.output.unwrap();
        let Known::Settled(settled) = &tried.effects[0].known else { panic!("{:?}", tried.effects) };
        assert!(is_created(settled), "{between}");
        taken_back(&world, tried.effects).await;
        assert!(world.server.object(CONF).is_none(), "{between}");
    }
}

/// A ConfigMap as a manager wrote it.
fn written(manager: &str, time: &str, label: &str, value: &str) -> Value {
    let fields = json!({ "f:metadata": { "f:labels": { "f:l": {} } }, "f:data": { "f:a": {} } });
    let entry = json!({ "manager": manager, "operation": "Apply", "apiVersion": "v1", "time": time, "fieldsV1": fields });
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { "a": value },
        "metadata": { "name": "conf", "namespace": "shop", "uid": "u", "labels": { "l": label }, "managedFields": [entry] } })
}

/// A pod that has started since, and reads it.
fn reader(name: &str, controller: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Pod", "spec": { "volumes": [{ "configMap": { "name": "conf" } }] }, "status": { "phase": "Running" },
        "metadata": { "name": name, "namespace": "shop", "uid": name, "creationTimestamp": "2026-01-01T00:00:09Z",
            "ownerReferences": [{ "kind": controller, "name": "x", "uid": "x", "controller": true }] } })
}

/// Takes a change of the ConfigMap back: the notes, and who was sent away.
async fn sent_away(before: Value, after: Value) -> (Vec<String>, Vec<String>) {
    const PODS: [&str; 2] = ["/api/v1/namespaces/shop/pods/web", "/api/v1/namespaces/shop/pods/migrate"];
    let objects = vec![(PODS[0], reader("web", "ReplicaSet")), (PODS[1], reader("migrate", "Job"))];
    let world = Servers::of(make, json!({ "manifests": ["conf.yaml"] }), objects).fresh().await;
    let (before, after) = (world.server.put(CONF, before), world.server.put(CONF, after));
    let at = serde_json::to_value(Address::known("ConfigMap", "shop", "conf")).unwrap();
    let known = Known::Settled(Settled::Done(json!({ "after": after, "created": false })));
    let effect = DynEffect { key: EffectKey("apply".into()), undo: json!({ "at": at, "before": before }), known };
    let notes = taken_back(&world, vec![effect]).await.remove(0).notes;
    (notes, world.server.writes().into_iter().filter(|write| write.contains("/eviction/")).collect())
}

#[tokio::test]
async fn who_read_what_is_taken_back_is_sent_away_but_for_pods_of_jobs() {
    let (early, late) = ("2026-01-01T00:00:01Z", "2026-01-01T00:00:05Z");
    let before = written("kubectl", early, "old", "1");
    let (notes, gone) = sent_away(before.clone(), written("bowline:conformance", late, "new", "2")).await;
    assert_eq!(gone, ["POST /api/v1/namespaces/shop/pods/web/eviction/web"]);
    insta::assert_snapshot!(notes.join("; "), @"pod/migrate started on what was taken back, and goes on with that to the end of its Job");
    let (notes, gone) = sent_away(before, written("bowline:conformance", late, "new", "1")).await;
    assert!(notes.is_empty() && gone.is_empty(), "a label is nothing that they read: {notes:?} {gone:?}");
}

#[tokio::test]
async fn volumes_are_deleted_only_where_the_set_is_gone() {
    let created = "2026-01-01T00:00:05Z";
    let claim = json!({ "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": { "name": "data-db-0", "namespace": "shop", "uid": "c", "creationTimestamp": created } });
    let set = json!({ "metadata": { "name": "db", "namespace": "shop", "creationTimestamp": created },
        "spec": { "volumeClaimTemplates": [{ "metadata": { "name": "data" } }] } });
    for (kind, deletions) in [(MarkKind::Restored, 1), (MarkKind::Kept, 0), (MarkKind::Residue, 0)] {
        let objects = vec![("/api/v1/namespaces/shop/persistentvolumeclaims/data-db-0", claim.clone())];
        let world = Servers::of(make, json!({ "manifests": ["db.yaml"] }), objects).fresh().await;
        let place = Place::open(&clusters(&world.server), &world.scope(), None).await.unwrap();
        let at = Address::known("StatefulSet", "shop", "db");
        let change = Change { at, before: None, after: Object(set.clone()), created: true };
        let mut mark = Mark { key: EffectKey("apply".into()), kind, notes: Vec::new() };
        storage::take_back(&place, UndoStorage::Delete, &change, &mut mark).await.unwrap();
        assert_eq!(world.server.writes().len(), deletions, "{kind:?}");
    }
}

#[tokio::test]
async fn what_an_autoscaler_is_to_scale_is_kept_before_it_is_made() {
    let manifest = "{ apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: { name: web },
        spec: { scaleTargetRef: { apiVersion: apps/v1, kind: Deployment, name: web }, maxReplicas: 3 } }";
    let web =
        json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web", "uid": "w" }, "spec": { "replicas": 2 } });
    let objects = vec![("/apis/apps/v1/namespaces/shop/deployments/web", web)];
    let stage = Servers { files: vec![("hpa.yaml", manifest)], ..Servers::of(make, json!({ "manifests": ["hpa.yaml"] }), objects) };
    let (tried, _) = stage.tried().await;
    tried.output.unwrap();
    assert_eq!(tried.effects[0].undo["scaled"]["before"]["spec"]["replicas"], 2);
}
