//! Which rights an `apply` needs, for its writes and for taking them back.

use crate::action::ActionError;
use crate::actions::kubernetes::{Place, failed, patch_rights};
use crate::cluster::Address;
use crate::cluster::images::images;
use crate::cluster::rights::Right;

/// The rights that we lack, one line each. With every object goes whether it is there; none when that is not known.
pub(super) async fn lacking(place: &Place, objects: &[(&Address, Option<bool>)]) -> Result<Vec<String>, ActionError> {
    let rights: Vec<Right> = objects.iter().flat_map(|(at, exists)| needed(at, *exists)).collect();
    place.lacking(&rights).await
}

/// The same before anything was read. Whether an object would be made or changed is only looked for when that matters.
pub(super) async fn lacking_at_all(place: &Place, objects: &[Address]) -> Result<Vec<String>, ActionError> {
    let any: Vec<(&Address, Option<bool>)> = objects.iter().map(|at| (at, None)).collect();
    if lacking(place, &any).await?.is_empty() {
        return Ok(Vec::new());
    }
    let live = images(&place.cluster, objects).await.map_err(|error| failed("cannot read the objects", &error))?;
    let known: Vec<(&Address, Option<bool>)> = objects.iter().map(|at| (at, Some(live.contains_key(at)))).collect();
    lacking(place, &known).await
}

fn needed(at: &Address, exists: Option<bool>) -> Vec<Right> {
    let mut rights = vec![Right::on("get", at), Right::on("patch", at)];
    if exists != Some(false) {
        rights.extend(patch_rights(at));
    }
    if exists != Some(false) && matches!(at.kind.kind.as_str(), "ConfigMap" | "Secret") {
        // Pods that started on ours are sent away.
        let namespace = at.namespace.as_deref().unwrap_or_default();
        rights.push(Right::on_pods("list", "pods", namespace).for_undo());
        rights.push(Right::on_pods("create", "pods/eviction", namespace).for_undo());
    }
    if exists != Some(true) {
        // Server-side apply needs both to make an object; what was made is deleted, and watched until it is gone.
        rights.push(Right::on("create", at));
        rights.extend(["delete", "list", "watch"].map(|verb| Right::on(verb, at).for_undo()));
    }
    rights
}

#[cfg(test)]
mod tests {
    use super::needed;
    use crate::cluster::Address;

    #[test]
    fn what_is_made_must_be_deletable_and_what_is_changed_must_not() {
        let at = Address::known("Service", "shop", "web");
        let verbs = |exists| needed(&at, exists).iter().map(|right| (right.verb, right.for_undo)).collect::<Vec<_>>();
        assert!(verbs(Some(false)).contains(&("delete", true)) && !verbs(Some(false)).contains(&("update", true)));
        assert!(
            verbs(Some(true)).contains(&("update", true))
                && !verbs(Some(true)).iter().any(|(verb, _)| matches!(*verb, "create" | "delete"))
        );
        assert!(verbs(None).contains(&("delete", true)) && verbs(None).contains(&("update", true)));
    }
}
