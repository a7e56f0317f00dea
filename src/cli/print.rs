//! Writes what a command says. Nobody reading any more is a quiet end, never a crash.

use super::context::{Context, Streams};
use crate::report::summary::Summary;
use crate::report::wrap::wrap;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::Write;
use std::os::fd::AsFd;

/// Writes a line to standard output.
pub fn line(text: &str) {
    // A closed pipe means that the reader has seen enough.
    let _nobody_reads = writeln!(std::io::stdout(), "{text}");
}

/// False when whoever read standard output has gone: nothing written to it arrives anywhere.
pub fn is_read() -> bool {
    let out = std::io::stdout();
    let mut asked = [PollFd::new(out.as_fd(), PollFlags::empty())];
    let told = poll(&mut asked, PollTimeout::ZERO).ok().and_then(|_| asked[0].revents());
    !told.is_some_and(|told| told.intersects(PollFlags::POLLERR | PollFlags::POLLHUP))
}

/// Writes lines to standard output, broken between words where a terminal is too narrow for them.
pub fn lines(lines: &[String], width: Option<usize>) {
    for text in lines {
        match width {
            Some(width) => wrap(text, width).iter().for_each(|text| line(text)),
            None => line(text),
        }
    }
}

/// Writes how a run ended, or stands.
pub fn summary(context: &Context, summary: &Summary) {
    let mut told = summary.lines();
    if let Some(headline) = told.first_mut() {
        *headline = context.streams.paint().headline(&summary.outcome, headline);
    }
    lines(&told, context.streams.width);
}

/// Writes bytes to standard output.
pub fn bytes(bytes: &[u8]) {
    let mut out = std::io::stdout();
    let _nobody_reads = out.write_all(bytes).and_then(|()| out.flush());
}

/// Writes a line to standard error.
pub fn notice(text: &str) {
    let _nobody_reads = writeln!(std::io::stderr(), "{text}");
}

/// Writes lines to standard error, broken between words where its terminal is too narrow for them: it may be another than that of standard
/// output, or the only one.
pub fn notices(lines: &[String], streams: Streams) {
    for text in lines {
        match streams.width_err {
            Some(width) => wrap(text, width).iter().for_each(|text| notice(text)),
            None => notice(text),
        }
    }
}
