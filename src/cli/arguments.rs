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
    /// Take back what a run did
    Rollback(OneRun),
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

/// `run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Which plan, and with what.
    #[command(flatten)]
    pub choice: PlanChoice,
    /// Most steps side by side; the plan's `concurrency` when not given
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub jobs: Option<u32>,
    /// Do not ask before a plan begins that holds steps which cannot be taken back
    #[arg(short, long)]
    pub yes: bool,
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

/// `abandon`.
#[derive(Debug, Args)]
pub struct Abandon {
    /// Which run.
    #[command(flatten)]
    pub run: OneRun,
    /// Do not ask
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

#[cfg(test)]
mod tests {
    use super::{Arguments, Command};
    use clap::{CommandFactory, Parser};

    #[test]
    fn the_arguments_fit_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_help_is_what_a_person_needs_first() {
        let help = Arguments::command().term_width(100).render_help().to_string();
        insta::assert_snapshot!(help, @"
        Runs deployment plans written in YAML, and takes back what it did when one cannot finish

        Usage: bowline [OPTIONS] <COMMAND>

        Commands:
          validate  Check a plan and tell everything that is wrong with it
          graph     Draw a plan's steps: their order, guards, and what can be taken back
          run       Run a plan
          resume    Go on with a run that was stopped, or whose process is gone
          rollback  Take back what a run did
          abandon   Close a run as it is
          runs      List runs, newest first
          show      Tell what a run did, and how it stands
          approve   Say yes to a step that asks
          reject    Say no to a step that asks: the run is rolled back
          cancel    Stop a run that is under way in another process, and roll it back
          journal   Check, export and import the journals of runs
          help      Print this message or the help of the given subcommand(s)

        Options:
              --state <DIR>        Folder that keeps runs, their journal and its key [default:
                                   $XDG_STATE_HOME/bowline, else ~/.local/state/bowline] [env:
                                   BOWLINE_STATE]
              --output <HOW>       How to tell what happens: a live display on a terminal and lines
                                   elsewhere, always lines, or one JSON object a line [default: auto]
                                   [possible values: auto, lines, json]
              --kubeconfig <FILE>  Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config]
          -v, --verbose...         Log what bowline does to standard error; twice for more
          -h, --help               Print help (see more with '--help')
          -V, --version            Print version

        Exit codes:
           0  succeeded; of `rollback`: everything is taken back
           2  wrong arguments, an invalid plan, an unusable state folder, or a journal that is not whole
           3  rolled back: a step failed, an approval was rejected, or the run was cancelled
           4  stuck: something that the run wrote could not be taken back
           5  halted: the run was stopped and can be resumed
           6  a preview found changes
           7  refused before it began: locked, an open run in the way, confirmation declined
          70  a bug in bowline

        Signals, while a run is under way:
          Ctrl-C         starts nothing more, lets effects in flight end, and rolls back
          Ctrl-C twice   halts at once; the run can be resumed
          SIGTERM, HUP   halts within 7 seconds; what still ran then is looked up by `resume`
        ");
    }

    #[test]
    fn the_help_of_run() {
        let mut command = Arguments::command().term_width(100);
        command.build();
        let help = command.find_subcommand_mut("run").unwrap().render_help().to_string();
        insta::assert_snapshot!(help, @"
        Run a plan

        Usage: bowline run [OPTIONS] <PLAN>

        Arguments:
          <PLAN>  The plan's file

        Options:
          -e, --environment <NAME>  Environment of the plan to run in
              --state <DIR>         Folder that keeps runs, their journal and its key [default:
                                    $XDG_STATE_HOME/bowline, else ~/.local/state/bowline] [env:
                                    BOWLINE_STATE]
              --output <HOW>        How to tell what happens: a live display on a terminal and lines
                                    elsewhere, always lines, or one JSON object a line [default: auto]
                                    [possible values: auto, lines, json]
              --set <INPUT=VALUE>   Value of an input; may be repeated
          -j, --jobs <N>            Most steps side by side; the plan's `concurrency` when not given
              --kubeconfig <FILE>   Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config]
          -v, --verbose...          Log what bowline does to standard error; twice for more
          -y, --yes                 Do not ask before a plan begins that holds steps which cannot be taken
                                    back
          -h, --help                Print help (see more with '--help')
        ");
    }

    #[test]
    fn global_options_may_stand_behind_the_command() {
        let arguments = Arguments::try_parse_from(["bowline", "approve", "gate", "--state", "/x", "-c", "fine"]).unwrap();
        assert_eq!(arguments.common.state.unwrap().to_str(), Some("/x"));
        assert!(matches!(arguments.command, Command::Approve(answer) if answer.words == ["gate"]));
    }
}
