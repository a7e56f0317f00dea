//! Reading: one object, a list of a kind page by page, what a container printed. It changes nothing.

use super::super::kinds::Kind;
use super::super::refusal::Refusal;
use super::super::rules::images;
use super::super::shared::Shared;
use super::super::store::FIRST;
use super::super::world::World;
use super::{Answer, Asked};
use bytes::Bytes;
use futures::stream::StreamExt;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};
use std::sync::Arc;
use tower::BoxError;

/// An object, or a page of a list.
pub(super) fn answer(world: &World, asked: &Asked) -> Result<Value, Refusal> {
    let target = &asked.target;
    if target.name.is_empty() {
        return Ok(list(world, asked));
    }
    if !matches!(target.subresource.as_str(), "" | "status") {
        return Err(Refusal::not_modelled(&format!("the subresource `{}` of {}", target.subresource, target.kind.resource())));
    }
    world.store.get(&target.key()).cloned().ok_or_else(|| Refusal::not_found(&target.kind, &target.name))
}

fn list(world: &World, asked: &Asked) -> Value {
    let Kind { kind, .. } = &asked.target.kind;
    let meant: Vec<&Value> = world
        .store
        .of_kind(&asked.target.kind, &asked.target.namespace)
        .map(|(_, object)| object)
        .filter(|object| asked.query.means(object))
        .collect();
    let from: usize = asked.query.get("continue").parse().unwrap_or(0);
    let limit = asked.query.get("limit").parse().ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let page: Vec<Value> = meant.iter().skip(from).take(limit).map(|object| without_kind(object)).collect();
    let mut metadata = json!({ "resourceVersion": (world.store.version() + FIRST).to_string() });
    if from + page.len() < meant.len() {
        metadata["continue"] = json!((from + page.len()).to_string());
    }
    json!({ "kind": format!("{kind}List"), "apiVersion": asked.target.kind.api_version(), "metadata": metadata, "items": page })
}

/// Items of a list do not say what they are.
fn without_kind(object: &Value) -> Value {
    let mut item = object.clone();
    if let Some(fields) = item.as_object_mut() {
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    item
}

/// What a container printed; with `follow`, until it has ended.
pub(super) fn log(shared: &Arc<Shared>, asked: &Asked) -> Result<Answer, Refusal> {
    let (key, target) = (asked.target.key(), &asked.target);
    let text = shared.with(|world| {
        let pod = world.store.get(&key).ok_or_else(|| Refusal::not_found(&target.kind, &target.name))?;
        let image = images(pod).next().unwrap_or_default();
        Ok(world.scenario.image(image).map(|rule| rule.prints.clone()).unwrap_or_default())
    })?;
    let said = if text.is_empty() || text.ends_with('\n') { text } else { format!("{text}\n") };
    let first = futures::stream::once(async move { Ok::<_, BoxError>(Frame::data(Bytes::from(said))) });
    let shared = Arc::clone(shared);
    let follow = asked.query.is("follow");
    let rest = async move {
        if follow {
            let is_over = |world: &mut World| {
                let phase = world.store.get(&key).map(|pod| pod["status"]["phase"].clone());
                phase.is_none_or(|phase| phase == "Succeeded" || phase == "Failed").then_some(())
            };
            shared.wait_for(is_over).await;
        }
        Ok::<_, BoxError>(Frame::data(Bytes::new()))
    };
    let frames = first.chain(futures::stream::once(rest));
    Ok(Answer::Stream(Box::new(StreamBody::new(frames).boxed_unsync())))
}
