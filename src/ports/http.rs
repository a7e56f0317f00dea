//! HTTP servers. It knows no probe and no expectation.

mod network;

use futures::future::BoxFuture;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request.
#[derive(Debug, Clone, Default)]
pub struct HttpRequest {
    /// `GET`, `POST`, ...
    pub method: String,
    /// An absolute URL.
    pub url: String,
    /// Headers, `Host` too. Values may be secret and are never logged.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Vec<u8>>,
    /// Time for the whole exchange; 30 s when zero.
    pub timeout: Duration,
    /// Use a connection of its own, so that the answer comes from whoever is in service now.
    pub fresh: bool,
}

/// An answer, read whole.
#[derive(Debug, Clone, Default)]
pub struct HttpResponse {
    /// Its status.
    pub status: u16,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body, at most its first 4 MiB.
    pub body: Vec<u8>,
    /// From sending to the last byte.
    pub latency: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error("{method} {url}: {what}")]
pub struct HttpError {
    /// The request's method.
    pub method: String,
    /// The request's URL, without user, password and query, which may be secret.
    pub url: String,
    /// `no connection`, `no answer within 5s`, `not an http url`.
    pub what: String,
    /// The request may have arrived.
    pub sent: bool,
}

/// Sends requests. Redirects are answers like any other.
pub trait Http: Send + Sync {
    /// Sends one.
    fn send(&self, request: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, HttpError>>;
}

/// The network. Clones share their connections.
#[derive(Debug, Clone, Default)]
pub struct NetworkHttp {
    clients: Arc<Mutex<HashMap<network::Way, reqwest::Client>>>,
}
