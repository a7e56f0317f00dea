//! One object that is patched: the image before, sending the patch, looking it up, what of it is ours, its way back. It knows no single
//! action.

use super::kubernetes::{Again, Place, effect_failed, evidence_kept, failed, look_healthy_again, subject, undo, was_healthy};
use super::readers::{readers, send_away};
use crate::action::{ActionError, EffectError, UndoCx};
use crate::actions::apply::order::is_workload;
use crate::cluster::diff::is_same;
use crate::cluster::evict::Restored;
use crate::cluster::health::unstick::unstick;
use crate::cluster::undo::managed::entries;
use crate::cluster::undo::{Change, merge};
use crate::cluster::{Address, Class, Cluster, Manner, Object};
use crate::record::{EffectKey, Mark, MarkKind, Settled};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

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
    /// What is patched is the plan's own words: fields that the kind does not have are refused.
    pub(super) strict: bool,
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
            match self.cluster.patch(at, &Value::from(all), Manner { strict: self.strict, ..Manner::of(&self.manager) }).await {
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

/// Takes one change back; sends pods away that started on what it was, and waits until a workload is as healthy as it was.
pub(super) async fn put_back(cx: &UndoCx, place: &Place, key: EffectKey, image: &Image, change: &Change) -> Result<Mark, ActionError> {
    let at = &change.at;
    cx.read.doing(format!("restoring {at}"));
    let (mut mark, object) = undo(place, key.clone(), change).await?;
    if let (Some(before), Some(now), false) = (&change.before, &object, mark.kind == MarkKind::Residue) {
        let restored = Restored { before: before.clone(), written: change.after.clone(), now: now.clone() };
        let mut marks = [mark];
        let readers = readers(place, vec![(key, restored)], &mut marks).await;
        if !readers.is_empty() {
            evidence_kept(cx).await?;
        }
        send_away(cx, place, readers, &mut marks).await;
        [mark] = marks;
    }
    let waits = is_workload(&at.kind.kind) && was_healthy(&image.before) && mark.kind != MarkKind::Residue;
    let Some(object) = object.filter(|_| waits) else { return Ok(mark) };
    match unstick(&place.cluster, at).await {
        Ok(()) => {}
        Err(error) if error.class == Class::Forbidden => {
            mark.notes.push(format!("{at} was not freed of pods that may hold it up: {error}"))
        }
        Err(error) => return Err(failed(format!("cannot free the pods of {at}"), &error)),
    }
    match look_healthy_again(cx, &place.cluster, &[subject(at, &object)]).await? {
        Again::Healthy => {}
        Again::Unhealthy(_, why) => {
            mark.kind = MarkKind::Residue;
            mark.notes.push(why);
        }
        Again::Unseen(why) => mark.notes.push(why),
    }
    Ok(mark)
}

/// The object with operations applied to it.
pub(super) fn patched(before: &Object, operations: Vec<Value>) -> Result<Object, ActionError> {
    let wrong = || ActionError::permanent("the patch does not fit the object that it was made for");
    let patch: json_patch::Patch = serde_json::from_value(Value::from(operations)).map_err(|error| wrong().because(&error))?;
    let mut after = before.0.clone();
    json_patch::patch(&mut after, &patch).map_err(|error| wrong().because(&error))?;
    Ok(Object(after))
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
