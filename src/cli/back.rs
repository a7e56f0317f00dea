//! A rollback that a person asks for: what it would take back, told before anything is done, and asked for. It takes back nothing itself.

use super::confirm::confirm;
use super::context::Context;
use super::exit::Exit;
use super::failure::CommandFailure;
use super::{later, print, standing};
use crate::engine::Core;
use crate::ids::{RunId, StepId};
use crate::journal::{RunRow, StateFolder};
use crate::plan::Plan;
use crate::record::{EffectKey, Record, Reversibility, Scope, Target};
use crate::report::{table, words};
use std::collections::{BTreeMap, BTreeSet};

/// What is to be taken back.
pub struct Back {
    /// This step and all that needed it; everything when none.
    pub step: Option<StepId>,
    /// What later runs wrote may stay.
    pub partial: bool,
    /// It was said that it is wanted.
    pub yes: bool,
}

/// What a rollback would do, as far as that is known before it begins.
pub struct Foreseen {
    /// Nothing when the steps are not known yet: what was under way is looked up first.
    told: Vec<String>,
    /// The steps that would go back; nothing when they are not known yet.
    steps: Option<BTreeSet<StepId>>,
    /// What later runs have written, which stays.
    spared: Vec<Target>,
}

impl Foreseen {
    /// What later runs have written, which stays, if it is no more than what was told before. Others may have gone on with the run until it
    /// was held.
    ///
    /// # Errors
    /// When more would go back, or stay, than a person has said yes to.
    pub fn spared_as_told(self, before: &Self, run: &RunId) -> Result<Vec<Target>, CommandFailure> {
        let goes_as_told = match (&self.steps, &before.steps) {
            (Some(steps), Some(told)) => steps.is_subset(told),
            (None, None) => true,
            _ => false,
        };
        if goes_as_told && self.spared.iter().all(|target| before.spared.contains(target)) {
            return Ok(self.spared);
        }
        let failure = CommandFailure::new(
            Exit::Refused,
            format!("somebody else went on with run {run} meanwhile, or wrote what it did; nothing was done"),
        );
        Err(failure.hint(format!("`bowline rollback {run}` tells what it would take back now")))
    }
}

impl Back {
    /// What would be taken back.
    ///
    /// # Errors
    /// When it cannot be taken back, or later runs stand in the way.
    pub fn foresee(
        &self,
        context: &Context,
        folder: &StateFolder,
        run: &RunId,
        records: &[Record],
        core: &Core,
        plan: &Plan,
    ) -> Result<Foreseen, CommandFailure> {
        let is_over = core.closed().is_some();
        if is_over && !core.may_reopen() {
            return Err(standing::refused(context, &folder.run(run)?, records));
        }
        let spared = |steps: &[&StepId]| self.spared(folder, run, records, core, steps);
        let steps = match core.foresee(&self.scope(core, run)?) {
            Ok(steps) => steps,
            // What was under way is looked up first: it may not have happened.
            Err(pivot) if core.step(pivot).is_some_and(|step| step.open_effects().next().is_some()) => {
                let all: Vec<&StepId> = core.steps().map(|(id, _)| id).collect();
                return Ok(Foreseen { told: Vec::new(), steps: None, spared: spared(&all)? });
            }
            Err(pivot) => {
                return Err(no_way_back(run, pivot, is_over, core.takes_answer(pivot, false)));
            }
        };
        let spared = spared(&steps)?;
        let staying = plan.staying();
        let is_kept = |step: &StepId| staying.contains_key(step);
        if steps.iter().all(|step| is_kept(step)) {
            self.left_nothing(run, is_over)?;
        }
        // It would be over for good then, and what the later run took from it could never go back.
        if is_over && steps.iter().all(|step| is_kept(step) || is_built_on(core, step, &spared)) {
            let failure = CommandFailure::new(Exit::Refused, format!("later runs wrote all that run {run} did, or may have built on it"));
            return Err(failure.hint("take the later run back first: `bowline runs` lists them"));
        }
        let told = told(core, run, &steps, &staying, &spared);
        Ok(Foreseen { told, steps: Some(steps.into_iter().cloned().collect()), spared })
    }

    /// Tells what would be taken back, and asks. Where nobody can be asked a run that is not over goes back all the same: that is what a
    /// run that failed would have done by itself.
    ///
    /// # Errors
    /// When the person does not want it.
    pub fn ask(&self, context: &Context, row: &RunRow, core: &Core, foreseen: &Foreseen) -> Result<(), CommandFailure> {
        let Some(steps) = &foreseen.steps else { return Ok(()) };
        print::notices(&foreseen.told, context.streams);
        if core.closed().is_some() || context.streams.can_ask {
            let count = words::count(steps.len(), "step", "steps");
            confirm(context, self.yes, &format!("{count} of {} would be taken back", row.identity), "Take back?")?;
        }
        Ok(())
    }

    /// What later runs have written of what these steps did, and what is known to stay for that already.
    fn spared(
        &self,
        folder: &StateFolder,
        run: &RunId,
        records: &[Record],
        core: &Core,
        steps: &[&StepId],
    ) -> Result<Vec<Target>, CommandFailure> {
        let steps = steps.iter().copied().collect();
        let later = later::written_since(folder, run, records, core, &steps)?;
        if !self.partial && !later.is_nothing() {
            return Err(later.refused(run, &format!("rollback {run}")));
        }
        let touched = || core.steps().filter(|(id, _)| steps.contains(id)).flat_map(|(_, step)| step.may_have_touched());
        let stays = |target: &&Target| touched().any(|key| key.is_spared(std::slice::from_ref(*target)));
        let mut spared = later.spared();
        spared.extend(core.spared().iter().filter(stays).cloned());
        spared.sort();
        spared.dedup();
        Ok(spared)
    }

    /// A run that is not over is closed by a rollback, whatever it has left.
    fn left_nothing(&self, run: &RunId, is_over: bool) -> Result<(), CommandFailure> {
        let refused = |what: String| CommandFailure::new(Exit::Refused, format!("{what} left nothing that can be taken back"));
        match &self.step {
            Some(step) => Err(refused(format!("`{step}` of run {run}")).hint(format!("`bowline show {run}` tells what it did"))),
            None if is_over => Err(refused(format!("run {run}")).hint(format!("`bowline show {run}` tells what it did"))),
            None => Ok(()),
        }
    }

    fn scope(&self, core: &Core, run: &RunId) -> Result<Scope, CommandFailure> {
        let Some(step) = &self.step else { return Ok(Scope::Everything) };
        if core.named(step).next().is_none() {
            return Err(CommandFailure::usage(format!("run {run} has no step `{step}`")).hint(format!("`bowline show {run}` lists them")));
        }
        if !core.may_go_back_to(step) {
            let failure = CommandFailure::new(Exit::Refused, format!("run {run} goes back already, and further than to `{step}`"));
            return Err(failure.hint(format!("`bowline rollback {run}` takes back everything")));
        }
        Ok(Scope::Step(step.clone()))
    }
}

/// What is past the pivot does not go back, and is left as it is.
fn no_way_back(run: &RunId, pivot: &StepId, is_over: bool, is_doubtful: bool) -> CommandFailure {
    let failure = CommandFailure::new(Exit::Refused, format!("`{pivot}` cannot be taken back, and so run {run} cannot; nothing was done"));
    match (is_over, is_doubtful) {
        (true, _) => failure,
        (false, true) => failure.hint(format!(
            "nobody can tell whether `{pivot}` was done: where you have looked and seen that it was not, \
             `bowline rollback {run} --settle {pivot}=not-done` takes back the rest; else `bowline resume {run} --settle {pivot}=done` goes on"
        )),
        (false, false) => failure.hint(format!("`bowline resume {run}` goes on, `bowline abandon {run}` closes it as it is")),
    }
}

/// True when nothing of the step goes back: a later run may have built on all of it, or on something that only the step's own `undo` knows.
fn is_built_on(core: &Core, step: &StepId, spared: &[Target]) -> bool {
    let keys: Vec<_> = core.step(step).into_iter().flat_map(|step| step.may_have_touched()).collect();
    let by_steps = core.summary(step).is_some_and(|summary| summary.reversibility == Reversibility::Compensable);
    let is_spared = |key: &&EffectKey| key.is_spared(spared);
    match by_steps {
        true => keys.iter().any(is_spared),
        false => !keys.is_empty() && keys.iter().all(is_spared),
    }
}

/// Steps from the last one on, and what stays although they go back.
fn told(core: &Core, run: &RunId, steps: &[&StepId], staying: &BTreeMap<StepId, String>, spared: &[Target]) -> Vec<String> {
    let (stay, go): (Vec<&StepId>, Vec<&StepId>) = steps.iter().partition(|step| staying.contains_key(**step));
    let (built_on, go): (Vec<&StepId>, Vec<&StepId>) = go.into_iter().partition(|step| is_built_on(core, step, spared));
    let mut lines = vec![match go.len() {
        0 => format!("run {run} left nothing that can be taken back"),
        1 => format!("of run {run} this would be taken back:"),
        _ => format!("of run {run} these would be taken back, the last first:"),
    }];
    let row = |step: &StepId| {
        let summary = core.summary(step);
        let kind = summary.map(|summary| summary.kind.to_string()).unwrap_or_default();
        let how = summary.filter(|summary| summary.reversibility == Reversibility::Compensable).map(|_| "by its `undo` steps".to_owned());
        vec![step.to_string(), kind, how.unwrap_or_default()]
    };
    let rows: Vec<Vec<String>> = go.iter().rev().map(|step| row(step)).collect();
    lines.extend(table::aligned(&rows).into_iter().map(|line| format!("  {line}")));
    let written: Vec<&Target> = spared.iter().filter(|target| **target != Target::programs()).collect();
    if !written.is_empty() {
        lines.push("stays, because a later run wrote it:".to_owned());
        lines.extend(written.iter().map(|target| format!("  {}", words::plain(target.0.strip_prefix("kube:").unwrap_or(&target.0)))));
    }
    if !built_on.is_empty() {
        lines.push("stays, because a later run wrote it or may have built on it:".to_owned());
        lines.extend(built_on.iter().map(|step| format!("  {step}")));
    }
    if !stay.is_empty() {
        lines.push("stays on purpose:".to_owned());
        lines.extend(stay.iter().map(|step| format!("  {step}: {}", words::plain(&staying[*step]))));
    }
    lines
}
