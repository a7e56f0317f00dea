//! Which Services an Ingress leads to, which pods a Service selects, and the patches that change that. Pure.

use super::ports::Port;
use crate::cluster::object::Object;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A place in an Ingress that names a Service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backend {
    /// The rule's host; none for every host.
    pub host: Option<String>,
    /// The rule's path; none for the default backend.
    pub path: Option<String>,
    /// The Service that is named.
    pub service: String,
    /// The port of that Service.
    pub port: Option<Port>,
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
    /// A rule of a route gives parts of its traffic to more sides than two.
    #[error("a rule of {route} splits its traffic among several old Services ({known}): bring it to one side first")]
    Shared {
        /// The HTTPRoute.
        route: String,
        /// Where it leads.
        known: String,
    },
    /// A backend that is missing cannot be made like the old one.
    #[error("{route} has no backend {to}, and that of {old} has filters: add the backend {to} with weight 0 and the filters that it needs")]
    Filtered {
        /// The HTTPRoute.
        route: String,
        /// The old side.
        old: String,
        /// The new side.
        to: String,
    },
}

/// Which backends of an Ingress or HTTPRoute are meant.
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
        let port = ingress.at("/spec/defaultBackend/service/port").and_then(Port::read);
        found.push(Backend { host: None, path: None, service, port, pointer: "/spec/defaultBackend/service/name".to_owned() });
    }
    for (rule_index, rule) in ingress.list("/spec/rules").iter().enumerate() {
        for (index, path) in rule["http"]["paths"].as_array().map_or(&[][..], Vec::as_slice).iter().enumerate() {
            let backend = &path["backend"]["service"];
            if let Some(service) = text(&backend["name"]) {
                let pointer = format!("/spec/rules/{rule_index}/http/paths/{index}/backend/service/name");
                found.push(Backend {
                    host: text(&rule["host"]),
                    path: text(&path["path"]),
                    service,
                    port: Port::read(&backend["port"]),
                    pointer,
                });
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

#[cfg(test)]
mod tests {
    use super::{Which, backends, choose, label_query, switch_backends, switch_selector};
    use crate::cluster::object::Object;
    use serde_json::json;
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
}
