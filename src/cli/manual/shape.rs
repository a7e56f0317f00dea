//! From a JSON Schema to a list that a person reads. It knows the schemas of this program's types, not every schema.

use serde_json::{Map, Value, json};

/// Mappings within mappings that are told; what lies deeper repeats itself.
const DEEPEST: usize = 5;

/// The definitions that references lead to.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Definitions(pub(super) Map<String, Value>);

impl Definitions {
    /// What a schema says once references, templates and `null` are taken out of the way.
    pub(super) fn resolved(&self, schema: &Value) -> Value {
        let mut schema = schema.clone();
        // Each round takes one reference or one wrapping away; a type that holds itself would go on for ever.
        for _ in 0..DEEPEST {
            let own = schema.get("description").cloned();
            let inner = if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
                self.0.get(name.rsplit('/').next().unwrap_or_default()).cloned().unwrap_or(Value::Null)
            } else if let Some(only) = only_choice(&schema) {
                only
            } else {
                return schema;
            };
            let default = schema.get("default").cloned();
            schema = inner;
            if let Some(object) = schema.as_object_mut() {
                own.into_iter().for_each(|own| drop(object.insert("description".to_owned(), own)));
                default.into_iter().for_each(|default| drop(object.insert("default".to_owned(), default)));
            }
        }
        schema
    }

    /// A schema without references.
    pub(super) fn inlined(&self, schema: &Value) -> Value {
        self.without_references(&self.resolved(schema), 0)
    }

    fn without_references(&self, schema: &Value, depth: usize) -> Value {
        match schema {
            Value::Object(object) if object.contains_key("$ref") && depth < 3 * DEEPEST => {
                self.without_references(&self.resolved(schema), depth + 1)
            }
            Value::Object(object) => {
                object.iter().map(|(key, value)| (key.clone(), self.without_references(value, depth + 1))).collect::<Map<_, _>>().into()
            }
            Value::Array(items) => items.iter().map(|item| self.without_references(item, depth + 1)).collect(),
            other => other.clone(),
        }
    }
}

/// The one thing that a choice comes down to: nothing and a template go without saying.
fn only_choice(schema: &Value) -> Option<Value> {
    let choices = schema.get("anyOf")?.as_array()?;
    let goes_without_saying = |choice: &&Value| choice["type"] == "null" || choice["$ref"] == "#/$defs/Template";
    let mut told = choices.iter().filter(|choice| !goes_without_saying(choice));
    match (told.next(), told.next()) {
        (Some(only), None) => Some(only.clone()),
        _ => None,
    }
}

/// A list item for each key, those of mappings within indented below. What may be written without a mapping is said before.
pub(super) fn bullets(schema: &Value, definitions: &Definitions) -> Vec<String> {
    let schema = definitions.resolved(schema);
    let mut lines = Vec::new();
    if schema["anyOf"].is_array() {
        lines.extend([format!("Written as {}.", type_of(&schema, definitions)), String::new()]);
    }
    for choice in schema["anyOf"].as_array().into_iter().flatten() {
        keys(&definitions.resolved(choice), definitions, 0, &mut lines);
    }
    keys(&schema, definitions, 0, &mut lines);
    lines
}

fn keys(schema: &Value, definitions: &Definitions, depth: usize, lines: &mut Vec<String>) {
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    for (key, value) in schema["properties"].as_object().into_iter().flatten() {
        let value = definitions.resolved(value);
        let mut facts = vec![type_of(&value, definitions)];
        facts.extend(required.contains(&key.as_str()).then(|| "required".to_owned()));
        facts.extend(default(&value));
        let about = value["description"].as_str().map(|about| format!(": {}", about.replace('\n', " "))).unwrap_or_default();
        lines.push(format!("{}- `{key}` ({}){about}", "  ".repeat(depth), facts.join(", ")));
        below(&value, definitions, depth + 1, lines);
    }
}

/// What a value may hold: the keys of a mapping, also of each one in a list, and words that say what they mean.
fn below(value: &Value, definitions: &Definitions, depth: usize, lines: &mut Vec<String>) {
    if depth > DEEPEST {
        return;
    }
    if value["type"] == "array" {
        return below(&definitions.resolved(&value["items"]), definitions, depth, lines);
    }
    for word in words(value) {
        if let Some(about) = word["description"].as_str() {
            lines.push(format!("{}- `{}`: {about}", "  ".repeat(depth), word["const"].as_str().unwrap_or_default()));
        }
    }
    for choice in tagged(value) {
        // Which of them stands there is the author's choice: none is required.
        let choice = json!({ "properties": choice["properties"] });
        keys(&choice, definitions, depth, lines);
    }
    keys(value, definitions, depth, lines);
}

/// The words of which one must stand here.
fn words(value: &Value) -> impl Iterator<Item = &Value> {
    value["oneOf"].as_array().into_iter().flatten().filter(|choice| choice["const"].is_string())
}

/// The mappings of which one must stand here.
fn tagged(value: &Value) -> impl Iterator<Item = &Value> {
    value["oneOf"].as_array().into_iter().flatten().filter(|choice| choice["properties"].is_object())
}

fn default(value: &Value) -> Option<String> {
    match &value["default"] {
        Value::String(text) if !text.is_empty() => Some(format!("`{text}` when not given")),
        Value::Bool(true) => Some("`true` when not given".to_owned()),
        Value::Number(number) => Some(format!("`{number}` when not given")),
        _ => None,
    }
}

/// The words for what stands here.
fn type_of(value: &Value, definitions: &Definitions) -> String {
    let quoted = |word: &Value| word.as_str().map(|word| format!("`{word}`"));
    let named: Vec<String> = words(value).filter_map(|word| quoted(&word["const"])).collect();
    if !named.is_empty() {
        return named.join(" or ");
    }
    if let Some(list) = value["enum"].as_array() {
        return list.iter().filter_map(quoted).collect::<Vec<_>>().join(" or ");
    }
    if tagged(value).next().is_some() {
        return "one of these".to_owned();
    }
    if let Some(choices) = value.get("anyOf").or_else(|| value.get("oneOf")).and_then(Value::as_array) {
        let mut kinds: Vec<String> = Vec::new();
        for choice in choices.iter().map(|choice| definitions.resolved(choice)).filter(|choice| choice["pattern"] != json!("\\{\\{")) {
            let kind = type_of(&choice, definitions);
            if !kinds.contains(&kind) && choice["type"] != "null" {
                kinds.push(kind);
            }
        }
        return kinds.join(" or ");
    }
    let kind = match &value["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null"),
        kind => kind.as_str(),
    };
    match kind {
        Some("string") if value["examples"][0] == "30s" => "length of time".to_owned(),
        Some("string") => "text".to_owned(),
        Some("integer" | "number") => "number".to_owned(),
        Some("boolean") => "`true` or `false`".to_owned(),
        Some("array") => match type_of(&definitions.resolved(&value["items"]), definitions).as_str() {
            "" => "list".to_owned(),
            of => format!("list, each {of}"),
        },
        Some("object") if value["additionalProperties"].is_object() => "mapping of texts".to_owned(),
        Some("object") => "mapping".to_owned(),
        _ => "anything".to_owned(),
    }
}
