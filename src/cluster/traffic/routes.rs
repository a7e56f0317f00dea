//! Which Services an HTTPRoute of the Gateway API leads to, by weight, and the patch that changes that. Pure.

use crate::cluster::kinds::Kind;
use crate::cluster::object::Object;
use crate::cluster::request::Address;
use crate::cluster::traffic::{Port, TrafficError, Which};
use serde_json::{Value, json};

const API_VERSION: &str = "gateway.networking.k8s.io/v1";
/// The weight of a side that takes all traffic. Weights are shares of their sum, so the number itself means little.
const ALL: i64 = 100;

/// A rule of an HTTPRoute that leads to Services of the route's namespace.
#[derive(Debug, Clone, PartialEq)]
struct Rule {
    index: usize,
    paths: Vec<String>,
    refs: Vec<BackendRef>,
}

/// A Service that a rule names.
#[derive(Debug, Clone, PartialEq)]
struct BackendRef {
    index: usize,
    service: String,
    port: Option<i64>,
    weight: Option<i64>,
    filtered: bool,
}

impl BackendRef {
    /// A weight that is not said is 1.
    fn is_live(&self) -> bool {
        self.weight.unwrap_or(1) > 0
    }
}

/// The operations that move traffic, and where it goes until then.
#[derive(Debug, Clone, PartialEq)]
pub struct RouteSwitch {
    /// The Service that it goes to now; none when it goes to the new one already.
    pub old: Option<String>,
    /// The ports of the new one that it goes to then.
    pub ports: Vec<Port>,
    /// They mean something only for the version of the route that was read.
    pub operations: Vec<Value>,
}

pub(super) fn kind(name: &str, plural: &str) -> Kind {
    Kind { api_version: API_VERSION.to_owned(), kind: name.to_owned(), plural: plural.to_owned(), namespaced: true }
}

/// Where an HTTPRoute is. Its kind is in no table: a cluster serves it only where somebody has installed the Gateway API.
pub fn route_at(namespace: &str, name: &str) -> Address {
    Address { kind: kind("HTTPRoute", "httproutes"), namespace: Some(namespace.to_owned()), name: name.to_owned() }
}

fn rules(route: &Object) -> Vec<Rule> {
    let own = |backend: &Value| {
        let kind = backend["kind"].as_str().unwrap_or("Service");
        let group = backend["group"].as_str().unwrap_or_default();
        let namespace = backend["namespace"].as_str();
        kind == "Service" && group.is_empty() && namespace.is_none_or(|namespace| Some(namespace) == route.namespace())
    };
    let read = |(index, backend): (usize, &Value)| {
        let service = backend["name"].as_str()?.to_owned();
        let filtered = backend["filters"].as_array().is_some_and(|filters| !filters.is_empty());
        Some(BackendRef { index, service, port: backend["port"].as_i64(), weight: backend["weight"].as_i64(), filtered })
    };
    let of_rule = |(index, rule): (usize, &Value)| {
        let refs = rule["backendRefs"].as_array()?.iter().enumerate().filter(|(_, backend)| own(backend)).filter_map(read).collect();
        let matches = rule["matches"].as_array().map_or(&[][..], Vec::as_slice);
        let mut paths: Vec<String> = matches.iter().map(|one| one["path"]["value"].as_str().unwrap_or("/").to_owned()).collect();
        if paths.is_empty() {
            paths.push("/".to_owned());
        }
        Some(Rule { index, paths, refs })
    };
    route.list("/spec/rules").iter().enumerate().filter_map(of_rule).collect()
}

impl Rule {
    fn live(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.refs.iter().filter(|backend| backend.is_live()).map(|backend| backend.service.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The Service whose traffic this rule gives to `to`; none when nothing is to be moved.
    fn old(&self, to: &str) -> Result<Option<&str>, ()> {
        let others: Vec<&str> = self.live().into_iter().filter(|name| *name != to).collect();
        match others[..] {
            [] => Ok(None),
            [old] => Ok(Some(old)),
            // To take all from one of them would change what share the other one has.
            _ => Err(()),
        }
    }
}

/// The Services that take traffic of a route.
pub fn live_services(route: &Object) -> Vec<String> {
    let mut names: Vec<String> = rules(route).iter().flat_map(Rule::live).map(str::to_owned).collect();
    names.sort();
    names.dedup();
    names
}

/// How to move the traffic of a route's rules to `to`: the weight of its backend becomes 100, that of the old one 0, and both stay.
///
/// # Errors
/// When nothing fits, when more than one Service does, or when `to` has no backend yet and cannot be added as it should be.
pub fn switch_route(route: &Object, which: &Which<'_>, to: &str) -> Result<RouteSwitch, TrafficError> {
    let (name, rules) = (|| route.name().to_owned(), rules(route));
    let hostnames: Vec<&str> = route.list("/spec/hostnames").iter().filter_map(Value::as_str).collect();
    let known = || match rules.is_empty() {
        true => "no Service".to_owned(),
        false => rules.iter().map(|rule| describe(rule, &hostnames)).collect::<Vec<_>>().join(", "),
    };
    let none = || TrafficError::NoBackend { ingress: name(), known: known() };
    let ambiguous = || TrafficError::Ambiguous { ingress: name(), known: known() };
    let fits = |rule: &&Rule| {
        which.host.is_none_or(|host| hostnames.contains(&host))
            && which.path.is_none_or(|path| rule.paths.iter().any(|known| known == path))
            && !rule.live().is_empty()
    };
    let fitting: Vec<&Rule> = rules.iter().filter(fits).collect();
    // Rules that lead elsewhere may be somebody else's: which of them follow is not ours to guess.
    let chosen: Vec<&Rule> = match which.from {
        Some(from) if from == to => Vec::new(),
        Some(from) => fitting.iter().copied().filter(|rule| rule.live().contains(&from)).collect(),
        None if fitting.iter().all(|rule| rule.live() == fitting[0].live()) => fitting.clone(),
        None => return Err(ambiguous()),
    };
    if chosen.is_empty() && !fitting.iter().any(|rule| rule.live().contains(&to)) {
        return Err(none());
    }
    let mut switch = RouteSwitch { old: None, ports: Vec::new(), operations: Vec::new() };
    for rule in chosen {
        let Some(old) = rule.old(to).map_err(|()| TrafficError::Shared { route: name(), known: known() })? else { continue };
        let (port, moved) =
            move_traffic(rule, old, to).ok_or_else(|| TrafficError::Filtered { route: name(), old: old.to_owned(), to: to.to_owned() })?;
        switch.ports.extend(port.map(Port::Number));
        switch.operations.extend(moved);
        switch.old = Some(old.to_owned());
    }
    Ok(switch)
}

/// The port that traffic goes to, and the operations. None when the new side is no backend yet and the old one has filters, of which nobody can say whether they fit the new one.
fn move_traffic(rule: &Rule, old: &str, to: &str) -> Option<(Option<i64>, Vec<Value>)> {
    let root = format!("/spec/rules/{}/backendRefs", rule.index);
    let named = |backend: &BackendRef, weight: i64| {
        let at = format!("{root}/{}", backend.index);
        // The place is a number: the test makes sure that the backend there is the one that was read.
        let test = json!({ "op": "test", "path": format!("{at}/name"), "value": backend.service });
        [test, json!({ "op": "add", "path": format!("{at}/weight"), "value": weight })]
    };
    let olds: Vec<&BackendRef> = rule.refs.iter().filter(|backend| backend.service == old && backend.is_live()).collect();
    let news: Vec<&BackendRef> = rule.refs.iter().filter(|backend| backend.service == to).collect();
    let same_port = || news.iter().find(|new| olds.iter().any(|old| old.port == new.port));
    let live = news.iter().find(|new| new.is_live());
    let mut operations: Vec<Value> = olds.iter().flat_map(|backend| named(backend, 0)).collect();
    let new = live.or_else(same_port).or_else(|| news.first());
    let port = new.map_or_else(|| olds.first().and_then(|old| old.port), |new| new.port);
    match new {
        Some(new) if new.weight == Some(ALL) => {}
        Some(new) => operations.extend(named(new, ALL)),
        None if olds.iter().any(|backend| backend.filtered) => return None,
        None => {
            let mut added = json!({ "group": "", "kind": "Service", "name": to, "weight": ALL });
            if let Some(port) = port {
                added["port"] = Value::from(port);
            }
            operations.push(json!({ "op": "add", "path": format!("{root}/-"), "value": added }));
        }
    }
    Some((port, operations))
}

fn describe(rule: &Rule, hostnames: &[&str]) -> String {
    let weight = |backend: &BackendRef| format!("{} {}", backend.service, backend.weight.unwrap_or(1));
    let refs: Vec<String> = rule.refs.iter().map(weight).collect();
    let host = if hostnames.is_empty() { "*".to_owned() } else { hostnames.join("|") };
    format!("{host}{} → {}", rule.paths.join("|"), refs.join(" + "))
}

#[cfg(test)]
mod tests {
    use super::{live_services, switch_route};
    use crate::cluster::object::Object;
    use crate::cluster::traffic::{Port, TrafficError, Which};
    use serde_json::{Value, json};

    fn rule(path: &str, refs: &[(&str, i64)]) -> Value {
        let refs: Vec<Value> = refs.iter().map(|(name, weight)| json!({ "name": name, "port": 80, "weight": weight })).collect();
        json!({ "matches": [{ "path": { "type": "PathPrefix", "value": path } }], "backendRefs": refs })
    }

    fn route(rules: &[Value]) -> Object {
        let metadata = json!({ "name": "api", "namespace": "shop" });
        Object(json!({ "kind": "HTTPRoute", "metadata": metadata, "spec": { "hostnames": ["a"], "rules": rules } }))
    }

    fn switched(route: &Object, which: &Which<'_>) -> Result<Object, TrafficError> {
        let patch: json_patch::Patch = serde_json::from_value(Value::from(switch_route(route, which, "green")?.operations)).unwrap();
        let mut after = route.0.clone();
        json_patch::patch(&mut after, &patch).unwrap();
        Ok(Object(after))
    }

    #[test]
    fn weights_are_exchanged_and_both_backends_stay() {
        let both = |blue: i64, green: i64| route(&[rule("/", &[("blue", blue), ("green", green)])]);
        assert_eq!(switched(&both(100, 0), &Which::default()).unwrap(), both(0, 100));
        assert_eq!(switched(&both(90, 10), &Which::default()).unwrap(), both(0, 100));
        let patch = switch_route(&both(1, 0), &Which::default(), "green").unwrap();
        assert_eq!(patch.old.as_deref(), Some("blue"));
        assert_eq!(patch.operations[0], json!({ "op": "test", "path": "/spec/rules/0/backendRefs/0/name", "value": "blue" }));
        assert!(switch_route(&both(0, 1), &Which::default(), "green").unwrap().operations.is_empty());
        assert_eq!(live_services(&both(0, 1)), ["green"]);
    }

    #[test]
    fn a_side_that_is_no_backend_yet_becomes_one() {
        let after = switched(&route(&[rule("/", &[("blue", 1)])]), &Which::default()).unwrap();
        assert_eq!(after.at("/spec/rules/0/backendRefs/0/weight"), Some(&json!(0)));
        let added = json!({ "group": "", "kind": "Service", "name": "green", "weight": 100, "port": 80 });
        assert_eq!(after.at("/spec/rules/0/backendRefs/1"), Some(&added));
        assert_eq!(switch_route(&route(&[rule("/", &[("blue", 1)])]), &Which::default(), "green").unwrap().ports, [Port::Number(80)]);
        let mut filtered = route(&[rule("/", &[("blue", 1)])]);
        filtered.0["spec"]["rules"][0]["backendRefs"][0]["filters"] = json!([{ "type": "RequestHeaderModifier" }]);
        insta::assert_snapshot!(switched(&filtered, &Which::default()).unwrap_err(), @"api has no backend green, and that of blue has filters: add the backend green with weight 0 and the filters that it needs");
    }

    #[test]
    fn only_the_rules_that_are_meant_are_switched() {
        let admin = rule("/admin", &[("admin", 1)]);
        let before = route(&[admin.clone(), rule("/", &[("blue", 100), ("green", 0)])]);
        insta::assert_snapshot!(switched(&before, &Which::default()).unwrap_err(), @"api leads to several Services there (a/admin → admin 1, a/ → blue 100 + green 0): say which one with `from`, `host` or `path`");
        let wanted = route(&[admin, rule("/", &[("blue", 0), ("green", 100)])]);
        for which in [Which { path: Some("/"), ..Which::default() }, Which { from: Some("blue"), ..Which::default() }] {
            assert_eq!(switched(&before, &which).unwrap(), wanted);
        }
        assert!(switched(&before, &Which { host: Some("b"), ..Which::default() }).is_err());
    }

    #[test]
    fn a_share_of_a_third_side_is_not_ours_to_change() {
        let three = route(&[rule("/", &[("blue", 50), ("other", 50), ("green", 0)])]);
        let from = Which { from: Some("blue"), ..Which::default() };
        assert!(matches!(switched(&three, &from).unwrap_err(), TrafficError::Shared { .. }));
    }
}
