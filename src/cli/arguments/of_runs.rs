//! The arguments of the commands that look at a run, answer it or take it in hand. They know no command's work.

use super::LockChoice;
use crate::cli::settings::{Setting, Settlement};
use crate::ids::StepId;
use clap::Args;
use std::path::PathBuf;

/// `resume`.
#[derive(Debug, Args)]
pub struct Resume {
    /// Which run.
    #[command(flatten)]
    pub run: OneRun,
    /// Say what became of a step, or of all its items, of which nobody can tell: `STEP=done` or `STEP=not-done`; may be repeated
    #[arg(long, value_name = "STEP=done|not-done")]
    pub settle: Vec<Settlement>,
    /// Of a run that goes back, take back only what no later run has written
    #[arg(long)]
    pub partial: bool,
    /// What keeps others out; `local` leaves the run's Lease alone
    #[arg(long, value_enum, value_name = "WHERE", default_value_t = LockChoice::Lease)]
    pub lock: LockChoice,
}

/// A run to look at.
#[derive(Debug, Clone, Args)]
pub struct AnyRun {
    /// The run's id, or how it begins; the open one or else the newest when not given
    #[arg(value_name = "RUN", value_parser = named)]
    pub run: Option<String>,
}

/// A name. An empty one is a variable that a script did not set: it must not become just any run.
fn named(text: &str) -> Result<String, String> {
    match text.trim().is_empty() {
        true => Err("it is empty: `bowline runs` lists the runs that there are".to_owned()),
        false => Ok(text.to_owned()),
    }
}

/// A run to do something with.
#[derive(Debug, Clone, Args)]
pub struct OneRun {
    /// The run's id, or how it begins; not needed while only one run is open
    #[arg(value_name = "RUN", value_parser = named)]
    pub run: Option<String>,
}

/// `rollback`.
#[derive(Debug, Args)]
pub struct Rollback {
    /// Which run.
    #[command(flatten)]
    pub run: OneRun,
    /// Take back only this step, or all items of it, and what needed it; the rest stays, and the run is closed
    #[arg(long, value_name = "STEP")]
    pub step: Option<StepId>,
    /// Take back only what no later run has written
    #[arg(long)]
    pub partial: bool,
    /// Do not ask; needed for a run that has succeeded, where nobody can be asked
    #[arg(short, long)]
    pub yes: bool,
    /// Say what became of a step that cannot be taken back, and of which nobody can tell: `STEP=not-done` lets the rest go back
    #[arg(long, value_name = "STEP=done|not-done")]
    pub settle: Vec<Settlement>,
    /// What keeps others out; `local` leaves the run's Lease alone
    #[arg(long, value_enum, value_name = "WHERE", default_value_t = LockChoice::Lease)]
    pub lock: LockChoice,
}

/// `abandon`.
#[derive(Debug, Clone, Args)]
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
    #[arg(short, long = "input", visible_alias = "set", value_name = "INPUT=VALUE", requires = "lock_of")]
    pub input: Vec<Setting>,
    /// YAML file with values of inputs of that plan
    #[arg(long, value_name = "FILE", requires = "lock_of")]
    pub inputs: Option<PathBuf>,
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
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// All of them, however many there are
    #[arg(long, conflicts_with = "limit")]
    pub all: bool,
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

/// `logs`.
#[derive(Debug, Args)]
pub struct Logs {
    /// Which run.
    #[command(flatten)]
    pub run: AnyRun,
    /// Of this step only, or of all its items
    #[arg(value_name = "STEP")]
    pub step: Option<StepId>,
    /// Go on until nobody works on the run any more; what a program prints is told when it ends
    #[arg(short, long)]
    pub follow: bool,
}

/// `approve` and `reject`.
#[derive(Debug, Args)]
pub struct Answer {
    /// The run, and the step that asks; neither is needed while only one step asks
    #[arg(value_name = "[RUN] STEP", num_args = 0..=2, value_parser = named)]
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
