//! What runs have written since another one wrote. Taking that one back must not take theirs with it.

use super::exit::Exit;
use super::failure::CommandFailure;
use crate::engine::Core;
use crate::ids::{RunId, StepId};
use crate::journal::{Commits, Identity, StateFolder, Written};
use crate::record::{EffectKey, Mode, Record, Scope, Target, What};
use crate::report::words;
use std::collections::{BTreeMap, BTreeSet};

/// What later runs have written of what a run may have touched.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Later(Vec<LaterRun>);

#[derive(Debug, Clone, PartialEq)]
struct LaterRun {
    run: RunId,
    identity: Identity,
    targets: BTreeSet<Target>,
}

impl Later {
    /// True when no later run has written any of it.
    pub fn is_nothing(&self) -> bool {
        self.0.is_empty()
    }

    /// What has to stay.
    pub fn spared(&self) -> Vec<Target> {
        self.0.iter().flat_map(|later| &later.targets).collect::<BTreeSet<_>>().into_iter().cloned().collect()
    }

    /// What of it is not known to stay already.
    #[must_use]
    pub fn beyond(mut self, known: &[Target]) -> Self {
        self.0.iter_mut().for_each(|later| later.targets.retain(|target| !known.contains(target)));
        self.0.retain(|later| !later.targets.is_empty());
        self
    }

    /// Which run wrote what, in words.
    pub fn told(&self) -> Vec<String> {
        self.0.iter().flat_map(LaterRun::told).collect()
    }

    /// Says that this stands in the way of taking a run back.
    pub fn refused(&self, run: &RunId, instead: &str) -> CommandFailure {
        let mut failure = CommandFailure::new(Exit::Refused, format!("run {run} cannot be taken back as a whole"));
        failure.causes = self.told();
        failure.hint(format!(
            "take the later run back first, or `bowline {instead} --partial`: what later runs wrote or may have built on stays then"
        ))
    }
}

impl LaterRun {
    fn told(&self) -> Vec<String> {
        let (run, identity) = (&self.run, &self.identity);
        let programs = self.targets.contains(&Target::programs());
        let mut told = Vec::from_iter(
            programs.then(|| format!("run {run} of {identity} came later, and its programs may have built on what this one's did")),
        );
        let mut objects = self.targets.iter().filter(|target| **target != Target::programs());
        if let Some(Target(first)) = objects.next() {
            let others = objects.count();
            let more = if others > 0 { format!(" and {others} more") } else { String::new() };
            let first = words::plain(first.strip_prefix("kube:").unwrap_or(first));
            told.push(format!("run {run} of {identity} has written {first}{more} since"));
        }
        told
    }
}

/// What later runs have written of what these steps of a run may have touched.
///
/// # Errors
/// When the journal cannot be read.
pub fn written_since(
    folder: &StateFolder,
    run: &RunId,
    records: &[Record],
    core: &Core,
    steps: &BTreeSet<&StepId>,
) -> Result<Later, CommandFailure> {
    let ours = first_written(records, &folder.commits(run)?, core, steps);
    if ours.is_empty() {
        return Ok(Later::default());
    }
    let identity = folder.run(run)?.identity;
    let mut found = Vec::new();
    for row in folder.runs_written_since(run)? {
        let theirs = last_written(&folder.records(&row.run)?, &folder.commits(&row.run)?);
        // Programs of another plan have nothing to do with ours, as far as anybody knows.
        let may_meet = |target: &Target| *target != Target::programs() || row.identity == identity;
        let since =
            |(target, last): &(&Target, &Written)| may_meet(target) && ours.get(target).is_some_and(|first| last.is_not_before(*first));
        let targets: BTreeSet<Target> = theirs.iter().filter(since).map(|(target, _)| target.clone()).collect();
        if !targets.is_empty() {
            found.push(LaterRun { run: row.run, identity: row.identity, targets });
        }
    }
    Ok(Later(found))
}

/// What of a run that is resumed later runs have written, and what has to stay for that if it goes back: only what is taken back for sure is
/// refused, since a run that goes on may never go back.
///
/// # Errors
/// When it goes back and later runs stand in the way, unless `partial`; when the journal cannot be read.
pub fn spared_by_resume(
    folder: &StateFolder,
    run: &RunId,
    records: &[Record],
    core: &Core,
    partial: bool,
) -> Result<Later, CommandFailure> {
    let back = core.back_when_resumed();
    let goes_back = back.is_some();
    let steps = back.map_or_else(|| core.steps().map(|(id, _)| id).collect(), |steps| steps.into_iter().collect());
    let later = written_since(folder, run, records, core, &steps)?.beyond(core.spared());
    if !goes_back || partial || later.is_nothing() {
        return Ok(later);
    }
    // A rollback that is asked for goes beyond a guard: that is not what whoever resumes wants.
    let instead = match core.way_back(Mode::Resume, None) {
        Some(Scope::Everything) => format!("rollback {run}"),
        _ => format!("resume {run}"),
    };
    Err(later.refused(run, &instead))
}

/// What these steps may have touched and has not been taken back, each with the first time at which it was meant to be: what came after that
/// would go with it.
fn first_written(records: &[Record], commits: &Commits, core: &Core, steps: &BTreeSet<&StepId>) -> BTreeMap<Target, Written> {
    let states = core.steps().filter(|(id, state)| steps.contains(id) && state.may_have_effects());
    let touched: BTreeSet<(&StepId, &EffectKey)> =
        states.flat_map(|(id, state)| state.may_have_touched().map(move |key| (id, key))).collect();
    let mut first = BTreeMap::new();
    for (record, _, key) in intended(records).filter(|(_, step, key)| touched.contains(&(*step, *key))) {
        first.entry(target(key)).or_insert_with(|| commits.of(record));
    }
    first
}

/// What a run has written and not taken back, each with the last time. Of one that makes no sense here everything that it meant to write.
fn last_written(records: &[Record], commits: &Commits) -> BTreeMap<Target, Written> {
    let core = Core::replay(records).ok();
    let standing: Option<BTreeSet<&EffectKey>> = core.as_ref().map(|core| core.still_written().collect());
    let stands = |key: &EffectKey| standing.as_ref().is_none_or(|standing| standing.contains(key));
    intended(records).filter(|(.., key)| stands(key)).map(|(record, _, key)| (target(key), commits.of(record))).collect()
}

fn intended(records: &[Record]) -> impl Iterator<Item = (&Record, &StepId, &EffectKey)> {
    records
        .iter()
        .filter_map(|record| match &record.what {
            What::EffectsIntended { step, effects, .. } => Some(effects.iter().map(move |(key, _)| (record, step, key))),
            _ => None,
        })
        .flatten()
}

/// What an effect touches. Of what a program did nobody knows which objects it wrote.
fn target(key: &EffectKey) -> Target {
    key.target().map_or_else(Target::programs, |target| Target(target.to_owned()))
}

#[cfg(test)]
mod tests;
