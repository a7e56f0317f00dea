//! `logs`: tells what the programs of a run's steps printed, as far as the journal keeps it. It changes nothing.

use super::arguments::Logs;
use super::context::Context;
use super::exit::Exit;
use super::failure::CommandFailure;
use super::pick::{self, Found};
use super::print;
use crate::ids::StepId;
use crate::journal::{JournalError, RunReader, RunState};
use crate::record::{AttemptResult, BlobRef, Record, UndoResult, What};
use crate::report::json::JsonLine;
use crate::report::lines;
use crate::report::story::Story;
use crate::report::words;
use indexmap::IndexMap;

/// Tells what was printed.
///
/// # Errors
/// When there is no such run or step, or its key is not at hand.
pub fn logs(context: &Context, arguments: &Logs) -> Result<Exit, CommandFailure> {
    let looking = |refused| CommandFailure::of_looking(&refused);
    let Found { folder, run } = pick::run_to_show(context, arguments.run.run.as_deref())?;
    let records = folder.records(&run).map_err(looking)?;
    let state = folder.run(&run).map_err(looking)?.state;
    let story = Story::of(&records);
    let is_wanted = |step: &StepId| arguments.step.as_ref().is_none_or(|wanted| wanted.stands_for(step));
    if let Some(step) = arguments.step.as_ref().filter(|step| !story.steps.keys().any(|known| step.stands_for(known))) {
        return Err(CommandFailure::usage(format!("run {run} has no step `{step}`")).hint(format!("`bowline show {run}` lists them")));
    }
    let all = tries(&records);
    let tries: Vec<&Try<'_>> = all.values().filter(|one| is_wanted(one.step) && (one.printed.is_some() || one.end != End::Seen)).collect();
    if tries.iter().all(|one| one.printed.is_none()) {
        let whose = arguments.step.as_ref().map_or_else(|| format!("run {run}"), |step| format!("`{step}` in run {run}"));
        let nothing = match tries.is_empty() {
            true => format!("no program of {whose} printed anything"),
            false => format!("nothing that a program of {whose} printed is kept: it is kept when an attempt ends"),
        };
        print::notices(&[nothing], context.streams);
    }
    if tries.is_empty() {
        return Ok(Exit::Succeeded);
    }
    let reader = folder.reader(&run).map_err(looking)?;
    for one in tries {
        let page = Page { context, column: story.column, is_named: arguments.step.as_ref() != Some(one.step), state };
        page.tell(one, &one.lines(&reader)?);
    }
    Ok(Exit::Succeeded)
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

/// Every attempt and compensation, in the order in which they began.
fn tries(records: &[Record]) -> IndexMap<(&StepId, bool, u32), Try<'_>> {
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
            End::Unseen | End::Lost => Some("it has no end: its bowline was gone before, and what a program printed is lost".to_owned()),
        };
        let parts: Vec<String> = what.into_iter().chain(dropped).chain(end).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// Where lines are written, and how.
struct Page<'a> {
    context: &'a Context,
    column: usize,
    /// Each line says whose it is.
    is_named: bool,
    /// How the run stands.
    state: RunState,
}

impl Page<'_> {
    /// Lines as they were printed; of several steps each says whose it is.
    fn tell(&self, one: &Try<'_>, lines: &[String]) {
        let (context, title) = (self.context, one.title(self.state));
        if context.is_json() {
            let title = title.filter(|_| one.printed.is_none());
            title.into_iter().for_each(|text| print::line(&JsonLine::Warning { step: Some(one.step.clone()), text }.to_text()));
            lines.iter().for_each(|text| print::line(&JsonLine::Line { step: one.step.clone(), text: text.clone() }.to_text()));
            return;
        }
        let prefix = if self.is_named { lines::named(one.step, self.column, context.streams.paint()) } else { String::new() };
        if let Some(title) = title {
            print::notice(&format!("{prefix}-- {title}"));
        }
        let lines: Vec<String> = lines.iter().map(|line| format!("{prefix}{}", words::plain(line))).collect();
        // Those of one step may be meant for another program: they stay as they are.
        print::lines(&lines, context.streams.width.filter(|_| self.is_named));
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
        assert!(title(RunState::Dead).contains("its bowline was gone"));
    }
}
