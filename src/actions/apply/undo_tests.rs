//! In which order an `apply` is taken back, and what becomes of the rest where something cannot be.

use super::Apply;
use crate::action::conformance::Stage;
use crate::action::{DynAction, DynEffect, Known};
use crate::actions::test_world::{Server, Servers, taken_back};
use crate::cluster::{Address, Clusters, Kind};
use crate::record::{EffectKey, Mark, MarkKind, Settled};
use serde_json::{Value, json};
use std::sync::Arc;

fn make(clusters: Clusters) -> Arc<dyn DynAction> {
    Arc::new(Apply::new(clusters))
}

/// A server, and what a run did to it.
struct Done {
    world: Server,
    effects: Vec<DynEffect>,
}

impl Done {
    async fn nothing() -> Self {
        Self { world: Servers::of(make, json!({ "manifests": ["a.yaml"] }), Vec::new()).fresh().await, effects: Vec::new() }
    }

    fn effect(&mut self, at: &Address, undo: Value, after: Value) {
        let key = EffectKey(format!("apply:{}", at.reference().target()).into());
        self.effects.push(DynEffect { key, undo, known: Known::Settled(Settled::Done(after)) });
    }

    /// The run has changed an object from one content to another.
    fn changed(mut self, at: &Address, before: Value, after: Value) -> Self {
        let path = path(at);
        let before = self.world.server.put(&path, object(at, "kubectl", before));
        let after = self.world.server.put(&path, object(at, "bowline:conformance", after));
        self.effect(at, json!({ "at": at, "before": before }), json!({ "after": after, "created": false }));
        self
    }

    /// The run has made an object.
    fn made(mut self, at: &Address, content: Value) -> Self {
        let after = self.world.server.put(&path(at), object(at, "bowline:conformance", content));
        self.effect(at, json!({ "at": at, "before": null }), json!({ "after": after, "created": true }));
        self
    }

    /// Takes it back: the marks in the order of the effects.
    async fn taken_back(&self) -> Vec<Mark> {
        let marks = taken_back(&self.world, self.effects.clone()).await;
        let mark = |effect: &DynEffect| marks.iter().find(|mark| mark.key == effect.key).unwrap().clone();
        assert_eq!(marks.len(), self.effects.len());
        self.effects.iter().map(mark).collect()
    }

    fn live(&self, at: &Address) -> Option<Value> {
        self.world.server.object(&path(at))
    }

    /// The objects that were written, each once, in the order of the first write.
    fn order(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for write in self.world.server.writes() {
            let name = write.rsplit('/').next().unwrap().to_owned();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}

fn path(at: &Address) -> String {
    format!("{}/{}", at.kind.path(at.namespace.as_deref()), at.name)
}

fn object(at: &Address, manager: &str, content: Value) -> Value {
    let owner = json!({ "manager": manager, "operation": "Apply", "apiVersion": "v1", "fieldsV1": { "f:data": { "f:a": {} } } });
    let mut object = json!({ "apiVersion": at.kind.api_version, "kind": at.kind.kind,
        "metadata": { "name": at.name, "namespace": at.namespace, "uid": at.name, "managedFields": [owner] } });
    json_patch::merge(&mut object, &content);
    object
}

fn at(kind: &str, name: &str) -> Address {
    Address::known(kind, "shop", name)
}

fn data(value: &str) -> Value {
    json!({ "data": { "a": value } })
}

fn kinds(marks: &[Mark]) -> Vec<MarkKind> {
    marks.iter().map(|mark| mark.kind).collect()
}

#[tokio::test]
async fn one_object_that_cannot_be_written_keeps_no_other_from_going_back() {
    let (conf, more, web) = (at("ConfigMap", "conf"), at("Secret", "more"), at("Deployment", "web"));
    let done = Done::nothing().await.changed(&conf, data("1"), data("2")).changed(&more, data("1"), data("2"));
    let done = done.changed(&web, data("1"), data("2")).made(&at("Deployment", "new"), json!({}));
    done.world.server.refuses(&path(&conf), 500);
    let marks = done.taken_back().await;
    assert_eq!(kinds(&marks), [MarkKind::Residue, MarkKind::Restored, MarkKind::Restored, MarkKind::Restored]);
    insta::assert_snapshot!(marks[0].notes.join("; "), @"cannot take back the change of configmap/conf: InternalError");
    assert_eq!((&done.live(&more).unwrap()["data"]["a"], &done.live(&web).unwrap()["data"]["a"]), (&json!("1"), &json!("1")));
    assert_eq!(done.live(&at("Deployment", "new")), None);
}

#[tokio::test]
async fn what_stands_on_something_that_could_not_go_back_keeps_it() {
    let (service, web, ingress) = (at("Service", "web"), at("Deployment", "green"), at("Ingress", "web"));
    let done = Done::nothing().await.changed(&service, data("1"), data("2")).made(&web, json!({}));
    done.world.server.refuses(&path(&service), 500);
    let marks = done.taken_back().await;
    assert_eq!(kinds(&marks), [MarkKind::Residue, MarkKind::Residue]);
    insta::assert_snapshot!(marks[1].notes.join("; "), @"deployment/green stays while service/web could not be taken back");
    assert!(done.live(&web).is_some(), "the Service sends traffic to it still");
    done.world.server.remove(&path(&web));
    assert_eq!(kinds(&done.taken_back().await), [MarkKind::Residue, MarkKind::Restored], "an earlier try has deleted it");

    let done = Done::nothing().await.made(&at("ConfigMap", "conf"), json!({})).made(&web, json!({})).made(&ingress, json!({}));
    done.world.server.refuses(&path(&web), 500);
    let marks = done.taken_back().await;
    assert_eq!(kinds(&marks), [MarkKind::Residue, MarkKind::Residue, MarkKind::Restored]);
    assert!(done.live(&at("ConfigMap", "conf")).is_some(), "the pods of the Deployment read it still");
}

#[tokio::test]
async fn webhooks_that_the_run_changed_go_back_before_what_they_could_refuse() {
    let hook = |name: &str| at("ValidatingWebhookConfiguration", name);
    let policy = |policy: &str| json!({ "webhooks": [{ "name": "a", "failurePolicy": policy }] });
    let done = Done::nothing().await.changed(&at("ConfigMap", "conf"), data("1"), data("2"));
    let done = done.changed(&hook("strict"), policy("Ignore"), policy("Fail"));
    let done = done.changed(&hook("loose"), policy("Fail"), policy("Ignore")).made(&hook("new"), policy("Fail"));
    assert_eq!(kinds(&done.taken_back().await), [MarkKind::Restored; 4]);
    assert_eq!(done.order(), ["new", "strict", "conf", "loose"]);
}

#[tokio::test]
async fn an_autoscaler_that_goes_leaves_no_count_behind() {
    let (web, scaler) = (at("Deployment", "web"), at("HorizontalPodAutoscaler", "web"));
    let set_by = |manager: &str| json!([{ "manager": manager, "operation": "Update", "subresource": "scale", "fieldsV1": { "f:spec": { "f:replicas": {} } } }]);
    let mut done = Done::nothing().await;
    let before = done.world.server.put(&path(&web), object(&web, "kubectl", json!({ "spec": { "replicas": 1 } })));
    let image = json!({ "at": web, "before": before });
    let after = done.world.server.put(&path(&scaler), object(&scaler, "bowline:conformance", json!({})));
    done.effect(&scaler, json!({ "at": scaler, "before": null, "scaled": image }), json!({ "after": after, "created": true }));
    let mut live = before;
    (live["spec"]["replicas"], live["metadata"]["managedFields"]) = (json!(3), set_by("kube-controller-manager"));
    done.world.server.put(&path(&web), live);
    assert_eq!(kinds(&done.taken_back().await), [MarkKind::Restored]);
    assert_eq!(done.live(&web).unwrap()["spec"]["replicas"], 1);
}

#[tokio::test]
async fn objects_go_back_before_a_definition_that_knows_their_version_no_more() {
    let widget = |name: &str| {
        let kind = Kind { api_version: "a.test/v2".into(), kind: "Widget".into(), plural: "widgets".into(), namespaced: true };
        Address { kind, namespace: Some("shop".to_owned()), name: name.to_owned() }
    };
    let definition = at("CustomResourceDefinition", "widgets.a.test");
    let versions = |names: &[&str]| {
        let versions: Vec<Value> = names.iter().map(|name| json!({ "name": name, "served": true })).collect();
        json!({ "spec": { "group": "a.test", "names": { "kind": "Widget" }, "versions": versions } })
    };
    let done = || async {
        let done = Done::nothing().await.changed(&definition, versions(&["v1"]), versions(&["v1", "v2"]));
        done.changed(&widget("old"), data("1"), data("2")).made(&widget("made"), json!({})).made(&at("Deployment", "op"), json!({}))
    };
    let back = done().await;
    assert_eq!(kinds(&back.taken_back().await), [MarkKind::Restored; 4]);
    assert_eq!(back.order(), ["old", "made", "op", "widgets.a.test"], "its operator is there until the last object is gone");
    let back = done().await;
    back.world.server.refuses(&path(&widget("old")), 500);
    let marks = back.taken_back().await;
    assert_eq!(kinds(&marks), [MarkKind::Residue; 4]);
    insta::assert_snapshot!(marks[0].notes.join("; "), @"customresourcedefinition/widgets.a.test stays while widget/old could not be taken back");
}
