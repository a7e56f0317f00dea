//! What may be typed next: only what works, and why the rest does not. Pure; it knows no terminal.

use crate::ids::{RunId, StepId};
use crate::record::{Outcome, Scope};
use crate::report::paint::columns;
use crate::report::story::{Hand, Status, StepStory, Story};
use crate::report::table::aligned;
use indexmap::{IndexMap, IndexSet};
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
    let settle = if story.goes_back() { String::new() } else { settle(story) };
    let mut told = vec![(format!("resume {run}{settle}"), resume(story, !settle.is_empty()))];
    if story.pivot().is_none() {
        told.push((format!("rollback {run}"), rollback(story)));
    }
    let not_done: String = story.doubtful_pivots().iter().map(|step| format!(" --settle {}=not-done", step.id)).collect();
    if !not_done.is_empty() {
        let does = "takes back what was done, where you have looked and seen that this was not".to_owned();
        told.push((format!("rollback {run}{not_done}"), does));
    }
    told.push((format!("abandon {run}"), "closes it as it is".to_owned()));
    told
}

/// The answers that a run in doubt waits for. The name of a `for-each` alone means all its items that are in doubt, and those that were cut
/// off, too: where there are such, each item is named.
fn settle(story: &Story) -> String {
    let mut families: IndexMap<&str, (usize, bool)> = IndexMap::new();
    for step in story.steps.values() {
        if let Some((name, _)) = step.id.parts() {
            let (doubtful, is_mixed) = families.entry(name).or_default();
            *doubtful += usize::from(!step.doubts.is_empty());
            *is_mixed |= step.doubts.is_empty() && step.was_cut_off();
        }
    }
    let name = |step: &StepStory| {
        let family =
            step.id.parts().map(|(name, _)| name).filter(|name| families.get(name).is_some_and(|(many, mixed)| *many > 1 && !mixed));
        family.unwrap_or(step.id.as_str()).to_owned()
    };
    let names: IndexSet<String> = story.doubtful().map(name).collect();
    names.iter().map(|name| format!(" --settle {name}=done")).collect()
}

fn resume(story: &Story, settles: bool) -> String {
    let is_stuck = story.ending.as_ref().is_some_and(|ending| ending.outcome == Outcome::Stuck);
    let own = story.budgets().map(|(own, _)| own).filter(|_| is_stuck && story.was_out_of_time());
    if let (Some(own), false) = (own, settles) {
        return format!("tries again, with the same {own}");
    }
    let does = match is_stuck {
        _ if settles => "goes on, where you have looked and seen that it was done (else say `not-done`)",
        true if only_the_look_failed(story) => "looks once more whether it holds",
        true => "tries again, once you have mended what was in the way",
        false if story.goes_back() => "goes on taking back what was done",
        false if asking(story).next().is_some() => "goes on, and asks again",
        false => "goes on where it stopped",
    };
    does.to_owned()
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
    let is_meant = is_open(story) && story.hand == Hand::Nobody && story.doubtful_pivots().is_empty();
    story.pivot().filter(|_| is_meant).map(|step| step.id.clone())
}

/// What `rollback` does with this run. It is more than `resume` does only where a part of it goes back, and something else stands, too, or
/// where everything has more time than that part.
fn rollback(story: &Story) -> String {
    let is_more = story.steps.values().any(|step| step.may_stand() && !story.is_in_scope(&step.id));
    let has_time = story.budgets().filter(|(own, everything)| own != everything && !only_the_look_failed(story));
    let within = has_time.map(|(_, everything)| everything);
    let is_late = story.was_out_of_time();
    match (story.rollback.as_ref().map(|rollback| &rollback.scope), within) {
        (None, _) => "takes back what was done".to_owned(),
        (Some(Scope::Guard(guard)), Some(within)) if is_more && is_late => {
            format!("takes back everything within {within}, also what `{guard}` does not guard")
        }
        (Some(Scope::Guard(guard)), _) if is_more => format!("takes back everything, also what `{guard}` does not guard"),
        (Some(Scope::Step(step)), _) if is_more => format!("takes back everything, not only `{step}` and what needed it"),
        (Some(_), Some(within)) if is_late => format!("takes back everything, within {within}"),
        (Some(_), Some(within)) => format!("does the same within {within}, and ends with 0 when everything is taken back"),
        (Some(_), None) => "does the same, and ends with 0 when everything is taken back".to_owned(),
    }
}
