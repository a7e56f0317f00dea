//! A run whose id somebody chose, asked for once more: what became of it is told again, and nothing runs. A repeated job of a CI system
//! does its work once.

use super::context::Context;
use super::exit::Exit;
use super::failure::CommandFailure;
use super::run::Draft;
use super::{kept, print};
use crate::ids::RunId;
use crate::journal::{Frozen, Refused, RunState};
use crate::record::Outcome;
use crate::report::json::JsonLine;
use crate::report::story::Story;
use crate::report::summary::Summary;
use std::path::Path;

/// Tells the end of the run that has this id, if it has one. Of a run that is not closed nothing is told: opening another one is refused.
///
/// # Errors
/// When the id belongs to a run of something else, or to one that was abandoned.
pub fn told(context: &Context, id: Option<&RunId>, draft: &Draft) -> Result<Option<Exit>, CommandFailure> {
    let Some(id) = id else { return Ok(None) };
    let folder = context.new_state()?;
    let row = match folder.run(id) {
        Err(Refused::Unknown(_)) => return Ok(None),
        found => found?,
    };
    let other = |what: String| CommandFailure::new(Exit::Refused, what).hint("give each run of something else its own `--run-id`");
    if row.identity != draft.identity() {
        return Err(other(format!("{id} is the id of a run of {}, not of {}", row.identity, draft.identity())));
    }
    let records = folder.records(id)?;
    let frozen = kept::frozen(&folder, id, &records)?;
    if frozen.simulated {
        return Err(other(format!("run {id} was simulated, and nothing of it is real")));
    }
    let different = differences(&frozen, draft)?;
    if !different.is_empty() {
        return Err(other(format!("run {id} was opened with {}", different.join(" and "))));
    }
    let RunState::Closed(outcome) = row.state else { return Ok(None) };
    if outcome == Outcome::Abandoned {
        let failure = CommandFailure::new(Exit::Refused, format!("run {id} was abandoned, and does not run again under its id"));
        return Err(failure.hint(format!("`bowline show {id}` tells what it did; give a new run another `--run-id`")));
    }
    let exit = Exit::of_run(outcome);
    let summary = Summary::of(&Story::of(&records).called(&context.called));
    if context.is_json() {
        print::line(&JsonLine::Summary { exit_code: exit.code(), summary: Box::new(summary) }.to_text());
    } else {
        let lead = format!("run {id} is over already, and nothing was run now; this is how it ended:");
        print::notices(&[lead], context.streams);
        print::summary(context, &summary);
    }
    Ok(Some(exit))
}

/// What a run was opened with that is not what would be run now.
fn differences(frozen: &Frozen, draft: &Draft) -> Result<Vec<&'static str>, CommandFailure> {
    let mut different = Vec::new();
    match frozen.plan_text == draft.opened.source.text {
        true => {}
        false if Path::new(&frozen.plan_file) == draft.opened.file => different.push("this plan as it was before it was edited"),
        false => different.push("another plan"),
    }
    if draft.bound.inputs.as_object() != Some(&frozen.inputs) {
        different.push("other inputs");
    }
    if draft.reaches && (&draft.bound.context, &draft.bound.namespace) != (&frozen.context, &frozen.namespace) {
        different.push("another cluster or namespace");
    }
    // What programs printed may have the time in it; the plan, which names them, is the same.
    let is_file = |path: &String| !path.starts_with("$ ");
    let (then, now) = (frozen.contents()?, &draft.files);
    if !then.iter().filter(|(path, _)| is_file(path)).eq(now.iter().filter(|(path, _)| is_file(path))) {
        different.push("other files");
    }
    Ok(different)
}
