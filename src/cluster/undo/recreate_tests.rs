//! Making deleted objects again on the test server.

use super::recreate::{Recreated, recreate};
use crate::cluster::Address;
use crate::cluster::object::Object;
use crate::cluster::test_server::{Mishap, TestServer};
use crate::cluster::undo::Managers;
use serde_json::{Value, json};

const PATH: &str = "/api/v1/namespaces/shop/configmaps/conf";

fn conf(owner: Option<&str>) -> Value {
    let mut conf = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "data": { "a": "1" }, "status": { "x": 1 },
        "metadata": { "name": "conf", "namespace": "shop", "uid": "old", "creationTimestamp": "2026-01-01T00:00:00Z", "labels": { "t": "x" },
            "managedFields": [{ "manager": "kubectl", "operation": "Apply", "apiVersion": "v1", "fieldsV1": { "f:data": { "f:a": {} } } }] },
    });
    if let Some(uid) = owner {
        conf["metadata"]["ownerReferences"] = json!([{ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": uid }]);
    }
    conf
}

async fn again(server: &TestServer, before: &Object) -> Recreated {
    let at = Address::known("ConfigMap", "shop", "conf");
    recreate(&server.cluster().await, &Managers::of("plan"), &at, before).await.unwrap()
}

#[tokio::test]
async fn all_but_the_uid_is_as_it_was() {
    let server = TestServer::default();
    let before = Object(server.put(PATH, conf(None)));
    server.remove(PATH);
    let Recreated::Again(now, notes) = again(&server, &before).await else { panic!("not made again") };
    assert_eq!(notes, ["configmap/conf was made again and has a new uid"]);
    assert_ne!(now.uid(), "old");
    assert_eq!((&now.0["data"], &now.0["metadata"]["labels"]), (&before.0["data"], &before.0["metadata"]["labels"]));
    assert_eq!(now.0["metadata"]["managedFields"], before.0["metadata"]["managedFields"]);
    let writes = server.writes();
    assert!(matches!(again(&server, &before).await, Recreated::Again(..)));
    assert_eq!(server.writes(), writes, "a second call writes nothing");
}

#[tokio::test]
async fn a_lost_answer_is_looked_up_and_a_half_way_end_is_gone_on_from() {
    for mishaps in [&[Mishap::Lost][..], &[Mishap::None, Mishap::Lost], &[Mishap::Lost, Mishap::Lost]] {
        let server = TestServer::default();
        let before = Object(server.put(PATH, conf(None)));
        server.remove(PATH);
        server.meet(mishaps);
        assert!(matches!(again(&server, &before).await, Recreated::Again(..)), "{mishaps:?}");
        assert_eq!(server.object(PATH).unwrap()["metadata"]["managedFields"], before.0["metadata"]["managedFields"], "{mishaps:?}");
    }
}

#[tokio::test]
async fn an_owner_that_is_gone_is_left_out_and_told() {
    let server = TestServer::default();
    let web = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web", "namespace": "shop", "uid": "w" } });
    server.put("/apis/apps/v1/namespaces/shop/deployments/web", web);
    for (uid, kept) in [("w", true), ("dead", false)] {
        let before = Object(server.put(PATH, conf(Some(uid))));
        server.remove(PATH);
        let Recreated::Again(now, notes) = again(&server, &before).await else { panic!("not made again") };
        assert_eq!(now.0["metadata"]["ownerReferences"].is_array(), kept);
        assert_eq!(notes.len(), if kept { 1 } else { 2 }, "{notes:?}");
    }
}

#[tokio::test]
async fn what_somebody_else_made_there_stays() {
    let server = TestServer::default();
    let before = Object(server.put(PATH, conf(None)));
    let mut other = conf(None);
    (other["metadata"]["uid"], other["data"]["a"]) = (json!("new"), json!("2"));
    server.put(PATH, other);
    assert!(matches!(again(&server, &before).await, Recreated::Theirs(_)));
    assert_eq!(server.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn an_address_that_is_taken_is_given_up() {
    let server = TestServer::default();
    let path = "/api/v1/namespaces/shop/services/web";
    let web = json!({ "apiVersion": "v1", "kind": "Service", "spec": { "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ports": [{ "port": 80, "nodePort": 30001 }] },
        "metadata": { "name": "web", "namespace": "shop", "uid": "old", "managedFields": [] } });
    let before = Object(server.put(path, web));
    server.remove(path);
    server.meet(&[Mishap::Invalid]);
    let at = Address::known("Service", "shop", "web");
    let made = recreate(&server.cluster().await, &Managers::of("plan"), &at, &before).await.unwrap();
    let Recreated::Again(now, notes) = made else { panic!("{made:?}") };
    assert_eq!(now.0["spec"], json!({ "ports": [{ "port": 80 }] }));
    assert!(notes.iter().any(|note| note.contains("another address")), "{notes:?}");
}
