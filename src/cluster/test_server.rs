//! A tiny API server behind kube's client, for tests: objects by path, versions, owners of fields in the rough. It checks nothing.

mod meaning;

use crate::cluster::Clusters;
use crate::cluster::api::Cluster;
use crate::ports::{Connection, Kubernetes, KubernetesError, SystemClock, SystemLoopback};
use futures::future::{BoxFuture, FutureExt};
use http::{Method, Request, Response};
use kube::client::Body;
use meaning::{NOW, entry, is_list, is_meant, is_wanted, own, patch, review, status};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// What the next writes meet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Mishap {
    /// It is done, and the answer is lost.
    Lost,
    /// The answer is lost, and it is done only after the next mishap of this kind or [`TestServer::arrive`].
    Delayed,
    /// What was delayed is done just before.
    Preceded,
    /// This manager has taken a field by then that applies name.
    Taken(&'static str),
    /// It is refused for want of rights.
    Refused,
    /// It is refused for what it says.
    Invalid,
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
    owner: Option<&'static str>,
    defaults: Option<fn(&mut Value)>,
    delayed: Option<(Method, String, String, Value)>,
    writes: Vec<String>,
    reads: Vec<String>,
    news: Vec<News>,
    controller: Option<fn(&TestServer)>,
    texts: BTreeMap<String, String>,
    refused: BTreeMap<String, u16>,
    unserved: Vec<String>,
    no_rights: bool,
    hidden: Option<&'static str>,
}

/// One line of a watch.
#[derive(Clone)]
struct News {
    version: u64,
    path: String,
    kind: &'static str,
    object: Value,
}

/// The server.
#[derive(Default, Clone)]
pub(crate) struct TestServer(Arc<Mutex<State>>, Arc<Notify>);

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
                loopback: Arc::new(SystemLoopback),
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
        let stored = self.0.lock().unwrap().store(path, object);
        self.1.notify_waiters();
        stored
    }

    /// Takes an object away, as if somebody had.
    pub(crate) fn remove(&self, path: &str) {
        self.0.lock().unwrap().remove(path);
        self.1.notify_waiters();
    }

    pub(crate) fn object(&self, path: &str) -> Option<Value> {
        self.0.lock().unwrap().objects.get(path).cloned()
    }

    /// Answers reads of a path with a text, as of a container's log.
    pub(crate) fn prints(&self, path: &str, text: &str) {
        self.0.lock().unwrap().texts.insert(path.to_owned(), text.to_owned());
    }

    /// Answers every write to a path with this error, and does none.
    pub(crate) fn refuses(&self, path: &str, code: u16) {
        self.0.lock().unwrap().refused.insert(path.to_owned(), code);
    }

    /// Knows no path that begins like this.
    pub(crate) fn serves_no(&self, beginning: &str) {
        self.0.lock().unwrap().unserved.push(beginning.to_owned());
    }

    /// Says of every right that we do not have it.
    pub(crate) fn give_no_rights(&self) {
        self.0.lock().unwrap().no_rights = true;
    }

    /// Refuses to show objects of a kind.
    pub(crate) fn hide(&self, plural: &'static str) {
        self.0.lock().unwrap().hidden = Some(plural);
    }

    /// Lets a controller look at what there is, now and after every write.
    pub(crate) fn control(&self, controller: fn(&TestServer)) {
        self.0.lock().unwrap().controller = Some(controller);
        controller(self);
    }

    /// Wakes the watches and the controller.
    fn tell(&self) {
        self.1.notify_waiters();
        // A controller's own writes are not told to it again.
        let controller = self.0.lock().unwrap().controller.take();
        if let Some(controller) = controller {
            controller(self);
            self.0.lock().unwrap().controller = Some(controller);
        }
    }

    /// All objects, by their paths.
    pub(crate) fn objects(&self) -> BTreeMap<String, Value> {
        self.0.lock().unwrap().objects.clone()
    }

    /// What the writes from now on meet, one after the other.
    pub(crate) fn meet(&self, mishaps: &[Mishap]) {
        self.0.lock().unwrap().mishaps = mishaps.iter().rev().cloned().collect();
    }

    /// What the server adds to every object that is patched.
    pub(crate) fn complete(&self, defaults: fn(&mut Value)) {
        self.0.lock().unwrap().defaults = Some(defaults);
    }

    /// An apply without force meets a field of this manager from now on.
    pub(crate) fn owned_by(&self, manager: &'static str) {
        self.0.lock().unwrap().owner = Some(manager);
    }

    /// What was delayed is done now.
    pub(crate) fn arrive(&self) {
        self.0.lock().unwrap().arrive();
        self.tell();
    }

    /// The writes that were done.
    pub(crate) fn writes(&self) -> Vec<String> {
        self.0.lock().unwrap().writes.clone()
    }

    /// The paths that were read.
    pub(crate) fn reads(&self) -> Vec<String> {
        self.0.lock().unwrap().reads.clone()
    }

    /// What a watch shows that knows all until a version: at least one line.
    async fn watch(&self, path: &str, query: &str) -> String {
        let part = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)).unwrap_or_default().to_owned();
        let known: u64 = part("resourceVersion=").parse().unwrap_or(0);
        loop {
            let written = self.1.notified();
            tokio::pin!(written);
            // Whoever looks and then waits must not miss what happens in between.
            written.as_mut().enable();
            let lines = self.0.lock().unwrap().since(path, query, known);
            if !lines.is_empty() {
                return lines;
            }
            written.await;
        }
    }

    async fn answer(self, request: Request<Body>) -> Result<Response<Body>, std::convert::Infallible> {
        let (head, body) = request.into_parts();
        let (path, query) = (head.uri.path().to_owned(), head.uri.query().unwrap_or_default().to_owned());
        if query.contains("watch=true") {
            let lines = self.watch(&path, &query).await;
            return Ok(Response::new(Body::from(lines.into_bytes())));
        }
        let body = serde_json::from_slice(&body.collect_bytes().await.unwrap()).unwrap_or(Value::Null);
        let (code, body) = self.0.lock().unwrap().request(&head.method, &path, &query, &body);
        if head.method != Method::GET {
            self.tell();
        }
        // A text is what a container printed, and not JSON.
        let body = body.as_str().map_or_else(|| body.to_string(), str::to_owned);
        Ok(Response::builder().status(code).body(Body::from(body.into_bytes())).unwrap())
    }
}

impl State {
    fn request(&mut self, method: &Method, path: &str, query: &str, body: &Value) -> (u16, Value) {
        if self.unserved.iter().any(|beginning| path.starts_with(beginning.as_str())) {
            return (404, Value::from("404 page not found"));
        }
        if *method == Method::GET {
            self.reads.push(path.to_owned());
            if self.hidden.is_some_and(|plural| path.split('/').any(|part| part == plural)) {
                return status(403, "Forbidden");
            }
            if let Some(text) = self.texts.get(path) {
                return (200, Value::from(text.as_str()));
            }
            return match self.objects.get(path) {
                Some(object) => (200, object.clone()),
                None if is_list(path, query) => (200, self.list(path, query)),
                None => status(404, "NotFound"),
            };
        }
        if let Some(code) = self.refused.get(path) {
            return status(*code, "InternalError");
        }
        if path.ends_with("reviews") {
            return (201, review(!self.no_rights));
        }
        if query.contains("dryRun=All") {
            let (objects, version, writes, news) = (self.objects.clone(), self.version, self.writes.len(), self.news.len());
            let answer = self.write(method, path, query, body);
            (self.objects, self.version) = (objects, version);
            self.writes.truncate(writes);
            self.news.truncate(news);
            return answer;
        }
        let mishap = self.mishaps.pop().unwrap_or(Mishap::None);
        match &mishap {
            Mishap::Refused => return status(403, "Forbidden"),
            Mishap::Invalid => {
                let (code, mut told) = status(422, "Invalid");
                told["details"] = json!({ "causes": [{ "reason": "FieldValueInvalid", "field": "spec", "message": "Invalid value" }] });
                return (code, told);
            }
            Mishap::Delayed => {
                self.delayed = Some((method.clone(), path.to_owned(), query.to_owned(), body.clone()));
                return status(504, "Timeout");
            }
            Mishap::Preceded => self.arrive(),
            Mishap::Taken(manager) => {
                self.owner = Some(*manager);
                self.store(path, self.objects[path].clone());
            }
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

    fn arrive(&mut self) {
        if let Some((method, path, query, body)) = self.delayed.take() {
            self.write(&method, &path, &query, &body);
        }
    }

    fn list(&self, path: &str, query: &str) -> Value {
        let items: Vec<&Value> =
            self.objects.iter().filter(|(at, object)| is_meant(at, object, path, query)).map(|(_, object)| object).collect();
        json!({ "kind": "List", "apiVersion": "v1", "metadata": { "resourceVersion": self.version.to_string() }, "items": items })
    }

    fn write(&mut self, method: &Method, path: &str, query: &str, body: &Value) -> (u16, Value) {
        let manager = query.split('&').find_map(|pair| pair.trim_start_matches('?').strip_prefix("fieldManager=")).unwrap_or_default();
        if *method == Method::POST {
            return self.create(path, manager, body);
        }
        if *method == Method::PATCH && body.is_object() {
            if let Some(owner) = self.owner.filter(|_| !query.contains("force=true")) {
                let (code, mut told) = status(409, "Conflict");
                let message = format!("conflict with \"{owner}\"");
                told["details"] = json!({ "causes": [{ "reason": "FieldManagerConflict", "field": ".data.a", "message": message }] });
                return (code, told);
            }
            return self.apply(path, manager, body);
        }
        let Some(live) = self.objects.get(path).cloned() else { return status(404, "NotFound") };
        let new = match *method {
            Method::DELETE if !is_wanted(&body["preconditions"], &live) => return status(409, "Conflict"),
            Method::DELETE => {
                self.writes.push(format!("DELETE {path}"));
                if live["metadata"]["finalizers"].as_array().is_some_and(|held| !held.is_empty()) {
                    let mut going = live.clone();
                    going["metadata"]["deletionTimestamp"] = json!(NOW);
                    return (200, self.store(path, going));
                }
                self.remove(path);
                return (200, json!({ "kind": "Status", "status": "Success" }));
            }
            Method::PATCH => match patch(&live, body) {
                Some(mut new) => {
                    self.defaults.into_iter().for_each(|complete| complete(&mut new));
                    own(&mut new, &live, manager);
                    new
                }
                None => return status(409, "Conflict"),
            },
            _ if body["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"] => return status(409, "Conflict"),
            _ => {
                let mut new = body.clone();
                new["metadata"]["managedFields"].as_array_mut().unwrap().push(entry(manager));
                new
            }
        };
        self.writes.push(format!("{method} {path}"));
        (200, self.store(path, new))
    }

    fn create(&mut self, folder: &str, manager: &str, body: &Value) -> (u16, Value) {
        let path = format!("{folder}/{}", body["metadata"]["name"].as_str().unwrap_or_default());
        if self.objects.contains_key(&path) {
            return status(409, "AlreadyExists");
        }
        let mut new = body.clone();
        new["metadata"]["uid"] = json!(format!("uid-{}", self.version + 1));
        new["metadata"]["managedFields"] = json!([entry(manager)]);
        self.writes.push(format!("POST {path}"));
        (201, self.store(&path, new))
    }

    /// A server-side apply, in the rough: what it names stands there then, and nothing that it does not name goes.
    fn apply(&mut self, path: &str, manager: &str, body: &Value) -> (u16, Value) {
        let live = self.objects.get(path).cloned();
        let is = |name: &str| live.as_ref().is_none_or(|live| body["metadata"][name] == live["metadata"][name]);
        if !is("uid") || !is("resourceVersion") || (live.is_none() && body["metadata"].get("uid").is_some()) {
            return status(409, "Conflict");
        }
        let mut new = live.clone().unwrap_or_else(|| json!({ "metadata": { "managedFields": [] } }));
        let (owners, mut named) = (new["metadata"]["managedFields"].clone(), body.clone());
        named["metadata"]["resourceVersion"] = new["metadata"]["resourceVersion"].clone();
        json_patch::merge(&mut new, &named);
        new["metadata"]["managedFields"] = owners;
        if Some(&new) == live.as_ref() {
            return (200, new);
        }
        self.writes.push(format!("APPLY {path}"));
        let mut entry = entry(manager);
        (entry["operation"], entry["time"]) = (json!("Apply"), json!(NOW));
        let owners = new["metadata"]["managedFields"].as_array_mut().unwrap();
        owners.retain(|known| known["manager"] != entry["manager"]);
        owners.push(entry);
        if live.is_some() {
            return (200, self.store(path, new));
        }
        new["metadata"]["uid"] = json!(format!("uid-{}", self.version + 1));
        new["metadata"]["creationTimestamp"] = json!(NOW);
        (201, self.store(path, new))
    }

    fn store(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        let kind = if self.objects.insert(path.to_owned(), object.clone()).is_some() { "MODIFIED" } else { "ADDED" };
        self.news.push(News { version: self.version, path: path.to_owned(), kind, object: object.clone() });
        object
    }

    fn remove(&mut self, path: &str) {
        let Some(mut object) = self.objects.remove(path) else { return };
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.news.push(News { version: self.version, path: path.to_owned(), kind: "DELETED", object });
    }

    fn since(&self, path: &str, query: &str, version: u64) -> String {
        let news = self.news.iter().filter(|news| news.version > version && is_meant(&news.path, &news.object, path, query));
        news.map(|news| json!({ "type": news.kind, "object": news.object }).to_string() + "\n").collect()
    }
}
