//! Whether somebody else has changed what a plan wrote, told from who owns which field. Pure.

use crate::cluster::object::Object;
use crate::cluster::undo::Managers;
use crate::cluster::undo::managed::{applied_by, entries};
use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The fields that one manager owned when its write returned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Owned {
    /// The plan whose managers wrote it.
    pub plan: String,
    /// Digest of the fields.
    pub fields: String,
}

impl Owned {
    /// What the plan owns of an object by server-side apply; none when that is nothing.
    pub fn of(object: &Object, plan: &str) -> Option<Self> {
        let entry = applied_by(object, &Managers::of(plan).apply())?;
        Some(Self { plan: plan.to_owned(), fields: digest_of(&entry["fieldsV1"]) })
    }
}

/// Who took fields away that the plan wrote; none when nobody did, or the plan itself wrote again.
///
/// A value that somebody else changes is theirs from then on, so what the plan owns shrinks. The time of its entry stays.
pub fn superseded_by(live: &Object, owned: &Owned) -> Option<String> {
    let managers = Managers::of(&owned.plan);
    let entry = applied_by(live, &managers.apply());
    if entry.is_some_and(|entry| digest_of(&entry["fieldsV1"]) == owned.fields) {
        return None;
    }
    let time = |entry: &Value| entry["time"].as_str().unwrap_or_default().to_owned();
    let since = entry.map(time).unwrap_or_default();
    let later: Vec<Value> = entries(live).into_iter().filter(|other| other["subresource"] != "status" && time(other) >= since).collect();
    let name = |entry: &Value| entry["manager"].as_str().unwrap_or_default().to_owned();
    let newest = later.iter().filter(|other| name(other) != managers.apply()).max_by_key(|other| time(other))?;
    (!managers.is_own(&name(newest))).then(|| name(newest))
}

fn digest_of(fields: &Value) -> String {
    HEXLOWER.encode(&digest(&SHA256, fields.to_string().as_bytes()).as_ref()[..12])
}

#[cfg(test)]
mod tests {
    use super::{Owned, superseded_by};
    use crate::cluster::object::Object;
    use serde_json::{Value, json};

    fn entry(manager: &str, operation: &str, time: &str, fields: &[&str]) -> Value {
        let fields: serde_json::Map<String, Value> = fields.iter().map(|name| (format!("f:{name}"), json!({}))).collect();
        json!({ "manager": manager, "operation": operation, "time": time, "fieldsV1": { "f:data": fields } })
    }

    fn object(entries: &[Value]) -> Object {
        Object(json!({ "metadata": { "managedFields": entries } }))
    }

    #[test]
    fn who_takes_a_field_supersedes_and_who_only_adds_does_not() {
        let ours = entry("bowline:shop", "Apply", "10:00", &["a", "b"]);
        let owned = Owned::of(&object(std::slice::from_ref(&ours)), "shop").unwrap();
        let added = entry("annotator", "Update", "10:05", &["x"]);
        assert_eq!(superseded_by(&object(&[ours, added]), &owned), None);
        let less = entry("bowline:shop", "Apply", "10:00", &["b"]);
        let taken = object(&[less.clone(), entry("kubectl-edit", "Update", "10:05", &["a"])]);
        assert_eq!(superseded_by(&taken, &owned), Some("kubectl-edit".to_owned()));
        let own = object(&[less.clone(), entry("old", "Update", "09:00", &["y"]), entry("bowline-scale:shop", "Update", "10:05", &["a"])]);
        assert_eq!(superseded_by(&own, &owned), None, "a later step of the plan");
        let again = object(&[entry("bowline:shop", "Apply", "10:09", &["a", "c"]), entry("old", "Update", "10:05", &["y"])]);
        assert_eq!(superseded_by(&again, &owned), None, "the plan applied again");
        assert_eq!(superseded_by(&object(&[entry("other", "Apply", "10:05", &["a", "b"])]), &owned), Some("other".to_owned()));
    }
}
