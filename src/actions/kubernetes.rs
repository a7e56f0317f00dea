//! What the actions on a cluster share: opening it, telling its refusals, taking one patched object back. It knows no single action.

use crate::action::{ActionError, EffectError, Evidence, Known, ReadCx, RunScope, UndoCx};
use crate::cluster::diff::is_same;
use crate::cluster::evidence::Exhibit;
use crate::cluster::fence::fence;
use crate::cluster::health::wait::{Patience, Subject, WaitError, wait_healthy};
use crate::cluster::health::{Pin, Verdict, View, judge};
use crate::cluster::hidden::values;
use crate::cluster::rights::{Right, missing};
use crate::cluster::undo::managed::entries;
use crate::cluster::undo::{Change, Managers, TakenBack, merge, take_back};
use crate::cluster::{Address, ApiError, Class, Cluster, Clusters, Kind, Manner, Object, Reference};
use crate::record::{EffectKey, Mark, MarkKind, Settled, Target};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
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
    let undo = ["update", "patch"].map(|verb| Right::on(verb, at).for_undo());
    ["get", "patch"].map(|verb| Right::on(verb, at)).into_iter().chain(undo).collect()
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

/// One object before a patch of ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Image {
    /// Where it is.
    pub at: Address,
    /// The object, whole.
    pub before: Object,
    /// The object as the server's dry run said that it would be, defaults included; none where the patch alone says that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Object>,
}

impl Image {
    /// An object that a patch changes in fields without defaults.
    pub(super) fn of(at: Address, before: Object) -> Self {
        Self { at, before, expected: None }
    }
}

/// One object as our patch returned it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Patched {
    /// The object, whole.
    pub after: Object,
    /// What the object should be again, when that is not what was read first: somebody else changed it before the patch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<Object>,
}

/// A patch of one object that is to be made.
pub(super) struct Patching {
    pub(super) cluster: Cluster,
    /// What was read first, by whichever attempt.
    pub(super) first: Image,
    /// What an earlier attempt wrote.
    pub(super) earlier: Option<Patched>,
    /// What was read now.
    pub(super) live: Object,
    pub(super) manager: String,
}

impl Patching {
    /// Sends the patch, guarded by the version that was read. Somebody else's change in between is looked at first.
    pub(super) async fn send(self, operations: impl Fn(&Object) -> Result<Vec<Value>, ActionError> + Send) -> Result<Patched, EffectError> {
        let (at, mut met) = (&self.first.at, self.live);
        let mut tries = 0;
        loop {
            let mut all = vec![
                json!({ "op": "test", "path": "/metadata/uid", "value": met.uid() }),
                json!({ "op": "replace", "path": "/metadata/resourceVersion", "value": met.resource_version() }),
            ];
            all.extend(operations(&met).map_err(EffectError::Refused)?);
            match self.cluster.patch(at, &Value::from(all), Manner::of(&self.manager)).await {
                Ok(written) => {
                    let earlier = self.earlier.as_ref().map(|earlier| (earlier.instead.as_ref(), &earlier.after));
                    return Ok(Patched { after: written.object, instead: instead(&self.first.before, earlier, &met) });
                }
                Err(error) if error.class == Class::Stale && tries < 6 => {
                    tries += 1;
                    let now = self.cluster.get(at).await.map_err(|error| effect_failed(format!("cannot read {at}"), &error))?;
                    match now.filter(|now| now.uid() == met.uid()) {
                        Some(now) => met = now,
                        None => return Err(effect_failed(format!("cannot change {at}"), &error)),
                    }
                }
                Err(error) => return Err(effect_failed(format!("cannot change {at}"), &error)),
            }
        }
    }
}

/// What an object should be again, if that is not what was read first: what it was when this write met it, less what
/// earlier attempts of the step had written.
pub(super) fn instead(first: &Object, earlier: Option<(Option<&Object>, &Object)>, met: &Object) -> Option<Object> {
    if met.resource_version() == first.resource_version() {
        return None;
    }
    let base = earlier.and_then(|(instead, _)| instead).unwrap_or(first);
    let written = earlier.map_or(base, |(_, after)| after);
    let again = merge(base, written, met).object;
    (!is_same(&again, first)).then_some(again)
}

/// True when this manager has written since: its entry is there, and is of another time. That it only shrinks is somebody else's doing.
pub(super) fn has_written(manager: &str, before: &Object, live: &Object) -> bool {
    let owned = |object: &Object| entries(object).into_iter().find(|entry| entry["manager"] == manager);
    owned(live).is_some_and(|entry| owned(before).is_none_or(|old| old["time"] != entry["time"]))
}

/// True when an object that bears a patch does so by this manager: what somebody else wrote alike is theirs. Only within one second its entry
/// looks as before.
pub(super) fn is_ours(manager: &str, before: &Object, live: &Object) -> bool {
    let fields =
        |object: &Object| entries(object).into_iter().find(|entry| entry["manager"] == manager).map(|entry| entry["fieldsV1"].clone());
    // Without entries at all nothing but the content tells.
    entries(live).is_empty() || (fields(live).is_some() && fields(live) == fields(before))
}

/// Looks up whether a patch of this manager landed: that of this attempt, when an earlier one is known to have. `operations` are those that an object still needs; none for one that bears the patch.
///
/// The after-image is the before-image with the patch, not the live object: that may bear later changes by others, who may
/// own the patched field by now, too.
pub(super) async fn settle_patch(
    place: &Place,
    image: &Image,
    earlier: Option<&Patched>,
    manager: &str,
    operations: impl Fn(&Object) -> Result<Vec<Value>, ActionError>,
) -> Result<Settled<Patched>, ActionError> {
    let live = place.cluster.get(&image.at).await.map_err(|error| failed(format!("cannot read {}", image.at), &error))?;
    let Some(live) = live else {
        return Ok(Settled::Other(format!("{} was deleted by somebody else", image.at)));
    };
    if live.uid() != image.before.uid() {
        return Ok(Settled::Other(format!("{} was made anew by somebody else", image.at)));
    }
    // Others may have changed it again since.
    let base = earlier.map_or(&image.before, |earlier| &earlier.after);
    let bears = || operations(&live).is_ok_and(|left| left.is_empty()) && is_ours(manager, base, &live);
    let landed = has_written(manager, base, &live) || bears();
    if live.resource_version() == base.resource_version() || !landed {
        return Ok(Settled::NotDone);
    }
    Ok(Settled::Done(match earlier {
        Some(earlier) => earlier.clone(),
        None => Patched { after: patched(&image.before, operations(&image.before)?)?, instead: None },
    }))
}

/// The object with operations applied to it.
pub(super) fn patched(before: &Object, operations: Vec<Value>) -> Result<Object, ActionError> {
    let wrong = || ActionError::permanent("the patch does not fit the object that it was made for");
    let patch: json_patch::Patch = serde_json::from_value(Value::from(operations)).map_err(|error| wrong().because(&error))?;
    let mut after = before.0.clone();
    json_patch::patch(&mut after, &patch).map_err(|error| wrong().because(&error))?;
    Ok(Object(after))
}

/// Keeps a write of a process that is gone from landing on the object that it had read.
pub(super) async fn fence_late(place: &Place, at: &Address, before: &Object) -> Result<(), ActionError> {
    let fenced = fence(&place.cluster, &place.managers, at, before.uid()).await;
    fenced.map_err(|error| failed(format!("cannot write {at}"), &error))
}

/// What a compensation has to go on: the change, or the mark that ends it before it began.
pub(super) fn known_patch(key: &EffectKey, image: &Image, settled: Settled<Patched>) -> Result<Change, Mark> {
    match settled {
        Settled::Done(patched) => {
            let before = patched.instead.unwrap_or_else(|| image.before.clone());
            Ok(Change { at: image.at.clone(), before: Some(before), after: patched.after, created: false })
        }
        Settled::NotDone => Err(Mark { key: key.clone(), kind: MarkKind::Nothing, notes: Vec::new() }),
        Settled::Other(why) => Err(Mark { key: key.clone(), kind: MarkKind::Kept, notes: vec![why] }),
        Settled::Unknown(why) => Err(Mark { key: key.clone(), kind: MarkKind::Residue, notes: vec![why] }),
    }
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
        TakenBack::Restored(object) => (MarkKind::Restored, Vec::new(), object),
        TakenBack::Anew(object, notes) => (MarkKind::Restored, notes, Some(object)),
        TakenBack::Kept(object, notes) => (MarkKind::Kept, notes, object),
        TakenBack::Residue(why) => (MarkKind::Residue, vec![why], None),
    };
    Ok((Mark { key, kind, notes }, object))
}

/// True when an object was healthy as this image of it says.
pub(super) fn was_healthy(image: &Object) -> bool {
    judge(image, &View::default(), &Pin::default()) == Verdict::Healthy
}

/// The object, pinned to what a write returned.
pub(super) fn subject(at: &Address, object: &Object) -> Subject {
    Subject { at: at.clone(), pin: Pin { uid: Some(object.uid().to_owned()), generation: object.generation(), owned: None } }
}

/// Waits until restored workloads are healthy again. Gives back which one is not, and why.
pub(super) async fn wait_healthy_again(
    cx: &UndoCx,
    cluster: &Cluster,
    subjects: &[Subject],
) -> Result<Option<(Address, String)>, ActionError> {
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
        (Some(Ok(())), _) | (None, None) => Ok(None),
        (Some(Err(WaitError::Unhealthy(unhealthy))), _) => Ok(Some((unhealthy.at.clone(), unhealthy.to_string()))),
        (Some(Err(WaitError::Api(error))), _) => Err(failed("cannot see whether what was restored is healthy", &error)),
        (None, Some(at)) => Ok(Some((at, format!("not healthy again within {}s: {waits_for}", HEALTHY_AGAIN_WITHIN.as_secs())))),
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

#[cfg(test)]
mod tests {
    use super::{has_written, is_ours};
    use crate::cluster::Object;
    use serde_json::json;

    #[test]
    fn who_only_loses_fields_to_others_has_not_written() {
        let owned = |manager: &str, time: &str, fields: &[&str]| {
            let fields: serde_json::Map<String, serde_json::Value> = fields.iter().map(|field| ((*field).to_owned(), json!({}))).collect();
            Object(json!({ "metadata": { "managedFields": [{ "manager": manager, "time": time, "fieldsV1": fields }] } }))
        };
        let before = owned("us", "1", &["f:a", "f:b"]);
        assert!(!has_written("us", &before, &owned("us", "1", &["f:a"])));
        assert!(!has_written("us", &before, &owned("them", "2", &["f:a"])));
        assert!(has_written("us", &before, &owned("us", "2", &["f:a", "f:b"])));
        assert!(has_written("us", &owned("them", "1", &["f:a"]), &owned("us", "1", &["f:a"])), "within the same second");
        assert!(is_ours("us", &before, &before), "within the same second as an older write");
        assert!(!is_ours("us", &before, &owned("us", "1", &["f:a"])), "somebody else has a field of it");
        assert!(!is_ours("us", &owned("them", "1", &["f:a"]), &owned("them", "2", &["f:a"])));
        assert!(is_ours("us", &before, &Object(json!({ "metadata": {} }))), "nobody writes down who owns what");
    }
}
