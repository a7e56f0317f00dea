//! The command line: arguments, signals, exit codes, diagnostics. It decides nothing about a run.

mod abandon;
mod actions;
mod again;
mod answer;
mod arguments;
mod back;
mod backups;
mod cancel;
mod chosen;
mod confirm;
mod context;
mod diagnostic;
mod disclosed;
mod drive;
mod exit;
mod failure;
mod freeze;
mod graph;
mod inputs;
mod journal;
mod kept;
mod later;
mod lock;
mod logs;
mod manual;
#[cfg(test)]
mod meant_tests;
mod misread;
#[cfg(test)]
mod mutated_tests;
mod open;
mod orphans;
mod pick;
mod preview;
mod print;
mod printed;
mod reach;
mod resume;
mod run;
mod runs;
mod schema;
mod secrets;
mod settings;
mod show;
mod signals;
mod simulate;
mod standing;
mod start;
mod stopped;
mod validate;
mod verbose;

#[cfg(test)]
mod published;
#[cfg(test)]
mod testing;

pub use exit::Exit;
pub use start::{main, main_with};
