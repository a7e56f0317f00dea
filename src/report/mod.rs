//! TELLING about a run: every display folds the same events into the same story. It decides nothing, and knows no engine and no journal.

mod ahead;
mod budget;
pub mod called;
pub mod dot;
mod fold;
pub mod json;
pub mod lines;
pub mod live;
pub mod mermaid;
mod nesting;
pub mod outlet;
pub mod paint;
#[cfg(feature = "terminal")]
pub mod screen;
pub mod sentence;
mod status;
pub mod story;
pub mod summary;
pub mod table;
#[cfg(feature = "terminal")]
pub mod terminal;
pub mod tree;
pub mod words;
pub mod wrap;

#[cfg(test)]
pub(crate) mod samples;

use crate::event::Reporter;
use crate::ids::Moment;
use crate::record::Record;
use std::sync::Arc;
use story::Story;
use summary::Summary;

/// Tells the time to a display, so that displays read no clock themselves.
pub type Now = Arc<dyn Fn() -> Moment + Send + Sync>;

/// A reporter that a command can open and close.
pub trait Display: Reporter {
    /// Takes in what happened before, without telling it again.
    fn recall(&self, records: &[Record]);

    /// What is known by now.
    fn story(&self) -> Story;

    /// Tells the end, restores the terminal, and returns when everything is written or nobody reads any more.
    fn close(&self, summary: &Summary, exit_code: u8);

    /// Restores the terminal at once, without telling anything: the process is about to leave.
    fn leave(&self);
}
