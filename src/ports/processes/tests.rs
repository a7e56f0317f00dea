//! The real processes port against real programs.

use super::{Exit, Line, ProcessError, ProcessSpec, Processes, Stream, SystemProcesses};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

fn shell(script: &str) -> ProcessSpec {
    ProcessSpec { program: "sh".into(), args: vec!["-c".into(), script.into()], ..ProcessSpec::default() }
}

async fn run(spec: ProcessSpec) -> Exit {
    SystemProcesses.run(spec, Arc::new(|_| {}), CancellationToken::new()).await.unwrap()
}

/// A process that runs; one that is dead and only waits to be asked for is not.
fn lives(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn a_program_tells_its_code_its_output_and_its_lines() {
    let seen: Arc<Mutex<Vec<Line>>> = Arc::default();
    let sink = seen.clone();
    let exit = SystemProcesses
        .run(shell("echo out; echo oops >&2; exit 3"), Arc::new(move |line| sink.lock().unwrap().push(line)), CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(exit, Exit { code: Some(3), signal: None, output: "out\n".into(), errors: "oops\n".into(), cancelled: false });
    let mut lines = seen.lock().unwrap().clone();
    lines.sort_by_key(|line| line.stream == Stream::Err);
    assert_eq!(
        lines,
        [
            Line { stream: Stream::Out, text: "out".into(), goes_on: false },
            Line { stream: Stream::Err, text: "oops".into(), goes_on: false }
        ]
    );
}

#[tokio::test]
async fn a_signal_is_no_exit_code() {
    let exit = run(shell("kill -KILL $$")).await;
    assert_eq!((exit.code, exit.signal, exit.is_success()), (None, Some(9), false));
}

#[tokio::test]
async fn a_program_sees_its_folder_its_environment_and_its_input() {
    let folder = tempfile::tempdir().unwrap();
    let spec = ProcessSpec {
        directory: Some(folder.path().to_owned()),
        environment: [("GREETING".to_owned(), "hello".to_owned())].into(),
        input: Some(b"from outside".to_vec()),
        ..shell("pwd -P; echo $GREETING; cat")
    };
    let real = folder.path().canonicalize().unwrap();
    assert_eq!(run(spec).await.output, format!("{}\nhello\nfrom outside", real.display()));
}

#[tokio::test]
async fn big_input_and_output_at_once_do_not_block_each_other() {
    let spec = ProcessSpec { input: Some(vec![b'x'; 3 * 1024 * 1024]), ..shell("tee /dev/stderr") };
    let exit = run(spec).await;
    assert_eq!((exit.code, exit.output.len(), exit.errors.len()), (Some(0), 1024 * 1024, 64 * 1024));
}

#[tokio::test]
async fn input_that_nobody_reads_is_no_error() {
    let spec = ProcessSpec { input: Some(vec![b'x'; 1024 * 1024]), ..shell("exit 0") };
    assert!(run(spec).await.is_success());
}

#[tokio::test]
async fn what_cannot_be_started_says_so() {
    let absent = ProcessSpec { program: "no-such-program-here".into(), ..ProcessSpec::default() };
    let error = SystemProcesses.run(absent, Arc::new(|_| {}), CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, ProcessError::NotStarted { .. }));
    let nowhere = ProcessSpec { directory: Some("/no/such/folder".into()), ..shell("true") };
    let error = SystemProcesses.run(nowhere, Arc::new(|_| {}), CancellationToken::new()).await.unwrap_err();
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "there is no folder /no/such/folder");
    let stopped = CancellationToken::new();
    stopped.cancel();
    let error = SystemProcesses.run(shell("true"), Arc::new(|_| {}), stopped).await.unwrap_err();
    assert!(matches!(error, ProcessError::NotStarted { .. }));
}

/// Runs `script`, which prints `ready PID..`, cancels it then, and gives its end and the pids.
async fn cancelled(script: &str) -> (Exit, Vec<String>) {
    let cancel = CancellationToken::new();
    let pids: Arc<Mutex<Vec<String>>> = Arc::default();
    let (sink, stop) = (pids.clone(), cancel.clone());
    let lines = move |line: Line| {
        if let Some(rest) = line.text.strip_prefix("ready ") {
            sink.lock().unwrap().extend(rest.split(' ').map(str::to_owned));
            stop.cancel();
        }
    };
    let exit = SystemProcesses.run(shell(script), Arc::new(lines), cancel).await.unwrap();
    let pids = pids.lock().unwrap().clone();
    (exit, pids)
}

#[tokio::test]
async fn cancelling_ends_children_and_grandchildren() {
    let begun = Instant::now();
    let (exit, pids) = cancelled("sleep 600 & a=$!; sh -c 'sleep 600 & echo ready '$a' $! $$; wait'; wait").await;
    assert!(exit.cancelled && !exit.is_success());
    assert_eq!(pids.len(), 3);
    assert_eq!(pids.iter().filter(|pid| lives(pid)).count(), 0);
    assert!(begun.elapsed() < Duration::from_secs(4), "SIGTERM alone should have ended it");
}

#[tokio::test]
async fn a_program_may_clean_up_after_sigterm() {
    let (exit, _) = cancelled("trap 'echo cleaned; exit 0' TERM; echo ready $$; while :; do sleep 0.05; done").await;
    assert!(exit.cancelled);
    assert!(exit.output.ends_with("cleaned\n"), "{}", exit.output);
}

#[tokio::test]
async fn what_ignores_sigterm_is_killed() {
    let (exit, pids) = cancelled("trap '' TERM; echo ready $$; while :; do sleep 0.05; done").await;
    assert_eq!((exit.signal, exit.cancelled), (Some(9), true));
    assert!(!lives(&pids[0]));
}

#[tokio::test]
async fn what_a_program_leaves_running_is_ended_and_does_not_hold_it_up() {
    let begun = Instant::now();
    let exit = run(shell("sleep 600 & echo $!")).await;
    assert!(exit.is_success());
    assert!(!lives(&exit.output));
    assert!(begun.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn a_daemon_of_its_own_session_stays_and_does_not_hold_it_up() {
    let exit = run(shell("setsid sleep 600 & echo $!")).await;
    assert!(exit.is_success());
    assert!(lives(&exit.output));
    let pid = exit.output.trim().parse().unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn nobody_is_left_when_nobody_waits_any_more() {
    let (told, ready) = tokio::sync::oneshot::channel();
    let told = Mutex::new(Some(told));
    let lines = move |line: Line| drop(told.lock().unwrap().take().map(|told| told.send(line.text)));
    let running = tokio::spawn(SystemProcesses.run(shell("echo $$; exec sleep 600"), Arc::new(lines), CancellationToken::new()));
    let pid = ready.await.unwrap();
    assert!(lives(&pid));
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    let until = Instant::now() + Duration::from_secs(10);
    while lives(&pid) {
        assert!(Instant::now() < until, "the program outlived its runner");
        tokio::task::yield_now().await;
    }
}

/// A run of this test process: another one on this machine may be at the same test.
fn run_id(name: &str) -> crate::ids::RunId {
    crate::ids::RunId::new(&format!("{name}-{}", std::process::id())).unwrap()
}

/// A shell that has no mark itself; its program has those of a run.
struct Stranger {
    shell: std::process::Child,
    /// The words of the first line that it printed.
    words: Vec<String>,
}

impl Stranger {
    fn new(script: &str, run: &str) -> Self {
        use std::io::{BufRead, BufReader};
        use std::process::{Command, Stdio};
        let mut command = Command::new("bash");
        command.args(["-c", script]).env("MARK", format!("BOWLINE_RUN={run}")).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(shell.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { shell, words: line.split_whitespace().map(str::to_owned).collect() }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        for pid in self.words.iter().filter_map(|pid| pid.parse().ok()) {
            let _gone = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        }
        let _gone = self.shell.kill();
        let _gone = self.shell.wait();
    }
}

#[tokio::test]
async fn an_orphan_is_ended_although_nobody_asks_for_its_end() {
    // The shell becomes a program that never asks how its child ended, as process 1 of many containers.
    // The program itself says who it is: before it is one, it has no mark.
    let script = "set -m; env $MARK BOWLINE_STEP=busy sh -c 'echo $$; sleep 600 & wait' & exec sleep 600";
    let run = run_id("unasked");
    let stranger = Stranger::new(script, run.as_str());
    let begun = Instant::now();
    let ended = SystemProcesses.end_orphans(&run).await;
    let group = stranger.words[0].parse().unwrap();
    assert_eq!(ended, [super::Orphan { step: "busy".into(), group, ended: true }]);
    assert!(!lives(&stranger.words[0]) && begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(SystemProcesses.end_orphans(&run).await, [], "there is nobody left");
}

#[tokio::test]
async fn a_program_whose_runner_lives_is_nobodys_orphan() {
    use crate::ports::{Host, SystemHost};
    let facts = SystemHost.this_process().unwrap();
    let mark =
        |start: u64| format!("set -m; env $MARK BOWLINE_RUNNER={}:{start} sh -c 'echo $$; sleep 600 & wait' & exec sleep 600", facts.pid);
    let (ours, stale) = (run_id("ours"), run_id("stale"));
    let looked_after = Stranger::new(&mark(facts.started), ours.as_str());
    let orphan = Stranger::new(&mark(facts.started + 1), stale.as_str());
    assert_eq!(SystemProcesses.end_orphans(&ours).await, []);
    assert!(lives(&looked_after.words[0]), "another run of that id, in another state folder, was ended");
    assert_eq!(SystemProcesses.end_orphans(&stale).await.len(), 1);
    assert!(!lives(&orphan.words[0]), "a pid that is used again is not the runner");
}

#[tokio::test]
async fn what_took_a_session_of_its_own_is_left_alone_with_all_that_it_started() {
    // A terminal that a step opened, and a program in it that has a group of its own.
    let script = "env $MARK setsid bash -c 'set -m; sleep 600 & echo $$ $!; wait'; true";
    let run = run_id("session");
    let stranger = Stranger::new(script, run.as_str());
    assert_eq!(SystemProcesses.end_orphans(&run).await, []);
    assert_eq!(stranger.words.iter().filter(|pid| lives(pid)).count(), 2);
}

#[tokio::test]
async fn a_dead_process_that_nobody_asks_for_does_not_hold_a_program_up() {
    // The shell's child goes to a parent that never asks for its end: the group is never empty, and nobody in it lives.
    let begun = Instant::now();
    let exit = run(shell("(sleep 0.1 & exec setsid sleep 4) & sleep 0.3; exit 0")).await;
    assert!(exit.is_success());
    assert!(begun.elapsed() < Duration::from_millis(3_500), "{:?}", begun.elapsed());
}
