//! Programs on this machine. It knows no shell and no step.

mod capture;
mod group;
mod orphans;
mod table;

use super::{Host, SystemHost};
use crate::ids::RunId;
pub(crate) use capture::Capture;
use futures::future::{BoxFuture, FutureExt};
use group::Group;
use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStdin, Command};
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
    /// It is only the beginning of a line that is too long: the next one goes on with it.
    pub goes_on: bool,
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

/// In the environment of every program that a step starts: the run.
pub const RUN_VARIABLE: &str = "BOWLINE_RUN";
/// In the environment of every program that a step starts: the step.
pub const STEP_VARIABLE: &str = "BOWLINE_STEP";

/// In the environment of every program that bowline starts: the bowline that started it, as `PID:START`. A run's id may be another's,
/// too, in another state folder; as long as its own bowline lives a program is nobody's orphan.
const RUNNER_VARIABLE: &str = "BOWLINE_RUNNER";

/// A program that outlived the process which started it, with all that it started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orphan {
    /// The step that started it.
    pub step: String,
    /// Its process group.
    pub group: i32,
    /// False when it still runs: it belongs to somebody else, or this process is part of it.
    pub ended: bool,
}

/// Runs programs.
pub trait Processes: Send + Sync {
    /// Runs a program in a process group of its own until it ends. `lines` sees what it prints, as it prints it.
    /// When `cancel` fires the group gets SIGTERM, and five seconds later SIGKILL. What the program leaves running in its group when
    /// it ends by itself is ended likewise after a second; a daemon that should stay needs a session of its own.
    fn run(
        &self,
        spec: ProcessSpec,
        lines: Arc<dyn Fn(Line) + Send + Sync>,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Result<Exit, ProcessError>>;

    /// Why a program cannot be run here, where that is known without running it.
    fn refuses(&self, _program: &str, _args: &[String]) -> Option<String> {
        None
    }

    /// Ends the programs of a run that outlived the process which started them, and tells which there were. Those have
    /// [`RUN_VARIABLE`] in their environment; a daemon that has a session of its own is left alone.
    fn end_orphans(&self, run: &RunId) -> BoxFuture<'static, Vec<Orphan>>;
}

/// This machine's programs.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemProcesses;

/// Most bytes of standard output that are kept.
const OUTPUT_LIMIT: usize = 1024 * 1024;
/// Most bytes of standard error that are kept.
const ERRORS_LIMIT: usize = 64 * 1024;
/// How long pipes are read once nobody of the group is left: somebody outside it may hold them open for ever.
const PIPES_GRACE: Duration = Duration::from_secs(1);

impl Processes for SystemProcesses {
    fn run(
        &self,
        spec: ProcessSpec,
        lines: Arc<dyn Fn(Line) + Send + Sync>,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Result<Exit, ProcessError>> {
        run(spec, lines, cancel).boxed()
    }

    fn end_orphans(&self, run: &RunId) -> BoxFuture<'static, Vec<Orphan>> {
        orphans::end(format!("{RUN_VARIABLE}={run}"), STEP_VARIABLE.to_owned(), RUNNER_VARIABLE).boxed()
    }
}

async fn run(spec: ProcessSpec, lines: Arc<dyn Fn(Line) + Send + Sync>, cancel: CancellationToken) -> Result<Exit, ProcessError> {
    let program = spec.program.clone();
    let not_started = |source| ProcessError::NotStarted { program: program.clone(), source };
    if cancel.is_cancelled() {
        return Err(not_started(io::Error::new(io::ErrorKind::Interrupted, "stopped before it began")));
    }
    check_directory(&spec).map_err(not_started)?;
    let begun = Instant::now();
    let mut child = command(&spec).spawn().map_err(not_started)?;
    let lost = |source| ProcessError::Lost { program: program.clone(), source };
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let group = Group::led_by(&child).map_err(lost)?;
    let mut out = Capture::new(OUTPUT_LIMIT);
    let mut err = Capture::new(ERRORS_LIMIT);
    let ended = {
        // Fed and read side by side: a program that fills one pipe while nobody empties it would wait for ever.
        let mut pipes = pin!(futures::future::join3(
            feed(stdin, spec.input),
            read(stdout, &mut out, Stream::Out, &lines),
            read(stderr, &mut err, Stream::Err, &lines),
        ));
        let mut end = pin!(group.end(&mut child, &cancel));
        tokio::select! {
            ended = &mut end => {
                let _ = tokio::time::timeout(PIPES_GRACE, pipes).await;
                ended
            }
            _ = &mut pipes => end.await,
        }
    };
    let (status, cancelled) = ended.map_err(lost)?;
    // No argument: a secret may stand there.
    tracing::info!(program, code = status.code(), millis = begun.elapsed().as_millis(), cancelled, "program");
    out.flush(|text, goes_on| lines(Line { stream: Stream::Out, text, goes_on }));
    err.flush(|text, goes_on| lines(Line { stream: Stream::Err, text, goes_on }));
    Ok(exit(status, cancelled, out, err))
}

fn exit(status: ExitStatus, cancelled: bool, out: Capture, err: Capture) -> Exit {
    Exit { code: status.code(), signal: status.signal(), output: out.into_tail(), errors: err.into_tail(), cancelled }
}

/// The system says only "no such file" of a missing folder, which reads as if the program were missing.
fn check_directory(spec: &ProcessSpec) -> io::Result<()> {
    match &spec.directory {
        Some(folder) if !folder.is_dir() => {
            Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no folder {}", folder.display())))
        }
        _ => Ok(()),
    }
}

/// This process, for [`RUNNER_VARIABLE`]. It stays the same from start to end, and asking for it takes longer than starting a small program should.
fn runner() -> Option<String> {
    static RUNNER: OnceLock<String> = OnceLock::new();
    if RUNNER.get().is_none() {
        let facts = SystemHost.this_process().ok()?;
        let _already_known = RUNNER.set(format!("{}:{}", facts.pid, facts.started));
    }
    RUNNER.get().cloned()
}

fn command(spec: &ProcessSpec) -> Command {
    let mut command = Command::new(&spec.program);
    if let Some(runner) = runner() {
        command.env(RUNNER_VARIABLE, runner);
    }
    command
        .args(&spec.args)
        .envs(&spec.environment)
        .stdin(if spec.input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    if let Some(folder) = &spec.directory {
        command.current_dir(folder);
    }
    command
}

async fn feed(stdin: Option<ChildStdin>, input: Option<Vec<u8>>) {
    if let (Some(mut stdin), Some(input)) = (stdin, input) {
        // A program that does not read to the end closes the pipe: that is its right, and its exit code says the rest.
        let _ = stdin.write_all(&input).await;
    }
}

async fn read(pipe: Option<impl AsyncRead + Unpin>, capture: &mut Capture, stream: Stream, lines: &Arc<dyn Fn(Line) + Send + Sync>) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        capture.push(&buffer[..count], |text, goes_on| lines(Line { stream, text, goes_on }));
    }
}

#[cfg(test)]
mod tests;
