//! Addresses of Services, the endpoints behind them, and what gateways and ingress controllers say of their routes.

use super::pods::is_ready;
use super::{MANAGER, condition, is_going, living, reference, text};
use crate::sim::kinds::Kind;
use crate::sim::store::Key;
use crate::sim::world::World;
use serde_json::{Value, json};

pub(super) fn look(world: &mut World) {
    for (key, service) in living(world, "Service") {
        give_address(world, &key, &service);
        publish_endpoints(world, &key, &service);
    }
    for (key, _) in living(world, "Ingress") {
        world.change(&key, "ingress-controller", "status", |ingress| {
            ingress["status"] = json!({ "loadBalancer": { "ingress": [{ "ip": ADDRESS }] } });
        });
    }
    for (key, gateway) in living(world, "Gateway") {
        let told = [condition(world, "Accepted", true, "Accepted", ""), condition(world, "Programmed", true, "Programmed", "")];
        if gateway["status"]["addresses"].is_null() {
            world.change(&key, "gateway-controller", "status", |gateway| {
                gateway["status"] = json!({ "addresses": [{ "type": "IPAddress", "value": ADDRESS }], "conditions": told });
            });
        }
    }
    living(world, "HTTPRoute").iter().for_each(|(key, route)| accept(world, key, route));
}

/// Where ingress controllers and gateways are reached: an address that is nobody's (RFC 5737).
pub(in crate::sim) const ADDRESS: &str = "192.0.2.1";

/// Addresses that a Service has not been given yet.
pub(in crate::sim) fn give_address(world: &mut World, key: &Key, service: &Value) {
    if service["spec"]["clusterIP"].is_null() && service["spec"]["type"] != "ExternalName" {
        let address = world.new_address("10.96");
        world.change(key, MANAGER, "", |service| {
            service["spec"]["clusterIP"] = json!(address);
            service["spec"]["clusterIPs"] = json!([address]);
        });
    }
    if service["spec"]["type"] == "LoadBalancer" && service["status"]["loadBalancer"]["ingress"].is_null() {
        let address = world.new_address("192.0");
        world.change(key, MANAGER, "status", |service| service["status"]["loadBalancer"] = json!({ "ingress": [{ "ip": address }] }));
    }
}

/// The pods that a Service selects.
pub(in crate::sim) fn selected<'a>(world: &'a World, service: &'a Value) -> impl Iterator<Item = (&'a Key, &'a Value)> {
    let selector = service["spec"]["selector"].as_object().filter(|selector| !selector.is_empty());
    let meant =
        move |pod: &Value| selector.is_some_and(|wanted| wanted.iter().all(|(key, value)| pod["metadata"]["labels"][key] == *value));
    world.store.of_kind(Kind::named("Pod"), text(service, "/metadata/namespace")).filter(move |(_, pod)| meant(pod))
}

fn publish_endpoints(world: &mut World, key: &Key, service: &Value) {
    if service["spec"]["selector"].as_object().is_none_or(serde_json::Map::is_empty) {
        return;
    }
    let pods = selected(world, service).filter(|(_, pod)| pod["status"]["podIP"].is_string());
    let endpoint = |pod: &Value| {
        let (ready, going) = (is_ready(pod), is_going(pod));
        json!({
            "addresses": [pod["status"]["podIP"]], "conditions": { "ready": ready, "serving": ready, "terminating": going },
            "targetRef": { "kind": "Pod", "namespace": pod["metadata"]["namespace"], "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"] },
        })
    };
    let endpoints: Vec<Value> = pods.map(|(_, pod)| endpoint(pod)).collect();
    let mine = world.store.of_kind(Kind::named("EndpointSlice"), &key.namespace);
    let known = mine.filter(|(_, slice)| slice["metadata"]["labels"]["kubernetes.io/service-name"] == key.name.as_str());
    let known = known.map(|(key, _)| key.clone()).next();
    match known {
        Some(slice) => world.change(&slice, MANAGER, "", |slice| slice["endpoints"] = json!(endpoints)),
        None => {
            let name = format!("{}-{}", key.name, world.suffix());
            let slice = json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "endpoints": endpoints,
                "ports": service["spec"]["ports"].as_array().into_iter().flatten()
                    .map(|port| json!({ "name": port["name"].as_str().unwrap_or_default(), "port": port["targetPort"], "protocol": port["protocol"] }))
                    .collect::<Vec<_>>(),
                "metadata": {
                    "name": name, "namespace": key.namespace, "ownerReferences": reference(service),
                    "labels": { "kubernetes.io/service-name": key.name, "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io" },
                },
            });
            world.create(&Key::new(Kind::named("EndpointSlice"), &key.namespace, &name), slice, MANAGER);
        }
    }
}

/// A gateway that is there takes every route, and says when a Service in it is not there.
fn accept(world: &mut World, key: &Key, route: &Value) {
    let generation = &route["metadata"]["generation"];
    let parents = route["spec"]["parentRefs"].as_array().cloned().unwrap_or_default();
    let seen = route["status"]["parents"][0]["conditions"][0]["observedGeneration"] == *generation;
    let missing = backends(route).find(|name| world.store.get(&Key::new(Kind::named("Service"), &key.namespace, name)).is_none());
    let resolved = match &missing {
        None => condition(world, "ResolvedRefs", true, "ResolvedRefs", ""),
        Some(name) => condition(world, "ResolvedRefs", false, "BackendNotFound", &format!("service {name:?} not found")),
    };
    let same = route["status"]["parents"][0]["conditions"][1]["reason"] == resolved["reason"];
    if parents.is_empty() || (seen && same) {
        return;
    }
    let accepted = condition(world, "Accepted", true, "Accepted", "");
    let told = [accepted, resolved].map(|mut condition| {
        condition["observedGeneration"] = generation.clone();
        condition
    });
    let is_there = |parent: &&Value| {
        let namespace = parent["namespace"].as_str().unwrap_or(&key.namespace);
        let name = parent["name"].as_str().unwrap_or_default();
        world.store.get(&Key::new(Kind::named("Gateway"), namespace, name)).is_some()
    };
    let entries: Vec<Value> = parents
        .iter()
        .filter(is_there)
        .map(|parent| json!({ "parentRef": parent, "controllerName": "bowline.dev/simulated", "conditions": told }))
        .collect();
    world.change(key, "gateway-controller", "status", |route| route["status"] = json!({ "parents": entries }));
}

fn backends(route: &Value) -> impl Iterator<Item = String> {
    let rules = route["spec"]["rules"].as_array().cloned().unwrap_or_default();
    let refs = rules.into_iter().flat_map(|rule| rule["backendRefs"].as_array().cloned().unwrap_or_default());
    refs.filter_map(|backend| backend["name"].as_str().map(str::to_owned))
}
