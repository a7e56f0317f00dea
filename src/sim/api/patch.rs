//! Patches: server-side apply, JSON patch and JSON merge patch.

use super::super::owners;
use super::super::refusal::Refusal;
use super::super::rules::typed;
use super::super::world::World;
use super::write::{in_place, store_changed, store_new, writer};
use super::{Answer, Asked};
use serde_json::Value;

/// Patches an object; an apply makes it when it is not there.
pub(super) fn answer(world: &mut World, asked: &Asked) -> Result<Answer, Refusal> {
    let target = &asked.target;
    let live = world.store.get(&target.key()).cloned();
    if asked.content.starts_with("application/apply-patch") {
        return apply(world, asked, live);
    }
    let live = live.ok_or_else(|| Refusal::not_found(&target.kind, &target.name))?;
    let mut new = live.clone();
    match asked.content.as_str() {
        "application/json-patch+json" => {
            let patch: json_patch::Patch = serde_json::from_value(asked.body.clone())
                .map_err(|error| Refusal::new(400, "BadRequest", format!("error decoding patch: {error}")))?;
            // Neither a `test` that does not hold nor a path that leads nowhere is told apart.
            json_patch::patch(&mut new, &patch)
                .map_err(|_| Refusal::new(422, "Invalid", "the server rejected our request due to an error in our request"))?;
        }
        "application/merge-patch+json" => json_patch::merge(&mut new, &asked.body),
        other => return Err(Refusal::not_modelled(&format!("a patch of the type {other}"))),
    }
    in_place(target, &new)?;
    if target.kind.is_known() && asked.query.get("fieldValidation") == "Strict" {
        typed::check_patched(&new)?;
    }
    let by = writer(world, asked);
    store_changed(world, target, &live, new, Some(by)).map(|new| Answer::Json(200, new))
}

fn apply(world: &mut World, asked: &Asked, live: Option<Value>) -> Result<Answer, Refusal> {
    let (target, by) = (&asked.target, writer(world, asked));
    let mut config = asked.body.clone();
    if asked.query.get("fieldManager").is_empty() {
        return Err(Refusal::new(
            400,
            "BadRequest",
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
        ));
    }
    in_place(target, &config)?;
    if !config["metadata"]["managedFields"].is_null() {
        return Err(Refusal::new(400, "BadRequest", "metadata.managedFields must be nil"));
    }
    if target.kind.is_known() {
        typed::check(&config)?;
    }
    let force = asked.query.is("force");
    let Some(live) = live else {
        let uid = &config["metadata"]["uid"];
        if uid.is_string() {
            let why = format!("uid mismatch: the provided object specified uid {uid}, and no existing object was found");
            return Err(Refusal::new(409, "Conflict", why));
        }
        if let Some(metadata) = config["metadata"].as_object_mut() {
            metadata.remove("resourceVersion");
        }
        let new = owners::apply(None, &config, by, force).map_err(|conflicts| Refusal::owned(&conflicts))?;
        return store_new(world, target, new, by.manager).map(|made| Answer::Json(201, made));
    };
    let (uid, version) = (config["metadata"]["uid"].clone(), config["metadata"]["resourceVersion"].clone());
    if let Some(metadata) = config["metadata"].as_object_mut() {
        ["uid", "resourceVersion"].iter().for_each(|name| drop(metadata.remove(*name)));
    }
    let mut new = owners::apply(Some(&live), &config, by, force).map_err(|conflicts| Refusal::owned(&conflicts))?;
    // Guards are looked at with those of every other write.
    for (name, wanted) in [("uid", uid), ("resourceVersion", version)] {
        if wanted.is_string() {
            new["metadata"][name] = wanted;
        }
    }
    store_changed(world, target, &live, new, None).map(|new| Answer::Json(200, new))
}
