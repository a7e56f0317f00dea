//! Reading in pages from a server that forgets.

use super::Clusters;
use crate::cluster::kinds::Kind;
use crate::ports::{Connection, Kubernetes, KubernetesError, SystemClock, SystemLoopback};
use futures::future::{BoxFuture, FutureExt};
use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};
use std::sync::Arc;

/// Three ConfigMaps on two pages; the first page is forgotten when the second is asked for.
struct Forgetful;

fn answer(query: &str) -> (u16, Value) {
    let named = |name: &str| json!({ "metadata": { "name": name } });
    if query.contains("continue=") {
        let message = "The provided continue parameter is too old to display a consistent list result.";
        return (410, json!({ "kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": message }));
    }
    let (names, token) = if query.contains("limit=0") { (&["a", "b", "new"][..], "") } else { (&["a", "b"][..], "next") };
    let items: Vec<Value> = names.iter().map(|name| named(name)).collect();
    (200, json!({ "kind": "ConfigMapList", "metadata": { "continue": token }, "items": items }))
}

impl Kubernetes for Forgetful {
    fn connect(&self, _context: Option<&str>) -> BoxFuture<'static, Result<Connection, KubernetesError>> {
        let service = tower::service_fn(|request: Request<Body>| async move {
            let (code, body) = answer(request.uri().query().unwrap_or_default());
            Ok::<_, std::convert::Infallible>(Response::builder().status(code).body(Body::from(body.to_string().into_bytes())).unwrap())
        });
        let connection = Connection {
            client: kube::Client::new(service, "shop"),
            namespace: "shop".to_owned(),
            context: "test".to_owned(),
            server: "http://test".to_owned(),
            loopback: Arc::new(SystemLoopback),
        };
        futures::future::ready(Ok(connection)).boxed()
    }
}

#[tokio::test]
async fn a_list_whose_pages_are_forgotten_is_read_at_once() {
    let cluster = Clusters::new(Arc::new(Forgetful), Arc::new(SystemClock)).open(None).await.unwrap();
    let found = cluster.list(&Kind::known("ConfigMap"), Some("shop"), "labelSelector=a%3Db").await.unwrap();
    assert_eq!(found.iter().map(|object| object.name()).collect::<Vec<_>>(), ["a", "b", "new"]);
}
