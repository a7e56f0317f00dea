//! Makes a write that is still on its way miss: the object is written, so that the version that the write names is not the live one any more.
//!
//! An empty patch would not do, for the server stores nothing then. An entry more in the list of owners is stored, and nobody reacts to it:
//! no generation, no label or annotation that a controller copies. A second write takes it away again.

use crate::cluster::answer::{ApiError, Class};
use crate::cluster::api::Cluster;
use crate::cluster::object::Object;
use crate::cluster::request::{Address, Manner};
use crate::cluster::undo::Managers;
use crate::cluster::undo::managed::entries;
use serde_json::{Value, json};

/// How often an object that changes under our hands is read anew.
const TRIES: u32 = 8;

/// Gives an object another resourceVersion and leaves it as it is. One that is gone, going or made anew needs none: writes name its uid.
///
/// # Errors
/// When the server refuses or does not answer.
///
/// # Idempotence
/// A call that was cut off half way is completed by the next one.
pub async fn fence(cluster: &Cluster, managers: &Managers, at: &Address, uid: &str) -> Result<(), ApiError> {
    let manager = managers.action("fence");
    let mut version = None;
    for _ in 0..TRIES {
        let Some(live) = cluster.get(at).await? else { return Ok(()) };
        if live.uid() != uid || live.is_terminating() {
            return Ok(());
        }
        let owners = entries(&live);
        let others: Vec<Value> = owners.iter().filter(|entry| entry["manager"] != manager.as_str()).cloned().collect();
        let is_marked = others.len() < owners.len();
        // Somebody else's write in between is as good as ours.
        if !is_marked && version.as_ref().is_some_and(|first| first != live.resource_version()) {
            return Ok(());
        }
        version.get_or_insert_with(|| live.resource_version().to_owned());
        let list = if is_marked { others } else { marked(others, &manager, &live) };
        match write(cluster, at, &live, &list, &manager).await {
            Ok(()) => {}
            Err(error) if error.class == Class::Stale => {}
            Err(error) => return Err(error),
        }
    }
    Err(ApiError { class: Class::Stale, message: format!("{at} is changed by somebody else all the time"), retry_after: None })
}

/// Our entry owns what another one owns already: nothing that is not there, and nothing alone.
fn marked(mut owners: Vec<Value>, manager: &str, live: &Object) -> Vec<Value> {
    let fields = owners.iter().find(|entry| entry["subresource"].is_null()).map(|entry| entry["fieldsV1"].clone());
    let fields = fields.unwrap_or_else(|| json!({ "f:metadata": { "f:labels": {} } }));
    owners.push(json!({
        "manager": manager, "operation": "Update", "apiVersion": live.api_version(), "fieldsType": "FieldsV1", "fieldsV1": fields,
    }));
    owners
}

async fn write(cluster: &Cluster, at: &Address, live: &Object, owners: &[Value], manager: &str) -> Result<(), ApiError> {
    let operations = json!([
        { "op": "test", "path": "/metadata/uid", "value": live.uid() },
        { "op": "replace", "path": "/metadata/resourceVersion", "value": live.resource_version() },
        { "op": "add", "path": "/metadata/managedFields", "value": owners },
    ]);
    cluster.patch(at, &operations, Manner::of(manager)).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::fence;
    use crate::cluster::answer::Class;
    use crate::cluster::object::Object;
    use crate::cluster::request::{Address, Manner};
    use crate::cluster::test_server::{Mishap, TestServer};
    use crate::cluster::undo::Managers;
    use serde_json::{Value, json};

    const PATH: &str = "/api/v1/namespaces/shop/configmaps/web";

    fn config() -> Value {
        let owner = json!({ "manager": "bowline:shop", "operation": "Apply", "apiVersion": "v1", "fieldsV1": { "f:data": { "f:a": {} } } });
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": { "a": "1" },
            "metadata": { "name": "web", "namespace": "shop", "uid": "u1", "managedFields": [owner] },
        })
    }

    fn without_version(mut object: Value) -> Value {
        object["metadata"].as_object_mut().unwrap().remove("resourceVersion");
        object
    }

    #[tokio::test]
    async fn a_write_that_was_on_its_way_misses_and_nothing_else_changes() {
        let server = TestServer::default();
        let cluster = server.cluster().await;
        let before = Object(server.put(PATH, config()));
        let at = Address::known("ConfigMap", "shop", "web");
        fence(&cluster, &Managers::of("shop"), &at, "u1").await.unwrap();
        assert_eq!(without_version(server.object(PATH).unwrap()), config(), "content and owners are as before");
        assert_eq!(server.writes().len(), 2);
        // What the dead holder had sent.
        let late = json!([
            { "op": "replace", "path": "/metadata/resourceVersion", "value": before.resource_version() },
            { "op": "replace", "path": "/data/a", "value": "late" },
        ]);
        assert_eq!(cluster.patch(&at, &late, Manner::of("bowline:shop")).await.unwrap_err().class, Class::Stale);
        assert_eq!(without_version(server.object(PATH).unwrap()), config());
    }

    #[tokio::test]
    async fn one_that_was_cut_off_half_way_is_completed() {
        let server = TestServer::default();
        let cluster = server.cluster().await;
        server.put(PATH, config());
        let at = Address::known("ConfigMap", "shop", "web");
        server.meet(&[Mishap::None, Mishap::Refused]);
        assert!(fence(&cluster, &Managers::of("shop"), &at, "u1").await.is_err());
        assert_ne!(without_version(server.object(PATH).unwrap()), config(), "the entry is still there");
        fence(&cluster, &Managers::of("shop"), &at, "u1").await.unwrap();
        assert_eq!(without_version(server.object(PATH).unwrap()), config());
    }

    #[tokio::test]
    async fn what_is_gone_or_made_anew_is_left_alone() {
        let server = TestServer::default();
        let cluster = server.cluster().await;
        let at = Address::known("ConfigMap", "shop", "web");
        fence(&cluster, &Managers::of("shop"), &at, "u1").await.unwrap();
        server.put(PATH, config());
        fence(&cluster, &Managers::of("shop"), &at, "another").await.unwrap();
        assert!(server.writes().is_empty());
    }
}
