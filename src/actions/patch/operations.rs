//! What a patch says, as operations on the object that is there; and whether an object bears it. Pure.

use super::PatchParams;
use crate::action::ActionError;
use crate::cluster::Object;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Longest value that is told.
const LONGEST: usize = 200;

/// Fields that are the server's own, or say which object it is.
const NOT_OURS: [&str; 11] = [
    "/apiVersion",
    "/kind",
    "/status",
    "/metadata/name",
    "/metadata/namespace",
    "/metadata/uid",
    "/metadata/resourceVersion",
    "/metadata/generation",
    "/metadata/creationTimestamp",
    "/metadata/deletionTimestamp",
    "/metadata/managedFields",
];

/// One operation of a JSON patch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Operation {
    /// What to do.
    pub op: OperationKind,
    /// Where: a JSON pointer such as `/spec/replicas`. `/` in a name is written `~1`, `-` is the end of a list.
    pub path: String,
    /// Where from, for `move` and `copy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The value to add, to put or to expect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OperationKind {
    /// Puts a value there, or into a list.
    Add,
    /// Takes it away. It must be there.
    Remove,
    /// Puts another value there. There must be one.
    Replace,
    /// Takes it from elsewhere.
    Move,
    /// Copies it from elsewhere.
    Copy,
    /// Expects this value there.
    Test,
}

/// True when the patch may make the object immutable.
pub(super) fn seals(params: &PatchParams) -> bool {
    let merges = params.merge.as_ref().is_some_and(|merge| merge.get("immutable") == Some(&Value::Bool(true)));
    merges || params.json.iter().any(|operation| operation.path == "/immutable" && operation.value == Some(Value::Bool(true)))
}

/// Mistakes that types allow.
pub(super) fn problems(params: &PatchParams) -> Vec<String> {
    let mut problems = Vec::new();
    match (params.json.is_empty(), &params.merge) {
        (true, None) => problems.push("say what to change: `json` or `merge`".to_owned()),
        (false, Some(_)) => problems.push("`json` and `merge` both say what to change: keep one".to_owned()),
        _ => {}
    }
    for (index, operation) in params.json.iter().enumerate() {
        let wrong = |text: &str| format!("operation {} of `json`: {text}", index + 1);
        let (needs_value, needs_from) = match operation.op {
            OperationKind::Add | OperationKind::Replace | OperationKind::Test => (true, false),
            OperationKind::Move | OperationKind::Copy => (false, true),
            OperationKind::Remove => (false, false),
        };
        match (needs_value, &operation.value) {
            (true, None) => problems.push(wrong("it needs a `value`; what is to go is taken away by `remove`")),
            (false, Some(_)) => problems.push(wrong("it takes no `value`")),
            _ => {}
        }
        match (needs_from, &operation.from) {
            (true, None) => problems.push(wrong("it needs a `from`")),
            (false, Some(_)) => problems.push(wrong("it takes no `from`")),
            _ => {}
        }
        for path in [Some(&operation.path), operation.from.as_ref()].into_iter().flatten() {
            if !path.starts_with('/') {
                problems.push(wrong(&format!("`{path}` is no path: it begins with `/`")));
            }
        }
        if operation.op != OperationKind::Test
            && let Some(field) = not_ours(&operation.path)
        {
            problems.push(wrong(&format!("`{field}` cannot be patched")));
        }
    }
    let merge = params.merge.clone().map(Value::Object).unwrap_or_default();
    problems.extend(
        NOT_OURS.iter().filter(|field| merge.pointer(field).is_some()).map(|field| format!("`{field}` of `merge` cannot be patched")),
    );
    problems
}

fn not_ours(path: &str) -> Option<&'static str> {
    NOT_OURS.into_iter().find(|field| path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// The operations that the object still needs; none when it is as wanted already.
///
/// # Errors
/// When an operation does not fit it, above all a `test` that does not hold.
pub(super) fn wanted(params: &PatchParams, live: &Object) -> Result<Vec<Value>, ActionError> {
    if let Some(merge) = &params.merge {
        let mut operations = Vec::new();
        merging("", &live.0, merge, &mut operations);
        return Ok(operations);
    }
    let mut now = live.0.clone();
    let mut operations = Vec::new();
    for (index, operation) in params.json.iter().enumerate() {
        let written = serde_json::to_value(operation).unwrap_or_default();
        let number = index + 1;
        let unfit = |why: String| ActionError::permanent(format!("operation {number} does not fit {}: {why}", live.reference()));
        if operation.op == OperationKind::Test && now.pointer(&operation.path) != operation.value.as_ref() {
            return Err(unfit(expected(live, operation, now.pointer(&operation.path))));
        }
        let patch: json_patch::Patch = serde_json::from_value(json!([written.clone()])).map_err(|error| unfit(error.to_string()))?;
        json_patch::patch(&mut now, &patch)
            .map_err(|_| unfit(format!("there is no `{}`", operation.from.as_ref().unwrap_or(&operation.path))))?;
        operations.push(written);
    }
    Ok(if now == live.0 { Vec::new() } else { operations })
}

fn expected(live: &Object, operation: &Operation, found: Option<&Value>) -> String {
    let path = &operation.path;
    match found {
        None => format!("there is no `{path}`"),
        Some(_) if live.kind() == "Secret" => format!("`{path}` is not what is expected"),
        Some(found) => format!("`{path}` is {}, not {}", short(found), operation.value.as_ref().map(short).unwrap_or_default()),
    }
}

fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn merging(path: &str, live: &Value, merge: &Map<String, Value>, operations: &mut Vec<Value>) {
    for (name, wanted) in merge {
        let at = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
        match (live.get(name), wanted) {
            (None, Value::Null) => {}
            (Some(_), Value::Null) => operations.push(json!({ "op": "remove", "path": at })),
            (Some(there @ Value::Object(_)), Value::Object(inner)) => merging(&at, there, inner, operations),
            (Some(there), wanted) if *there == without_nulls(wanted) => {}
            (_, wanted) => operations.push(json!({ "op": "add", "path": at, "value": without_nulls(wanted) })),
        }
    }
}

/// A `null` in a mapping that is new takes nothing away: it is only left out.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            fields.iter().filter(|(_, inner)| !inner.is_null()).map(|(name, inner)| (name.clone(), without_nulls(inner))).collect()
        }
        other => other.clone(),
    }
}

/// Whether an object bears a patch, judged by what is in the fields that it changes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Landed {
    Yes,
    No,
    Unclear,
}

pub(super) fn landed(before: &Object, after: &Object, live: &Object) -> Landed {
    let mut paths = Vec::new();
    differences(&mut Vec::new(), Some(&before.0), Some(&after.0), &mut paths);
    let at = |object: &Object, path: &[String]| path.iter().try_fold(&object.0, |value, name| value.get(name)).cloned();
    let as_in = |other: &Object| paths.iter().all(|path| at(live, path) == at(other, path));
    match (as_in(after), as_in(before)) {
        (true, false) => Landed::Yes,
        (false, true) | (true, true) => Landed::No,
        (false, false) => Landed::Unclear,
    }
}

fn differences(path: &mut Vec<String>, one: Option<&Value>, other: Option<&Value>, found: &mut Vec<Vec<String>>) {
    match (one, other) {
        (one, other) if one == other => {}
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let new = other.keys().filter(|name| !one.contains_key(*name));
            for name in one.keys().chain(new) {
                path.push(name.clone());
                differences(path, one.get(name), other.get(name), found);
                path.pop();
            }
        }
        _ => found.push(path.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Landed, landed, problems, wanted};
    use crate::actions::patch::PatchParams;
    use crate::cluster::Object;
    use serde_json::{Value, json};

    fn object(data: Value) -> Object {
        Object(json!({ "kind": "ConfigMap", "metadata": { "name": "c", "labels": { "a/b": "1" } }, "data": data }))
    }

    fn params(patch: Value) -> PatchParams {
        let mut all = json!({ "object": "configmap/c" });
        all.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        serde_json::from_value(all).unwrap()
    }

    #[test]
    fn a_merge_is_what_differs() {
        let merge = json!({ "merge": { "metadata": { "labels": { "a/b": null, "x": "2" } }, "data": { "k": "1", "new": { "deep": "v", "none": null } } } });
        assert_eq!(
            wanted(&params(merge), &object(json!({ "k": "1" }))).unwrap(),
            [
                json!({ "op": "remove", "path": "/metadata/labels/a~1b" }),
                json!({ "op": "add", "path": "/metadata/labels/x", "value": "2" }),
                json!({ "op": "add", "path": "/data/new", "value": { "deep": "v" } })
            ]
        );
        assert_eq!(
            wanted(&params(json!({ "merge": { "data": { "k": "1", "none": null } } })), &object(json!({ "k": "1" }))).unwrap(),
            Vec::<Value>::new()
        );
    }

    #[test]
    fn an_operation_that_does_not_fit_says_what_is_there() {
        let test =
            json!({ "json": [{ "op": "test", "path": "/data/k", "value": "1" }, { "op": "replace", "path": "/data/k", "value": "2" }] });
        assert_eq!(wanted(&params(test.clone()), &object(json!({ "k": "1" }))).unwrap().len(), 2);
        let error = |data: Value| wanted(&params(test.clone()), &object(data)).unwrap_err().to_string();
        insta::assert_snapshot!(error(json!({ "k": "3" })), @r#"operation 1 does not fit configmap/c: `/data/k` is "3", not "1""#);
        insta::assert_snapshot!(error(json!({})), @"operation 1 does not fit configmap/c: there is no `/data/k`");
        let remove = json!({ "json": [{ "op": "remove", "path": "/data/none" }] });
        insta::assert_snapshot!(wanted(&params(remove), &object(json!({}))).unwrap_err(), @"operation 1 does not fit configmap/c: there is no `/data/none`");
        let mut secret = object(json!({ "k": "aHVudGVyMg==" }));
        secret.0["kind"] = json!("Secret");
        let hidden = wanted(&params(test), &secret).unwrap_err().to_string();
        assert!(!hidden.contains("aHVudGVy"), "{hidden}");
    }

    #[test]
    fn what_is_in_the_fields_tells_whether_a_patch_landed() {
        let (before, after) = (object(json!({ "a": "1", "b": "1" })), object(json!({ "a": "2", "b": "1", "c": "2" })));
        let of = |data: Value| landed(&before, &after, &object(data));
        assert_eq!(of(json!({ "a": "2", "b": "9", "c": "2" })), Landed::Yes);
        assert_eq!(of(json!({ "a": "1", "b": "9" })), Landed::No);
        assert_eq!(of(json!({ "a": "2", "b": "1" })), Landed::Unclear);
    }

    #[test]
    fn mistakes_that_types_allow_are_told() {
        let all = json!({ "json": [
            { "op": "replace", "path": "/status/phase", "value": "x" }, { "op": "add", "path": "data" },
            { "op": "move", "path": "/data/a" }, { "op": "remove", "path": "/data/a", "value": 1 }] });
        insta::assert_snapshot!(problems(&params(all)).join("\n"), @r"
        operation 1 of `json`: `/status` cannot be patched
        operation 2 of `json`: it needs a `value`; what is to go is taken away by `remove`
        operation 2 of `json`: `data` is no path: it begins with `/`
        operation 3 of `json`: it needs a `from`
        operation 4 of `json`: it takes no `value`
        ");
        insta::assert_snapshot!(problems(&params(json!({}))).join("\n"), @"say what to change: `json` or `merge`");
        insta::assert_snapshot!(problems(&params(json!({ "merge": { "status": {} } }))).join("\n"), @"`/status` of `merge` cannot be patched");
    }
}
