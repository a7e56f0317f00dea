//! Which rights it takes to see that nobody uses what was made: before the undo deletes a namespace or a definition, it looks into it.

use crate::action::ActionError;
use crate::actions::kubernetes::Place;
use crate::cluster::Address;
use crate::cluster::rights::Right;
use crate::cluster::undo::namespaced_kinds;
use serde_json::Value;

/// So many kinds are told one by one.
const FEW: usize = 3;

/// The rights that we lack to look into what is made, one line each.
pub(super) async fn lacking(place: &Place, at: &Address, manifest: &Value) -> Result<Vec<String>, ActionError> {
    match at.kind.kind.as_str() {
        "Namespace" if at.kind.group().is_empty() => in_namespace(place, &at.name).await,
        "CustomResourceDefinition" => place.lacking(&[of_definition(manifest)]).await,
        _ => Ok(Vec::new()),
    }
}

/// Whoever may list all at once is not asked kind by kind.
async fn in_namespace(place: &Place, name: &str) -> Result<Vec<String>, ActionError> {
    let all = place.lacking(&[listing("*", "*", Some(name))]).await?;
    if all.is_empty() {
        return Ok(all);
    }
    // A cluster that does not tell its kinds now may do so later: the undo looks again.
    let kinds = namespaced_kinds(&place.cluster).await.unwrap_or_default();
    let each: Vec<Right> = kinds.iter().map(|kind| listing(kind.group(), &kind.plural, Some(name))).collect();
    let lacking = place.lacking(&each).await?;
    Ok(if lacking.len() > FEW { all } else { lacking })
}

fn of_definition(manifest: &Value) -> Right {
    let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    listing(text("/spec/group"), text("/spec/names/plural"), None)
}

fn listing(group: &str, resource: &str, namespace: Option<&str>) -> Right {
    let (group, resource, namespace) = (group.to_owned(), resource.to_owned(), namespace.map(str::to_owned));
    Right { verb: "list", group, resource, namespace, name: None, for_undo: true }
}
