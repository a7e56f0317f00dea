//! Connections into pods: programs that are started in them, and ways to their ports. Both are WebSockets, as on a real server, so that
//! what speaks to them is the same code; only the wire is a pipe in this process.
//!
//! Source: `k8s.io/apimachinery/pkg/util/remotecommand` and `k8s.io/apiserver/pkg/util/wsstream`.

use super::super::outside::pods;
use super::super::refusal::Refusal;
use super::super::shared::Shared;
use super::query::Query;
use super::{Answer, Target, respond};
use bytes::Bytes;
use data_encoding::BASE64;
use http::header::{CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use kube::client::DynBody;
use serde_json::Value;
use std::fmt::Write as _;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;
use tower::BoxError;

/// Bytes that are on their way at most.
const PIPE: usize = 64 * 1024;
/// What the WebSocket protocol adds to a key before it hashes it. Source: RFC 6455, 1.3.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Opens the connection that is asked for.
pub(super) async fn answer(
    shared: &Arc<Shared>,
    target: &Target,
    query: &Query,
    headers: &HeaderMap,
) -> Result<Response<Box<DynBody>>, BoxError> {
    let found = shared.with(|world| world.store.get(&target.key()).cloned());
    let refusal = match (&found, target.subresource.as_str()) {
        (None, _) => Some(Refusal::not_found(&target.kind, &target.name)),
        (Some(pod), "exec") => unknown_container(pod, query.get("container")),
        (Some(_), "portforward") => None,
        (Some(_), other) => Some(Refusal::not_modelled(&format!("the connection `{other}` into a pod"))),
    };
    if let Some(refusal) = refusal {
        return respond(Answer::Json(refusal.code, refusal.to_status()));
    }
    let pod = found.unwrap_or_default();
    let (near, far) = duplex(PIPE);
    let protocol = if target.subresource == "exec" { "v5.channel.k8s.io" } else { "v4.channel.k8s.io" };
    let key = headers.get(SEC_WEBSOCKET_KEY).map(|key| key.as_bytes().to_vec()).unwrap_or_default();
    let (shared, query, is_exec) = (Arc::clone(shared), query.clone(), target.subresource == "exec");
    tokio::spawn(async move {
        // Whoever hangs up half way need not be told.
        if let Ok(far) = switch(far, &accepted(&key), protocol).await {
            let socket = WebSocketStream::from_raw_socket(far, Role::Server, None).await;
            let _ended = match is_exec {
                true => pods::exec(&shared, &pod, &command(&query), socket).await,
                false => pods::forward(&shared, &pod, query.get("ports").parse().unwrap_or(0), socket).await,
            };
        }
    });
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(near)).await?;
    tokio::spawn(connection.with_upgrades());
    let request = Request::get("/").header(HOST, "simulated").header(CONNECTION, "upgrade").header(UPGRADE, "websocket");
    let response = sender.send_request(request.body(Empty::<Bytes>::new())?).await?;
    Ok(response.map(|body| Box::new(body.map_err(BoxError::from).boxed_unsync()) as Box<DynBody>))
}

/// A real server looks for the container before it asks the node.
fn unknown_container(pod: &Value, container: &str) -> Option<Refusal> {
    let is_named = |list: &str| pod["spec"][list].as_array().into_iter().flatten().any(|known| known["name"] == container);
    let is_known = container.is_empty() || ["containers", "initContainers", "ephemeralContainers"].into_iter().any(is_named);
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    (!is_known).then(|| Refusal::new(400, "BadRequest", format!("container {container} is not valid for pod {name}")))
}

fn command(query: &Query) -> pods::Command {
    let container = Some(query.get("container").to_owned()).filter(|name| !name.is_empty());
    pods::Command { words: query.all("command"), container, reads: query.is("stdin") }
}

fn accepted(key: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &[key, GUID.as_bytes()].concat());
    BASE64.encode(digest.as_ref())
}

/// Reads the request and agrees to another protocol.
async fn switch(mut far: DuplexStream, accepted: &str, protocol: &str) -> std::io::Result<DuplexStream> {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        seen.push(far.read_u8().await?);
    }
    let mut head = String::from("HTTP/1.1 101 Switching Protocols\r\n");
    let lines = [(UPGRADE, "websocket"), (CONNECTION, "Upgrade"), (SEC_WEBSOCKET_ACCEPT, accepted), (SEC_WEBSOCKET_PROTOCOL, protocol)];
    for (name, value) in lines {
        // Writing to a text does not fail.
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head.push_str("\r\n");
    far.write_all(head.as_bytes()).await?;
    Ok(far)
}

#[cfg(test)]
mod tests {
    use super::accepted;

    #[test]
    fn a_key_is_answered_as_the_protocol_says() {
        // The example of RFC 6455, 1.3.
        assert_eq!(accepted(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
