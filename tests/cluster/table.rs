//! Requests to an API server, and what a real one says of them: `same_words.yaml`, for whoever asks a server. It knows none.

use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    objects: BTreeMap<String, Value>,
    pub cases: Vec<Case>,
}

/// One question. Of an object of the table it makes, applies or changes (after it was made) a version that differs in `with`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub says: String,
    create: Option<String>,
    apply: Option<String>,
    change: Option<String>,
    with: Value,
    /// What is refused has a code and words, in which `…` stands for anything; what is not, has none.
    refused: Option<Refused>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Refused {
    code: u16,
    message: String,
}

/// A request.
pub struct Request {
    pub method: &'static str,
    pub path: String,
    pub content: &'static str,
    pub body: Value,
}

impl Table {
    pub fn read() -> Self {
        let mut table: Self = serde_saphyr::from_str(include_str!("same_words.yaml")).expect("the table can be read");
        // What is made to be changed would be in the way of what is only made.
        table.cases.sort_by_key(|case| case.change.is_some());
        table
    }

    /// The object that must be there first, and the question.
    pub fn requests(&self, case: &Case, namespace: &str) -> (Option<Request>, Request) {
        let object = |name: &String| &self.objects[name];
        match (&case.create, &case.apply, &case.change) {
            (Some(name), None, None) => (None, make(&merged(object(name), &case.with), namespace, "?dryRun=All")),
            (None, Some(name), None) => {
                let mut manifest = merged(object(name), &case.with);
                manifest["metadata"]["namespace"] = json!(namespace);
                let path = format!("{}?dryRun=All&fieldManager=table&force=true", path_to(&manifest, namespace));
                (None, Request { method: "PATCH", path, content: "application/apply-patch+yaml", body: manifest })
            }
            (None, None, Some(name)) => {
                let path = format!("{}?dryRun=All", path_to(object(name), namespace));
                let change = Request { method: "PATCH", path, content: "application/merge-patch+json", body: case.with.clone() };
                (Some(make(object(name), namespace, "")), change)
            }
            _ => panic!("{}: one of create, apply and change", case.says),
        }
    }
}

impl Case {
    /// What is wrong with an answer; nothing when it is as it should be.
    pub fn differs(&self, code: u16, answer: &Value, namespace: &str) -> Option<String> {
        let message = answer["message"].as_str().unwrap_or_default().replace(namespace, "NAMESPACE");
        let as_wanted = match &self.refused {
            None => code < 300,
            Some(refused) => code == refused.code && fits(&in_one_order(&refused.message), &in_one_order(&message)),
        };
        (!as_wanted).then(|| format!("{}: {code} {message}", self.says))
    }
}

fn make(object: &Value, namespace: &str, query: &str) -> Request {
    Request { method: "POST", path: format!("{}{query}", path_of(object, namespace)), content: "application/json", body: object.clone() }
}

fn path_to(object: &Value, namespace: &str) -> String {
    format!("{}/{}", path_of(object, namespace), object["metadata"]["name"].as_str().unwrap_or_default())
}

fn path_of(object: &Value, namespace: &str) -> String {
    let text = |field: &str| object[field].as_str().unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let root = if api_version.contains('/') { "apis" } else { "api" };
    let plural = match kind.to_lowercase() {
        kind if kind.ends_with("ss") => format!("{kind}es"),
        kind => format!("{kind}s"),
    };
    match kind {
        "CustomResourceDefinition" => format!("/{root}/{api_version}/{plural}"),
        _ => format!("/{root}/{api_version}/namespaces/{namespace}/{plural}"),
    }
}

/// As a merge patch says: `null` takes away.
fn merged(object: &Value, change: &Value) -> Value {
    let Value::Object(changes) = change else { return change.clone() };
    let mut merged = object.as_object().cloned().unwrap_or_default();
    for (name, change) in changes {
        match change {
            Value::Null => drop(merged.remove(name)),
            change => {
                let inner = self::merged(merged.get(name).unwrap_or(&Value::Null), change);
                merged.insert(name.clone(), inner);
            }
        }
    }
    Value::Object(merged)
}

/// The lines below `errors:` in one order. A server finds what is wrong with a typed object by walking maps, which Go walks in any.
fn in_one_order(message: &str) -> String {
    match message.split_once("errors:\n") {
        None => message.to_owned(),
        Some((first, found)) => {
            let mut lines: Vec<&str> = found.lines().collect();
            lines.sort_unstable();
            format!("{first}errors:\n{}", lines.join("\n"))
        }
    }
}

/// True when a text is what a pattern says; `…` stands for anything.
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('…');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}
