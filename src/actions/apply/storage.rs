//! Volumes that a StatefulSet got from its controller, when the set is taken back: data is deleted only if the plan says so.

use crate::action::ActionError;
use crate::actions::kubernetes::{Place, failed};
use crate::cluster::undo::Change;
use crate::cluster::{Address, Kind, Object};
use crate::record::{Mark, MarkKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What becomes of volumes whose set is taken back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UndoStorage {
    /// They stay, with what is in them, and are told.
    #[default]
    Keep,
    /// They are deleted, with what is in them.
    Delete,
}

impl UndoStorage {
    pub(super) fn is_kept(&self) -> bool {
        *self == Self::Keep
    }
}

/// Deletes or tells the claims of a set that the run made and that is gone by now. Where a set of somebody else stands in its place they are
/// that one's.
pub(super) async fn take_back(place: &Place, storage: UndoStorage, change: &Change, mark: &mut Mark) -> Result<(), ActionError> {
    if change.at.kind.kind != "StatefulSet" || !change.created || mark.kind != MarkKind::Restored {
        return Ok(());
    }
    let listed = place.cluster.list(&Kind::known("PersistentVolumeClaim"), change.at.namespace.as_deref(), "").await;
    let listed = listed.map_err(|error| failed(format!("cannot see the volumes of {}", change.at), &error))?;
    for claim in listed.iter().filter(|claim| is_of(claim, &change.after)) {
        let at = Address::known("PersistentVolumeClaim", claim.namespace().unwrap_or_default(), claim.name());
        if storage == UndoStorage::Delete {
            let deleted = place.cluster.delete(&at, claim.uid()).await;
            deleted.map_err(|error| failed(format!("cannot delete {at}"), &error))?;
        } else {
            mark.kind = MarkKind::Kept;
            mark.notes.push(format!("{at} stays with its data: delete it yourself, or say `undo-storage: delete`"));
        }
    }
    Ok(())
}

/// A claim is named `TEMPLATE-SET-NUMBER`; one that is older than the set belonged to somebody before it.
fn is_of(claim: &Object, set: &Object) -> bool {
    let templates = set.list("/spec/volumeClaimTemplates").iter().filter_map(|template| template["metadata"]["name"].as_str());
    let named = templates.into_iter().any(|template| {
        let number =
            claim.name().strip_prefix(template).and_then(|rest| rest.strip_prefix('-')?.strip_prefix(set.name())?.strip_prefix('-'));
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    });
    let created = |object: &Object| object.text("/metadata/creationTimestamp").to_owned();
    named && !claim.is_terminating() && created(claim) >= created(set)
}

#[cfg(test)]
mod tests {
    use super::is_of;
    use crate::cluster::Object;
    use serde_json::json;

    #[test]
    fn only_claims_of_the_sets_templates_that_are_not_older_are_its_own() {
        let set = Object(json!({
            "metadata": { "name": "db", "creationTimestamp": "2026-01-01T00:00:05Z" },
            "spec": { "volumeClaimTemplates": [{ "metadata": { "name": "data" } }] }
        }));
        let claim = |name: &str, created: &str| Object(json!({ "metadata": { "name": name, "creationTimestamp": created } }));
        assert!(is_of(&claim("data-db-0", "2026-01-01T00:00:06Z"), &set));
        for (name, created) in [
            ("data-db-0", "2026-01-01T00:00:04Z"),
            ("data-db-x", "2026-01-01T00:00:06Z"),
            ("data-db2-0", "2026-01-01T00:00:06Z"),
            ("log-db-0", "2026-01-01T00:00:06Z"),
        ] {
            assert!(!is_of(&claim(name, created), &set), "{name}");
        }
    }
}
