//! What is said when a process lets go of a run: how it ended, why, what is left, and what to type next. Pure; it knows no terminal.

use super::story::{Hand, Status, StepStory, Story};
use super::words;
use crate::ids::{PlanName, RunId, StepId};
use crate::record::{Mark, MarkKind, Outcome, Role, Scope};
use schemars::JsonSchema;
use serde::Serialize;

pub use failures::Failed;
pub use next::Next;

/// Most steps that a line names.
const NAMED: usize = 10;

/// The end of a run's story, in parts that a program can read and a person is told in order.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    /// The run; none when it never opened.
    pub run: Option<RunId>,
    /// Its plan.
    pub plan: Option<PlanName>,
    /// The environment that was chosen.
    pub environment: Option<String>,
    /// It ran in a simulated world, which is gone with its process.
    pub simulated: bool,
    /// `succeeded`, `rolled-back`, `stuck`, `halted`, `abandoned`, or `open` when the process left without an end.
    pub outcome: String,
    /// The outcome in one line.
    pub headline: String,
    /// Why, in one line: `deploy: image web:v3 of pod web-green cannot be pulled: not found`.
    pub reason: Option<String>,
    /// What to do about the reason.
    pub hint: Option<String>,
    /// Every step that failed, the one that is the reason first.
    pub failed: Vec<Failed>,
    /// What is back, though not in every respect: an object that was made again has a new uid.
    pub restored: Vec<Left>,
    /// What stays on purpose: a backup, or what the plan says there is nothing to take back of.
    pub stays: Vec<Left>,
    /// Changes by somebody else that were left alone.
    pub kept: Vec<Left>,
    /// What this run wrote and could not take back, or did when it was closed as it is: it is still there.
    pub residue: Vec<Left>,
    /// Of a run that rests on its way back: the steps that are still to be taken back, the first of them first.
    pub to_take_back: Vec<StepId>,
    /// Steps that were not taken back, because what still stands was built on them.
    pub blocked: Vec<StepId>,
    /// Effects of which nobody can tell whether they happened.
    pub doubts: Vec<Left>,
    /// What is worth knowing besides.
    pub warnings: Vec<String>,
    /// What may be typed next.
    pub next: Vec<Next>,
    /// The step that keeps an open run from being taken back.
    pub no_way_back: Option<StepId>,
    /// How long the run has been, in milliseconds.
    pub millis: u64,
}

/// Something that is not as it was, or may not be.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Left {
    /// The step that wrote it.
    pub step: StepId,
    /// What it is.
    pub what: String,
    /// Details: which field, whose change, why not.
    pub notes: Vec<String>,
}

impl Summary {
    /// Sums a story up.
    pub fn of(story: &Story) -> Self {
        let (reason, hint) = failures::reason(story);
        Self {
            run: story.run.clone(),
            plan: story.plan.clone(),
            environment: story.environment.clone(),
            simulated: story.is_simulated,
            outcome: story.ending.as_ref().map_or("open", |ending| words::outcome(ending.outcome)).to_owned(),
            headline: headline(story),
            reason,
            hint,
            failed: failures::failed(story),
            restored: noted(story, MarkKind::Restored),
            stays: noted(story, MarkKind::Nothing),
            kept: left(story, MarkKind::Kept),
            residue: residue(story),
            to_take_back: to_take_back(story),
            blocked: blocked(story),
            doubts: doubts::doubts(story),
            warnings: warnings(story),
            next: next::next(story),
            no_way_back: next::no_way_back(story),
            millis: u64::try_from(story.time().as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// The lines that a person reads.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.headline.clone()];
        lines.extend(failures::lines(self));
        if !self.to_take_back.is_empty() {
            lines.push(format!("still to be taken back: {}", named(&self.to_take_back)));
        }
        list(&mut lines, "still there:", &self.residue);
        if !self.blocked.is_empty() {
            lines.push(format!("not taken back yet, because what is still there needs them: {}", named(&self.blocked)));
        }
        list(&mut lines, "left alone, because somebody else changed it since:", &self.kept);
        list(&mut lines, "taken back, but:", &self.restored);
        if !self.stays.is_empty() {
            lines.push("stays on purpose:".to_owned());
        }
        lines.extend(self.stays.iter().map(|stays| format!("  {}: {}", stays.step, stays.notes.join("; "))));
        lines.extend(doubts::lines(&self.doubts));
        lines.extend(self.warnings.iter().map(|warning| format!("warning: {warning}")));
        if !self.next.is_empty() {
            lines.push("next:".to_owned());
        }
        lines.extend(next::table_of_commands(&self.next));
        // Where the run rests because of it, its headline says so.
        if let Some(pivot) = self.no_way_back.as_ref().filter(|pivot| !self.headline.contains(&format!("{pivot} cannot be taken back"))) {
            lines.push(format!("`rollback` is not possible: {pivot} cannot be taken back"));
        }
        lines
    }
}

fn list(lines: &mut Vec<String>, title: &str, left: &[Left]) {
    if !left.is_empty() {
        lines.push(title.to_owned());
    }
    for thing in left {
        let notes = if thing.notes.is_empty() { String::new() } else { format!(": {}", thing.notes.join("; ")) };
        lines.push(format!("  {}: {}{notes}", thing.step, thing.what));
    }
}

fn headline(story: &Story) -> String {
    let name = name(story);
    let time = words::took(story.time());
    let Some(ending) = &story.ending else {
        return under_way(story, &name);
    };
    match ending.outcome {
        Outcome::Succeeded if story.warnings.is_empty() && failed_but_went_on(story) == 0 => format!("{name} succeeded in {time}"),
        Outcome::Succeeded => format!("{name} succeeded in {time}, with warnings"),
        Outcome::RolledBack => format!("{name} was rolled back after {time}: {}", rolled_back(story)),
        Outcome::Stuck if next::only_the_look_failed(story) => {
            format!("{name} is stuck after {time}: {} is taken back, but what must hold then does not", scope(story))
        }
        Outcome::Stuck => format!("{name} is stuck after {time}: what it changed could not all be taken back"),
        Outcome::Halted => format!("{name} is halted after {time}: {}", ending.reason.as_deref().map_or_else(String::new, words::plain)),
        Outcome::Abandoned => format!("{name} was closed as it is"),
    }
}

fn name(story: &Story) -> String {
    let simulated = if story.is_simulated { " (simulated)" } else { "" };
    match (&story.plan, &story.environment) {
        (Some(plan), Some(environment)) => format!("{plan} in {environment}{simulated}"),
        (Some(plan), None) => format!("{plan}{simulated}"),
        (None, _) => "the run".to_owned(),
    }
}

/// A run without an end: a process works on it, or is gone.
fn under_way(story: &Story, name: &str) -> String {
    let counts = story.counts();
    match (story.hand, story.goes_back()) {
        (Hand::Process, true) if story.rollback.is_none() => format!("{name} stops what is at work, and then goes back"),
        (Hand::Process, true) => {
            let is_left = |step: &&StepStory| step.may_stand() || matches!(step.status, Status::Undoing | Status::UndoBackoff(_));
            let left = story.steps.values().filter(is_left).filter(|step| story.takes_back(step)).count();
            let back = words::count(counts.undone, "step", "steps");
            format!("{name} rolls back {}: {back} taken back, {left} to go", scope(story))
        }
        (Hand::Process, false) => format!("{name} is under way: {} of {} done", words::count(counts.done, "step", "steps"), counts.all),
        (Hand::Nobody | Hand::Elsewhere, true) => format!("{name} has not ended: it was going back"),
        (Hand::Nobody | Hand::Elsewhere, false) => format!("{name} has not ended: {}", done_so_far(story)),
    }
}

/// How far the open rollback goes.
fn scope(story: &Story) -> String {
    story.rollback.as_ref().map_or_else(|| "everything".to_owned(), |rollback| words::scope(&rollback.scope))
}

/// What ran, when nothing more could be written: names, as many as a person reads.
fn done_so_far(story: &Story) -> String {
    let steps = story.steps.values().filter(|step| step.role != Role::Guard);
    let done: Vec<&StepId> = steps.filter(|step| step.status == Status::Done).map(|step| &step.id).collect();
    match done.len() {
        0 => "no step is done so far".to_owned(),
        count if count > NAMED => format!("{count} steps are done so far: {}", named(done)),
        _ => format!("done so far: {}", named(done)),
    }
}

/// Names, as many as a person reads.
fn named<'a>(steps: impl IntoIterator<Item = &'a StepId>) -> String {
    let names: Vec<&str> = steps.into_iter().map(StepId::as_str).collect();
    let first = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

fn failed_but_went_on(story: &Story) -> usize {
    story.steps.values().filter(|step| step.failure.is_some()).count()
}

fn rolled_back(story: &Story) -> String {
    let kept = story.steps.values().any(|step| step.marked(MarkKind::Kept).next().is_some());
    let but = match (kept, noted(story, MarkKind::Nothing).is_empty()) {
        (true, true) => ", but for what somebody else changed",
        (false, false) => ", but for what stays on purpose",
        (true, false) => ", but for what stays on purpose and what somebody else changed",
        (false, true) => "",
    };
    match story.rollback.as_ref().map(|rollback| &rollback.scope) {
        Some(Scope::Guard(guard)) => format!("what `{guard}` guards is as it was{but}"),
        Some(Scope::Step(step)) => format!("what `{step}` did, and all that needed it, is as it was{but}"),
        _ => format!("everything is as it was{but}"),
    }
}

fn left(story: &Story, kind: MarkKind) -> Vec<Left> {
    let of = |step: &StepStory, mark: &Mark| Left {
        step: step.id.clone(),
        what: words::plain(words::effect(&mark.key)),
        notes: mark.notes.iter().map(|note| words::plain(note)).collect(),
    };
    story.steps.values().flat_map(|step| step.marked(kind).map(move |mark| of(step, mark))).collect()
}

/// What has marks of this kind that say something: why there was nothing to take back, or what is not quite as it was.
fn noted(story: &Story, kind: MarkKind) -> Vec<Left> {
    left(story, kind).into_iter().filter(|left| !left.notes.is_empty()).collect()
}

/// Marked residue, with why it stayed; a step that gave up before it could mark anything is residue as a whole. Of a run that was closed as
/// it is everything that was not taken back.
fn residue(story: &Story) -> Vec<Left> {
    let mut residue = left(story, MarkKind::Residue);
    let outcome = story.ending.as_ref().map(|ending| ending.outcome);
    let is_closed_as_it_is = outcome == Some(Outcome::Abandoned);
    for step in story.steps.values() {
        // What is still being tried, or will be when somebody resumes, is not given up.
        let is_given_up = step.status == Status::Residue || matches!(outcome, Some(Outcome::Stuck | Outcome::Abandoned));
        let failure = step.undo_failure.as_ref().filter(|_| is_given_up);
        let Some(failure) = failure else {
            residue.extend(stands(step).filter(|_| is_closed_as_it_is));
            continue;
        };
        let why = words::failure(failure);
        // A failure that only says what one of them says is not told with each.
        if residue.iter().any(|left| left.step == step.id && left.notes.iter().any(|note| why.contains(note.as_str()))) {
            continue;
        }
        match residue.iter_mut().filter(|left| left.step == step.id).map(|left| left.notes.push(why.clone())).count() {
            0 => residue.push(Left { step: step.id.clone(), what: "all that it did".to_owned(), notes: vec![why] }),
            _ => continue,
        }
    }
    residue.sort_by_key(|left| story.steps.get_index_of(&left.step));
    residue
}

/// What a step did and nobody took back; what is in doubt is told as such.
fn stands(step: &StepStory) -> Option<Left> {
    let told: Vec<_> = step.stands.iter().filter(|(key, _)| step.doubts.iter().all(|(doubted, _)| doubted != *key)).collect();
    let (first, _) = told.first()?;
    let more = if told.len() > 1 { format!(" and {} more", told.len() - 1) } else { String::new() };
    let unseen = told.iter().any(|(_, is_known)| !**is_known).then(|| "nobody has looked whether all of it was done".to_owned());
    Some(Left { step: step.id.clone(), what: format!("{}{more}", words::plain(words::effect(first))), notes: unseen.into_iter().collect() })
}

/// What is to be taken back by whoever resumes a run that rests on its way back, or lies dead there.
fn to_take_back(story: &Story) -> Vec<StepId> {
    let rests = story.ending.as_ref().is_none_or(|ending| ending.outcome == Outcome::Halted);
    if story.hand == Hand::Process || !rests || !story.goes_back() {
        return Vec::new();
    }
    let goes = |step: &&StepStory| step.may_stand() && !step.stays && story.takes_back(step);
    story.steps.values().rev().filter(goes).map(|step| step.id.clone()).collect()
}

/// What a stuck rollback has yet to take back: the steps behind those that gave up, in plan order. One that never got as far as doing
/// something waits for nothing.
fn blocked(story: &Story) -> Vec<StepId> {
    if story.ending.as_ref().is_none_or(|ending| ending.outcome != Outcome::Stuck) {
        return Vec::new();
    }
    let waits = |step: &&StepStory| step.may_stand() && step.status != Status::Residue && story.is_in_scope(&step.id);
    story.steps.values().filter(waits).map(|step| step.id.clone()).collect()
}

fn warnings(story: &Story) -> Vec<String> {
    let mut warnings = Vec::new();
    for warning in &story.warnings {
        let step = warning.step.as_ref().map(|step| format!("{step}: ")).unwrap_or_default();
        warnings.push(format!("{step}{}", words::plain(&warning.text)));
    }
    if story.ending.as_ref().is_some_and(|ending| ending.outcome == Outcome::Succeeded) {
        let failed = story.steps.values().filter_map(|step| Some((step, step.failure.as_ref()?)));
        warnings.extend(
            failed.map(|(step, failure)| format!("{} failed and the run went on without it: {}", step.id, words::failure(failure))),
        );
    }
    if let Some(Some(failure)) = story.rollback.as_ref().and_then(|rollback| rollback.verified.as_ref()) {
        warnings.push(format!("after the rollback: {}", words::failure(failure)));
    }
    let missing = story.steps.values().filter_map(|step| Some((step, step.evidence.missing.as_ref()?)));
    warnings.extend(missing.map(|(step, why)| format!("{}: not all evidence could be kept: {}", step.id, words::plain(why))));
    // What stays of a run that was closed as it is stands in a list of its own.
    let ending = story.ending.iter().filter(|ending| ending.outcome != Outcome::Abandoned);
    let notes: Vec<String> = ending.flat_map(|ending| &ending.notes).map(|note| words::plain(note)).collect();
    // What was told with its reason is not told again without it.
    let news: Vec<String> = notes.into_iter().filter(|note| !warnings.iter().any(|told| told.starts_with(note.as_str()))).collect();
    warnings.extend(news);
    // Progress and records may tell the same thing.
    let mut seen = std::collections::BTreeSet::new();
    warnings.retain(|warning| seen.insert(warning.clone()));
    warnings
}

mod doubts;
mod failures;
mod next;
#[cfg(test)]
mod resting_tests;
#[cfg(test)]
mod tests;
