//! The real network: one client for each way of connecting, and honest words when there is no answer.

use super::{Http, HttpError, HttpRequest, HttpResponse, NetworkHttp};
use futures::future::{BoxFuture, FutureExt};
use reqwest::{Client, Method, Url};
use std::error::Error;
use std::io;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::time::{Instant, timeout};

const BODY_LIMIT: usize = 4 * 1024 * 1024;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);

/// How a client reaches a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Way {
    /// Only `https` loads the system's certificates: plain probes work where there are none.
    secure: bool,
    /// No connection is used twice.
    fresh: bool,
    /// A forwarded port on this machine is no business of a proxy.
    direct: bool,
}

impl Http for NetworkHttp {
    fn send(&self, request: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, HttpError>> {
        let network = self.clone();
        async move { network.exchange(request).await }.boxed()
    }
}

/// What went wrong, before the request's own words are put to it.
struct Trouble {
    what: String,
    sent: bool,
}

impl Trouble {
    fn unsent(what: impl Into<String>) -> Self {
        Self { what: what.into(), sent: false }
    }
}

impl NetworkHttp {
    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let limit = if request.timeout.is_zero() { DEFAULT_TIMEOUT } else { request.timeout };
        let url = Url::parse(&request.url).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let Some(url) = url else {
            let url = request.url.split(['?', '@']).next().unwrap_or_default().to_owned();
            return Err(HttpError { method: request.method, url, what: "not an http url".into(), sent: false });
        };
        let (method, shown) = (request.method.clone(), without_secrets(&url));
        let answer = match timeout(limit, self.answer(url, request)).await {
            Ok(answer) => answer,
            Err(_) => Err(Trouble { what: format!("no answer within {}", crate::ids::Period(limit)), sent: true }),
        };
        answer.map_err(|trouble| HttpError { method, url: shown, what: trouble.what, sent: trouble.sent })
    }

    async fn answer(&self, url: Url, request: HttpRequest) -> Result<HttpResponse, Trouble> {
        let client = self.client(Way { secure: url.scheme() == "https", fresh: request.fresh, direct: is_loopback(&url) })?;
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| Trouble::unsent(format!("`{}` is no http method", request.method)))?;
        let mut building = client.request(method, url);
        for (name, value) in &request.headers {
            building = building.header(name, value);
        }
        if let Some(body) = request.body {
            building = building.body(body);
        }
        let built = building.build().map_err(|_| Trouble::unsent("a header's name or value is not allowed"))?;
        // No query and no header: tokens stand there.
        let (method, host, path) =
            (built.method().clone(), built.url().host_str().unwrap_or_default().to_owned(), built.url().path().to_owned());
        let begun = Instant::now();
        let answer = client.execute(built).await.map_err(|error| describe(&error));
        let status = answer.as_ref().map_or(0, |response| response.status().as_u16());
        tracing::info!(%method, host, path, status, millis = begun.elapsed().as_millis(), "request");
        let mut response = answer?;
        let headers =
            response.headers().iter().map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
        let headers = headers.collect();
        let body = body(&mut response).await?;
        Ok(HttpResponse { status, headers, body, latency: begun.elapsed() })
    }

    fn client(&self, way: Way) -> Result<Client, Trouble> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&way) {
            return Ok(client.clone());
        }
        let client = build(way).map_err(|error| Trouble::unsent(format!("no secure connection: {}", root(&error))))?;
        clients.insert(way, client.clone());
        Ok(client)
    }
}

fn build(way: Way) -> reqwest::Result<Client> {
    // A second installation is refused and means that somebody was first: the provider is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(10))
        .user_agent(concat!("bowline/", env!("CARGO_PKG_VERSION")));
    if !way.secure {
        builder = builder.tls_certs_only([]);
    }
    if way.fresh {
        builder = builder.pool_max_idle_per_host(0);
    }
    if way.direct {
        builder = builder.no_proxy();
    }
    builder.build()
}

async fn body(response: &mut reqwest::Response) -> Result<Vec<u8>, Trouble> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| describe(&error))? {
        body.extend_from_slice(&chunk);
        if body.len() >= BODY_LIMIT {
            body.truncate(BODY_LIMIT);
            break;
        }
    }
    Ok(body)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn without_secrets(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

fn describe(error: &reqwest::Error) -> Trouble {
    if error.is_connect() {
        let why = match () {
            () if error.is_timeout() => "nobody answers at that address".to_owned(),
            () if error.is_dns() => "there is no such host".to_owned(),
            () => root(error),
        };
        return Trouble::unsent(format!("no connection: {why}"));
    }
    match error.is_timeout() {
        true => Trouble { what: "no answer in time".to_owned(), sent: true },
        false => Trouble { what: format!("no whole answer: {}", root(error)), sent: true },
    }
}

/// The innermost cause, which says what really happened. It never holds the URL.
fn root(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match innermost.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
        Some(io::ErrorKind::ConnectionReset) => "connection reset".to_owned(),
        _ => innermost.to_string(),
    }
}

#[cfg(test)]
mod tests;
