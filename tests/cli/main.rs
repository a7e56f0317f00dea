//! The program as people and scripts meet it: exit codes, signals, locks, a full disk. No cluster is needed.

#![allow(clippy::print_stderr, reason = "a skipped test says why")]

mod bench;
mod bounds;
mod broken;
mod doubt;
mod full;
mod locks;
mod plans;
mod preview;
mod signals;
mod simulate;
mod state;
mod terminal;
