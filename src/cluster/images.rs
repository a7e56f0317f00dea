//! Reads many objects with few requests: a kind and namespace at a time. It keeps nothing.

use crate::cluster::answer::{ApiError, Class};
use crate::cluster::api::Cluster;
use crate::cluster::object::Object;
use crate::cluster::request::Address;
use futures::stream::{StreamExt, TryStreamExt, iter};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Fewer objects of one kind than this are read one by one: a list would bring all that others have there, too.
const WORTH_A_LIST: usize = 4;
/// Requests that are sent side by side.
const SIDE_BY_SIDE: usize = 16;

/// Reads objects as they are now; those that do not exist are left out.
///
/// # Errors
/// When the server does not answer, or refuses. Where listing is forbidden, each object is read by itself.
pub async fn images(cluster: &Cluster, addresses: &[Address]) -> Result<HashMap<Address, Object>, ApiError> {
    let mut groups: BTreeMap<(String, Option<&str>), Vec<Address>> = BTreeMap::new();
    for at in addresses {
        groups.entry((at.kind.path(None), at.namespace.as_deref())).or_default().push(at.clone());
    }
    let reads = groups.into_values().map(|group| read(cluster, group));
    let found: Vec<Vec<(Address, Object)>> = iter(reads).buffer_unordered(SIDE_BY_SIDE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

async fn read(cluster: &Cluster, group: Vec<Address>) -> Result<Vec<(Address, Object)>, ApiError> {
    if let [first, ..] = &group[..]
        && group.len() >= WORTH_A_LIST
    {
        match cluster.list(&first.kind, first.namespace.as_deref(), "").await {
            Ok(objects) => return Ok(pick(first, &group, objects)),
            Err(error) if error.class == Class::Forbidden => {}
            Err(error) if error.is_absent() => return Ok(Vec::new()),
            Err(error) => return Err(error),
        }
    }
    let reads = group.into_iter().map(|at| async move { Ok(cluster.get(&at).await?.map(|object| (at, object))) });
    let found: Vec<Option<(Address, Object)>> = iter(reads).buffer_unordered(SIDE_BY_SIDE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// Those of the list that are meant.
fn pick(first: &Address, group: &[Address], objects: Vec<Object>) -> Vec<(Address, Object)> {
    let names: HashSet<&str> = group.iter().map(|at| at.name.as_str()).collect();
    let meant = objects.into_iter().filter(|object| names.contains(object.name()));
    meant.map(|object| (Address { name: object.name().to_owned(), ..first.clone() }, object)).collect()
}

#[cfg(test)]
mod tests {
    use super::images;
    use crate::cluster::request::Address;
    use crate::cluster::test_server::TestServer;
    use serde_json::json;

    #[tokio::test]
    async fn many_objects_of_a_kind_take_one_request() {
        let server = TestServer::default();
        for name in ["a", "b", "c", "x"] {
            let object = json!({ "metadata": { "name": name, "namespace": "shop" }, "data": { "name": name } });
            server.put(&format!("/api/v1/namespaces/shop/configmaps/{name}"), object);
        }
        let at = |name| Address::known("ConfigMap", "shop", name);
        let cluster = server.cluster().await;
        let found = images(&cluster, &["a", "b", "c", "d"].map(at)).await.unwrap();
        assert_eq!(found.len(), 3);
        assert_eq!(found[&at("b")].text("/data/name"), "b");
        assert_eq!(found[&at("b")].kind(), "ConfigMap");
        assert_eq!(server.reads(), ["/api/v1/namespaces/shop/configmaps"]);
        let found = images(&cluster, &["a", "d"].map(at)).await.unwrap();
        assert_eq!((found.len(), server.reads().len()), (1, 3));
    }
}
