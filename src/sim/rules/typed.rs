//! What server-side apply refuses before it looks at the meaning: fields that the kind does not have, texts that are none, numbers that are
//! none, elements that stand there twice. A real server looks at every value; here are those that manifests most often get wrong.

use crate::sim::fields::unknown::{escaped, unknown};
use crate::sim::fields::{element, schema};
use crate::sim::refusal::Refusal;
use schema::Shape;
use serde_json::Value;
use std::collections::BTreeSet;

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
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (group, kind) = (text(&config["apiVersion"]), text(&config["kind"]));
    let group = group.split_once('/').map(|(group, _)| group).unwrap_or_default();
    let mut look = Look { unknown: unknown(group, &kind, config), wrong: Vec::new() };
    look.walk(config, &mut Vec::new(), At::default());
    let told = match look.wrong.as_slice() {
        [] => return Ok(()),
        [one] => format!(" {one}"),
        many => format!(" errors:\n{}", many.iter().map(|one| format!("  {one}")).collect::<Vec<_>>().join("\n")),
    };
    let (metadata, api_version) = (&config["metadata"], text(&config["apiVersion"]));
    let api_version = if api_version.contains('/') { api_version } else { format!("/{api_version}") };
    let of = format!("{}/{}; {api_version}, Kind={}", text(&metadata["namespace"]), text(&metadata["name"]), text(&config["kind"]));
    Err(Refusal::new(500, "", format!("failed to create typed patch object ({of}):{told}")))
}

/// Looks at an object that was patched: unknown fields are told in other words then, after the whole object.
pub(in crate::sim) fn check_patched(object: &Value) -> Result<(), Refusal> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (group, kind) = (text(&object["apiVersion"]), text(&object["kind"]));
    let group = group.split_once('/').map(|(group, _)| group).unwrap_or_default();
    let unknown: Vec<String> = unknown(group, &kind, object)
        .into_iter()
        .map(|pointer| format!("unknown field \"{}\"", pointer.trim_start_matches('/').replace('/', ".")))
        .collect();
    match unknown.is_empty() {
        true => check(object),
        false => {
            let told = format!(
                " \"\" is invalid: patch: Invalid value: {}: strict decoding error: {}",
                Value::from(object.to_string()),
                unknown.join(", ")
            );
            Err(Refusal::new(422, "Invalid", told))
        }
    }
}

/// A place, as it is told and as JSON pointers write it.
#[derive(Default)]
struct At {
    told: String,
    pointer: String,
}

struct Look {
    unknown: BTreeSet<String>,
    wrong: Vec<String>,
}

impl Look {
    fn walk<'a>(&mut self, value: &'a Value, path: &mut Vec<&'a str>, at: At) {
        match value {
            Value::Object(map) => {
                for (name, inner) in map {
                    let here = At { told: format!("{}.{name}", at.told), pointer: format!("{}/{}", at.pointer, escaped(name)) };
                    let parent = path.last().copied().unwrap_or_default();
                    let is_unknown = self.unknown.contains(&here.pointer);
                    let unknown = is_unknown.then(|| "field not declared in schema".to_owned());
                    match unknown.or_else(|| wanted(parent, name, inner)) {
                        Some(why) => self.wrong.push(format!("{}: {why}", here.told)),
                        None => {
                            path.push(name);
                            self.walk(inner, path, here);
                            path.pop();
                        }
                    }
                }
            }
            Value::Array(items) => self.elements(items, path, &at),
            _ => {}
        }
    }

    fn elements<'a>(&mut self, items: &'a [Value], path: &mut Vec<&'a str>, at: &At) {
        let keys = match schema::shape(path) {
            Shape::Keyed(keys) => keys,
            _ => &[],
        };
        let mut seen = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let key = (!keys.is_empty()).then(|| element(item, keys));
            let place = key.as_deref().and_then(written).unwrap_or_else(|| index.to_string());
            if key.is_some() && seen.contains(&key) {
                self.wrong.push(format!("{}: duplicate entries for key [{place}]", at.told));
                continue;
            }
            seen.push(key);
            let is_text = path.last().is_some_and(|name| LISTS.contains(name));
            let here = At { told: format!("{}[{place}]", at.told), pointer: format!("{}/{index}", at.pointer) };
            match not_text(item).filter(|_| is_text) {
                Some(why) => self.wrong.push(format!("{}: {why}", here.told)),
                None => self.walk(item, path, here),
            }
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
