//! Which objects are meant: those that are named, those of manifests, those with certain labels. It deletes none.

use super::{DeleteParams, KindName, ObjectName};
use crate::action::{ActionError, Frozen, ReadCx};
use crate::actions::apply::{ApplyParams, draft};
use crate::actions::kubernetes::{Place, failed};
use crate::actions::side_by_side::side_by_side;
use crate::cluster::object::{Reference, group_of};
use crate::cluster::request::by_labels;
use crate::cluster::{Address, Kind, Object};

fn drafts(params: &DeleteParams, frozen: &Frozen, namespace: &str, plan: &str) -> Result<Vec<draft::Draft>, ActionError> {
    let manifests = ApplyParams { manifests: params.manifests.clone(), values: params.values.clone(), ..ApplyParams::default() };
    draft::read(frozen, &manifests, namespace, plan)
}

/// The names of what is meant, as far as they are known without a cluster: a selector stands for any name.
pub(super) fn references(params: &DeleteParams, frozen: &Frozen, namespace: &str, plan: &str) -> Vec<Reference> {
    let named = params.objects.iter().filter_map(|text| ObjectName::parse(text).ok()).map(|name| name.reference(namespace));
    let read = drafts(params, frozen, namespace, plan).unwrap_or_default();
    let kind = params.kind.iter().filter_map(|text| KindName::parse(text).ok()).map(|kind| Reference {
        group: group_of(&kind.api_version).to_owned(),
        namespace: kind.namespace(namespace).map(str::to_owned),
        kind: kind.kind,
        name: "*".to_owned(),
    });
    named.chain(read.iter().map(|draft| draft.reference(namespace))).chain(kind).collect()
}

/// Where the objects are that are named, or are in manifests.
pub(super) async fn addresses(place: &Place, cx: &ReadCx, params: &DeleteParams) -> Result<Vec<Address>, ActionError> {
    let mut addresses = Vec::new();
    for text in &params.objects {
        let name = ObjectName::parse(text).map_err(ActionError::permanent)?;
        addresses.extend(served(place, params, &name.kind).await?.map(|kind| {
            let namespace = kind.namespaced.then(|| place.namespace.clone());
            Address { kind, namespace, name: name.name.clone() }
        }));
    }
    for draft in drafts(params, &cx.frozen, &place.namespace, cx.scope.plan.as_str())? {
        let name = KindName { api_version: draft.api_version.clone(), kind: draft.kind.clone() };
        addresses.extend(served(place, params, &name).await?.map(|kind| draft.wanted(kind, &place.namespace, false).at));
    }
    Ok(addresses)
}

/// The kind, as the cluster serves it. Of a kind that is not served there is no object: none, where that is no mistake.
async fn served(place: &Place, params: &DeleteParams, name: &KindName) -> Result<Option<Kind>, ActionError> {
    match place.cluster.kind(&name.api_version, &name.kind).await {
        Ok(kind) => Ok(Some(kind)),
        Err(error) if error.is_absent() && params.ignore_missing => Ok(None),
        Err(error) => Err(failed(format!("cannot delete a {}", name.kind), &error)),
    }
}

/// The kind that `selector` is for, and where.
pub(super) async fn kind(place: &Place, params: &DeleteParams) -> Result<Option<(Kind, Option<String>)>, ActionError> {
    let Some(kind) = &params.kind else { return Ok(None) };
    let kind = KindName::parse(kind).map_err(ActionError::permanent)?.resolve(place).await?;
    let namespace = kind.namespaced.then(|| place.namespace.clone());
    Ok(Some((kind, namespace)))
}

/// What is meant, each once, and the object that is there.
pub(super) async fn find(place: &Place, cx: &ReadCx, params: &DeleteParams) -> Result<Vec<(Address, Option<Object>)>, ActionError> {
    let mut found: Vec<(Address, Option<Object>)> = Vec::new();
    let addresses = addresses(place, cx, params).await?;
    if let (Some((kind, namespace)), Some(selector)) = (kind(place, params).await?, &params.selector) {
        let objects = place.cluster.list(&kind, namespace.as_deref(), &by_labels(selector)).await;
        for object in objects.map_err(|error| failed(format!("cannot list {} with {selector}", kind.plural), &error))? {
            let at = Address { kind: kind.clone(), namespace: object.namespace().map(str::to_owned), name: object.name().to_owned() };
            found.push((at, Some(object)));
        }
    }
    let read = addresses.into_iter().map(|at| async move {
        let live = place.cluster.get(&at).await.map_err(|error| failed(format!("cannot read {at}"), &error))?;
        Ok::<_, ActionError>((at, live))
    });
    for one in side_by_side(read).await? {
        if !found.iter().any(|(at, _)| *at == one.0) {
            found.push(one);
        }
    }
    Ok(found)
}

pub(super) fn missing(place: &Place, at: &Address) -> ActionError {
    let whereabouts = at.namespace.as_ref().map(|_| format!(" in namespace `{}`", place.namespace)).unwrap_or_default();
    ActionError::permanent(format!("there is no {at}{whereabouts}")).hint("say `ignore-missing: true` if that is as good as deleting it")
}
