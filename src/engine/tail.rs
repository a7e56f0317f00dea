//! The last lines that each step's programs printed, until the attempt or the compensation is over and they go into the journal. It knows
//! no journal and no terminal.

use crate::ids::StepId;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Most lines that are kept of one attempt.
const MOST_LINES: usize = 1_000;
/// Most bytes that are kept of one attempt. A longer last line is cut.
const MOST_BYTES: usize = 64 * 1024;

/// The end of what was printed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tail {
    pub(super) lines: VecDeque<String>,
    /// Lines that came before and were let go.
    pub(super) dropped: u64,
    bytes: usize,
}

impl Tail {
    fn push(&mut self, mut line: String) {
        if line.len() > MOST_BYTES {
            let end = (0..=MOST_BYTES).rev().find(|end| line.is_char_boundary(*end)).unwrap_or(0);
            line.truncate(end);
        }
        self.bytes += line.len();
        self.lines.push_back(line);
        while self.lines.len() > MOST_LINES || self.bytes > MOST_BYTES {
            let Some(first) = self.lines.pop_front() else { return };
            self.bytes -= first.len();
            self.dropped += 1;
        }
    }
}

/// One tail a step.
#[derive(Default)]
pub(super) struct Tails(Mutex<HashMap<StepId, Tail>>);

impl Tails {
    /// Takes a line in.
    pub(super) fn push(&self, step: &StepId, line: String) {
        let mut tails = self.lock();
        match tails.get_mut(step) {
            Some(tail) => tail.push(line),
            None => tails.entry(step.clone()).or_default().push(line),
        }
    }

    /// Takes out what a step printed; none when it printed nothing.
    pub(super) fn take(&self, step: &StepId) -> Option<Tail> {
        self.lock().remove(step)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<StepId, Tail>> {
        // A line is taken in whole or not at all.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{MOST_BYTES, MOST_LINES, Tails};
    use crate::ids::StepId;

    #[test]
    fn the_end_is_kept_and_the_rest_is_counted() {
        let (tails, step) = (Tails::default(), StepId::new("build").unwrap());
        (0..MOST_LINES + 5).for_each(|line| tails.push(&step, line.to_string()));
        let tail = tails.take(&step).unwrap();
        assert_eq!((tail.lines.len(), tail.dropped, tail.lines.front().map(String::as_str)), (MOST_LINES, 5, Some("5")));
        assert_eq!(tails.take(&step), None, "the next attempt begins anew");
    }

    #[test]
    fn long_lines_push_others_out_and_one_that_is_too_long_is_cut_between_characters() {
        let (tails, step) = (Tails::default(), StepId::new("build").unwrap());
        tails.push(&step, "first".to_owned());
        tails.push(&step, format!("x{}", "ä".repeat(MOST_BYTES)));
        let tail = tails.take(&step).unwrap();
        assert_eq!((tail.lines.len(), tail.dropped), (1, 1));
        assert_eq!(tail.lines[0].len(), MOST_BYTES - 1);
    }
}
