//! Where traffic goes: the backends of an Ingress, the selector of a Service, and who is ready to take it. It probes nothing.

use crate::cluster::answer::ApiError;
use crate::cluster::api::{Address, Cluster};
use crate::cluster::kinds::Kind;
use crate::cluster::object::{Object, Reference};
use crate::cluster::watch::{Watch, Watched};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// A place in an Ingress that names a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// The rule's host; none for every host.
    pub host: Option<String>,
    /// The rule's path; none for the default backend.
    pub path: Option<String>,
    /// The Service that is named.
    pub service: String,
    pointer: String,
}

/// Why it is not clear which backends are meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrafficError {
    /// Nothing fits.
    #[error("no backend of {ingress} fits: it leads to {known}")]
    NoBackend {
        /// The Ingress.
        ingress: String,
        /// Where it leads.
        known: String,
    },
    /// Several Services fit.
    #[error("{ingress} leads to several Services there ({known}): say which one with `from`, `host` or `path`")]
    Ambiguous {
        /// The Ingress.
        ingress: String,
        /// Where it leads.
        known: String,
    },
}

/// Which backends of an Ingress are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Which<'a> {
    /// Only those of this host.
    pub host: Option<&'a str>,
    /// Only those of this path.
    pub path: Option<&'a str>,
    /// Only those that lead to this Service.
    pub from: Option<&'a str>,
}

/// Every backend of an Ingress.
pub fn backends(ingress: &Object) -> Vec<Backend> {
    let mut found = Vec::new();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if let Some(service) = ingress.at("/spec/defaultBackend/service/name").and_then(text) {
        found.push(Backend { host: None, path: None, service, pointer: "/spec/defaultBackend/service/name".to_owned() });
    }
    for (rule_index, rule) in ingress.list("/spec/rules").iter().enumerate() {
        for (index, path) in rule["http"]["paths"].as_array().map_or(&[][..], Vec::as_slice).iter().enumerate() {
            if let Some(service) = text(&path["backend"]["service"]["name"]) {
                let pointer = format!("/spec/rules/{rule_index}/http/paths/{index}/backend/service/name");
                found.push(Backend { host: text(&rule["host"]), path: text(&path["path"]), service, pointer });
            }
        }
    }
    found
}

/// The backends to switch to `to`; none when all that are meant lead there already.
///
/// # Errors
/// When nothing fits, or more than one Service does.
pub fn choose(ingress: &Object, which: &Which<'_>, to: &str) -> Result<Vec<Backend>, TrafficError> {
    let all = backends(ingress);
    let known = || all.iter().map(describe).collect::<Vec<_>>().join(", ");
    let fits = |backend: &&Backend| {
        which.host.is_none_or(|host| backend.host.as_deref() == Some(host))
            && which.path.is_none_or(|path| backend.path.as_deref() == Some(path))
    };
    let fitting: Vec<Backend> = all.iter().filter(fits).cloned().collect();
    let none = || TrafficError::NoBackend { ingress: ingress.name().to_owned(), known: known() };
    let first = fitting.first().ok_or_else(none)?;
    // Backends that lead elsewhere may be somebody else's: which of them follow is not ours to guess.
    let from = match which.from {
        Some(from) => from.to_owned(),
        None if fitting.iter().all(|backend| backend.service == first.service) => first.service.clone(),
        None => return Err(TrafficError::Ambiguous { ingress: ingress.name().to_owned(), known: known() }),
    };
    let chosen: Vec<Backend> = fitting.iter().filter(|backend| backend.service == from && from != to).cloned().collect();
    if chosen.is_empty() && !fitting.iter().any(|backend| backend.service == to) {
        return Err(none());
    }
    Ok(chosen)
}

fn describe(backend: &Backend) -> String {
    let place = format!("{}{}", backend.host.as_deref().unwrap_or("*"), backend.path.as_deref().unwrap_or(" (default)"));
    format!("{place} → {}", backend.service)
}

/// The operations that lead these backends to `to`. They mean something only for the version of the Ingress that was read.
pub fn switch_backends(backends: &[Backend], to: &str) -> Vec<Value> {
    let switch = |backend: &Backend| {
        let test = json!({ "op": "test", "path": backend.pointer, "value": backend.service });
        [test, json!({ "op": "replace", "path": backend.pointer, "value": to })]
    };
    backends.iter().flat_map(switch).collect()
}

/// The operations that set keys of a Service's selector; none when they are set already.
pub fn switch_selector(service: &Object, selector: &BTreeMap<String, String>) -> Vec<Value> {
    let live = service.at("/spec/selector");
    let value = |key: &str| live.and_then(|selector| selector.get(key)).and_then(Value::as_str);
    let differ = selector.iter().filter(|(key, wanted)| value(key) != Some(wanted.as_str()));
    let mut operations: Vec<Value> = differ
        .map(|(key, wanted)| json!({ "op": "add", "path": format!("/spec/selector/{}", key.replace('~', "~0").replace('/', "~1")), "value": wanted }))
        .collect();
    if !operations.is_empty() {
        operations.insert(0, json!({ "op": "test", "path": "/spec/selector", "value": live }));
    }
    operations
}

/// A Service's selector.
pub fn selector(service: &Object) -> BTreeMap<String, String> {
    let entries = service.at("/spec/selector").and_then(Value::as_object).into_iter().flatten();
    entries.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// A selector of labels as part of a query.
pub fn label_query(selector: &BTreeMap<String, String>) -> String {
    let pairs: Vec<String> = selector.iter().map(|(key, value)| format!("{}%3D{value}", key.replace('/', "%2F"))).collect();
    format!("labelSelector={}", pairs.join("%2C"))
}

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

/// Where an Ingress is reached from outside, as its controller says.
pub fn address(ingress: &Object) -> Option<String> {
    let first = ingress.list("/status/loadBalancer/ingress").first()?;
    first["ip"].as_str().or(first["hostname"].as_str()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{Which, backends, choose, label_query, needed, ready_endpoints, switch_backends, switch_selector};
    use crate::cluster::object::Object;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;

    fn ingress() -> Object {
        let path = |path: &str, service: &str| json!({ "path": path, "pathType": "Prefix", "backend": { "service": { "name": service } } });
        Object(json!({ "metadata": { "name": "api", "uid": "u", "resourceVersion": "7" }, "spec": { "rules": [
            { "host": "a", "http": { "paths": [path("/", "web-blue"), path("/admin", "admin")] } },
            { "host": "b", "http": { "paths": [path("/", "web-blue")] } }] } }))
    }

    #[test]
    fn all_backends_of_the_old_service_are_switched() {
        let from = Which { from: Some("web-blue"), ..Which::default() };
        let chosen = choose(&ingress(), &from, "web-green").unwrap();
        assert_eq!(chosen.len(), 2);
        let patch = switch_backends(&chosen, "web-green");
        assert_eq!(patch[1], json!({ "op": "replace", "path": "/spec/rules/0/http/paths/0/backend/service/name", "value": "web-green" }));
        assert_eq!(patch[2], json!({ "op": "test", "path": "/spec/rules/1/http/paths/0/backend/service/name", "value": "web-blue" }));
    }

    #[test]
    fn a_choice_among_services_is_not_ours() {
        insta::assert_snapshot!(choose(&ingress(), &Which::default(), "web-green").unwrap_err(), @"api leads to several Services there (a/ → web-blue, a/admin → admin, b/ → web-blue): say which one with `from`, `host` or `path`");
        let path = Which { path: Some("/"), ..Which::default() };
        assert_eq!(choose(&ingress(), &path, "web-green").unwrap().len(), 2);
        let host = Which { host: Some("b"), ..Which::default() };
        assert_eq!(choose(&ingress(), &host, "web-green").unwrap().len(), 1);
        let nowhere = Which { path: Some("/none"), ..Which::default() };
        assert!(choose(&ingress(), &nowhere, "web-green").is_err());
    }

    #[test]
    fn what_leads_there_already_is_left_alone() {
        let from = Which { from: Some("web-old"), ..Which::default() };
        assert!(choose(&ingress(), &from, "web-blue").unwrap().is_empty());
        assert!(choose(&ingress(), &from, "web-green").is_err());
        let path = Which { path: Some("/"), ..Which::default() };
        assert!(choose(&ingress(), &path, "web-blue").unwrap().is_empty());
        assert_eq!(backends(&ingress()).len(), 3);
    }

    #[test]
    fn a_selector_keeps_its_other_keys() {
        let service = Object(json!({ "metadata": { "uid": "u" }, "spec": { "selector": { "app": "web", "example.com/colour": "blue" } } }));
        let wanted = |colour: &str| BTreeMap::from([("example.com/colour".to_owned(), colour.to_owned())]);
        let patch = switch_selector(&service, &wanted("green"));
        assert_eq!(patch[1], json!({ "op": "add", "path": "/spec/selector/example.com~1colour", "value": "green" }));
        assert!(switch_selector(&service, &wanted("blue")).is_empty());
        assert_eq!(label_query(&wanted("green")), "labelSelector=example.com%2Fcolour%3Dgreen");
    }

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
