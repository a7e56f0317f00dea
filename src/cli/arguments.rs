//! The arguments, as clap reads them. It knows no command's work.

use super::exit;
use super::settings::{Setting, Settlement};
use crate::ids::StepId;
use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Runs deployment plans written in YAML, and takes back what it did when one cannot finish.
#[derive(Debug, Parser)]
#[command(name = "bowline", version, max_term_width = 100, after_help = exit::HELP, infer_subcommands = true, propagate_version = false)]
pub struct Arguments {
    /// What every command takes.
    #[command(flatten)]
    pub common: Common,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// Folder that keeps runs, their journal and its key [default: $XDG_STATE_HOME/bowline, else ~/.local/state/bowline]
    #[arg(long, global = true, env = "BOWLINE_STATE", value_name = "DIR", hide_env_values = true)]
    pub state: Option<PathBuf>,
    /// How to tell what happens: a live display on a terminal and lines elsewhere, always lines, or one JSON object a line
    #[arg(long, global = true, value_enum, value_name = "HOW", default_value_t = Output::Auto)]
    pub output: Output,
    /// Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config]
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Log what bowline does to standard error; twice for more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// How a command tells what happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Live on a terminal, lines elsewhere.
    Auto,
    /// Plain lines.
    Lines,
    /// One JSON object a line.
    Json,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check a plan and tell everything that is wrong with it
    Validate(Validate),
    /// Draw a plan's steps: their order, guards, and what can be taken back
    Graph(Graph),
    /// Tell what a run of a plan would change; changes nothing
    Preview(Preview),
    /// Run a plan
    Run(Run),
    /// Go on with a run that was stopped, or whose process is gone
    Resume(Resume),
    /// Take back what a run did, also after it has succeeded
    Rollback(Rollback),
    /// Close a run as it is
    Abandon(Abandon),
    /// List runs, newest first
    Runs(Runs),
    /// Tell what a run did, and how it stands
    Show(Show),
    /// Say yes to a step that asks
    Approve(Answer),
    /// Say no to a step that asks: the run is rolled back
    Reject(Answer),
    /// Stop a run that is under way in another process, and roll it back
    Cancel(Cancel),
    /// Check, export and import the journals of runs
    #[command(subcommand)]
    Journal(Journal),
    /// List, check, thin out and take out backups
    #[command(subcommand)]
    Backups(Backups),
}

/// Which plan, and with what.
#[derive(Debug, Clone, Args)]
pub struct PlanChoice {
    /// The plan's file
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    /// Environment of the plan to run in
    #[arg(short, long, value_name = "NAME")]
    pub environment: Option<String>,
    /// Value of an input; may be repeated
    #[arg(long, value_name = "INPUT=VALUE")]
    pub set: Vec<Setting>,
    /// Context of the kubeconfig, instead of the environment's or the current one
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Namespace of objects that name none, instead of the environment's or the context's
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
}

/// `validate`.
#[derive(Debug, Args)]
pub struct Validate {
    /// Which plan, and with what.
    #[command(flatten)]
    pub choice: PlanChoice,
}

/// `preview`.
#[derive(Debug, Args)]
pub struct Preview {
    /// Which plan, and with what.
    #[command(flatten)]
    pub choice: PlanChoice,
    /// End with code 6 when something would change
    #[arg(long)]
    pub exit_code: bool,
    /// Look at a simulated cluster, as the plan's `simulate` describes it
    #[arg(long)]
    pub simulate: bool,
}

/// `graph`.
#[derive(Debug, Args)]
pub struct Graph {
    /// The plan's file
    #[arg(value_name = "PLAN")]
    pub plan: PathBuf,
    /// How to draw it
    #[arg(long, value_enum, default_value_t = GraphFormat::Tree)]
    pub format: GraphFormat,
}

/// How a graph is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// For a terminal.
    Tree,
    /// For Graphviz.
    Dot,
}

/// What keeps others out of what a run writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LockChoice {
    /// A Lease in the cluster, where the plan reaches one.
    Lease,
    /// The state folder: other machines are not kept out.
    Local,
}

/// `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Which plan, and with what.
    #[command(flatten)]
    pub choice: PlanChoice,
    /// Most steps side by side; the plan's `concurrency` when not given
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub jobs: Option<u32>,
    /// Do not ask before a plan begins that cannot be taken back as a whole; needed where nobody can be asked
    #[arg(short, long)]
    pub yes: bool,
    /// What keeps others out: a Lease in the cluster, where the plan reaches one, or the state folder alone
    #[arg(long, value_enum, value_name = "WHERE", default_value_t = LockChoice::Lease)]
    pub lock: LockChoice,
    /// Run it in a simulated cluster, as the plan's `simulate` describes it: nothing outside this process is reached
    #[arg(long)]
    pub simulate: bool,
    /// With `--simulate`: what chance follows from; the same seed gives the same run
    #[arg(long, value_name = "NUMBER", requires = "simulate")]
    pub seed: Option<u64>,
}

/// `resume`.
#[derive(Debug, Args)]
pub struct Resume {
    /// Which run.
    #[command(flatten)]
    pub run: OneRun,
    /// Say what became of a step of which nobody can tell: `STEP=done` or `STEP=not-done`; may be repeated
    #[arg(long, value_name = "STEP=done|not-done")]
    pub settle: Vec<Settlement>,
    /// What keeps others out; `local` leaves the run's Lease alone
    #[arg(long, value_enum, value_name = "WHERE", default_value_t = LockChoice::Lease)]
    pub lock: LockChoice,
}

/// A run to look at.
#[derive(Debug, Clone, Args)]
pub struct AnyRun {
    /// The run's id, or how it begins; the open one or else the newest when not given
    #[arg(value_name = "RUN", value_parser = NonEmptyStringValueParser::new())]
    pub run: Option<String>,
}

/// A run to do something with.
#[derive(Debug, Clone, Args)]
pub struct OneRun {
    /// The run's id, or how it begins; not needed while only one run is open
    #[arg(value_name = "RUN", value_parser = NonEmptyStringValueParser::new())]
    pub run: Option<String>,
}

/// `rollback`.
#[derive(Debug, Args)]
pub struct Rollback {
    /// Which run.
    #[command(flatten)]
    pub run: OneRun,
    /// Take back only what no later run has written
    #[arg(long)]
    pub partial: bool,
    /// What keeps others out; `local` leaves the run's Lease alone
    #[arg(long, value_enum, value_name = "WHERE", default_value_t = LockChoice::Lease)]
    pub lock: LockChoice,
}

/// `abandon`.
#[derive(Debug, Args)]
pub struct Abandon {
    /// Which run.
    #[command(flatten)]
    pub run: OneRun,
    /// Free the lock of this plan instead, where the state folder of the run that holds it is lost
    #[arg(long, value_name = "PLAN", conflicts_with = "run")]
    pub lock_of: Option<PathBuf>,
    /// Environment of that plan
    #[arg(short, long, value_name = "NAME", requires = "lock_of")]
    pub environment: Option<String>,
    /// Value of an input of that plan; may be repeated
    #[arg(long, value_name = "INPUT=VALUE", requires = "lock_of")]
    pub set: Vec<Setting>,
    /// Namespace that the run was given
    #[arg(short, long, value_name = "NAMESPACE", requires = "lock_of")]
    pub namespace: Option<String>,
    /// Kubeconfig context that the run was given
    #[arg(long, value_name = "CONTEXT", requires = "lock_of")]
    pub context: Option<String>,
    /// Do not ask; needed where nobody can be asked
    #[arg(short, long)]
    pub yes: bool,
}

/// `runs`.
#[derive(Debug, Args)]
pub struct Runs {
    /// Of this plan only
    #[arg(long, value_name = "NAME")]
    pub plan: Option<String>,
    /// Of this environment only
    #[arg(short, long, value_name = "NAME")]
    pub environment: Option<String>,
    /// Only those that are not closed
    #[arg(long)]
    pub open: bool,
    /// At most so many
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    pub limit: u32,
}

/// `show`.
#[derive(Debug, Args)]
pub struct Show {
    /// Which run.
    #[command(flatten)]
    pub run: AnyRun,
    /// Everything that happened, in its order
    #[arg(long)]
    pub log: bool,
    /// What was seen when this step failed
    #[arg(long, value_name = "STEP", conflicts_with = "log")]
    pub evidence: Option<StepId>,
}

/// `approve` and `reject`.
#[derive(Debug, Args)]
pub struct Answer {
    /// The run, and the step that asks; neither is needed while only one step asks
    #[arg(value_name = "[RUN] STEP", num_args = 0..=2)]
    pub words: Vec<String>,
    /// Words that are kept with the answer
    #[arg(short, long)]
    pub comment: Option<String>,
}

/// `cancel`.
#[derive(Debug, Args)]
pub struct Cancel {
    /// Which run.
    #[command(flatten)]
    pub run: OneRun,
    /// Halt at once instead of rolling back; the run can be resumed
    #[arg(long)]
    pub halt: bool,
}

/// `journal`.
#[derive(Debug, Subcommand)]
pub enum Journal {
    /// Check that a run's journal, or an export, is what was written and all of it; all runs when none is named
    Verify(JournalVerify),
    /// Write a run out, sealed as it is
    Export(JournalExport),
    /// Take an exported run in
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

mod of_backups;
pub use of_backups::{Backups, BackupsPrune, BackupsRestore};

#[cfg(test)]
mod tests;
