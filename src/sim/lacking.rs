//! What a scenario has no words for, among what is known of a run before it begins. It simulates nothing.

use super::controllers::network::ADDRESS;
use super::outside::{may_be_modelled, plain, rule_for};
use super::rules;
use crate::ports::Script;
use crate::scenario::{Scenario, may_fit};
use serde_json::Value;

/// The rule to write in `simulate.processes` for a program that no rule can mean, whatever a `*` in it comes to stand for.
pub fn lacking_program(scenario: &Scenario, script: &Script) -> Option<String> {
    let (program, args) = script.command();
    let words = [vec![program], args].concat();
    (!may_be_modelled(&scenario.processes, &words)).then(|| rule_for(&words))
}

/// The images that the simulated cluster must know to take an object, in their order.
pub fn images(object: &Value) -> Vec<&str> {
    rules::images(object).collect()
}

/// The key to write in `simulate.images` for an image that none there can mean, whatever a `*` in it comes to stand for.
pub fn lacking_image(scenario: &Scenario, image: &str) -> Option<String> {
    // A container without an image is told by the simulated cluster, in the words of a real one.
    let is_known = image.is_empty() || scenario.images.keys().any(|pattern| may_fit(pattern, image));
    (!is_known).then(|| format!("'{}'", image.replace('\'', "''")))
}

/// The rule to write in `simulate.http` for a server that no rule there can mean, and that is not in the cluster with these objects.
pub fn lacking_server(scenario: &Scenario, objects: &[&Value], method: &str, url: &str, host: Option<&str>) -> Option<String> {
    let url = plain(url);
    let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or_default();
    let name = |authority: &str| authority.rsplit_once(':').map_or(authority, |(name, _)| name).to_owned();
    let is_meant = |wanted: &Option<String>| wanted.as_ref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(method));
    let is_scripted = scenario.http.iter().any(|server| may_fit(&server.url, &url) && is_meant(&server.method));
    let entry = |entry: &String| entry.split_once("://").map_or(entry.as_str(), |(_, rest)| rest).trim_end_matches('/').to_owned();
    let is_entry = scenario.entries.iter().any(|known| may_fit(&entry(known), authority)) || may_fit(ADDRESS, &name(authority));
    let asked = name(host.unwrap_or(authority));
    let is_served = objects.iter().flat_map(|object| hosts(object)).any(|known| may_fit(known, &asked));
    let shown = if method == "GET" { String::new() } else { format!(", method: {method}") };
    (!is_scripted && !is_entry && !is_served).then(|| format!("{{ url: '{}'{shown}, status: 200 }}", url.replace('\'', "''")))
}

/// The hosts that an Ingress or an HTTPRoute serves.
fn hosts(object: &Value) -> Vec<&str> {
    let rules = object["spec"]["rules"].as_array().into_iter().flatten().filter_map(|rule| rule["host"].as_str());
    rules.chain(object["spec"]["hostnames"].as_array().into_iter().flatten().filter_map(Value::as_str)).collect()
}

/// True when an object of this name, such as `deployment/web`, may be among these; also when only the cluster itself could make it.
pub fn may_be_there(objects: &[&Value], name: &str) -> bool {
    let Some((kind, name)) = kind_and_name(name) else { return true };
    matches!(kind.as_str(), "pod" | "replicaset" | "selector" | "node" | "namespace")
        || objects.iter().any(|object| is_of(object, &kind) && may_fit(object["metadata"]["name"].as_str().unwrap_or("*"), name))
}

/// What to write for a program in a pod that no image of that pod can run: the image's key in `simulate.images`, and the rule in its `exec`.
/// None where the pod's image is not known.
pub fn lacking_in_pod(
    scenario: &Scenario,
    objects: &[&Value],
    pod: &str,
    container: Option<&str>,
    script: &Script,
) -> Option<(String, String)> {
    let (program, args) = script.command();
    let words = [vec![program], args].concat();
    let images: Vec<&str> = pods(objects, pod)?.iter().filter_map(|pod| image_of(pod, container)).collect();
    let runs = |image: &&&str| {
        let mut rules = scenario.images.iter().filter(|(pattern, _)| may_fit(pattern, image));
        rules.any(|(_, rule)| may_be_modelled(&rule.exec, &words))
    };
    let image = images.first().filter(|_| !images.iter().any(|image| runs(&image)))?;
    let pattern = scenario.images.keys().filter(|pattern| may_fit(pattern, image)).max_by_key(|pattern| pattern.len());
    Some((pattern.map_or_else(|| (*image).to_owned(), Clone::clone), rule_for(&words)))
}

/// The specifications of the pods behind such a name, as far as these objects tell.
fn pods<'o>(objects: &[&'o Value], name: &str) -> Option<Vec<&'o Value>> {
    let (kind, name) = kind_and_name(name)?;
    let selector = match kind.as_str() {
        "selector" => Some(name.split(',').filter_map(|part| part.split_once('=')).collect::<Vec<_>>()),
        "service" => {
            let service = objects.iter().find(|object| is_of(object, "service") && object["metadata"]["name"].as_str() == Some(name))?;
            let labels = service["spec"]["selector"].as_object()?;
            Some(labels.iter().filter_map(|(label, value)| Some((label.as_str(), value.as_str()?))).collect())
        }
        _ => None,
    };
    let template = |object: &'o Value| if object["kind"] == "Pod" { object } else { &object["spec"]["template"] };
    let is_meant = |object: &&&'o Value| match &selector {
        Some(labels) => labels.iter().all(|(label, value)| {
            let own = template(object)["metadata"]["labels"][label.trim()].as_str();
            own.is_some_and(|own| may_fit(value.trim(), own) || may_fit(own, value.trim()))
        }),
        None => is_of(object, &kind) && object["metadata"]["name"].as_str().is_some_and(|own| may_fit(own, name)),
    };
    Some(objects.iter().filter(is_meant).map(|object| &template(object)["spec"]).filter(|spec| spec["containers"].is_array()).collect())
}

fn image_of<'s>(spec: &'s Value, container: Option<&str>) -> Option<&'s str> {
    let mut containers = spec["containers"].as_array().into_iter().flatten();
    let found = containers.find(|known| container.is_none_or(|name| known["name"].as_str() == Some(name)))?;
    found["image"].as_str()
}

/// Kinds are written in several ways: `stateful-set`, `StatefulSet`.
fn kind_and_name(text: &str) -> Option<(String, &str)> {
    let (kind, name) = text.rsplit_once('/')?;
    Some((kind.rsplit('/').next().unwrap_or(kind).to_lowercase().replace('-', ""), name))
}

fn is_of(object: &Value, kind: &str) -> bool {
    object["kind"].as_str().is_some_and(|own| own.to_lowercase() == kind)
}

#[cfg(test)]
mod tests {
    use super::{lacking_in_pod, lacking_server, may_be_there};
    use crate::ports::Script;
    use crate::scenario::Scenario;
    use serde_json::json;

    #[test]
    fn what_nobody_describes_is_told_and_what_may_be_meant_is_not() {
        let deployment = json!({ "kind": "Deployment", "metadata": { "name": "web-*" }, "spec": { "template": {
            "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [{ "name": "a", "image": "web:*" }, { "name": "b", "image": "side:1" }] } } } });
        let service = json!({ "kind": "Service", "metadata": { "name": "web" }, "spec": { "selector": { "app": "web" } } });
        let ingress = json!({ "kind": "Ingress", "metadata": { "name": "i" }, "spec": { "rules": [{ "host": "shop.test" }] } });
        let objects = [&deployment, &service, &ingress];
        let there = |name: &str| may_be_there(&objects, name);
        assert!(
            there("deployment/web-blue") && there("Service/web") && there("pod/web-1") && there("selector/x=y") && there("deployment/*")
        );
        assert!(!there("deployment/api") && !there("stateful-set/web-blue") && !there("example.com/v1/Gadget/g"));
        let scenario: Scenario = serde_json::from_value(json!({
            "images": { "web:*": { "exec": [{ "run": "ls *" }] } }, "http": [{ "url": "http://a/*", "method": "POST" }], "entries": ["http://in:80"],
        }))
        .unwrap();
        let run = |pod: &str, container: Option<&str>, text: &str| {
            lacking_in_pod(&scenario, &objects, pod, container, &Script::Shell(text.to_owned()))
        };
        let lacking = |image: &str, rule: &str| Some((image.to_owned(), rule.to_owned()));
        assert_eq!(run("deployment/web-blue", None, "ls -l"), None);
        assert_eq!(run("service/web", None, "cat x"), lacking("web:*", "{ run: 'cat x' }"));
        assert_eq!(run("selector/app=web", Some("b"), "ls -l"), lacking("side:1", "{ run: 'ls -l' }"));
        assert_eq!(run("deployment/api", None, "cat x"), None, "that is told as an object");
        let server = |method: &str, url: &str, host: Option<&str>| lacking_server(&scenario, &objects, method, url, host);
        assert_eq!(server("POST", "http://a/x?secret=y", None), None);
        assert_eq!(server("GET", "http://a/x?secret=y", None).as_deref(), Some("{ url: 'http://a/x', status: 200 }"));
        assert_eq!(server("PUT", "http://b", None).as_deref(), Some("{ url: 'http://b', method: PUT, status: 200 }"));
        assert_eq!([server("GET", "http://in:80/x", None), server("GET", "https://shop.test/x", None)], [None, None]);
        assert_eq!(server("GET", "http://c/", Some("shop.test")), None);
        assert_eq!(server("GET", "http://*/x", None), None);
    }
}
