//! `abandon`: closes a run as it is. What it did stays.

use super::arguments::Abandon;
use super::confirm::confirm;
use super::context::Context;
use super::exit::Exit;
use super::failure::CommandFailure;
use super::{orphans, pick, print};
use crate::ids::Moment;
use crate::journal::Held;
use crate::record::{Mode, Outcome, Record, Reversibility, VERSION, What};
use crate::report::story::{Status, StepStory, Story};
use crate::report::summary::Summary;

/// Closes a run.
///
/// # Errors
/// When it cannot be taken in hand or written.
pub fn abandon(context: &Context, runtime: &tokio::runtime::Runtime, arguments: &Abandon) -> Result<Exit, CommandFailure> {
    let folder = context.state()?;
    let run = pick::run(&folder, arguments.run.run.as_deref())?;
    let left = left(&Story::of(&folder.records(&run)?));
    let fact = format!("what run {run} did would stay as it is ({})", told(&left));
    confirm(context, arguments.yes, &fact, "Close it?")?;
    let held = folder.hold(&run, Mode::Abandon)?;
    for orphan in runtime.block_on(context.ports.processes.end_orphans(&run)) {
        print::notice(&format!("{}: {}", orphan.step, orphans::told(&orphan)));
    }
    let records = held.records()?;
    let now = context.ports.clock.now();
    let written = closing(&held, records.len() as u64, now, &left);
    written.iter().try_for_each(|record| held.journal().append(record.clone()))?;
    runtime.block_on(held.journal().durable())?;
    held.release()?;
    let summary = Summary::of(&Story::of(records.iter().chain(&written)).called(&context.called));
    match context.is_json() {
        true => print::line(&serde_json::to_string(&summary).map_err(|error| CommandFailure::new(Exit::Internal, error.to_string()))?),
        false => print::lines(&summary.lines(), context.streams.width),
    }
    Ok(Exit::Succeeded)
}

fn closing(held: &Held, seq: u64, at: Moment, left: &[String]) -> Vec<Record> {
    let notes = left.iter().map(|step| format!("{step} was left as it was")).collect();
    let whats = [
        What::EpochOpened { holder: held.holder().clone(), mode: Mode::Abandon, spared: Vec::new() },
        What::RunClosed { outcome: Outcome::Abandoned, notes },
    ];
    let record = |(place, what)| Record { v: VERSION, seq: seq + place, at, epoch: held.epoch(), what };
    (0..).zip(whats).map(record).collect()
}

/// The steps that did something, or may have, and were not taken back.
fn left(story: &Story) -> Vec<String> {
    let rests = |status: &Status| !matches!(status, Status::Waiting | Status::Skipped(_) | Status::Undone);
    let changes = |step: &&StepStory| step.reversibility != Reversibility::ReadOnly;
    story.steps.values().filter(|step| rests(&step.status)).filter(changes).map(|step| step.id.to_string()).collect()
}

fn told(left: &[String]) -> String {
    if left.is_empty() { "it changed nothing that is known".to_owned() } else { format!("steps: {}", left.join(", ")) }
}
