//! Which objects are meant: those that are named, those of manifests, those with certain labels. It deletes none.

use super::{DeleteParams, KindName, ObjectName};
use crate::action::{ActionError, Frozen, ReadCx};
use crate::actions::apply::{ApplyParams, draft};
use crate::actions::kubernetes::{Place, failed};
use crate::cluster::object::{Reference, group_of};
use crate::cluster::request::by_labels;
use crate::cluster::{Address, Object};
use futures::stream::{StreamExt, TryStreamExt, iter};

/// Requests that are sent side by side.
const SIDE_BY_SIDE: usize = 16;

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

/// What is meant, each once, and the object that is there.
pub(super) async fn find(place: &Place, cx: &ReadCx, params: &DeleteParams) -> Result<Vec<(Address, Option<Object>)>, ActionError> {
    let (mut addresses, mut found): (Vec<Address>, Vec<(Address, Option<Object>)>) = (Vec::new(), Vec::new());
    for text in &params.objects {
        addresses.push(ObjectName::parse(text).map_err(ActionError::permanent)?.address(place).await?);
    }
    for draft in drafts(params, &cx.frozen, &place.namespace, cx.scope.plan.as_str())? {
        let kind = place.cluster.kind(&draft.api_version, &draft.kind).await;
        match kind {
            Ok(kind) => addresses.push(draft.wanted(kind, &place.namespace, false).at),
            // Of a kind that is not served there is no object.
            Err(error) if error.is_absent() && params.ignore_missing => {}
            Err(error) => return Err(failed(format!("cannot delete {}", draft.reference(&place.namespace)), &error)),
        }
    }
    if let (Some(kind), Some(selector)) = (&params.kind, &params.selector) {
        let kind = KindName::parse(kind).map_err(ActionError::permanent)?.resolve(place).await?;
        let namespace = kind.namespaced.then_some(place.namespace.as_str());
        let objects = place.cluster.list(&kind, namespace, &by_labels(selector)).await;
        for object in objects.map_err(|error| failed(format!("cannot list {} with {selector}", kind.plural), &error))? {
            let at = Address { kind: kind.clone(), namespace: object.namespace().map(str::to_owned), name: object.name().to_owned() };
            found.push((at, Some(object)));
        }
    }
    let read = addresses.into_iter().map(|at| async move {
        let live = place.cluster.get(&at).await.map_err(|error| failed(format!("cannot read {at}"), &error))?;
        Ok::<_, ActionError>((at, live))
    });
    let read: Vec<_> = iter(read).buffered(SIDE_BY_SIDE).try_collect().await?;
    for one in read {
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
