//! The arguments of `backups`.

use crate::ids::Period;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `backups`.
#[derive(Debug, Subcommand)]
pub enum Backups {
    /// List backups, newest first
    #[command(after_help = "Example:\n  bowline backups list\n\nExit codes: 0, 2 (see `bowline --help`)")]
    List(BackupsFolder),
    /// Tell what is known of a backup
    #[command(after_help = "Example:\n  bowline backups show app-20261121-120300-7f3a\n\nExit codes: 0, 2 (see `bowline --help`)")]
    Show(BackupsShow),
    /// Read a backup to its end and check that it is what was written; all of them when none is named
    #[command(after_help = "Example:\n  bowline backups verify\n\nExit codes: 0, 2 (see `bowline --help`)")]
    Verify(BackupsVerify),
    /// Remove old backups
    #[command(
        after_help = "Examples:\n  bowline backups prune --keep 7\n  bowline backups prune --older-than 720h --yes\n\nExit codes: 0, 2, 7 (see `bowline --help`)"
    )]
    Prune(BackupsPrune),
    /// Write out what a backup holds, for PostgreSQL's own programs; a plan's `restore` puts it into a database
    #[command(
        after_help = "Example:\n  bowline backups restore app-20261121-120300-7f3a --to app.dump\n\nExit codes: 0, 2 (see `bowline --help`)"
    )]
    Restore(BackupsRestore),
}

/// Where the backups are.
#[derive(Debug, Clone, Args)]
pub struct BackupsFolder {
    /// Folder of the backups [default: `backups` in the state folder]
    #[arg(long, value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// `backups show`.
#[derive(Debug, Args)]
pub struct BackupsShow {
    /// The backup's name
    #[arg(value_name = "BACKUP", value_parser = NonEmptyStringValueParser::new())]
    pub backup: String,
    /// Where it is.
    #[command(flatten)]
    pub folder: BackupsFolder,
}

/// `backups verify`.
#[derive(Debug, Args)]
pub struct BackupsVerify {
    /// The backup's name; every backup when not given
    #[arg(value_name = "BACKUP", value_parser = NonEmptyStringValueParser::new())]
    pub backup: Option<String>,
    /// Where it is.
    #[command(flatten)]
    pub folder: BackupsFolder,
}

/// `backups prune`.
#[derive(Debug, Args)]
pub struct BackupsPrune {
    /// How many of each plan, environment and database stay
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..), required_unless_present = "older_than", conflicts_with = "older_than")]
    pub keep: Option<u32>,
    /// Remove what is older than this: `72h`
    #[arg(long, value_name = "AGE")]
    pub older_than: Option<Period>,
    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
    /// Where they are.
    #[command(flatten)]
    pub folder: BackupsFolder,
}

/// `backups restore`.
#[derive(Debug, Args)]
pub struct BackupsRestore {
    /// The backup's name
    #[arg(value_name = "BACKUP", value_parser = NonEmptyStringValueParser::new())]
    pub backup: String,
    /// A new file to write; `-` for standard output
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
    /// Where it is.
    #[command(flatten)]
    pub folder: BackupsFolder,
}
