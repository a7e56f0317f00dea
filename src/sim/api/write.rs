//! Writing: creating, replacing, changing, deleting, each guarded by what the request says of the object that it means.

use super::super::controllers;
use super::super::defaults;
use super::super::fields::unknown;
use super::super::kinds::Kind;
use super::super::owners::{self, Writer};
use super::super::refusal::Refusal;
use super::super::rules;
use super::super::store::Key;
use super::super::world::World;
use super::{Answer, Asked, Target, patch};
use data_encoding::BASE64;
use http::Method;
use serde_json::{Value, json};

/// The manager of whoever names none.
const NAMELESS: &str = "bowline";

/// Does what is asked.
pub(super) fn answer(world: &mut World, asked: &Asked) -> Result<Answer, Refusal> {
    let target = &asked.target;
    if let Some(review) = review(asked) {
        return Ok(Answer::Json(201, review));
    }
    match (&asked.method, target.subresource.as_str()) {
        (&Method::POST, "eviction") => delete(world, target, &asked.body["deleteOptions"]).map(|found| Answer::Json(201, found)),
        (&Method::POST, "") => create(world, asked).map(|made| Answer::Json(201, made)),
        (&Method::PUT, "" | "status") => replace(world, asked).map(|new| Answer::Json(200, new)),
        (&Method::PATCH, "" | "status") => patch::answer(world, asked),
        (&Method::DELETE, "") => delete(world, target, &asked.body).map(|found| Answer::Json(200, found)),
        (method, subresource) => {
            Err(Refusal::not_modelled(&format!("{method} of the subresource `{subresource}` of {}", target.kind.resource())))
        }
    }
}

/// The one who is simulated may do everything.
fn review(asked: &Asked) -> Option<Value> {
    let mut answer = asked.body.clone();
    answer["status"] = match asked.body["kind"].as_str()? {
        "SelfSubjectAccessReview" => json!({ "allowed": true }),
        "SelfSubjectRulesReview" => {
            let all = json!({ "verbs": ["*"], "apiGroups": ["*"], "resources": ["*"] });
            json!({ "resourceRules": [all], "nonResourceRules": [], "incomplete": false })
        }
        _ => return None,
    };
    Some(answer)
}

pub(super) fn writer<'a>(world: &World, asked: &'a Asked) -> Writer<'a> {
    let manager = asked.query.get("fieldManager");
    world.writer(if manager.is_empty() { NAMELESS } else { manager }, &asked.target.subresource)
}

fn create(world: &mut World, asked: &Asked) -> Result<Value, Refusal> {
    let mut object = asked.body.clone();
    if object["metadata"]["name"].as_str().is_none_or(str::is_empty) {
        let Some(beginning) = object["metadata"]["generateName"].as_str() else {
            return Err(rules::nameless(&asked.target.kind));
        };
        object["metadata"]["name"] = json!(format!("{beginning}{}", world.suffix()));
    }
    in_place(&asked.target, &object)?;
    let target = Target { name: object["metadata"]["name"].as_str().unwrap_or_default().to_owned(), ..asked.target.clone() };
    if world.store.get(&target.key()).is_some() {
        return Err(Refusal::exists(&target.kind, &target.name));
    }
    if object["metadata"]["resourceVersion"].as_str().is_some_and(|version| !version.is_empty()) {
        return Err(Refusal::new(400, "BadRequest", "resourceVersion should not be set on objects to be created"));
    }
    let manager = writer(world, asked).manager.to_owned();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("managedFields");
    }
    store_new(world, &target, object, &manager)
}

/// An object that names itself names what the path names.
pub(super) fn in_place(target: &Target, object: &Value) -> Result<(), Refusal> {
    let named = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    let (name, namespace) = (named("name"), named("namespace"));
    if target.kind.namespaced && !namespace.is_empty() && namespace != target.namespace {
        let why = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(Refusal::new(400, "BadRequest", why));
    }
    if !target.name.is_empty() && !name.is_empty() && name != target.name {
        let why = format!("the name of the object ({name}) does not match the name on the URL ({})", target.name);
        return Err(Refusal::new(400, "BadRequest", why));
    }
    Ok(())
}

/// Stores an object that is not there yet; owners that it carries stay as they are.
pub(super) fn store_new(world: &mut World, target: &Target, mut object: Value, manager: &str) -> Result<Value, Refusal> {
    let namespace = &target.namespace;
    if target.kind.namespaced {
        let home = world.store.get(&Key::new(Kind::named("Namespace"), "", namespace)).cloned();
        let home = home.ok_or_else(|| Refusal::not_found(Kind::named("Namespace"), namespace))?;
        if home["metadata"]["deletionTimestamp"].is_string() {
            let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
            return Err(Refusal::new(403, "Forbidden", why));
        }
        object["metadata"]["namespace"] = json!(namespace);
    }
    complete(&target.kind, &mut object);
    let status = object.as_object_mut().and_then(|fields| fields.remove("status"));
    if target.kind.kind == "Namespace" {
        object["status"] = json!({ "phase": "Active" });
    } else if let Some(status) = status.filter(|_| !target.kind.counts && target.kind.kind != "Service") {
        object["status"] = status;
    }
    match target.kind.kind.as_str() {
        "Pod" => object["status"] = json!({ "phase": "Pending" }),
        "CustomResourceDefinition" => object["status"] = established(world, &object),
        _ => {}
    }
    rules::check(&target.kind, None, &object, &world.scenario).inspect_err(|refusal| world.note(&refusal.message))?;
    if target.kind.kind == "Pod" {
        controllers::admit(world, namespace, &object).map_err(|why| Refusal::new(403, "Forbidden", why))?;
    }
    let made = world.create(&target.key(), object, manager);
    match target.kind.kind.as_str() {
        "Pod" => controllers::begin(world, &target.key(), &made),
        // It has one as soon as it is there.
        "Service" => controllers::network::give_address(world, &target.key(), &made),
        _ => {}
    }
    Ok(world.store.get(&target.key()).cloned().unwrap_or(made))
}

/// The status of a definition whose kind is served. A real server takes a moment for that.
fn established(world: &World, definition: &Value) -> Value {
    let condition = |kind: &str, reason: &str, message: &str| json!({ "type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": owners::time(world.now) });
    let stored = definition["spec"]["versions"].as_array().into_iter().flatten().filter(|version| version["storage"] == true);
    json!({
        "acceptedNames": definition["spec"]["names"],
        "conditions": [
            condition("NamesAccepted", "NoConflicts", "no conflicts found"),
            condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        ],
        "storedVersions": stored.map(|version| version["name"].clone()).collect::<Vec<_>>(),
    })
}

/// Fills in what the server fills in.
fn complete(kind: &Kind, object: &mut Value) {
    object["apiVersion"] = json!(kind.api_version());
    object["kind"] = json!(kind.kind.as_str());
    if !kind.is_known() {
        return;
    }
    unknown::prune(&kind.group, &kind.kind, object);
    if kind.kind == "Secret" {
        let texts = object.as_object_mut().and_then(|fields| fields.remove("stringData"));
        for (name, text) in texts.iter().filter_map(Value::as_object).flatten() {
            object["data"][name] = json!(BASE64.encode(text.as_str().unwrap_or_default().as_bytes()));
        }
    }
    defaults::fill(object);
}

fn replace(world: &mut World, asked: &Asked) -> Result<Value, Refusal> {
    let target = &asked.target;
    let live = world.store.get(&target.key()).cloned().ok_or_else(|| Refusal::not_found(&target.kind, &target.name))?;
    let mut new = asked.body.clone();
    in_place(target, &new)?;
    if new["metadata"]["managedFields"].is_null() {
        new["metadata"]["managedFields"] = live["metadata"]["managedFields"].clone();
    }
    store_changed(world, target, &live, new, Some(writer(world, asked)))
}

/// Stores a changed object, if it is a change of the live one. Without a writer its owners are noted already.
pub(super) fn store_changed(
    world: &mut World,
    target: &Target,
    live: &Value,
    mut new: Value,
    writer: Option<Writer<'_>>,
) -> Result<Value, Refusal> {
    guard(target, live, &new)?;
    let metadata = &mut new["metadata"];
    for name in [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ] {
        match &live["metadata"][name] {
            Value::Null => drop(metadata.as_object_mut().and_then(|metadata| metadata.remove(name))),
            known => metadata[name] = known.clone(),
        }
    }
    // The object and what is noted about it are written by different people.
    if target.subresource == "status" {
        let (status, owners) = (new["status"].clone(), new["metadata"]["managedFields"].clone());
        new = live.clone();
        new["status"] = status;
        new["metadata"]["managedFields"] = owners;
    } else {
        match live.get("status") {
            Some(status) => new["status"] = status.clone(),
            None => drop(new.as_object_mut().and_then(|fields| fields.remove("status"))),
        }
    }
    complete(&target.kind, &mut new);
    // What the server gave once it keeps giving.
    for name in ["clusterIP", "clusterIPs"] {
        if target.kind.kind == "Service" && new["spec"][name].is_null() && !live["spec"][name].is_null() {
            new["spec"][name] = live["spec"][name].clone();
        }
    }
    rules::check(&target.kind, Some(live), &new, &world.scenario).inspect_err(|refusal| world.note(&refusal.message))?;
    if let Some(writer) = writer {
        owners::note_update(Some(live), &mut new, writer);
    }
    Ok(world.update(&target.key(), new))
}

/// An object that names a uid or a version means the one that has them.
fn guard(target: &Target, live: &Value, new: &Value) -> Result<(), Refusal> {
    let (wanted, there) = (&new["metadata"], &live["metadata"]);
    if wanted["uid"].is_string() && wanted["uid"] != there["uid"] {
        return Err(Refusal::other_uid(&target.kind, &target.name, &wanted["uid"], &there["uid"]));
    }
    match wanted["resourceVersion"].as_str() {
        Some(version) if !version.is_empty() && wanted["resourceVersion"] != there["resourceVersion"] => {
            Err(Refusal::stale(&target.kind, &target.name))
        }
        _ => Ok(()),
    }
}

fn delete(world: &mut World, target: &Target, options: &Value) -> Result<Value, Refusal> {
    let key = target.key();
    let live = world.store.get(&key).cloned().ok_or_else(|| Refusal::not_found(&target.kind, &target.name))?;
    let wanted = &options["preconditions"];
    if wanted["uid"].is_string() && wanted["uid"] != live["metadata"]["uid"] {
        return Err(Refusal::other_uid(&target.kind, &target.name, &wanted["uid"], &live["metadata"]["uid"]));
    }
    if wanted["resourceVersion"].is_string() && wanted["resourceVersion"] != live["metadata"]["resourceVersion"] {
        return Err(Refusal::stale(&target.kind, &target.name));
    }
    if options["propagationPolicy"] == "Orphan" {
        leave_alone(world, &live["metadata"]["uid"]);
    }
    world.delete(&key);
    Ok(world.store.get(&key).cloned().unwrap_or_else(|| json!({ "kind": "Status", "apiVersion": "v1", "status": "Success" })))
}

/// Takes the owner away from what it owns, so that it stays.
fn leave_alone(world: &mut World, owner: &Value) {
    let owns = |object: &Value| object["metadata"]["ownerReferences"].as_array().into_iter().flatten().any(|known| known["uid"] == *owner);
    let owned: Vec<Key> = world.store.all().iter().filter(|(_, object)| owns(object)).map(|(key, _)| key.clone()).collect();
    for key in owned {
        world.change(&key, controllers::MANAGER, "", |object| {
            if let Some(owners) = object["metadata"]["ownerReferences"].as_array_mut() {
                owners.retain(|known| known["uid"] != *owner);
            }
        });
    }
}
