//! What the actions on a cluster share: opening it, telling its refusals, taking a change back. It knows no single action.

use crate::action::{ActionError, EffectError, Evidence, Known, ReadCx, RunScope, UndoCx};
use crate::actions::apply::order::is_workload;
use crate::cluster::evidence::Exhibit;
use crate::cluster::fence::fence;
use crate::cluster::health::wait::{Patience, Subject, WaitError, wait_healthy};
use crate::cluster::health::{Pin, Verdict, View, judge};
use crate::cluster::hidden::values;
use crate::cluster::rights::{Right, missing};
use crate::cluster::undo::{Change, Managers, TakenBack, released, take_back};
use crate::cluster::{Address, ApiError, Class, Cluster, Clusters, Kind, Object, Reference};
use crate::record::{EffectKey, Mark, MarkKind, Settled, Target};
use std::time::Duration;

/// Time for a restored workload to be as healthy as it was.
const HEALTHY_AGAIN_WITHIN: Duration = Duration::from_secs(180);

/// A cluster, and how a run is known there.
pub(super) struct Place {
    pub(super) cluster: Cluster,
    pub(super) namespace: String,
    pub(super) managers: Managers,
}

impl Place {
    /// Opens the run's cluster. `namespace` is the step's own.
    pub(super) async fn open(clusters: &Clusters, scope: &RunScope, namespace: Option<&str>) -> Result<Self, ActionError> {
        let opened = clusters.open(scope.context.as_deref()).await;
        let cluster = opened
            .map_err(|error| ActionError::transient(error.to_string()).because(std::error::Error::source(&error).unwrap_or(&error)))?;
        let namespace = namespace.or(scope.namespace.as_deref()).unwrap_or(&cluster.connection.namespace).to_owned();
        Ok(Self { cluster, namespace, managers: Managers::of(scope.plan.as_str()) })
    }

    /// Those of the rights that we lack, one line each.
    pub(super) async fn lacking(&self, rights: &[Right]) -> Result<Vec<String>, ActionError> {
        match missing(&self.cluster, rights).await {
            Ok(lacking) => Ok(lacking.iter().map(Right::to_string).collect()),
            // Whoever may not even ask learns it from the refusals.
            Err(error) if error.class == Class::Forbidden || error.is_absent() => Ok(Vec::new()),
            Err(error) => Err(failed("cannot ask for our rights", &error)),
        }
    }

    /// Reads an object that has to be there.
    pub(super) async fn get(&self, at: &Address) -> Result<Object, ActionError> {
        let found = self.cluster.get(at).await.map_err(|error| failed(format!("cannot read {at}"), &error))?;
        found.ok_or_else(|| ActionError::permanent(format!("there is no {at} in namespace `{}`", self.namespace)))
    }
}

/// The namespace of objects that name none, as far as it is known without a cluster.
pub(super) fn namespace_of<'a>(scope: &'a RunScope, namespace: Option<&'a str>) -> &'a str {
    namespace.or(scope.namespace.as_deref()).unwrap_or("default")
}

/// An object's name among all that steps write.
pub(super) fn target(reference: &Reference) -> Target {
    Target(reference.target())
}

/// What a patch of an object needs, and taking it back.
pub(super) fn patch_rights(at: &Address) -> Vec<Right> {
    let mut rights: Vec<Right> = ["get", "patch"].map(|verb| Right::on(verb, at)).into();
    rights.extend(["update", "patch"].map(|verb| Right::on(verb, at).for_undo()));
    rights.extend(health_rights(at));
    if at.kind.kind == "StatefulSet" {
        // It is freed of pods that hold it up.
        let namespace = at.namespace.as_deref().unwrap_or_default();
        rights.extend(["list", "delete"].map(|verb| Right::on_pods(verb, "pods", namespace).for_undo()));
    }
    rights
}

/// What it takes to see a workload healthy again that an undo has brought back.
pub(super) fn health_rights(at: &Address) -> Vec<Right> {
    let subjects = [Subject { at: at.clone(), pin: Pin::default() }];
    let rights = if is_workload(&at.kind.kind) { watch_rights(&subjects) } else { Vec::new() };
    rights.into_iter().map(Right::for_undo).collect()
}

/// What it takes to send pods away that started on our version of an object: of what pods read only when they start.
pub(super) fn reader_rights(at: &Address) -> Vec<Right> {
    if !matches!(at.kind.kind.as_str(), "ConfigMap" | "Secret") {
        return Vec::new();
    }
    let namespace = at.namespace.as_deref().unwrap_or_default();
    [("list", "pods"), ("create", "pods/eviction")].map(|(verb, resource)| Right::on_pods(verb, resource, namespace).for_undo()).into()
}

/// What it takes to make an object again that was made immutable, and to delete one that was made.
pub(super) fn remake_rights(at: &Address) -> Vec<Right> {
    ["create", "delete", "list", "watch"].map(|verb| Right::on(verb, at).for_undo()).into()
}

/// What waiting for the health of objects of a namespace needs.
pub(super) fn watch_rights(subjects: &[Subject]) -> Vec<Right> {
    crate::cluster::health::wait::watched(subjects)
        .iter()
        .flat_map(|watched| {
            let at = Address { kind: watched.kind.clone(), namespace: watched.namespace.clone(), name: String::new() };
            ["list", "watch"].map(|verb| Right::on(verb, &at))
        })
        .collect()
}

/// Says that a request failed.
pub(super) fn failed(doing: impl Into<String>, error: &ApiError) -> ActionError {
    let doing = doing.into();
    let told = match &error.class {
        Class::Owned(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|field| format!("{} belongs to {}", field.field.trim_start_matches('.'), field.manager)).collect();
            return ActionError::permanent(format!("{doing}: {}", fields.join(", ")))
                .hint("leave these fields out of the manifest, or say `force: true` to take them over");
        }
        Class::Immutable(fields) => {
            return ActionError::permanent(format!("{doing}: {} cannot be changed once it is set", fields.join(", "))).because(error);
        }
        _ => doing,
    };
    let action_error = if error.is_transient() { ActionError::transient(told) } else { ActionError::permanent(told) };
    action_error.because(error)
}

/// Says how one effect failed.
pub(super) fn effect_failed(doing: impl Into<String>, error: &ApiError) -> EffectError {
    match error.is_lost() {
        true => EffectError::Lost(failed(doing, error)),
        false => EffectError::Refused(failed(doing, error)),
    }
}

/// Keeps a write of a process that is gone from landing on the object that it had read.
pub(super) async fn fence_late(place: &Place, at: &Address, before: &Object) -> Result<(), ActionError> {
    let fenced = fence(&place.cluster, &place.managers, at, before.uid()).await;
    fenced.map_err(|error| failed(format!("cannot write {at}"), &error))
}

/// Takes out what is known for sure; none when somebody has to look.
pub(super) fn for_sure<T>(known: &mut Known<T>) -> Option<Settled<T>> {
    match std::mem::replace(known, Known::Open) {
        Known::Settled(settled @ (Settled::Done(_) | Settled::NotDone)) => Some(settled),
        _ => None,
    }
}

/// Takes one change back. Refusals that trying again does not mend leave a residue; all else is an error.
pub(super) async fn undo(place: &Place, key: EffectKey, change: &Change) -> Result<(Mark, Option<Object>), ActionError> {
    let taken = match take_back(&place.cluster, &place.managers, change).await {
        Ok(taken) => taken,
        Err(error) if error.is_transient() => return Err(failed(format!("cannot take back the change of {}", change.at), &error)),
        Err(error) => TakenBack::Residue(format!("{} could not be taken back: {error}", change.at)),
    };
    let (kind, notes, object) = match taken {
        TakenBack::Restored(object, notes) => (MarkKind::Restored, notes, object),
        TakenBack::Kept(object, notes) => (MarkKind::Kept, notes, object),
        TakenBack::Residue(why) => (MarkKind::Residue, vec![why], None),
    };
    Ok((Mark { key, kind, notes }, object))
}

/// What no undo gives back of an object that becomes another, in a line; none when all of it can be given back.
pub(super) fn given_up(at: &Address, before: Option<&Object>, after: Option<&Object>) -> Option<String> {
    let address = released(before?, after?)?;
    Some(format!("{at} gives up its load balancer{address}: going back gets it another one, whose address may differ"))
}

/// True when an object was healthy as this image of it says.
pub(super) fn was_healthy(image: &Object) -> bool {
    judge(image, &View::default(), &Pin::default()) == Verdict::Healthy
}

/// The object, pinned to what a write returned.
pub(super) fn subject(at: &Address, object: &Object) -> Subject {
    Subject { at: at.clone(), pin: Pin { uid: Some(object.uid().to_owned()), generation: object.generation(), owned: None } }
}

/// What was seen of the health of restored workloads.
pub(super) enum Again {
    /// All of them are healthy.
    Healthy,
    /// This one is not, and why.
    Unhealthy(Address, String),
    /// We may not look: what was restored is restored all the same.
    Unseen(String),
}

/// Waits until restored workloads are healthy again. Gives back which one is not, and why.
pub(super) async fn wait_healthy_again(
    cx: &UndoCx,
    cluster: &Cluster,
    subjects: &[Subject],
) -> Result<Option<(Address, String)>, ActionError> {
    Ok(match look_healthy_again(cx, cluster, subjects).await? {
        Again::Healthy => None,
        Again::Unhealthy(at, why) => Some((at, why)),
        Again::Unseen(why) => {
            cx.read.warn(why);
            None
        }
    })
}

/// As [`wait_healthy_again`], for whoever tells apart what was not seen.
pub(super) async fn look_healthy_again(cx: &UndoCx, cluster: &Cluster, subjects: &[Subject]) -> Result<Again, ActionError> {
    let first = subjects.first().map(|subject| subject.at.clone());
    let mut waits_for = String::new();
    let mut tell = |text: String| {
        cx.read.doing(format!("waiting for what was restored: {text}"));
        waits_for = text;
    };
    let waited = tokio::select! {
        waited = wait_healthy(cluster, subjects, Patience::default(), &mut tell) => Some(waited),
        () = cluster.clock.sleep(HEALTHY_AGAIN_WITHIN) => None,
        () = cx.read.cancel.cancelled() => return Err(stopped()),
    };
    match (waited, first) {
        (Some(Ok(())), _) | (None, None) => Ok(Again::Healthy),
        (Some(Err(WaitError::Unhealthy(unhealthy))), _) => Ok(Again::Unhealthy(unhealthy.at.clone(), unhealthy.to_string())),
        (Some(Err(WaitError::Api(error))), _) if error.class == Class::Forbidden => {
            Ok(Again::Unseen(format!("nobody saw whether what was restored is healthy again: {error}")))
        }
        (Some(Err(WaitError::Api(error))), _) => Err(failed("cannot see whether what was restored is healthy", &error)),
        (None, Some(at)) => Ok(Again::Unhealthy(at, format!("not healthy again within {}s: {waits_for}", HEALTHY_AGAIN_WITHIN.as_secs()))),
    }
}

/// What goes now may be what can tell why the step failed: its evidence comes first.
pub(super) async fn evidence_kept(cx: &UndoCx) -> Result<(), ActionError> {
    tokio::select! {
        () = cx.evidence.cancelled() => Ok(()),
        () = cx.read.cancel.cancelled() => Err(stopped()),
    }
}

/// Somebody wants the step to stop.
pub(super) fn stopped() -> ActionError {
    ActionError::transient("stopped while it was waiting")
}

/// What pods print may hold what they were given: the values of their namespace's Secrets are kept out of it. Whoever may not read
/// them, as most may not, prints what the pod printed.
pub(super) async fn hide_secrets(cx: &ReadCx, place: &Place) {
    // A release of Helm is large, and no pod reads it.
    let releases = "fieldSelector=type%21%3Dhelm.sh%2Frelease.v1";
    let secrets = place.cluster.list(&Kind::known("Secret"), Some(&place.namespace), releases).await.unwrap_or_default();
    secrets.iter().flat_map(values).for_each(|value| cx.hide(value));
}

/// The evidence that a cluster gives.
pub(super) async fn evidence(cx: &ReadCx, place: &Place, exhibits: Vec<Exhibit>) -> Vec<Evidence> {
    hide_secrets(cx, place).await;
    exhibits.into_iter().map(|exhibit| Evidence { title: exhibit.title, text: exhibit.text }).collect()
}

/// Opens the cluster for an action that must not fail; none when it cannot be reached.
pub(super) async fn open_for_evidence(clusters: &Clusters, cx: &ReadCx, namespace: Option<&str>) -> Option<Place> {
    Place::open(clusters, &cx.scope, namespace).await.ok()
}
