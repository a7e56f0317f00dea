//! One command in one pod, from its start to what is known of its end.

use super::{ExecOutput, ExecParams, OutputForm};
use crate::action::{ActionError, EffectError, Progress, ReadCx, RunScope};
use crate::actions::pods::{PodCommand, PodProgram, Pods};
use crate::actions::shell::is_for_good;
use crate::ports::{Capture, Script};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Most bytes of output that later steps can refer to.
const OUTPUT_LIMIT: usize = 64 * 1024;
/// Lines of standard error that explain a failure.
const ERROR_LINES: usize = 5;
const PIECE: usize = 16 * 1024;

/// How a command ended.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct PodEnded {
    pub(super) pod: String,
    pub(super) code: i32,
    stdout: String,
    errors: Vec<String>,
    /// `check` says so: nobody knows what was printed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    by_check: bool,
}

impl PodEnded {
    /// What the end of a `check` tells of the command's own.
    pub(super) fn by_check(self) -> Self {
        Self { stdout: String::new(), by_check: true, ..self }
    }

    pub(super) fn is_by_check(&self) -> bool {
        self.by_check
    }
}

/// All that one run of a command needs, so that it can go on without the attempt that began it.
pub(super) struct Job {
    pub(super) pods: Arc<dyn Pods>,
    pub(super) scope: RunScope,
    pub(super) pod: String,
    pub(super) container: Option<String>,
    pub(super) script: Script,
    pub(super) input: Option<String>,
    pub(super) cx: ReadCx,
}

impl Job {
    /// Runs it. What was stopped or lost half way may go on in its pod: nobody can end it from here.
    pub(super) async fn run(self) -> Result<PodEnded, EffectError> {
        let cancel = self.cx.cancel.clone();
        let pod = self.pod.clone();
        let stopped = || ActionError::transient(format!("it was stopped before its end, and may go on in pod/{pod}"));
        let (program, args) = self.script.command();
        let command = PodCommand {
            pod: self.pod.clone(),
            container: self.container.clone(),
            command: [vec![program], args].concat(),
            stdin: self.input.is_some(),
        };
        let program = tokio::select! {
            program = self.pods.start(&self.scope, command) => program?,
            // The request may be there already.
            () = cancel.cancelled() => return Err(EffectError::Lost(stopped())),
        };
        tokio::select! {
            ended = self.listen(program) => ended,
            () = cancel.cancelled() => Err(EffectError::Lost(stopped())),
        }
    }

    async fn listen(&self, program: PodProgram) -> Result<PodEnded, EffectError> {
        let PodProgram { stdin, mut stdout, end } = program;
        let write = async {
            if let (Some(mut stdin), Some(input)) = (stdin, &self.input) {
                // A program need not read all of its input; how it ends tells what it made of that.
                let _ = stdin.write_all(input.as_bytes()).await;
                let _ = stdin.shutdown().await;
            }
        };
        let read = async {
            let (mut capture, mut piece) = (Capture::new(OUTPUT_LIMIT), vec![0; PIECE]);
            let tell = |line, goes_on| self.cx.sink.progress(&self.cx.step, Progress::printed(line, goes_on));
            while let Ok(read @ 1..) = stdout.read(&mut piece).await {
                capture.push(&piece[..read], tell);
            }
            capture.flush(tell);
            capture.into_tail()
        };
        let ended = async {
            // A connection that is lost ends the wait, whatever becomes of the output.
            let (end, stdout) = futures::future::try_join(end, async { Ok(read.await) }).await?;
            let told: Vec<&str> = end.errors.lines().filter(|line| !line.trim().is_empty()).collect();
            let errors = told[told.len().saturating_sub(ERROR_LINES)..].iter().map(|line| (*line).to_owned()).collect();
            Ok(PodEnded { pod: self.pod.clone(), code: end.code, stdout: stdout.trim().to_owned(), errors, by_check: false })
        };
        tokio::pin!(write, ended);
        let ended: Result<PodEnded, ActionError> = match futures::future::select(write, ended).await {
            futures::future::Either::Left(((), ended)) => ended.await,
            futures::future::Either::Right((ended, _)) => ended,
        };
        // Only a runtime that refuses to start a program says something that trying again does not mend.
        ended.map_err(|error| if error.is_transient() { EffectError::Lost(error) } else { EffectError::Refused(error) })
    }
}

pub(super) fn output(params: &ExecParams, ended: PodEnded) -> Result<ExecOutput, ActionError> {
    let title = params.run.title();
    if ended.code != 0 {
        let message = format!("`{title}` exited with code {} in pod/{}", ended.code, ended.pod);
        let error = if is_for_good(ended.code, &ended.errors) { ActionError::permanent(message) } else { ActionError::transient(message) };
        let mut failure = error.into_failure();
        failure.causes.extend(ended.errors);
        return Err(failure.into());
    }
    if ended.by_check {
        return Ok(ExecOutput { pod: ended.pod, code: ended.code, stdout: None, json: None, lines: None });
    }
    let (json, lines) = match params.output {
        OutputForm::Text => (None, None),
        OutputForm::Json => (Some(parse(&title, &ended.stdout)?), None),
        OutputForm::Lines => (None, Some(ended.stdout.lines().map(str::to_owned).collect())),
    };
    Ok(ExecOutput { pod: ended.pod, code: ended.code, stdout: Some(ended.stdout), json, lines })
}

fn parse(title: &str, stdout: &str) -> Result<serde_json::Value, ActionError> {
    serde_json::from_str(stdout).map_err(|error| {
        let hint = "print one JSON document on standard output, or leave `output: json` out";
        ActionError::permanent(format!("`{title}` did not print JSON")).because(&error).hint(hint)
    })
}
