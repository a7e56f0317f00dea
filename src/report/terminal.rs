//! Draws the live display: lines that move at the bottom, what is finished scrolls up. The one file that knows indicatif; it owns no thread.

use super::called::Called;
use super::live::{self, Room};
use super::sentence::{self, Sentence, Tone};
use super::story::Story;
use super::wrap::{clipped, wrap, wrap_behind};
use super::{Now, words};
use crate::event::Event;
use crate::ids::Moment;
use console::{Style, truncate_str};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};
use jiff::tz::TimeZone;

/// How a live display looks.
#[derive(Clone)]
pub struct Look {
    /// False when the person wants no colours.
    pub colour: bool,
    /// The zone of the times.
    pub zone: TimeZone,
    /// What the commands that are told must say again.
    pub called: Called,
}

/// Draws, on whatever thread it is.
pub(super) struct Painter {
    pub(super) story: Story,
    bars: MultiProgress,
    bar: ProgressBar,
    term: Box<dyn TermLike + Send>,
    size: Box<dyn Fn() -> Room + Send>,
    look: Look,
    now: Now,
    /// The time of the last line that stays: times that go back are read wrongly.
    last: Option<Moment>,
}

impl Painter {
    /// Draws on standard error, which must be a terminal.
    pub(super) fn on_standard_error(look: Look, now: Now) -> Self {
        let size = || {
            let (height, width) = console::Term::stderr().size();
            Room { width: width.into(), height: height.into() }
        };
        Self::new(ProgressDrawTarget::stderr(), Box::new(console::Term::stderr()), Box::new(size), look, now)
    }

    fn new(target: ProgressDrawTarget, term: Box<dyn TermLike + Send>, size: Box<dyn Fn() -> Room + Send>, look: Look, now: Now) -> Self {
        let bars = MultiProgress::with_draw_target(target);
        let style = ProgressStyle::with_template("{msg}").expect("the template is well formed");
        let bar = bars.add(ProgressBar::new_spinner().with_style(style));
        let story = Story::default().called(&look.called);
        Self { story, bars, bar, term, size, look, now, last: None }
    }

    /// Takes an event in, and prints what is to stay.
    pub(super) fn event(&mut self, event: &Event) {
        self.story.event(event);
        match event {
            Event::Recorded(record) => {
                let asked = sentence::still_asked(&self.story, record, &self.look.zone);
                for sentence in sentence::of(&self.story, record, &self.look.zone).into_iter().chain(asked) {
                    self.tell(record.at, &sentence);
                }
            }
            Event::Line { step, text, at } => {
                let text = format!("| {}", words::plain(text));
                self.tell(*at, &Sentence { step: Some(step.clone()), tone: Tone::Plain, text });
            }
            Event::Warning { step, text } | Event::Notice { step, text } => {
                let text = words::plain(&self.story.called.complete(text));
                self.tell((self.now)(), &Sentence { step: step.clone(), tone: Tone::Warn, text });
            }
            Event::Doing { .. } | Event::Of { .. } | Event::Released { .. } => {}
        }
    }

    /// Prints a line above the moving ones. Beginnings are not told: the moving line shows them.
    fn tell(&mut self, at: Moment, sentence: &Sentence) {
        let at = *self.last.insert(self.last.map_or(at, |last| last.max(at)));
        let mark = match sentence.tone {
            Tone::Begin => return,
            Tone::Good => self.style(Style::new().green()).apply_to('✓'),
            Tone::Plain => self.style(Style::new().dim()).apply_to('·'),
            Tone::Warn => self.style(Style::new().yellow()).apply_to('!'),
            Tone::Bad => self.style(Style::new().red().bold()).apply_to('✗'),
        };
        let room = (self.size)();
        let column = if room.is_narrow() { 0 } else { self.story.column };
        let name = sentence.step.as_ref().map(|step| format!("{step:column$} ")).unwrap_or_default();
        let time = match room.width {
            0..80 => String::new(),
            _ => format!("{} ", words::time_of_day(at, &self.look.zone)),
        };
        let before = time.chars().count() + 2 + name.chars().count();
        // Beside the names there is room for a column, unless the terminal is narrow.
        let indent = if room.is_narrow() { 2 } else { before };
        let text = wrap_behind(&sentence.text, before, indent, room.wraps_at()).join("\n");
        let styled = |style: Style, text: String| if text.is_empty() { text } else { self.style(style).apply_to(text).to_string() };
        let (time, name) = (styled(Style::new().dim(), time), styled(Style::new().bold(), name));
        self.print(&format!("{time}{mark} {name}{text}"));
    }

    fn print(&self, line: &str) {
        // An error means that the terminal is gone; the run goes on.
        let _gone = self.bars.println(line);
    }

    fn style(&self, style: Style) -> Style {
        style.force_styling(self.look.colour)
    }

    /// Draws the moving lines anew.
    pub(super) fn draw(&self) {
        let room = (self.size)();
        let lines = live::screen(&self.story, (self.now)(), room, &self.look.zone);
        // Signs that fill two columns are few, and the terminal must break none of their lines either.
        let cut = |line: &String| truncate_str(&clipped(line, room.wraps_at()), room.wraps_at(), "…").into_owned();
        let mut lines: Vec<String> = lines.iter().map(cut).collect();
        if let Some(header) = lines.first_mut() {
            *header = self.style(Style::new().bold()).apply_to(&*header).to_string();
        }
        self.bar.set_message(lines.join("\n"));
        self.bar.tick();
    }

    /// Takes the moving lines away.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }

    /// Runs something that writes to the terminal while the moving lines are away.
    pub(super) fn aside(&self, write: Box<dyn FnOnce() + Send>) {
        self.bars.suspend(write);
    }

    /// Takes the moving lines away and prints the summary.
    pub(super) fn close(&self, lines: &[String], good: bool) {
        self.bar.finish_and_clear();
        let colour = if good { Style::new().green().bold() } else { Style::new().red().bold() };
        let room = (self.size)();
        for (index, line) in lines.iter().enumerate() {
            for line in wrap(line, room.wraps_at()) {
                let line = if index == 0 { self.style(colour.clone()).apply_to(line).to_string() } else { line };
                // What is printed above moving lines is padded and has no end, which a prompt or a copy of the text would meet.
                let _gone = self.term.write_line(&line);
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{Look, Painter};
    use crate::event::Event;
    use crate::ids::Moment;
    use crate::record::Record;
    use crate::report::called::Called;
    use crate::report::live::Room;
    use crate::report::samples;
    use crate::report::summary::Summary;
    use indicatif::{InMemoryTerm, ProgressDrawTarget};
    use jiff::tz::TimeZone;
    use std::sync::Arc;

    pub(in crate::report) fn painter(term: &InMemoryTerm, width: u16, colour: bool) -> Painter {
        let room = Room { width: width.into(), height: 24 };
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(term.clone()), 200);
        let now = Arc::new(|| Moment::from_millis(samples::OPENED + 75_000));
        Painter::new(
            target,
            Box::new(term.clone()),
            Box::new(move || room),
            Look { colour, zone: TimeZone::UTC, called: Called::default() },
            now,
        )
    }

    fn play(painter: &mut Painter, records: Vec<Record>) {
        records.into_iter().for_each(|record| painter.event(&Event::Recorded(Arc::new(record))));
    }

    fn at_work(width: u16) -> String {
        let term = InMemoryTerm::new(24, width);
        let mut painter = painter(&term, width, false);
        play(&mut painter, samples::running());
        let text = "waiting for Deployment web-green: 1 of 3 ready, pod web-green-5c9f-x2 is pulling its image".to_owned();
        painter.event(&Event::Doing { step: samples::id("deploy"), text, at: Moment::from_millis(0) });
        painter.draw();
        term.contents()
    }

    #[test]
    fn a_wide_terminal_has_times_and_columns() {
        insta::assert_snapshot!(at_work(100), @"
        12:03:00 · run 20261121-120300-7f3a of blue-green in production: 7 steps
        12:04:01 ✓ database done in 1m 01s
        12:04:01 ✓ colours  done in 0.3s
        blue-green 1m 15s: 2/7 done, 1 running
        ⠴ deploy   13s waiting for Deployment web-green: 1 of 3 ready, pod web-green-5c9f-x2 is pulling …
        ");
    }

    #[test]
    fn a_narrow_terminal_has_every_line_cut_and_nothing_wrapped() {
        insta::assert_snapshot!(at_work(40), @"
        · run 20261121-120300-7f3a of
          blue-green in production: 7 steps
        ✓ database done in 1m 01s
        ✓ colours done in 0.3s
        blue-green 1m 15s: 2/7 done, 1 running
        ⠴ deploy   13s waiting for Deployment…
        ");
    }

    #[test]
    fn at_the_end_only_what_was_told_stays() {
        let term = InMemoryTerm::new(40, 120);
        let mut painter = painter(&term, 120, false);
        play(&mut painter, samples::rolled_back());
        painter.close(&Summary::of(&painter.story).lines(), false);
        insta::assert_snapshot!(term.contents(), @"
        12:03:00 · run 20261121-120300-7f3a of blue-green in production: 7 steps
        12:04:01 ✓ database done in 1m 01s
        12:04:01 ✓ colours  done in 0.3s
        12:04:02 ✓ deploy   done in 1.2s
        12:04:06 ✗ healthy  failed: image web:v3 of pod web-green-5c9f-x2 cannot be pulled: not found
        12:04:06 ✗ rolling back what `back` guards, within 5m, because healthy failed
        12:04:06 · healthy  evidence kept: `bowline show 20261121-120300-7f3a --evidence healthy`
        12:04:06 ✓ healthy  nothing to take back
        12:04:08 ! deploy   taken back in 2.1s; 1 change by somebody else left alone
        12:04:08 ✓ colours  nothing to take back
        12:04:08 ✓ what must hold after the rollback holds
        blue-green in production was rolled back after 1m 08s: what `back` guards is as it was, but for what somebody else
            changed
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
    fn no_colour_means_no_colour() {
        let colours = |colour| {
            let term = InMemoryTerm::new(24, 100);
            let mut painter = painter(&term, 100, colour);
            play(&mut painter, samples::rolled_back());
            // Green, after the dim of the time.
            String::from_utf8_lossy(&term.contents_formatted()).contains("\u{1b}[32;22m✓")
        };
        assert!(!colours(false));
        assert!(colours(true));
    }
}
