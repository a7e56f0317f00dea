//! What a run made and that came to hold something of somebody's.

use super::{Change, Managers, TakenBack, take_back};
use crate::cluster::object::Object;
use crate::cluster::request::Address;
use crate::cluster::test_server::TestServer;
use serde_json::{Value, json};

const SET: &str = "/apis/apps/v1/namespaces/shop/statefulsets/db";
const CLAIM: &str = "/api/v1/namespaces/shop/persistentvolumeclaims/data-db-0";
const MADE: &str = "2026-01-01T00:00:05Z";
const EARLIER: &str = "2026-01-01T00:00:01Z";

fn object(kind: &str, name: &str, made: &str, owner: Option<&str>) -> Value {
    let owners = owner.map(|uid| json!([{ "uid": uid, "controller": true }]));
    json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name, "namespace": "shop", "uid": name, "creationTimestamp": made,
        "ownerReferences": owners, "managedFields": [] } })
}

/// A server on which a run has made an object.
fn made(path: &str, kind: &str, object: Value) -> (TestServer, Change) {
    let server = TestServer::default();
    let after = Object(server.put(path, object));
    let at = Address::known(kind, "shop", after.name());
    (server, Change { at, before: None, after, created: true })
}

async fn take(server: &TestServer, change: &Change) -> TakenBack {
    take_back(&server.cluster().await, &Managers::of("p"), change).await.unwrap()
}

/// Takes a Deployment back that owns a ReplicaSet with a pod, each made at a time: the notes if it stays.
async fn deployment_with(set: &str, pod: &str) -> Option<String> {
    const WEB: &str = "/apis/apps/v1/namespaces/shop/deployments/web";
    let (server, change) = made(WEB, "Deployment", object("Deployment", "web", MADE, None));
    server.put("/apis/apps/v1/namespaces/shop/replicasets/web-1", object("ReplicaSet", "web-1", set, Some("web")));
    server.put("/apis/apps/v1/namespaces/shop/replicasets/other", object("ReplicaSet", "other", EARLIER, Some("other-deployment")));
    server.put("/api/v1/namespaces/shop/pods/web-1-a", object("Pod", "web-1-a", pod, Some("web-1")));
    let taken = take(&server, &change).await;
    assert_eq!(server.object(WEB).is_some(), matches!(taken, TakenBack::Kept(..)));
    if let TakenBack::Kept(_, notes) = taken { Some(notes.join("; ")) } else { None }
}

#[tokio::test]
async fn what_took_over_something_older_stays_with_it() {
    assert_eq!(deployment_with(MADE, MADE).await, None);
    insta::assert_snapshot!(deployment_with(EARLIER, MADE).await.unwrap(), @"deployment/web has taken over replicaset/web-1, which is older and would go with it: `kubectl delete deployment/web -n shop --cascade=orphan` leaves that there");
    insta::assert_snapshot!(deployment_with(MADE, EARLIER).await.unwrap(), @"deployment/web has taken over pod/web-1-a, which is older and would go with it: `kubectl delete deployment/web -n shop --cascade=orphan` leaves that there");
}

/// A set that lets its volumes go with it, and owns one that is older.
fn set() -> (TestServer, Change) {
    let mut set = object("StatefulSet", "db", MADE, None);
    set["spec"] = json!({ "persistentVolumeClaimRetentionPolicy": { "whenDeleted": "Delete", "whenScaled": "Retain" } });
    let (server, change) = made(SET, "StatefulSet", set);
    server.put(CLAIM, object("PersistentVolumeClaim", "data-db-0", EARLIER, Some("db")));
    (server, change)
}

#[tokio::test(start_paused = true)]
async fn a_set_lets_go_of_its_volumes_before_it_goes() {
    let (server, change) = set();
    server.control(|server| {
        let retains = server.object(SET).is_none_or(|set| set["spec"]["persistentVolumeClaimRetentionPolicy"]["whenDeleted"] == "Retain");
        let claim = server.object(CLAIM).unwrap();
        if retains && !claim["metadata"]["ownerReferences"].is_null() {
            server.put(CLAIM, object("PersistentVolumeClaim", "data-db-0", EARLIER, None));
        }
    });
    assert!(matches!(take(&server, &change).await, TakenBack::Restored(None, _)));
    assert_eq!(server.writes(), [format!("PATCH {SET}"), format!("DELETE {SET}")]);
}

#[tokio::test(start_paused = true)]
async fn a_set_that_does_not_let_go_of_its_volumes_stays() {
    let (server, change) = set();
    let TakenBack::Residue(why) = take(&server, &change).await else { panic!("its volumes would go with it") };
    insta::assert_snapshot!(why, @"statefulset/db still owns persistentvolumeclaim/data-db-0 after 60s, which would go with it");
    assert!(server.object(SET).is_some());
}

#[tokio::test]
async fn a_namespace_is_inhabited_by_kinds_of_every_version() {
    let (server, change) = made("/api/v1/namespaces/team", "Namespace", object("Namespace", "team", MADE, None));
    let versions = ["v1", "v1beta1"].map(|version| json!({ "groupVersion": format!("a.test/{version}"), "version": version }));
    server.put("/apis", json!({ "groups": [{ "name": "a.test", "versions": versions, "preferredVersion": versions[0] }] }));
    let resource = |plural: &str, kind: &str| json!({ "name": plural, "kind": kind, "namespaced": true, "verbs": ["list"] });
    server.put("/api/v1", json!({ "resources": [] }));
    server.put("/apis/a.test/v1", json!({ "resources": [resource("widgets", "Widget")] }));
    server.put("/apis/a.test/v1beta1", json!({ "resources": [resource("widgets", "Widget"), resource("grants", "Grant")] }));
    server.put("/apis/a.test/v1beta1/namespaces/team/grants/theirs", object("Grant", "theirs", MADE, None));
    let TakenBack::Kept(_, notes) = take(&server, &change).await else { panic!("somebody's grant is in it") };
    insta::assert_snapshot!(notes.join("; "), @"namespace/team is not empty (grant/theirs) and stays");
    let asked = server.reads().into_iter().filter(|path| path.contains("/namespaces/team/")).collect::<Vec<_>>();
    assert_eq!(asked, ["/apis/a.test/v1/namespaces/team/widgets", "/apis/a.test/v1beta1/namespaces/team/grants"], "each kind once");
}
