//! The program as people and scripts meet it: exit codes, signals, locks, a full disk. No cluster is needed.

#![allow(clippy::print_stderr, reason = "a skipped test says why")]

mod backups;
mod bench;
mod bounds;
mod broken;
mod commands;
mod docs;
mod doubt;
mod exits;
mod faithful;
mod fits;
mod full;
mod given;
mod help;
mod items;
mod locks;
mod manifests;
mod meanwhile;
mod narrow;
mod plans;
mod preview;
mod pty;
mod runs;
mod secrets;
mod signals;
mod simulate;
mod standing;
mod state;
mod stopped;
mod terminal;
mod told;
mod undone;
mod world;
