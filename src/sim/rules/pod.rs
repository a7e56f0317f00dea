//! What the API server refuses of a pod, or of the template of one: containers, their ports, variables, mounts and probes.

use super::wrong::Wrong;
use super::{names, resources};
use serde_json::{Value, json};
use std::collections::HashSet;

const LISTS: [&str; 2] = ["containers", "initContainers"];

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

/// Looks at the spec that stands at a field. `claims` are volumes that come from elsewhere.
pub(super) fn check<'a>(spec: &'a Value, claims: impl Iterator<Item = &'a str>, at: &str, wrong: &mut Wrong) {
    let mut volumes = volumes(spec, at, wrong);
    volumes.extend(claims);
    if list(spec, "containers").is_empty() {
        wrong.required(format!("{at}.containers"), "");
    }
    let mut known = HashSet::new();
    for name in LISTS {
        for (index, one) in list(spec, name).iter().enumerate() {
            let at = format!("{at}.{name}[{index}]");
            container(one, &at, &volumes, wrong);
            if !text(one, "name").is_empty() && !known.insert(text(one, "name")) {
                wrong.duplicate(format!("{at}.name"), &one["name"]);
            }
        }
    }
    wrong.word(&format!("{at}.dnsPolicy"), &spec["dnsPolicy"], &["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"]);
}

fn volumes<'a>(spec: &'a Value, at: &str, wrong: &mut Wrong) -> HashSet<&'a str> {
    let mut known = HashSet::new();
    for (index, volume) in list(spec, "volumes").iter().enumerate() {
        let field = format!("{at}.volumes[{index}].name");
        match text(volume, "name") {
            "" => wrong.required(field, ""),
            name if !known.insert(name) => wrong.duplicate(field, &json!(name)),
            name => wrong.text(&field, name, names::label(name)),
        }
        let claim = &volume["persistentVolumeClaim"];
        if claim.is_object() && text(claim, "claimName").is_empty() {
            wrong.required(format!("{at}.volumes[{index}].persistentVolumeClaim.claimName"), "");
        }
    }
    known
}

fn container(container: &Value, at: &str, volumes: &HashSet<&str>, wrong: &mut Wrong) {
    match text(container, "name") {
        "" => wrong.required(format!("{at}.name"), ""),
        name => wrong.text(&format!("{at}.name"), name, names::label(name)),
    }
    if text(container, "image").is_empty() {
        wrong.required(format!("{at}.image"), "");
    }
    ports(container, at, wrong);
    variables(container, at, wrong);
    mounts(container, at, volumes, wrong);
    wrong.word(&format!("{at}.imagePullPolicy"), &container["imagePullPolicy"], &["Always", "IfNotPresent", "Never"]);
    resources::check(&container["resources"], &format!("{at}.resources"), wrong);
    for name in ["livenessProbe", "readinessProbe", "startupProbe"] {
        probe(&container[name], &format!("{at}.{name}"), wrong);
    }
}

fn ports(container: &Value, at: &str, wrong: &mut Wrong) {
    let mut known = HashSet::new();
    for (index, port) in list(container, "ports").iter().enumerate() {
        let at = format!("{at}.ports[{index}]");
        let name = text(port, "name");
        if !name.is_empty() {
            let why = names::port(name);
            if why.is_empty() && !known.insert(name) {
                wrong.duplicate(format!("{at}.name"), &port["name"]);
            }
            why.iter().for_each(|why| wrong.invalid(format!("{at}.name"), &port["name"], why));
        }
        match port["containerPort"].as_i64() {
            None | Some(0) => wrong.required(format!("{at}.containerPort"), ""),
            Some(_) => wrong.port(&format!("{at}.containerPort"), &port["containerPort"]),
        }
        wrong.word(&format!("{at}.protocol"), &port["protocol"], &["SCTP", "TCP", "UDP"]);
    }
}

fn variables(container: &Value, at: &str, wrong: &mut Wrong) {
    for (index, variable) in list(container, "env").iter().enumerate() {
        let at = format!("{at}.env[{index}]");
        let is_plain = |sign: char| (' '..='~').contains(&sign) && sign != '=';
        match text(variable, "name") {
            "" => wrong.required(format!("{at}.name"), ""),
            name if !name.chars().all(is_plain) => {
                let why = "a valid environment variable name must consist only of printable ASCII characters other than '='";
                wrong.invalid(format!("{at}.name"), &variable["name"], why);
            }
            _ => {}
        }
        let from = &variable["valueFrom"];
        if from.is_object() && !text(variable, "value").is_empty() {
            wrong.invalid(format!("{at}.valueFrom"), &json!(""), "may not be specified when `value` is not empty");
        }
        for source in ["configMapKeyRef", "secretKeyRef"] {
            if from[source].is_object() && text(&from[source], "key").is_empty() {
                wrong.required(format!("{at}.valueFrom.{source}.key"), "");
            }
        }
    }
    let is_empty = |source: &&Value| !source["configMapRef"].is_object() && !source["secretRef"].is_object();
    for _ in list(container, "envFrom").iter().filter(is_empty) {
        wrong.invalid(format!("{at}.envFrom"), &json!(""), "must specify one of: `configMapRef` or `secretRef`");
    }
}

fn mounts(container: &Value, at: &str, volumes: &HashSet<&str>, wrong: &mut Wrong) {
    let mut known = HashSet::new();
    for (index, mount) in list(container, "volumeMounts").iter().enumerate() {
        let at = format!("{at}.volumeMounts[{index}]");
        match text(mount, "name") {
            "" => wrong.required(format!("{at}.name"), ""),
            name if !volumes.contains(name) => wrong.not_found(format!("{at}.name"), &mount["name"]),
            _ => {}
        }
        match text(mount, "mountPath") {
            "" => wrong.required(format!("{at}.mountPath"), ""),
            path if !known.insert(path) => wrong.invalid(format!("{at}.mountPath"), &mount["mountPath"], "must be unique"),
            _ => {}
        }
    }
}

fn probe(probe: &Value, at: &str, wrong: &mut Wrong) {
    if !probe.is_object() {
        return;
    }
    let handlers: Vec<&str> = ["exec", "httpGet", "tcpSocket", "grpc"].into_iter().filter(|name| probe[*name].is_object()).collect();
    match handlers.as_slice() {
        [] => wrong.required(at, "must specify a handler type"),
        [_, more @ ..] => more.iter().for_each(|name| wrong.forbidden(format!("{at}.{name}"), "may not specify more than 1 handler type")),
    }
    for name in handlers.into_iter().filter(|name| *name != "exec") {
        let port = if probe[name]["port"].is_null() { json!(0) } else { probe[name]["port"].clone() };
        wrong.port(&format!("{at}.{name}.port"), &port);
    }
}
