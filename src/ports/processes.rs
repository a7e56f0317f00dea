//! Programs on this machine.

use futures::future::BoxFuture;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A program to run.
#[derive(Debug, Clone, Default)]
pub struct ProcessSpec {
    /// The program, looked up in `PATH`.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Where it runs; here when none.
    pub directory: Option<PathBuf>,
    /// Added to this process's environment. Values may be secret and are never logged.
    pub environment: BTreeMap<String, String>,
    /// What it reads.
    pub input: Option<Vec<u8>>,
}

/// Which stream a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// A line that a program printed, without its end; bytes that are no UTF-8 are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Where it came from.
    pub stream: Stream,
    /// The line.
    pub text: String,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it printed on standard output, at most 1 MiB from its end.
    pub output: String,
    /// What it printed on standard error, at most 64 KiB from its end.
    pub errors: String,
    /// True when it was ended because `cancel` fired.
    pub cancelled: bool,
}

impl Exit {
    /// True when it ended by itself with code 0.
    pub fn is_success(&self) -> bool {
        self.code == Some(0)
    }
}

/// Why a program could not be run to its end.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It never started: nothing happened.
    #[error("cannot start `{program}`")]
    NotStarted {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It started, and how it ended cannot be known.
    #[error("lost `{program}` while it ran")]
    Lost {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Runs programs.
pub trait Processes: Send + Sync {
    /// Runs a program in a process group of its own until it ends. `lines` sees what it prints, as it prints it.
    /// When `cancel` fires the group gets SIGTERM, and five seconds later SIGKILL.
    fn run(
        &self,
        spec: ProcessSpec,
        lines: Arc<dyn Fn(Line) + Send + Sync>,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Result<Exit, ProcessError>>;
}

/// This machine's programs.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemProcesses;
