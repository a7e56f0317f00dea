//! Sets of fields, written as `fieldsV1` writes them, and what can be done with them. Pure; it knows no object and no manager.

pub(super) mod schema;
pub(super) mod unknown;

use schema::Shape;
use serde_json::{Map, Value, json};

/// A set of fields: `{"f:spec": {"f:replicas": {}}}`. What is empty, or has the key `.`, is in the set itself.
pub(super) type Fields = Map<String, Value>;

const ITSELF: &str = ".";

/// The path to a value, by the names of fields alone: elements of a list go by the list's name.
pub(super) type Path<'a> = Vec<&'a str>;

/// The set that is written so.
pub(super) fn read(value: &Value) -> Fields {
    value.as_object().cloned().unwrap_or_default()
}

/// All fields of an object that somebody can own.
pub(super) fn of_object(object: &Value) -> Fields {
    read(&of(&owned_part(object), &mut Vec::new()))
}

/// The fields in which `new` differs from `old`, and those that it has and `old` has not.
pub(super) fn changed(old: &Value, new: &Value) -> Fields {
    let (old, new) = (owned_part(old), owned_part(new));
    different(Some(&old), &new, &mut Vec::new()).map(|set| read(&set)).unwrap_or_default()
}

/// An object without what the server alone writes.
fn owned_part(object: &Value) -> Value {
    const SERVERS: [&str; 10] = [
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "selfLink",
        "managedFields",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
    ];
    let mut part = object.clone();
    if let Some(fields) = part.as_object_mut() {
        fields.remove("apiVersion");
        fields.remove("kind");
        if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
            SERVERS.iter().for_each(|name| drop(metadata.remove(*name)));
            if metadata.is_empty() {
                fields.remove("metadata");
            }
        }
    }
    part
}

fn of<'a>(value: &'a Value, path: &mut Path<'a>) -> Value {
    match (value, schema::shape(path)) {
        (Value::Object(map), Shape::Granular) if !map.is_empty() => {
            let inner = map.iter().map(|(name, value)| (format!("f:{name}"), within(path, name, |path| of(value, path))));
            Value::Object(inner.collect())
        }
        (Value::Array(items), Shape::Keyed(keys)) if !items.is_empty() => {
            let inner = items.iter().map(|item| (element(item, keys), with_itself(of_element(item, path))));
            Value::Object(inner.collect())
        }
        (Value::Array(items), Shape::Set) if !items.is_empty() => items.iter().map(|item| (format!("v:{item}"), json!({}))).collect(),
        _ => json!({}),
    }
}

/// The fields of an element are those of a mapping, whatever its list is.
fn of_element<'a>(item: &'a Value, path: &mut Path<'a>) -> Value {
    let map = item.as_object();
    let inner = map.into_iter().flatten().map(|(name, value)| (format!("f:{name}"), within(path, name, |path| of(value, path))));
    Value::Object(inner.collect())
}

fn within<'a, T>(path: &mut Path<'a>, name: &'a str, work: impl FnOnce(&mut Path<'a>) -> T) -> T {
    path.push(name);
    let done = work(path);
    path.pop();
    done
}

fn with_itself(mut fields: Value) -> Value {
    fields[ITSELF] = json!({});
    fields
}

/// The name of an element in a set: `k:{"name":"web"}`.
pub(super) fn element(item: &Value, keys: &[&str]) -> String {
    let values: Map<String, Value> = keys.iter().filter_map(|key| Some(((*key).to_owned(), schema::key_of(item, key)?))).collect();
    format!("k:{}", Value::Object(values))
}

fn different<'a>(old: Option<&'a Value>, new: &'a Value, path: &mut Path<'a>) -> Option<Value> {
    if old == Some(new) {
        return None;
    }
    let found: Map<String, Value> = match (old, new, schema::shape(path)) {
        (Some(Value::Object(before)), Value::Object(after), Shape::Granular) if !after.is_empty() => after
            .iter()
            .filter_map(|(name, value)| Some((format!("f:{name}"), within(path, name, |path| different(before.get(name), value, path))?)))
            .collect(),
        (Some(Value::Array(before)), Value::Array(after), Shape::Keyed(keys)) if !after.is_empty() => after
            .iter()
            .filter_map(|item| {
                let name = element(item, keys);
                match before.iter().find(|known| element(known, keys) == name) {
                    None => Some((name, with_itself(of_element(item, path)))),
                    Some(known) => different_element(known, item, path).map(|inner| (name, inner)),
                }
            })
            .collect(),
        (Some(Value::Array(before)), Value::Array(after), Shape::Set) if !after.is_empty() => {
            after.iter().filter(|item| !before.contains(item)).map(|item| (format!("v:{item}"), json!({}))).collect()
        }
        _ => return Some(of(new, path)),
    };
    (!found.is_empty()).then_some(Value::Object(found))
}

fn different_element<'a>(old: &'a Value, new: &'a Value, path: &mut Path<'a>) -> Option<Value> {
    let map = new.as_object()?;
    let inner = map
        .iter()
        .filter_map(|(name, value)| Some((format!("f:{name}"), within(path, name, |path| different(old.get(name), value, path))?)));
    let inner: Map<String, Value> = inner.collect();
    (!inner.is_empty()).then_some(Value::Object(inner))
}

fn has_itself(fields: &Fields) -> bool {
    fields.is_empty() || fields.contains_key(ITSELF)
}

fn children(fields: &Fields) -> impl Iterator<Item = (&String, &Fields)> {
    fields.iter().filter(|(name, _)| *name != ITSELF).filter_map(|(name, inner)| Some((name, inner.as_object()?)))
}

fn put(into: &mut Fields, name: &str, itself: bool, mut inner: Fields) {
    if itself && !inner.is_empty() {
        inner.insert(ITSELF.to_owned(), json!({}));
    }
    if itself || !inner.is_empty() {
        into.insert(name.to_owned(), Value::Object(inner));
    }
}

/// What is in either.
pub(super) fn union(one: &Fields, other: &Fields) -> Fields {
    let mut sum = Fields::new();
    for (name, inner) in children(one) {
        match other.get(name).and_then(Value::as_object) {
            Some(known) => put(&mut sum, name, has_itself(inner) || has_itself(known), union(inner, known)),
            None => drop(sum.insert(name.clone(), Value::Object(inner.clone()))),
        }
    }
    for (name, inner) in children(other).filter(|(name, _)| !one.contains_key(*name)) {
        sum.insert(name.clone(), Value::Object(inner.clone()));
    }
    sum
}

/// What is in the first and not in the second.
pub(super) fn subtract(one: &Fields, other: &Fields) -> Fields {
    let mut rest = Fields::new();
    for (name, inner) in children(one) {
        match other.get(name).and_then(Value::as_object) {
            Some(known) => put(&mut rest, name, has_itself(inner) && !has_itself(known), subtract(inner, known)),
            None => drop(rest.insert(name.clone(), Value::Object(inner.clone()))),
        }
    }
    rest
}

/// What is in both.
pub(super) fn intersect(one: &Fields, other: &Fields) -> Fields {
    let mut common = Fields::new();
    for (name, inner) in children(one) {
        if let Some(known) = other.get(name).and_then(Value::as_object) {
            put(&mut common, name, has_itself(inner) && has_itself(known), intersect(inner, known));
        }
    }
    common
}

/// The paths of a set, as the server writes them into conflicts: `.spec.template.spec.containers[name="web"].image`.
pub(super) fn paths(fields: &Fields) -> Vec<String> {
    let mut found = Vec::new();
    collect(fields, String::new(), &mut found);
    found
}

fn collect(fields: &Fields, path: String, found: &mut Vec<String>) {
    for (name, inner) in children(fields) {
        let path = match name.split_once(':') {
            Some(("f", field)) => format!("{path}.{field}"),
            Some(("k", keys)) => format!("{path}[{}]", written_keys(keys)),
            Some((_, value)) => format!("{path}[={value}]"),
            None => path.clone(),
        };
        if has_itself(inner) {
            found.push(path.clone());
        }
        collect(inner, path, found);
    }
}

fn written_keys(keys: &str) -> String {
    let parsed: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
    parsed.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}

/// Takes the fields of a set out of an object. An element goes as a whole when the set has it and nobody else has anything in it.
pub(super) fn remove(object: &mut Value, gone: &Fields, kept: &Fields) {
    remove_at(object, gone, kept, &mut Vec::new());
}

fn remove_at<'a>(value: &mut Value, gone: &'a Fields, kept: &Fields, path: &mut Path<'a>) {
    let nothing = Fields::new();
    for (name, inner) in children(gone) {
        let others = kept.get(name).and_then(Value::as_object);
        match name.split_once(':') {
            Some(("f", field)) => {
                let Some(map) = value.as_object_mut() else { continue };
                if inner.is_empty() {
                    map.remove(field);
                } else if let Some(below) = map.get_mut(field) {
                    path.push(field);
                    remove_at(below, inner, others.unwrap_or(&nothing), path);
                    path.pop();
                    // What held nothing but what is gone goes as well.
                    if others.is_none() && (*below == json!({}) || *below == json!([])) {
                        map.remove(field);
                    }
                }
            }
            Some(("k", _)) => {
                let (Shape::Keyed(keys), Some(items)) = (schema::shape(path), value.as_array_mut()) else { continue };
                if has_itself(inner) && others.is_none() {
                    items.retain(|item| element(item, keys) != *name);
                } else if let Some(item) = items.iter_mut().find(|item| element(item, keys) == *name) {
                    remove_at(item, inner, others.unwrap_or(&nothing), path);
                }
            }
            Some((_, written)) => {
                if let Some(items) = value.as_array_mut() {
                    let gone: Value = serde_json::from_str(written).unwrap_or_default();
                    items.retain(|item| *item != gone);
                }
            }
            None => {}
        }
    }
}

/// The object with what a manifest says of it: mappings and keyed lists are merged, everything else is replaced.
pub(super) fn merge(live: &Value, config: &Value) -> Value {
    merged(live, config, &mut Vec::new())
}

fn merged<'a>(live: &Value, config: &'a Value, path: &mut Path<'a>) -> Value {
    match (live, config, schema::shape(path)) {
        (Value::Object(before), Value::Object(_), Shape::Granular) => merged_map(before, config, path),
        (Value::Array(before), Value::Array(wanted), Shape::Keyed(keys)) => {
            let mut items = before.clone();
            for item in wanted {
                let name = element(item, keys);
                match items.iter_mut().find(|known| element(known, keys) == name) {
                    Some(known) => {
                        let map = known.as_object().cloned().unwrap_or_default();
                        *known = merged_map(&map, item, path);
                    }
                    None => items.push(item.clone()),
                }
            }
            Value::Array(items)
        }
        (Value::Array(before), Value::Array(wanted), Shape::Set) => {
            let new = wanted.iter().filter(|item| !before.contains(item)).cloned();
            before.iter().cloned().chain(new).collect()
        }
        _ => config.clone(),
    }
}

fn merged_map<'a>(before: &Map<String, Value>, config: &'a Value, path: &mut Path<'a>) -> Value {
    let mut map = before.clone();
    for (name, wanted) in config.as_object().into_iter().flatten() {
        let value = match before.get(name) {
            Some(live) => within(path, name, |path| merged(live, wanted, path)),
            None => wanted.clone(),
        };
        map.insert(name.clone(), value);
    }
    Value::Object(map)
}
