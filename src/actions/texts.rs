//! Numbers and booleans in manifests where Kubernetes takes texts alone, most of all those that a template gives: every server refuses them. It
//! asks none.

use crate::action::{About, Finding, Frozen};
use crate::cluster::kinds;
use crate::expr::{Spots, placed_manifests, render_manifest};
use serde_json::{Map, Value};

/// Most places of one file that are told.
const MOST_TOLD: usize = 50;

/// Mappings whose values are texts, in the metadata of every object.
const OF_METADATA: [&str; 2] = ["labels", "annotations"];
/// Such mappings within objects of the kinds that Kubernetes brings.
const TEXTS: [&str; 4] = ["labels", "annotations", "matchLabels", "nodeSelector"];

/// What stands in these files where a text must. What cannot be read, or filled in yet, is left out: it is told elsewhere.
pub(super) fn untyped(frozen: &Frozen, paths: &[&str], values: Option<&Map<String, Value>>) -> Vec<Finding> {
    let values = values.cloned().map_or(Value::Null, Value::Object);
    let mut findings = Vec::new();
    for path in paths {
        let Some(bytes) = frozen.file(path) else { continue };
        let Ok(text) = std::str::from_utf8(&bytes) else { continue };
        let (spots, before) = (Spots::of(text), findings.len());
        for (written, spot) in placed_manifests(text, path).unwrap_or_default() {
            let Ok(object) = render_manifest(written.clone(), &values) else { continue };
            let wrong = wrong(&object);
            for keys in wrong.into_iter().take(MOST_TOLD.saturating_sub(findings.len() - before)) {
                let borrowed: Vec<&str> = keys.iter().map(String::as_str).collect();
                let (line, column) = spots.place(&spot, &borrowed);
                let value = |of: &Value| of.pointer(&pointer(&keys)).cloned().unwrap_or_default();
                // What a Secret holds is not said again.
                let shown = if object["kind"] == "Secret" { "no text".to_owned() } else { value(&object).to_string() };
                findings.push(Finding {
                    message: format!("{path}:{line}:{column}: `{}` is {shown}, and a text must stand here", told(&keys)),
                    help: help(&value(&written), &shown),
                    code: "plan::no-text",
                    about: About::File((*path).to_owned()),
                    is_warning: false,
                });
            }
        }
    }
    findings
}

/// What to write instead.
fn help(written: &Value, shown: &str) -> String {
    match written.as_str().map(|template| template.trim_matches(['{', '}', ' '])) {
        Some(name) if !name.contains(' ') => format!("a template that stands alone keeps its type: write `'{{{{ text {name} }}}}'`"),
        Some(_) => "a template that stands alone keeps its type: write `'{{ text … }}'`".to_owned(),
        None if shown == "no text" => "put it between quotes".to_owned(),
        None => format!("put it between quotes: `'{shown}'`"),
    }
}

/// The keys that lead to what is no text, of everything that must be one.
fn wrong(object: &Value) -> Vec<Vec<String>> {
    let word = |key: &str| object[key].as_str().unwrap_or_default();
    let (mut look, kind) = (Look::default(), word("kind"));
    for name in OF_METADATA {
        look.within(&["metadata", name], |look| look.texts(&object["metadata"][name]));
    }
    if matches!((word("apiVersion"), kind), ("v1", "ConfigMap" | "Secret")) {
        for name in ["data", "stringData"] {
            look.within(&[name], |look| look.texts(&object[name]));
        }
    } else if kinds::table(word("apiVersion"), kind).is_some() {
        look.within(&["spec"], |look| look.walk(&object["spec"]));
    }
    look.wrong
}

/// A look through an object.
#[derive(Default)]
struct Look {
    path: Vec<String>,
    wrong: Vec<Vec<String>>,
}

impl Look {
    fn within(&mut self, keys: &[&str], look: impl FnOnce(&mut Self)) {
        self.path.extend(keys.iter().map(|key| (*key).to_owned()));
        look(self);
        self.path.truncate(self.path.len() - keys.len());
    }

    fn text(&mut self, value: &Value) {
        if value.is_number() || value.is_boolean() {
            self.wrong.push(self.path.clone());
        }
    }

    /// A mapping, or a list, of texts.
    fn texts(&mut self, all: &Value) {
        for (key, value) in all.as_object().into_iter().flatten() {
            self.within(&[key], |look| look.text(value));
        }
        for (number, value) in all.as_array().into_iter().flatten().enumerate() {
            self.within(&[&number.to_string()], |look| look.text(value));
        }
    }

    fn walk(&mut self, value: &Value) {
        for (number, item) in value.as_array().into_iter().flatten().enumerate() {
            self.within(&[&number.to_string()], |look| look.walk(item));
        }
        for (key, inner) in value.as_object().into_iter().flatten() {
            self.within(&[key], |look| match key.as_str() {
                key if TEXTS.contains(&key) => look.texts(inner),
                "containers" | "initContainers" => look.containers(inner),
                _ => look.walk(inner),
            });
        }
    }

    fn containers(&mut self, all: &Value) {
        for (number, container) in all.as_array().into_iter().flatten().enumerate() {
            self.within(&[&number.to_string()], |look| {
                for name in ["args", "command"] {
                    look.within(&[name], |look| look.texts(&container[name]));
                }
                for (number, variable) in container["env"].as_array().into_iter().flatten().enumerate() {
                    for name in ["name", "value"] {
                        look.within(&["env", &number.to_string(), name], |look| look.text(&variable[name]));
                    }
                }
            });
        }
    }
}

fn pointer(keys: &[String]) -> String {
    keys.iter().map(|key| format!("/{}", key.replace('~', "~0").replace('/', "~1"))).collect()
}

fn told(keys: &[String]) -> String {
    let part = |key: &String| if key.bytes().all(|byte| byte.is_ascii_digit()) { format!("[{key}]") } else { format!(".{key}") };
    keys.iter().map(part).collect::<String>().trim_start_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::untyped;
    use crate::action::Frozen;
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn found(text: &str, values: &Value) -> String {
        let held = [("m.yaml".to_owned(), Arc::from(text.as_bytes()))];
        let found = untyped(&Frozen(Arc::new(held.into())), &["m.yaml", "none.yaml"], values.as_object());
        found.iter().map(|finding| format!("{}\n  {}", finding.message, finding.help)).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn numbers_and_booleans_where_texts_belong_are_told_with_what_to_write() {
        let text = "
apiVersion: v1
kind: ConfigMap
metadata: { name: a, annotations: { example.com/n: '{{ n }}', on: true } }
data: { a: '{{ n }}', b: 'x{{ n }}', c: '{{ text n }}', d: 5, e: '{{ lookup all \"x\" }}' }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: w }
spec:
  replicas: '{{ n }}'
  selector: { matchLabels: { a: 1 } }
  template:
    metadata: { labels: { a: '1' } }
    spec:
      containers:
        - name: c
          args: [--port, 80]
          env: [{ name: A, value: 'x' }, { name: B, value: '{{ n }}' }]
---
apiVersion: example.com/v1
kind: Thing
metadata: { name: t, labels: { a: 1 } }
spec: { labels: { a: 1 } }
";
        insta::assert_snapshot!(found(text, &json!({ "n": 5, "all": { "x": 1 } })), @"
        m.yaml:4:52: `metadata.annotations.example.com/n` is 5, and a text must stand here
          a template that stands alone keeps its type: write `'{{ text n }}'`
        m.yaml:4:67: `metadata.annotations.on` is true, and a text must stand here
          put it between quotes: `'true'`
        m.yaml:5:12: `data.a` is 5, and a text must stand here
          a template that stands alone keeps its type: write `'{{ text n }}'`
        m.yaml:5:60: `data.d` is 5, and a text must stand here
          put it between quotes: `'5'`
        m.yaml:5:66: `data.e` is 1, and a text must stand here
          a template that stands alone keeps its type: write `'{{ text … }}'`
        m.yaml:12:33: `spec.selector.matchLabels.a` is 1, and a text must stand here
          put it between quotes: `'1'`
        m.yaml:18:26: `spec.template.spec.containers[0].args[1]` is 80, and a text must stand here
          put it between quotes: `'80'`
        m.yaml:19:60: `spec.template.spec.containers[0].env[1].value` is 5, and a text must stand here
          a template that stands alone keeps its type: write `'{{ text n }}'`
        m.yaml:23:35: `metadata.labels.a` is 1, and a text must stand here
          put it between quotes: `'1'`
        ");
        let hidden = found("{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {pin: 4711}}", &json!({}));
        assert_eq!(hidden, "m.yaml:1:71: `stringData.pin` is no text, and a text must stand here\n  put it between quotes");
        assert_eq!(found("a: [", &json!({})), "");
        let many: String = (0..100).map(|n| format!("  k{n}: {n}\n")).collect();
        assert_eq!(
            found(&format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: a }}\ndata:\n{many}"), &json!({})).lines().count(),
            100
        );
    }
}
