//! What the gateways of an HTTPRoute say of it, and where they are reached. Pure.

use super::entrance::authority;
use super::routes::kind;
use crate::cluster::object::Object;
use crate::cluster::request::Address;
use serde_json::Value;

/// Where a Gateway is.
fn gateway_at(namespace: &str, name: &str) -> Address {
    Address { kind: kind("Gateway", "gateways"), namespace: Some(namespace.to_owned()), name: name.to_owned() }
}

/// What a route's gateways say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acceptance {
    /// Each of them has taken it as it is now.
    Accepted,
    /// Not all of them have said something of it as it is now.
    Waiting(String),
    /// One of them has not taken it, or cannot find what it leads to.
    Refused(String),
}

/// Whether every parent of a route has taken this generation of it. Conditions of an older generation tell of the route before.
pub fn acceptance(route: &Object, generation: i64) -> Acceptance {
    let parents = route.list("/spec/parentRefs");
    if parents.is_empty() {
        return Acceptance::Refused("it names no gateway in `parentRefs`".to_owned());
    }
    let mut waiting = None;
    for parent in parents {
        let gateway = format!("gateway/{}", parent["name"].as_str().unwrap_or_default());
        // One route may have an entry of several controllers for the same parent.
        let told: Vec<&Value> =
            route.list("/status/parents").iter().filter(|entry| is_same_parent(route, &entry["parentRef"], parent)).collect();
        if told.is_empty() {
            waiting.get_or_insert(format!("{gateway} has said nothing of it yet"));
        }
        for (entry, wanted) in told.iter().flat_map(|entry| ["Accepted", "ResolvedRefs"].map(|wanted| (entry, wanted))) {
            let conditions = entry["conditions"].as_array().map_or(&[][..], Vec::as_slice);
            let condition = conditions.iter().find(|condition| condition["type"] == wanted);
            let current = condition.filter(|condition| condition["observedGeneration"].as_i64() >= Some(generation));
            match current {
                None => {
                    waiting.get_or_insert(format!("{gateway} has not seen it as it is now ({wanted})"));
                }
                Some(condition) if condition["status"] == "True" => {}
                Some(condition) => {
                    let text = |name: &str| condition[name].as_str().unwrap_or_default();
                    let told = [text("reason"), text("message")].join(": ");
                    let why = format!("{gateway} says {wanted}={}: {}", text("status"), told.trim_end_matches(": "));
                    return Acceptance::Refused(why);
                }
            }
        }
    }
    waiting.map_or(Acceptance::Accepted, Acceptance::Waiting)
}

fn is_same_parent(route: &Object, told: &Value, wanted: &Value) -> bool {
    let namespace = |parent: &Value| parent["namespace"].as_str().or(route.namespace()).map(str::to_owned);
    let kind = |parent: &Value| parent["kind"].as_str().unwrap_or("Gateway").to_owned();
    let same = |field: &str| told[field] == wanted[field];
    same("name") && same("sectionName") && same("port") && namespace(told) == namespace(wanted) && kind(told) == kind(wanted)
}

/// The Gateways that a route belongs to, each with the section and port that it names.
pub fn gateways(route: &Object) -> Vec<(Address, &Value)> {
    let gateways = route.list("/spec/parentRefs").iter().filter(|parent| parent["kind"].as_str().unwrap_or("Gateway") == "Gateway");
    gateways
        .filter_map(|parent| {
            let namespace = parent["namespace"].as_str().or(route.namespace())?;
            Some((gateway_at(namespace, parent["name"].as_str()?), parent))
        })
        .collect()
}

/// Where a Gateway takes plain HTTP for a parent that a route names, as `address:port`, as far as its status tells.
pub fn gateway_authority(gateway: &Object, parent: &Value) -> Option<String> {
    let host = gateway.list("/status/addresses").first()?["value"].as_str()?;
    let fits = |listener: &&Value| {
        listener["protocol"] == "HTTP"
            && (parent["sectionName"].is_null() || parent["sectionName"] == listener["name"])
            && (parent["port"].is_null() || parent["port"] == listener["port"])
    };
    let listener = gateway.list("/spec/listeners").iter().find(fits)?;
    Some(authority(host, Some(listener["port"].as_i64()?)))
}

/// The first hostname of a route that can be asked for.
pub fn hostname(route: &Object) -> Option<String> {
    let names = route.list("/spec/hostnames").iter().filter_map(Value::as_str);
    names.map(str::to_owned).find(|name| !name.starts_with('*'))
}

#[cfg(test)]
mod tests {
    use super::{Acceptance, acceptance, gateway_authority};
    use crate::cluster::object::Object;
    use serde_json::{Value, json};

    fn route(conditions: &Value) -> Object {
        let parent = json!({ "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw" });
        let status = json!({ "parents": [{ "parentRef": parent, "controllerName": "c", "conditions": conditions }] });
        Object(json!({ "metadata": { "namespace": "shop" }, "spec": { "parentRefs": [parent] }, "status": status }))
    }

    fn condition(kind: &str, status: &str, observed: i64) -> Value {
        json!({ "type": kind, "status": status, "reason": "Why", "message": "because", "observedGeneration": observed })
    }

    #[test]
    fn a_route_is_accepted_when_its_gateway_has_seen_it_as_it_is_now() {
        let with = |accepted: (&str, i64), resolved: (&str, i64)| {
            acceptance(
                &route(&json!([condition("Accepted", accepted.0, accepted.1), condition("ResolvedRefs", resolved.0, resolved.1)])),
                3,
            )
        };
        assert_eq!(with(("True", 3), ("True", 4)), Acceptance::Accepted);
        assert!(matches!(with(("True", 3), ("True", 2)), Acceptance::Waiting(_)));
        assert!(matches!(with(("False", 2), ("True", 3)), Acceptance::Waiting(_)));
        assert_eq!(with(("True", 3), ("False", 3)), Acceptance::Refused("gateway/gw says ResolvedRefs=False: Why: because".to_owned()));
        assert!(matches!(acceptance(&route(&json!([])), 3), Acceptance::Waiting(_)));
        let mut elsewhere = route(&json!([condition("Accepted", "True", 3), condition("ResolvedRefs", "True", 3)]));
        elsewhere.0["status"]["parents"][0]["parentRef"]["name"] = json!("other");
        assert_eq!(acceptance(&elsewhere, 3), Acceptance::Waiting("gateway/gw has said nothing of it yet".to_owned()));
        assert!(matches!(acceptance(&Object(json!({})), 0), Acceptance::Refused(_)));
    }

    #[test]
    fn a_gateway_is_asked_at_its_plain_listener() {
        let listeners = json!([{ "name": "tls", "port": 443, "protocol": "HTTPS" }, { "name": "web", "port": 80, "protocol": "HTTP" }]);
        let gateway = Object(json!({ "spec": { "listeners": listeners }, "status": { "addresses": [{ "value": "10.0.0.9" }] } }));
        assert_eq!(gateway_authority(&gateway, &json!({ "name": "gw" })).as_deref(), Some("10.0.0.9:80"));
        assert_eq!(gateway_authority(&gateway, &json!({ "name": "gw", "sectionName": "tls" })), None);
    }
}
