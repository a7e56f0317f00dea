//! `patch`: changes some fields of one object, and puts them back where they are still as it left them.

mod operations;
#[cfg(test)]
mod tests;

use super::kubernetes::{
    Place, evidence, failed, fence_late, for_sure, given_up, namespace_of, open_for_evidence, patch_rights, reader_rights, remake_rights,
    target,
};
use super::naming::ObjectName;
use super::patching::{Image, Patched, Patching, has_written, is_ours, known_patch, patched, put_back};
use super::written::{self, watch};
use crate::action::{Action, ActionError, Asked, Begun, Change, Cx, Evidence, Frozen, Preview, ReadCx, RunScope, Telling, UndoCx, key};
use crate::cluster::diff::lines;
use crate::cluster::evidence::gather;
use crate::cluster::request::Written;
use crate::cluster::undo::is_sealing;
use crate::cluster::{Address, ApiError, Clusters, Manner, Object};
use crate::record::{Mark, Reversibility, Settled, Target};
use operations::{Landed, landed, wanted};
pub use operations::{Operation, OperationKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Patches one object.
pub struct Patch {
    clusters: Clusters,
}

impl Patch {
    /// Makes the action.
    pub fn new(clusters: Clusters) -> Self {
        Self { clusters }
    }
}

/// Which object, and what of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PatchParams {
    /// The object, written `deployment/web`, or with group and version `example.com/v1/Gadget/web`.
    pub object: String,
    /// Operations, one after the other, as in a JSON patch. A `test` that does not hold ends the step before anything is changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub json: Vec<Operation>,
    /// Fields as they should be; what is `null` goes. Fields that are not named stay, lists are replaced as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<Map<String, Value>>,
    /// Its namespace; the environment's when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// What `patch` did: `{ "object": "deployment/web", "changed": true }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct PatchOutput {
    /// The object.
    pub object: String,
    /// False when it was as wanted already.
    pub changed: bool,
}

impl Patch {
    /// What the server says that the patch would make of the object; none where a webhook keeps it from saying so.
    async fn expected(&self, place: &Place, at: &Address, operations: &[Value]) -> Result<Option<Object>, ActionError> {
        match dry_run(place, at, operations).await {
            Ok(written) => Ok(Some(written.object)),
            Err(error) if error.message.contains("does not support dry run") => Ok(None),
            // It changed meanwhile: what is sent looks at it again.
            Err(error) if error.is_stale() => Ok(None),
            Err(error) if error.is_transient() => Err(failed(format!("cannot check {at}"), &error)),
            Err(error) => Err(failed(format!("{at} is refused"), &error)),
        }
    }

    async fn settled(&self, scope: &RunScope, params: &PatchParams, effect: &Begun<Self>) -> Result<Settled<Patched>, ActionError> {
        let image = &effect.undo;
        let place = Place::open(&self.clusters, scope, params.namespace.as_deref()).await?;
        let live = place.cluster.get(&image.at).await.map_err(|error| failed(format!("cannot read {}", image.at), &error))?;
        let Some(live) = live else {
            return Ok(Settled::Other(format!("{} was deleted by somebody else", image.at)));
        };
        if live.uid() != image.before.uid() {
            return Ok(Settled::Other(format!("{} was made anew by somebody else", image.at)));
        }
        let earlier = effect.known.done();
        let base = earlier.map_or(&image.before, |earlier| &earlier.after);
        // What did not fit the object as it was has never left.
        let operations = wanted(params, &image.before).unwrap_or_default();
        if operations.is_empty() || live.resource_version() == base.resource_version() {
            return Ok(Settled::NotDone);
        }
        let done = match earlier {
            Some(earlier) => earlier.clone(),
            None => {
                let expected = image.expected.clone().map_or_else(|| patched(&image.before, operations), Ok);
                Patched { after: expected?, instead: None }
            }
        };
        let manager = place.managers.action(Self::KIND);
        if has_written(&manager, base, &live) {
            return Ok(Settled::Done(done));
        }
        // What an earlier attempt wrote is there already: its content tells nothing of this one.
        if earlier.is_some() {
            return Ok(Settled::NotDone);
        }
        Ok(match landed(&image.before, &done.after, &live) {
            Landed::Yes if is_ours(&manager, base, &live) => Settled::Done(done),
            Landed::Yes => Settled::NotDone,
            Landed::No => Settled::NotDone,
            Landed::Unclear => {
                Settled::Unknown(format!("{} was changed by somebody else, so nobody can tell whether the patch came before", image.at))
            }
        })
    }
}

async fn dry_run(place: &Place, at: &Address, operations: &[Value]) -> Result<Written, ApiError> {
    let manager = place.managers.action(Patch::KIND);
    place.cluster.patch(at, &Value::from(operations), Manner { dry_run: true, strict: true, ..Manner::of(&manager) }).await
}

impl Action for Patch {
    const KIND: &'static str = "patch";
    const ABOUT: &'static str = "Changes some fields of one object on a cluster, and takes that back field by field.";
    const UNDONE: &'static str = "The fields become what they were, where they are still as the step left them.";
    const EXAMPLE: &'static str = include_str!("../examples/patch.yaml");
    const WATCHED: bool = true;
    type Params = PatchParams;
    type Undo = Image;
    type After = Patched;
    type Output = PatchOutput;

    fn reversibility(&self, _params: &PatchParams) -> Reversibility {
        Reversibility::Reversible
    }

    fn targets(&self, scope: &RunScope, _frozen: &Frozen, params: &PatchParams) -> Vec<Target> {
        let namespace = namespace_of(scope, params.namespace.as_deref());
        ObjectName::parse(&params.object).map(|name| target(&name.reference(namespace))).into_iter().collect()
    }

    fn asks(&self, params: &PatchParams) -> Vec<Asked> {
        vec![Asked::Object(params.object.clone())]
    }

    fn problems(&self, params: &PatchParams) -> Vec<String> {
        let mut problems: Vec<String> = ObjectName::parse(&params.object).err().into_iter().collect();
        problems.extend(operations::problems(params));
        problems
    }

    fn repeatable(&self, _params: &PatchParams) -> bool {
        true
    }

    async fn preview(&self, cx: &ReadCx, params: &PatchParams) -> Result<Preview, ActionError> {
        let place = Place::open(&self.clusters, &cx.scope, params.namespace.as_deref()).await?;
        let at = ObjectName::parse(&params.object).map_err(ActionError::permanent)?.address(&place).await?;
        let live = place.get(&at).await?;
        let mut preview = Preview::default();
        let operations = match wanted(params, &live) {
            Ok(operations) => operations,
            Err(error) => {
                preview.refusals.push(error.to_string());
                return Ok(preview);
            }
        };
        if operations.is_empty() {
            return Ok(preview);
        }
        match dry_run(&place, &at, &operations).await {
            Ok(written) => {
                preview.notes.extend(given_up(&at, Some(&live), Some(&written.object)));
                let lines = lines(Some(&live), Some(&written.object));
                if !lines.is_empty() {
                    preview.changes.push(Change { target: target(&at.reference()), verb: "change".to_owned(), lines });
                }
            }
            Err(error) if error.is_transient() => return Err(failed(format!("cannot check {at}"), &error)),
            Err(error) => preview.refusals.push(format!("{at} is refused: {error}")),
        }
        Ok(preview)
    }

    async fn missing_rights(&self, cx: &ReadCx, params: &PatchParams) -> Result<Vec<String>, ActionError> {
        let place = Place::open(&self.clusters, &cx.scope, params.namespace.as_deref()).await?;
        let at = ObjectName::parse(&params.object).map_err(ActionError::permanent)?.address(&place).await?;
        let mut rights = patch_rights(&at);
        rights.extend(reader_rights(&at));
        if operations::seals(params) {
            // Where it is immutable already nothing is sealed.
            let live = place.cluster.get(&at).await.ok().flatten().unwrap_or(Object(Value::Null));
            rights.extend(Some(&at).filter(|at| is_sealing(at, &live, &json!({ "immutable": true }))).into_iter().flat_map(remake_rights));
        }
        place.lacking(&rights).await
    }

    async fn perform(&self, cx: &Cx<Self>, params: &PatchParams) -> Result<PatchOutput, ActionError> {
        let place = Place::open(&self.clusters, &cx.read.scope, params.namespace.as_deref()).await?;
        let at = ObjectName::parse(&params.object).map_err(ActionError::permanent)?.address(&place).await?;
        let live = place.get(&at).await?;
        let operations = wanted(params, &live);
        let output = |changed| PatchOutput { object: at.to_string(), changed };
        if operations.as_ref().is_ok_and(Vec::is_empty) {
            let is_done = cx.earlier()?.iter().any(|effect| effect.known.done().is_some());
            return Ok(output(is_done));
        }
        let expected = match &operations {
            Ok(operations) => self.expected(&place, &at, operations).await?,
            Err(_) => None,
        };
        given_up(&at, Some(&live), expected.as_ref()).into_iter().for_each(|lost| cx.read.warn(lost));
        let image = Image { at: at.clone(), before: live.clone(), expected };
        let ticket = cx.intend_one(key(Self::KIND, &target(&at.reference())), image).await?;
        if ticket.undo.before.uid() != live.uid() {
            return Err(ActionError::permanent(format!("{at} was made anew by somebody else while this step ran")));
        }
        // What adds to a list would add again, and what a `test` expects is not there any more.
        if ticket.known.done().is_some() && params.merge.is_none() {
            return Ok(output(true));
        }
        operations?;
        let (first, earlier) = (ticket.undo.clone(), ticket.known.done().cloned());
        let patching =
            Patching { cluster: place.cluster.clone(), first, earlier, live, manager: place.managers.action(Self::KIND), strict: true };
        let params = params.clone();
        cx.effect(ticket, patching.send(move |live| wanted(&params, live))).await?;
        Ok(output(true))
    }

    async fn fence(&self, cx: &ReadCx, params: &PatchParams, effect: &Begun<Self>) -> Result<(), ActionError> {
        let place = Place::open(&self.clusters, &cx.scope, params.namespace.as_deref()).await?;
        fence_late(&place, &effect.undo.at, &effect.undo.before).await
    }

    async fn settle(&self, cx: &ReadCx, params: &PatchParams, effect: &Begun<Self>) -> Result<Settled<Patched>, ActionError> {
        self.settled(&cx.scope, params, effect).await
    }

    async fn compensate(&self, cx: &UndoCx, params: &PatchParams, effects: Vec<Begun<Self>>) -> Result<Vec<Mark>, ActionError> {
        let place = Place::open(&self.clusters, &cx.read.scope, params.namespace.as_deref()).await?;
        let mut marks = Vec::new();
        for mut effect in effects {
            let settled = match for_sure(&mut effect.known) {
                Some(settled) => settled,
                None => self.settled(&cx.read.scope, params, &effect).await?,
            };
            let Begun { key, undo: image, .. } = effect;
            let change = match known_patch(&key, &image, settled) {
                Ok(change) => change,
                Err(mark) => {
                    marks.push(mark);
                    continue;
                }
            };
            marks.push(put_back(cx, &place, key, &image, &change).await?);
        }
        Ok(marks)
    }

    async fn watch(&self, cx: &ReadCx, _params: &PatchParams, effects: Vec<Begun<Self>>, tell: &Telling<'_>) {
        let written = effects.iter().filter_map(|effect| written::patched(&effect.undo, &effect.known));
        watch(&self.clusters, cx, Some(Self::KIND), written, tell).await;
    }

    async fn evidence(&self, cx: &ReadCx, params: &PatchParams, effects: Vec<Begun<Self>>) -> Vec<Evidence> {
        let Some(place) = open_for_evidence(&self.clusters, cx, params.namespace.as_deref()).await else { return Vec::new() };
        let addresses: Vec<_> = effects.into_iter().map(|effect| effect.undo.at).collect();
        evidence(cx, &place, gather(&place.cluster, &addresses).await).await
    }
}
