//! Which steps failed, and why: all of them, those that failed alike together. Pure; it knows no terminal.

use super::{Summary, named, next};
use crate::ids::StepId;
use crate::record::{Cause, Mode, Outcome};
use crate::report::story::{StepStory, Story};
use crate::report::words;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeSet, HashSet};

/// Most kinds of failure that are told one by one.
const TOLD: usize = 5;
/// The reason that stands in the records of a rollback for which somebody asked.
const ASKED_FOR: &str = "asked for";

/// A step that failed.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Failed {
    /// The step.
    pub step: StepId,
    /// Why, in one line.
    pub why: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Why the run did not go through, and what to do about it.
pub(super) fn reason(story: &Story) -> (Option<String>, Option<String>) {
    let outcome = story.ending.as_ref().map(|ending| ending.outcome);
    if outcome == Some(Outcome::Succeeded) {
        return (None, None);
    }
    if let Some((step, failure)) = story.culprit().and_then(|step| Some((step, step.failure.as_ref()?))) {
        return (Some(format!("{}: {}", step.id, words::failure(failure))), failure.hint.as_deref().map(words::plain));
    }
    let asked = story.holder.as_ref().is_some_and(|(_, mode)| *mode == Mode::Rollback);
    // Whoever asked for it need not be told so, nor whoever took it up after them.
    let says_why = |cause: &Cause| !asked && (cause.step.is_some() || cause.reason != ASKED_FOR);
    let cause = story.rollback.as_ref().filter(|rollback| says_why(&rollback.cause)).map(|rollback| words::plain(&rollback.cause.reason));
    // Why it rests the headline says, but for what failed in the look after a rollback.
    let rests = |outcome| outcome == Outcome::Stuck && !next::only_the_look_failed(story);
    let rest = story.ending.as_ref().filter(|ending| ending.outcome != Outcome::Halted && !rests(ending.outcome));
    let rest = rest.and_then(|ending| ending.reason.as_deref());
    (cause.or_else(|| rest.map(words::plain)), None)
}

/// The steps that failed, the culprit first. Of a run that went well they are warnings.
pub(super) fn failed(story: &Story) -> Vec<Failed> {
    if story.ending.as_ref().is_some_and(|ending| ending.outcome == Outcome::Succeeded) {
        return Vec::new();
    }
    let culprit = story.culprit();
    let is_culprit = |step: &StepStory| culprit.is_some_and(|culprit| culprit.id == step.id);
    let others = story.steps.values().filter(|step| step.has_failed() && !is_culprit(step));
    let told = |step: &StepStory| {
        let failure = step.failure.as_ref()?;
        Some(Failed { step: step.id.clone(), why: words::failure(failure), hint: failure.hint.as_deref().map(words::plain) })
    };
    culprit.into_iter().chain(others).filter_map(told).collect()
}

impl Summary {
    /// The steps of which its lines tell why they failed, or could not be taken back.
    pub fn explained(&self) -> HashSet<&StepId> {
        let mut kinds = BTreeSet::new();
        // Of more kinds of failure only the names of the steps are told.
        let failed = self.failed.iter().filter(|failed| kinds.contains(&failed.why) || (kinds.len() < TOLD && kinds.insert(&failed.why)));
        failed.map(|failed| &failed.step).chain(self.residue.iter().map(|left| &left.step)).collect()
    }
}

/// Why the run did not go through, and what else failed.
pub(super) fn lines(summary: &Summary) -> Vec<String> {
    // Where the run rests because of it, the headline has told it.
    let is_told = |text: &String| summary.headline.contains(text.as_str());
    let first = summary.failed.first().map(|first| format!("{}: {}", first.step, first.why));
    let mut lines: Vec<String> =
        summary.reason.iter().filter(|reason| first.as_ref() != Some(reason) && !is_told(reason)).cloned().collect();
    let mut alike: Vec<(&str, Option<&str>, Vec<&StepId>)> = Vec::new();
    for Failed { step, why, hint } in &summary.failed {
        match alike.iter_mut().find(|(known, ..)| known == why) {
            Some((.., steps)) => steps.push(step),
            None => alike.push((why, hint.as_deref(), vec![step])),
        }
    }
    if let (Some((.., steps)), true) = (alike.first_mut(), first.as_ref().is_some_and(is_told)) {
        steps.remove(0);
    }
    for (why, hint, steps) in alike.iter().take(TOLD) {
        if !steps.is_empty() {
            lines.push(format!("{}: {why}", named(steps.iter().copied())));
        }
        lines.extend(hint.map(|hint| format!("  try this: {hint}")));
    }
    let more: Vec<&StepId> = alike.iter().skip(TOLD).flat_map(|(.., steps)| steps.iter().copied()).collect();
    if !more.is_empty() {
        lines.push(format!("and {} more failed: {}", more.len(), named(more)));
    }
    lines
}
