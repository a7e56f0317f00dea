//! A guarded server-side apply, and what a dry run of it says. It keeps no journal and takes nothing back.

use crate::cluster::answer::{ApiError, Class};
use crate::cluster::api::Cluster;
use crate::cluster::diff::is_same;
use crate::cluster::object::Object;
use crate::cluster::request::{Address, Manner, Written};
use crate::cluster::undo::Managers;
use crate::cluster::undo::managed::{entries, is_same_list};
use serde_json::{Value, json};
use std::time::Duration;

/// How often an object that changes under our hands is read anew.
const TRIES: u32 = 6;

/// Between an object that somebody else has just made and our write to it: servers tell times in seconds, and only by them can a lost write
/// be told from one that made the object.
const APART: Duration = Duration::from_millis(1_100);

/// An object as it should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// Where.
    pub at: Address,
    /// What to apply, without uid and resourceVersion.
    pub manifest: Value,
    /// Takes fields from other managers, too.
    pub force: bool,
}

/// What applying an object would do.
#[derive(Debug, Clone, PartialEq)]
pub enum DryRun {
    /// Nothing: it is there as it should be.
    Same,
    /// The object would be this one.
    Changes {
        /// The object as it would be; none when the server cannot say.
        object: Option<Object>,
        /// Fields have to be taken from other managers of this plan, or from all.
        force: bool,
        /// What the server warns of.
        warnings: Vec<String>,
    },
}

/// An apply that was done.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The object as it is now.
    pub object: Object,
    /// It was not there before.
    pub created: bool,
    /// The object that the write met, when that was not the one that was read before any more.
    pub met: Option<Object>,
    /// What the server warns of.
    pub warnings: Vec<String>,
}

/// Asks the server what applying would do to the object that was read.
///
/// # Errors
/// What the server would refuse.
pub async fn dry_run(cluster: &Cluster, managers: &Managers, wanted: &Wanted, live: Option<&Object>) -> Result<DryRun, ApiError> {
    let manager = managers.apply();
    let manner = Manner { dry_run: true, force: wanted.force, ..Manner::of(&manager) };
    let mut force = wanted.force;
    let mut answer = cluster.apply(&wanted.at, &guarded(&wanted.manifest, live), manner).await;
    if let Err(error) = &answer
        && is_only_own_conflict(error, managers)
    {
        force = true;
        answer = cluster.apply(&wanted.at, &guarded(&wanted.manifest, live), Manner { force, ..manner }).await;
    }
    match (answer, live) {
        (Ok(Written { object, .. }), Some(live)) if is_same(&object, live) && is_same_list(&entries(&object), &entries(live)) => {
            Ok(DryRun::Same)
        }
        (Ok(Written { object, warnings, .. }), _) => Ok(DryRun::Changes { object: Some(object), force, warnings }),
        // A webhook with side effects makes a dry run impossible, not the write.
        (Err(error), _) if error.message.contains("does not support dry run") => {
            Ok(DryRun::Changes { object: None, force, warnings: Vec::new() })
        }
        (Err(error), _) => Err(error),
    }
}

/// Applies, guarded by uid and resourceVersion of what was read last. A change by somebody else in between is looked at and
/// becomes what the write meets; an object that was made anew in between is not touched. `force` is what a dry run said: where it is
/// there for fields of our own managers alone, nobody else's fields are taken.
///
/// # Errors
/// What the server refuses; [`Class::Lost`] when it may have been done.
pub async fn apply(
    cluster: &Cluster,
    managers: &Managers,
    wanted: &Wanted,
    mut force: bool,
    live: Option<Object>,
) -> Result<Applied, ApiError> {
    let manager = managers.apply();
    let mut met = live.clone();
    for _ in 0..TRIES {
        let manner = Manner { force, ..Manner::of(&manager) };
        match cluster.apply(&wanted.at, &guarded(&wanted.manifest, met.as_ref()), manner).await {
            Ok(Written { object, created, warnings }) => {
                let met = met.filter(|met| live.as_ref().is_none_or(|live| !is_same(live, met)));
                return Ok(Applied { object, created, met, warnings });
            }
            Err(error) if error.class == Class::Stale => {
                let is_new = met.is_none() && live.is_none();
                if is_new {
                    cluster.clock.sleep(APART).await;
                }
                let now = cluster.get(&wanted.at).await?;
                let uid = |object: &Option<Object>| object.as_ref().map(|object| object.uid().to_owned());
                if (uid(&now) != uid(&live) && !is_new) || now.as_ref().is_some_and(Object::is_terminating) {
                    return Err(error);
                }
                met = now;
                if force
                    && !wanted.force
                    && let DryRun::Changes { force: still, .. } = dry_run(cluster, managers, wanted, met.as_ref()).await?
                {
                    force = still;
                }
            }
            Err(error) => return Err(error),
        }
    }
    Err(ApiError { class: Class::Stale, message: format!("{} is changed by somebody else all the time", wanted.at), retry_after: None })
}

/// No object ever has this version: a write that names it makes the object, or fails because there is one.
const NEVER: &str = "1";

/// Both guards are needed: with the resourceVersion alone an object that is gone would be made anew.
fn guarded(manifest: &Value, live: Option<&Object>) -> Value {
    let mut guarded = manifest.clone();
    match live {
        Some(live) => {
            guarded["metadata"]["uid"] = json!(live.uid());
            guarded["metadata"]["resourceVersion"] = json!(live.resource_version());
        }
        None => guarded["metadata"]["resourceVersion"] = json!(NEVER),
    }
    guarded
}

fn is_only_own_conflict(error: &ApiError, managers: &Managers) -> bool {
    matches!(&error.class, Class::Owned(fields) if fields.iter().all(|field| managers.is_own(&field.manager)))
}

#[cfg(test)]
mod tests {
    use super::{DryRun, Wanted, apply, dry_run};
    use crate::cluster::answer::Class;
    use crate::cluster::object::Object;
    use crate::cluster::request::Address;
    use crate::cluster::test_server::{Mishap, TestServer};
    use crate::cluster::undo::Managers;
    use serde_json::json;

    const PATH: &str = "/api/v1/namespaces/shop/configmaps/web";

    /// What a dry run allowed against our own fields holds for nobody else who comes in between.
    #[tokio::test]
    async fn force_for_our_own_fields_takes_nobody_elses() {
        let (server, managers) = (TestServer::default(), Managers::of("shop"));
        let cluster = server.cluster().await;
        let object = |a: &str| json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "web" }, "data": { "a": a } });
        let mut live = object("1");
        (live["metadata"]["uid"], live["metadata"]["managedFields"]) = (json!("u"), json!([]));
        let live = Object(server.put(PATH, live));
        server.owned_by("bowline-patch:shop");
        let mut wanted = Wanted { at: Address::known("ConfigMap", "shop", "web"), manifest: object("2"), force: false };
        let found = dry_run(&cluster, &managers, &wanted, Some(&live)).await.unwrap();
        assert!(matches!(found, DryRun::Changes { force: true, .. }), "{found:?}");
        server.meet(&[Mishap::Taken("kubectl")]);
        let error = apply(&cluster, &managers, &wanted, true, Some(live.clone())).await.unwrap_err();
        assert!(matches!(error.class, Class::Owned(_)), "{error:?}");
        assert!(server.writes().is_empty());
        wanted.force = true;
        assert!(apply(&cluster, &managers, &wanted, true, Some(live)).await.is_ok(), "the plan says so");
    }
}
