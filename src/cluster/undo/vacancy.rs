//! Whether something that a run made is used by somebody by now, so that deleting it would take more than the run brought.

use super::owned::older;
use crate::cluster::answer::ApiError;
use crate::cluster::api::Cluster;
use crate::cluster::kinds::Kind;
use crate::cluster::object::Object;
use crate::cluster::request::Address;
use serde_json::Value;

/// Why the object must stay; none when nothing would be lost with it.
///
/// # Errors
/// When that cannot be found out: then it must stay, too.
pub async fn inhabited(cluster: &Cluster, at: &Address, live: &Object) -> Result<Option<String>, ApiError> {
    match at.kind.kind.as_str() {
        "Namespace" if at.kind.group().is_empty() => namespace(cluster, &at.name).await,
        "CustomResourceDefinition" => definition(cluster, at, live).await,
        // Its data goes with the claim, and once it is bound nobody can tell who wrote some.
        "PersistentVolumeClaim" if live.text("/status/phase") == "Bound" => {
            Ok(Some(format!("{at} has a volume and may hold data: delete it yourself when nobody needs it")))
        }
        _ => Ok(older(cluster, at, live).await?.map(|older| {
            let namespace = at.namespace.as_ref().map(|namespace| format!(" -n {namespace}")).unwrap_or_default();
            format!(
                "{at} has taken over {}, which is older and would go with it: `kubectl delete {at}{namespace} --cascade=orphan` leaves that there",
                older.reference()
            )
        })),
    }
}

/// What every namespace gets from the cluster itself.
fn is_own_furniture(object: &Object) -> bool {
    matches!(
        (object.kind(), object.name()),
        ("ConfigMap", "kube-root-ca.crt") | ("ServiceAccount", "default") | ("Event" | "EndpointSlice" | "Endpoints" | "Lease", _)
    )
}

async fn namespace(cluster: &Cluster, name: &str) -> Result<Option<String>, ApiError> {
    for kind in namespaced_kinds(cluster).await? {
        let objects = match cluster.list(&kind, Some(name), "").await {
            Ok(objects) => objects,
            // A kind that went away meanwhile, or that only some methods serve.
            Err(error) if error.is_absent() => continue,
            Err(error) => return Err(error),
        };
        let foreign = objects.iter().find(|object| !is_own_furniture(object) && !object.is_terminating());
        if let Some(object) = foreign {
            return Ok(Some(format!("namespace/{name} is not empty ({}) and stays", object.reference())));
        }
    }
    Ok(None)
}

/// The kinds whose objects make a namespace inhabited, as far as this cluster serves them; each once, for some are served in one version of
/// their group only, and not in the one that it prefers.
///
/// # Errors
/// When the server does not say.
pub async fn namespaced_kinds(cluster: &Cluster) -> Result<Vec<Kind>, ApiError> {
    let mut kinds = cluster.served("v1").await?;
    for api_version in cluster.versions().await?.iter().filter(|api_version| !api_version.starts_with("metrics.k8s.io/")) {
        for kind in cluster.served(api_version).await? {
            if !kinds.iter().any(|known| known.group() == kind.group() && known.plural == kind.plural) {
                kinds.push(kind);
            }
        }
    }
    kinds.retain(|kind| kind.namespaced && !matches!(kind.kind.as_str(), "Event" | "EndpointSlice" | "Endpoints" | "Lease"));
    Ok(kinds)
}

async fn definition(cluster: &Cluster, at: &Address, live: &Object) -> Result<Option<String>, ApiError> {
    let served = live.list("/spec/versions").iter().find(|version| version["served"] == true);
    let Some(version) = served.and_then(|version| version["name"].as_str()) else { return Ok(None) };
    let kind = Kind {
        api_version: format!("{}/{version}", live.text("/spec/group")),
        kind: live.text("/spec/names/kind").to_owned(),
        plural: live.text("/spec/names/plural").to_owned(),
        namespaced: live.at("/spec/scope").and_then(Value::as_str) == Some("Namespaced"),
    };
    match cluster.list(&kind, None, "").await {
        Ok(objects) if objects.is_empty() => Ok(None),
        Ok(objects) => Ok(Some(format!("{at} has {} objects, such as {}, and stays", objects.len(), objects[0].reference()))),
        // It was never established, so nobody can have made one.
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error),
    }
}
