//! Why nothing can be done with a run now: how it stands, since when, and what can be typed. It changes nothing.

use super::context::Context;
use super::exit::Exit;
use super::failure::CommandFailure;
use crate::engine::Core;
use crate::ids::StepId;
use crate::journal::{Refused, RunRow, RunState, StateFolder};
use crate::record::{Outcome, Record, Scope};
use crate::report::story::{Ahead, Hand, Story};
use crate::report::summary::{Next, Summary};
use crate::report::words;
use jiff::tz::TimeZone;
use std::fmt;

/// A run's story, told for whoever may type something now.
pub fn story(row: &RunRow, records: &[Record]) -> Story {
    let hand = match row.state {
        RunState::Live => Hand::Process,
        RunState::Elsewhere => Hand::Elsewhere,
        _ => Hand::Nobody,
    };
    let ahead = if hand == Hand::Process { None } else { ahead(records) };
    Story::of(records).in_hand(hand).ahead(ahead)
}

/// What comes when somebody resumes a run that rests like this; none where it is over, or its records make no sense.
pub fn ahead(records: &[Record]) -> Option<Ahead> {
    let core = Core::replay(records).ok().filter(|core| core.closed().is_none())?;
    Some(match core.back_when_resumed() {
        Some(steps) => Ahead::Back(steps.into_iter().cloned().collect()),
        None => Ahead::On,
    })
}

/// How a run stands, in one to three words: `rolled-back (in part, simulated)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// What the journal says of it.
    pub state: RunState,
    /// It was rolled back in part: something that it did stands on purpose.
    pub is_in_part: bool,
    /// It ran in a simulated world.
    pub is_simulated: bool,
}

impl Standing {
    /// How a run stands that did this; of one whose records cannot be read, none of them, what is known without.
    pub fn of(state: RunState, is_simulated: bool, records: &[Record]) -> Self {
        let is_in_part = Self::may_be_in_part(state) && is_back_in_part(records);
        Self { state, is_in_part, is_simulated }
    }

    /// The same in fewer columns, for a table: `rolled-back (part, sim.)`.
    pub fn short(self) -> String {
        self.to_string().replace("in part", "part").replace("simulated", "sim.")
    }

    /// True where only the records tell how far it was rolled back.
    pub fn may_be_in_part(state: RunState) -> bool {
        state == RunState::Closed(Outcome::RolledBack)
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.state)?;
        match (self.is_in_part, self.is_simulated) {
            (false, false) => Ok(()),
            (true, false) => f.write_str(" (in part)"),
            (false, true) => f.write_str(" (simulated)"),
            (true, true) => f.write_str(" (in part, simulated)"),
        }
    }
}

fn is_back_in_part(records: &[Record]) -> bool {
    Core::replay(records).is_ok_and(|core| core.rollback().is_some_and(|open| open.scope != Scope::Everything) && core.may_reopen())
}

/// What may be typed of a run that stands in the way of a new one.
pub fn in_the_way(context: &Context, folder: &StateFolder, refused: Refused) -> CommandFailure {
    let Refused::Unfinished { run, .. } = &refused else { return refused.into() };
    let (Ok(row), Ok(records)) = (folder.run(run), folder.records(run)) else { return refused.into() };
    let next = told(&row, &records, &context.zone()).hint;
    let failure = CommandFailure::from(refused);
    CommandFailure { hint: next.or(failure.hint), ..failure }
}

/// What is said to whoever wants of a run what only one that stands otherwise can do.
pub fn refused(context: &Context, row: &RunRow, records: &[Record]) -> CommandFailure {
    told(row, records, &context.zone())
}

fn told(row: &RunRow, records: &[Record], zone: &TimeZone) -> CommandFailure {
    let run = &row.run;
    let story = story(row, records);
    let at = |moment| words::date_and_minute(moment, zone);
    let last = story.last_at.map(at).unwrap_or_default();
    let refused = |message: String| CommandFailure::new(Exit::Refused, message);
    match row.state {
        RunState::Closed(outcome) => {
            let back =
                if may_be_taken_back(records) { format!(", `bowline rollback {run}` takes back {}", rest(outcome)) } else { String::new() };
            refused(format!("run {run} is over: it {} at {last}", did(outcome)))
                .hint(format!("`bowline show {run}` tells what it did{back}"))
        }
        RunState::Live => {
            let holder = row.holder.as_ref().map(|holder| format!(": process {} of {} on {}", holder.pid, holder.user, holder.host));
            let since = row.since.map(at).unwrap_or_default();
            refused(format!("run {run} is at work since {since}{}", holder.unwrap_or_default()))
                .hint(format!("`bowline show {run}` tells how far it is, {}", next(&story)))
        }
        RunState::Elsewhere => {
            let host = row.holder.as_ref().map_or("another machine", |holder| &holder.host);
            let since = row.since.map(at).unwrap_or_default();
            refused(format!("run {run} is held on {host} since {since}, which cannot be seen from here"))
                .hint(format!("go on with it on {host}; if that machine is gone for good, `bowline abandon {run}`"))
        }
        RunState::Halted | RunState::Stuck | RunState::Dead => {
            refused(format!("nobody works on run {run}: it is {} since {last}", row.state)).hint(next(&story))
        }
    }
}

fn next(story: &Story) -> String {
    let next = Summary::of(story).next.into_iter().filter(|next| !next.command.contains(" show "));
    next.map(|Next { command, does }| format!("`{command}` {does}")).collect::<Vec<_>>().join(", ")
}

/// True when a rollback would take something back: what stays on purpose does not go.
fn may_be_taken_back(records: &[Record]) -> bool {
    let Ok(core) = Core::replay(records) else { return false };
    let goes = |step: &&StepId| core.summary(step).is_none_or(|summary| !summary.stays);
    core.may_reopen() && core.foresee(&Scope::Everything).is_ok_and(|steps| steps.iter().any(goes))
}

fn did(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::RolledBack => "was rolled back",
        Outcome::Abandoned => "was closed as it is",
        Outcome::Stuck => "got stuck",
        Outcome::Halted => "was halted",
    }
}

fn rest(outcome: Outcome) -> &'static str {
    if outcome == Outcome::RolledBack { "what is left of it" } else { "what it did" }
}
