//! `logs`: tells what the programs of a run's steps printed, as far as the journal keeps it. It changes nothing.

use super::arguments::Logs;
use super::context::Context;
use super::exit::Exit;
use super::failure::CommandFailure;
use super::pick::{self, Found};
use super::print;
use crate::ids::{RunId, StepId};
use crate::journal::{JournalError, RunReader, RunState, StateFolder};
use crate::record::{AttemptResult, BlobRef, Record, UndoResult, What};
use crate::report::json::JsonLine;
use crate::report::lines;
use crate::report::story::Story;
use crate::report::words;
use indexmap::IndexMap;
use std::collections::HashSet;
use std::time::Duration;

/// How often it is looked whether something was kept since. A run keeps what a program printed when that ends, not as it prints.
const LOOK: Duration = Duration::from_millis(300);

/// Tells what was printed.
///
/// # Errors
/// When there is no such run or step, or its key is not at hand.
pub async fn logs(context: &Context, arguments: &Logs) -> Result<Exit, CommandFailure> {
    let looking = |refused| CommandFailure::of_looking(&refused);
    let Found { folder, run } = pick::run_to_show(context, arguments.run.run.as_deref())?;
    let (mut told, mut known) = (Told::default(), None);
    loop {
        // How it stands is looked up first: of a run that rests by then every record is there.
        let row = folder.run(&run).map_err(looking)?;
        let goes_on = arguments.follow && row.state == RunState::Live;
        if known.replace(row.records) != Some(row.records) || !goes_on {
            let records = folder.records(&run).map_err(looking)?;
            let story = Story::of(&records);
            known_step(&story, &run, arguments.step.as_ref())?;
            let page = Page { context, column: story.column, wanted: arguments.step.as_ref(), state: row.state };
            told.tell(&page, &tries(&records), &folder, &run)?;
        }
        if !goes_on {
            told.if_nothing(context, &run, arguments.step.as_ref());
            return Ok(Exit::Succeeded);
        }
        if !print::is_read() {
            // `logs -f | head` has seen enough.
            return Ok(Exit::Succeeded);
        }
        context.ports.clock.sleep(LOOK).await;
    }
}

fn known_step(story: &Story, run: &RunId, wanted: Option<&StepId>) -> Result<(), CommandFailure> {
    match wanted.filter(|wanted| !story.steps.keys().any(|known| wanted.stands_for(known))) {
        None => Ok(()),
        Some(step) => {
            Err(CommandFailure::usage(format!("run {run} has no step `{step}`")).hint(format!("`bowline show {run}` lists them")))
        }
    }
}

/// What was told already, while a run is followed.
#[derive(Default)]
struct Told {
    /// That they are at work.
    begun: HashSet<(StepId, bool, u32)>,
    /// All there is to tell of them.
    ended: HashSet<(StepId, bool, u32)>,
    /// Something was told: what a program printed, or why that is not known.
    any: bool,
}

impl Told {
    /// Tells what is new.
    fn tell(&mut self, page: &Page<'_>, tries: &Tries<'_>, folder: &StateFolder, run: &RunId) -> Result<(), CommandFailure> {
        let is_wanted = |one: &&Try<'_>| page.wanted.is_none_or(|wanted| wanted.stands_for(one.step));
        let mut reader = None;
        for one in tries.values().filter(is_wanted) {
            let name = (one.step.clone(), one.undo, one.attempt);
            let is_at_work = one.end == End::Unseen && one.printed.is_none() && page.state == RunState::Live;
            let is_news = if is_at_work { self.begun.insert(name) } else { self.ended.insert(name) };
            if !is_news || (one.printed.is_none() && one.end == End::Seen) {
                continue;
            }
            if let (None, Some(_)) = (&reader, one.printed) {
                reader = Some(folder.reader(run).map_err(|refused| CommandFailure::of_looking(&refused))?);
            }
            let lines = reader.as_ref().map(|reader| one.lines(reader)).transpose()?.unwrap_or_default();
            self.any = true;
            page.tell(one, &lines);
        }
        Ok(())
    }

    /// Says so where nothing was printed.
    fn if_nothing(&self, context: &Context, run: &RunId, step: Option<&StepId>) {
        let whose = step.map_or_else(|| format!("run {run}"), |step| format!("`{step}` in run {run}"));
        // Where something was told, it says why nothing more is.
        if !self.any {
            print::notices(&[format!("no program of {whose} printed anything")], context.streams);
        }
    }
}

/// One attempt or compensation, and what it printed.
struct Try<'a> {
    step: &'a StepId,
    attempt: u32,
    undo: bool,
    /// The process that began it.
    epoch: u64,
    printed: Option<(&'a BlobRef, u64)>,
    end: End,
}

/// What is known of the end of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It is at work, or its process is gone.
    Unseen,
    /// It ended in its process, which kept what was printed.
    Seen,
    /// Another process found that it never ended.
    Lost,
}

/// What a record says of a try.
enum News<'a> {
    Begun,
    Printed(&'a BlobRef, u64),
    Ended { interrupted: bool },
}

/// Attempts and compensations by step and number.
type Tries<'a> = IndexMap<(&'a StepId, bool, u32), Try<'a>>;

/// Every attempt and compensation, in the order in which they began.
fn tries(records: &[Record]) -> Tries<'_> {
    let mut tries = IndexMap::new();
    for Record { epoch, what, .. } in records {
        let Some((step, undo, attempt, news)) = news(what) else { continue };
        let begin = || Try { step, attempt, undo, epoch: *epoch, printed: None, end: End::Unseen };
        let one = tries.entry((step, undo, attempt)).or_insert_with(begin);
        match news {
            News::Begun => {}
            News::Printed(lines, dropped) => one.printed = Some((lines, dropped)),
            News::Ended { interrupted: true } if *epoch != one.epoch => one.end = End::Lost,
            News::Ended { .. } => one.end = End::Seen,
        }
    }
    tries
}

fn news(what: &What) -> Option<(&StepId, bool, u32, News<'_>)> {
    Some(match what {
        What::AttemptStarted { step, attempt, until: None, .. } => (step, false, *attempt, News::Begun),
        What::UndoStarted { step, attempt } => (step, true, *attempt, News::Begun),
        What::LinesKept { step, attempt, undo, lines, dropped } => (step, *undo, *attempt, News::Printed(lines, *dropped)),
        What::AttemptEnded { step, attempt, result } => {
            (step, false, *attempt, News::Ended { interrupted: *result == AttemptResult::Interrupted })
        }
        What::UndoEnded { step, attempt, result } => {
            (step, true, *attempt, News::Ended { interrupted: *result == UndoResult::Interrupted })
        }
        _ => return None,
    })
}

impl Try<'_> {
    fn lines(&self, reader: &RunReader) -> Result<Vec<String>, CommandFailure> {
        let Some((blob, _)) = self.printed else { return Ok(Vec::new()) };
        let unreadable = |error| JournalError::Damaged(format!("what `{}` printed cannot be read: {error}", self.step));
        Ok(serde_json::from_slice(&reader.open(blob)?).map_err(unreadable)?)
    }

    /// What sets these lines apart from those before.
    fn title(&self, state: RunState) -> Option<String> {
        let what = match (self.undo, self.attempt) {
            (false, 1) => None,
            (false, attempt) => Some(format!("attempt {attempt}")),
            (true, 1) => Some("taking it back".to_owned()),
            (true, attempt) => Some(format!("taking it back, try {attempt}")),
        };
        let dropped = self.printed.map_or(0, |(_, dropped)| dropped);
        let dropped = (dropped > 0)
            .then(|| format!("{} before these not kept", words::count(usize::try_from(dropped).unwrap_or(usize::MAX), "line", "lines")));
        let end = match self.end {
            End::Seen => None,
            End::Unseen if state == RunState::Live => Some("at work: what it prints is kept when it ends".to_owned()),
            End::Unseen if state == RunState::Elsewhere => {
                Some("it has no end yet: whether another machine is still at it cannot be seen from here".to_owned())
            }
            End::Unseen | End::Lost => Some("bowline was killed while it ran; what it printed is lost".to_owned()),
        };
        let parts: Vec<String> = what.into_iter().chain(dropped).chain(end).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// Where lines are written, and how.
struct Page<'a> {
    context: &'a Context,
    column: usize,
    /// The step of which alone something is to be told.
    wanted: Option<&'a StepId>,
    /// How the run stands.
    state: RunState,
}

impl Page<'_> {
    /// Lines as they were printed; of several steps each says whose it is.
    fn tell(&self, one: &Try<'_>, lines: &[String]) {
        let (context, title, is_named) = (self.context, one.title(self.state), self.wanted != Some(one.step));
        if context.is_json() {
            let title = title.filter(|_| one.printed.is_none());
            title.into_iter().for_each(|text| print::line(&JsonLine::Warning { step: Some(one.step.clone()), text }.to_text()));
            lines.iter().for_each(|text| print::line(&JsonLine::Line { step: one.step.clone(), text: text.clone() }.to_text()));
            return;
        }
        let prefix = if is_named { lines::named(one.step, self.column, context.streams.paint()) } else { String::new() };
        if let Some(title) = title {
            print::notice(&format!("{prefix}-- {title}"));
        }
        let lines: Vec<String> = lines.iter().map(|line| format!("{prefix}{}", words::plain(line))).collect();
        // Those of one step may be meant for another program: they stay as they are.
        print::lines(&lines, context.streams.width.filter(|_| is_named));
    }
}

#[cfg(test)]
mod tests {
    use super::{End, Try};
    use crate::ids::StepId;
    use crate::journal::RunState;

    #[test]
    fn only_of_a_process_that_is_gone_it_is_said_that_it_is() {
        let step = StepId::new("build").unwrap();
        let one = Try { step: &step, attempt: 1, undo: false, epoch: 1, printed: None, end: End::Unseen };
        let title = |state| one.title(state).unwrap();
        assert_eq!(title(RunState::Live), "at work: what it prints is kept when it ends");
        assert_eq!(title(RunState::Elsewhere), "it has no end yet: whether another machine is still at it cannot be seen from here");
        assert!(title(RunState::Dead).contains("bowline was killed while it ran"));
    }
}
