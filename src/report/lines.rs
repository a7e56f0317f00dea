//! Plain lines for a display that is no terminal: one line for each thing that happened, with its time and step. It knows no clock of its own.

use super::called::Called;
use super::outlet::{Outlet, locked};
use super::paint::Paint;
use super::sentence::{self, Sentence, Tone};
use super::story::Story;
use super::summary::Summary;
use super::{Display, Now, words};
use crate::event::{Event, Reporter};
use crate::ids::{Moment, StepId};
use crate::record::Record;
use jiff::tz::TimeZone;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

/// What a step waits for is told again no sooner than this: a log is read later, nobody watches it.
const PATIENCE: Duration = Duration::from_secs(10);

/// Writes lines such as `12:03:01 deploy      done in 3.2s`.
pub struct Lines {
    outlet: Outlet,
    zone: TimeZone,
    now: Now,
    /// Only what wants attention is told, and the end.
    is_quiet: bool,
    paint: Paint,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    story: Story,
    told: Told,
    /// The time of the last line: a log whose times go back is read wrongly.
    last: Option<Moment>,
}

/// What each step was last told to do, and when.
type Told = HashMap<StepId, (Moment, String)>;

impl Lines {
    /// Writes to `out`, with times of `zone`.
    pub fn new(out: impl std::io::Write + Send + 'static, zone: TimeZone, now: Now) -> Self {
        Self { outlet: Outlet::new(out), zone, now, is_quiet: false, paint: Paint::default(), state: Mutex::default() }
    }

    /// Its commands say again what was said.
    #[must_use]
    pub fn called(self, called: &Called) -> Self {
        locked(&self.state).story.called = called.clone();
        self
    }

    /// In colours, or in none.
    #[must_use]
    pub fn painted(self, paint: Paint) -> Self {
        Self { paint, ..self }
    }

    /// Tells only what wants attention, and the end.
    #[must_use]
    pub fn quiet(self, is_quiet: bool) -> Self {
        Self { is_quiet, ..self }
    }

    fn say(&self, state: &mut State, at: Moment, sentence: &Sentence) {
        let at = *state.last.insert(state.last.map_or(at, |last| last.max(at)));
        self.outlet.line(line(&state.story, &self.zone, at, sentence, self.paint));
    }

    fn tell(&self, state: &mut State, event: &Event) {
        match event {
            Event::Recorded(record) => {
                let asked = sentence::still_asked(&state.story, record, &self.zone);
                let sentences = sentence::of(&state.story, record, &self.zone).into_iter().chain(asked);
                for sentence in sentences.filter(|sentence| !self.is_quiet || sentence.tone.wants_attention()) {
                    self.say(state, record.at, &sentence);
                }
            }
            Event::Doing { .. } | Event::Line { .. } if self.is_quiet => {}
            Event::Doing { step, text, at } => self.doing(state, step, text, *at),
            Event::Line { step, text, at } => self.say(state, *at, &plain(step, format!("| {}", words::plain(text)))),
            Event::Warning { step, text } | Event::Notice { step, text } => {
                let text = format!("warning: {}", words::plain(&state.story.called.complete(text)));
                self.say(state, (self.now)(), &Sentence { step: step.clone(), tone: Tone::Warn, text });
            }
            Event::Of { .. } | Event::Released { .. } => {}
        }
    }

    fn doing(&self, state: &mut State, step: &StepId, text: &str, at: Moment) {
        let again = state.told.get(step).is_none_or(|(told_at, told)| told != text && at.since(*told_at) >= PATIENCE);
        if again {
            state.told.insert(step.clone(), (at, text.to_owned()));
            self.say(state, at, &plain(step, words::plain(text)));
        }
    }
}

/// One line: time, step in a column of its own, text. What is about the whole run has no step.
pub fn line(story: &Story, zone: &TimeZone, at: Moment, sentence: &Sentence, paint: Paint) -> String {
    let time = paint.faint(&words::time_of_day(at, zone));
    let text = paint.tone(sentence.tone, &sentence.text);
    match &sentence.step {
        Some(step) => format!("{time} {}{text}", named(step, story.column, paint)),
        None => format!("{time} {text}"),
    }
}

/// What stands before the words of a step: its name, in a column of its own.
pub fn named(step: &StepId, column: usize, paint: Paint) -> String {
    format!("{}  ", paint.strong(&format!("{step:column$}")))
}

fn plain(step: &StepId, text: String) -> Sentence {
    Sentence { step: Some(step.clone()), tone: Tone::Plain, text }
}

impl Reporter for Lines {
    fn event(&self, event: &Event) {
        let state = &mut *locked(&self.state);
        state.story.event(event);
        self.tell(state, event);
    }
}

impl Display for Lines {
    fn recall(&self, records: &[Record]) {
        let mut state = locked(&self.state);
        records.iter().for_each(|record| state.story.record(record));
    }

    fn story(&self) -> Story {
        locked(&self.state).story.clone()
    }

    fn close(&self, summary: &Summary, _exit_code: u8) {
        let mut lines = summary.lines();
        if let Some(headline) = lines.first_mut() {
            *headline = self.paint.headline(&summary.outcome, headline);
        }
        lines.into_iter().for_each(|line| self.outlet.line(line));
        self.outlet.close();
    }

    fn leave(&self) {}
}

#[cfg(test)]
mod tests {
    use super::Lines;
    use crate::event::{Event, Reporter};
    use crate::ids::Moment;
    use crate::report::Display;
    use crate::report::outlet::tests::Page;
    use crate::report::samples;
    use crate::report::summary::Summary;
    use jiff::tz::TimeZone;
    use std::sync::Arc;

    #[test]
    fn a_run_is_told_line_by_line() {
        let page = Page::default();
        let lines = Lines::new(page.clone(), TimeZone::UTC, Arc::new(|| Moment::from_millis(samples::OPENED)));
        for record in samples::rolled_back() {
            lines.event(&Event::Recorded(Arc::new(record)));
        }
        lines.close(&Summary::of(&lines.story()), 3);
        insta::assert_snapshot!(page.text(), @"
        12:03:00 run 20261121-120300-7f3a of blue-green in production: 7 steps
        12:03:00 database  started
        12:04:01 database  done in 1m 01s
        12:04:01 colours   started
        12:04:01 colours   done in 0.3s
        12:04:01 deploy    started
        12:04:02 deploy    done in 1.2s
        12:04:02 healthy   started
        12:04:06 healthy   failed: image web:v3 of pod web-green-5c9f-x2 cannot be pulled: not found
        12:04:06 rolling back what `back` guards, within 5m, because healthy failed
        12:04:06 healthy   evidence kept: `bowline show 20261121-120300-7f3a --evidence healthy`
        12:04:06 healthy   taking it back
        12:04:06 healthy   nothing to take back
        12:04:06 deploy    taking it back
        12:04:08 deploy    taken back in 2.1s; 1 change by somebody else left alone
        12:04:08 colours   taking it back
        12:04:08 colours   nothing to take back
        12:04:08 what must hold after the rollback holds
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
    fn what_was_told_before_is_not_told_again() {
        let page = Page::default();
        let lines = Lines::new(page.clone(), TimeZone::UTC, Arc::new(|| Moment::from_millis(samples::OPENED)));
        let records = samples::halted();
        lines.recall(&records);
        lines.event(&Event::Recorded(Arc::new(samples::resumed(records.len()))));
        lines.close(&Summary::of(&lines.story()), 5);
        insta::assert_snapshot!(page.text(), @"
        12:04:30 resumed by ops@ci-7 (process 5000)
        blue-green in production has not ended: it was going back
        next:
          bowline resume 20261121-120300-7f3a    goes on taking back what was done
          bowline rollback 20261121-120300-7f3a  takes back what was done
          bowline abandon 20261121-120300-7f3a   closes it as it is
        ");
    }

    #[test]
    fn what_a_step_waits_for_is_told_when_it_changes_but_not_too_often_and_times_never_go_back() {
        let page = Page::default();
        let lines = Lines::new(page.clone(), TimeZone::UTC, Arc::new(|| Moment::from_millis(samples::OPENED)));
        let after = |second: i64| Moment::from_millis(samples::OPENED + 70_000 + second * 1_000);
        samples::running().into_iter().for_each(|record| lines.event(&Event::Recorded(Arc::new(record))));
        for (second, text) in [(0, "1 of 3 ready"), (1, "2 of 3 ready"), (11, "2 of 3 ready"), (30, "2 of 3 ready"), (31, "\u{1b}[2Jall")] {
            lines.event(&Event::Doing { step: samples::id("deploy"), text: text.to_owned(), at: after(second) });
        }
        lines.event(&Event::Line { step: samples::id("deploy"), text: "hello".to_owned(), at: after(32) });
        lines.event(&Event::Warning { step: None, text: "the clock jumped".to_owned() });
        lines.outlet.close();
        insta::assert_snapshot!(page.text(), @"
        12:03:00 run 20261121-120300-7f3a of blue-green in production: 7 steps
        12:03:00 database  started
        12:04:01 database  done in 1m 01s
        12:04:01 colours   started
        12:04:01 colours   done in 0.3s
        12:04:01 deploy    started
        12:04:10 deploy    1 of 3 ready
        12:04:21 deploy    2 of 3 ready
        12:04:41 deploy    all
        12:04:42 deploy    | hello
        12:04:42 warning: the clock jumped
        ");
    }
}
