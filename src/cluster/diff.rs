//! What differs between two states of an object, in lines for people. Values of Secrets are never shown. Pure.

use crate::cluster::object::Object;
use serde_json::{Map, Value};

/// Longest value that is shown.
const LONGEST: usize = 200;

/// One line for each field that differs: `- spec.replicas: 1` and `+ spec.replicas: 2`.
pub fn lines(before: Option<&Object>, after: Option<&Object>) -> Vec<String> {
    let secret = before.or(after).is_some_and(|object| object.kind() == "Secret");
    let [before, after] = [before, after].map(|object| object.map(written).unwrap_or_default());
    let mut differ = Differ { secret, lines: Vec::new() };
    differ.values("", Some(&before), Some(&after));
    differ.lines
}

/// True when two states say the same about what people write, whoever wrote it.
pub fn is_same(one: &Object, other: &Object) -> bool {
    written(one) == written(other)
}

/// What people write: everything but status, owners and the server's bookkeeping.
fn written(object: &Object) -> Value {
    let mut written = object.0.clone();
    let Some(fields) = written.as_object_mut() else { return written };
    // Which object it is does not differ, and is no change to tell.
    for name in ["status", "kind", "apiVersion"] {
        fields.shift_remove(name);
    }
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.retain(|name, _| matches!(name.as_str(), "labels" | "annotations" | "finalizers" | "ownerReferences"));
        if metadata.is_empty() {
            fields.shift_remove("metadata");
        }
    }
    written
}

struct Differ {
    secret: bool,
    lines: Vec<String>,
}

impl Differ {
    fn values(&mut self, path: &str, before: Option<&Value>, after: Option<&Value>) {
        if before == after {
            return;
        }
        match (before, after) {
            (Some(Value::Object(before)), Some(Value::Object(after))) => self.maps(path, before, after),
            (Some(Value::Array(before)), Some(Value::Array(after))) => self.lists(path, before, after),
            (Some(old), Some(new)) if is_leaf(old) && is_leaf(new) && show(old) == show(new) => {
                // Only the type tells them apart.
                self.leaf('-', path, &old.to_string());
                self.leaf('+', path, &new.to_string());
            }
            _ => {
                self.leaves('-', path, before);
                self.leaves('+', path, after);
            }
        }
    }

    fn leaf(&mut self, sign: char, path: &str, text: &str) {
        let hidden = self.secret && (path.starts_with("data.") || path.starts_with("stringData.") || path.contains("last-applied"));
        self.lines.push(format!("{sign} {path}: {}", if hidden { "[secret]" } else { text }));
    }

    fn maps(&mut self, path: &str, before: &Map<String, Value>, after: &Map<String, Value>) {
        let new = after.keys().filter(|name| !before.contains_key(*name));
        for name in before.keys().chain(new) {
            self.values(&join(path, name), before.get(name), after.get(name));
        }
    }

    fn lists(&mut self, path: &str, before: &[Value], after: &[Value]) {
        let named = before.iter().chain(after).all(|element| element["name"].is_string());
        if !named {
            for index in 0..before.len().max(after.len()) {
                self.values(&format!("{path}[{index}]"), before.get(index), after.get(index));
            }
            return;
        }
        let find = |list: &'_ [Value], name: &str| list.iter().position(|element| element["name"] == name);
        for element in before.iter().chain(after.iter().filter(|element| find(before, name_of(element)).is_none())) {
            let name = name_of(element);
            let [old, new] = [before, after].map(|list| find(list, name).map(|index| &list[index]));
            self.values(&format!("{path}[{name}]"), old, new);
        }
    }

    fn leaves(&mut self, sign: char, path: &str, value: Option<&Value>) {
        match value {
            None | Some(Value::Null) => {}
            Some(Value::Object(map)) if !map.is_empty() => {
                for (name, inner) in map {
                    self.leaves(sign, &join(path, name), Some(inner));
                }
            }
            Some(Value::Array(list)) if list.iter().any(Value::is_object) => {
                for (index, inner) in list.iter().enumerate() {
                    let name = inner["name"].as_str().map_or_else(|| index.to_string(), str::to_owned);
                    self.leaves(sign, &format!("{path}[{name}]"), Some(inner));
                }
            }
            Some(value) => self.leaf(sign, path, &show(value)),
        }
    }
}

fn name_of(element: &Value) -> &str {
    element["name"].as_str().unwrap_or_default()
}

fn join(path: &str, name: &str) -> String {
    match (path.is_empty(), name.contains(['.', '/'])) {
        (true, _) => name.to_owned(),
        (false, true) => format!("{path}[{name}]"),
        (false, false) => format!("{path}.{name}"),
    }
}

fn is_leaf(value: &Value) -> bool {
    value.is_string() || value.is_number() || value.is_boolean()
}

fn show(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), |text| text.escape_debug().to_string());
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::{is_same, lines};
    use crate::cluster::object::Object;
    use serde_json::{Value, json};

    fn deployment(image: &str, replicas: u32) -> Object {
        let containers = json!([{ "name": "web", "image": image }]);
        Object(json!({ "kind": "Deployment", "metadata": { "name": "web", "resourceVersion": image },
            "spec": { "replicas": replicas, "template": { "spec": { "containers": containers } } }, "status": { "x": replicas } }))
    }

    #[test]
    fn only_what_people_write_is_compared() {
        let (one, two) = (deployment("web:1", 2), deployment("web:2", 2));
        insta::assert_snapshot!(lines(Some(&one), Some(&two)).join("\n"), @r"
        - spec.template.spec.containers[web].image: web:1
        + spec.template.spec.containers[web].image: web:2
        ");
        assert!(!is_same(&one, &two));
        let mut other = one.clone();
        other.0["status"] = Value::Null;
        other.0["metadata"]["resourceVersion"] = json!("9");
        assert!(is_same(&one, &other) && lines(Some(&one), Some(&other)).is_empty());
    }

    #[test]
    fn what_only_differs_in_its_type_is_told_apart() {
        let thing = |size: Value| Object(json!({ "kind": "Thing", "metadata": { "name": "t" }, "spec": { "size": size } }));
        insta::assert_snapshot!(lines(Some(&thing(json!("1"))), Some(&thing(json!(1)))).join("\n"), @r#"
        - spec.size: "1"
        + spec.size: 1
        "#);
        insta::assert_snapshot!(lines(Some(&thing(json!("1"))), Some(&thing(json!(2)))).join("\n"), @"
        - spec.size: 1
        + spec.size: 2
        ");
    }

    #[test]
    fn a_secrets_values_are_not_shown() {
        let secret = |value: &str| Object(json!({ "kind": "Secret", "metadata": { "name": "s" }, "data": { "password": value } }));
        insta::assert_snapshot!(lines(Some(&secret("aHVudGVyMg==")), Some(&secret("eA=="))).join("\n"), @r"
        - data.password: [secret]
        + data.password: [secret]
        ");
        insta::assert_snapshot!(lines(None, Some(&secret("eA=="))).join("\n"), @"+ data.password: [secret]");
    }
}
