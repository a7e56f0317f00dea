//! What may be typed next: only what works, and why the rest does not. Pure; it knows no terminal.

use crate::ids::StepId;
use crate::record::{Outcome, Scope};
use crate::report::paint::columns;
use crate::report::story::{Status, Story};
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
    let Some(run) = &story.run else { return Vec::new() };
    let mut next = Vec::new();
    let mut add = |words: String, does: &str| next.push(Next { command: story.called.command(&words), does: does.to_owned() });
    let ending = story.ending.as_ref();
    if !story.called.is_kept {
        return next;
    }
    if is_open(story) {
        // Going back asks nothing: a step in doubt is taken back as one that was done.
        let doubtful = story.doubtful().filter(|_| !story.goes_back());
        let settle: String = doubtful.map(|step| format!(" --settle {}=done", step.id)).collect();
        let resume = match ending.map(|ending| ending.outcome) {
            _ if !settle.is_empty() => "goes on, once you have looked and found that it was done; `=not-done` when it was not",
            Some(Outcome::Stuck) => "tries again to take back what is left",
            _ if story.goes_back() => "goes on taking back what was done",
            _ if story.steps.values().any(|step| matches!(step.status, Status::Asking(_))) => "goes on, and asks again",
            _ => "goes on where it stopped",
        };
        add(format!("resume {run}{settle}"), resume);
        if story.pivot().is_none() {
            add(format!("rollback {run}"), &rollback(story));
        }
        add(format!("abandon {run}"), "closes it as it is");
    }
    let part = story.rollback.as_ref().is_some_and(|rollback| matches!(rollback.scope, Scope::Step(_)));
    if part && !story.is_simulated && ending.is_some_and(|ending| ending.closed && ending.outcome == Outcome::RolledBack) {
        add(format!("rollback {run}"), "takes back the rest");
    }
    for step in story.steps.values().filter(|step| step.evidence.kept) {
        add(format!("show {run} --evidence {}", step.id), "shows what was seen when it failed");
    }
    next
}

/// True for a run with which somebody may go on. The world of a simulated one is gone.
fn is_open(story: &Story) -> bool {
    !story.is_simulated && story.ending.as_ref().is_none_or(|ending| !ending.closed)
}

/// The step that keeps an open run from being taken back.
pub(super) fn no_way_back(story: &Story) -> Option<StepId> {
    story.pivot().filter(|_| is_open(story)).map(|step| step.id.clone())
}

/// What `rollback` does with this run. It is more than `resume` does only where a guard's rollback is under way.
fn rollback(story: &Story) -> String {
    match story.rollback.as_ref().map(|rollback| &rollback.scope) {
        Some(Scope::Guard(guard)) => format!("takes back everything, also what `{guard}` does not guard"),
        Some(Scope::Step(step)) => format!("takes back everything, not only `{step}` and what needed it"),
        Some(Scope::Everything) => "does the same, and ends with 0 when everything is taken back".to_owned(),
        None => "takes back what was done".to_owned(),
    }
}
