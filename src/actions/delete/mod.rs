//! `delete`: takes objects away, and makes them again from their before-images when the run goes back.

mod loss;
mod perform;
mod select;
#[cfg(test)]
mod tests;
mod undo;

use super::apply::sources::files;
use super::kubernetes::{Place, failed, fence_late, for_sure, health_rights, namespace_of, open_for_evidence, target};
use super::named::nameless;
use super::naming::{KindName, ObjectName, selector_problem};
use crate::action::{Action, ActionError, Begun, Change, Cx, Evidence, Finding, Frozen, Preview, ReadCx, RunScope, UndoCx};
use crate::cluster::rights::Right;
use crate::cluster::undo::held_by;
use crate::cluster::{Address, Clusters, Object};
use crate::record::{Mark, Reversibility, Settled, Target};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Deletes objects.
pub struct Delete {
    clusters: Clusters,
}

impl Delete {
    /// Makes the action.
    pub fn new(clusters: Clusters) -> Self {
        Self { clusters }
    }
}

/// Which objects.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct DeleteParams {
    /// Objects, each written `deployment/web`, or with group and version `example.com/v1/Gadget/web`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<String>,
    /// The objects that are in these files, folders or globs, from the plan's folder.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub manifests: Vec<String>,
    /// Values for `{{ name }}` in the manifests. Without them manifests are taken as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Map<String, Value>>,
    /// All objects of this kind that `selector` means: `config-map`, or with group and version `example.com/v1/Gadget`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The labels of the objects of `kind`, such as `app=web,tier!=front`. That none has them is no mistake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// An object that is not there is no mistake.
    pub ignore_missing: bool,
    /// It may delete what cannot be brought back, such as volumes and load balancers, where that is not plain from the kinds that it names.
    pub irreversible: bool,
    /// Waits until the objects are gone. True unless it says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<bool>,
    /// The namespace of objects that name none; the environment's when none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// What `delete` did: `{ "deleted": ["configmap/old"], "missing": [] }`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Deleted {
    /// The objects that it deleted.
    pub deleted: Vec<String>,
    /// The objects that were not there.
    pub missing: Vec<String>,
}

/// An object before it was deleted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BeforeDelete {
    /// Where it was.
    pub at: Address,
    /// The object, whole; none when there was none.
    pub before: Option<Object>,
}

/// What is known of a deletion that was done. Journals of before hold `null`.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct AfterDelete {
    /// The object as it was when it went, when that is not what was read first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<Object>,
}

impl<'de> Deserialize<'de> for AfterDelete {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct Stored {
            #[serde(default)]
            instead: Option<Object>,
        }
        let stored = Option::<Stored>::deserialize(from)?;
        Ok(Self { instead: stored.and_then(|stored| stored.instead) })
    }
}

impl Delete {
    async fn place(&self, scope: &RunScope, params: &DeleteParams) -> Result<Place, ActionError> {
        Place::open(&self.clusters, scope, params.namespace.as_deref()).await
    }
}

/// Looks whether an object is gone. Whoever took it away: it is not what it was.
async fn settled(place: &Place, undo: &BeforeDelete) -> Result<Settled<AfterDelete>, ActionError> {
    let Some(before) = &undo.before else { return Ok(Settled::NotDone) };
    let live = place.cluster.get(&undo.at).await.map_err(|error| failed(format!("cannot read {}", undo.at), &error))?;
    Ok(match live {
        Some(live) if live.uid() == before.uid() && !live.is_terminating() => Settled::NotDone,
        _ => Settled::Done(AfterDelete::default()),
    })
}

impl Action for Delete {
    const KIND: &'static str = "delete";
    const ABOUT: &'static str = "Deletes objects on a cluster, and makes them again when the run goes back.";
    const UNDONE: &'static str = "Each object is made again as it was, with a new uid, and waited for until it is healthy. Volumes, \
        namespaces, CRDs, service accounts and load balancers cannot be brought back: they make the step irreversible.";
    const EXAMPLE: &'static str = include_str!("../examples/delete.yaml");
    type Params = DeleteParams;
    type Undo = BeforeDelete;
    type After = AfterDelete;
    type Output = Deleted;

    fn reversibility(&self, params: &DeleteParams) -> Reversibility {
        let objects = params.objects.iter().filter_map(|text| ObjectName::parse(text).ok()).map(|name| name.kind);
        let kind = params.kind.iter().filter_map(|text| KindName::parse(text).ok());
        let loses = objects.chain(kind).any(|kind| loss::of_kind(&kind.api_version, &kind.kind).is_some());
        if loses || params.irreversible { Reversibility::Irreversible } else { Reversibility::Reversible }
    }

    fn targets(&self, scope: &RunScope, frozen: &Frozen, params: &DeleteParams) -> Vec<Target> {
        select::references(params, frozen, namespace_of(scope, params.namespace.as_deref()), scope.plan.as_str())
            .iter()
            .map(target)
            .collect()
    }

    fn problems(&self, params: &DeleteParams) -> Vec<String> {
        let mut problems: Vec<String> = params.objects.iter().filter_map(|text| ObjectName::parse(text).err()).collect();
        problems.extend(params.kind.iter().filter_map(|text| KindName::parse(text).err()));
        match (&params.kind, &params.selector) {
            (Some(_), None) => problems.push("`kind` needs a `selector`: which objects of the kind are meant?".to_owned()),
            (None, Some(_)) => problems.push("`selector` needs a `kind`".to_owned()),
            (Some(_), Some(selector)) if selector.trim().is_empty() => problems.push("`selector` is empty and would mean all".to_owned()),
            _ => {}
        }
        problems.extend(params.selector.as_deref().and_then(selector_problem));
        if params.objects.is_empty() && params.manifests.is_empty() && params.kind.is_none() && params.selector.is_none() {
            problems.push("say what to delete: `objects`, `manifests`, or `kind` and `selector`".to_owned());
        }
        if params.values.is_some() && params.manifests.is_empty() {
            problems.push("`values` are for `manifests`, which are not given".to_owned());
        }
        problems
    }

    fn sources(&self, params: &DeleteParams) -> Vec<String> {
        params.manifests.clone()
    }

    fn look_into(&self, frozen: &Frozen, params: &DeleteParams) -> Vec<Finding> {
        let paths: Vec<&str> = params.manifests.iter().flat_map(|source| files(frozen, source)).collect();
        nameless(frozen, &paths, params.values.as_ref())
    }

    fn repeatable(&self, _params: &DeleteParams) -> bool {
        true
    }

    async fn preview(&self, cx: &ReadCx, params: &DeleteParams) -> Result<Preview, ActionError> {
        let place = self.place(&cx.scope, params).await?;
        let found = select::find(&place, cx, params).await?;
        let mut preview = Preview::default();
        let declared = self.reversibility(params) == Reversibility::Irreversible;
        let losses = loss::of(&place, cx, &found).await?;
        preview.refusals.extend(if declared { None } else { loss::refusal(&losses).map(|error| error.to_string()) });
        for (at, live) in found {
            match live {
                Some(_) => {
                    let lost = losses.iter().find(|(lost, _)| *lost == at);
                    let lines = lost.map(|(_, why)| vec![format!("cannot be taken back: {why}")]).unwrap_or_default();
                    preview.changes.push(Change { target: target(&at.reference()), verb: "delete".to_owned(), lines });
                }
                None if params.ignore_missing => preview.notes.push(format!("there is no {at}")),
                None => preview.refusals.push(select::missing(&place, &at).to_string()),
            }
        }
        Ok(preview)
    }

    async fn missing_rights(&self, cx: &ReadCx, params: &DeleteParams) -> Result<Vec<String>, ActionError> {
        let place = self.place(&cx.scope, params).await?;
        let mut rights = Vec::new();
        for at in select::addresses(&place, cx, params).await? {
            let forward = ["get", "delete"].map(|verb| Right::on(verb, &at));
            let undo = ["create", "patch"].map(|verb| Right::on(verb, &at).for_undo());
            let wait = ["list", "watch"].map(|verb| Right::on(verb, &at)).into_iter().filter(|_| params.wait != Some(false));
            rights.extend(forward.into_iter().chain(wait).chain(undo).chain(health_rights(&at)));
        }
        if let Some((kind, namespace)) = select::kind(&place, params).await? {
            let at = Address { kind, namespace, name: String::new() };
            let all = ["list", "watch", "delete"].map(|verb| Right::on(verb, &at));
            let undo = ["create", "patch"].map(|verb| Right::on(verb, &at).for_undo());
            rights.extend(all.into_iter().chain(undo).chain(health_rights(&at)).map(|right| Right { name: None, ..right }));
        }
        place.lacking(&rights).await
    }

    async fn perform(&self, cx: &Cx<Self>, params: &DeleteParams) -> Result<Deleted, ActionError> {
        let place = self.place(&cx.read.scope, params).await?;
        let declared = self.reversibility(params) == Reversibility::Irreversible;
        perform::perform(cx, &place, params, declared).await
    }

    async fn fence(&self, cx: &ReadCx, params: &DeleteParams, effect: &Begun<Self>) -> Result<(), ActionError> {
        match &effect.undo.before {
            Some(before) => fence_late(&self.place(&cx.scope, params).await?, &effect.undo.at, before).await,
            None => Ok(()),
        }
    }

    async fn settle(&self, cx: &ReadCx, params: &DeleteParams, effect: &Begun<Self>) -> Result<Settled<AfterDelete>, ActionError> {
        settled(&self.place(&cx.scope, params).await?, &effect.undo).await
    }

    async fn compensate(&self, cx: &UndoCx, params: &DeleteParams, effects: Vec<Begun<Self>>) -> Result<Vec<Mark>, ActionError> {
        let place = self.place(&cx.read.scope, params).await?;
        let mut known = Vec::new();
        for Begun { key, mut undo, known: mut settlement } in effects {
            let settlement = match for_sure(&mut settlement) {
                Some(settlement) => settlement,
                None => settled(&place, &undo).await?,
            };
            let gone = matches!(settlement, Settled::Done(_));
            if let Settled::Done(AfterDelete { instead: Some(instead) }) = settlement {
                undo.before = Some(instead);
            }
            known.push((key, undo, gone));
        }
        undo::compensate(cx, &place, known).await
    }

    async fn evidence(&self, cx: &ReadCx, params: &DeleteParams, effects: Vec<Begun<Self>>) -> Vec<Evidence> {
        let Some(place) = open_for_evidence(&self.clusters, cx, params.namespace.as_deref()).await else { return Vec::new() };
        let mut lines = Vec::new();
        for at in effects.iter().map(|effect| &effect.undo.at) {
            if let Ok(Some(live)) = place.cluster.get(at).await {
                let state = if live.is_terminating() { "is being deleted" } else { "is there" };
                lines.push(format!("{at} {state}{}", held_by(&live)));
            }
        }
        let text = lines.join("\n");
        if lines.is_empty() { Vec::new() } else { vec![Evidence { title: "objects that are not gone".to_owned(), text }] }
    }
}
