//! `resume` and `rollback`: take a run that is not closed in hand and drive it on, or back. They read nothing but the run itself.

use super::arguments::{OneRun, Resume, Rollback};
use super::context::Context;
use super::drive::{Journey, drive};
use super::exit::Exit;
use super::failure::CommandFailure;
use super::settings::Settlement;
use super::{later, open, pick};
use crate::ids::StepId;
use crate::journal::{Frozen, Held, JournalError};
use crate::record::{Mode, Record, What};
use crate::report::story::Story;
use std::sync::Arc;

/// Goes on with a run.
///
/// # Errors
/// When it cannot be taken in hand.
pub fn resume(context: &Context, arguments: &Resume) -> Result<Exit, CommandFailure> {
    take(context, &arguments.run, Mode::Resume, (false, arguments.settle.clone()))
}

/// Takes a run back.
///
/// # Errors
/// When it cannot be taken in hand.
pub fn rollback(context: &Context, arguments: &Rollback) -> Result<Exit, CommandFailure> {
    take(context, &arguments.run, Mode::Rollback, (arguments.partial, Vec::new()))
}

fn take(context: &Context, run: &OneRun, mode: Mode, (partial, settle): (bool, Vec<Settlement>)) -> Result<Exit, CommandFailure> {
    let folder = context.state()?;
    let run = pick::run(&folder, run.run.as_deref())?;
    let records = folder.records(&run)?;
    check_settlements(&records, &settle)?;
    let spared = if mode == Mode::Rollback { later::written_since(&folder, &run, &records, partial)? } else { Vec::new() };
    let held = folder.hold(&run, mode)?;
    // Only what is read once the run is held stays true.
    let records = held.records()?;
    let frozen = frozen(&held, &records)?;
    let plan = open::checked(context, &frozen.plan_file, &frozen.plan_text).map_err(|failure| {
        let hint = format!(
            "this bowline reads the plan of run {run} otherwise than the one that opened it: take that one, or `bowline abandon {run}`"
        );
        CommandFailure { exit: Exit::Refused, ..failure }.hint(hint)
    })?;
    let first = What::EpochOpened { holder: held.holder().clone(), mode, spared };
    let exit = if mode == Mode::Rollback { Exit::of_rollback } else { Exit::of_run };
    drive(context, Journey { held, records, first, plan: Arc::new(plan), frozen, settle, exit })
}

fn check_settlements(records: &[Record], settle: &[Settlement]) -> Result<(), CommandFailure> {
    let story = Story::of(records);
    let doubtful: Vec<&str> = story.doubtful().map(|step| step.id.as_str()).collect();
    let known = |step: &StepId| match story.step(step) {
        None => Some(format!("the run has no step `{step}`")),
        Some(found) if doubtful.contains(&step.as_str()) || found.was_cut_off() => None,
        Some(_) => Some(format!("`{step}` is not in doubt")),
    };
    let Some(told) = settle.iter().find_map(|settlement| known(&settlement.step)) else { return Ok(()) };
    let failure = CommandFailure::usage(told);
    Err(match doubtful.is_empty() {
        true => failure.hint("no step is in doubt: leave `--settle` out"),
        false => failure.hint(format!("in doubt: {}", doubtful.join(", "))),
    })
}

fn frozen(held: &Held, records: &[Record]) -> Result<Frozen, CommandFailure> {
    let blob = records.iter().find_map(|record| match &record.what {
        What::RunOpened { frozen, .. } => Some(frozen),
        _ => None,
    });
    let blob = blob.ok_or_else(|| JournalError::Damaged("the run's first record does not open it".to_owned()))?;
    Ok(Frozen::read(&held.journal().open(blob)?)?)
}
