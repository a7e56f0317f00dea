//! What the API server fills in where a manifest says nothing. Pure.

use serde_json::{Map, Value, json};

/// Fills in the defaults of an object, by its kind.
pub(super) fn fill(object: &mut Value) {
    match object["kind"].as_str().unwrap_or_default() {
        "Deployment" => {
            let spec = spec(object);
            put(spec, "replicas", json!(1));
            put(spec, "revisionHistoryLimit", json!(10));
            put(spec, "progressDeadlineSeconds", json!(600));
            put(spec, "strategy", json!({ "type": "RollingUpdate" }));
            put(inner(spec, "strategy"), "type", json!("RollingUpdate"));
            if spec["strategy"]["type"] == "RollingUpdate" {
                let strategy = inner(spec, "strategy");
                put(strategy, "rollingUpdate", json!({}));
                let rolling = inner(strategy, "rollingUpdate");
                put(rolling, "maxUnavailable", json!("25%"));
                put(rolling, "maxSurge", json!("25%"));
            }
            template(spec, "Always");
        }
        "ReplicaSet" => {
            let spec = spec(object);
            put(spec, "replicas", json!(1));
            template(spec, "Always");
        }
        "StatefulSet" => {
            let spec = spec(object);
            put(spec, "replicas", json!(1));
            put(spec, "podManagementPolicy", json!("OrderedReady"));
            put(spec, "revisionHistoryLimit", json!(10));
            put(spec, "updateStrategy", json!({ "type": "RollingUpdate", "rollingUpdate": { "partition": 0 } }));
            put(spec, "persistentVolumeClaimRetentionPolicy", json!({ "whenDeleted": "Retain", "whenScaled": "Retain" }));
            for claim in spec.get_mut("volumeClaimTemplates").and_then(Value::as_array_mut).into_iter().flatten() {
                claim["apiVersion"] = json!("v1");
                claim["kind"] = json!("PersistentVolumeClaim");
                self::claim(claim);
            }
            template(spec, "Always");
        }
        "DaemonSet" => {
            let spec = spec(object);
            put(spec, "revisionHistoryLimit", json!(10));
            put(spec, "updateStrategy", json!({ "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": 1, "maxSurge": 0 } }));
            template(spec, "Always");
        }
        "Job" => {
            let spec = spec(object);
            put(spec, "backoffLimit", json!(6));
            put(spec, "completionMode", json!("NonIndexed"));
            put(spec, "completions", json!(1));
            put(spec, "parallelism", json!(1));
            put(spec, "suspend", json!(false));
            // Which a Job may not have: it must say what it wants.
            template(spec, "Always");
        }
        "Pod" => pod(spec(object), "Always"),
        "Service" => service(spec(object)),
        "PersistentVolumeClaim" => claim(object),
        "Secret" => put(fields(object), "type", json!("Opaque")),
        "HTTPRoute" => route(object),
        "CustomResourceDefinition" => definition(spec(object)),
        _ => {}
    }
}

fn fields(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("made an object on the line before")
}

fn spec(object: &mut Value) -> &mut Map<String, Value> {
    inner(fields(object), "spec")
}

fn inner<'a>(map: &'a mut Map<String, Value>, name: &str) -> &'a mut Map<String, Value> {
    fields(map.entry(name).or_insert_with(|| json!({})))
}

fn put(map: &mut Map<String, Value>, name: &str, value: Value) {
    if map.get(name).is_none_or(Value::is_null) {
        map.insert(name.to_owned(), value);
    }
}

fn template(spec: &mut Map<String, Value>, restart: &str) {
    let template = inner(spec, "template");
    inner(template, "metadata");
    pod(inner(template, "spec"), restart);
}

fn pod(spec: &mut Map<String, Value>, restart: &str) {
    put(spec, "restartPolicy", json!(restart));
    put(spec, "dnsPolicy", json!("ClusterFirst"));
    put(spec, "schedulerName", json!("default-scheduler"));
    put(spec, "securityContext", json!({}));
    put(spec, "terminationGracePeriodSeconds", json!(30));
    for list in ["initContainers", "containers"] {
        spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten().for_each(|one| container(fields(one)));
    }
}

fn container(container: &mut Map<String, Value>) {
    let latest = container.get("image").and_then(Value::as_str).is_some_and(|image| !image.contains(':') || image.ends_with(":latest"));
    put(container, "imagePullPolicy", json!(if latest { "Always" } else { "IfNotPresent" }));
    put(container, "terminationMessagePath", json!("/dev/termination-log"));
    put(container, "terminationMessagePolicy", json!("File"));
    put(container, "resources", json!({}));
    for port in container.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        put(fields(port), "protocol", json!("TCP"));
    }
    for probe in ["readinessProbe", "livenessProbe", "startupProbe"] {
        let Some(probe) = container.get_mut(probe).filter(|probe| probe.is_object()) else { continue };
        let probe = fields(probe);
        for (name, value) in [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)] {
            put(probe, name, json!(value));
        }
        if let Some(get) = probe.get_mut("httpGet") {
            put(fields(get), "scheme", json!("HTTP"));
        }
    }
}

fn service(spec: &mut Map<String, Value>) {
    put(spec, "type", json!("ClusterIP"));
    put(spec, "sessionAffinity", json!("None"));
    put(spec, "internalTrafficPolicy", json!("Cluster"));
    put(spec, "ipFamilies", json!(["IPv4"]));
    put(spec, "ipFamilyPolicy", json!("SingleStack"));
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        let port = fields(port);
        put(port, "protocol", json!("TCP"));
        if port.get("targetPort") == Some(&json!(0)) {
            port.remove("targetPort");
        }
        if let Some(number) = port.get("port").cloned() {
            put(port, "targetPort", number);
        }
    }
}

fn claim(claim: &mut Value) {
    put(spec(claim), "volumeMode", json!("Filesystem"));
}

fn definition(spec: &mut Map<String, Value>) {
    put(spec, "conversion", json!({ "strategy": "None" }));
    let names = inner(spec, "names");
    let kind = names.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    put(names, "singular", json!(kind.to_lowercase()));
    put(names, "listKind", json!(format!("{kind}List")));
}

fn route(object: &mut Value) {
    let spec = spec(object);
    for parent in spec.get_mut("parentRefs").and_then(Value::as_array_mut).into_iter().flatten() {
        put(fields(parent), "group", json!("gateway.networking.k8s.io"));
        put(fields(parent), "kind", json!("Gateway"));
    }
    for rule in spec.get_mut("rules").and_then(Value::as_array_mut).into_iter().flatten() {
        put(fields(rule), "matches", json!([{ "path": { "type": "PathPrefix", "value": "/" } }]));
        for backend in rule.get_mut("backendRefs").and_then(Value::as_array_mut).into_iter().flatten() {
            for (name, value) in [("group", json!("")), ("kind", json!("Service")), ("weight", json!(1))] {
                put(fields(backend), name, value);
            }
        }
    }
}
