//! Making deleted objects again: in the order in which they would be applied, then their health.

use super::{BeforeDelete, loss};
use crate::action::{ActionError, UndoCx};
use crate::actions::apply::order::{is_blocking, is_workload, rank};
use crate::actions::kubernetes::{Place, failed, subject, wait_healthy_again, was_healthy};
use crate::cluster::undo::{Recreated, recreate};
use crate::cluster::{Address, Object};
use crate::record::{EffectKey, Mark, MarkKind};

/// Takes deletions back and marks each. The flag of an effect says whether its object is gone.
pub(super) async fn compensate(
    cx: &UndoCx,
    place: &Place,
    mut effects: Vec<(EffectKey, BeforeDelete, bool)>,
) -> Result<Vec<Mark>, ActionError> {
    effects.sort_by_key(|(_, undo, _)| rank(&undo.at.kind.kind));
    let (mut marks, mut subjects, mut failed) = (Vec::new(), Vec::new(), None);
    for (key, BeforeDelete { at, before }, gone) in effects {
        let Some(before) = before.filter(|_| gone) else {
            marks.push((at, Mark { key, kind: MarkKind::Nothing, notes: Vec::new() }));
            continue;
        };
        if let Some(failed) = failed.as_ref().filter(|_| is_blocking(&at.kind.kind)) {
            let why = format!("{at} is not made again while {failed} could not be");
            marks.push((at, Mark { key, kind: MarkKind::Residue, notes: vec![why] }));
            continue;
        }
        cx.read.doing(format!("making {at} again"));
        // The others do not wait for what cannot be done now.
        let (kind, notes, object) = again(place, &at, &before).await.unwrap_or_else(|error| {
            failed.get_or_insert_with(|| at.clone());
            (MarkKind::Residue, vec![error.told()], None)
        });
        if let Some(object) = object.filter(|_| is_workload(&at.kind.kind) && was_healthy(&before)) {
            subjects.push(subject(&at, &object));
        }
        marks.push((at, Mark { key, kind, notes }));
    }
    // With something missing still health may never come: the next try waits for it.
    if failed.is_none()
        && let Some((at, why)) = wait_healthy_again(cx, &place.cluster, &subjects).await?
        && let Some((_, mark)) = marks.iter_mut().find(|(marked, _)| *marked == at)
    {
        mark.kind = MarkKind::Residue;
        mark.notes.push(why);
    }
    Ok(marks.into_iter().map(|(_, mark)| mark).collect())
}

async fn again(place: &Place, at: &Address, before: &Object) -> Result<(MarkKind, Vec<String>, Option<Object>), ActionError> {
    if let Some(why) = loss::of_object(before) {
        return Ok((MarkKind::Residue, vec![format!("{at} cannot be brought back: {why}")], None));
    }
    if loss::is_finished(before) {
        return Ok((MarkKind::Kept, vec![format!("{at} had ended and would run again: it is not made again")], None));
    }
    if at.kind.kind == "Pod" && before.list("/metadata/ownerReferences").iter().any(|owner| owner["controller"] == true) {
        return Ok((MarkKind::Restored, vec![format!("{at} is not made again: its controller has made another")], None));
    }
    let made = recreate(&place.cluster, &place.managers, at, before).await;
    Ok(match made.map_err(|error| failed(format!("cannot make {at} again"), &error))? {
        Recreated::Untouched(live) => (MarkKind::Restored, Vec::new(), Some(live)),
        Recreated::Again(live, notes) => (MarkKind::Restored, notes, Some(live)),
        Recreated::Theirs(live) => {
            (MarkKind::Kept, vec![format!("{at} was made by somebody else meanwhile and stays as it is")], Some(live))
        }
        Recreated::Residue(why) => (MarkKind::Residue, vec![why], None),
    })
}
