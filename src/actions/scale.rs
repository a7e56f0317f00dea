//! `scale`: sets how many pods a workload has.

use super::kubernetes::{
    Place, evidence, evidence_kept, failed, fence_late, for_sure, namespace_of, open_for_evidence, patch_rights, stopped, subject, target,
    watch_rights,
};
use super::patching::{Image, Patched, Patching, known_patch, put_back, settle_patch};
use super::written::{patched, watch};
use crate::action::{Action, ActionError, Asked, Begun, Change, Cx, Evidence, Frozen, Preview, ReadCx, RunScope, Telling, UndoCx, key};
use crate::cluster::evidence::gather;
use crate::cluster::health::Pin;
use crate::cluster::health::wait::{Patience, Subject, WaitError, wait_healthy};
use crate::cluster::{Address, Class, Clusters, Kind, Object};
use crate::record::{Mark, Reversibility, Settled, Target};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Sets how many pods a Deployment or StatefulSet has.
pub struct Scale {
    clusters: Clusters,
}

impl Scale {
    /// Makes the action.
    pub fn new(clusters: Clusters) -> Self {
        Self { clusters }
    }
}

/// Which workload, and how many pods.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ScaleParams {
    /// The Deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// The StatefulSet, instead of a Deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stateful_set: Option<String>,
    /// How many pods it is to have.
    pub replicas: u32,
    /// Waits until as many pods are ready. True unless it says otherwise.
    #[serde(default = "yes")]
    pub wait: bool,
    /// Its namespace; the environment's when none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

fn yes() -> bool {
    true
}

/// How many pods the workload had, and has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Scaled {
    /// How many it has now.
    pub replicas: u32,
    /// How many it had before.
    pub before: u32,
}

impl ScaleParams {
    fn at(&self, namespace: &str) -> Address {
        match (&self.deployment, &self.stateful_set) {
            (_, Some(name)) => Address::known("StatefulSet", namespace, name),
            (name, None) => Address::known("Deployment", namespace, name.as_deref().unwrap_or_default()),
        }
    }
}

fn replicas(object: &Object) -> u32 {
    object.number("/spec/replicas").and_then(|count| u32::try_from(count).ok()).unwrap_or(1)
}

impl Scale {
    async fn look(&self, scope: &RunScope, params: &ScaleParams) -> Result<(Place, Address, Object), ActionError> {
        let place = Place::open(&self.clusters, scope, params.namespace.as_deref()).await?;
        let at = params.at(&place.namespace);
        let live = place.get(&at).await?;
        Ok((place, at, live))
    }

    async fn settled(&self, scope: &RunScope, params: &ScaleParams, effect: &Begun<Self>) -> Result<Settled<Patched>, ActionError> {
        let place = Place::open(&self.clusters, scope, params.namespace.as_deref()).await?;
        let (before, wanted) = (replicas(&effect.undo.before), params.replicas);
        let left = |object: &Object| if replicas(object) == wanted { Ok(Vec::new()) } else { set_replicas(object, before, wanted) };
        settle_patch(&place, &effect.undo, effect.known.done(), &place.managers.action(Self::KIND), left).await
    }
}

fn set_replicas(live: &Object, before: u32, wanted: u32) -> Result<Vec<Value>, ActionError> {
    match replicas(live) {
        now if now == before => Ok(vec![
            json!({ "op": "test", "path": "/spec/replicas", "value": before }),
            json!({ "op": "replace", "path": "/spec/replicas", "value": wanted }),
        ]),
        now => Err(ActionError::transient(format!("{} was scaled to {now} by somebody else meanwhile", live.reference()))),
    }
}

/// An autoscaler would set another count at once.
async fn refuse_autoscaled(cx: &ReadCx, place: &Place, at: &Address) -> Result<(), ActionError> {
    let scalers = match place.cluster.list(&Kind::known("HorizontalPodAutoscaler"), Some(&place.namespace), "").await {
        Ok(scalers) => scalers,
        Err(error) if error.class == Class::Forbidden => {
            cx.warn(format!("may not look whether an autoscaler sets the count of {at}"));
            return Ok(());
        }
        Err(error) => return Err(failed("cannot list the autoscalers", &error)),
    };
    let of =
        |scaler: &&Object| scaler.text("/spec/scaleTargetRef/kind") == at.kind.kind && scaler.text("/spec/scaleTargetRef/name") == at.name;
    match scalers.iter().find(of) {
        None => Ok(()),
        Some(scaler) => Err(ActionError::permanent(format!("{at} is scaled by the autoscaler `{}`", scaler.name()))
            .hint("change the bounds of the HorizontalPodAutoscaler with `apply` instead")),
    }
}

impl Action for Scale {
    const KIND: &'static str = "scale";
    const ABOUT: &'static str = "Sets how many pods a Deployment or StatefulSet has.";
    const UNDONE: &'static str = "The count becomes what it was, and the workload is waited for until it is healthy again.";
    const EXAMPLE: &'static str = include_str!("examples/scale.yaml");
    const WATCHED: bool = true;
    type Params = ScaleParams;
    type Undo = Image;
    type After = Patched;
    type Output = Scaled;

    fn reversibility(&self, _params: &ScaleParams) -> Reversibility {
        Reversibility::Reversible
    }

    fn targets(&self, scope: &RunScope, _frozen: &Frozen, params: &ScaleParams) -> Vec<Target> {
        let at = params.at(namespace_of(scope, params.namespace.as_deref()));
        vec![target(&at.reference())]
    }

    fn asks(&self, params: &ScaleParams) -> Vec<Asked> {
        let named = [("deployment", &params.deployment), ("statefulset", &params.stateful_set)];
        named.into_iter().filter_map(|(kind, name)| Some(Asked::Object(format!("{kind}/{}", name.as_ref()?)))).collect()
    }

    fn problems(&self, params: &ScaleParams) -> Vec<String> {
        match (&params.deployment, &params.stateful_set) {
            (Some(_), Some(_)) => vec!["say `deployment` or `stateful-set`, not both".to_owned()],
            (None, None) => vec!["say which `deployment` or `stateful-set` is meant".to_owned()],
            _ => Vec::new(),
        }
    }

    fn repeatable(&self, _params: &ScaleParams) -> bool {
        true
    }

    async fn preview(&self, cx: &ReadCx, params: &ScaleParams) -> Result<Preview, ActionError> {
        let (place, at, live) = self.look(&cx.scope, params).await?;
        let mut preview = Preview::default();
        if let Err(refused) = refuse_autoscaled(cx, &place, &at).await {
            preview.refusals.push(refused.to_string());
        }
        if replicas(&live) != params.replicas {
            let lines = vec![format!("- spec.replicas: {}", replicas(&live)), format!("+ spec.replicas: {}", params.replicas)];
            preview.changes.push(Change { target: target(&at.reference()), verb: "change".to_owned(), lines });
        }
        Ok(preview)
    }

    async fn missing_rights(&self, cx: &ReadCx, params: &ScaleParams) -> Result<Vec<String>, ActionError> {
        let place = Place::open(&self.clusters, &cx.scope, params.namespace.as_deref()).await?;
        let at = params.at(&place.namespace);
        let mut rights = patch_rights(&at);
        if params.wait {
            rights.extend(watch_rights(&[Subject { at, pin: Pin::default() }]));
        }
        place.lacking(&rights).await
    }

    async fn perform(&self, cx: &Cx<Self>, params: &ScaleParams) -> Result<Scaled, ActionError> {
        let (place, at, live) = self.look(&cx.read.scope, params).await?;
        refuse_autoscaled(&cx.read, &place, &at).await?;
        let (before, wanted) = (replicas(&live), params.replicas);
        // An earlier attempt may have done it, and have waited in vain.
        let done = cx.earlier()?.into_iter().find(|effect| effect.known.done().is_some());
        let first = done.map_or(before, |effect| {
            let instead = effect.known.done().and_then(|done| done.instead.as_ref());
            replicas(instead.unwrap_or(&effect.undo.before))
        });
        let mut now = live.clone();
        if before != params.replicas {
            let ticket = cx.intend_one(key(Self::KIND, &target(&at.reference())), Image::of(at.clone(), live.clone())).await?;
            let manager = place.managers.action(Self::KIND);
            let (first, earlier) = (ticket.undo.clone(), ticket.known.done().cloned());
            let patching = Patching { cluster: place.cluster.clone(), first, earlier, live, manager, strict: false };
            let write = patching.send(move |live| set_replicas(live, before, wanted));
            now = cx.effect(ticket, write).await?.after;
        }
        if params.wait {
            let subjects = [subject(&at, &now)];
            let mut tell = |text: String| cx.read.doing(text);
            let waited = tokio::select! {
                waited = wait_healthy(&place.cluster, &subjects, Patience::default(), &mut tell) => waited,
                () = cx.read.cancel.cancelled() => return Err(stopped()),
            };
            waited.map_err(|error| match error {
                WaitError::Unhealthy(unhealthy) => ActionError::permanent(unhealthy.to_string()),
                WaitError::Api(error) => failed(format!("cannot watch {at}"), &error),
            })?;
        }
        Ok(Scaled { replicas: params.replicas, before: first })
    }

    async fn fence(&self, cx: &ReadCx, params: &ScaleParams, effect: &Begun<Self>) -> Result<(), ActionError> {
        let place = Place::open(&self.clusters, &cx.scope, params.namespace.as_deref()).await?;
        fence_late(&place, &effect.undo.at, &effect.undo.before).await
    }

    async fn settle(&self, cx: &ReadCx, params: &ScaleParams, effect: &Begun<Self>) -> Result<Settled<Patched>, ActionError> {
        self.settled(&cx.scope, params, effect).await
    }

    async fn compensate(&self, cx: &UndoCx, params: &ScaleParams, effects: Vec<Begun<Self>>) -> Result<Vec<Mark>, ActionError> {
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
            // Fewer pods are less to look at: what explains the failure is kept first.
            if replicas(&image.before) < replicas(&change.after) {
                evidence_kept(cx).await?;
            }
            marks.push(put_back(cx, &place, key, &image, &change).await?);
        }
        Ok(marks)
    }

    async fn watch(&self, cx: &ReadCx, _params: &ScaleParams, effects: Vec<Begun<Self>>, tell: &Telling<'_>) {
        let written = effects.iter().filter_map(|effect| patched(&effect.undo, &effect.known));
        watch(&self.clusters, cx, Some(Self::KIND), written, tell).await;
    }

    async fn evidence(&self, cx: &ReadCx, params: &ScaleParams, _effects: Vec<Begun<Self>>) -> Vec<Evidence> {
        match open_for_evidence(&self.clusters, cx, params.namespace.as_deref()).await {
            Some(place) => evidence(cx, &place, gather(&place.cluster, &[params.at(&place.namespace)]).await).await,
            None => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
