//! `resume` and `rollback`: take a run that is not closed in hand and drive it on, or back. They read nothing but the run itself.

use super::arguments::{LockChoice, OneRun, Resume, Rollback};
use super::back::Back;
use super::context::Context;
use super::drive::{Journey, drive};
use super::exit::Exit;
use super::failure::CommandFailure;
use super::lock::{Ask, clear_way};
use super::pick::{self, Found};
use super::settings::Settlement;
use super::{open, standing};
use crate::ids::{RunId, StepId};
use crate::journal::{Frozen, JournalError, RunState, StateFolder};
use crate::ports::SystemHost;
use crate::record::{Mode, Record, What};
use crate::report::story::Story;
use std::path::Path;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Goes on with a run.
///
/// # Errors
/// When it cannot be taken in hand.
pub fn resume(context: &Context, runtime: &Runtime, arguments: &Resume) -> Result<Exit, CommandFailure> {
    take(context, runtime, &arguments.run, Wishes { lock: arguments.lock, back: None, settle: arguments.settle.clone() })
}

/// Takes a run back.
///
/// # Errors
/// When it cannot be taken in hand.
pub fn rollback(context: &Context, runtime: &Runtime, arguments: &Rollback) -> Result<Exit, CommandFailure> {
    let back = Back { step: arguments.step.clone(), partial: arguments.partial, yes: arguments.yes };
    take(context, runtime, &arguments.run, Wishes { lock: arguments.lock, back: Some(back), settle: Vec::new() })
}

/// What is said besides which run is meant.
struct Wishes {
    lock: LockChoice,
    /// The run is to be taken back.
    back: Option<Back>,
    settle: Vec<Settlement>,
}

fn take(context: &Context, runtime: &Runtime, run: &OneRun, wishes: Wishes) -> Result<Exit, CommandFailure> {
    let Wishes { lock, back, settle } = wishes;
    let mode = if back.is_some() { Mode::Rollback } else { Mode::Resume };
    let Found { folder, run } = pick::run(context, run.run.as_deref())?;
    let records = folder.records(&run)?;
    let row = folder.run(&run)?;
    let is_over = matches!(row.state, RunState::Closed(_)) && back.is_none();
    if is_over || row.state == RunState::Live {
        return Err(standing::refused(context, &row, &records));
    }
    check_settlements(&records, &settle)?;
    // What the run was opened with never changes; all else is true only once the run is held.
    let frozen = frozen(&folder, &run, &records)?;
    if frozen.simulated {
        let failure = CommandFailure::new(Exit::Refused, format!("run {run} was simulated, and its world is gone"));
        return Err(
            failure.hint(format!("`bowline show {run}` tells what happened in it, `bowline abandon {run}` closes it if it is open"))
        );
    }
    return_to_folder(&frozen, &run)?;
    let (step, spared) = match back {
        Some(back) => (back.step.clone(), back.settle(context, &folder, &run, &records, &frozen)?),
        None => (None, Vec::new()),
    };
    let place = frozen.lock.clone().filter(|_| lock == LockChoice::Lease);
    let way = match &place {
        Some(place) => Some(runtime.block_on(clear_way(context, &folder, &run, place, frozen.context.as_deref()))?),
        None => None,
    };
    let held = match &way {
        Some(way) if way.is_vouched => folder.hold_from_elsewhere(&run, mode)?,
        _ => folder.hold(&run, mode)?,
    };
    let records = held.records()?;
    let asking = place.zip(way).map(|(place, way)| Ask::new(&folder, &held, place, frozen.context.clone(), Some(way.found)));
    let ask = asking.transpose()?;
    let plan = open::checked(context, &frozen.plan_file, &frozen.plan_text).map_err(|failure| {
        let hint = format!(
            "this bowline reads the plan of run {run} otherwise than the one that opened it: take that one, or `bowline abandon {run}`"
        );
        CommandFailure { exit: Exit::Refused, ..failure }.hint(hint)
    })?;
    let plan = open::spread(plan, &frozen.plan_file, &frozen.inputs.clone().into())?;
    let first = What::EpochOpened { holder: held.holder().clone(), mode, spared, step };
    let exit = if mode == Mode::Rollback { Exit::of_rollback } else { Exit::of_run };
    drive(context, Journey { held, folder, ask, records, first, plan: Arc::new(plan), frozen, settle, exit, stage: None })
}

/// What a run's programs name, they name from the folder in which the run began. Elsewhere they would do harm, or nothing.
fn return_to_folder(frozen: &Frozen, run: &RunId) -> Result<(), CommandFailure> {
    let Some(folder) = &frozen.folder else { return Ok(()) };
    match SystemHost.work_in(Path::new(folder)) {
        Ok(()) => Ok(()),
        // Where nothing but a cluster is worked on it matters to nobody.
        Err(_) if !frozen.plan_text.contains("shell") && !frozen.plan_text.contains("command") => Ok(()),
        Err(error) => {
            let told = format!("the programs of run {run} run in {folder}, where the run began, and it cannot be entered");
            let hint = format!("bring that folder back, as on the machine on which the run began; `bowline show {run}` tells what it did");
            Err(CommandFailure::new(Exit::Refused, told).because(&error).hint(hint))
        }
    }
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

/// What a run was opened with.
///
/// # Errors
/// When it cannot be read.
pub(super) fn frozen(folder: &StateFolder, run: &RunId, records: &[Record]) -> Result<Frozen, CommandFailure> {
    let blob = records.iter().find_map(|record| match &record.what {
        What::RunOpened { frozen, .. } => Some(frozen),
        _ => None,
    });
    let blob = blob.ok_or_else(|| JournalError::Damaged("the run's first record does not open it".to_owned()))?;
    Ok(Frozen::read(&folder.reader(run)?.open(blob)?)?)
}
