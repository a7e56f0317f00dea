//! `show`: tells what a run did and how it stands. It changes nothing.

use super::arguments::Show;
use super::context::Context;
use super::exit::Exit;
use super::failure::CommandFailure;
use super::pick::{self, Found};
use super::standing::{self, Standing};
use super::{chosen, print};
use crate::action::Evidence;
use crate::ids::{RunId, StepId};
use crate::journal::StateFolder;
use crate::record::{BlobRef, Outcome, Record, What};
use crate::report::json::JsonLine;
use crate::report::paint::Paint;
use crate::report::story::{Hand, Status, StepStory, Story};
use crate::report::summary::Summary;
use crate::report::{lines, sentence, table, words};
use indexmap::IndexMap;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

/// Tells a run.
///
/// # Errors
/// When there is no such run, or what is asked of it is not there.
pub fn show(context: &Context, arguments: &Show) -> Result<Exit, CommandFailure> {
    let Found { folder, run } = pick::run_to_show(context, arguments.run.run.as_deref())?;
    let looking = |refused| CommandFailure::of_looking(&refused);
    let records = folder.records(&run).map_err(looking)?;
    if let Some(step) = &arguments.evidence {
        evidence(context, &folder, &run, &records, step)?;
    } else if arguments.log {
        log(context, &records);
    } else {
        let row = folder.run(&run).map_err(looking)?;
        let story = standing::story(&row, &records).called(&context.called);
        let standing = Standing::of(row.state, story.is_simulated, &records);
        let inputs = chosen::inputs(context, &folder, &run, &records);
        match context.is_json() {
            true => print::line(&object(&story, standing, inputs.as_ref().ok())),
            false => {
                let inputs = inputs.map(|inputs| chosen::told(&inputs)).unwrap_or_else(|failure| format!("unknown: {}", failure.message));
                print::lines(&told(&story, standing, &inputs, &context.zone(), context.streams.paint()), context.streams.width);
            }
        }
    }
    Ok(Exit::Succeeded)
}

fn told(story: &Story, standing: Standing, inputs: &str, zone: &TimeZone, paint: Paint) -> Vec<String> {
    let run = story.run.as_ref().map_or("?", |run| run.as_str());
    let opened = story.opened.map(|at| words::date_and_time(at, zone)).unwrap_or_default();
    let place = story.environment.as_ref().map(|environment| format!(" in {environment}")).unwrap_or_default();
    let plan = story.plan.as_ref().map(|plan| format!(" of {plan}")).unwrap_or_default();
    let mut lines = vec![format!("run {run}{plan}{place}, opened {opened}, {}", paint.state(&standing.to_string()))];
    if !inputs.is_empty() {
        lines.push(format!("inputs: {inputs}"));
    }
    lines.push(String::new());
    let summary = Summary::of(story);
    let explained = summary.explained();
    let has_succeeded = story.ending.as_ref().is_some_and(|ending| ending.outcome == Outcome::Succeeded);
    let is_explained = |step: &StepStory| has_succeeded || explained.contains(&step.id);
    let rows: Vec<Vec<String>> = story.steps.values().map(|step| row(story, step, is_explained(step), zone, paint)).collect();
    lines.extend(table::aligned(&rows).into_iter().map(|line| format!("  {line}")));
    lines.push(String::new());
    lines.push(match story.hand {
        Hand::Process => summary.headline.clone(),
        Hand::Nobody | Hand::Elsewhere => paint.headline(&summary.outcome, &summary.headline),
    });
    lines.extend(summary.lines().into_iter().skip(1));
    lines
}

/// Why it failed stands in the row only where nothing below the table explains it.
fn row(story: &Story, step: &StepStory, is_explained: bool, zone: &TimeZone, paint: Paint) -> Vec<String> {
    let kind = step.kind.as_ref().map(ToString::to_string).unwrap_or_default();
    let time = step.time().map(words::took).unwrap_or_default();
    let attempts = if step.attempts > 1 { format!("{} attempts", step.attempts) } else { String::new() };
    vec![paint.strong(step.id.as_str()), kind, paint.state(story.word(step)), time, notes(story, step, is_explained, attempts, zone)]
}

fn notes(story: &Story, step: &StepStory, is_explained: bool, attempts: String, zone: &TimeZone) -> String {
    let mut notes = vec![attempts];
    match &step.status {
        Status::Skipped(reason) => notes.push(words::skipped(reason)),
        Status::Asking(message) => {
            let terms = story.terms(step, zone).map(|terms| format!(" (answer {terms})")).unwrap_or_default();
            notes.push(format!("{}{terms}", words::plain(message)));
        }
        Status::Running | Status::Undoing if story.is_left() => notes.push("was at work when its bowline ended".to_owned()),
        _ if is_explained => {}
        _ => notes.extend(step.undo_failure.as_ref().or(step.failure.as_ref()).map(words::failure)),
    }
    notes.extend(step.doubts.iter().map(|(key, _)| match words::effect(key) {
        words::ALL => "in doubt".to_owned(),
        effect => format!("{effect} is in doubt"),
    }));
    notes.retain(|note| !note.is_empty());
    notes.join("; ")
}

/// The inputs are none where they cannot be read.
fn object(story: &Story, standing: Standing, inputs: Option<&Map<String, Value>>) -> String {
    let step = |step: &StepStory| {
        serde_json::json!({
            "step": step.id, "kind": step.kind, "status": story.word(step), "attempts": step.attempts,
            "millis": step.time().map(|time| time.as_millis() as u64), "answer-by": story.answer_by(step), "failure": step.failure, "undo-failure": step.undo_failure, "marks": step.marks,
        })
    };
    let steps: Vec<_> = story.steps.values().map(step).collect();
    let Standing { state, is_in_part, is_simulated } = standing;
    serde_json::json!({
        "run": story.run, "plan": story.plan, "opened": story.opened, "state": state.to_string(), "in-part": is_in_part, "simulated": is_simulated, "environment": story.environment, "inputs": inputs,
        "steps": steps, "summary": Summary::of(story),
    })
    .to_string()
}

/// Everything that happened, as the displays tell it.
fn log(context: &Context, records: &[Record]) {
    let mut story = Story::default().called(&context.called);
    for record in records {
        story.record(record);
        let sentence = sentence::of(&story, record, &context.zone());
        if context.is_json() {
            let (step, text) = sentence.map(|sentence| (sentence.step, sentence.text)).unzip();
            let line = JsonLine::Record { step: step.flatten(), text, record: record.clone() };
            print::line(&line.to_text());
        } else if let Some(sentence) = sentence {
            print::line(&lines::line(&story, &context.zone(), record.at, &sentence, context.streams.paint()));
        }
    }
}

/// What was seen when a step failed; of a step that is there for each item, when any of them did.
fn evidence(context: &Context, folder: &StateFolder, run: &RunId, records: &[Record], wanted: &StepId) -> Result<(), CommandFailure> {
    let story = Story::of(records);
    if !story.steps.keys().any(|step| wanted.stands_for(step)) {
        return Err(CommandFailure::usage(format!("run {run} has no step `{wanted}`")).hint(format!("`bowline show {run}` lists them")));
    }
    let kept = kept(records);
    let found: Vec<(&StepId, &BlobRef)> =
        kept.iter().filter(|(step, _)| wanted.stands_for(step)).map(|(step, blob)| (*step, *blob)).collect();
    let is_kept = |record: &Record| matches!(&record.what, What::LinesKept { step, .. } if wanted.stands_for(step));
    let logs = records.iter().any(is_kept).then(|| format!("`bowline logs {run} {wanted}` tells what its programs printed"));
    if found.is_empty() {
        let failure = CommandFailure::usage(format!(
            "no evidence was kept of `{wanted}` in run {run}: it is kept when a step fails and there is something to look at"
        ));
        let with: Vec<&str> = kept.keys().map(|step| step.as_str()).collect();
        let others = (!with.is_empty()).then(|| format!("there is evidence for {}", with.join(", ")));
        let hints: Vec<String> = others.into_iter().chain(logs).collect();
        return Err(if hints.is_empty() { failure } else { failure.hint(hints.join("; ")) });
    }
    let looking = |refused| CommandFailure::of_looking(&refused);
    let reader = folder.reader(run).map_err(looking)?;
    for (step, blob) in found {
        let bytes = reader.open(blob)?;
        if context.is_json() {
            print::line(&String::from_utf8_lossy(&bytes));
            continue;
        }
        let pieces: Vec<Evidence> =
            serde_json::from_slice(&bytes).map_err(|error| CommandFailure::usage("the evidence cannot be read").because(&error))?;
        let whose = if step == wanted { String::new() } else { format!("{step}: ") };
        pieces.iter().for_each(|piece| tell(&whose, piece));
    }
    if let (Some(logs), false) = (logs, context.is_json()) {
        print::notices(&[context.called.complete(&logs)], context.streams);
    }
    Ok(())
}

fn tell(whose: &str, piece: &Evidence) {
    print::line(&format!("== {whose}{}", words::plain(&piece.title)));
    piece.text.lines().for_each(|line| print::line(&words::plain(line)));
    print::line("");
}

/// The last evidence of each step that has some.
fn kept(records: &[Record]) -> IndexMap<&StepId, &BlobRef> {
    let kept = records.iter().filter_map(|record| match &record.what {
        What::EvidenceKept { step, evidence: Some(evidence), .. } => Some((step, evidence)),
        _ => None,
    });
    kept.collect()
}

#[cfg(test)]
mod tests;
