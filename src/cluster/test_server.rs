//! A tiny API server behind kube's client, for tests: objects by path, versions, owners of fields in the rough. It checks nothing.

use crate::cluster::Clusters;
use crate::cluster::api::Cluster;
use crate::ports::{Connection, Kubernetes, KubernetesError, SystemClock};
use futures::future::{BoxFuture, FutureExt};
use http::{Method, Request, Response};
use kube::client::Body;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What the next writes meet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Mishap {
    /// It is done, and the answer is lost.
    Lost,
    /// It is refused for want of rights.
    Refused,
    /// Somebody else was faster: this value stands at this pointer by then.
    Overtaken(&'static str, Value),
    /// Nothing.
    None,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Value>,
    version: u64,
    mishaps: Vec<Mishap>,
    writes: Vec<String>,
    reads: Vec<String>,
}

/// The server.
#[derive(Default, Clone)]
pub(crate) struct TestServer(Arc<Mutex<State>>);

impl Kubernetes for TestServer {
    fn connect(&self, _context: Option<&str>) -> BoxFuture<'static, Result<Connection, KubernetesError>> {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| server.clone().answer(request));
        async move {
            Ok(Connection {
                client: kube::Client::new(service, "shop"),
                namespace: "shop".to_owned(),
                context: "test".to_owned(),
                server: "http://test".to_owned(),
            })
        }
        .boxed()
    }
}

impl TestServer {
    pub(crate) async fn cluster(&self) -> Cluster {
        Clusters::new(Arc::new(self.clone()), Arc::new(SystemClock)).open(None).await.unwrap()
    }

    /// Puts an object there, as if somebody had.
    pub(crate) fn put(&self, path: &str, object: Value) -> Value {
        let mut state = self.0.lock().unwrap();
        state.store(path, object)
    }

    pub(crate) fn object(&self, path: &str) -> Option<Value> {
        self.0.lock().unwrap().objects.get(path).cloned()
    }

    /// What the writes from now on meet, one after the other.
    pub(crate) fn meet(&self, mishaps: &[Mishap]) {
        self.0.lock().unwrap().mishaps = mishaps.iter().rev().cloned().collect();
    }

    /// The writes that were done.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.0.lock().unwrap().writes.clone()
    }

    /// The paths that were read.
    pub(crate) fn reads(&self) -> Vec<String> {
        self.0.lock().unwrap().reads.clone()
    }

    async fn answer(self, request: Request<Body>) -> Result<Response<Body>, std::convert::Infallible> {
        let (head, body) = request.into_parts();
        let (path, query) = (head.uri.path().to_owned(), head.uri.query().unwrap_or_default().to_owned());
        if query.contains("watch=true") {
            return std::future::pending().await;
        }
        let body = serde_json::from_slice(&body.collect_bytes().await.unwrap()).unwrap_or(Value::Null);
        let (code, body) = self.0.lock().unwrap().request(&head.method, &path, &query, &body);
        Ok(Response::builder().status(code).body(Body::from(body.to_string().into_bytes())).unwrap())
    }
}

fn status(code: u16, reason: &str) -> (u16, Value) {
    (code, json!({ "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": reason }))
}

impl State {
    fn request(&mut self, method: &Method, path: &str, query: &str, body: &Value) -> (u16, Value) {
        if *method == Method::GET {
            self.reads.push(path.to_owned());
            return match self.objects.get(path) {
                Some(object) => (200, object.clone()),
                None if query.contains("limit=") => (200, self.list(path)),
                None => status(404, "NotFound"),
            };
        }
        let mishap = self.mishaps.pop().unwrap_or(Mishap::None);
        match &mishap {
            Mishap::Refused => return status(403, "Forbidden"),
            Mishap::Overtaken(pointer, value) => {
                let mut object = self.objects[path].clone();
                *object.pointer_mut(pointer).unwrap() = value.clone();
                self.store(path, object);
            }
            _ => {}
        }
        let answer = self.write(method, path, query, body);
        if mishap == Mishap::Lost { status(504, "Timeout") } else { answer }
    }

    fn list(&self, path: &str) -> Value {
        let inside = |(at, _): &(&String, &Value)| at.rsplit_once('/').is_some_and(|(folder, _)| folder == path);
        let items: Vec<&Value> = self.objects.iter().filter(inside).map(|(_, object)| object).collect();
        json!({ "kind": "List", "apiVersion": "v1", "metadata": { "resourceVersion": self.version.to_string() }, "items": items })
    }

    fn write(&mut self, method: &Method, path: &str, query: &str, body: &Value) -> (u16, Value) {
        let Some(live) = self.objects.get(path).cloned() else { return status(404, "NotFound") };
        let manager = query.split('&').find_map(|pair| pair.trim_start_matches('?').strip_prefix("fieldManager=")).unwrap_or_default();
        let new = match *method {
            Method::DELETE if body["preconditions"]["uid"] != live["metadata"]["uid"] => return status(409, "Conflict"),
            Method::DELETE => {
                self.writes.push(format!("DELETE {path}"));
                self.objects.remove(path);
                return (200, json!({ "kind": "Status", "status": "Success" }));
            }
            Method::PATCH => match patch(&live, body) {
                Some(new) => new,
                None => return status(409, "Conflict"),
            },
            _ if body["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"] => return status(409, "Conflict"),
            _ => {
                let mut new = body.clone();
                let entry = json!({ "manager": manager.replace("%3A", ":"), "operation": "Update", "apiVersion": "v1", "fieldsV1": { "f:data": {} } });
                new["metadata"]["managedFields"].as_array_mut().unwrap().push(entry);
                new
            }
        };
        self.writes.push(format!("{method} {path}"));
        (200, self.store(path, new))
    }

    fn store(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.objects.insert(path.to_owned(), object.clone());
        object
    }
}

/// None when the version that the patch names is not the live one.
fn patch(live: &Value, operations: &Value) -> Option<Value> {
    let guards = operations.as_array()?.iter().filter(|operation| operation["path"] == "/metadata/resourceVersion");
    if guards.into_iter().any(|guard| guard["value"] != live["metadata"]["resourceVersion"]) {
        return None;
    }
    let mut new = live.clone();
    let patch: json_patch::Patch = serde_json::from_value(operations.clone()).ok()?;
    json_patch::patch(&mut new, &patch).ok()?;
    Some(new)
}
