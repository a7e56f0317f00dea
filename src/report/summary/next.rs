//! What may be typed next: only what works, and why the rest does not. Pure; it knows no terminal.

use crate::ids::{RunId, StepId};
use crate::record::{Outcome, Scope};
use crate::report::paint::columns;
use crate::report::story::{Hand, Status, StepStory, Story};
use crate::report::table::aligned;
use schemars::JsonSchema;
use serde::Serialize;

/// Columns that a terminal has when nobody made it smaller.
const NARROW: usize = 80;

/// A command that may be typed next.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Next {
    /// The command.
    pub command: String,
    /// What it does.
    pub does: String,
}

/// Commands and what they do, side by side where that fits a terminal: a command that is wrapped is copied wrongly.
pub(super) fn table_of_commands(next: &[Next]) -> Vec<String> {
    let rows: Vec<Vec<String>> = next.iter().map(|next| vec![format!("  {}", next.command), next.does.clone()]).collect();
    let lines = aligned(&rows);
    match lines.iter().all(|line| columns(line) <= NARROW) {
        true => lines,
        false => next.iter().flat_map(|next| [format!("  {}", next.command), format!("      {}", next.does)]).collect(),
    }
}

pub(super) fn next(story: &Story) -> Vec<Next> {
    let Some(run) = story.run.as_ref().filter(|_| story.called.is_kept) else { return Vec::new() };
    let commands = match story.hand {
        _ if story.is_simulated => Vec::new(),
        Hand::Nobody if is_open(story) => to_take_up(story, run),
        Hand::Nobody => to_take_back_the_rest(story, run),
        Hand::Process => to_a_process(story, run),
        Hand::Elsewhere => vec![(format!("abandon {run}"), "closes it as it is, where that machine is gone for good".to_owned())],
    };
    let evidence = story.steps.values().filter(|step| step.evidence.kept);
    let evidence = evidence.map(|step| (format!("show {run} --evidence {}", step.id), "shows what was seen when it failed".to_owned()));
    let told = |(words, does): (String, String)| Next { command: story.called.command(&words), does };
    commands.into_iter().chain(evidence).map(told).collect()
}

/// A command's words, and what it does.
type Told = (String, String);

/// What may be done with a run that nobody works on.
fn to_take_up(story: &Story, run: &RunId) -> Vec<Told> {
    // Going back asks nothing: a step in doubt is taken back as one that was done.
    let doubtful = story.doubtful().filter(|_| !story.goes_back());
    let settle: String = doubtful.map(|step| format!(" --settle {}=done", step.id)).collect();
    let mut told = vec![(format!("resume {run}{settle}"), resume(story, !settle.is_empty()).to_owned())];
    if story.pivot().is_none() {
        told.push((format!("rollback {run}"), rollback(story)));
    }
    told.push((format!("abandon {run}"), "closes it as it is".to_owned()));
    told
}

fn resume(story: &Story, settles: bool) -> &'static str {
    let is_stuck = story.ending.as_ref().is_some_and(|ending| ending.outcome == Outcome::Stuck);
    match is_stuck {
        _ if settles => "goes on, where you have looked and seen that it was done (else say `not-done`)",
        true if only_the_look_failed(story) => "looks once more whether it holds",
        true => "tries again, once you have mended what was in the way",
        false if story.goes_back() => "goes on taking back what was done",
        false if asking(story).next().is_some() => "goes on, and asks again",
        false => "goes on where it stopped",
    }
}

/// A part was taken back, and the run is over; what is left may follow.
fn to_take_back_the_rest(story: &Story, run: &RunId) -> Vec<Told> {
    let part = story.rollback.as_ref().is_some_and(|rollback| matches!(rollback.scope, Scope::Step(_)));
    let is_back = story.ending.as_ref().is_some_and(|ending| ending.outcome == Outcome::RolledBack);
    let may_go_on = part && is_back && story.pivot().is_none() && story.steps.values().any(|step| step.may_stand() && !step.stays);
    if may_go_on { vec![(format!("rollback {run}"), "takes back the rest".to_owned())] } else { Vec::new() }
}

/// What the process that works on a run can be told.
fn to_a_process(story: &Story, run: &RunId) -> Vec<Told> {
    let mut told = Vec::new();
    if !story.goes_back() {
        for step in asking(story) {
            told.push((format!("approve {run} {}", step.id), "says yes, and it goes on".to_owned()));
            told.push((format!("reject {run} {}", step.id), "says no: it counts as failed".to_owned()));
        }
        told.push((format!("cancel {run}"), cancel(story)));
    }
    told.push((format!("cancel {run} --halt"), "stops it where it is".to_owned()));
    told
}

/// What `cancel` does with this run.
fn cancel(story: &Story) -> String {
    match (story.pivot(), story.guard_past_pivot()) {
        (None, _) => "stops it, and takes back what it did".to_owned(),
        (Some(_), None) => "stops it; what it did stays".to_owned(),
        (Some(_), Some(guard)) => format!("stops it, and takes back what `{}` guards; the rest stays", guard.id),
    }
}

fn asking(story: &Story) -> impl Iterator<Item = &StepStory> {
    story.steps.values().filter(|step| matches!(step.status, Status::Asking(_)))
}

/// True where all is back, and only what must hold then does not.
pub(super) fn only_the_look_failed(story: &Story) -> bool {
    let looked = story.rollback.as_ref().and_then(|rollback| rollback.verified.as_ref());
    let is_back = |step: &StepStory| !step.may_stand() && step.undo_failure.is_none();
    looked.is_some_and(Option::is_some) && story.steps.values().filter(|step| story.is_in_scope(&step.id)).all(is_back)
}

/// True for a run with which somebody may go on. The world of a simulated one is gone.
fn is_open(story: &Story) -> bool {
    !story.is_simulated && story.ending.as_ref().is_none_or(|ending| !ending.closed)
}

/// The step that keeps a run on which nobody works from being taken back.
pub(super) fn no_way_back(story: &Story) -> Option<StepId> {
    story.pivot().filter(|_| is_open(story) && story.hand == Hand::Nobody).map(|step| step.id.clone())
}

/// What `rollback` does with this run. It is more than `resume` does only where a part of it goes back, and something else stands, too.
fn rollback(story: &Story) -> String {
    let is_more = story.steps.values().any(|step| step.may_stand() && !story.is_in_scope(&step.id));
    match story.rollback.as_ref().map(|rollback| &rollback.scope) {
        None => "takes back what was done".to_owned(),
        Some(Scope::Guard(guard)) if is_more => format!("takes back everything, also what `{guard}` does not guard"),
        Some(Scope::Step(step)) if is_more => format!("takes back everything, not only `{step}` and what needed it"),
        Some(_) => "does the same, and ends with 0 when everything is taken back".to_owned(),
    }
}
