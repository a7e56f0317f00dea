//! Where traffic goes: who is ready to take it, and what that runs on. It probes nothing.

mod backends;
mod entrance;
mod gateways;
mod ports;
mod routes;

pub use backends::{Backend, TrafficError, Which, backends, choose, label_query, selector, switch_backends, switch_selector};
pub use entrance::{Entrance, ingress_authority, service_authority};
pub use gateways::{Acceptance, acceptance, gateway_authority, gateways, hostname};
pub use ports::{Port, lacked};
pub use routes::{RouteSwitch, live_services, route_at, switch_route};

use crate::cluster::answer::ApiError;
use crate::cluster::api::Cluster;
use crate::cluster::kinds::Kind;
use crate::cluster::object::{Object, Reference};
use crate::cluster::request::Address;
use crate::cluster::watch::{Watch, Watched};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many endpoints of a Service take requests.
pub fn ready_endpoints<'a>(slices: impl Iterator<Item = &'a Object>, service: &str) -> usize {
    let of_service = slices.filter(|slice| slice.label("kubernetes.io/service-name") == Some(service));
    let endpoints = of_service.flat_map(|slice| slice.list("/endpoints"));
    let ready = endpoints.filter(|endpoint| endpoint["conditions"]["ready"] != false && endpoint["conditions"]["terminating"] != true);
    // With two address families an endpoint is told twice.
    let mut names: Vec<String> = ready
        .map(|endpoint| endpoint["targetRef"]["uid"].as_str().map_or_else(|| endpoint["addresses"].to_string(), str::to_owned))
        .collect();
    names.sort();
    names.dedup();
    names.len()
}

/// How many of the pods with these labels are ready.
pub fn ready_pods<'a>(pods: impl Iterator<Item = &'a Object>, selector: &BTreeMap<String, String>) -> usize {
    let selected = pods.filter(|pod| selector.iter().all(|(key, value)| pod.label(key) == Some(value)));
    selected.filter(|pod| !pod.is_terminating() && pod.is_condition_true("Ready")).count()
}

/// The endpoints that a Service needs, in percent of those of another one, and never none.
pub fn needed(of_old: usize, percent: u32) -> usize {
    let percent = usize::try_from(percent).unwrap_or(100);
    (of_old * percent).div_ceil(100).max(1)
}

/// Who has to be ready before traffic may go there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Side {
    /// The endpoints of a Service.
    Service(String),
    /// The pods with these labels.
    Pods(BTreeMap<String, String>),
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Service(name) => write!(f, "service/{name}"),
            Self::Pods(labels) => {
                let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
                write!(f, "pods {}", labels.join(","))
            }
        }
    }
}

/// Opens a watch that shows who is ready on these sides.
pub fn watch_sides(cluster: &Cluster, namespace: &str, sides: &[&Side]) -> Watch {
    let mut watched = Vec::new();
    for side in sides {
        let kind = if matches!(side, Side::Service(_)) { "EndpointSlice" } else { "Pod" };
        let all = Watched::all(Kind::known(kind), Some(namespace));
        if !watched.contains(&all) {
            watched.push(all);
        }
    }
    Watch::open(cluster, watched)
}

/// How many are ready on a side, as far as the watch shows.
pub fn ready(watch: &Watch, side: &Side) -> usize {
    match side {
        Side::Service(name) => ready_endpoints(watch.objects("EndpointSlice"), name),
        Side::Pods(labels) => ready_pods(watch.objects("Pod"), labels),
    }
}

/// Waits until a side has as many ready as it needs for the other one's traffic. Gives back what was ready last: the side, the other.
///
/// # Errors
/// When the server refuses the watch.
pub async fn wait_fit(
    cluster: &Cluster,
    namespace: &str,
    (side, other): (&Side, &Side),
    percent: u32,
    limit: Duration,
) -> Result<Result<(), (usize, usize)>, ApiError> {
    let mut watch = watch_sides(cluster, namespace, &[side, other]);
    let mut last = (0, 0);
    let fit = async {
        loop {
            watch.changed().await?;
            let of_other = if side == other { 0 } else { ready(&watch, other) };
            last = (ready(&watch, side), needed(of_other, percent));
            if last.0 >= last.1 {
                return Ok(());
            }
        }
    };
    let fit: Option<Result<(), ApiError>> = tokio::select! {
        fit = fit => Some(fit),
        () = cluster.clock.sleep(limit) => None,
    };
    match fit {
        Some(Ok(())) => Ok(Ok(())),
        Some(Err(error)) => Err(error),
        None => Ok(Err(last)),
    }
}

/// The Service and the workloads whose pods it leads to at the moment.
///
/// # Errors
/// When the server does not answer, or refuses.
pub async fn behind(cluster: &Cluster, namespace: &str, selector: &BTreeMap<String, String>) -> Result<Vec<Reference>, ApiError> {
    if selector.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for pod in cluster.list(&Kind::known("Pod"), Some(namespace), &label_query(selector)).await? {
        let Some(owner) = controller(&pod) else { continue };
        let owner = match owner.kind.as_str() {
            "ReplicaSet" => match cluster.get(&Address::known("ReplicaSet", namespace, &owner.name)).await? {
                Some(set) => controller(&set).unwrap_or(owner),
                None => owner,
            },
            _ => owner,
        };
        if !found.contains(&owner) {
            found.push(owner);
        }
    }
    Ok(found)
}

fn controller(object: &Object) -> Option<Reference> {
    let owner = object.list("/metadata/ownerReferences").iter().find(|owner| owner["controller"] == true)?;
    let group = crate::cluster::object::group_of(owner["apiVersion"].as_str()?);
    Some(Reference::new(group, owner["kind"].as_str()?, object.namespace()?, owner["name"].as_str()?))
}

#[cfg(test)]
mod tests {
    use super::{needed, ready_endpoints};
    use crate::cluster::object::Object;
    use serde_json::{Value, json};

    #[test]
    fn only_endpoints_that_take_requests_count_and_each_once() {
        let slice = |service: &str, endpoints: Value| {
            Object(json!({ "metadata": { "labels": { "kubernetes.io/service-name": service } }, "endpoints": endpoints }))
        };
        let endpoint = |uid: &str, ready: bool, terminating: bool| json!({ "targetRef": { "uid": uid }, "conditions": { "ready": ready, "terminating": terminating } });
        let slices = [
            slice("web", json!([endpoint("a", true, false), endpoint("b", false, false), endpoint("c", true, true)])),
            slice("web", json!([endpoint("a", true, false)])),
            slice("other", json!([endpoint("d", true, false)])),
        ];
        assert_eq!(ready_endpoints(slices.iter(), "web"), 1);
    }

    #[test]
    fn a_share_is_rounded_up_and_never_nothing() {
        assert_eq!([needed(3, 100), needed(3, 50), needed(0, 100), needed(10, 1)], [3, 2, 1, 1]);
    }
}
