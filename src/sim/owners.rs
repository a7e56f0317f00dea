//! Who owns which field of an object, and server-side apply, which lives by it. Pure; it knows no kind.
//!
//! Source: <https://kubernetes.io/docs/reference/using-api/server-side-apply/>.

use super::fields::{self, Fields};
use crate::ids::Moment;
use serde_json::{Value, json};

/// Who writes, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Writer<'a> {
    pub(super) manager: &'a str,
    /// `status` or `scale`; empty for the object itself.
    pub(super) subresource: &'a str,
    pub(super) now: Moment,
}

/// A field of another manager that an apply would change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Conflict {
    pub(super) manager: String,
    pub(super) operation: String,
    pub(super) field: String,
}

const UPDATE: &str = "Update";
const APPLY: &str = "Apply";

struct Entry {
    written: Value,
    fields: Fields,
}

impl Entry {
    fn is(&self, writer: Writer<'_>, operation: &str) -> bool {
        self.written["manager"] == writer.manager
            && self.written["operation"] == operation
            && self.written["subresource"].as_str().unwrap_or_default() == writer.subresource
    }

    fn new(writer: Writer<'_>, operation: &str, api_version: &Value, fields: Fields) -> Self {
        let mut written = json!({ "manager": writer.manager, "operation": operation, "apiVersion": api_version, "time": time(writer.now), "fieldsType": "FieldsV1" });
        if !writer.subresource.is_empty() {
            written["subresource"] = json!(writer.subresource);
        }
        Self { written, fields }
    }

    fn into_value(self) -> Value {
        let mut written = self.written;
        written["fieldsV1"] = Value::Object(self.fields);
        written
    }
}

/// As the API writes times of whole seconds.
pub(super) fn time(at: Moment) -> String {
    let text = at.0.to_string();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text,
    }
}

fn read(object: &Value) -> Vec<Entry> {
    let list = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let real = list.into_iter().filter(|entry| entry["manager"].is_string() || entry["fieldsV1"].is_object());
    real.map(|entry| Entry { fields: fields::read(&entry["fieldsV1"]), written: entry }).collect()
}

fn write(object: &mut Value, entries: Vec<Entry>) {
    let list: Vec<Value> = entries.into_iter().filter(|entry| !entry.fields.is_empty()).map(Entry::into_value).collect();
    match list.is_empty() {
        true => drop(object["metadata"].as_object_mut().map(|metadata| metadata.remove("managedFields"))),
        false => object["metadata"]["managedFields"] = json!(list),
    }
}

/// Notes who owns what after a write that was no apply. `live` is the object before; the list that `new` carries counts when the writer
/// changed it.
pub(super) fn note_update(live: Option<&Value>, new: &mut Value, writer: Writer<'_>) {
    let nothing = json!({});
    let before = live.unwrap_or(&nothing);
    let changed = fields::changed(before, new);
    let gone = fields::subtract(&fields::of_object(before), &fields::of_object(new));
    let mut entries = read(new);
    for entry in entries.iter_mut().filter(|entry| !entry.is(writer, UPDATE)) {
        entry.fields = fields::subtract(&fields::subtract(&entry.fields, &gone), &changed);
    }
    match entries.iter_mut().find(|entry| entry.is(writer, UPDATE)) {
        Some(own) => {
            let fields = fields::union(&fields::subtract(&own.fields, &gone), &changed);
            if fields != own.fields || !changed.is_empty() {
                own.written["time"] = json!(time(writer.now));
                own.fields = fields;
            }
        }
        None => entries.push(Entry::new(writer, UPDATE, &new["apiVersion"].clone(), changed)),
    }
    write(new, entries);
}

/// The object as an apply makes it of the live one; none when there is none yet.
///
/// # Errors
/// The fields that belong to others and would change.
pub(super) fn apply(live: Option<&Value>, config: &Value, writer: Writer<'_>, force: bool) -> Result<Value, Vec<Conflict>> {
    let nothing = json!({ "apiVersion": config["apiVersion"], "kind": config["kind"], "metadata": {} });
    let live = live.unwrap_or(&nothing);
    let set = fields::of_object(config);
    let mut merged = fields::merge(live, config);
    let changed = fields::intersect(&set, &fields::changed(live, &merged));
    let mut entries = read(live);
    let mut conflicts = Vec::new();
    let mut others = Fields::new();
    for entry in entries.iter_mut().filter(|entry| !entry.is(writer, APPLY)) {
        let taken = fields::intersect(&changed, &entry.fields);
        if !force {
            let text = |name: &str| entry.written[name].as_str().unwrap_or_default().to_owned();
            let told = |field| Conflict { manager: text("manager"), operation: text("operation"), field };
            conflicts.extend(fields::paths(&taken).into_iter().map(told));
        }
        entry.fields = fields::subtract(&entry.fields, &taken);
        others = fields::union(&others, &entry.fields);
    }
    if !conflicts.is_empty() {
        return Err(conflicts);
    }
    let place = entries.iter().position(|entry| entry.is(writer, APPLY));
    let own = place.map(|index| entries.remove(index));
    if let Some(own) = &own {
        let gone = fields::subtract(&fields::subtract(&own.fields, &set), &others);
        fields::remove(&mut merged, &gone, &fields::union(&others, &set));
    }
    let entry = match own {
        // Whoever applies the same again changes nothing, not even the time.
        Some(own) if own.fields == set && changed.is_empty() => own,
        _ => Entry::new(writer, APPLY, &config["apiVersion"], set),
    };
    // Where it was before: a list in another order would be a change.
    entries.insert(place.unwrap_or(entries.len()), entry);
    write(&mut merged, entries);
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::{Conflict, Writer, apply, note_update};
    use crate::ids::Moment;
    use serde_json::{Value, json};

    fn by(manager: &str) -> Writer<'_> {
        Writer { manager, subresource: "", now: Moment::from_millis(1_795_000_000_000) }
    }

    fn config(spec: Value) -> Value {
        json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web", "labels": { "app": "web" } }, "spec": spec })
    }

    fn owned(object: &Value, manager: &str) -> Value {
        let list = object["metadata"]["managedFields"].as_array().unwrap();
        list.iter().find(|entry| entry["manager"] == manager).map_or(Value::Null, |entry| entry["fieldsV1"].clone())
    }

    #[test]
    fn who_applies_owns_what_stands_in_the_manifest_and_no_more() {
        let spec = json!({ "replicas": 2, "template": { "spec": { "containers": [{ "name": "web", "image": "web:v1" }] } } });
        let applied = apply(None, &config(spec), by("a"), false).unwrap();
        assert_eq!(
            owned(&applied, "a"),
            json!({
                "f:metadata": { "f:labels": { "f:app": {} } },
                "f:spec": { "f:replicas": {}, "f:template": { "f:spec": { "f:containers": {
                    "k:{\"name\":\"web\"}": { "f:name": {}, "f:image": {}, ".": {} } } } } },
            })
        );
    }

    #[test]
    fn what_is_no_longer_in_the_manifest_goes_unless_somebody_else_owns_it() {
        let first = apply(None, &config(json!({ "replicas": 2, "paused": true, "minReadySeconds": 3 })), by("a"), false).unwrap();
        let second = apply(
            Some(&first),
            &json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" }, "spec": { "minReadySeconds": 3 } }),
            by("b"),
            false,
        )
        .unwrap();
        let third = apply(Some(&second), &config(json!({ "replicas": 2 })), by("a"), false).unwrap();
        assert_eq!(third["spec"], json!({ "replicas": 2, "minReadySeconds": 3 }));
    }

    #[test]
    fn a_value_of_somebody_else_is_a_conflict_and_force_takes_it() {
        let mut live = apply(None, &config(json!({ "replicas": 2 })), by("a"), false).unwrap();
        live["spec"]["replicas"] = json!(5);
        let before = apply(None, &config(json!({ "replicas": 2 })), by("a"), false).unwrap();
        note_update(Some(&before), &mut live, by("hpa"));
        assert_eq!(owned(&live, "hpa"), json!({ "f:spec": { "f:replicas": {} } }));
        let told = apply(Some(&live), &config(json!({ "replicas": 3 })), by("a"), false).unwrap_err();
        assert_eq!(told, [Conflict { manager: "hpa".into(), operation: "Update".into(), field: ".spec.replicas".into() }]);
        assert!(apply(Some(&live), &config(json!({ "replicas": 5 })), by("a"), false).is_ok(), "the same value is shared");
        let forced = apply(Some(&live), &config(json!({ "replicas": 3 })), by("a"), true).unwrap();
        assert_eq!((&forced["spec"]["replicas"], owned(&forced, "hpa")), (&json!(3), Value::Null));
    }

    #[test]
    fn elements_are_merged_by_their_keys_and_go_with_their_owner() {
        let env = |names: &[&str]| {
            let env: Vec<Value> = names.iter().map(|name| json!({ "name": name, "value": "1" })).collect();
            config(json!({ "template": { "spec": { "containers": [{ "name": "web", "env": env }] } } }))
        };
        let first = apply(None, &env(&["A", "B"]), by("a"), false).unwrap();
        let second = apply(Some(&first), &env(&["C"]), by("b"), false).unwrap();
        let third = apply(Some(&second), &env(&["A"]), by("a"), false).unwrap();
        let names = |object: &Value| -> Vec<String> {
            let list = object["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap().clone();
            list.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(&second), ["A", "B", "C"]);
        assert_eq!(names(&third), ["A", "C"]);
    }

    #[test]
    fn applying_the_same_again_changes_nothing() {
        let first = apply(None, &config(json!({ "replicas": 2 })), by("a"), false).unwrap();
        let later = Writer { now: Moment::from_millis(1_795_000_900_000), ..by("a") };
        assert_eq!(apply(Some(&first), &config(json!({ "replicas": 2 })), later, false).unwrap(), first);
    }

    #[test]
    fn an_update_owns_what_it_changed_and_loses_what_it_took_away() {
        let before = apply(None, &config(json!({ "replicas": 2, "paused": true })), by("a"), false).unwrap();
        let mut new = before.clone();
        new["spec"].as_object_mut().unwrap().remove("paused");
        new["spec"]["replicas"] = json!(0);
        note_update(Some(&before), &mut new, by("b"));
        assert_eq!(owned(&new, "a"), json!({ "f:metadata": { "f:labels": { "f:app": {} } } }));
        assert_eq!(owned(&new, "b"), json!({ "f:spec": { "f:replicas": {} } }));
    }
}
