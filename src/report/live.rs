//! What a live display shows while a run is under way: a header and one line for each step at work. Pure; it draws nothing.

use super::story::{Portion, Status, StepStory, Story};
use super::words;
use crate::ids::Moment;
use crate::record::{CancelLevel, RetryPolicy, Role};
use jiff::tz::TimeZone;
use std::time::Duration;

const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/// How long one picture of the spinner stands.
pub const FRAME: Duration = Duration::from_millis(120);

/// The room that a live display has.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Columns.
    pub width: usize,
    /// Lines.
    pub height: usize,
}

impl Room {
    /// The columns that a line may fill. The last one stays free: a full line makes some terminals wrap.
    pub fn wraps_at(&self) -> usize {
        self.width.saturating_sub(1).max(1)
    }

    /// How many of the steps at work get a line. What was told of the others stays readable above: the moving lines take half of the
    /// height, with their header and how many steps they leave out.
    fn most_steps(&self, live: usize) -> usize {
        let lines = (self.height / 2).max(3);
        if live < lines { live } else { lines - 2 }
    }

    /// True where there is no room for columns, and little for words.
    pub fn is_narrow(&self) -> bool {
        self.width < 60
    }
}

/// How the line of a step looks.
struct Look<'z> {
    /// Columns of the steps' names.
    column: usize,
    is_narrow: bool,
    zone: &'z TimeZone,
}

/// The lines of the live display, not yet cut to the room's width.
pub fn screen(story: &Story, now: Moment, room: Room, zone: &TimeZone) -> Vec<String> {
    if story.run.is_none() || story.ending.is_some() {
        return Vec::new();
    }
    let mut live: Vec<&StepStory> = story.steps.values().filter(|step| step.status.is_live() && step.role != Role::Guard).collect();
    let most = room.most_steps(live.len());
    if live.len() > most {
        // Nobody must look for the question that a run waits for.
        live.sort_by_key(|step| !matches!(step.status, Status::Asking(_)));
    }
    let names = live.iter().take(most).map(|step| step.id.as_str().len()).max().unwrap_or(0);
    let look = Look { column: if room.is_narrow() { 0 } else { names }, is_narrow: room.is_narrow(), zone };
    let mut lines = vec![header(story, now)];
    lines.extend(live.iter().take(most).map(|step| line(story, step, now, &look)));
    if live.len() > most {
        lines.push(format!("  and {} more", live.len() - most));
    }
    lines
}

fn header(story: &Story, now: Moment) -> String {
    let counts = story.counts();
    let plan = story.plan.as_ref().map_or("the run", |plan| plan.as_str());
    let time = words::took(story.opened.map_or(Duration::ZERO, |opened| now.since(opened)));
    let mut parts = vec![format!("{}/{} done", counts.done, counts.all)];
    let mut add = |number: usize, word: &str| {
        if number > 0 {
            parts.push(format!("{number} {word}"));
        }
    };
    add(counts.running, if story.rollback.is_some() { "under way" } else { "running" });
    add(counts.failed, "failed");
    add(counts.undone, "taken back");
    let state = match (&story.cancel, &story.rollback) {
        (Some((CancelLevel::Halt, _)), _) => " halting,",
        (_, Some(_)) => " going back,",
        (Some(_), None) => " stopping,",
        (None, None) => "",
    };
    format!("{plan} {time}:{state} {}", parts.join(", "))
}

fn line(story: &Story, step: &StepStory, now: Moment, look: &Look<'_>) -> String {
    let frame = now.as_millis().unsigned_abs() / FRAME.as_millis() as u64;
    let spinner = SPINNER[usize::try_from(frame).unwrap_or(0) % SPINNER.len()];
    let since = if is_going_back(step) { step.undo_started } else { step.started };
    let time = words::took(since.map_or(Duration::ZERO, |since| now.since(since)));
    format!("{spinner} {:column$} {time:>5} {}", step.id, activity(story, step, now, look), column = look.column)
}

fn is_going_back(step: &StepStory) -> bool {
    matches!(step.status, Status::Undoing | Status::UndoBackoff(_))
}

/// What a step does or waits for.
fn activity(story: &Story, step: &StepStory, now: Moment, look: &Look<'_>) -> String {
    let left = |until: &Moment| words::took(until.since(now));
    let why = |failure: &Option<crate::record::Failure>| failure.as_ref().map(words::failure).unwrap_or_default();
    match &step.status {
        // How it is answered was told when it was asked: a command that is cut is copied wrongly.
        Status::Asking(message) => {
            let time = story.answer_by(step).map(|by| format!(", {} left", left(&by))).unwrap_or_default();
            format!("asks{time}: {}", words::plain(message))
        }
        Status::Pausing(until) if look.is_narrow => format!("pausing, {} left", left(until)),
        Status::Pausing(until) => format!("pausing until {}, {} left", words::time_of_day(*until, look.zone), left(until)),
        Status::Backoff(until) => format!("attempt {} in {}: {}", step.attempts + 1, left(until), why(&step.failure)),
        Status::UndoBackoff(until) if look.is_narrow => format!("undo again in {}: {}", left(until), why(&step.undo_failure)),
        Status::UndoBackoff(until) => format!("taking it back again in {}: {}", left(until), why(&step.undo_failure)),
        _ => work(story, step),
    }
}

fn work(story: &Story, step: &StepStory) -> String {
    let kind = step.kind.as_ref().map_or("working", |kind| kind.as_str());
    let mut text = step.doing.as_deref().map_or_else(|| kind.to_owned(), words::plain);
    if let Some(Portion { done, total, unit }) = &step.of {
        text = format!("{} {text}", words::of(*done, *total, &words::plain(unit)));
    }
    if is_going_back(step) {
        return format!("taking back: {text}");
    }
    match policy(story, step) {
        _ if step.attempts < 2 => text,
        Some(policy) if policy.attempts >= step.attempts => format!("attempt {} of {}: {text}", step.attempts, policy.attempts),
        _ => format!("attempt {}: {text}", step.attempts),
    }
}

fn policy<'a>(story: &'a Story, step: &StepStory) -> Option<&'a RetryPolicy> {
    let steps = &story.graph.as_ref()?.steps;
    steps.iter().find(|summary| summary.id == step.id).map(|summary| &summary.retry)
}

#[cfg(test)]
mod tests {
    use super::{Room, screen};
    use crate::event::Event;
    use crate::ids::Moment;
    use crate::record::{Record, What};
    use crate::report::samples;
    use crate::report::story::Story;
    use jiff::tz::TimeZone;
    use std::sync::Arc;

    const WIDE: Room = Room { width: 100, height: 24 };

    fn shown(story: &Story, second: i64, room: Room) -> String {
        screen(story, Moment::from_millis(samples::OPENED + second * 1_000), room, &TimeZone::UTC).join("\n")
    }

    #[test]
    fn a_step_at_work_tells_what_it_waits_for() {
        let mut story = Story::of(&samples::running());
        story.event(&Event::Doing {
            step: samples::id("deploy"),
            text: "waiting for Deployment web-green: 1 of 3 ready".to_owned(),
            at: Moment::from_millis(0),
        });
        story.event(&Event::Of { step: samples::id("deploy"), done: 2, total: 5, unit: "objects".to_owned() });
        insta::assert_snapshot!(shown(&story, 75, WIDE), @"
        blue-green 1m 15s: 2/7 done, 1 running
        ⠴ deploy   13s 2/5 objects waiting for Deployment web-green: 1 of 3 ready
        ");
    }

    #[test]
    fn a_retry_tells_when_and_why() {
        let records = samples::succeeded();
        let failed =
            records.iter().position(|record| matches!(&record.what, What::AttemptEnded { step, .. } if step.as_str() == "smoke")).unwrap();
        insta::assert_snapshot!(shown(&Story::of(&records[..=failed]), 74, WIDE), @"
        blue-green 1m 14s: 4/7 done, 1 running
        ⠦ smoke  2.0s attempt 2 in 0.9s: GET /api/v1/streams/active answered in 350ms, expected 200ms
        ");
        insta::assert_snapshot!(shown(&Story::of(&records[..=failed + 1]), 76, WIDE), @"
        blue-green 1m 16s: 4/7 done, 1 running
        ⠸ smoke  4.0s attempt 2 of 3: smoke-test
        ");
    }

    #[test]
    fn going_back_and_asking_have_words_of_their_own() {
        let until = |records: Vec<Record>, wanted: fn(&What) -> bool| {
            let at = records.iter().position(|record| wanted(&record.what)).unwrap();
            Story::of(&records[..=at])
        };
        let undoing = until(samples::rolled_back(), |what| matches!(what, What::UndoStarted { step, .. } if step.as_str() == "deploy"));
        insta::assert_snapshot!(shown(&undoing, 70, WIDE), @"
        blue-green 1m 10s: going back, 2/7 done, 1 under way, 1 taken back
        ⠸ deploy  3.2s taking back: apply
        ");
        let asking = until(samples::rejected(), |what| matches!(what, What::ApprovalAsked { .. }));
        insta::assert_snapshot!(shown(&asking, 70, WIDE), @"
        blue-green 1m 10s: 1/7 done, 1 running
        ⠸ colours  8.9s asks: Move production to v3?
        ");
        let mut records = samples::rejected()[..5].to_vec();
        if let What::RunOpened { graph, .. } = &mut records[0].what {
            Arc::make_mut(graph).steps[1].timeout = Some(crate::ids::Period(std::time::Duration::from_secs(900)));
        }
        insta::assert_snapshot!(shown(&Story::of(&records), 70, WIDE), @"
        blue-green 1m 10s: 1/7 done, 1 running
        ⠸ colours  8.9s asks, 14m 51s left: Move production to v3?
        ");
        let halting =
            until(samples::halted(), |what| matches!(what, What::CancelRequested { level: crate::record::CancelLevel::Halt, .. }));
        insta::assert_snapshot!(shown(&halting, 70, WIDE), @"
        blue-green 1m 10s: halting, 2/7 done, 1 running
        ⠸ deploy  8.6s apply
        ");
    }

    #[test]
    fn more_steps_than_lines_are_counted() {
        let steps = (0..30).map(|n| samples::step(&format!("s{n}"), "shell", crate::record::Reversibility::Irreversible, &[])).collect();
        let mut journal = samples::Journal::of(samples::graph(steps, Vec::new()));
        for n in 0..30 {
            journal.begin(&format!("s{n}"), 1);
        }
        insta::assert_snapshot!(shown(&Story::of(&journal.records), 3, Room { width: 40, height: 6 }), @"
        blue-green 3.0s: 0/30 done, 30 running
        ⠴ s0  3.0s shell
          and 29 more
        ");
        let tall = shown(&Story::of(&journal.records), 3, Room { width: 40, height: 24 });
        assert_eq!(tall.lines().count(), 12, "{tall}");
        assert!(tall.ends_with("s9  3.0s shell\n  and 20 more"), "{tall}");
        assert_eq!(shown(&Story::of(&journal.records), 3, Room { width: 40, height: 62 }).lines().count(), 31);
        assert_eq!(shown(&Story::of(&journal.records), 3, Room { width: 40, height: 61 }).lines().count(), 30);
        assert!(shown(&Story::of(&journal.records), 3, Room { width: 40, height: 0 }).ends_with("and 29 more"));
    }

    #[test]
    fn a_question_is_seen_however_many_steps_are_at_work() {
        let step = |id: &str| samples::step(id, "shell", crate::record::Reversibility::Irreversible, &[]);
        let mut steps: Vec<_> = (0..30).map(|n| step(&format!("s{n}"))).collect();
        steps.push(samples::step("ask", "approve", crate::record::Reversibility::ReadOnly, &[]));
        let mut journal = samples::Journal::of(samples::graph(steps, Vec::new()));
        for n in 0..30 {
            journal.begin(&format!("s{n}"), 1);
        }
        journal.write(What::ApprovalAsked { step: samples::id("ask"), message: "Go on?".to_owned() });
        let seen = shown(&Story::of(&journal.records), 3, Room { width: 40, height: 12 });
        assert!(seen.lines().nth(1).is_some_and(|line| line.contains("asks: Go on?")), "{seen}");
    }

    #[test]
    fn nothing_is_live_once_the_run_is_over() {
        assert_eq!(shown(&Story::of(&samples::rolled_back()), 90, WIDE), "");
    }
}
