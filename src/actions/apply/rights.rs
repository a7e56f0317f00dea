//! Which rights an `apply` needs, for its writes and for taking them back.

mod occupants;

use crate::action::ActionError;
use crate::actions::kubernetes::{Place, failed, patch_rights, reader_rights, remake_rights};
use crate::cluster::images::images;
use crate::cluster::rights::Right;
use crate::cluster::undo::{is_sealing, owned_kinds};
use crate::cluster::write::Wanted;
use crate::cluster::{Address, Kind, Object};
use serde_json::Value;

/// An object that is to be written.
pub(super) struct Touched<'a> {
    at: &'a Address,
    manifest: &'a Value,
    /// Whether it is there; none when that is not known.
    exists: Option<bool>,
    /// It is made immutable: then it can only be taken back by making it again.
    seals: bool,
}

impl<'a> Touched<'a> {
    /// What becomes of an object when this is applied to it.
    pub(super) fn of(wanted: &'a Wanted, live: Option<&Object>) -> Self {
        Self {
            at: &wanted.at,
            manifest: &wanted.manifest,
            exists: Some(live.is_some()),
            seals: live.is_some_and(|live| is_sealing(&wanted.at, live, &wanted.manifest)),
        }
    }

    /// The same, where nobody has looked yet.
    fn unseen(wanted: &'a Wanted) -> Self {
        let Wanted { at, manifest, .. } = wanted;
        Self { at, manifest, exists: None, seals: is_sealing(at, &Object(Value::Null), manifest) }
    }
}

/// The rights that we lack, one line each.
pub(super) async fn lacking(place: &Place, touched: &[Touched<'_>]) -> Result<Vec<String>, ActionError> {
    let rights: Vec<Right> = touched.iter().flat_map(needed).collect();
    let mut lacking = place.lacking(&rights).await?;
    for made in touched.iter().filter(|touched| touched.exists != Some(true)) {
        lacking.extend(occupants::lacking(place, made.at, made.manifest).await?);
    }
    Ok(lacking)
}

/// The same before anything was read. Whether an object would be made or changed is only looked for when that matters.
pub(super) async fn lacking_at_all(place: &Place, objects: &[Wanted]) -> Result<Vec<String>, ActionError> {
    let any: Vec<Touched<'_>> = objects.iter().map(Touched::unseen).collect();
    if lacking(place, &any).await?.is_empty() {
        return Ok(Vec::new());
    }
    let addresses: Vec<Address> = objects.iter().map(|wanted| wanted.at.clone()).collect();
    let live = images(&place.cluster, &addresses).await.map_err(|error| failed("cannot read the objects", &error))?;
    let known: Vec<Touched<'_>> = objects.iter().map(|wanted| Touched::of(wanted, live.get(&wanted.at))).collect();
    lacking(place, &known).await
}

fn needed(touched: &Touched<'_>) -> Vec<Right> {
    let Touched { at, exists, seals, .. } = *touched;
    let mut rights = vec![Right::on("get", at), Right::on("patch", at)];
    if exists != Some(false) {
        rights.extend(patch_rights(at));
    }
    if exists != Some(false) {
        rights.extend(reader_rights(at));
    }
    if seals || exists != Some(true) {
        // What was made is deleted, and watched until it is gone.
        rights.extend(remake_rights(at).into_iter().filter(|right| seals || right.verb != "create"));
    }
    if exists != Some(true) {
        rights.extend(possessions(at));
        // Server-side apply needs both to make an object.
        rights.push(Right::on("create", at));
    }
    rights
}

/// Before something goes that the run made, it is looked at what it owns: what is older would go with it.
fn possessions(at: &Address) -> Vec<Right> {
    let right = |verb, kind: &str| {
        let owned = Address { kind: Kind::known(kind), namespace: at.namespace.clone(), name: String::new() };
        Right::on(verb, &owned).for_undo()
    };
    let mut rights: Vec<Right> = owned_kinds(&at.kind.kind).iter().map(|kind| right("list", kind)).collect();
    if at.kind.kind == "StatefulSet" {
        rights.extend(["list", "watch"].map(|verb| right(verb, "PersistentVolumeClaim")));
    }
    rights
}

#[cfg(test)]
mod tests {
    use super::{Touched, lacking, needed};
    use crate::action::RunScope;
    use crate::actions::kubernetes::Place;
    use crate::cluster::test_server::TestServer;
    use crate::cluster::write::Wanted;
    use crate::cluster::{Address, Clusters, Object};
    use crate::ids::{PlanName, RunId};
    use crate::ports::SystemClock;
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn verbs(wanted: &Wanted, live: Option<Value>) -> Vec<(&'static str, bool)> {
        needed(&Touched::of(wanted, live.map(Object).as_ref())).iter().map(|right| (right.verb, right.for_undo)).collect()
    }

    fn wanted(kind: &'static str, manifest: Value) -> Wanted {
        Wanted { at: Address::known(kind, "shop", "web"), manifest, force: false }
    }

    #[test]
    fn what_is_made_must_be_deletable_and_what_is_changed_must_not() {
        let service = wanted("Service", json!({}));
        let (made, changed) = (verbs(&service, None), verbs(&service, Some(json!({}))));
        assert!(made.contains(&("delete", true)) && !made.contains(&("update", true)));
        assert!(changed.contains(&("update", true)) && !changed.iter().any(|(verb, _)| matches!(*verb, "create" | "delete")));
        let unseen: Vec<_> = needed(&Touched::unseen(&service)).iter().map(|right| (right.verb, right.for_undo)).collect();
        assert!(unseen.contains(&("delete", true)) && unseen.contains(&("update", true)));
    }

    #[test]
    fn what_is_made_may_come_to_own_something_that_has_to_be_looked_at() {
        let listed = |kind| {
            let rights = needed(&Touched::of(&wanted(kind, json!({})), None));
            let of_others =
                rights.into_iter().filter(|right| right.verb == "list" && right.resource != Address::known(kind, "", "").kind.plural);
            of_others.map(|right| right.resource).collect::<Vec<_>>()
        };
        assert_eq!(listed("Deployment"), ["replicasets", "pods"]);
        assert_eq!(listed("StatefulSet"), ["pods", "persistentvolumeclaims"]);
        assert!(listed("Service").is_empty());
    }

    #[test]
    fn what_runs_pods_must_be_seen_healthy_again() {
        let web = wanted("Deployment", json!({}));
        let undo = |live: Option<Value>| {
            let rights = needed(&Touched::of(&web, live.map(Object).as_ref()));
            rights.into_iter().filter(|right| right.for_undo && right.verb == "watch").map(|right| right.resource).collect::<Vec<_>>()
        };
        assert_eq!(undo(Some(json!({}))), ["deployments", "pods", "replicasets"]);
        assert_eq!(undo(None), ["deployments"], "what was made is only deleted");
    }

    async fn lacking_to_make(object: Value, rights: bool) -> String {
        let server = TestServer::default();
        let kind = |name: &str, kind: &str| json!({ "name": name, "kind": kind, "namespaced": true, "verbs": ["list"] });
        server.put("/apis", json!({ "groups": [] }));
        server.put("/api/v1", json!({ "resources": [kind("pods", "Pod"), kind("secrets", "Secret"), kind("configmaps", "ConfigMap"), kind("services", "Service")] }));
        if !rights {
            server.give_no_rights();
        }
        let clusters = Clusters::new(Arc::new(server), Arc::new(SystemClock));
        let scope = RunScope {
            run: RunId::new("run").unwrap(),
            plan: PlanName::new("plan").unwrap(),
            environment: None,
            namespace: None,
            context: None,
        };
        let place = Place::open(&clusters, &scope, None).await.unwrap();
        let kind = object["kind"].as_str().unwrap();
        let at = Address::known(kind, "shop", "made");
        let wanted = Wanted { at, manifest: object, force: false };
        lacking(&place, &[Touched::of(&wanted, None)]).await.unwrap().join("\n")
    }

    #[tokio::test]
    async fn whoever_makes_a_namespace_must_see_what_is_in_it() {
        let namespace = json!({ "kind": "Namespace" });
        assert_eq!(lacking_to_make(namespace.clone(), true).await, "");
        insta::assert_snapshot!(lacking_to_make(namespace, false).await, @r"
        may not get namespaces `made`
        may not patch namespaces `made`
        may not delete namespaces `made`: needed to take the change back
        may not list namespaces: needed to take the change back
        may not watch namespaces: needed to take the change back
        may not create namespaces
        may not list objects of every kind in namespace `made`: needed to take the change back
        ");
        let definition =
            json!({ "kind": "CustomResourceDefinition", "spec": { "group": "example.com", "names": { "plural": "gadgets" } } });
        assert!(lacking_to_make(definition, false).await.contains("may not list gadgets.example.com: needed to take the change back"));
    }

    #[test]
    fn what_is_made_immutable_must_be_replaceable() {
        let config = wanted("ConfigMap", json!({ "immutable": true }));
        let sealed = verbs(&config, Some(json!({})));
        assert!(sealed.contains(&("create", true)) && sealed.contains(&("delete", true)) && sealed.contains(&("watch", true)));
        assert!(!verbs(&config, Some(json!({ "immutable": true }))).contains(&("delete", true)));
    }
}
