//! Taking an `apply` back: configuration before workloads, then health, then what was made is deleted, last first.

use super::{AfterApply, BeforeApply, UndoStorage, order, storage};
use crate::action::{ActionError, UndoCx};
use crate::actions::kubernetes::{Place, failed, stopped, subject, undo, wait_healthy_again, was_healthy};
use crate::cluster::Object;
use crate::cluster::evict::{self, Evicted, Restored};
use crate::cluster::health::unstick::unstick;
use crate::cluster::health::wait::Subject;
use crate::cluster::undo::Change;
use crate::record::{EffectKey, Mark, MarkKind, Settled};
use futures::stream::{StreamExt, iter};
use std::collections::BTreeSet;

/// Requests that are sent side by side.
const SIDE_BY_SIDE: usize = 8;

/// Takes changes back and marks each.
pub(super) async fn compensate(
    cx: &UndoCx,
    place: &Place,
    storage: UndoStorage,
    effects: Vec<(EffectKey, BeforeApply, Settled<AfterApply>)>,
) -> Result<Vec<Mark>, ActionError> {
    let (mut marks, mut restores, mut removals) = (Vec::new(), Vec::new(), Vec::new());
    for (key, undo, settled) in effects {
        match change(&key, undo, settled) {
            Err(mark) => marks.push(mark),
            Ok(change) if change.before.is_some() => restores.push((key, change)),
            Ok(change) => removals.push((key, change)),
        }
    }
    // Webhooks that the run added could refuse every write that follows.
    let (blocking, removals): (Vec<_>, Vec<_>) =
        removals.into_iter().partition(|(_, change)| order::removal_rank(&change.at.kind.kind) == 0);
    marks.extend(remove(cx, place, storage, blocking).await?);
    let (restored, subjects, readers) = restore(cx, place, restores).await?;
    marks.extend(restored);
    if let Some((at, why)) = wait_healthy_again(cx, &place.cluster, &subjects).await? {
        tell(&mut marks, &at.reference().target(), why);
    }
    marks.extend(remove(cx, place, storage, removals).await?);
    send_away(cx, place, readers, &mut marks).await?;
    Ok(marks)
}

fn change(key: &EffectKey, undo: BeforeApply, settled: Settled<AfterApply>) -> Result<Change, Mark> {
    let mark = |kind, notes| Mark { key: key.clone(), kind, notes };
    match settled {
        Settled::Done(after) => {
            let before = if after.created { None } else { after.instead.or(undo.before) };
            Ok(Change { at: undo.at, before, after: after.after, created: after.created })
        }
        Settled::NotDone => Err(mark(MarkKind::Nothing, Vec::new())),
        Settled::Other(why) => Err(mark(MarkKind::Kept, vec![why])),
        Settled::Unknown(why) => Err(mark(MarkKind::Residue, vec![why])),
    }
}

/// Pods that read what was restored, and the effect that they read.
type Readers = Vec<(EffectKey, Object)>;

async fn restore(
    cx: &UndoCx,
    place: &Place,
    mut restores: Vec<(EffectKey, Change)>,
) -> Result<(Vec<Mark>, Vec<Subject>, Readers), ActionError> {
    restores.sort_by_key(|(_, change)| order::rank(&change.at.kind.kind));
    let workloads = restores.partition_point(|(_, change)| order::rank(&change.at.kind.kind) <= order::rank("Secret"));
    let workloads = restores.split_off(workloads);
    let (mut marks, mut subjects, mut read) = (Vec::new(), Vec::new(), Vec::new());
    for (key, change) in restores {
        cx.read.doing(format!("restoring {}", change.at));
        let (mark, now) = undo(place, key, &change).await?;
        let restored = change.before.zip(now).map(|(before, now)| Restored { before, written: change.after, now });
        let restored = restored.filter(|restored| restored.is_content() && mark.kind != MarkKind::Residue);
        read.extend(restored.map(|restored| (mark.key.clone(), restored)));
        marks.push(mark);
    }
    // Whoever starts from now on reads what was there before.
    let readers = readers(place, read).await?;
    for (key, change) in workloads {
        cx.read.doing(format!("restoring {}", change.at));
        let (mark, object) = undo(place, key, &change).await?;
        let waits = order::is_workload(&change.at.kind.kind) && change.before.as_ref().is_some_and(was_healthy);
        if let Some(object) = object.filter(|_| waits && mark.kind != MarkKind::Residue) {
            subjects.push(subject(&change.at, &object));
            let unstuck = unstick(&place.cluster, &change.at).await;
            unstuck.map_err(|error| failed(format!("cannot free the pods of {}", change.at), &error))?;
        }
        marks.push(mark);
    }
    Ok((marks, subjects, readers))
}

async fn readers(place: &Place, read: Vec<(EffectKey, Restored)>) -> Result<Readers, ActionError> {
    let (keys, restored): (Vec<EffectKey>, Vec<Restored>) = read.into_iter().unzip();
    let found = evict::readers(&place.cluster, &restored).await;
    let found = found.map_err(|error| failed("cannot see which pods read what was restored", &error))?;
    Ok(found.into_iter().map(|(place, pod)| (keys[place].clone(), pod)).collect())
}

/// Workloads that were restored have replaced their pods by now, and those that were made are gone; what is left of these pods belongs to
/// others, who do not know.
async fn send_away(cx: &UndoCx, place: &Place, readers: Readers, marks: &mut [Mark]) -> Result<(), ActionError> {
    if !readers.is_empty() {
        evidence_kept(cx).await?;
    }
    let mut gone = BTreeSet::new();
    for (key, pod) in readers {
        if !gone.insert(pod.uid().to_owned()) {
            continue;
        }
        cx.read.doing(format!("evicting pod/{}, which started on what was taken back", pod.name()));
        let evicted = evict::evict(&place.cluster, &pod).await;
        let evicted = evicted.map_err(|error| failed(format!("cannot evict pod/{}", pod.name()), &error))?;
        if let (Evicted::Stays(why), Some(mark)) = (evicted, marks.iter_mut().find(|mark| mark.key == key)) {
            mark.notes.push(why);
        }
    }
    Ok(())
}

async fn evidence_kept(cx: &UndoCx) -> Result<(), ActionError> {
    tokio::select! {
        () = cx.evidence.cancelled() => Ok(()),
        () = cx.read.cancel.cancelled() => Err(stopped()),
    }
}

async fn remove(
    cx: &UndoCx,
    place: &Place,
    storage: UndoStorage,
    mut removals: Vec<(EffectKey, Change)>,
) -> Result<Vec<Mark>, ActionError> {
    if removals.iter().any(|(_, change)| order::is_workload(&change.at.kind.kind)) {
        // The pods that are deleted here are the ones that can tell why the step failed.
        evidence_kept(cx).await?;
    }
    removals.reverse();
    removals.sort_by_key(|(_, change)| order::removal_rank(&change.at.kind.kind));
    let (mut marks, mut rest) = (Vec::new(), removals.into_iter().peekable());
    while let Some(first) = rest.next() {
        let rank = order::removal_rank(&first.1.at.kind.kind);
        let mut group = vec![first];
        while let Some(next) = rest.next_if(|(_, change)| order::removal_rank(&change.at.kind.kind) == rank) {
            group.push(next);
        }
        cx.read.doing(format!(
            "deleting {} that this run made",
            group.iter().map(|(_, change)| change.at.to_string()).collect::<Vec<_>>().join(", ")
        ));
        let deletions = group.into_iter().map(|(key, change)| async move {
            let (mut mark, _) = undo(place, key, &change).await?;
            storage::take_back(place, storage, &change, &mut mark).await?;
            Ok::<Mark, ActionError>(mark)
        });
        let done: Vec<_> = iter(deletions).buffered(SIDE_BY_SIDE).collect().await;
        for result in done {
            marks.push(result?);
        }
    }
    Ok(marks)
}

/// A restored workload that is not healthy again is less than what was there: that is a residue.
fn tell(marks: &mut [Mark], target: &str, why: String) {
    if let Some(mark) = marks.iter_mut().find(|mark| mark.key.0.ends_with(target)) {
        mark.kind = MarkKind::Residue;
        mark.notes.push(why);
    }
}
