//! `show`: tells what a run did and how it stands. It changes nothing.

use super::arguments::Show;
use super::context::Context;
use super::exit::Exit;
use super::failure::CommandFailure;
use super::pick::{self, Found};
use super::{print, standing};
use crate::action::Evidence;
use crate::ids::{RunId, StepId};
use crate::journal::StateFolder;
use crate::record::{BlobRef, Record, What};
use crate::report::json::JsonLine;
use crate::report::paint::Paint;
use crate::report::story::{Hand, Status, StepStory, Story};
use crate::report::summary::Summary;
use crate::report::{lines, sentence, table, words};
use indexmap::IndexMap;
use jiff::tz::TimeZone;

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
        let state = standing::word(row.state, &records);
        match context.is_json() {
            true => print::line(&object(&story, &state)),
            false => print::lines(&told(&story, &state, &context.zone(), context.streams.paint()), context.streams.width),
        }
    }
    Ok(Exit::Succeeded)
}

fn told(story: &Story, state: &str, zone: &TimeZone, paint: Paint) -> Vec<String> {
    let run = story.run.as_ref().map_or("?", |run| run.as_str());
    let opened = story.opened.map(|at| words::date_and_time(at, zone)).unwrap_or_default();
    let simulated = if story.is_simulated { "simulated run" } else { "run" };
    let mut lines = vec![format!("{simulated} {run}, opened {opened}, {}", paint.state(state)), String::new()];
    let rows: Vec<Vec<String>> = story.steps.values().map(|step| row(story, step, paint)).collect();
    lines.extend(table::aligned(&rows).into_iter().map(|line| format!("  {line}")));
    lines.push(String::new());
    let summary = Summary::of(story);
    lines.push(match story.hand {
        Hand::Process => summary.headline.clone(),
        Hand::Nobody | Hand::Elsewhere => paint.headline(&summary.outcome, &summary.headline),
    });
    lines.extend(summary.lines().into_iter().skip(1));
    lines
}

fn row(story: &Story, step: &StepStory, paint: Paint) -> Vec<String> {
    let kind = step.kind.as_ref().map(ToString::to_string).unwrap_or_default();
    let time = step.time().map(words::took).unwrap_or_default();
    let attempts = if step.attempts > 1 { format!("{} attempts", step.attempts) } else { String::new() };
    vec![paint.strong(step.id.as_str()), kind, paint.state(story.word(step)), time, notes(step, attempts)]
}

fn notes(step: &StepStory, attempts: String) -> String {
    let mut notes = vec![attempts];
    match &step.status {
        Status::Skipped(reason) => notes.push(words::skipped(reason)),
        Status::Asking(message) => notes.push(words::plain(message)),
        _ => notes.extend(step.undo_failure.as_ref().or(step.failure.as_ref()).map(words::failure)),
    }
    notes.extend(step.doubts.iter().map(|(key, _)| format!("{} is in doubt", words::effect(key))));
    notes.retain(|note| !note.is_empty());
    notes.join("; ")
}

fn object(story: &Story, state: &str) -> String {
    let step = |step: &StepStory| {
        serde_json::json!({
            "step": step.id, "kind": step.kind, "status": story.word(step), "attempts": step.attempts,
            "millis": step.time().map(|time| time.as_millis() as u64), "failure": step.failure, "undo-failure": step.undo_failure, "marks": step.marks,
        })
    };
    let steps: Vec<_> = story.steps.values().map(step).collect();
    // How far it was rolled back is for people to read in one word with it.
    let (state, in_part) = state.split_once(' ').map_or((state, false), |(state, _)| (state, true));
    serde_json::json!({ "state": state, "in-part": in_part, "simulated": story.is_simulated, "steps": steps, "summary": Summary::of(story) })
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
    let logs = format!("`bowline logs {run} {wanted}` tells what its programs printed");
    if found.is_empty() {
        let failure = CommandFailure::usage(format!(
            "no evidence was kept of `{wanted}` in run {run}: it is kept when a step fails and there is something to look at"
        ));
        let with: Vec<&str> = kept.keys().map(|step| step.as_str()).collect();
        return Err(match with.is_empty() {
            true => failure.hint(logs),
            false => failure.hint(format!("there is evidence for {}; {logs}", with.join(", "))),
        });
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
    if !context.is_json() {
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
mod tests {
    use super::{object, told};
    use crate::record::What;
    use crate::report::paint::Paint;
    use crate::report::samples;
    use crate::report::story::{Hand, Story};
    use jiff::tz::TimeZone;

    fn shown(story: &Story, state: &str) -> String {
        told(story, state, &TimeZone::UTC, Paint::default()).join("\n")
    }

    #[test]
    fn a_run_that_came_undone() {
        insta::assert_snapshot!(shown(&Story::of(&samples::rolled_back()), "rolled-back"), @"
        run 20261121-120300-7f3a, opened 2026-11-21 12:03:00 +00:00, rolled-back

          database  backup            done     1m 01s
          colours   detect-colour     undone   0.3s
          deploy    apply             kept     1.2s
          healthy   wait-healthy      undone   4.2s    image web:v3 of pod web-green-5c9f-x2 cannot be pulled: not found
          smoke     smoke-test        not-run
          switch    switch-ingress    not-run
          retire    scale             not-run
          back      rollback-on-fail  not-run

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
    fn a_run_that_is_stuck() {
        insta::assert_snapshot!(shown(&Story::of(&samples::stuck()), "stuck"), @"
        run 20261121-120300-7f3a, opened 2026-11-21 12:03:00 +00:00, stuck

          database  backup            done     1m 01s  what it did is in doubt
          colours   detect-colour     done     0.3s
          deploy    apply             done     1.2s
          healthy   wait-healthy      done     9.4s
          smoke     smoke-test        done     0.8s
          switch    switch-ingress    residue  30s     the server refused the write: 403 Forbidden
          retire    scale             not-run
          back      rollback-on-fail  not-run

        blue-green in production is stuck after 1m 46s: what it changed could not all be taken back
        switch: waiting for the new side to answer through the ingress
        still there:
          switch: networking.k8s.io/Ingress/production/api: its backend is still web-green; the server refused the write: 403 Forbidden
        not taken back yet, because what is still there needs them: deploy
        in doubt:
          database: a program's end cannot be looked up
        warning: switch: not all evidence could be kept: the server did not answer within 5s
        next:
          bowline resume 20261121-120300-7f3a
              tries again, once you have mended what was in the way
          bowline rollback 20261121-120300-7f3a
              takes back everything, also what `back` does not guard
          bowline abandon 20261121-120300-7f3a
              closes it as it is
        ");
    }

    #[test]
    fn of_a_run_that_lives_it_is_told_what_its_process_can_be_told() {
        insta::assert_snapshot!(shown(&Story::of(&samples::running()).in_hand(Hand::Process), "live"), @"
        run 20261121-120300-7f3a, opened 2026-11-21 12:03:00 +00:00, live

          database  backup            done     1m 01s
          colours   detect-colour     done     0.3s
          deploy    apply             running
          healthy   wait-healthy      waiting
          smoke     smoke-test        waiting
          switch    switch-ingress    waiting
          retire    scale             waiting
          back      rollback-on-fail  waiting

        blue-green in production is under way: 2 steps of 7 done
        next:
          bowline cancel 20261121-120300-7f3a
              stops it, and takes back what it did
          bowline cancel 20261121-120300-7f3a --halt
              stops it where it is
        ");
    }

    #[test]
    fn of_a_run_that_goes_back_it_is_told_how_far_it_is() {
        let records = samples::stuck();
        let undoing = records.iter().position(|record| matches!(record.what, What::UndoStarted { .. })).unwrap();
        insta::assert_snapshot!(shown(&Story::of(&records[..=undoing]).in_hand(Hand::Process), "live"), @"
        run 20261121-120300-7f3a, opened 2026-11-21 12:03:00 +00:00, live

          database  backup            done     1m 01s  what it did is in doubt
          colours   detect-colour     done     0.3s
          deploy    apply             done     1.2s
          healthy   wait-healthy      done     9.4s
          smoke     smoke-test        done     0.8s
          switch    switch-ingress    undoing  30s     waiting for the new side to answer through the ingress
          retire    scale             not-run
          back      rollback-on-fail  not-run

        blue-green in production rolls back what `back` guards: 0 steps taken back, 2 to go
        switch: waiting for the new side to answer through the ingress
        in doubt:
          database: a program's end cannot be looked up
        warning: switch: not all evidence could be kept: the server did not answer within 5s
        next:
          bowline cancel 20261121-120300-7f3a --halt  stops it where it is
        ");
    }

    #[test]
    fn a_run_that_asks_is_told_with_its_answers() {
        let records = samples::rejected();
        let asked = records.iter().position(|record| matches!(record.what, What::ApprovalAsked { .. })).unwrap();
        let json: serde_json::Value = serde_json::from_str(&object(&Story::of(&records[..=asked]).in_hand(Hand::Process), "live")).unwrap();
        let next: Vec<&str> = json["summary"]["next"].as_array().unwrap().iter().map(|next| next["command"].as_str().unwrap()).collect();
        insta::assert_snapshot!(next.join("\n"), @"
        bowline approve 20261121-120300-7f3a colours
        bowline reject 20261121-120300-7f3a colours
        bowline cancel 20261121-120300-7f3a
        bowline cancel 20261121-120300-7f3a --halt
        ");
    }

    #[test]
    fn programs_get_every_step() {
        let json: serde_json::Value = serde_json::from_str(&object(&Story::of(&samples::rolled_back()), "rolled-back")).unwrap();
        assert_eq!(json["steps"][3]["status"], "undone");
        assert_eq!(json["steps"][3]["failure"]["message"], "image web:v3 of pod web-green-5c9f-x2 cannot be pulled");
        assert_eq!(json["summary"]["outcome"], "rolled-back");
    }
}
