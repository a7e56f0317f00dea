//! `logs`: tells what the programs of a run's steps printed, as far as the journal keeps it. It changes nothing.

use super::arguments::Logs;
use super::context::Context;
use super::exit::Exit;
use super::failure::CommandFailure;
use super::pick::{self, Found};
use super::print;
use crate::ids::StepId;
use crate::journal::JournalError;
use crate::record::{BlobRef, Record, What};
use crate::report::json::JsonLine;
use crate::report::lines;
use crate::report::story::Story;
use crate::report::words;

/// Tells what was printed.
///
/// # Errors
/// When there is no such run or step, or its key is not at hand.
pub fn logs(context: &Context, arguments: &Logs) -> Result<Exit, CommandFailure> {
    let looking = |refused| CommandFailure::of_looking(&refused);
    let Found { folder, run } = pick::run_to_show(context, arguments.run.run.as_deref())?;
    let records = folder.records(&run).map_err(looking)?;
    let story = Story::of(&records);
    if let Some(step) = arguments.step.as_ref().filter(|step| story.step(step).is_none()) {
        return Err(CommandFailure::usage(format!("run {run} has no step `{step}`")).hint(format!("`bowline show {run}` lists them")));
    }
    let pieces: Vec<Piece<'_>> =
        records.iter().filter_map(piece).filter(|piece| arguments.step.as_ref().is_none_or(|step| step == piece.step)).collect();
    if pieces.is_empty() {
        let whose = arguments.step.as_ref().map_or_else(|| format!("run {run}"), |step| format!("`{step}` in run {run}"));
        let nothing = format!("nothing that a program of {whose} printed is kept: it is kept when an attempt ends");
        print::notices(&[nothing], context.streams.width);
        return Ok(Exit::Succeeded);
    }
    let reader = folder.reader(&run).map_err(looking)?;
    for piece in pieces {
        let unreadable = |error| JournalError::Damaged(format!("what `{}` printed cannot be read: {error}", piece.step));
        let lines: Vec<String> = serde_json::from_slice(&reader.open(piece.lines)?).map_err(unreadable)?;
        piece.tell(context, &lines, story.column, arguments.step.is_none());
    }
    Ok(Exit::Succeeded)
}

/// What one attempt or compensation printed.
struct Piece<'a> {
    step: &'a StepId,
    attempt: u32,
    undo: bool,
    lines: &'a BlobRef,
    dropped: u64,
}

fn piece(record: &Record) -> Option<Piece<'_>> {
    match &record.what {
        What::LinesKept { step, attempt, undo, lines, dropped } => {
            Some(Piece { step, attempt: *attempt, undo: *undo, lines, dropped: *dropped })
        }
        _ => None,
    }
}

impl Piece<'_> {
    /// Lines as they were printed; of several steps each says whose it is.
    fn tell(&self, context: &Context, lines: &[String], column: usize, named: bool) {
        if context.is_json() {
            lines.iter().for_each(|text| print::line(&JsonLine::Line { step: self.step.clone(), text: text.clone() }.to_text()));
            return;
        }
        let prefix = if named { lines::named(self.step, column, context.streams.paint()) } else { String::new() };
        if let Some(title) = self.title() {
            print::notice(&format!("{prefix}{title}"));
        }
        let lines: Vec<String> = lines.iter().map(|line| format!("{prefix}{}", words::plain(line))).collect();
        // Those of one step may be meant for another program: they stay as they are.
        print::lines(&lines, context.streams.width.filter(|_| named));
    }

    /// What sets these lines apart from those before.
    fn title(&self) -> Option<String> {
        let what = match (self.undo, self.attempt) {
            (false, 1) => None,
            (false, attempt) => Some(format!("attempt {attempt}")),
            (true, 1) => Some("taking it back".to_owned()),
            (true, attempt) => Some(format!("taking it back, try {attempt}")),
        };
        let dropped = (self.dropped > 0).then(|| {
            format!("{} before these not kept", words::count(usize::try_from(self.dropped).unwrap_or(usize::MAX), "line", "lines"))
        });
        let parts: Vec<String> = what.into_iter().chain(dropped).collect();
        (!parts.is_empty()).then(|| format!("-- {}", parts.join(", ")))
    }
}
