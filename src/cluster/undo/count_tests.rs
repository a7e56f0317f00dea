//! The count of a workload whose autoscaler is gone.

use super::managed::entries;
use super::{Managers, give_count_back};
use crate::cluster::object::Object;
use crate::cluster::request::Address;
use crate::cluster::test_server::{Mishap, TestServer};
use serde_json::{Value, json};

const WEB: &str = "/apis/apps/v1/namespaces/shop/deployments/web";

fn entry(manager: &str, subresource: Option<&str>, fields: Value) -> Value {
    let mut entry = json!({ "manager": manager, "operation": "Update", "apiVersion": "v1", "fieldsV1": { "f:spec": fields } });
    subresource.into_iter().for_each(|name| entry["subresource"] = json!(name));
    entry
}

fn deployment(replicas: u32, owners: &[Value]) -> Value {
    json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web", "namespace": "shop", "uid": "w", "managedFields": owners },
        "spec": { "replicas": replicas, "paused": false } })
}

/// A workload of two that a writer has scaled to four.
fn scaled(by: Value) -> (TestServer, Object) {
    let server = TestServer::default();
    let before = deployment(2, &[entry("kubectl", None, json!({ "f:replicas": {}, "f:paused": {} }))]);
    let before = Object(server.put(WEB, before));
    server.put(WEB, deployment(4, &[entry("kubectl", None, json!({ "f:paused": {} })), by]));
    (server, before)
}

async fn give_back(server: &TestServer, before: &Object) -> bool {
    let at = Address::known("Deployment", "shop", "web");
    give_count_back(&server.cluster().await, &Managers::of("p"), &at, before).await.unwrap().is_some()
}

#[tokio::test]
async fn the_count_and_who_owns_it_are_as_before() {
    for mishaps in [vec![], vec![Mishap::Lost], vec![Mishap::None, Mishap::Lost]] {
        let (server, before) = scaled(entry("kube-controller-manager", Some("scale"), json!({ "f:replicas": {} })));
        server.meet(&mishaps);
        give_back(&server, &before).await;
        let now = Object(server.object(WEB).unwrap());
        assert_eq!((now.number("/spec/replicas"), entries(&now)), (Some(2), entries(&before)), "{mishaps:?}");
        let writes = server.writes().len();
        give_back(&server, &before).await;
        assert_eq!(server.writes().len(), writes, "a second time there is nothing left to write");
    }
}

#[tokio::test]
async fn a_count_that_somebody_has_set_is_theirs() {
    let (server, before) = scaled(entry("kubectl-scale", Some("scale"), json!({ "f:replicas": {} })));
    assert!(!give_back(&server, &before).await);
    let (server, before) = scaled(entry("kube-controller-manager", Some("scale"), json!({ "f:replicas": {} })));
    let mut other = server.object(WEB).unwrap();
    other["metadata"]["uid"] = json!("another");
    server.put(WEB, other);
    assert!(!give_back(&server, &before).await && server.writes().is_empty());
}
