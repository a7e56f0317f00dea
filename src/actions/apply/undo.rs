//! Taking an `apply` back: configuration before workloads, then health, then what was made is deleted, last first. What cannot be taken
//! back keeps only what it stands on.

use super::turn::{Turn, defines, names, turn};
use super::{AfterApply, BeforeApply, UndoStorage, counts, order, storage};
use crate::action::{ActionError, UndoCx};
use crate::actions::kubernetes::{Place, evidence_kept, failed, subject, undo, wait_healthy_again, was_healthy};
use crate::actions::patching::Image;
use crate::actions::readers::{readers, send_away};
use crate::cluster::evict::Restored;
use crate::cluster::health::unstick::unstick;
use crate::cluster::health::wait::Subject;
use crate::cluster::undo::Change;
use crate::cluster::{Address, Object};
use crate::record::{EffectKey, Mark, MarkKind, Settled};
use futures::stream::{StreamExt, iter};
use std::collections::BTreeMap;

/// Requests that are sent side by side.
const SIDE_BY_SIDE: usize = 8;

type Changes = Vec<(EffectKey, Change)>;

/// Takes changes back and marks each.
pub(super) async fn compensate(
    cx: &UndoCx,
    place: &Place,
    storage: UndoStorage,
    effects: Vec<(EffectKey, BeforeApply, Settled<AfterApply>)>,
) -> Result<Vec<Mark>, ActionError> {
    let (mut marks, mut changes, mut scaled) = (Vec::new(), Changes::new(), Vec::new());
    for (key, mut undo, settled) in effects {
        scaled.extend(undo.scaled.take().map(|image| (key.clone(), *image)));
        match change(&key, undo, settled) {
            Err(mark) => marks.push(mark),
            Ok(change) => changes.push((key, change)),
        }
    }
    let mut undoing = Undoing { cx, place, storage, marks, failed: Vec::new(), scaled };
    undoing.take_back(changes).await?;
    Ok(undoing.marks)
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

/// One try of taking a step back, and how far it has come.
struct Undoing<'a> {
    cx: &'a UndoCx,
    place: &'a Place,
    storage: UndoStorage,
    marks: Vec<Mark>,
    /// What is as the run left it still, in the order in which it was tried.
    failed: Vec<Address>,
    /// What the autoscalers scale that the run made.
    scaled: Vec<(EffectKey, Image)>,
}

impl Undoing<'_> {
    async fn take_back(&mut self, changes: Changes) -> Result<(), ActionError> {
        let all: Vec<Address> = changes.iter().map(|(_, change)| change.at.clone()).collect();
        let mut turns: BTreeMap<Turn, Changes> = BTreeMap::new();
        for (key, change) in changes {
            turns.entry(turn(&change, &all)).or_default().push((key, change));
        }
        let mut of = |turn| turns.remove(&turn).unwrap_or_default();
        self.remove(of(Turn::Unblock)).await?;
        self.restore(of(Turn::Unbar)).await;
        let read = self.restore(of(Turn::Configuration)).await;
        // Whoever starts from now on reads what was there before.
        let readers = readers(self.place, read, &mut self.marks).await;
        let subjects = self.restore_standing(of(Turn::Standing)).await;
        // With something still as the run left it health may never come: the next try waits for it.
        if self.failed.is_empty() {
            self.wait_healthy_again(&subjects).await?;
        }
        self.remove(of(Turn::Made)).await?;
        self.give_counts_back().await?;
        self.restore_definitions(of(Turn::Definition)).await;
        self.remove(of(Turn::Ground)).await?;
        if !readers.is_empty() {
            evidence_kept(self.cx).await?;
        }
        send_away(self.cx, self.place, readers, &mut self.marks).await;
        Ok(())
    }

    /// Puts back what was there before, in the order in which it would be applied. Gives what was put back.
    async fn restore(&mut self, mut changes: Changes) -> Vec<(EffectKey, Restored)> {
        changes.sort_by_key(|(_, change)| order::rank(&change.at.kind.kind));
        let mut restored = Vec::new();
        for (key, change) in changes {
            let now = self.restore_one(key.clone(), &change).await;
            let one = change.before.zip(now).map(|(before, now)| (key, Restored { before, written: change.after, now }));
            restored.extend(one);
        }
        restored
    }

    /// As it is now, if it is as it was.
    async fn restore_one(&mut self, key: EffectKey, change: &Change) -> Option<Object> {
        self.cx.read.doing(format!("restoring {}", change.at));
        let (mark, now) = take_back(self.place, key, change).await;
        let is_left = mark.kind == MarkKind::Residue;
        self.keep(mark, &change.at);
        now.filter(|_| !is_left)
    }

    /// As [`Undoing::restore`]. Gives the workloads that were healthy before.
    async fn restore_standing(&mut self, mut changes: Changes) -> Vec<Subject> {
        changes.sort_by_key(|(_, change)| order::rank(&change.at.kind.kind));
        let mut subjects = Vec::new();
        for (key, change) in changes {
            let waits = order::is_workload(&change.at.kind.kind) && change.before.as_ref().is_some_and(was_healthy);
            let Some(object) = self.restore_one(key, &change).await.filter(|_| waits) else { continue };
            subjects.push(subject(&change.at, &object));
            if let Err(error) = unstick(&self.place.cluster, &change.at).await {
                tell(&mut self.marks, &change.at, failed(format!("cannot free the pods of {}", change.at), &error).told());
            }
        }
        subjects
    }

    async fn wait_healthy_again(&mut self, subjects: &[Subject]) -> Result<(), ActionError> {
        match (wait_healthy_again(self.cx, &self.place.cluster, subjects).await, subjects.first()) {
            (Ok(Some((at, why))), _) => tell(&mut self.marks, &at, why),
            (Err(error), Some(first)) if !self.cx.read.cancel.is_cancelled() => tell(&mut self.marks, &first.at, error.told()),
            (Err(error), _) => return Err(error),
            (Ok(None), _) => {}
        }
        Ok(())
    }

    /// Workloads whose autoscaler is gone by now.
    async fn give_counts_back(&mut self) -> Result<(), ActionError> {
        for (key, scaled) in std::mem::take(&mut self.scaled) {
            let Some(mark) = self.marks.iter_mut().find(|mark| mark.key == key && mark.kind == MarkKind::Restored) else { continue };
            let Some(now) = counts::give_back(self.place, &scaled, mark).await.filter(|_| was_healthy(&scaled.before)) else { continue };
            if let Some((_, why)) = wait_healthy_again(self.cx, &self.place.cluster, &[subject(&scaled.at, &now)]).await? {
                mark.kind = MarkKind::Residue;
                mark.notes.push(why);
            }
        }
        Ok(())
    }

    /// Objects of a kind can be reached as they were written only while the definition is as the run left it.
    async fn restore_definitions(&mut self, changes: Changes) {
        for (key, change) in changes {
            let left = self.failed.iter().find(|at| change.before.as_ref().is_some_and(|definition| defines(definition, at)));
            match left.cloned() {
                Some(left) => self.hold(key, &change.at, &left),
                None => drop(self.restore_one(key, &change).await),
            }
        }
    }

    /// Deletes what the run made, last first. What is still there keeps what it may stand on.
    async fn remove(&mut self, mut changes: Changes) -> Result<(), ActionError> {
        if changes.iter().any(|(_, change)| order::is_workload(&change.at.kind.kind)) {
            evidence_kept(self.cx).await?;
        }
        changes.reverse();
        let mut ranks: BTreeMap<usize, Changes> = BTreeMap::new();
        for (key, change) in changes {
            ranks.entry(order::removal_rank(&change.at.kind.kind)).or_default().push((key, change));
        }
        for (_, group) in ranks {
            let mut free = Changes::new();
            for (key, change) in group {
                match self.holder(&change.at).await {
                    Some(holder) => self.hold(key, &change.at, &holder),
                    None => free.push((key, change)),
                }
            }
            self.remove_group(free).await;
        }
        Ok(())
    }

    async fn remove_group(&mut self, group: Changes) {
        if group.is_empty() {
            return;
        }
        let names: Vec<String> = group.iter().map(|(_, change)| change.at.to_string()).collect();
        self.cx.read.doing(format!("deleting {} that this run made", names.join(", ")));
        let (place, storage) = (self.place, self.storage);
        let deletions = group.into_iter().map(|(key, change)| async move {
            let (mut mark, _) = take_back(place, key, &change).await;
            if let Err(error) = storage::take_back(place, storage, &change, &mut mark).await {
                mark.kind = MarkKind::Residue;
                mark.notes.push(error.told());
            }
            (mark, change.at)
        });
        let done: Vec<_> = iter(deletions).buffered(SIDE_BY_SIDE).collect().await;
        done.into_iter().for_each(|(mark, at)| self.keep(mark, &at));
    }

    /// What keeps something that the run made from going; none when an earlier try has deleted it already.
    async fn holder(&self, made: &Address) -> Option<Address> {
        let holder = self.failed.iter().find(|at| names(at, made))?;
        let is_gone = matches!(self.place.cluster.get(made).await, Ok(None));
        (!is_gone).then(|| holder.clone())
    }

    fn hold(&mut self, key: EffectKey, at: &Address, holder: &Address) {
        let why = format!("{at} stays while {holder} could not be taken back");
        self.keep(Mark { key, kind: MarkKind::Residue, notes: vec![why] }, at);
    }

    fn keep(&mut self, mark: Mark, at: &Address) {
        if mark.kind == MarkKind::Residue {
            self.failed.push(at.clone());
        }
        self.marks.push(mark);
    }
}

/// Takes one change back. What cannot be done now, and perhaps later, is a residue: the others go on.
async fn take_back(place: &Place, key: EffectKey, change: &Change) -> (Mark, Option<Object>) {
    match undo(place, key.clone(), change).await {
        Ok(done) => done,
        Err(error) => (Mark { key, kind: MarkKind::Residue, notes: vec![error.told()] }, None),
    }
}

/// A restored workload that is not healthy again is less than what was there: that is a residue.
fn tell(marks: &mut [Mark], at: &Address, why: String) {
    let target = at.reference().target();
    if let Some(mark) = marks.iter_mut().find(|mark| mark.key.0.ends_with(target.as_str())) {
        mark.kind = MarkKind::Residue;
        mark.notes.push(why);
    }
}
