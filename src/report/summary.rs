//! What is said when a process lets go of a run: how it ended, why, what is left, and what to type next. Pure; it knows no terminal.

use super::story::{Status, StepStory, Story};
use super::words;
use crate::ids::{PlanName, RunId, StepId};
use crate::record::{Mark, MarkKind, Mode, Outcome, Reversibility, Role, Scope};
use schemars::JsonSchema;
use serde::Serialize;

/// Most steps that a line names.
const NAMED: usize = 10;
/// Columns that a terminal has when nobody made it smaller.
const NARROW: usize = 80;

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
    /// `succeeded`, `rolled-back`, `stuck`, `halted`, `abandoned`, or `open` when the process left without an end.
    pub outcome: String,
    /// The outcome in one line.
    pub headline: String,
    /// Why, in one line: `deploy: image web:v3 of pod web-green cannot be pulled: not found`.
    pub reason: Option<String>,
    /// What to do about the reason.
    pub hint: Option<String>,
    /// What stays on purpose: a backup, or what the plan says there is nothing to take back of.
    pub stays: Vec<Left>,
    /// Changes by somebody else that were left alone.
    pub kept: Vec<Left>,
    /// Values that this run wrote and that are still there.
    pub residue: Vec<Left>,
    /// Steps that were not taken back, because what still stands was built on them.
    pub blocked: Vec<StepId>,
    /// Effects of which nobody can tell whether they happened.
    pub doubts: Vec<Left>,
    /// What is worth knowing besides.
    pub warnings: Vec<String>,
    /// What may be typed next.
    pub next: Vec<Next>,
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

/// A command that may be typed next.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Next {
    /// The command.
    pub command: String,
    /// What it does.
    pub does: String,
}

impl Summary {
    /// Sums a story up.
    pub fn of(story: &Story) -> Self {
        let (reason, hint) = reason(story);
        Self {
            run: story.run.clone(),
            plan: story.plan.clone(),
            environment: story.environment.clone(),
            outcome: story.ending.as_ref().map_or("open", |ending| words::outcome(ending.outcome)).to_owned(),
            headline: headline(story),
            reason,
            hint,
            stays: stays(story),
            kept: left(story, MarkKind::Kept),
            residue: residue(story),
            blocked: blocked(story),
            doubts: doubts(story),
            warnings: warnings(story),
            next: next(story),
            millis: u64::try_from(story.time().as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// The lines that a person reads.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.headline.clone()];
        lines.extend(self.reason.clone());
        lines.extend(self.hint.as_ref().map(|hint| format!("  try this: {hint}")));
        list(&mut lines, "still there:", &self.residue);
        if !self.blocked.is_empty() {
            lines.push(format!("not taken back yet, because what is still there needs them: {}", named(&self.blocked)));
        }
        list(&mut lines, "left alone, because somebody else changed it since:", &self.kept);
        if !self.stays.is_empty() {
            lines.push("stays on purpose:".to_owned());
        }
        lines.extend(self.stays.iter().map(|stays| format!("  {}: {}", stays.step, stays.notes.join("; "))));
        list(&mut lines, "in doubt:", &self.doubts);
        lines.extend(self.warnings.iter().map(|warning| format!("warning: {warning}")));
        if !self.next.is_empty() {
            lines.push("next:".to_owned());
        }
        lines.extend(table_of_commands(&self.next));
        lines
    }
}

/// Commands and what they do, side by side where that fits a terminal: a command that is wrapped is copied wrongly.
fn table_of_commands(next: &[Next]) -> Vec<String> {
    let width = next.iter().map(|next| next.command.chars().count()).max().unwrap_or(0);
    let longest = next.iter().map(|next| next.does.chars().count()).max().unwrap_or(0);
    match width + longest + 4 <= NARROW {
        true => next.iter().map(|next| format!("  {:width$}  {}", next.command, next.does)).collect(),
        false => next.iter().flat_map(|next| [format!("  {}", next.command), format!("      {}", next.does)]).collect(),
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
    let name = match (&story.plan, &story.environment) {
        (Some(plan), Some(environment)) => format!("{plan} in {environment}"),
        (Some(plan), None) => plan.to_string(),
        (None, _) => "the run".to_owned(),
    };
    let time = words::took(story.time());
    let Some(ending) = &story.ending else {
        return format!("{name} has not ended: {}", done_so_far(story));
    };
    match ending.outcome {
        Outcome::Succeeded if story.warnings.is_empty() && failed_but_went_on(story) == 0 => format!("{name} succeeded in {time}"),
        Outcome::Succeeded => format!("{name} succeeded in {time}, with warnings"),
        Outcome::RolledBack => format!("{name} was rolled back after {time}: {}", rolled_back(story)),
        Outcome::Stuck => format!("{name} is stuck after {time}: what it changed could not all be taken back"),
        Outcome::Halted => format!("{name} is halted after {time}: {}", ending.reason.as_deref().map_or_else(String::new, words::plain)),
        Outcome::Abandoned => format!("{name} was closed as it is"),
    }
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
    let but = match (kept, stays(story).is_empty()) {
        (true, true) => ", but for what somebody else changed",
        (false, false) => ", but for what stays on purpose",
        (true, false) => ", but for what stays on purpose and what somebody else changed",
        (false, true) => "",
    };
    match story.rollback.as_ref().map(|rollback| &rollback.scope) {
        Some(Scope::Guard(guard)) => format!("what `{guard}` guards is as it was{but}"),
        _ => format!("everything is as it was{but}"),
    }
}

/// Why the run did not go through, and what to do about it.
fn reason(story: &Story) -> (Option<String>, Option<String>) {
    let outcome = story.ending.as_ref().map(|ending| ending.outcome);
    if outcome == Some(Outcome::Succeeded) {
        return (None, None);
    }
    if let Some((step, failure)) = story.culprit().and_then(|step| Some((step, step.failure.as_ref()?))) {
        return (Some(format!("{}: {}", step.id, words::failure(failure))), failure.hint.as_deref().map(words::plain));
    }
    let asked = story.holder.as_ref().is_some_and(|(_, mode)| *mode == Mode::Rollback);
    let cause = story.rollback.as_ref().filter(|_| !asked).map(|rollback| words::plain(&rollback.cause.reason));
    let rest = story.ending.as_ref().filter(|ending| ending.outcome != Outcome::Halted).and_then(|ending| ending.reason.as_deref());
    (cause.or_else(|| rest.map(words::plain)), None)
}

fn left(story: &Story, kind: MarkKind) -> Vec<Left> {
    let of = |step: &StepStory, mark: &Mark| Left {
        step: step.id.clone(),
        what: words::plain(words::effect(&mark.key)),
        notes: mark.notes.iter().map(|note| words::plain(note)).collect(),
    };
    story.steps.values().flat_map(|step| step.marked(kind).map(move |mark| of(step, mark))).collect()
}

/// What a look back found nothing to take back of, and why.
fn stays(story: &Story) -> Vec<Left> {
    left(story, MarkKind::Nothing).into_iter().filter(|left| !left.notes.is_empty()).collect()
}

/// Marked residue, with why it stayed; a step that gave up before it could mark anything is residue as a whole.
fn residue(story: &Story) -> Vec<Left> {
    let mut residue = left(story, MarkKind::Residue);
    for step in story.steps.values() {
        let Some(failure) = &step.undo_failure else { continue };
        let why = words::failure(failure);
        match residue.iter_mut().filter(|left| left.step == step.id).map(|left| left.notes.push(why.clone())).count() {
            0 => residue.push(Left { step: step.id.clone(), what: "all that it did".to_owned(), notes: vec![why] }),
            _ => continue,
        }
    }
    residue
}

/// What a stuck rollback has yet to take back: the steps behind those that gave up, in plan order.
fn blocked(story: &Story) -> Vec<StepId> {
    use Status::{Kept, Residue, Skipped, Undone, Waiting};
    if story.ending.as_ref().is_none_or(|ending| ending.outcome != Outcome::Stuck) {
        return Vec::new();
    }
    let rests = |step: &&StepStory| !matches!(step.status, Waiting | Skipped(_) | Undone | Kept | Residue);
    let changes = |step: &&StepStory| step.role == Role::Action && step.reversibility != Reversibility::ReadOnly;
    let steps = story.steps.values().filter(rests).filter(changes).filter(|step| story.is_in_scope(&step.id));
    steps.map(|step| step.id.clone()).collect()
}

fn doubts(story: &Story) -> Vec<Left> {
    let all = story.doubtful().flat_map(|step| step.doubts.iter().map(move |doubt| (step, doubt)));
    all.map(|(step, (key, why))| Left { step: step.id.clone(), what: words::plain(words::effect(key)), notes: vec![words::plain(why)] })
        .collect()
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
    let notes: Vec<String> = story.ending.iter().flat_map(|ending| &ending.notes).map(|note| words::plain(note)).collect();
    // What was told with its reason is not told again without it.
    let news: Vec<String> = notes.into_iter().filter(|note| !warnings.iter().any(|told| told.starts_with(note.as_str()))).collect();
    warnings.extend(news);
    // Progress and records may tell the same thing.
    let mut seen = std::collections::BTreeSet::new();
    warnings.retain(|warning| seen.insert(warning.clone()));
    warnings
}

fn next(story: &Story) -> Vec<Next> {
    let Some(run) = &story.run else { return Vec::new() };
    let mut next = Vec::new();
    let mut add = |words: String, does: &str| next.push(Next { command: story.called.command(&words), does: does.to_owned() });
    let ending = story.ending.as_ref();
    if ending.is_none_or(|ending| !ending.closed) {
        let doubtful: Vec<&StepStory> = story.doubtful().collect();
        let settle: String = doubtful.iter().map(|step| format!(" --settle {}=done|not-done", step.id)).collect();
        let resume = match ending.map(|ending| ending.outcome) {
            _ if !settle.is_empty() => "goes on, once you have looked and say what happened",
            Some(Outcome::Stuck) => "tries again to take back what is left",
            _ if story.goes_back() => "goes on taking back what was done",
            _ => "goes on where it stopped",
        };
        add(format!("resume {run}{settle}"), resume);
        if !story.has_passed_pivot() {
            add(format!("rollback {run}"), &rollback(story));
        }
        add(format!("abandon {run}"), "closes it as it is");
    }
    for step in story.steps.values().filter(|step| step.evidence.kept) {
        add(format!("show {run} --evidence {}", step.id), "shows what was seen when it failed");
    }
    next
}

/// What `rollback` does with this run. It is more than `resume` does only where a guard's rollback is under way.
fn rollback(story: &Story) -> String {
    match story.rollback.as_ref().map(|rollback| &rollback.scope) {
        Some(Scope::Guard(guard)) => format!("takes back everything, also what `{guard}` does not guard"),
        Some(Scope::Everything) => "does the same, and ends with 0 when everything is taken back".to_owned(),
        None => "takes back what was done".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::Summary;
    use crate::record::{AttemptResult, Failure, Outcome, Record, Reversibility, What};
    use crate::report::samples::{self, Journal};
    use crate::report::story::{Story, Warning};
    use std::sync::Arc;

    fn told(records: &[Record]) -> String {
        Summary::of(&Story::of(records)).lines().join("\n")
    }

    #[test]
    fn success_is_one_line() {
        insta::assert_snapshot!(told(&samples::succeeded()), @"blue-green in production succeeded in 1m 16s");
    }

    #[test]
    fn success_with_warnings_tells_them() {
        let mut story = Story::of(&samples::succeeded());
        let warning = Warning { step: Some(samples::id("database")), text: "kept 3 of 7 backups".to_owned() };
        story.warnings.extend([warning.clone(), warning]);
        insta::assert_snapshot!(Summary::of(&story).lines().join("\n"), @"
        blue-green in production succeeded in 1m 16s, with warnings
        warning: database: kept 3 of 7 backups
        ");
    }

    #[test]
    fn a_rollback_tells_why_and_what_was_left_alone() {
        insta::assert_snapshot!(told(&samples::rolled_back()), @"
        blue-green in production was rolled back after 1m 08s: what `back` guards is as it was, but for what somebody else changed
        healthy: image web:v3 of pod web-green-5c9f-x2 cannot be pulled: not found
          try this: push the image, or name one that exists
        left alone, because somebody else changed it since:
          deploy: apps/Deployment/production/web-green: spec.replicas is 4 since kubectl-scale set it
        next:
          bowline show 20261121-120300-7f3a --evidence healthy
              shows what was seen when it failed
        ");
    }

    #[test]
    fn a_stuck_run_tells_what_is_left_and_in_doubt_and_what_to_type() {
        insta::assert_snapshot!(told(&samples::stuck()), @"
        blue-green in production is stuck after 1m 46s: what it changed could not all be taken back
        switch: waiting for the new side to answer through the ingress
        still there:
          switch: networking.k8s.io/Ingress/production/api: its backend is still web-green; the server refused the write: 403 Forbidden
        not taken back yet, because what is still there needs them: deploy
        in doubt:
          database: what it did: a program's end cannot be looked up
        warning: switch: not all evidence could be kept: the server did not answer within 5s
        next:
          bowline resume 20261121-120300-7f3a --settle database=done|not-done
              goes on, once you have looked and say what happened
          bowline rollback 20261121-120300-7f3a
              takes back everything, also what `back` does not guard
          bowline abandon 20261121-120300-7f3a
              closes it as it is
        ");
    }

    #[test]
    fn a_step_that_may_fail_is_told_once_and_a_limit_is_named() {
        let mut plan = samples::blue_green();
        plan.steps[0].timeout = Some(crate::ids::Period(std::time::Duration::from_secs(2)));
        let mut journal = Journal::of(plan);
        let failure =
            Failure { causes: vec!["it was stopped before its end".to_owned()], ..Failure::permanent("it took longer than it may") };
        journal.begin("database", 1).wait(2_000).end("database", 1, AttemptResult::TimedOut { failure, retry_at: None });
        journal.write(What::RunClosed {
            outcome: Outcome::Succeeded,
            notes: vec!["database failed and the run went on without it".to_owned()],
        });
        insta::assert_snapshot!(told(&journal.records), @"
        blue-green in production succeeded in 2.0s, with warnings
        warning: database failed and the run went on without it: it took longer than its 2s: it was stopped before its end
        ");
    }

    #[test]
    fn past_the_pivot_nobody_is_told_to_go_back() {
        let mut records = samples::halted();
        let What::RunOpened { graph, .. } = &mut records[0].what else { panic!("the first record opens the run") };
        Arc::make_mut(graph).steps[0].reversibility = Reversibility::Irreversible;
        let next: Vec<String> =
            Summary::of(&Story::of(&records)).next.into_iter().map(|next| format!("{}: {}", next.command, next.does)).collect();
        insta::assert_snapshot!(next.join("\n"), @"
        bowline resume 20261121-120300-7f3a: goes on where it stopped
        bowline abandon 20261121-120300-7f3a: closes it as it is
        ");
    }

    #[test]
    fn a_halted_run_tells_what_to_type() {
        insta::assert_snapshot!(told(&samples::halted()), @"
        blue-green in production is halted after 1m 02s: stopped by Ctrl-C
        next:
          bowline resume 20261121-120300-7f3a    goes on taking back what was done
          bowline rollback 20261121-120300-7f3a  takes back what was done
          bowline abandon 20261121-120300-7f3a   closes it as it is
        ");
    }

    #[test]
    fn a_run_without_an_end_says_so() {
        insta::assert_snapshot!(told(&samples::running()), @"
        blue-green in production has not ended: done so far: database, colours
        next:
          bowline resume 20261121-120300-7f3a    goes on where it stopped
          bowline rollback 20261121-120300-7f3a  takes back what was done
          bowline abandon 20261121-120300-7f3a   closes it as it is
        ");
    }

    #[test]
    fn a_rejection_names_the_person() {
        insta::assert_snapshot!(told(&samples::rejected()), @"
        blue-green in production was rolled back after 1m 21s: what `back` guards is as it was
        colours: rejected by ada: not on a Friday
        ");
    }
}
