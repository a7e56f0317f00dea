//! What server-side apply refuses before it looks at the meaning: texts that are none, numbers that are none, elements that stand there
//! twice. A real server looks at every field; here are those that manifests most often get wrong.

use crate::sim::fields::{element, schema};
use crate::sim::refusal::Refusal;
use schema::Shape;
use serde_json::Value;

/// Mappings whose values are texts.
const TEXTS: [&str; 6] = ["labels", "annotations", "data", "stringData", "matchLabels", "nodeSelector"];
/// Fields of elements that are texts, with the list of these.
const TEXT: [(&str, &str); 4] = [("containers", "image"), ("initContainers", "image"), ("env", "value"), ("volumeMounts", "mountPath")];
/// Lists of texts.
const LISTS: [&str; 2] = ["args", "command"];
/// Fields that are numbers, wherever they stand.
const NUMBER: [&str; 7] = ["replicas", "containerPort", "port", "nodePort", "minReadySeconds", "backoffLimit", "number"];

/// Looks at a manifest that is applied to the object of this name.
pub(in crate::sim) fn check(config: &Value) -> Result<(), Refusal> {
    let mut wrong = Vec::new();
    walk(config, &mut Vec::new(), "", &mut wrong);
    let told = match wrong.as_slice() {
        [] => return Ok(()),
        [one] => format!(" {one}"),
        many => format!(" errors:\n{}", many.iter().map(|one| format!("  {one}")).collect::<Vec<_>>().join("\n")),
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (metadata, api_version) = (&config["metadata"], text(&config["apiVersion"]));
    let api_version = if api_version.contains('/') { api_version } else { format!("/{api_version}") };
    let of = format!("{}/{}; {api_version}, Kind={}", text(&metadata["namespace"]), text(&metadata["name"]), text(&config["kind"]));
    Err(Refusal::new(500, "", format!("failed to create typed patch object ({of}):{told}")))
}

fn walk<'a>(value: &'a Value, path: &mut Vec<&'a str>, at: &str, wrong: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                let here = format!("{at}.{name}");
                let parent = path.last().copied().unwrap_or_default();
                match wanted(parent, name, inner) {
                    Some(why) => wrong.push(format!("{here}: {why}")),
                    None => {
                        path.push(name);
                        walk(inner, path, &here, wrong);
                        path.pop();
                    }
                }
            }
        }
        Value::Array(items) => elements(items, path, at, wrong),
        _ => {}
    }
}

fn elements<'a>(items: &'a [Value], path: &mut Vec<&'a str>, at: &str, wrong: &mut Vec<String>) {
    let keys = match schema::shape(path) {
        Shape::Keyed(keys) => keys,
        _ => &[],
    };
    let mut seen = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let key = (!keys.is_empty()).then(|| element(item, keys));
        let place = key.as_deref().and_then(written).unwrap_or_else(|| index.to_string());
        if key.is_some() && seen.contains(&key) {
            wrong.push(format!("{at}: duplicate entries for key [{place}]"));
            continue;
        }
        seen.push(key);
        let is_text = path.last().is_some_and(|name| LISTS.contains(name));
        match not_text(item).filter(|_| is_text) {
            Some(why) => wrong.push(format!("{at}[{place}]: {why}")),
            None => walk(item, path, &format!("{at}[{place}]"), wrong),
        }
    }
}

/// `k:{"name":"web"}` as it is told: `name="web"`.
fn written(element: &str) -> Option<String> {
    let keys: serde_json::Map<String, Value> = serde_json::from_str(element.strip_prefix("k:")?).ok()?;
    (!keys.is_empty()).then(|| keys.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(","))
}

fn wanted(parent: &str, name: &str, value: &Value) -> Option<String> {
    if TEXTS.contains(&parent) || TEXT.contains(&(parent, name)) {
        return not_text(value);
    }
    match value {
        // A probe's port, and an Ingress's, may be a name.
        Value::String(_) if NUMBER.contains(&name) && !["httpGet", "tcpSocket", "grpc"].contains(&parent) => {
            Some("expected numeric (int or float), got string".to_owned())
        }
        _ => None,
    }
}

fn not_text(value: &Value) -> Option<String> {
    matches!(value, Value::Number(_) | Value::Bool(_)).then(|| format!("expected string, got &value.valueUnstructured{{Value:{value}}}"))
}
