//! What the API server refuses of kinds that make no pods: Services, configuration, Ingresses, claims and a few more.

use super::metadata::labels;
use super::names;
use super::wrong::Wrong;
use serde_json::{Value, json};
use std::collections::HashSet;

pub(super) fn check(kind: &str, object: &Value, wrong: &mut Wrong) {
    match kind {
        "Service" => service(&object["spec"], wrong),
        "ConfigMap" | "Secret" => configuration(object, wrong),
        "Ingress" => ingress(&object["spec"], wrong),
        "PersistentVolumeClaim" => claim(&object["spec"], wrong),
        "HorizontalPodAutoscaler" => autoscaler(&object["spec"], wrong),
        "PodDisruptionBudget" => budget(&object["spec"], wrong),
        "RoleBinding" | "ClusterRoleBinding" => subjects(object, wrong),
        "CustomResourceDefinition" => definition(object, wrong),
        _ => {}
    }
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn service(spec: &Value, wrong: &mut Wrong) {
    let ports = list(spec, "ports");
    let is_external = spec["type"] == "ExternalName";
    if ports.is_empty() && spec["clusterIP"] != "None" && !is_external {
        wrong.required("spec.ports", "");
    }
    if is_external && text(spec, "externalName").is_empty() {
        wrong.required("spec.externalName", "");
    }
    labels(&spec["selector"], "spec.selector", wrong);
    wrong.word("spec.type", &spec["type"], &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"]);
    wrong.word("spec.sessionAffinity", &spec["sessionAffinity"], &["ClientIP", "None"]);
    let (mut known, mut numbers) = (HashSet::new(), HashSet::new());
    for (index, port) in ports.iter().enumerate() {
        let at = format!("spec.ports[{index}]");
        if !numbers.insert((text(port, "protocol"), port["port"].as_i64())) {
            wrong.duplicate(at.clone(), port);
        }
        match text(port, "name") {
            "" if ports.len() > 1 => wrong.required(format!("{at}.name"), ""),
            "" => {}
            name if names::label(name).is_some() => wrong.text(&format!("{at}.name"), name, names::label(name)),
            name if !known.insert(name) => wrong.duplicate(format!("{at}.name"), &port["name"]),
            _ => {}
        }
        let number = if port["port"].is_null() { json!(0) } else { port["port"].clone() };
        wrong.port(&format!("{at}.port"), &number);
        wrong.word(&format!("{at}.protocol"), &port["protocol"], &["SCTP", "TCP", "UDP"]);
        wrong.port(&format!("{at}.targetPort"), &port["targetPort"]);
        let target = port["targetPort"].as_str().map(names::port).unwrap_or_default();
        target.iter().for_each(|why| wrong.invalid(format!("{at}.targetPort"), &port["targetPort"], why));
    }
}

fn configuration(object: &Value, wrong: &mut Wrong) {
    for (key, _) in object["data"].as_object().into_iter().flatten() {
        wrong.text(&format!("data[{key}]"), key, names::file(key));
        if object["binaryData"].get(key).is_some() {
            wrong.invalid(format!("data[{key}]"), &json!(key), "duplicate of key present in binaryData");
        }
    }
}

fn ingress(spec: &Value, wrong: &mut Wrong) {
    if list(spec, "rules").is_empty() && !spec["defaultBackend"].is_object() {
        wrong.invalid("spec", &Value::Null, "either `defaultBackend` or `rules` must be specified");
    }
    for (index, rule) in list(spec, "rules").iter().enumerate() {
        let at = format!("spec.rules[{index}]");
        let host = text(rule, "host");
        if host.parse::<std::net::IpAddr>().is_ok() {
            wrong.invalid(format!("{at}.host"), &rule["host"], "must be a DNS name, not an IP address");
        } else if !host.is_empty() {
            wrong.text(&format!("{at}.host"), host, names::subdomain(host.trim_start_matches("*.")));
        }
        for (index, path) in list(&rule["http"], "paths").iter().enumerate() {
            ingress_path(path, &format!("{at}.http.paths[{index}]"), wrong);
        }
    }
}

fn ingress_path(path: &Value, at: &str, wrong: &mut Wrong) {
    match path["pathType"].as_str() {
        None => wrong.required(format!("{at}.pathType"), "pathType must be specified"),
        Some("Exact" | "Prefix") if !text(path, "path").starts_with('/') => {
            wrong.invalid(format!("{at}.path"), &path["path"], "must be an absolute path");
        }
        Some(_) => wrong.word(&format!("{at}.pathType"), &path["pathType"], &["Exact", "ImplementationSpecific", "Prefix"]),
    }
    let service = &path["backend"]["service"];
    if service.is_object() {
        let (name, number) = (text(&service["port"], "name"), service["port"]["number"].as_i64().unwrap_or(0));
        match (name.is_empty(), number) {
            (true, 0) => wrong.required(format!("{at}.backend"), "port name or number is required"),
            (false, 1..) => wrong.invalid(format!("{at}.backend"), &json!(""), "cannot set both port name & port number"),
            _ => {}
        }
    }
}

fn claim(spec: &Value, wrong: &mut Wrong) {
    let modes = list(spec, "accessModes");
    if modes.is_empty() {
        wrong.required("spec.accessModes", "at least 1 access mode is required");
    }
    for mode in modes {
        wrong.word("spec.accessModes", mode, &["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"]);
    }
    if spec["resources"]["requests"]["storage"].is_null() {
        wrong.required("spec.resources[storage]", "");
    }
}

fn autoscaler(spec: &Value, wrong: &mut Wrong) {
    let (least, most) = (spec["minReplicas"].as_i64().unwrap_or(1), spec["maxReplicas"].as_i64().unwrap_or(0));
    if most < 1 {
        wrong.required("spec.maxReplicas", "must be set and greater than 0");
    }
    if most < least {
        wrong.invalid("spec.maxReplicas", &json!(most), "must be greater than or equal to `minReplicas`");
    }
}

fn budget(spec: &Value, wrong: &mut Wrong) {
    if !spec["minAvailable"].is_null() && !spec["maxUnavailable"].is_null() {
        wrong.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set");
    }
}

fn subjects(object: &Value, wrong: &mut Wrong) {
    for (index, subject) in list(object, "subjects").iter().enumerate() {
        if text(subject, "name").is_empty() {
            wrong.required(format!("subjects[{index}].name"), "");
        }
    }
}

fn definition(object: &Value, wrong: &mut Wrong) {
    let spec = &object["spec"];
    let name = text(&object["metadata"], "name");
    if name != format!("{}.{}", text(&spec["names"], "plural"), text(spec, "group")) {
        wrong.invalid("metadata.name", &json!(name), "must be spec.names.plural+\".\"+spec.group");
    }
    let versions = list(spec, "versions");
    for (index, version) in versions.iter().enumerate() {
        if !version["schema"]["openAPIV3Schema"].is_object() {
            wrong.required(format!("spec.versions[{index}].schema.openAPIV3Schema"), "");
        }
    }
    if versions.iter().filter(|version| version["storage"] == true).count() != 1 {
        wrong.invalid("spec.versions", &spec["versions"], "must have exactly one version marked as storage version");
    }
}
