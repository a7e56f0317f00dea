//! What must hold in every run, whatever the core thinks: judged from the world and the durable records alone.

use super::runner::{Runner, key};
use crate::engine::core::{Status, Undo};
use crate::record::{EffectKey, Outcome, UndoClass, UndoResult, What};
use std::collections::BTreeSet;

/// No effect before its undo is durable.
pub(super) fn may_leave(runner: &Runner<'_>, step: usize, effect: &EffectKey) -> Result<(), String> {
    let id = runner.id(step);
    let intended = runner.durable_records().iter().any(|record| match &record.what {
        What::EffectsIntended { step, effects, .. } => *step == id && effects.iter().any(|(key, _)| key == effect),
        _ => false,
    });
    if !intended {
        return Err(format!("effect {effect:?} of {id} leaves before its undo is durable"));
    }
    let needs = &runner.case.graph.steps[step].needs;
    let early = needs.iter().find(|need| {
        let status = runner.core.step(need).map(|need| need.status);
        !matches!(status, Some(Status::Succeeded | Status::Skipped))
    });
    early.map_or(Ok(()), |need| Err(format!("{id} acts before {need} is done")))
}

/// No more steps of a limit are at work than it says.
pub(super) fn keep_limits(runner: &Runner<'_>) -> Result<(), String> {
    for limit in &runner.case.graph.limits {
        let busy: Vec<_> = runner.at_work().map(|step| runner.id(step)).filter(|id| limit.steps.contains(id)).collect();
        if busy.len() > limit.most as usize {
            return Err(format!("{busy:?} are at work side by side, and `{}` lets {}", limit.name, limit.most));
        }
    }
    Ok(())
}

/// Everything below: the steps that need this one, and those that need them.
fn dependents(runner: &Runner<'_>, step: usize) -> BTreeSet<usize> {
    let steps = &runner.case.graph.steps;
    let mut found = BTreeSet::from([step]);
    // Steps are listed after what they need.
    for (place, summary) in steps.iter().enumerate() {
        if summary.needs.iter().any(|need| found.iter().any(|known| steps[*known].id == *need)) {
            found.insert(place);
        }
    }
    found.remove(&step);
    found
}

/// A step is taken back after everything that stands on it; traffic before that, if nothing that made its old side unfit still stands.
pub(super) fn may_be_undone(runner: &Runner<'_>, step: usize) -> Result<(), String> {
    if runner.state(step).status == Status::Failed && runner.case.graph.steps[step].continue_on_error {
        // The run went on without it: nothing stands on it.
        return Ok(());
    }
    let Some(above) = dependents(runner, step).into_iter().find(|other| runner.touched(*other)) else { return Ok(()) };
    let blocker = match &runner.state(step).class {
        UndoClass::Ordinary => Some(above),
        UndoClass::Traffic { needs_fit } => (0..runner.case.scripts.len()).find(|other| {
            let writes = runner.case.scripts[*other].targets.iter().any(|target| needs_fit.contains(target));
            let beside = *other != step && !dependents(runner, *other).contains(&step);
            beside && runner.in_scope(*other) && writes && runner.touched(*other)
        }),
    };
    match blocker {
        Some(other) => Err(format!("{} is taken back while {} still stands", runner.id(step), runner.id(other))),
        None => Ok(()),
    }
}

pub(super) fn hold_at_the_end(runner: &Runner<'_>) -> Result<(), String> {
    once_undone(runner)?;
    let outcome = runner.core.closed().or(runner.core.halted().map(|(outcome, _)| outcome));
    for (step, script) in runner.case.scripts.iter().enumerate() {
        let state = runner.state(step);
        let live = (0..script.effects).filter(|effect| runner.world.get(&(step, *effect)) == Some(&1)).count();
        let id = runner.id(step);
        let whole = live == script.effects;
        let fault = match outcome {
            Some(Outcome::Succeeded) if state.status == Status::Succeeded => (!whole).then_some("is done, but not wholly"),
            Some(Outcome::Succeeded) => (live > 0).then_some("did not end well and left something"),
            Some(Outcome::RolledBack) if runner.in_scope(step) || state.undo == Undo::Done => {
                (live > 0).then_some("is taken back, but left something")
            }
            Some(Outcome::RolledBack) if state.status == Status::Succeeded => (!whole).then_some("is outside the guard and lost something"),
            Some(Outcome::RolledBack) => (live > 0).then_some("never ended, was not taken back, and left something"),
            // What is left belongs to a step that says so.
            _ => (live > 0 && state.undo == Undo::Done && runner.in_scope(step)).then_some("is called taken back and left something"),
        };
        let told = live == 0
            || (0..script.effects).all(|effect| runner.world.get(&(step, effect)) != Some(&1) || state.effects.contains_key(&key(effect)));
        if let Some(fault) = fault.or((!told).then_some("left something that the journal does not name")) {
            return Err(format!("{outcome:?}: {id} {fault}: {live} of {} effects stand, {:?}", script.effects, state.status));
        }
    }
    Ok(())
}

fn once_undone(runner: &Runner<'_>) -> Result<(), String> {
    let mut undone = BTreeSet::new();
    for record in &runner.records {
        if let What::UndoEnded { step, result: UndoResult::Undone { .. }, .. } = &record.what
            && !undone.insert(step)
        {
            return Err(format!("{step} is taken back twice"));
        }
    }
    Ok(())
}
