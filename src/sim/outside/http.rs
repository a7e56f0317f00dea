//! HTTP servers: those of the scenario, and the cluster's own behind its routes. No network is reached.

use super::answers::{self, Parts, Question, Reply};
use super::loopback::SimulatedLoopback;
use super::routes::{self, Way};
use crate::ports::{Clock, Http, HttpError, HttpRequest, HttpResponse};
use crate::scenario::fits;
use crate::sim::shared::Shared;
use crate::sim::world::World;
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::time::Duration;

/// Time for an exchange when a request names none.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The servers.
pub(in crate::sim) struct SimulatedHttp {
    pub(in crate::sim) shared: Arc<Shared>,
    pub(in crate::sim) loopback: SimulatedLoopback,
}

impl Http for SimulatedHttp {
    fn send(&self, request: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, HttpError>> {
        let (shared, loopback) = (Arc::clone(&self.shared), self.loopback.clone());
        async move {
            let url = plain(&request.url);
            let failed = |what: String, sent| HttpError { method: request.method.clone(), url: url.clone(), what, sent };
            let begun = shared.clock.passed();
            let limit = if request.timeout.is_zero() { TIMEOUT } else { request.timeout };
            let reply = tokio::time::timeout(limit, exchange(&shared, &loopback, &request)).await;
            let reply = reply.map_err(|_| failed(format!("no answer within {}", crate::ids::Period(limit)), true))?;
            let Reply { status, headers, body, .. } = reply.map_err(|what| failed(what, false))?;
            Ok(HttpResponse { status, headers, body, latency: shared.clock.passed().saturating_sub(begun) })
        }
        .boxed()
    }
}

async fn exchange(shared: &Shared, loopback: &SimulatedLoopback, request: &HttpRequest) -> Result<Reply, String> {
    let target = Target::read(request)?;
    if SimulatedLoopback::is_here(&target.authority) {
        return through(loopback, request, &target).await;
    }
    let found = shared.with(|world| scripted(world, request).map_or_else(|| of_cluster(world, request, &target), Ok));
    let reply = found.inspect_err(|what| shared.with(|world| world.note(what)))?;
    shared.clock.sleep(reply.takes).await;
    Ok(reply)
}

/// The parts of a URL.
struct Target {
    authority: String,
    host: String,
    path: String,
    whole_path: String,
}

impl Target {
    fn read(request: &HttpRequest) -> Result<Self, String> {
        let uri: http::Uri = request.url.parse().map_err(|_| "not an http url".to_owned())?;
        let authority = uri.authority().ok_or("not an http url")?.as_str();
        let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host).to_owned();
        let named = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
        let host = named.map_or_else(|| authority.clone(), |(_, value)| value.clone());
        let path = if uri.path().is_empty() { "/" } else { uri.path() }.to_owned();
        let whole_path = uri.path_and_query().map_or_else(|| path.clone(), ToString::to_string);
        Ok(Self { authority, host, path, whole_path })
    }
}

/// A URL without what may be secret in it.
pub(in crate::sim) fn plain(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_once('/').map_or((rest, String::new()), |(authority, path)| (authority, format!("/{path}")));
            let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
            format!("{scheme}://{host}{path}")
        }
        None => url.to_owned(),
    }
}

fn scripted(world: &World, request: &HttpRequest) -> Option<Reply> {
    let url = plain(&request.url);
    let meant = |method: &Option<String>| method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(&request.method));
    let server = world.scenario.http.iter().find(|server| fits(&server.url, &url) && meant(&server.method))?;
    let parts = Parts {
        status: server.status,
        headers: server.headers.iter().collect(),
        json: server.json.as_ref(),
        text: server.text.as_ref(),
        takes: server.takes,
    };
    Some(parts.reply(str::to_owned))
}

fn of_cluster(world: &World, request: &HttpRequest, target: &Target) -> Result<Reply, String> {
    match routes::find(world, &target.authority, &target.host, &target.path) {
        Way::Pod(pod) => {
            let question = Question { method: request.method.clone(), path: target.path.clone() };
            answers::of_pod(world, &pod, &question).map_err(|what| format!("not modelled: {what}"))
        }
        Way::Nobody(status) => Ok(Reply { status, takes: Duration::from_millis(1), ..Reply::default() }),
        Way::Elsewhere => Err(format!(
            "not modelled: {} {}; add it to `simulate.http`, or its address to `simulate.entries`",
            request.method,
            plain(&request.url)
        )),
    }
}

/// Over a connection that somebody in this process has listened for, as a port-forward does.
async fn through(loopback: &SimulatedLoopback, request: &HttpRequest, target: &Target) -> Result<Reply, String> {
    let refused = || "no connection".to_owned();
    let stream = loopback.connect(&target.authority).ok_or_else(refused)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|_| refused())?;
    let connection = tokio::spawn(connection);
    let mut asked = http::Request::builder().method(request.method.as_str()).uri(&target.whole_path);
    if !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        asked = asked.header("host", &target.authority);
    }
    for (name, value) in &request.headers {
        asked = asked.header(name, value);
    }
    let body = Full::new(Bytes::from(request.body.clone().unwrap_or_default()));
    let asked = asked.body(body).map_err(|error| error.to_string())?;
    let broken = |_| "the connection broke before the answer".to_owned();
    let (head, body) = sender.send_request(asked).await.map_err(broken)?.into_parts();
    let body = body.collect().await.map_err(broken)?.to_bytes().to_vec();
    connection.abort();
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    Ok(Reply { status: head.status.as_u16(), headers, body, takes: Duration::ZERO })
}
