//! Watches: every change of what is meant, as it happens, until the time is over that the client asked for.

use super::super::kinds::Kind;
use super::super::shared::Shared;
use super::super::store::{FIRST, News};
use super::super::world::World;
use super::Asked;
use crate::ports::Clock;
use bytes::Bytes;
use futures::stream::unfold;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use kube::client::DynBody;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tower::BoxError;

/// How long a watch lasts when nobody says.
const LASTS: u64 = 300;

/// Opens a watch from the version that the query names.
pub(super) fn stream(shared: &Arc<Shared>, asked: Asked) -> Box<DynBody> {
    let seconds = asked.query.get("timeoutSeconds").parse().unwrap_or(LASTS);
    let until = shared.clock.now().after(Duration::from_secs(seconds));
    let known = asked.query.get("resourceVersion").parse::<u64>().unwrap_or(0).saturating_sub(FIRST);
    let begin = (Arc::clone(shared), asked, known);
    let frames = unfold(begin, move |(shared, asked, known)| async move {
        let news = shared.wait_for(|world| news(world, &asked, known));
        let left = until.since(shared.clock.now());
        let (lines, known) = tokio::select! {
            news = news => news,
            () = shared.clock.sleep(left) => return None,
        };
        Some((Ok::<_, BoxError>(Frame::data(Bytes::from(lines))), (shared, asked, known)))
    });
    Box::new(StreamBody::new(frames).boxed_unsync())
}

/// The lines since a version, and the version that they lead to; none when there is nothing new.
fn news(world: &mut World, asked: &Asked, known: u64) -> Option<(String, u64)> {
    let lines: String = world.store.since(known).iter().filter_map(|news| line(news, asked)).collect();
    (!lines.is_empty()).then(|| (lines, world.store.version()))
}

fn line(news: &News, asked: &Asked) -> Option<String> {
    let (target, query) = (&asked.target, &asked.query);
    let there = news.key.is_of(&target.kind)
        && (target.namespace.is_empty() || news.key.namespace == target.namespace)
        && (target.name.is_empty() || news.key.name == target.name);
    if !there {
        return None;
    }
    let was_meant = news.before.as_ref().is_some_and(|before| query.means(before));
    let kind = match (news.is_gone, was_meant, query.means(&news.object)) {
        (true, _, true) => "DELETED",
        (true, _, false) | (false, false, false) => return None,
        (false, false, true) => "ADDED",
        (false, true, true) => "MODIFIED",
        // What no longer fits the selector is gone, as far as this watch knows.
        (false, true, false) => "DELETED",
    };
    Some(json!({ "type": kind, "object": with_kind(&news.object, &target.kind) }).to_string() + "\n")
}

fn with_kind(object: &Value, kind: &Kind) -> Value {
    let mut object = object.clone();
    object["apiVersion"] = json!(kind.api_version());
    object["kind"] = json!(kind.kind.as_str());
    object
}
