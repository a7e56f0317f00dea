//! Kubernetes manifests: reading them as kubectl does, and filling values into them. It knows no kinds of object but `List`.

use super::spot::parts;
use super::{Quoted, RenderError, Spot, Spots, Text, quoted, yaml};
use serde_json::{Map, Value};

/// The longest line that is told as it would be right.
const LONGEST_LINE: usize = 160;

/// Faults after which no more are looked for: such a text was never meant as a manifest.
const MOST_FAULTS: usize = 50;

/// Says that a text is not a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// It is not YAML.
    #[error("{name}:{line}:{column}: {message}")]
    Syntax {
        /// The manifest.
        name: String,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// What stands in the place of an object is none.
    #[error("{name}:{line}:{column}: this is {found}: an object with `apiVersion` and `kind` belongs here")]
    NotAnObject {
        /// The manifest.
        name: String,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What it is.
        found: &'static str,
    },
    /// An object lacks what every object has.
    #[error("{name}:{line}:{column}: this object has no `{key}`")]
    Incomplete {
        /// The manifest.
        name: String,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What it lacks.
        key: &'static str,
    },
}

/// Reads the objects of a manifest, YAML or JSON, in their order. A `List` gives its items.
///
/// # Errors
/// When the text is not YAML, or a document is not a Kubernetes object.
pub fn manifests(text: &str, name: &str) -> Result<Vec<Value>, ManifestError> {
    Ok(placed_manifests(text, name)?.into_iter().map(|(object, _)| object).collect())
}

/// As [`manifests`], with where each object stands.
///
/// # Errors
/// As [`manifests`].
pub fn placed_manifests(text: &str, name: &str) -> Result<Vec<(Value, Spot)>, ManifestError> {
    let read = read(text, name)?;
    read.faults.into_iter().next().map_or(Ok(read.objects), Err)
}

/// Everything that keeps a text from being a manifest; of very much the first.
pub fn manifest_faults(text: &str, name: &str) -> Vec<ManifestError> {
    match read(text, name) {
        Ok(read) => read.faults,
        // What comes behind a document that cannot be read is looked at by itself.
        Err(error) => Some(faults_by_document(text, name)).filter(|faults| !faults.is_empty()).unwrap_or_else(|| vec![error]),
    }
}

fn faults_by_document(text: &str, name: &str) -> Vec<ManifestError> {
    let mut reading = Reading { spots: Spots::of(text), name, objects: Vec::new(), faults: Vec::new() };
    let (mut document, mut lines, mut counted) = (0, 0, 0);
    for part in parts(text) {
        lines += text[counted..part.start].matches('\n').count();
        counted = part.start;
        match documents(&text[part], name) {
            Ok(values) => {
                for value in values {
                    reading.take(value, Spot { document, items: Vec::new() });
                    document += 1;
                }
            }
            Err(fault) => {
                reading.faults.extend((reading.faults.len() < MOST_FAULTS).then(|| fault.below(lines)));
                document += 1;
            }
        }
    }
    reading.faults
}

impl ManifestError {
    /// The same in a text with so many lines before it.
    fn below(self, lines: usize) -> Self {
        match self {
            Self::Syntax { name, line, column, message } => Self::Syntax { name, line: line + lines, column, message },
            other => other,
        }
    }
}

fn read<'t>(text: &'t str, name: &'t str) -> Result<Reading<'t>, ManifestError> {
    let mut reading = Reading { spots: Spots::of(text), name, objects: Vec::new(), faults: Vec::new() };
    for (document, value) in documents(text, name)?.into_iter().enumerate() {
        reading.take(value, Spot { document, items: Vec::new() });
    }
    Ok(reading)
}

fn documents(text: &str, name: &str) -> Result<Vec<Value>, ManifestError> {
    // JSON first, as kubectl does: tabs may indent it.
    if text.trim_start().starts_with('{')
        && let Ok(all) = serde_json::Deserializer::from_str(text).into_iter().collect()
    {
        return Ok(all);
    }
    yaml::documents(text).map_err(|error| {
        let is_better = |text: &str| yaml::documents(text).map_or_else(|next| next.line > error.line, |_| true);
        // What a Secret holds is not said again.
        let is_told = |right: &Quoted| right.line.chars().count() <= LONGEST_LINE && !text.contains("Secret");
        let message = match quoted(text, error.line, is_better) {
            Some(right) if is_told(&right) => format!("a template stands between quotes: write `{}`", right.line),
            Some(_) => "a template stands between quotes: write `'{{ … }}'`".to_owned(),
            None => error.message,
        };
        ManifestError::Syntax { name: name.to_owned(), line: error.line, column: error.column, message }
    })
}

/// A manifest as far as it was read.
struct Reading<'t> {
    spots: Spots<'t>,
    name: &'t str,
    objects: Vec<(Value, Spot)>,
    faults: Vec<ManifestError>,
}

impl Reading<'_> {
    fn take(&mut self, value: Value, spot: Spot) {
        let name = || self.name.to_owned();
        if self.faults.len() >= MOST_FAULTS {
            return;
        }
        let Value::Object(mut object) = value else {
            let (line, column) = self.spots.place(&spot, &[]);
            return self.faults.push(ManifestError::NotAnObject { name: name(), line, column, found: super::kind_of(&value) });
        };
        let missing: Vec<_> = ["apiVersion", "kind"].into_iter().filter(|key| !object.get(*key).is_some_and(Value::is_string)).collect();
        if !missing.is_empty() {
            let fault = |key: &'static str| {
                let (line, column) = self.spots.place(&spot, &[key]);
                ManifestError::Incomplete { name: name(), line, column, key }
            };
            return self.faults.extend(missing.into_iter().map(fault));
        }
        let is_list = object.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
        match object.remove("items") {
            Some(Value::Array(items)) if is_list => {
                for (number, item) in items.into_iter().enumerate() {
                    let items = [spot.items.as_slice(), &[number]].concat();
                    self.take(item, Spot { items, ..spot });
                }
            }
            items => {
                if let Some(items) = items {
                    object.insert("items".to_owned(), items);
                }
                self.objects.push((Value::Object(object), spot));
            }
        }
    }
}

/// Fills `values` into the texts of a manifest: only expressions that name a given value are rendered, such as `{{ tag }}` where a
/// value `tag` is given. Everything else (`{{ $labels.pod }}` of a Prometheus rule) stays as it is, `\{{` becomes `{{`, and `\\{{ tag }}` a
/// backslash and the value. Keys are not touched.
///
/// # Errors
/// When a named value has no part of the name that is written, or cannot stand in a text.
pub fn render_manifest(document: Value, values: &Value) -> Result<Value, RenderError> {
    match values {
        Value::Object(values) if !values.is_empty() => fill(document, values),
        _ => Ok(document),
    }
}

fn fill(value: Value, values: &Map<String, Value>) -> Result<Value, RenderError> {
    match value {
        Value::String(text) if Text::is_template(&text) => fill_text(text, values),
        Value::Array(items) => items.into_iter().map(|item| fill(item, values)).collect::<Result<_, _>>().map(Value::Array),
        Value::Object(entries) => {
            let entries = entries.into_iter().map(|(key, value)| Ok((key, fill(value, values)?)));
            entries.collect::<Result<Map<_, _>, _>>().map(Value::Object)
        }
        other => Ok(other),
    }
}

fn fill_text(text: String, values: &Map<String, Value>) -> Result<Value, RenderError> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(start) = rest.find("{{") {
        let Some(end) = rest[start..].find("}}").map(|end| start + end + 2) else { break };
        let (before, expression) = (&rest[..start], &rest[start..end]);
        if is_kept(before) {
            filled.push_str(&before[..before.len() - 1]);
            filled.push_str(expression);
            rest = &rest[end..];
            continue;
        }
        let before = before.strip_suffix('\\').unwrap_or(before);
        match ours(expression, values) {
            Some(template) if expression == text => return template.render_over(values.clone()),
            Some(template) => {
                // Two of them side by side are a text for the template engine, a lone one is not.
                let value = template.render_over(values.clone())?;
                let name = expression.trim_matches(['{', '}', ' ']).to_owned();
                let written = super::helpers::as_text(&value).ok_or(RenderError::NotText { name, found: super::kind_of(&value) })?;
                filled.push_str(before);
                filled.push_str(&written);
            }
            None => filled.extend([before, expression]),
        }
        rest = &rest[end..];
    }
    filled.push_str(rest);
    Ok(Value::String(filled))
}

/// True where an expression behind this text stays as it is: one backslash keeps it, two of them are one in front of its value.
pub fn is_kept(before: &str) -> bool {
    before.ends_with('\\') && !before.ends_with("\\\\")
}

/// The expression as a template, if it names given values and nothing else.
fn ours(expression: &str, values: &Map<String, Value>) -> Option<Text> {
    let template = Text::parse(expression).ok()?;
    let named = template.references();
    let all_given = named.iter().all(|reference| values.contains_key(&reference.path[0]));
    (!named.is_empty() && all_given).then_some(template)
}

#[cfg(test)]
mod tests {
    use super::{manifest_faults, manifests, render_manifest};
    use crate::expr::RenderError;
    use serde_json::json;

    #[test]
    fn manifests_are_read_as_kubectl_reads_them() {
        let text = "---\n---\napiVersion: v1\nkind: ConfigMap\ndata: {mode: 0644, on: yes}\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod}\n- {apiVersion: v1, kind: Service}\n";
        let expected = [
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "data": { "mode": 420, "on": true } }),
            json!({ "apiVersion": "v1", "kind": "Pod" }),
            json!({ "apiVersion": "v1", "kind": "Service" }),
        ];
        assert_eq!(manifests(text, "app.yaml").unwrap(), expected);
        assert_eq!(manifests("{\n\t\"apiVersion\": \"v1\",\n\t\"kind\": \"Pod\"\n}", "pod.json").unwrap().len(), 1);
        assert_eq!(manifests("", "empty.yaml").unwrap().len(), 0);
        let chart = "---\napiVersion: v1\nkind: ConfigMap\ndata: { a: '1', b: '2', c: '3' }\n".repeat(20_000);
        assert_eq!(manifests(&chart, "chart.yaml").map(|read| read.len()), Ok(20_000));
    }

    #[test]
    fn what_is_no_manifest_is_told_with_its_place() {
        let told = |text: &str| manifests(text, "app.yaml").unwrap_err().to_string();
        insta::assert_snapshot!(told("apiVersion: v1\nkind: Pod\nspec: {a: [}\n"), @"app.yaml:3:11: mismatched bracket '[' closed by '}'");
        insta::assert_snapshot!(told("apiVersion: v1\nkind: Pod\n---\n- a\n"), @"app.yaml:4:3: this is a list: an object with `apiVersion` and `kind` belongs here");
        let unquoted = "app.yaml:3:12: a template stands between quotes: write `replicas: '{{ replicas }}'`";
        assert_eq!(told("apiVersion: v1\nkind: Pod\nreplicas: {{ replicas }}\n"), unquoted);
        insta::assert_snapshot!(told("kind: Pod\n"), @"app.yaml:1:1: this object has no `apiVersion`");
        insta::assert_snapshot!(told("apiVersion: v1\nkind: Pod\nkind: Pod\n"), @"app.yaml:3:1: duplicate mapping key: kind not allowed here");
    }

    #[test]
    fn every_object_that_is_none_is_told_also_within_lists() {
        let text = "apiVersion: v1\nkind: Pod\n---\n# empty\n---\nkind: 5\n---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod}\n- {kind: Pod}\n- x\n- {apiVersion: v1, kind: List, items: [{apiVersion: v1}]}\n";
        let told: Vec<String> = manifest_faults(text, "m").iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(told.join("\n"), @"
        m:6:1: this object has no `apiVersion`
        m:6:7: this object has no `kind`
        m:12:4: this object has no `apiVersion`
        m:13:3: this is a text: an object with `apiVersion` and `kind` belongs here
        m:14:41: this object has no `kind`
        ");
        let broken = "kind: Pod\n---\napiVersion: v1\nkind: Pod\nspec: {a: [}\n---\nkind: Pod\nx: y: z\n---\napiVersion: v1\n";
        let told: Vec<String> = manifest_faults(broken, "m").iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(told.join("\n"), @"
        m:1:1: this object has no `apiVersion`
        m:5:11: mismatched bracket '[' closed by '}'
        m:8:5: mapping values are not allowed in this context
        m:10:1: this object has no `kind`
        ");
        let long = "- 1\n---\n".repeat(20_000);
        assert_eq!(manifest_faults(&long, "m").len(), 50);
        let json = "{\n\t\"kind\": \"Pod\"\n}\n{\"apiVersion\": 1}";
        assert_eq!(manifest_faults(json, "m").len(), 3);
    }

    #[test]
    fn only_given_values_are_filled_in() {
        let document = json!({
            "image": "web:{{ tag }}-{{colour}}", "replicas": "{{ replicas }}", "{{ tag }}": "key",
            "rule": "{{ $labels.pod }} {{ .Values.tag }} {{ colur }} {{#if tag}}x{{/if}} {{ unclosed",
            "other": "{{ default resources.cpu '1' }}", "kept": "\\{{ tag }}\\{{ $x }} {{ tag }}", "path": r"C:\\{{ tag }} \\{{ $x }}",
        });
        let values = json!({ "tag": "v1", "colour": "blue", "replicas": 3, "resources": {} });
        let expected = json!({
            "image": "web:v1-blue", "replicas": 3, "{{ tag }}": "key",
            "rule": "{{ $labels.pod }} {{ .Values.tag }} {{ colur }} {{#if tag}}x{{/if}} {{ unclosed",
            "other": "1", "kept": "{{ tag }}{{ $x }} v1", "path": r"C:\v1 \{{ $x }}",
        });
        assert_eq!(render_manifest(document.clone(), &values), Ok(expected));
        assert_eq!(render_manifest(document.clone(), &json!({})), Ok(document));
        let missing = render_manifest(json!("{{ resources.memory }}"), &values);
        assert_eq!(missing, Err(RenderError::Missing { name: "resources.memory".into() }));
    }
}
