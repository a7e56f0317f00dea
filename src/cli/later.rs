//! What runs have written since another one ended. Taking back a run that is over must not take theirs with it.

use super::exit::Exit;
use super::failure::CommandFailure;
use crate::ids::{RunId, StepId};
use crate::journal::{RunFilter, RunState, StateFolder};
use crate::record::{Outcome, Record, Target, What};
use std::collections::BTreeSet;

/// What of these steps' objects later runs have written; nothing for a run that is not over. Refused unless `partial`.
///
/// # Errors
/// When there is something and not only a part is wanted, or the journal cannot be read.
pub fn written_since(
    folder: &StateFolder,
    run: &RunId,
    records: &[Record],
    steps: &BTreeSet<&StepId>,
    partial: bool,
) -> Result<Vec<Target>, CommandFailure> {
    let this = folder.run(run)?;
    if !matches!(this.state, RunState::Closed(Outcome::Succeeded)) {
        return Ok(Vec::new());
    }
    let ours = written(records, |step| steps.contains(step));
    let (mut spared, mut told) = (BTreeSet::new(), Vec::new());
    let later = folder.runs(&RunFilter::default())?.into_iter().filter(|row| row.opened >= this.opened && row.run != *run);
    for row in later.filter(|row| row.state != RunState::Closed(Outcome::RolledBack)) {
        let theirs: BTreeSet<Target> = written(&folder.records(&row.run)?, |_| true).intersection(&ours).cloned().collect();
        if let Some(Target(first)) = theirs.first() {
            let more = if theirs.len() > 1 { format!(" and {} more", theirs.len() - 1) } else { String::new() };
            told.push(format!("run {} of {} has written {first}{more} since", row.run, row.identity));
        }
        spared.extend(theirs);
    }
    if told.is_empty() || partial {
        return Ok(spared.into_iter().collect());
    }
    let mut failure = CommandFailure::new(Exit::Refused, format!("run {run} cannot be taken back as a whole"));
    failure.causes = told;
    Err(failure.hint(format!("take the later run back first, or `bowline rollback {run} --partial`: what later runs wrote stays then")))
}

/// The targets of the effects of some of a run's steps: an effect's key ends with its target, where it has one.
fn written(records: &[Record], of: impl Fn(&StepId) -> bool) -> BTreeSet<Target> {
    let keys = records.iter().filter_map(|record| match &record.what {
        What::EffectsIntended { step, effects, .. } if of(step) => Some(effects),
        _ => None,
    });
    keys.flatten().filter_map(|(key, _)| key.0.split_once(':').map(|(_, target)| Target(target.to_owned()))).collect()
}
