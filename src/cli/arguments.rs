//! The arguments, as clap reads them. It knows no command's work.

use super::exit;
use super::settings::Setting;
use crate::ids::RunId;
use clap::builder::{NonEmptyStringValueParser, OsStringValueParser, TypedValueParser};
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
#[command(next_help_heading = "Options of every command")]
pub struct Common {
    /// Folder that keeps runs, their journal and its key [default: $XDG_STATE_HOME/bowline, else ~/.local/state/bowline]
    // An empty variable is as good as none, which the usual parser of paths refuses.
    #[arg(long, global = true, env = "BOWLINE_STATE", value_name = "DIR", hide_env_values = true,
        value_parser = OsStringValueParser::new().map(PathBuf::from))]
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
    /// Tell only warnings, mistakes and how it ended
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// When to use colours; `auto` asks the terminal, NO_COLOR and CLICOLOR_FORCE
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = Colour::Auto)]
    pub color: Colour,
}

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Colour {
    /// Where a terminal shows them and nobody asked for none.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
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
    #[command(
        after_help = "Example:\n  bowline validate plan.yaml -e production -i version=v1.2.3\n\nExit codes: 0, 2 (see `bowline --help`)"
    )]
    Validate(Validate),
    /// Draw a plan's steps: their order, guards, and what can be taken back
    #[command(
        after_help = "Examples:\n  bowline graph plan.yaml\n  bowline graph plan.yaml -e production --format mermaid\n\nExit codes: 0, 2 (see `bowline --help`)"
    )]
    Graph(Graph),
    /// Tell what a run of a plan would change; changes nothing
    #[command(
        after_help = "Examples:\n  bowline preview plan.yaml -e production -i version=v1.2.3\n  bowline preview plan.yaml --exit-code\n\nExit codes: 0, 2, 6, 7 (see `bowline --help`)"
    )]
    Preview(Preview),
    /// Run a plan
    #[command(
        after_help = "Examples:\n  bowline run plan.yaml -e production -i version=v1.2.3\n  bowline run plan.yaml --inputs values.yaml --run-id ci-4711 --yes\n\nExit codes: 0, 2, 3, 4, 5, 7 (see `bowline --help`)"
    )]
    Run(Run),
    /// Go on with a run that was stopped, or whose process is gone
    #[command(
        after_help = "Examples:\n  bowline resume\n  bowline resume 20261121-120300-7f3a --settle migrate=done\n\nExit codes: 0, 2, 3, 4, 5, 7 (see `bowline --help`)"
    )]
    Resume(Resume),
    /// Take back what a run did, also after it has succeeded
    #[command(
        after_help = "Examples:\n  bowline rollback 20261121-120300-7f3a\n  bowline rollback 20261121-120300-7f3a --step deploy --yes\n  bowline rollback 20261121-120300-7f3a --settle migrate=not-done\n\nExit codes: 0, 2, 4, 5, 7 (see `bowline --help`)"
    )]
    Rollback(Rollback),
    /// Close a run as it is
    #[command(after_help = "Example:\n  bowline abandon 20261121-120300-7f3a\n\nExit codes: 0, 2, 7 (see `bowline --help`)")]
    Abandon(Abandon),
    /// List runs, newest first
    #[command(
        after_help = "Examples:\n  bowline runs --open\n  bowline runs --plan blue-green -n 5 --output json\n\nExit codes: 0, 2 (see `bowline --help`)"
    )]
    Runs(Runs),
    /// Tell what a run did, and how it stands
    #[command(
        after_help = "Examples:\n  bowline show\n  bowline show 20261121-120300-7f3a --evidence deploy\n\nExit codes: 0, 2 (see `bowline --help`)"
    )]
    Show(Show),
    /// Tell what the programs of a run's steps printed
    #[command(
        after_help = "Examples:\n  bowline logs\n  bowline logs 20261121-120300-7f3a migrate\n\nExit codes: 0, 2 (see `bowline --help`)"
    )]
    Logs(Logs),
    /// Say yes to a step that asks
    #[command(
        after_help = "Examples:\n  bowline approve\n  bowline approve 20261121-120300-7f3a gate --comment \"looked at the graphs\"\n\nExit codes: 0, 2, 7 (see `bowline --help`)"
    )]
    Approve(Answer),
    /// Say no to a step that asks: the run is rolled back
    #[command(
        after_help = "Example:\n  bowline reject 20261121-120300-7f3a gate --comment \"errors in staging\"\n\nExit codes: 0, 2, 7 (see `bowline --help`)"
    )]
    Reject(Answer),
    /// Stop a run that is under way in another process, and roll it back
    #[command(
        after_help = "Examples:\n  bowline cancel\n  bowline cancel 20261121-120300-7f3a --halt\n\nExit codes: 0, 2, 7 (see `bowline --help`)"
    )]
    Cancel(Cancel),
    /// Check, export and import the journals of runs
    #[command(subcommand, after_help = "Example:\n  bowline journal verify\n\nExit codes: 0, 2 (see `bowline --help`)")]
    Journal(Journal),
    /// List, check, thin out and take out backups
    #[command(subcommand, after_help = "Example:\n  bowline backups list\n\nExit codes: 0, 2, 7 (see `bowline --help`)")]
    Backups(Backups),
    /// Print the JSON Schema of plans, of records or of events
    #[command(after_help = "Example:\n  bowline schema plan > plan.schema.json\n\nExit codes: 0, 2 (see `bowline --help`)")]
    Schema(Schema),
    /// List what a step can do, or tell everything about one kind
    #[command(after_help = "Examples:\n  bowline actions\n  bowline actions apply\n\nExit codes: 0, 2 (see `bowline --help`)")]
    Actions(Actions),
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
    #[arg(short, long = "input", visible_alias = "set", value_name = "INPUT=VALUE")]
    pub input: Vec<Setting>,
    /// YAML file with values of inputs; those of `--input` win
    #[arg(long, value_name = "FILE")]
    pub inputs: Option<PathBuf>,
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
    /// Environment of the plan, whose inputs say which steps there are
    #[arg(short, long, value_name = "NAME")]
    pub environment: Option<String>,
    /// Value of an input; may be repeated. Those that say for which items a step is there are enough
    #[arg(short, long = "input", visible_alias = "set", value_name = "INPUT=VALUE")]
    pub input: Vec<Setting>,
    /// YAML file with values of inputs; those of `--input` win
    #[arg(long, value_name = "FILE")]
    pub inputs: Option<PathBuf>,
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
    /// For Markdown pages that draw Mermaid.
    Mermaid,
    /// For programs.
    Json,
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
    /// When a step fails, halt instead of rolling back: `resume` tries it again, `rollback` takes back what was done
    #[arg(long)]
    pub no_rollback: bool,
    /// Give the run this id; where a run of it has ended already its outcome is told again, and nothing runs
    #[arg(long, value_name = "ID")]
    pub run_id: Option<RunId>,
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

/// `schema`.
#[derive(Debug, Args)]
pub struct Schema {
    /// Of what
    #[arg(value_enum, default_value_t = SchemaOf::Plan)]
    pub of: SchemaOf,
}

/// What has a published schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// Plans, for editors.
    Plan,
    /// The journal's records.
    Record,
    /// The lines of `--output json`.
    Event,
}

/// `actions`.
#[derive(Debug, Args)]
pub struct Actions {
    /// One kind: everything about it
    #[arg(value_name = "KIND", value_parser = NonEmptyStringValueParser::new())]
    pub kind: Option<String>,
}

mod of_backups;
mod of_journal;
mod of_runs;
pub use of_backups::{Backups, BackupsPrune, BackupsRestore};
pub use of_journal::{Journal, JournalExport, JournalImport, JournalVerify};
pub use of_runs::{Abandon, Answer, Cancel, Logs, OneRun, Resume, Rollback, Runs, Show};

#[cfg(test)]
mod tests;
