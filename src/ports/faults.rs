//! A fault layer in front of an API server: what a request meets is decided from outside. It knows no kind of object.

use super::kubernetes::{Connection, Kubernetes, KubernetesError, NotReached};
use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use http::{Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, StreamBody};
use kube::client::Body;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tower::BoxError;

/// A request, as faults see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sought {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// The query; empty when there is none.
    pub query: String,
}

impl Sought {
    /// True when it would change something.
    pub fn writes(&self) -> bool {
        self.method != Method::GET && !self.query.contains("dryRun=All") && !self.path.starts_with("/apis/authorization.k8s.io/")
    }

    /// True when it watches.
    pub fn watches(&self) -> bool {
        self.query.split('&').any(|pair| matches!(pair, "watch=true" | "watch=1"))
    }
}

/// What a request meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The server answers with this code and does nothing.
    Refused {
        /// The code.
        code: u16,
        /// Seconds after which to come back.
        retry_after: Option<u64>,
    },
    /// The server does it, and answers with this code all the same.
    DoneBut(u16),
    /// The server does it, and the connection breaks before the answer.
    Reset,
    /// Nobody listens.
    Away,
    /// A watch that ends after this time.
    Cut(Duration),
    /// A watch that begins too long ago.
    Expired,
}

/// Decides what requests meet.
pub trait Faults: Send + Sync {
    /// What this request meets; none when it is let through.
    fn next(&self, request: &Sought) -> Option<Fault>;
}

/// Clusters behind a fault layer.
pub struct FaultyKubernetes {
    /// The clusters.
    pub inner: Arc<dyn Kubernetes>,
    /// What requests meet.
    pub faults: Arc<dyn Faults>,
}

impl Kubernetes for FaultyKubernetes {
    fn connect(&self, context: Option<&str>) -> BoxFuture<'static, Result<Connection, KubernetesError>> {
        let (connecting, faults) = (self.inner.connect(context), Arc::clone(&self.faults));
        async move {
            let connection = connecting.await?;
            let inner = connection.client.clone();
            let service = tower::service_fn(move |request: Request<Body>| answer(inner.clone(), Arc::clone(&faults), request));
            Ok(Connection { client: kube::Client::new(service, connection.namespace.clone()), ..connection })
        }
        .boxed()
    }
}

async fn answer(client: kube::Client, faults: Arc<dyn Faults>, request: Request<Body>) -> Result<Response<Answer>, BoxError> {
    let uri = request.uri();
    let sought =
        Sought { method: request.method().clone(), path: uri.path().to_owned(), query: uri.query().unwrap_or_default().to_owned() };
    let Some(fault) = faults.next(&sought) else { return Ok(client.send(request).await?.map(as_it_is)) };
    match fault {
        Fault::Refused { code, retry_after } => status(code, retry_after),
        Fault::DoneBut(code) => {
            client.send(request).await?.into_body().collect().await?;
            status(code, None)
        }
        Fault::Reset => {
            client.send(request).await?.into_body().collect().await?;
            Err(io::Error::from(io::ErrorKind::ConnectionReset).into())
        }
        Fault::Away => Err(NotReached::because(io::Error::from(io::ErrorKind::ConnectionRefused)).into()),
        Fault::Cut(after) => {
            let (head, body) = client.send(request).await?.into_parts();
            let frames = body.into_data_stream().take_until(Box::pin(tokio::time::sleep(after)));
            let frames = frames.map(|bytes| bytes.map(http_body::Frame::data).map_err(BoxError::from));
            Ok(Response::from_parts(head, StreamBody::new(frames).boxed_unsync()))
        }
        Fault::Expired => {
            let event = r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","message":"too old resource version","reason":"Expired","code":410}}"#;
            Ok(Response::new(as_it_is(Body::from(format!("{event}\n").into_bytes()))))
        }
    }
}

fn status(code: u16, retry_after: Option<u64>) -> Result<Response<Answer>, BoxError> {
    let reason = StatusCode::from_u16(code)?.canonical_reason().unwrap_or_default();
    let body = serde_json::json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason.replace(' ', ""), "message": reason
    });
    let mut response = Response::builder().status(code).header("content-type", "application/json");
    if let Some(seconds) = retry_after {
        response = response.header("retry-after", seconds);
    }
    Ok(response.body(as_it_is(Body::from(body.to_string().into_bytes())))?)
}

/// The body of an answer, whole or cut off.
type Answer = UnsyncBoxBody<bytes::Bytes, BoxError>;

fn as_it_is(body: Body) -> Answer {
    body.map_err(BoxError::from).boxed_unsync()
}
