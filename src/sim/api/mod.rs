//! The API server: HTTP requests in, answers out, over no network. It decides what a request means and lets others do it.

mod discovery;
mod patch;
mod query;
mod read;
mod upgrade;
mod watch;
mod write;

use super::kinds::Kind;
use super::refusal::Refusal;
use super::shared::Shared;
use super::store::Key;
use super::world::World;
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use kube::client::{Body, DynBody};
use query::Query;
use serde_json::Value;
use std::sync::Arc;
use tower::BoxError;

/// What a request is about.
#[derive(Debug, Clone, PartialEq)]
struct Target {
    kind: Kind,
    /// Empty for all, and for kinds that have none.
    namespace: String,
    /// Empty for the whole kind.
    name: String,
    subresource: String,
}

impl Target {
    fn key(&self) -> Key {
        Key::new(&self.kind, &self.namespace, &self.name)
    }

    /// Reads a path such as `/apis/apps/v1/namespaces/shop/deployments/web/status`.
    fn read(world: &World, path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let (group, version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            // A namespace's own subresources are those with one part more than its name.
            ["namespaces", namespace, plural, rest @ ..] if world.kind_of_path(group, version, plural).is_some() => {
                (*namespace, [&[*plural], rest].concat())
            }
            rest => ("", rest.to_vec()),
        };
        let kind = world.kind_of_path(group, version, rest.first()?)?;
        let part = |index: usize| rest.get(index).copied().unwrap_or_default().to_owned();
        Some(Self { kind, namespace: namespace.to_owned(), name: part(1), subresource: part(2) })
    }
}

/// A request, read whole.
struct Asked {
    method: Method,
    target: Target,
    query: Query,
    content: String,
    body: Value,
}

/// What is answered.
enum Answer {
    Json(u16, Value),
    Stream(Box<DynBody>),
}

/// Answers requests of kube's client.
pub(super) fn serve(shared: &Arc<Shared>, request: Request<Body>) -> BoxFuture<'static, Result<Response<Box<DynBody>>, BoxError>> {
    let shared = Arc::clone(shared);
    async move {
        let (head, body) = request.into_parts();
        let path = head.uri.path().to_owned();
        if let Some(found) = shared.with(|world| discovery::answer(world, &path)) {
            return respond(Answer::Json(200, found));
        }
        let Some(target) = shared.with(|world| Target::read(world, &path)) else {
            let none = Full::new(Bytes::from_static(b"404 page not found\n")).map_err(BoxError::from);
            return Ok(Response::builder().status(404).header("content-type", "text/plain").body(Box::new(none) as Box<DynBody>)?);
        };
        let query = Query::read(head.uri.query().unwrap_or_default());
        if head.headers.contains_key(http::header::UPGRADE) {
            return upgrade::answer(&shared, &target, &query, &head.headers).await;
        }
        let content = head.headers.get(http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let bytes = body.collect_bytes().await.map_err(BoxError::from)?;
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes)? };
        let asked = Asked { method: head.method, target, query, content, body };
        respond(dispatch(&shared, asked).unwrap_or_else(|refusal| Answer::Json(refusal.code, refusal.to_status())))
    }
    .boxed()
}

fn dispatch(shared: &Arc<Shared>, asked: Asked) -> Result<Answer, Refusal> {
    if asked.method == Method::GET {
        return match asked.query.is("watch") {
            true => Ok(Answer::Stream(watch::stream(shared, asked))),
            false if asked.target.subresource == "log" => read::log(shared, &asked),
            false => shared.with(|world| read::answer(world, &asked)).map(|found| Answer::Json(200, found)),
        };
    }
    shared.with(|world| match asked.query.is("dryRun") {
        true => world.dry_run(|world| write::answer(world, &asked)),
        false => write::answer(world, &asked),
    })
}

/// Applies an object as this manager, past the wire.
///
/// # Errors
/// The server's words.
pub(super) fn apply_as(world: &mut World, kind: &Kind, namespace: &str, object: &Value, manager: &str) -> Result<(), String> {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    let home = if kind.namespaced { namespace.to_owned() } else { String::new() };
    let asked = Asked {
        method: Method::PATCH,
        target: Target { kind: kind.clone(), namespace: home, name: text("name"), subresource: String::new() },
        query: Query::read(&format!("fieldManager={manager}&force=true")),
        content: "application/apply-patch+yaml".to_owned(),
        body: object.clone(),
    };
    write::answer(world, &asked).map(drop).map_err(|refusal| refusal.message)
}

fn respond(answer: Answer) -> Result<Response<Box<DynBody>>, BoxError> {
    let (code, body): (u16, Box<DynBody>) = match answer {
        Answer::Json(code, value) => (code, Box::new(Full::new(Bytes::from(value.to_string())).map_err(BoxError::from))),
        Answer::Stream(body) => (200, body),
    };
    Ok(Response::builder().status(code).header("content-type", "application/json").body(body)?)
}

#[cfg(test)]
mod tests {
    use super::Target;
    use crate::ids::Moment;
    use crate::scenario::Scenario;
    use crate::sim::world::World;

    fn read(path: &str) -> Option<(String, String, String, String)> {
        let world = World::new(Scenario::default(), 1, Moment::from_millis(0));
        Target::read(&world, path).map(|target| (target.kind.kind.to_string(), target.namespace, target.name, target.subresource))
    }

    #[test]
    fn a_path_says_what_is_meant() {
        let owned = |kind: &str, parts: [&str; 3]| Some((kind.to_owned(), parts[0].to_owned(), parts[1].to_owned(), parts[2].to_owned()));
        assert_eq!(read("/api/v1/namespaces/shop/pods/web-1/log"), owned("Pod", ["shop", "web-1", "log"]));
        assert_eq!(read("/api/v1/namespaces/shop"), owned("Namespace", ["", "shop", ""]));
        assert_eq!(read("/apis/apps/v1/deployments"), owned("Deployment", ["", "", ""]));
        assert_eq!(read("/apis/apps/v1/namespaces/shop/deployments/web"), owned("Deployment", ["shop", "web", ""]));
        assert_eq!(read("/apis/example.org/v1/things"), None);
        assert_eq!(read("/"), None);
    }
}
