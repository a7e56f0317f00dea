//! `resume` and `rollback`: take a run that is not closed in hand and drive it on, or back. They read nothing but the run itself.

use super::arguments::{LockChoice, OneRun, Resume, Rollback};
use super::back::{Back, Foreseen};
use super::context::Context;
use super::drive::{Journey, drive};
use super::exit::Exit;
use super::failure::CommandFailure;
use super::later::{self, Later};
use super::lock::{Ask, clear_way};
use super::pick::{self, Found};
use super::settings::Settlement;
use super::{kept, open, print, secrets, standing};
use crate::engine::{Ahead, Core};
use crate::ids::{RunId, StepId};
use crate::journal::{Frozen, Held, RunRow, RunState, StateFolder};
use crate::plan::Plan;
use crate::ports::SystemHost;
use crate::record::{Mode, Record, What};
use crate::report::json::JsonLine;
use crate::report::story::Story;
use std::path::Path;
use tokio::runtime::Runtime;

/// Goes on with a run.
///
/// # Errors
/// When it cannot be taken in hand.
pub fn resume(context: &Context, runtime: &Runtime, arguments: &Resume) -> Result<Exit, CommandFailure> {
    let Resume { run, partial, settle, lock } = arguments;
    take(context, runtime, run, Wishes { lock: *lock, back: None, partial: *partial, settle: settle.clone() })
}

/// Takes a run back.
///
/// # Errors
/// When it cannot be taken in hand.
pub fn rollback(context: &Context, runtime: &Runtime, arguments: &Rollback) -> Result<Exit, CommandFailure> {
    let back = Back { step: arguments.step.clone(), partial: arguments.partial, yes: arguments.yes };
    let Rollback { run, partial, settle, lock, .. } = arguments;
    take(context, runtime, run, Wishes { lock: *lock, back: Some(back), partial: *partial, settle: settle.clone() })
}

/// What is said besides which run is meant.
struct Wishes {
    lock: LockChoice,
    /// The run is to be taken back.
    back: Option<Back>,
    /// What later runs wrote may stay.
    partial: bool,
    settle: Vec<Settlement>,
}

/// What a run has come to, and what somebody's wishes mean for it then.
struct Judged {
    core: Core,
    /// What is said of each step in doubt.
    settle: Vec<Settlement>,
    /// What would be taken back, where somebody wants that.
    foreseen: Option<Foreseen>,
    /// What later runs wrote, where a run is resumed: it stays, should the run go back.
    later: Later,
}

impl Wishes {
    fn judged(
        &self,
        context: &Context,
        folder: &StateFolder,
        row: &RunRow,
        plan: &Plan,
        records: &[Record],
    ) -> Result<Judged, CommandFailure> {
        let settle = settlements(records, &self.settle)?;
        let core = kept::core(&row.run, records)?.answered(settle.iter().map(|told| (&told.step, told.done)));
        let foreseen = self.back.as_ref().map(|back| back.foresee(context, folder, &row.run, records, &core, plan)).transpose()?;
        let later = match &self.back {
            Some(_) => Later::default(),
            None => later::spared_by_resume(folder, &row.run, records, &core, self.partial)?,
        };
        Ok(Judged { core, settle, foreseen, later })
    }
}

fn take(context: &Context, runtime: &Runtime, run: &OneRun, wishes: Wishes) -> Result<Exit, CommandFailure> {
    let mode = if wishes.back.is_some() { Mode::Rollback } else { Mode::Resume };
    let Found { folder, run } = pick::run(context, run.run.as_deref())?;
    let records = folder.records(&run)?;
    let row = folder.run(&run)?;
    let is_over = matches!(row.state, RunState::Closed(_)) && wishes.back.is_none();
    if is_over || row.state == RunState::Live {
        return Err(standing::refused(context, &row, &records));
    }
    // What the run was opened with never changes; all else is true only once the run is held, and is judged again then.
    let frozen = kept::frozen(&folder, &run, &records)?;
    refuse_simulated(&frozen, &run)?;
    return_to_folder(&frozen, &run)?;
    let plan = kept::plan(context, &run, &frozen)?;
    let before = wishes.judged(context, &folder, &row, &plan, &records)?;
    let step = wishes.back.as_ref().and_then(|back| back.step.clone());
    let way = before.core.way_back(mode, step.as_ref());
    // Where a rollback has to look up first what was under way nobody knows yet what it will need.
    if mode == Mode::Resume || way.is_some() {
        let ahead = Ahead::of(&before.core, &plan, way.as_ref());
        let ahead = |step: &StepId| ahead.get(step).copied().unwrap_or(Ahead::Nothing);
        runtime.block_on(secrets::check(context, &kept::looking(context, &run, &plan, &frozen), ahead))?;
    }
    if let (Some(back), Some(foreseen)) = (&wishes.back, &before.foreseen) {
        back.ask(context, &row, &before.core, foreseen)?;
    }
    if mode == Mode::Resume && way.is_none() {
        open::mention_judged(context, &plan, &run);
        runtime.block_on(tell_edited(context, &row, &records, &frozen));
    }
    tell_later(context, &before.later);
    let (held, ask) = hold(context, runtime, &folder, &row, &frozen, wishes.lock, mode)?;
    let records = held.records()?;
    let Judged { settle, foreseen, later, .. } = wishes.judged(context, &folder, &row, &plan, &records)?;
    let spared = match (foreseen, &before.foreseen) {
        (Some(foreseen), Some(before)) => foreseen.spared_as_told(before, &run)?,
        _ => later.spared(),
    };
    let first = What::EpochOpened { holder: held.holder().clone(), mode, spared, step };
    let exit = if mode == Mode::Rollback { Exit::of_rollback } else { Exit::of_run };
    drive(context, Journey { held, folder, ask, records, first, plan, frozen, settle, exit, stage: None })
}

fn refuse_simulated(frozen: &Frozen, run: &RunId) -> Result<(), CommandFailure> {
    if !frozen.simulated {
        return Ok(());
    }
    let failure = CommandFailure::new(Exit::Refused, format!("run {run} was simulated, and its world is gone"));
    Err(failure.hint(format!("`bowline show {run}` tells what happened in it, `bowline abandon {run}` closes it if it is open")))
}

/// Takes the run in hand, once it is sure that no other machine has it.
fn hold(
    context: &Context,
    runtime: &Runtime,
    folder: &StateFolder,
    row: &RunRow,
    frozen: &Frozen,
    lock: LockChoice,
    mode: Mode,
) -> Result<(Held, Option<Ask>), CommandFailure> {
    let run = &row.run;
    let Some(place) = frozen.lock.clone().filter(|_| lock == LockChoice::Lease) else {
        return Ok((folder.hold(run, mode)?, None));
    };
    let way = runtime.block_on(clear_way(context, folder, run, &place, frozen.context.as_deref()))?;
    let held = if way.is_vouched { folder.hold_from_elsewhere(run, mode)? } else { folder.hold(run, mode)? };
    let ask = Ask::new(folder, &held, place, frozen.context.clone(), Some(way.found))?;
    Ok((held, Some(ask)))
}

/// Whoever edited the plan since may think that it is what goes on.
async fn tell_edited(context: &Context, row: &RunRow, records: &[Record], frozen: &Frozen) {
    let Some(file) = kept::edited(context, frozen).await else { return };
    let run = &row.run;
    // Past a step that cannot be taken back it can only be left as it is.
    let first = if Story::of(records).pivot().is_some() { "abandon" } else { "rollback" };
    let text = format!(
        "run {run} goes on with its plan as it was when it began; {file} was edited since: `bowline {first} {run}`, then run it anew, \
         uses the new one"
    );
    warn(context, &text);
}

/// What later runs wrote would not come back with what this one did.
fn tell_later(context: &Context, later: &Later) {
    if !later.is_nothing() {
        warn(context, &format!("{}: that stays, should this run go back", later.told().join("; ")));
    }
}

fn warn(context: &Context, text: &str) {
    let text = context.called.complete(text);
    match context.is_json() {
        true => print::line(&JsonLine::Warning { step: None, text }.to_text()),
        false => print::notices(&[text], context.streams),
    }
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

/// What is said of steps in doubt, of each of them: the name of one that is there for each item means all of these.
fn settlements(records: &[Record], settle: &[Settlement]) -> Result<Vec<Settlement>, CommandFailure> {
    let story = Story::of(records);
    let doubtful: Vec<&str> = story.doubtful().map(|step| step.id.as_str()).collect();
    let refused = |told: String| {
        CommandFailure::usage(told).hint(match doubtful.is_empty() {
            true => "no step is in doubt: leave `--settle` out".to_owned(),
            false => format!("in doubt: {}", doubtful.join(", ")),
        })
    };
    let mut all: Vec<(Settlement, &StepId)> = Vec::new();
    for Settlement { step, done } in settle {
        let mut named = story.steps.values().filter(|known| step.stands_for(&known.id)).peekable();
        if named.peek().is_none() {
            return Err(refused(format!("the run has no step `{step}`")));
        }
        let open: Vec<_> = named.filter(|known| !known.doubts.is_empty() || known.was_cut_off()).collect();
        if open.is_empty() {
            return Err(refused(format!("`{step}` is not in doubt")));
        }
        for known in open {
            match all.iter_mut().find(|(told, _)| told.step == known.id) {
                None => all.push((Settlement { step: known.id.clone(), done: *done }, step)),
                Some((told, by)) if told.done == *done => *by = step,
                // Of one item, and of all: who names one means that one.
                Some((told, by)) if **by != known.id && *step == known.id => (told.done, *by) = (*done, step),
                Some((_, by)) if **by == known.id && *step != known.id => {}
                Some(_) => return Err(CommandFailure::usage(format!("`{step}` is said to be done, and not to be done"))),
            }
        }
    }
    Ok(all.into_iter().map(|(told, _)| told).collect())
}
