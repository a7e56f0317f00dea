//! `abandon`: closes a run as it is, or frees the lock of one that is lost. What it did stays.

use super::arguments::{Abandon, LockChoice, PlanChoice};
use super::confirm::confirm;
use super::context::Context;
use super::exit::Exit;
use super::failure::CommandFailure;
use super::lock::{self, Way, clear_way};
use super::pick::{self, Found};
use super::reach::reach;
use super::{kept, open, orphans, print, standing};
use crate::ids::{Moment, RunId};
use crate::journal::{Frozen, FrozenLock, Held, RunRow, RunState, StateFolder};
use crate::record::{Mode, Outcome, Record, VERSION, What};
use crate::report::story::Story;
use crate::report::summary::Summary;
use serde_json::json;
use std::path::Path;

/// Closes a run.
///
/// # Errors
/// When it cannot be taken in hand or written.
pub fn abandon(context: &Context, runtime: &tokio::runtime::Runtime, arguments: &Abandon) -> Result<Exit, CommandFailure> {
    if let Some(plan) = &arguments.lock_of {
        return runtime.block_on(free_lock(context, plan, arguments));
    }
    let Found { folder, run } = pick::run(context, arguments.run.run.as_deref())?;
    let records = folder.records(&run)?;
    let row = folder.run(&run)?;
    if matches!(row.state, RunState::Closed(_)) {
        return runtime.block_on(free_left_lock(context, &folder, &row, &records));
    }
    if row.state == RunState::Live {
        return Err(standing::refused(context, &row, &records));
    }
    confirm(context, arguments.yes, &fact(&run, &Story::of(&records)), "Close it?")?;
    let lock = runtime.block_on(own_lock(context, &folder, &run, &records))?;
    let held = folder.hold(&run, Mode::Abandon)?;
    for (step, text) in orphans::told(&runtime.block_on(context.ports.processes.end_orphans(&run))) {
        print::notice(&step.map(|step| format!("{step}: {text}")).unwrap_or(text));
    }
    let records = held.records()?;
    let now = context.ports.clock.now();
    let written = closing(&held, records.len() as u64, now);
    written.iter().try_for_each(|record| held.journal().append(record.clone()))?;
    runtime.block_on(held.journal().durable())?;
    if let Some((frozen, place, way)) = lock {
        let released = runtime.block_on(lock::release(context, &place, frozen.context.as_deref(), way));
        released.unwrap_or_else(|failure| tell_locked(&failure));
    }
    held.release()?;
    let summary = Summary::of(&Story::of(records.iter().chain(&written)).called(&context.called));
    match context.is_json() {
        true => print::line(&serde_json::to_string(&summary).map_err(|error| CommandFailure::new(Exit::Internal, error.to_string()))?),
        false => print::summary(context, &summary),
    }
    Ok(Exit::Succeeded)
}

/// Frees the Lease of a run that is over, which could not be given up when it ended. There is nothing else to close.
async fn free_left_lock(context: &Context, folder: &StateFolder, row: &RunRow, records: &[Record]) -> Result<Exit, CommandFailure> {
    let over = || standing::refused(context, row, records);
    let frozen = kept::frozen(folder, &row.run, records).map_err(|_| over())?;
    let Some(place) = &frozen.lock else { return Err(over()) };
    let way = match clear_way(context, folder, &row.run, place, frozen.context.as_deref()).await {
        Err(lock::Blocked::ByOther(_)) => return Err(over()),
        way => way?,
    };
    if !way.is_held() {
        return Err(over());
    }
    lock::release(context, place, frozen.context.as_deref(), way).await?;
    context.tell(&format!("the lock of run {} is free; the run itself was over", row.run), &json!({ "run": row.run, "freed": true }));
    Ok(Exit::Succeeded)
}

/// The run's Lease, once it is sure that nobody keeps it up. A cluster that is gone does not keep a run from being closed.
async fn own_lock(
    context: &Context,
    folder: &StateFolder,
    run: &RunId,
    records: &[Record],
) -> Result<Option<(Frozen, FrozenLock, Way)>, CommandFailure> {
    if matches!(folder.run(run)?.state, RunState::Live | RunState::Closed(_)) {
        return Ok(None);
    }
    let frozen = match kept::frozen(folder, run, records) {
        Ok(frozen) => frozen,
        Err(failure) => {
            tell_locked(&failure);
            return Ok(None);
        }
    };
    let Some(place) = frozen.lock.clone() else { return Ok(None) };
    match clear_way(context, folder, run, &place, frozen.context.as_deref()).await {
        Ok(way) => Ok(Some((frozen, place, way))),
        Err(lock::Blocked::ByOther(_) | lock::Blocked::WentOn(_)) => Ok(None),
        Err(lock::Blocked::Alive(failure)) => Err(failure),
        Err(lock::Blocked::Unknown(failure)) => {
            tell_locked(&failure);
            Ok(None)
        }
    }
}

fn tell_locked(failure: &CommandFailure) {
    let why = failure.causes.first().unwrap_or(&failure.message);
    print::notice(&format!(
        "the run's lock in the cluster was not freed ({why}): `bowline abandon --lock-of PLAN` does that, if it has one"
    ));
}

/// Frees the lock of a plan whose run is lost with its state folder.
async fn free_lock(context: &Context, plan: &Path, arguments: &Abandon) -> Result<Exit, CommandFailure> {
    let Abandon { environment, input, inputs, namespace, context: named, .. } = arguments.clone();
    let choice = PlanChoice { plan: plan.to_owned(), environment, input, inputs, namespace, context: named };
    let opened = open::plan(context, plan).await?;
    let mut bound = open::bound(context, &opened.plan, &choice).await?;
    let reaches = reach(context, &opened.plan, &mut bound).await?;
    let Some(place) = lock::place(&opened.plan, &bound, reaches, LockChoice::Lease) else {
        return Err(CommandFailure::usage("no step of this plan reaches a cluster, so it has no lock there"));
    };
    let Some(holder) = lock::holder(context, &place, bound.context.as_deref()).await? else {
        print::notice("nobody holds the lock: there is nothing to free");
        return Ok(Exit::Succeeded);
    };
    let fact = format!("{holder} could not go on, nor be taken back; what it did would stay as it is");
    confirm(context, arguments.yes, &fact, "Free its lock?")?;
    lock::free_without_run(context, &place, bound.context.as_deref(), holder).await?;
    print::notice("the lock is free");
    Ok(Exit::Succeeded)
}

fn closing(held: &Held, seq: u64, at: Moment) -> Vec<Record> {
    let whats = [
        What::EpochOpened { holder: held.holder().clone(), mode: Mode::Abandon, spared: Vec::new(), step: None },
        What::RunClosed { outcome: Outcome::Abandoned, notes: Vec::new() },
    ];
    let record = |(place, what)| Record { v: VERSION, seq: seq + place, at, epoch: held.epoch(), what };
    (0..).zip(whats).map(record).collect()
}

/// What becomes of the steps that did something, or may have, and were not taken back.
fn fact(run: &RunId, story: &Story) -> String {
    let left: Vec<&str> = story.steps.values().filter(|step| step.may_stand()).map(|step| step.id.as_str()).collect();
    match left.is_empty() {
        true => format!("run {run}, which has left no change that is known, would be closed"),
        false => format!("what run {run} did would stay as it is (steps: {})", left.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::fact;
    use crate::record::What;
    use crate::report::samples;
    use crate::report::story::Story;

    #[test]
    fn who_closes_a_run_is_told_what_stays_and_of_one_that_left_nothing_that_nothing_does() {
        let mut records = samples::stuck();
        let first = records.iter().position(|record| matches!(record.what, What::AttemptStarted { .. })).unwrap();
        let of = |records: &[crate::record::Record]| {
            let story = Story::of(records);
            fact(story.run.as_ref().unwrap(), &story)
        };
        insta::assert_snapshot!(of(&records), @"what run 20261121-120300-7f3a did would stay as it is (steps: database, deploy)");
        records.truncate(first);
        insta::assert_snapshot!(of(&records), @"run 20261121-120300-7f3a, which has left no change that is known, would be closed");
    }
}
