//! What runs have written since another one began. Taking that one back must not take theirs with it.

use super::exit::Exit;
use super::failure::CommandFailure;
use crate::engine::Core;
use crate::ids::{RunId, StepId};
use crate::journal::{RunFilter, StateFolder};
use crate::record::{EffectKey, Record, Target, What};
use crate::report::words;
use std::collections::BTreeSet;

/// What of these steps' objects later runs have written. Refused unless `partial`.
///
/// # Errors
/// When there is something and not only a part is wanted, or the journal cannot be read.
pub fn written_since(
    folder: &StateFolder,
    run: &RunId,
    core: &Core,
    steps: &BTreeSet<&StepId>,
    partial: bool,
) -> Result<Vec<Target>, CommandFailure> {
    let keys = || core.steps().filter(|(id, _)| steps.contains(id)).flat_map(|(_, step)| step.may_have_touched());
    let ours: BTreeSet<Target> = keys().filter_map(target).collect();
    // Of what a program did nobody knows which objects it wrote.
    let has_programs = keys().any(|key| target(key).is_none());
    let this = folder.run(run)?;
    let (mut spared, mut told) = (BTreeSet::new(), Vec::new());
    for row in folder.runs(&RunFilter::default())?.into_iter().filter(|row| row.is_later_than(&this)) {
        let standing = still_written(&folder.records(&row.run)?);
        if has_programs && row.identity == this.identity && standing.iter().any(|key| target(key).is_none()) {
            told.push(format!("run {} of {} came later, and its programs may have built on what this one's did", row.run, row.identity));
            spared.insert(Target::programs());
        }
        let theirs: BTreeSet<Target> = standing.iter().filter_map(target).filter(|theirs| ours.contains(theirs)).collect();
        if let Some(Target(first)) = theirs.first() {
            let more = if theirs.len() > 1 { format!(" and {} more", theirs.len() - 1) } else { String::new() };
            let first = words::plain(first.strip_prefix("kube:").unwrap_or(first));
            told.push(format!("run {} of {} has written {first}{more} since", row.run, row.identity));
        }
        spared.extend(theirs);
    }
    if told.is_empty() || partial {
        return Ok(spared.into_iter().collect());
    }
    let mut failure = CommandFailure::new(Exit::Refused, format!("run {run} cannot be taken back as a whole"));
    failure.causes = told;
    Err(failure.hint(format!(
        "take the later run back first, or `bowline rollback {run} --partial`: what later runs wrote or may have built on stays then"
    )))
}

/// What a run has written and not taken back. Of one that makes no sense here everything that it meant to write.
fn still_written(records: &[Record]) -> BTreeSet<EffectKey> {
    match Core::replay(records) {
        Ok(core) => core.still_written().cloned().collect(),
        Err(_) => records.iter().flat_map(intended).cloned().collect(),
    }
}

fn intended(record: &Record) -> impl Iterator<Item = &EffectKey> {
    let effects = match &record.what {
        What::EffectsIntended { effects, .. } => effects.as_slice(),
        _ => &[],
    };
    effects.iter().map(|(key, _)| key)
}

fn target(key: &EffectKey) -> Option<Target> {
    key.target().map(|target| Target(target.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::still_written;
    use crate::ids::{Moment, StepId};
    use crate::record::{AttemptResult, Cause, EffectKey, Holder, Mode, Outcome, Record, Reversibility, Scope, UndoResult, What};
    use crate::report::samples;
    use std::sync::Arc;

    /// A run that wrote with two steps, and of which the second was taken back.
    fn half_taken_back() -> Vec<Record> {
        let step = |name: &str| StepId::new(name).unwrap();
        let steps = ["one", "two"].map(|name| samples::step(name, "apply", Reversibility::Reversible, &[]));
        let holder = Holder { host: "h".to_owned(), pid: 1, started: 1, boot: "b".to_owned(), user: "u".to_owned() };
        let mut whats = vec![What::RunOpened {
            run: crate::ids::RunId::new("r1").unwrap(),
            plan: crate::ids::PlanName::new("web").unwrap(),
            environment: None,
            graph: Arc::new(samples::graph(steps.into(), Vec::new())),
            frozen: samples::blob(),
            simulated: false,
        }];
        for name in ["one", "two"] {
            let key = EffectKey(format!("apply:kube:ConfigMap/shop/{name}").into());
            let effects = vec![(key.clone(), samples::blob())];
            whats.extend([
                What::AttemptStarted { step: step(name), attempt: 1, params: None, targets: Vec::new(), until: None },
                What::EffectsIntended { step: step(name), effects, class: None, irreversible: false },
                What::EffectDone { step: step(name), key, after: samples::blob() },
                What::AttemptEnded { step: step(name), attempt: 1, result: AttemptResult::Succeeded { output: None } },
            ]);
        }
        let (scope, cause) = (Scope::Step(step("two")), Cause { step: None, reason: "asked for".to_owned() });
        whats.extend([
            What::RunClosed { outcome: Outcome::Succeeded, notes: Vec::new() },
            What::EpochOpened { holder, mode: Mode::Rollback, spared: Vec::new(), step: Some(step("two")) },
            What::RollbackOpened { scope, cause, deadline: Moment::from_millis(9) },
            What::UndoStarted { step: step("two"), attempt: 1 },
            What::UndoEnded { step: step("two"), attempt: 1, result: UndoResult::Undone { marks: Vec::new() } },
            What::RunClosed { outcome: Outcome::RolledBack, notes: Vec::new() },
        ]);
        let reopened = whats.iter().position(|what| matches!(what, What::EpochOpened { .. })).unwrap();
        let record =
            |(seq, what)| Record { v: 1, seq: seq as u64, at: Moment::from_millis(0), epoch: if seq < reopened { 1 } else { 2 }, what };
        whats.into_iter().enumerate().map(record).collect()
    }

    #[test]
    fn what_was_taken_back_is_no_longer_written_and_the_rest_still_is() {
        let records = half_taken_back();
        let written = |records: &[Record]| {
            still_written(records).iter().filter_map(super::target).map(|target| target.0).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(written(&records), "kube:ConfigMap/shop/one");
        assert_eq!(written(&records[..10]), "kube:ConfigMap/shop/one kube:ConfigMap/shop/two", "before it was");
        assert_eq!(written(&records[1..]), "kube:ConfigMap/shop/one kube:ConfigMap/shop/two", "what makes no sense is taken for the worst");
    }
}
