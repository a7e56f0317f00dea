//! The arguments of `journal`.

use super::of_runs::AnyRun;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `journal`.
#[derive(Debug, Subcommand)]
pub enum Journal {
    /// Check that a run's journal, or an export, is what was written and all of it; all runs when none is named
    #[command(
        after_help = "Examples:\n  bowline journal verify\n  bowline journal verify --file run.jsonl\n\nExit codes: 0, 2 (see `bowline --help`)"
    )]
    Verify(JournalVerify),
    /// Write a run out, sealed as it is
    #[command(
        after_help = "Example:\n  bowline journal export 20261121-120300-7f3a --to run.jsonl\n\nExit codes: 0, 2 (see `bowline --help`)"
    )]
    Export(JournalExport),
    /// Take an exported run in
    #[command(after_help = "Example:\n  bowline journal import run.jsonl\n\nExit codes: 0, 2 (see `bowline --help`)")]
    Import(JournalImport),
}

/// `journal verify`.
#[derive(Debug, Args)]
pub struct JournalVerify {
    /// The run's id, or how it begins; every run when not given
    #[arg(value_name = "RUN", value_parser = NonEmptyStringValueParser::new())]
    pub run: Option<String>,
    /// An export instead of a run
    #[arg(long, value_name = "FILE", conflicts_with = "run")]
    pub file: Option<PathBuf>,
}

/// `journal export`.
#[derive(Debug, Args)]
pub struct JournalExport {
    /// Which run.
    #[command(flatten)]
    pub run: AnyRun,
    /// A new file to write; standard output when not given
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
}

/// `journal import`.
#[derive(Debug, Args)]
pub struct JournalImport {
    /// The export
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}
