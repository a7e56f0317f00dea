//! Says each record in one sentence: what line displays print and `show` lists. Pure; the story it is given already holds the record.

use super::story::{Status, StepStory, Story};
use super::words;
use crate::ids::{Moment, StepId};
use crate::record::{AttemptResult, CancelLevel, EffectKey, Failure, Mark, MarkKind, Mode, Record, Role, Scope, Settled, UndoResult, What};
use jiff::tz::TimeZone;
use std::collections::BTreeSet;
use std::time::Duration;

/// One line about a run or about one of its steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// The step, when it is about one.
    pub step: Option<StepId>,
    /// How it is meant.
    pub tone: Tone,
    /// The line, without the step's name.
    pub text: String,
}

/// How a sentence is meant. A live display shows beginnings as moving lines, not as sentences.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Something begins.
    Begin,
    /// Something is done.
    Good,
    /// Something is worth knowing.
    Plain,
    /// Something wants attention.
    Warn,
    /// Something went wrong.
    Bad,
}

impl Tone {
    /// True for what a person must hear who wants to hear little.
    pub fn wants_attention(self) -> bool {
        matches!(self, Tone::Warn | Tone::Bad)
    }
}

/// Who asks when a person at this terminal does.
pub const CTRL_C: &str = "Ctrl-C";

/// Says a record; none when people need not hear of it, or hear of it in the summary.
pub fn of(story: &Story, record: &Record, zone: &TimeZone) -> Option<Sentence> {
    let run = |tone, text: String| Some(Sentence { step: None, tone, text });
    match &record.what {
        What::RunOpened { .. } => run(Tone::Plain, opened(story)),
        What::EpochOpened { holder, mode, .. } => {
            let verb = match mode {
                Mode::Run => return None,
                Mode::Resume => "resumed",
                Mode::Rollback => "taken in hand to be rolled back",
                Mode::Abandon => "taken in hand to be closed as it is",
            };
            run(Tone::Plain, format!("{verb} by {}@{} (process {})", holder.user, holder.host, holder.pid))
        }
        What::CancelRequested { level, by } => {
            let asked = if *level == CancelLevel::Halt { "halt" } else { "cancel" };
            let more = if by == CTRL_C && *level == CancelLevel::RollBack { "; once more halts at once" } else { "" };
            run(Tone::Warn, format!("{asked} asked by {by}: {}{more}", stopping(story, *level)))
        }
        What::RollbackOpened { scope, cause, deadline } => run(Tone::Bad, rolling_back(story, scope, cause, deadline.since(record.at))),
        What::RollbackVerified { failure: None } => run(Tone::Good, "what must hold after the rollback holds".to_owned()),
        What::RollbackVerified { failure: Some(failure) } => {
            run(Tone::Bad, format!("what must hold after the rollback does not: {}", words::failure(failure)))
        }
        What::RunHalted { .. } | What::RunClosed { .. } => None,
        what => of_step(story, record.at, what, zone),
    }
}

fn of_step(story: &Story, at: Moment, what: &What, zone: &TimeZone) -> Option<Sentence> {
    let say = |step: &StepId, tone, text: String| Some(Sentence { step: Some(step.clone()), tone, text });
    let run = story.run.as_ref().map_or("RUN", |run| run.as_str());
    match what {
        What::StepSkipped { step, reason } => say(step, Tone::Plain, format!("skipped: {}", words::skipped(reason))),
        What::AttemptStarted { step, attempt, until, .. } => match (story.step(step).map(|s| s.role), until) {
            (Some(Role::Guard), _) => None,
            (_, Some(until)) => say(step, Tone::Begin, format!("pausing until {}", words::time_of_day(*until, zone))),
            (_, None) if *attempt > 1 => say(step, Tone::Begin, format!("attempt {attempt}")),
            _ => say(step, Tone::Begin, "started".to_owned()),
        },
        // That nobody can tell how it ended was told.
        What::AttemptEnded { step, result: AttemptResult::Interrupted, .. } if was_told_as_in_doubt(story, step) => None,
        What::AttemptEnded { step, attempt, result } => {
            let (tone, text) = attempt_ended(story.step(step), at, *attempt, result);
            say(step, tone, format!("{text}{}", half_way(story, step, result)))
        }
        // The end of its attempt tells it, which comes right behind.
        What::EffectSettled { step, settled: Settled::Unknown(_), .. } if is_half_way(story, step) => None,
        What::EffectSettled { step, key, settled: Settled::Unknown(why) } if is_told_of_another(story, step, key, why) => None,
        What::EffectSettled { step, key, settled } => {
            let (tone, text) = settling(story, words::effect(key), settled)?;
            say(step, tone, text)
        }
        What::ApprovalAsked { step, message } => say(step, Tone::Warn, question(story, step, message, zone)),
        What::ApprovalAnswered { step, approved, by, comment } => {
            let (tone, verb) = if *approved { (Tone::Good, "approved") } else { (Tone::Bad, "rejected") };
            let comment = comment.as_ref().map(|comment| format!(": {}", words::plain(comment))).unwrap_or_default();
            say(step, tone, format!("{verb} by {}{comment}", words::plain(by)))
        }
        // The one before has told when it comes.
        What::UndoStarted { step, .. } if story.step(step).is_some_and(|step| step.undo_tries > 0) => None,
        What::UndoStarted { step, .. } => say(step, Tone::Begin, "taking it back".to_owned()),
        What::UndoEnded { step, attempt, result } => {
            let (tone, text) = undo_ended(story.step(step), at, *attempt, result);
            say(step, tone, text)
        }
        // Nobody can ask for it later.
        What::EvidenceKept { evidence: Some(_), .. } if !story.called.is_kept => None,
        What::EvidenceKept { step, evidence: Some(_), .. } => {
            let command = story.called.command(&format!("show {run} --evidence {step}"));
            say(step, Tone::Plain, format!("evidence kept: `{command}`"))
        }
        What::EvidenceKept { step, error: Some(why), .. } => {
            say(step, Tone::Warn, format!("no evidence could be kept: {}", words::plain(why)))
        }
        What::DoubtAnswered { step, done, by, .. } => {
            let done = if *done { "done" } else { "not done" };
            say(step, Tone::Plain, format!("{} says that it was {done}", words::plain(by)))
        }
        _ => None,
    }
}

fn opened(story: &Story) -> String {
    let plan = story.plan.as_ref().map_or("?", |plan| plan.as_str());
    let place = story.environment.as_ref().map(|environment| format!(" in {environment}")).unwrap_or_default();
    let run = story.run.as_ref().map_or("?", |run| run.as_str());
    let simulated = if story.is_simulated { "simulated run" } else { "run" };
    format!("{simulated} {run} of {plan}{place}: {}", words::count(story.counts().all, "step", "steps"))
}

/// What a step asks, and how it is answered. In a simulated run the plan says who answers.
fn question(story: &Story, step: &StepId, message: &str, zone: &TimeZone) -> String {
    let asks = words::plain(message);
    if story.is_simulated {
        return format!("asks: {asks}");
    }
    let run = story.run.as_ref().map_or("RUN", |run| run.as_str());
    let command = |verb| story.called.command(&format!("{verb} {run} {step}"));
    let terms = story.step(step).and_then(|step| story.terms(step, zone)).map(|terms| format!(" {terms}")).unwrap_or_default();
    format!("asks: {asks} (answer with `{}` or `{}`{terms})", command("approve"), command("reject"))
}

/// What was asked of people before this process took the run up, and still is: a display begins anew.
pub fn still_asked(story: &Story, record: &Record, zone: &TimeZone) -> Vec<Sentence> {
    let resumes = matches!(record.what, What::EpochOpened { mode: Mode::Resume, .. });
    let asked = |step: &StepStory| match &step.status {
        Status::Asking(message) if resumes && !story.goes_back() => {
            Some(Sentence { step: Some(step.id.clone()), tone: Tone::Warn, text: question(story, &step.id, message, zone) })
        }
        _ => None,
    };
    story.steps.values().filter_map(asked).collect()
}

fn rolling_back(story: &Story, scope: &Scope, cause: &crate::record::Cause, budget: Duration) -> String {
    let scope = words::scope(scope);
    // A whole number of seconds: the budget is a limit, not a measurement.
    let budget = crate::ids::Period(Duration::from_secs(u64::try_from(budget.as_millis().div_ceil(1000)).unwrap_or(u64::MAX)));
    let reason = words::plain(&cause.reason);
    match &cause.step {
        // Its failure was told in the line before.
        Some(step) if story.step(step).is_some_and(|step| step.failure.is_some()) => {
            format!("rolling back {scope}, within {budget}, because {step} failed")
        }
        Some(step) => format!("rolling back {scope}, within {budget}, because {step} failed: {reason}"),
        None => format!("rolling back {scope}, within {budget}: {reason}"),
    }
}

fn attempt_ended(step: Option<&StepStory>, at: Moment, attempt: u32, result: &AttemptResult) -> (Tone, String) {
    let role = step.map_or(Role::Action, |step| step.role);
    let time = step.and_then(StepStory::time).map(|time| format!(" in {}", words::took(time))).unwrap_or_default();
    match result {
        AttemptResult::Succeeded { .. } if role == Role::Guard => (Tone::Good, "savepoint reached".to_owned()),
        AttemptResult::Succeeded { .. } if attempt > 1 => (Tone::Good, format!("done{time}, at attempt {attempt}")),
        AttemptResult::Succeeded { .. } => (Tone::Good, format!("done{time}")),
        AttemptResult::Failed { failure, retry_at } => failed("failed", failure, attempt, at, *retry_at),
        AttemptResult::TimedOut { failure, retry_at } => {
            // The story names the limit.
            let failure = step.and_then(|step| step.failure.as_ref()).unwrap_or(failure);
            failed("timed out", failure, attempt, at, *retry_at)
        }
        AttemptResult::Cancelled => (Tone::Warn, "stopped".to_owned()),
        AttemptResult::Interrupted if step.is_some_and(|step| step.is_half_way) => (Tone::Warn, "stopped".to_owned()),
        AttemptResult::Interrupted => (Tone::Warn, "interrupted before its end".to_owned()),
    }
}

fn failed(verb: &str, failure: &Failure, attempt: u32, at: Moment, retry_at: Option<Moment>) -> (Tone, String) {
    let why = words::failure(failure);
    match retry_at {
        Some(retry_at) => (Tone::Warn, format!("attempt {attempt} {verb}: {why}; the next in {}", words::took(retry_at.since(at)))),
        None if attempt > 1 => (Tone::Bad, format!("{verb} at attempt {attempt}, the last: {why}")),
        None => (Tone::Bad, format!("{verb}: {why}")),
    }
}

/// What a cancel does to this run.
fn stopping(story: &Story, level: CancelLevel) -> String {
    match (level, story.pivot()) {
        (CancelLevel::RollBack, _) if story.rollback.is_some() => "it is going back already".to_owned(),
        (CancelLevel::RollBack, Some(pivot)) => match story.guard_past_pivot() {
            Some(guard) => {
                format!("nothing more starts; what `{}` guards is taken back, the rest stays, since {} cannot be", guard.id, pivot.id)
            }
            None => format!("nothing more starts; what was done stays, since {} cannot be taken back", pivot.id),
        },
        (CancelLevel::RollBack, None) => "nothing more starts, what was done is taken back".to_owned(),
        (CancelLevel::Halt, _) => "halting as soon as possible".to_owned(),
    }
}

fn was_told_as_in_doubt(story: &Story, step: &StepId) -> bool {
    story.step(step).is_some_and(|step| !step.doubts.is_empty() && !step.is_half_way)
}

/// True for a step whose program was stopped, or lost, by the process that ran it.
fn is_half_way(story: &Story, step: &StepId) -> bool {
    story.step(step).is_some_and(|step| !step.doubts.is_empty() && step.is_half_way)
}

/// How far a program came that was stopped in the middle, and what becomes of that.
fn half_way(story: &Story, step: &StepId, result: &AttemptResult) -> &'static str {
    let Some(step) = story.step(step).filter(|_| is_half_way(story, step)) else { return "" };
    // What stops it may be another step's failure, which takes back what can be taken back as soon as nothing is at work.
    let halts = story.graph.as_ref().is_some_and(|graph| graph.halts_on_failure);
    let goes_back = story.takes_back(step) || (story.pivot().is_none() && !halts);
    match result {
        AttemptResult::Cancelled if goes_back => ", half way perhaps; taken back as if it was done",
        AttemptResult::Interrupted if story.takes_back(step) => ", half way perhaps; taken back as if it was done, when somebody resumes",
        AttemptResult::Cancelled | AttemptResult::TimedOut { .. } => ", half way perhaps",
        AttemptResult::Interrupted => ", half way perhaps: in doubt",
        AttemptResult::Failed { .. } => "; how far it got is in doubt",
        AttemptResult::Succeeded { .. } => "",
    }
}

/// True where the same was said of another item of the same step.
fn is_told_of_another(story: &Story, step: &StepId, key: &EffectKey, why: &str) -> bool {
    let name = |step: &StepId| step.parts().map(|(name, _)| name.to_owned());
    let Some(family) = name(step) else { return false };
    let others = story.doubtful().filter(|other| other.id != *step && name(&other.id).is_some_and(|name| name == family));
    others.flat_map(|other| &other.doubts).any(|(known, reason)| known == key && reason == why)
}

fn settling<T>(story: &Story, effect: &str, settled: &Settled<T>) -> Option<(Tone, String)> {
    match settled {
        Settled::NotDone | Settled::Done(_) => None,
        Settled::Other(what) => Some((Tone::Warn, format!("{effect}: {}", words::plain(what)))),
        Settled::Unknown(why) => {
            // Whoever goes back asks nobody what became of it.
            let back = if story.goes_back() { ", and is taken back as if it was done" } else { "" };
            let what = if effect == words::ALL { String::new() } else { format!("{effect} is ") };
            Some((Tone::Warn, format!("{what}in doubt{back}: {}", words::plain(why))))
        }
    }
}

fn undo_ended(step: Option<&StepStory>, at: Moment, attempt: u32, result: &UndoResult) -> (Tone, String) {
    let time = step.and_then(StepStory::undo_time).map(|time| format!(" in {}", words::took(time))).unwrap_or_default();
    match result {
        UndoResult::Undone { marks } => undone(marks, &time),
        UndoResult::Failed { failure, retry_at: Some(retry_at), .. } => {
            let next = words::took(retry_at.since(at));
            let is_known = step.is_some_and(|step| step.undo_failed_alike);
            let why = if is_known { format!("try {attempt} failed as the one before") } else { words::failure(failure) };
            (Tone::Warn, format!("not taken back yet: {why}; the next try in {next}"))
        }
        UndoResult::Failed { failure, .. } => {
            // The story knows whether its time was over.
            let failure = step.and_then(|step| step.undo_failure.as_ref()).unwrap_or(failure);
            (Tone::Bad, format!("could not be taken back: {}", words::failure(failure)))
        }
        UndoResult::Interrupted => (Tone::Warn, "taking it back was interrupted".to_owned()),
    }
}

fn undone(marks: &[Mark], time: &str) -> (Tone, String) {
    let count = |kind| marks.iter().filter(|mark| mark.kind == kind).count();
    match (count(MarkKind::Residue), count(MarkKind::Kept)) {
        (0, 0) if marks.iter().all(|mark| mark.kind == MarkKind::Nothing) => (Tone::Good, nothing_to_take_back(marks)),
        (0, 0) => (Tone::Good, format!("taken back{time}")),
        (0, kept) => {
            let changes = words::count(kept, "change", "changes");
            (Tone::Warn, format!("taken back{time}; {changes} by somebody else left alone"))
        }
        (residue, _) => (Tone::Bad, format!("not taken back: {} still there", words::count(residue, "effect is", "effects are"))),
    }
}

fn nothing_to_take_back(marks: &[Mark]) -> String {
    let why: BTreeSet<String> = marks.iter().flat_map(|mark| &mark.notes).map(|note| words::plain(note)).collect();
    match why.is_empty() {
        true => "nothing to take back".to_owned(),
        false => format!("nothing to take back: {}", why.into_iter().collect::<Vec<_>>().join("; ")),
    }
}

#[cfg(test)]
mod tests;
