//! Kubernetes API servers: how a connection is found, and the time limit of its requests. It knows no kind of object.

use super::gate::Gate;
use super::gated::Gated;
use super::logged::Logged;
use super::loopback::{Loopback, SystemLoopback};
use super::transport::transport;
use futures::future::{BoxFuture, FutureExt};
use http::{Request, Response};
use http_body_util::{BodyExt, Either, Full};
use kube::client::{Body, DynBody};
use kube::config::{KubeConfigOptions, Kubeconfig as KubeconfigFile, KubeconfigError};
use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tower::{BoxError, Service};

/// Time for one request and its answer. Watches, log streams, exec and port-forwards are not limited.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A connection to a cluster.
#[derive(Clone)]
pub struct Connection {
    /// The client.
    pub client: kube::Client,
    /// The namespace that the context names; `default` when none.
    pub namespace: String,
    /// The context's name, for people.
    pub context: String,
    /// Where the server is, for people.
    pub server: String,
    /// Where the near ends of port-forwards are.
    pub loopback: Arc<dyn Loopback>,
}

/// A server that is there but busy is asked again after these times.
const LOOKS_AGAIN: [Duration; 3] = [Duration::from_millis(300), Duration::from_secs(1), Duration::from_secs(2)];

/// The name of the context where there is no kubeconfig, but a pod.
pub const IN_CLUSTER: &str = "in-cluster";

impl Connection {
    /// A connection to a server that is no network away, behind the same gate and with the same time limit as a real one.
    pub fn to_service<S>(service: S, gate: Gate, loopback: Arc<dyn Loopback>, namespace: &str, context: &str) -> Self
    where
        S: Service<Request<Body>, Response = Response<Box<DynBody>>, Error = BoxError> + Send + 'static,
        S::Future: Send + 'static,
    {
        let limited = TimeLimit { inner: service, limit: REQUEST_TIMEOUT };
        let client = kube::Client::new(Gated { inner: limited, gate }, namespace);
        Self { client, namespace: namespace.to_owned(), context: context.to_owned(), server: format!("{context}:"), loopback }
    }

    /// Looks whether the server answers, and lets us in.
    ///
    /// # Errors
    /// When it does not.
    pub async fn look(&self) -> Result<(), KubernetesError> {
        let said = |verb: &str| format!("the server {} of context `{}` {verb}", self.server, self.context);
        let mut answer = self.client.apiserver_version().await;
        for wait in LOOKS_AGAIN {
            match &answer {
                Err(kube::Error::Api(status)) if matches!(status.code, 429 | 500..) => tokio::time::sleep(wait).await,
                _ => break,
            }
            answer = self.client.apiserver_version().await;
        }
        match answer {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) => Err(KubernetesError::because(said("refuses us"), status.message)),
            Err(error) => Err(KubernetesError::because(said("does not answer"), error)),
        }
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
#[error("cannot connect to a cluster: {what}")]
pub struct KubernetesError {
    /// What is wrong.
    pub what: String,
    /// Why.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl KubernetesError {
    fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), source: None }
    }

    fn because(what: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { what: what.into(), source: Some(source.into()) }
    }
}

/// Gives connections to clusters.
pub trait Kubernetes: Send + Sync {
    /// Connects as the context says; as the current context says when none.
    fn connect(&self, context: Option<&str>) -> BoxFuture<'static, Result<Connection, KubernetesError>>;
}

/// Clusters as kubectl finds them: a named kubeconfig, `KUBECONFIG`, `~/.kube/config`, or the pod that this runs in.
#[derive(Debug, Clone, Default)]
pub struct Kubeconfig {
    /// `--kubeconfig`.
    pub path: Option<PathBuf>,
    /// What every request that may change something has to pass.
    pub gate: Gate,
}

impl Kubernetes for Kubeconfig {
    fn connect(&self, context: Option<&str>) -> BoxFuture<'static, Result<Connection, KubernetesError>> {
        let (path, context, gate) = (self.path.clone(), context.map(str::to_owned), self.gate.clone());
        async move {
            let (config, name) = match read_file(path.as_deref())? {
                Some(file) => from_file(file, context).await?,
                None => (in_cluster(context.as_deref())?, IN_CLUSTER.to_owned()),
            };
            connect_with(config, name, gate)
        }
        .boxed()
    }
}

/// Reads the kubeconfig; none when there is none and this runs in a pod.
fn read_file(path: Option<&std::path::Path>) -> Result<Option<KubeconfigFile>, KubernetesError> {
    let read = match path {
        Some(path) => KubeconfigFile::read_from(path),
        None => KubeconfigFile::read(),
    };
    match read {
        Ok(file) => Ok(Some(file)),
        // Only a kubeconfig that nobody asked for may be absent.
        Err(error) if path.is_none() && is_absent(&error) && std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() => Ok(None),
        Err(error) => Err(unusable(path, error)),
    }
}

/// Says it in words of our own: those of the client hold the path twice in quotes, and a drawing of the file.
fn unusable(path: Option<&std::path::Path>, error: KubeconfigError) -> KubernetesError {
    let named = "name one with `--kubeconfig` or the variable KUBECONFIG";
    let file = path.map(|path| format!(" {}", path.display())).unwrap_or_default();
    match error {
        KubeconfigError::FindPath => KubernetesError::new(format!("there is no kubeconfig: {named}")),
        error if path.is_none() && is_absent(&error) => KubernetesError::new(format!("there is no kubeconfig: {named}")),
        KubeconfigError::ReadConfig(source, file) => {
            KubernetesError::because(format!("the kubeconfig {} cannot be read", file.display()), source)
        }
        KubeconfigError::Parse(error) => {
            let told = error.to_string();
            let line = told.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
            KubernetesError::because(format!("the kubeconfig{file} is not YAML of a kubeconfig"), line)
        }
        error => KubernetesError::because(format!("the kubeconfig{file} cannot be used"), error),
    }
}

fn is_absent(error: &KubeconfigError) -> bool {
    match error {
        KubeconfigError::ReadConfig(source, _) => source.kind() == std::io::ErrorKind::NotFound,
        KubeconfigError::FindPath => true,
        _ => false,
    }
}

async fn from_file(file: KubeconfigFile, context: Option<String>) -> Result<(kube::Config, String), KubernetesError> {
    let name = context.or_else(|| file.current_context.clone());
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        return Err(KubernetesError::new(format!("the kubeconfig has no current context: name one of {}", contexts(&file))));
    };
    if !file.contexts.iter().any(|named| named.name == name) {
        return Err(KubernetesError::new(format!("the kubeconfig has no context `{name}`: it has {}", contexts(&file))));
    }
    let options = KubeConfigOptions { context: Some(name.clone()), ..KubeConfigOptions::default() };
    match kube::Config::from_custom_kubeconfig(file, &options).await {
        Ok(config) => Ok((config, name)),
        Err(error) => Err(KubernetesError::because(format!("the context `{name}` cannot be used"), error)),
    }
}

fn contexts(file: &KubeconfigFile) -> String {
    match file.contexts.iter().map(|named| format!("`{}`", named.name)).collect::<Vec<_>>() {
        names if names.is_empty() => "no context at all".to_owned(),
        names => names.join(", "),
    }
}

fn in_cluster(context: Option<&str>) -> Result<kube::Config, KubernetesError> {
    if let Some(context) = context {
        return Err(KubernetesError::new(format!("there is no kubeconfig, so there is no context `{context}`")));
    }
    kube::Config::incluster().map_err(|error| KubernetesError::because("the pod's service account cannot be used", error))
}

fn connect_with(mut config: kube::Config, context: String, gate: Gate) -> Result<Connection, KubernetesError> {
    // A second installation is refused and means that somebody was first: the provider is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // kube would repeat every write on 429, 503 and 504, up to a quarter of an hour later: a 504 may have been done.
    config.default_retry = false;
    config.connect_timeout = Some(REQUEST_TIMEOUT);
    // The server's audit log names it.
    config.headers.push((http::header::USER_AGENT, http::HeaderValue::from_static(concat!("bowline/", env!("CARGO_PKG_VERSION")))));
    let (namespace, server) = (config.default_namespace.clone(), config.cluster_url.to_string());
    let builder = transport(config).map_err(|error| KubernetesError::because(format!("the context `{context}` cannot be used"), error))?;
    let limited = tower::layer::layer_fn(|inner| TimeLimit { inner, limit: REQUEST_TIMEOUT });
    // Waiting at the gate is no time of the request.
    let gated = tower::layer::layer_fn(move |inner| Gated { inner, gate: gate.clone() });
    let logged = tower::layer::layer_fn(Logged);
    let client = builder.with_layer(&limited).with_layer(&logged).with_layer(&gated).build();
    Ok(Connection { client, namespace, context, server, loopback: Arc::new(SystemLoopback) })
}

/// The server did not answer in time. The request may have been done.
#[derive(Debug, thiserror::Error)]
#[error("no answer from the API server within {}", crate::ids::Period(*.0))]
struct NoAnswer(Duration);

/// There was no way to the server: nothing was sent, so nothing was done.
#[derive(Debug, thiserror::Error)]
#[error("the API server cannot be reached")]
pub struct NotReached(#[source] BoxError);

impl NotReached {
    /// For this reason.
    pub fn because(error: impl Into<BoxError>) -> Self {
        Self(error.into())
    }

    /// Tells a connection that was never made from one that broke.
    fn or_as_it_is(error: BoxError) -> BoxError {
        match error.downcast_ref::<hyper_util::client::legacy::Error>() {
            Some(client) if client.is_connect() => Box::new(Self(error)),
            _ => error,
        }
    }
}

/// Limits the time of requests that are answered at once; those that stream are let through.
#[derive(Clone)]
struct TimeLimit<S> {
    inner: S,
    limit: Duration,
}

type LimitedBody = Either<Full<bytes::Bytes>, Box<DynBody>>;

impl<S> Service<Request<Body>> for TimeLimit<S>
where
    S: Service<Request<Body>, Response = Response<Box<DynBody>>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<LimitedBody>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let streams = streams(&request);
        let (answer, limit) = (self.inner.call(request), self.limit);
        if streams {
            return async move { Ok(answer.await.map_err(NotReached::or_as_it_is)?.map(Either::Right)) }.boxed();
        }
        async move {
            let whole = async {
                let (head, body) = answer.await.map_err(NotReached::or_as_it_is)?.into_parts();
                let bytes = body.collect().await?.to_bytes();
                Ok::<_, BoxError>(Response::from_parts(head, Either::Left(Full::new(bytes))))
            };
            tokio::time::timeout(limit, whole).await.map_err(|_| NoAnswer(limit))?
        }
        .boxed()
    }
}

fn streams<B>(request: &Request<B>) -> bool {
    let mut pairs = request.uri().query().unwrap_or_default().split('&');
    request.headers().contains_key(http::header::UPGRADE) || pairs.any(|pair| matches!(pair, "watch=true" | "watch=1" | "follow=true"))
}

#[cfg(test)]
mod tests {
    use super::{Body, DynBody, Kubeconfig, Kubernetes, NoAnswer, REQUEST_TIMEOUT, TimeLimit, streams};
    use http::{Request, Response};
    use tower::{BoxError, Service};

    const TWO_CONTEXTS: &str = "
apiVersion: v1
kind: Config
clusters: [{name: here, cluster: {server: 'https://127.0.0.1:1'}}]
users: [{name: me, user: {token: x}}]
contexts:
- {name: staging, context: {cluster: here, user: me, namespace: blue}}
- {name: production, context: {cluster: here, user: me}}
";

    fn kubeconfig(text: &str) -> (tempfile::TempDir, Kubeconfig) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config");
        std::fs::write(&path, text).unwrap();
        (folder, Kubeconfig { path: Some(path), ..Kubeconfig::default() })
    }

    #[tokio::test]
    async fn a_context_gives_its_namespace() {
        let (_folder, clusters) = kubeconfig(TWO_CONTEXTS);
        let connection = clusters.connect(Some("staging")).await.unwrap();
        assert_eq!((connection.namespace.as_str(), connection.context.as_str()), ("blue", "staging"));
        assert_eq!(clusters.connect(Some("production")).await.unwrap().namespace, "default");
    }

    #[tokio::test]
    async fn a_missing_context_is_told_with_those_that_there_are() {
        let (_folder, clusters) = kubeconfig(TWO_CONTEXTS);
        let error = |result: Result<super::Connection, super::KubernetesError>| result.err().unwrap().to_string();
        insta::assert_snapshot!(error(clusters.connect(Some("prod")).await), @"cannot connect to a cluster: the kubeconfig has no context `prod`: it has `staging`, `production`");
        insta::assert_snapshot!(error(clusters.connect(None).await), @"cannot connect to a cluster: the kubeconfig has no current context: name one of `staging`, `production`");
    }

    #[tokio::test]
    async fn a_named_kubeconfig_must_exist() {
        let clusters = Kubeconfig { path: Some("/nonexistent/config".into()), ..Kubeconfig::default() };
        let error = clusters.connect(None).await.err().unwrap();
        insta::assert_snapshot!(error, @"cannot connect to a cluster: the kubeconfig /nonexistent/config cannot be read");
    }

    #[test]
    fn only_watches_and_streams_have_no_time_limit() {
        let get = |uri: &str| Request::get(uri).body(()).unwrap();
        assert!(streams(&get("/api/v1/pods?&watch=true&timeoutSeconds=290")));
        assert!(streams(&get("/api/v1/namespaces/a/pods/p/log?follow=true")));
        assert!(streams(&Request::get("/x").header("upgrade", "websocket").body(()).unwrap()));
        assert!(!streams(&get("/api/v1/pods?limit=500")));
        assert!(!streams(&get("/api/v1/namespaces/watch/pods")));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_answers_is_given_up() {
        let never = tower::service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Box<DynBody>>, BoxError>>());
        let mut limited = TimeLimit { inner: never, limit: REQUEST_TIMEOUT };
        let request = Request::get("/api/v1/pods").body(Body::empty()).unwrap();
        let error = limited.call(request).await.err().unwrap();
        assert!(error.is::<NoAnswer>());
        insta::assert_snapshot!(error, @"no answer from the API server within 10s");
    }
}
