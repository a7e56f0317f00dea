//! The way of a request from outside into the cluster: by host and path to a Service, and on to one of its pods. Nothing is sent.

use crate::sim::controllers::{endpoints, network};
use crate::sim::kinds::Kind;
use crate::sim::store::Key;
use crate::sim::world::World;
use serde_json::Value;

/// Where a request ends up.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Way {
    /// At this pod.
    Pod(Value),
    /// Nobody is behind the route: the ingress controller answers with this status.
    Nobody(u16),
    /// It does not lead into this cluster.
    Elsewhere,
}

/// Where a request to `authority` leads that asks for `host` and `path`.
pub(super) fn find(world: &World, authority: &str, host: &str, path: &str) -> Way {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_entry = world.scenario.entries.iter().any(|entry| {
        let entry = entry.split_once("://").map_or(entry.as_str(), |(_, rest)| rest);
        entry.trim_end_matches('/') == authority
    });
    let is_address = authority.rsplit_once(':').map_or(authority, |(name, _)| name) == network::ADDRESS;
    let service = rules(world).into_iter().filter(|rule| rule.means(name, path)).max_by_key(|rule| (rule.host.is_some(), rule.path.len()));
    match service {
        // A host that the cluster serves leads there, whatever the address behind its name.
        Some(rule) if is_entry || is_address || rule.host.as_deref() == Some(name) => rule.pod(world),
        None if is_entry || is_address => Way::Nobody(404),
        _ => Way::Elsewhere,
    }
}

/// One path of an Ingress, or one rule of an HTTPRoute.
struct Rule {
    namespace: String,
    host: Option<String>,
    path: String,
    /// Services, each with its weight.
    services: Vec<(String, u64)>,
}

impl Rule {
    fn means(&self, host: &str, path: &str) -> bool {
        let host_fits = self.host.as_deref().is_none_or(|wanted| match wanted.strip_prefix('*') {
            Some(end) => host.ends_with(end),
            None => wanted == host,
        });
        let prefix = self.path.trim_end_matches('/');
        host_fits && path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn pod(&self, world: &World) -> Way {
        let sum: u64 = self.services.iter().map(|(_, weight)| weight).sum();
        if sum == 0 {
            return Way::Nobody(503);
        }
        let mut drawn = world.random.next() % sum;
        let chosen = self.services.iter().find(|(_, weight)| match drawn.checked_sub(*weight) {
            Some(rest) => {
                drawn = rest;
                false
            }
            None => true,
        });
        let key = Key::new(Kind::named("Service"), &self.namespace, chosen.map_or("", |(name, _)| name));
        let pods = world.store.get(&key).map(|service| endpoints(world, service)).unwrap_or_default();
        match pods.len() as u64 {
            0 => Way::Nobody(503),
            count => usize::try_from(world.random.next() % count)
                .ok()
                .and_then(|index| pods.into_iter().nth(index))
                .map_or(Way::Nobody(503), Way::Pod),
        }
    }
}

fn rules(world: &World) -> Vec<Rule> {
    let list = |value: &Value, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut found = Vec::new();
    for (key, ingress) in world.store.of_kind(Kind::named("Ingress"), "") {
        for rule in list(&ingress["spec"], "rules") {
            for path in list(&rule["http"], "paths") {
                found.extend(text(&path["backend"]["service"]["name"]).map(|service| Rule {
                    namespace: key.namespace.clone(),
                    host: text(&rule["host"]),
                    path: text(&path["path"]).unwrap_or_default(),
                    services: vec![(service, 1)],
                }));
            }
        }
        found.extend(text(&ingress["spec"]["defaultBackend"]["service"]["name"]).map(|service| Rule {
            namespace: key.namespace.clone(),
            host: None,
            path: String::new(),
            services: vec![(service, 1)],
        }));
    }
    for (key, route) in world.store.of_kind(Kind::named("HTTPRoute"), "") {
        let hosts: Vec<Option<String>> = list(&route["spec"], "hostnames").iter().map(text).collect();
        let hosts = if hosts.is_empty() { vec![None] } else { hosts };
        for rule in list(&route["spec"], "rules") {
            let services: Vec<(String, u64)> =
                list(&rule, "backendRefs").iter().filter_map(|to| Some((text(&to["name"])?, to["weight"].as_u64().unwrap_or(1)))).collect();
            let path = text(&rule["matches"][0]["path"]["value"]).unwrap_or_default();
            found.extend(hosts.iter().map(|host| Rule {
                namespace: key.namespace.clone(),
                host: host.clone(),
                path: path.clone(),
                services: services.clone(),
            }));
        }
    }
    found
}
