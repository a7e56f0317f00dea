//! `switch-ingress` on the test server, with answers that are played by the test.

use super::{BeforeSwitch, SwitchIngress};
use crate::action::conformance::{World, faults};
use crate::action::{ActionError, DynAction, DynEffect, UndoCx};
use crate::actions::test_world::{Listener, Server, Servers, read_cx, taken_back, tried_with};
use crate::cluster::{Address, Clusters};
use crate::ports::{Http, HttpError, HttpRequest, HttpResponse, SystemClock};
use crate::record::MarkKind;
use futures::future::{BoxFuture, FutureExt};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

const INGRESS: &str = "/apis/networking.k8s.io/v1/namespaces/shop/ingresses/api";
const GREEN: &str = "/api/v1/namespaces/shop/services/green";

/// Answers with these statuses in turn, then with the last one for ever; 0 is no answer.
struct Answers(Mutex<Vec<u16>>);

impl Http for Answers {
    fn send(&self, request: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, HttpError>> {
        let mut statuses = self.0.lock().unwrap();
        let status = if statuses.len() > 1 { statuses.remove(0) } else { statuses[0] };
        async move {
            match status {
                0 => Err(HttpError { method: request.method, url: request.url, what: "no connection".to_owned(), sent: false }),
                status => Ok(HttpResponse { status, ..HttpResponse::default() }),
            }
        }
        .boxed()
    }
}

fn with(clusters: Clusters, statuses: &[u16]) -> Arc<dyn DynAction> {
    Arc::new(SwitchIngress::new(clusters, Arc::new(Answers(Mutex::new(statuses.to_vec()))), Arc::new(SystemClock)))
}

fn good(clusters: Clusters) -> Arc<dyn DynAction> {
    with(clusters, &[200])
}

fn silent(clusters: Clusters) -> Arc<dyn DynAction> {
    with(clusters, &[0])
}

fn ingress() -> Value {
    let backend = json!({ "service": { "name": "blue", "port": { "number": 80 } } });
    let rules = json!([{ "host": "api.example", "http": { "paths": [{ "path": "/", "pathType": "Prefix", "backend": backend }] } }]);
    json!({ "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "spec": { "rules": rules },
        "status": { "loadBalancer": { "ingress": [{ "ip": "10.0.0.9" }] } },
        "metadata": { "name": "api", "namespace": "shop", "uid": "u",
            "managedFields": [{ "manager": "kubectl", "operation": "Apply", "apiVersion": "networking.k8s.io/v1", "fieldsV1": { "f:spec": {} } }] } })
}

fn service(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Service", "spec": { "selector": { "app": name }, "ports": [{ "name": "http", "port": 80 }] },
        "metadata": { "name": name, "namespace": "shop", "uid": name } })
}

fn slice(of: &str) -> Value {
    json!({ "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "endpoints": [{ "addresses": ["10.1.0.1"], "conditions": { "ready": true } }],
        "metadata": { "name": of, "namespace": "shop", "uid": format!("slice-{of}"), "labels": { "kubernetes.io/service-name": of } } })
}

fn stage(make: fn(Clusters) -> Arc<dyn DynAction>, verify: Value) -> Servers {
    let params = json!({ "ingress": "api", "to": "green", "drain": "0s", "verify": verify });
    let objects = vec![
        (INGRESS, ingress()),
        ("/api/v1/namespaces/shop/services/blue", service("blue")),
        (GREEN, service("green")),
        ("/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices/blue", slice("blue")),
        ("/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices/green", slice("green")),
    ];
    Servers::of(make, params, objects)
}

fn leads_to(world: &Server) -> String {
    let live = world.server.object(INGRESS).unwrap();
    live["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]["name"].as_str().unwrap().to_owned()
}

async fn cannot_be_taken_back(world: &Server, effects: Vec<DynEffect>) -> ActionError {
    let evidence = CancellationToken::new();
    let cx = UndoCx { read: read_cx(world, &Listener::default()), evidence };
    world.action().compensate(cx, world.params(), effects).await.unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn it_holds_what_every_action_must_hold() {
    assert_eq!(faults(&stage(good, json!({ "path": "/health" }))).await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn where_nobody_can_be_asked_nothing_is_switched() {
    let mut stage = stage(good, json!({ "path": "/health" }));
    stage.objects[0].1["status"] = json!({});
    let (tried, world) = stage.tried().await;
    insta::assert_snapshot!(tried.output.unwrap_err(), @"ingress/api tells no address to ask at");
    assert_eq!((tried.effects.len(), leads_to(&world).as_str()), (0, "blue"));
}

#[tokio::test(start_paused = true)]
async fn a_side_without_the_port_of_the_backend_gets_no_traffic() {
    let mut stage = stage(good, json!({ "path": "/health" }));
    stage.objects[2].1["spec"]["ports"] = json!([{ "name": "http", "port": 8080 }]);
    let (tried, world) = stage.tried().await;
    insta::assert_snapshot!(tried.output.unwrap_err(), @"service/green has no port 80, which ingress/api leads to, but 8080 `http`: traffic was not switched");
    assert_eq!((tried.effects.len(), leads_to(&world).as_str()), (0, "blue"));
    world.server.remove(GREEN);
    let error = tried_with(&world, &Listener::default()).await.output.unwrap_err();
    insta::assert_snapshot!(error, @"there is no service/green in namespace `shop`");
}

#[tokio::test(start_paused = true)]
async fn whatever_the_old_side_answers_traffic_is_back() {
    // Three of the new side, and what the plan expects of it is nothing that the old one knows.
    fn old_knows_nothing(clusters: Clusters) -> Arc<dyn DynAction> {
        with(clusters, &[404, 401, 401, 401, 404])
    }
    let (tried, world) = stage(old_knows_nothing, json!({ "path": "/health", "expect": { "status": 401 } })).tried().await;
    tried.output.unwrap();
    assert_eq!(leads_to(&world), "green");
    let marks = taken_back(&world, tried.effects).await;
    assert_eq!((marks[0].kind, &marks[0].notes, leads_to(&world).as_str()), (MarkKind::Restored, &Vec::new(), "blue"));
}

#[tokio::test(start_paused = true)]
async fn who_answered_nobody_before_need_not_answer_again() {
    let (tried, world) = stage(silent, json!({ "url": "http://10.0.0.1/", "timeout": "2s" })).tried().await;
    assert!(tried.output.is_err());
    let marks = taken_back(&world, tried.effects).await;
    assert_eq!((marks[0].kind, leads_to(&world).as_str()), (MarkKind::Restored, "blue"));
    insta::assert_snapshot!(marks[0].notes[0], @"nobody answers, as before the switch: http://10.0.0.1/ did not answer as it should 3 times in a row within 2s: no connection");
}

#[test]
fn journals_that_do_not_tell_who_answered_are_read() {
    let image = json!({ "at": Address::known("Ingress", "shop", "api"), "before": ingress() });
    let before: BeforeSwitch = serde_json::from_value(json!({ "image": image, "ready": 1 })).unwrap();
    assert_eq!((before.ready, before.answered), (1, None));
}

#[tokio::test(start_paused = true)]
async fn who_answered_before_must_answer_again() {
    fn falls_silent(clusters: Clusters) -> Arc<dyn DynAction> {
        with(clusters, &[200, 200, 200, 200, 0])
    }
    let (tried, world) = stage(falls_silent, json!({ "path": "/", "timeout": "2s" })).tried().await;
    tried.output.unwrap();
    let error = cannot_be_taken_back(&world, tried.effects).await;
    assert!(error.is_transient() && leads_to(&world) == "blue", "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_address_that_is_gone_is_told_and_nothing_more() {
    let (tried, world) = stage(good, json!({ "path": "/health" })).tried().await;
    tried.output.unwrap();
    let mut live = world.server.object(INGRESS).unwrap();
    live["status"] = json!({});
    world.server.put(INGRESS, live);
    let marks = taken_back(&world, tried.effects).await;
    assert_eq!((marks[0].kind, leads_to(&world).as_str()), (MarkKind::Restored, "blue"));
    insta::assert_snapshot!(marks[0].notes[0], @"nobody could be asked whether traffic arrives again: ingress/api tells no address to ask at");
}

#[tokio::test]
async fn what_looking_and_going_back_need_is_asked_for() {
    let of_ingress = stage(good, json!({}));
    insta::assert_snapshot!(of_ingress.rights().await, @r"
    may not get ingresses.networking.k8s.io `api` in namespace `shop`
    may not patch ingresses.networking.k8s.io `api` in namespace `shop`
    may not update ingresses.networking.k8s.io `api` in namespace `shop`: needed to take the change back
    may not list endpointslices.discovery.k8s.io in namespace `shop`
    may not watch endpointslices.discovery.k8s.io in namespace `shop`
    may not list pods in namespace `shop`
    may not get replicasets.apps in namespace `shop`
    may not get services in namespace `shop`
    ");
    let params = json!({ "service": "blue", "selector": { "app": "green" } });
    let of_service = Servers { params, ..stage(good, json!({})) };
    insta::assert_snapshot!(of_service.rights().await, @r"
    may not get services `blue` in namespace `shop`
    may not patch services `blue` in namespace `shop`
    may not update services `blue` in namespace `shop`: needed to take the change back
    may not list pods in namespace `shop`
    may not watch pods in namespace `shop`
    may not get replicasets.apps in namespace `shop`
    ");
}
