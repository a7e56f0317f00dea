//! Taking an `apply` back: configuration before workloads, then health, then what was made is deleted, last first.

use super::{AfterApply, BeforeApply, order};
use crate::action::{ActionError, UndoCx};
use crate::actions::kubernetes::{Place, subject, undo, wait_healthy_again, was_healthy};
use crate::cluster::health::unstick::unstick;
use crate::cluster::health::wait::Subject;
use crate::cluster::undo::Change;
use crate::record::{EffectKey, Mark, MarkKind, Settled};
use futures::stream::{StreamExt, iter};

/// Requests that are sent side by side.
const SIDE_BY_SIDE: usize = 8;

/// Takes changes back and marks each.
pub(super) async fn compensate(
    cx: &UndoCx,
    place: &Place,
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
    marks.extend(remove(cx, place, blocking).await?);
    let (restored, subjects) = restore(cx, place, restores).await?;
    marks.extend(restored);
    if let Some((at, why)) = wait_healthy_again(cx, &place.cluster, &subjects).await? {
        tell(&mut marks, &at.reference().target(), why);
    }
    marks.extend(remove(cx, place, removals).await?);
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

async fn restore(cx: &UndoCx, place: &Place, mut restores: Vec<(EffectKey, Change)>) -> Result<(Vec<Mark>, Vec<Subject>), ActionError> {
    restores.sort_by_key(|(_, change)| order::rank(&change.at.kind.kind));
    let (mut marks, mut subjects) = (Vec::new(), Vec::new());
    for (key, change) in restores {
        cx.read.doing(format!("restoring {}", change.at));
        let (mark, object) = undo(place, key, &change).await?;
        let waits = order::is_workload(&change.at.kind.kind) && change.before.as_ref().is_some_and(was_healthy);
        if let Some(object) = object.filter(|_| waits && mark.kind != MarkKind::Residue) {
            subjects.push(subject(&change.at, &object));
            let unstuck = unstick(&place.cluster, &change.at).await;
            unstuck.map_err(|error| crate::actions::kubernetes::failed(format!("cannot free the pods of {}", change.at), &error))?;
        }
        marks.push(mark);
    }
    Ok((marks, subjects))
}

async fn remove(cx: &UndoCx, place: &Place, mut removals: Vec<(EffectKey, Change)>) -> Result<Vec<Mark>, ActionError> {
    if removals.iter().any(|(_, change)| order::is_workload(&change.at.kind.kind)) {
        // The pods that are deleted here are the ones that can tell why the step failed.
        tokio::select! {
            () = cx.evidence.cancelled() => {}
            () = cx.read.cancel.cancelled() => return Err(crate::actions::kubernetes::stopped()),
        }
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
        let deletions = group.into_iter().map(|(key, change)| async move { undo(place, key, &change).await });
        let done: Vec<_> = iter(deletions).buffered(SIDE_BY_SIDE).collect().await;
        for result in done {
            marks.push(result?.0);
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
