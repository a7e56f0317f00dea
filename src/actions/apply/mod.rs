//! `apply`: makes objects as manifests say, by server-side apply, and takes that back field by field.

mod counts;
pub(super) mod draft;
pub(super) mod order;
mod perform;
mod rights;
pub(super) mod sources;
mod storage;
mod turn;
mod undo;

use super::applied_by::Applied;
use super::fillings::{findings, refused};
use super::kubernetes::{Place, evidence, failed, fence_late, given_up, namespace_of, open_for_evidence, target};
use super::named::nameless;
use super::patching::Image;
use super::repeated::repeated;
use super::sent::sent;
use super::texts::untyped;
use super::written::watch;
use crate::action::{
    Action, ActionError, Begun, Change as PreviewChange, Cx, Evidence, Finding, Frozen, Preview, ReadCx, RunScope, Sent, Telling, UndoCx,
};
use crate::cluster::diff::lines;
use crate::cluster::evidence::{Exhibit, gather};
use crate::cluster::hidden::values;
use crate::cluster::tracked::Keeper;
use crate::cluster::undo::managed::applied_by;
use crate::cluster::write::{DryRun, Wanted, dry_run};
use crate::cluster::{Address, Clusters, Object};
use crate::ports::Script;
use crate::record::{Mark, Reversibility, Settled, Target};
use perform::{Checked, Wave};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;
pub use storage::UndoStorage;

/// Applies manifests.
pub struct Apply {
    clusters: Clusters,
}

impl Apply {
    /// Makes the action.
    pub fn new(clusters: Clusters) -> Self {
        Self { clusters }
    }
}

/// Which manifests, and what is filled into them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ApplyParams {
    /// Files, folders or globs, from the plan's folder: `manifests/app.yaml`, `manifests`, `manifests/*.yaml`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub manifests: Vec<String>,
    /// Programs that print manifests, such as `[helm, template, web, chart]`. Each runs once, in the plan's folder, when the run opens; what
    /// it prints is kept with the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<Script>,
    /// Values for `{{ name }}` in the manifests: every such name must be one of them, and `\{{` stands for the two characters themselves. What
    /// is written for other programs, such as `{{ $labels.pod }}`, stays. Without values manifests are taken as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Map<String, Value>>,
    /// Takes over fields that belong to other field managers.
    #[serde(default)]
    pub force: bool,
    /// Changes objects that these keep, too: such objects are refused otherwise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allow_managed_by: Vec<Keeper>,
    /// What becomes of the volumes that a StatefulSet of this step got from its controller, when the set is taken back.
    #[serde(default, skip_serializing_if = "UndoStorage::is_kept")]
    pub undo_storage: UndoStorage,
    /// The namespace of objects that name none; the environment's when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// Time that a write may be on its way still whose answer is lost.
const LATE: Duration = Duration::from_secs(1);

/// An object before the run wrote it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct BeforeApply {
    /// Where it is.
    pub at: Address,
    /// The object, whole; none when there was none.
    pub before: Option<Object>,
    /// The object as the server's dry run said that it would be: what the write returned, should nobody have heard that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Object>,
    /// The workload that an autoscaler scales which is made here, as it was before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaled: Option<Box<Image>>,
}

/// An object as the write returned it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct AfterApply {
    /// The object, whole.
    pub after: Object,
    /// The run made it.
    pub created: bool,
    /// What the object should be again, when that is not what was read first: somebody else changed it before the write.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<Object>,
}

impl Apply {
    async fn place(&self, scope: &RunScope, params: &ApplyParams) -> Result<Place, ActionError> {
        Place::open(&self.clusters, scope, params.namespace.as_deref()).await
    }

    /// Looks at the live object: does it bear our write?
    async fn settled(&self, cx: &ReadCx, params: &ApplyParams, effect: &Begun<Self>) -> Result<Settled<AfterApply>, ActionError> {
        let place = self.place(&cx.scope, params).await?;
        let BeforeApply { at, before, expected, .. } = &effect.undo;
        let live = place.cluster.get(at).await.map_err(|error| failed(format!("cannot read {at}"), &error))?;
        let manager = place.managers.apply();
        // The live object may bear later changes by others: they are not ours to take back.
        let after = |live: &Object| expected.clone().filter(|expected| expected.uid() == live.uid()).unwrap_or_else(|| live.clone());
        // What an earlier attempt wrote is where this one began.
        let earlier = effect.known.done().filter(|earlier| live.as_ref().is_some_and(|live| live.uid() == earlier.after.uid()));
        let before = earlier.map(|earlier| &earlier.after).or(before.as_ref());
        let (created, instead) = earlier.map_or((false, None), |earlier| (earlier.created, earlier.instead.clone()));
        let done = |live: &Object, created| Settled::Done(AfterApply { after: after(live), created, instead: instead.clone() });
        // That our entry only shrinks is somebody else's doing.
        let time = |object: &Object| applied_by(object, &manager).map(|entry| entry["time"].clone());
        let is_newer = |live: &Object, before: &Object| time(live).is_some() && time(live) != time(before);
        match (before, live) {
            (None, None) => Ok(Settled::NotDone),
            (Some(_), None) => Ok(Settled::Other(format!("{at} was deleted by somebody else"))),
            (None, Some(live)) => match applied_by(&live, &manager) {
                Some(_) => Ok(done(&live, perform::is_made_by(&live, &manager))),
                None => Ok(Settled::Other(format!("{at} was made by somebody else"))),
            },
            (Some(before), Some(live)) if live.uid() != before.uid() => Ok(Settled::Other(format!("{at} was made anew by somebody else"))),
            (Some(before), Some(live)) if live.resource_version() == before.resource_version() => Ok(Settled::NotDone),
            (Some(before), Some(live)) if is_newer(&live, before) => Ok(done(&live, created)),
            // The same fields in the same second: then only the content tells.
            (Some(_), Some(live)) => match self.wanted_at(cx, params, &place, at)? {
                Some(wanted) if matches!(dry_run(&place.cluster, &place.managers, &wanted, Some(&live)).await, Ok(DryRun::Same)) => {
                    Ok(done(&live, created))
                }
                _ => Ok(Settled::NotDone),
            },
        }
    }

    /// What was not known before the run is known now, and nothing is written yet.
    fn check_fillings(&self, frozen: &Frozen, params: &ApplyParams) -> Result<(), ActionError> {
        let refused = refused(&self.look_into(frozen, params));
        if refused.is_empty() { Ok(()) } else { Err(draft::all("the manifests cannot be applied", refused)) }
    }

    fn wanted_at(&self, cx: &ReadCx, params: &ApplyParams, place: &Place, at: &Address) -> Result<Option<Wanted>, ActionError> {
        let drafts = draft::read(&cx.frozen, params, &place.namespace, cx.scope.plan.as_str())?;
        let found = drafts.into_iter().find(|draft| draft.is_at(at));
        Ok(found.map(|draft| draft.wanted(at.kind.clone(), &place.namespace, params.force)))
    }
}

impl Action for Apply {
    const KIND: &'static str = "apply";
    const ABOUT: &'static str = "Makes objects on a cluster as manifests say, and takes that back field by field.";
    const UNDONE: &'static str = "Each object becomes what it was, field by field; what the step made is deleted. What others changed \
        since stays, and is told.";
    const EXAMPLE: &'static str = include_str!("../examples/apply.yaml");
    const WATCHED: bool = true;
    type Params = ApplyParams;
    type Undo = BeforeApply;
    type After = AfterApply;
    type Output = Applied;

    fn reversibility(&self, _params: &ApplyParams) -> Reversibility {
        Reversibility::Reversible
    }

    fn targets(&self, scope: &RunScope, frozen: &Frozen, params: &ApplyParams) -> Vec<Target> {
        let namespace = namespace_of(scope, params.namespace.as_deref());
        let drafts = draft::read(frozen, params, namespace, scope.plan.as_str()).unwrap_or_default();
        drafts.iter().map(|draft| target(&draft.reference(namespace))).collect()
    }

    fn problems(&self, params: &ApplyParams) -> Vec<String> {
        match params.manifests.is_empty() && params.commands.is_empty() {
            true => {
                vec!["nothing to apply: name files, folders or globs in `manifests`, or programs that print them in `commands`".to_owned()]
            }
            false => Vec::new(),
        }
    }

    fn sources(&self, params: &ApplyParams) -> Vec<String> {
        params.manifests.clone()
    }

    fn look_into(&self, frozen: &Frozen, params: &ApplyParams) -> Vec<Finding> {
        let sources: Vec<Vec<&str>> = params.manifests.iter().map(|source| sources::files(frozen, source)).collect();
        let names: Vec<String> = params.commands.iter().map(Frozen::name_of).collect();
        let printed: Vec<&str> = names.iter().map(String::as_str).filter(|name| frozen.file(name).is_some()).collect();
        let are_all = sources.iter().all(|files| !files.is_empty()) && printed.len() == names.len();
        let paths: Vec<&str> = sources.into_iter().flatten().chain(printed).collect();
        let values = params.values.as_ref();
        let mut all = findings(frozen, &paths, values, are_all);
        all.extend([nameless, untyped, repeated].into_iter().flat_map(|look| look(frozen, &paths, values)));
        all
    }

    fn commands(&self, params: &ApplyParams) -> Vec<Script> {
        params.commands.clone()
    }

    fn sent(&self, frozen: &Frozen, params: &ApplyParams) -> Vec<Sent> {
        let files = params.manifests.iter().flat_map(|source| sources::files(frozen, source));
        let printed: Vec<String> = params.commands.iter().map(Frozen::name_of).collect();
        let paths: Vec<&str> = files.chain(printed.iter().map(String::as_str)).collect();
        sent(frozen, &paths, params.values.as_ref())
    }

    fn repeatable(&self, _params: &ApplyParams) -> bool {
        true
    }

    async fn preview(&self, cx: &ReadCx, params: &ApplyParams) -> Result<Preview, ActionError> {
        self.check_fillings(&cx.frozen, params)?;
        let place = self.place(&cx.scope, params).await?;
        let drafts = draft::read(&cx.frozen, params, &place.namespace, cx.scope.plan.as_str())?;
        let Wave { now: wave, later, unserved } = perform::next_wave(&place, drafts, params.force).await?;
        wave.iter().map(|wanted| Object(wanted.manifest.clone())).flat_map(|object| values(&object)).for_each(|value| cx.hide(value));
        let mut preview = Preview::default();
        let checked = perform::check(&place, &params.allow_managed_by, wave).await?;
        if !unserved.is_empty() {
            // An earlier step may define these kinds: then all of it is known after that.
            let refused = checked.into_iter().filter_map(|(_, checked)| checked.refusal());
            return Err(perform::refusal(unserved.into_iter().chain(refused).collect()));
        }
        for (wanted, checked) in checked {
            match checked {
                Checked::Same { .. } => {}
                Checked::Refused(error) => preview.refusals.push(error.told()),
                Checked::Changes { before, after, warnings, .. } => {
                    preview.notes.extend(given_up(&wanted.at, before.as_ref(), after.as_ref()));
                    preview.notes.extend(warnings.iter().map(|warning| format!("{}: {warning}", wanted.at)));
                    let verb = if before.is_some() { "change" } else { "create" };
                    let lines = match &after {
                        Some(after) => lines(before.as_ref(), Some(after)),
                        None => vec!["an admission webhook does not let the server say what would change".to_owned()],
                    };
                    preview.changes.push(PreviewChange { target: target(&wanted.at.reference()), verb: verb.to_owned(), lines });
                }
            }
        }
        for draft in later {
            let reference = draft.reference(&place.namespace);
            let lines = vec!["known after this step has made its namespace or its kind".to_owned()];
            preview.changes.push(PreviewChange { target: target(&reference), verb: "create".to_owned(), lines });
        }
        Ok(preview)
    }

    async fn missing_rights(&self, cx: &ReadCx, params: &ApplyParams) -> Result<Vec<String>, ActionError> {
        let place = self.place(&cx.scope, params).await?;
        let drafts = draft::read(&cx.frozen, params, &place.namespace, cx.scope.plan.as_str())?;
        let mut objects = Vec::new();
        for draft in drafts {
            // Rights to a kind that this step defines are looked for once it is there.
            if let Ok(kind) = place.cluster.kind(&draft.api_version, &draft.kind).await {
                objects.push(draft.wanted(kind, &place.namespace, params.force));
            }
        }
        rights::lacking_at_all(&place, &objects).await
    }

    async fn perform(&self, cx: &Cx<Self>, params: &ApplyParams) -> Result<Applied, ActionError> {
        self.check_fillings(&cx.read.frozen, params)?;
        let place = self.place(&cx.read.scope, params).await?;
        perform::perform(cx, &place, params).await
    }

    async fn fence(&self, cx: &ReadCx, params: &ApplyParams, effect: &Begun<Self>) -> Result<(), ActionError> {
        let (place, BeforeApply { at, before, .. }) = (self.place(&cx.scope, params).await?, &effect.undo);
        if let Some(before) = before {
            return fence_late(&place, at, before).await;
        }
        // What is not there has no version to outdate. Such a write makes the object or fails, and a server drops it whose asker is gone.
        let live = place.cluster.get(at).await.map_err(|error| failed(format!("cannot read {at}"), &error))?;
        if live.is_none() {
            place.cluster.clock.sleep(LATE).await;
        }
        Ok(())
    }

    async fn settle(&self, cx: &ReadCx, params: &ApplyParams, effect: &Begun<Self>) -> Result<Settled<AfterApply>, ActionError> {
        self.settled(cx, params, effect).await
    }

    async fn compensate(&self, cx: &UndoCx, params: &ApplyParams, effects: Vec<Begun<Self>>) -> Result<Vec<Mark>, ActionError> {
        let place = self.place(&cx.read.scope, params).await?;
        let mut known = Vec::new();
        for mut effect in effects {
            let settled = match super::kubernetes::for_sure(&mut effect.known) {
                Some(settled) => settled,
                None => self.settled(&cx.read, params, &effect).await?,
            };
            known.push((effect.key, effect.undo, settled));
        }
        undo::compensate(cx, &place, params.undo_storage, known).await
    }

    async fn watch(&self, cx: &ReadCx, _params: &ApplyParams, effects: Vec<Begun<Self>>, tell: &Telling<'_>) {
        let written = effects.iter().filter_map(|effect| Some((&effect.undo.at, &effect.known.done()?.after)));
        watch(&self.clusters, cx, None, written, tell).await;
    }

    async fn evidence(&self, cx: &ReadCx, params: &ApplyParams, effects: Vec<Begun<Self>>) -> Vec<Evidence> {
        let Some(place) = open_for_evidence(&self.clusters, cx, params.namespace.as_deref()).await else { return Vec::new() };
        let addresses: Vec<Address> = effects.iter().map(|effect| effect.undo.at.clone()).collect();
        let workloads: Vec<Address> = addresses.iter().filter(|at| order::is_workload(&at.kind.kind)).cloned().collect();
        let mut exhibits = gather(&place.cluster, &workloads).await;
        for effect in effects.iter().filter(|effect| effect.undo.before.is_some()) {
            let live = place.cluster.get(&effect.undo.at).await.ok().flatten();
            let changed = lines(effect.undo.before.as_ref(), live.as_ref());
            if !changed.is_empty() {
                exhibits.push(Exhibit { title: format!("{} since this run began", effect.undo.at), text: changed.join("\n") });
            }
        }
        effects.iter().filter_map(|effect| effect.undo.before.as_ref()).flat_map(values).for_each(|value| cx.hide(value));
        evidence(cx, &place, exhibits).await
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod undo_tests;
