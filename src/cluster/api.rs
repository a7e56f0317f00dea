//! Requests to an API server: reading, writing, and which of them may be repeated. It knows no kind's meaning.

use crate::cluster::answer::{ApiError, Class};
use crate::cluster::kinds::{Kind, Kinds, read_resources, table};
use crate::cluster::object::{Object, group_of};
use crate::cluster::request::{Address, Call, Manner, Written, encode_byte, hide};
use crate::ports::{Clock, Connection, Kubernetes, KubernetesError};
use kube::client::Body;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

/// What a kubelet says, with a success, when the container is gone already.
pub(super) const NO_LOGS: &str = "unable to retrieve container logs";
/// Objects of a list that are read at once.
const PAGE: u32 = 500;
/// How long a request is repeated while the server is busy or away, or a read finds no answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest wait before a request is repeated, whatever the server says.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// Longest wait where the server says nothing.
const OWN_LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The clusters that can be reached, one connection a context. Cheap to clone.
#[derive(Clone)]
pub struct Clusters {
    kubernetes: Arc<dyn Kubernetes>,
    clock: Arc<dyn Clock>,
    open: Arc<Mutex<HashMap<Option<String>, Cluster>>>,
}

impl Clusters {
    /// Makes the set.
    pub fn new(kubernetes: Arc<dyn Kubernetes>, clock: Arc<dyn Clock>) -> Self {
        Self { kubernetes, clock, open: Arc::default() }
    }

    /// The cluster of a context; of the current one when none is named.
    ///
    /// # Errors
    /// When there is no connection.
    pub async fn open(&self, context: Option<&str>) -> Result<Cluster, KubernetesError> {
        let mut open = self.open.lock().await;
        let key = context.map(str::to_owned);
        if let Some(cluster) = open.get(&key) {
            return Ok(cluster.clone());
        }
        let connection = self.kubernetes.connect(context).await?;
        let cluster = Cluster { connection, clock: self.clock.clone(), kinds: Arc::default(), rules: Arc::default() };
        open.insert(key, cluster.clone());
        Ok(cluster)
    }
}

/// A cluster. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    /// The connection.
    pub connection: Connection,
    /// The clock by which it waits.
    pub clock: Arc<dyn Clock>,
    kinds: Arc<Kinds>,
    /// The rules that hold for us, by namespace: see [`crate::cluster::rights`].
    pub(super) rules: Arc<Mutex<HashMap<String, Vec<Value>>>>,
}

impl Cluster {
    /// The kind that an `apiVersion` and a `kind` stand for. Asks the server only for kinds that are not in the table.
    ///
    /// # Errors
    /// [`Class::NotServed`] when the cluster knows no such kind.
    pub async fn kind(&self, api_version: &str, kind: &str) -> Result<Kind, ApiError> {
        if let Some(known) = table(api_version, kind).or_else(|| self.kinds.found(api_version, kind)) {
            return Ok(known);
        }
        let served = match self.served(api_version).await {
            Err(error) if error.is_absent() => Vec::new(),
            served => served?,
        };
        let found = served.into_iter().find(|known| known.kind == kind);
        found.ok_or_else(|| ApiError::not_served(api_version, kind))
    }

    /// Every kind of a group and version that can be listed.
    ///
    /// # Errors
    /// When the cluster does not serve it.
    pub async fn served(&self, api_version: &str) -> Result<Vec<Kind>, ApiError> {
        let root = if group_of(api_version).is_empty() { "api" } else { "apis" };
        let list = self.read(format!("/{root}/{api_version}")).await?;
        let kinds = read_resources(api_version, &list);
        self.kinds.keep(api_version, kinds.clone());
        Ok(kinds)
    }

    /// Reads an object; none when there is none.
    ///
    /// # Errors
    /// When the server does not answer, or refuses. [`Class::NotServed`] when the kind is there, though not in this version.
    pub async fn get(&self, at: &Address) -> Result<Option<Object>, ApiError> {
        match self.read(at.path()).await {
            Ok(object) => Ok(Some(Object(object))),
            Err(error) if error.class == Class::Absent => Ok(None),
            Err(error) if error.class == Class::NotServed => match self.served_as(&at.kind).await? {
                // Of a kind that is not served any more there is none either.
                None => Ok(None),
                Some(other) => {
                    let Kind { kind, api_version, .. } = &at.kind;
                    let message = format!("the cluster serves no {kind} of {api_version} any more, but of {other}");
                    Err(ApiError { message, ..error })
                }
            },
            Err(error) => Err(error),
        }
    }

    /// Lists the objects of a kind, in a namespace or everywhere, page by page. `selector` is part of a query: `labelSelector=a%3Db`.
    ///
    /// # Errors
    /// When the server does not answer, or refuses.
    pub async fn list(&self, kind: &Kind, namespace: Option<&str>, selector: &str) -> Result<Vec<Object>, ApiError> {
        let (path, mut found, mut page) = (kind.path(namespace), Vec::new(), String::new());
        let more = if selector.is_empty() { String::new() } else { format!("&{selector}") };
        loop {
            let list = match self.read(format!("{path}?limit={PAGE}{more}{page}")).await {
                // The server has forgotten the state that the pages are of: all at once there is none to forget.
                Err(error) if error.class == Class::Expired && !page.is_empty() => {
                    found.clear();
                    self.read(format!("{path}?limit=0{more}")).await?
                }
                list => list?,
            };
            let items = list["items"].as_array().cloned().unwrap_or_default();
            found.extend(items.into_iter().map(|item| Object(with_kind(item, kind))));
            match list["metadata"]["continue"].as_str().filter(|token| !token.is_empty()) {
                Some(token) => page = format!("&continue={}", token.bytes().map(encode_byte).collect::<String>()),
                None => return Ok(found),
            }
        }
    }

    /// Applies a manifest on the server. Guarded by the uid and resourceVersion that it carries, if it carries any.
    ///
    /// # Errors
    /// See [`Class`].
    pub async fn apply(&self, at: &Address, manifest: &Value, manner: Manner<'_>) -> Result<Written, ApiError> {
        let uri = format!("{}{}", at.path(), Manner { strict: true, ..manner }.query());
        self.write(at, Call::write(http::Method::PATCH, uri, "application/apply-patch+yaml", manifest)).await
    }

    /// Applies a JSON patch.
    ///
    /// # Errors
    /// See [`Class`].
    pub async fn patch(&self, at: &Address, operations: &Value, manner: Manner<'_>) -> Result<Written, ApiError> {
        let uri = format!("{}{}", at.path(), manner.query());
        self.write(at, Call::write(http::Method::PATCH, uri, "application/json-patch+json", operations)).await
    }

    /// Writes the whole object, guarded by the uid and resourceVersion in it.
    ///
    /// # Errors
    /// See [`Class`].
    pub async fn replace(&self, at: &Address, object: &Object, manner: Manner<'_>) -> Result<Written, ApiError> {
        let uri = format!("{}{}", at.path(), manner.query());
        self.write(at, Call::write(http::Method::PUT, uri, "application/json", &object.0)).await
    }

    /// Makes an object that must not be there.
    ///
    /// # Errors
    /// See [`Class`].
    pub async fn create(&self, at: &Address, object: &Object, manner: Manner<'_>) -> Result<Written, ApiError> {
        let uri = format!("{}{}", at.kind.path(at.namespace.as_deref()), manner.query());
        self.write(at, Call::write(http::Method::POST, uri, "application/json", &object.0)).await
    }

    /// Deletes the object that has this uid; what it owns is collected in the background. An object that is gone is no error.
    ///
    /// # Errors
    /// [`Class::Stale`] when another object has the name by now.
    pub async fn delete(&self, at: &Address, uid: &str) -> Result<(), ApiError> {
        self.delete_if(at, serde_json::json!({ "uid": uid })).await
    }

    /// As [`Cluster::delete`], if the object is still what was read: a request that arrives late deletes nothing that was written since.
    ///
    /// # Errors
    /// [`Class::Stale`] when it was written, or another object has the name by now.
    pub async fn delete_unchanged(&self, at: &Address, read: &Object) -> Result<(), ApiError> {
        self.delete_if(at, serde_json::json!({ "uid": read.uid(), "resourceVersion": read.resource_version() })).await
    }

    async fn delete_if(&self, at: &Address, preconditions: Value) -> Result<(), ApiError> {
        let options = serde_json::json!({
            "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background", "preconditions": preconditions
        });
        match self.send(Call::write(http::Method::DELETE, at.path(), "application/json", &options)).await {
            Ok(_) => Ok(()),
            Err(error) if error.class == Class::Absent => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Asks for the eviction of the pod that has this uid. Sent once: whether a budget allows it is for the caller to wait for.
    ///
    /// # Errors
    /// [`Class::Busy`] when a disruption budget forbids it now.
    pub async fn evict(&self, at: &Address, uid: &str) -> Result<(), ApiError> {
        let eviction = serde_json::json!({
            "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": at.name, "namespace": at.namespace },
            "deleteOptions": { "preconditions": { "uid": uid } }
        });
        let uri = format!("{}/eviction", at.path());
        self.once(&Call::write(http::Method::POST, uri, "application/json", &eviction)).await.map(drop)
    }

    /// The last lines that a container printed; of its run before the present one if `previous`.
    ///
    /// # Errors
    /// When there are none, or the server does not answer.
    pub async fn logs(&self, namespace: &str, pod: &str, container: &str, previous: bool, lines: u32) -> Result<String, ApiError> {
        let path = Address::known("Pod", namespace, pod).path();
        let uri = format!("{path}/log?container={container}&previous={previous}&tailLines={lines}&limitBytes=65536");
        let Answer { body, .. } = self.repeat(Call::read(uri), true).await?;
        let text = String::from_utf8_lossy(&body).into_owned();
        match text.starts_with(NO_LOGS) {
            true => Ok(String::new()),
            false => Ok(text),
        }
    }

    /// Reads JSON from a path.
    ///
    /// # Errors
    /// When the server does not answer, or refuses.
    pub async fn read(&self, uri: String) -> Result<Value, ApiError> {
        let Answer { body, .. } = self.repeat(Call::read(uri), true).await?;
        serde_json::from_slice(&body).map_err(|error| ApiError::lost(format!("the server's answer is no JSON: {error}")))
    }

    /// Asks the server what we may do. Nothing is stored, so it may be repeated.
    pub(super) async fn review(&self, resource: &str, review: &Value) -> Result<Value, ApiError> {
        let uri = format!("/apis/authorization.k8s.io/v1/{resource}");
        let Answer { body, .. } = self.repeat(Call::write(http::Method::POST, uri, "application/json", review), true).await?;
        serde_json::from_slice(&body).map_err(|error| ApiError::lost(format!("the server's answer is no JSON: {error}")))
    }

    async fn write(&self, at: &Address, call: Call) -> Result<Written, ApiError> {
        let Answer { code, body, warnings } = self.send(call).await.map_err(|error| hide(at, error))?;
        let object = serde_json::from_slice(&body).map_err(|error| ApiError::lost(format!("the server's answer is no JSON: {error}")))?;
        Ok(Written { object: Object(object), created: code == 201, warnings })
    }

    async fn send(&self, call: Call) -> Result<Answer, ApiError> {
        let changes_nothing = call.uri.contains("dryRun=All");
        self.repeat(call, changes_nothing).await
    }

    /// Sends until there is an answer that counts. A write is repeated only when the server says that it did nothing.
    async fn repeat(&self, call: Call, reads: bool) -> Result<Answer, ApiError> {
        let mut wait = Duration::from_millis(200);
        let began = self.clock.now();
        loop {
            match self.once(&call).await {
                Err(error) if is_nothing_done(&error, reads) && self.clock.now().since(began) < PATIENCE => {
                    self.clock.sleep(error.retry_after.unwrap_or(wait).min(LONGEST_WAIT)).await;
                    wait = (wait * 2).min(OWN_LONGEST_WAIT);
                }
                answer => return answer,
            }
        }
    }

    async fn once(&self, call: &Call) -> Result<Answer, ApiError> {
        let mut request = http::Request::builder().method(call.method.clone()).uri(&call.uri).header("accept", "application/json, */*");
        if !call.body.is_empty() {
            request = request.header("content-type", call.content);
        }
        let request = request.body(Body::from(call.body.clone())).map_err(|error| ApiError::malformed(error.to_string()))?;
        let answer = self.connection.client.send(request).await.map_err(|error| ApiError::from_client(&error))?;
        let (head, body) = answer.into_parts();
        let body = body.collect_bytes().await.map_err(|error| ApiError::from_client(&error))?;
        match head.status.is_success() {
            true => Ok(Answer { code: head.status.as_u16(), body: body.to_vec(), warnings: warnings(&head.headers) }),
            false => Err(ApiError::read(head.status.as_u16(), &head.headers, &body)),
        }
    }
}

/// True when a request may be repeated: it did nothing, or does nothing.
fn is_nothing_done(error: &ApiError, reads: bool) -> bool {
    matches!(error.class, Class::Busy | Class::Unreached) || (reads && error.is_lost())
}

/// An answer that is a success.
struct Answer {
    code: u16,
    body: Vec<u8>,
    warnings: Vec<String>,
}

/// What the server warns of: `299 - "unknown field \"spec.x\""`.
fn warnings(headers: &http::HeaderMap) -> Vec<String> {
    let texts = headers.get_all(http::header::WARNING).iter().filter_map(|value| value.to_str().ok());
    let quoted = texts.filter_map(|text| text.strip_prefix("299 ")?.split_once('"')?.1.rsplit_once('"').map(|(told, _)| told));
    quoted.map(|told| told.replace("\\\"", "\"").replace("\\\\", "\\")).collect()
}

/// Items of a list do not say what they are.
fn with_kind(mut item: Value, kind: &Kind) -> Value {
    if let Some(fields) = item.as_object_mut() {
        fields.insert("apiVersion".to_owned(), Value::from(kind.api_version.clone()));
        fields.insert("kind".to_owned(), Value::from(kind.kind.clone()));
    }
    item
}

#[cfg(test)]
mod tests;
