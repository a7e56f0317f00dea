//! Runs a command in a pod's container: streamed input and output, and how it ended. It knows no database and no plan.

mod channels;

use crate::cluster::answer::{ApiError, Class};
use crate::ports::Connection;
use futures::stream::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Resource;
use kube::api::{AttachParams, Request};
use kube::client::UpgradeConnectionError;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, duplex};
use tokio_util::task::AbortOnDropHandle;

/// Bytes that wait on the way when one side is slower.
const BUFFER: usize = 1024 * 1024;
/// Bytes of standard error that are kept, from its end.
const ERRORS: usize = 64 * 1024;
/// Bytes of standard output that [`PodCommand::run`] takes.
const OUTPUT: u64 = 4 * 1024 * 1024;

/// A command to run in a pod.
#[derive(Debug, Clone, Default)]
pub struct PodCommand {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod.
    pub pod: String,
    /// The container; the only or default one when none.
    pub container: Option<String>,
    /// The program and its arguments. No shell reads them.
    pub command: Vec<String>,
}

/// Why a command in a pod has no end that is known.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// It never started: nothing happened.
    #[error("cannot start `{program}` in pod/{pod}: {why}")]
    NotStarted {
        /// The program.
        program: String,
        /// The pod.
        pod: String,
        /// What the server said.
        why: String,
        /// Trying again may help.
        transient: bool,
    },
    /// The connection broke: it may have run to its end, or run still.
    #[error("lost `{program}` in pod/{pod} while it ran: {why}")]
    Lost {
        /// The program.
        program: String,
        /// The pod.
        pod: String,
        /// What is known.
        why: String,
    },
}

/// How a command in a pod ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodExit {
    /// Its exit code.
    pub code: i32,
    /// What it printed on standard error, at most 64 KiB from its end.
    pub errors: String,
}

impl PodExit {
    /// True when it ended with code 0.
    pub fn is_success(&self) -> bool {
        self.code == 0
    }
}

/// A command that runs in a pod. A command that ends without reading all of its input keeps some container runtimes from telling
/// its end (seen with containerd 1.6, with kubectl as well): who gives input also gives a time limit. Dropping it closes the connection; the command may go on.
pub struct PodProcess {
    program: String,
    pod: String,
    stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    stdout: Option<Box<dyn AsyncRead + Send + Unpin>>,
    errors: AbortOnDropHandle<String>,
    status: AbortOnDropHandle<Result<Status, String>>,
    _input: AbortOnDropHandle<()>,
}

impl PodCommand {
    /// Starts it. With `stdin` the command reads what is written into [`PodProcess::stdin`]; without, it reads nothing.
    ///
    /// # Errors
    /// See [`ExecError`]: a connection that breaks before there is an answer may have started it.
    pub async fn start(&self, connection: &Connection, stdin: bool) -> Result<PodProcess, ExecError> {
        let mut params = AttachParams::default().stdin(stdin).stdout(true).stderr(true);
        params.container = self.container.clone();
        let request = Request::new(Pod::url_path(&(), Some(&self.namespace))).exec(&self.pod, self.command.clone(), &params);
        let request = request.map_err(|error| self.not_started(&kube::Error::BuildRequest(error)))?;
        let connected = connection.client.connect(request).await.map_err(|error| self.not_started(&error))?;
        let tells_end = connected.supports_stream_close();
        let (sink, stream) = connected.into_stream().split();
        // Each is used in one direction; dropping an end is the end of what goes through.
        let ((input, stdin_reader), (stdout_writer, output), (stderr_writer, errors)) = (duplex(BUFFER), duplex(BUFFER), duplex(ERRORS));
        let stdin_reader = stdin.then_some(stdin_reader);
        Ok(PodProcess {
            program: self.program(),
            pod: self.pod.clone(),
            stdin: stdin.then(|| Box::new(input) as _),
            stdout: Some(Box::new(output)),
            errors: AbortOnDropHandle::new(tokio::spawn(tail(errors, ERRORS))),
            status: AbortOnDropHandle::new(tokio::spawn(channels::receive(stream, stdout_writer, stderr_writer))),
            _input: AbortOnDropHandle::new(tokio::spawn(channels::send(sink, stdin_reader, tells_end))),
        })
    }

    /// Runs it to its end, giving it `input`, and gives back what it printed on standard output: at most 4 MiB, the rest is dropped.
    ///
    /// # Errors
    /// See [`ExecError`]. An exit code other than 0 is no error.
    pub async fn run(&self, connection: &Connection, input: Option<&[u8]>) -> Result<(PodExit, Vec<u8>), ExecError> {
        let mut process = self.start(connection, input.is_some()).await?;
        let (stdin, stdout) = (process.stdin(), process.stdout());
        let write = async {
            if let (Some(mut stdin), Some(input)) = (stdin, input) {
                // A program need not read all of its input; how it ends tells what it made of that.
                let _ = stdin.write_all(input).await;
                let _ = stdin.shutdown().await;
            }
        };
        let read = async {
            let mut output = Vec::new();
            if let Some(mut stdout) = stdout {
                let _ = (&mut stdout).take(OUTPUT).read_to_end(&mut output).await;
                let _ = tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await;
            }
            output
        };
        // The writer is not waited for: a program that ends early leaves its input unread.
        let ended = async {
            let (output, exit) = tokio::join!(read, process.wait());
            exit.map(|exit| (exit, output))
        };
        tokio::pin!(write, ended);
        match futures::future::select(write, ended).await {
            futures::future::Either::Left(((), ended)) => ended.await,
            futures::future::Either::Right((ended, _)) => ended,
        }
    }

    fn program(&self) -> String {
        self.command.first().cloned().unwrap_or_default()
    }

    fn not_started(&self, error: &kube::Error) -> ExecError {
        let (program, pod) = (self.program(), self.pod.clone());
        match (error, ApiError::from_client(error)) {
            // What stands between us and the server does not know whether it has begun.
            (kube::Error::Api(status), _) if matches!(status.code, 502 | 504) => {
                ExecError::Lost { program, pod, why: status.message.clone() }
            }
            (kube::Error::Api(status), _) => {
                let transient = status.code == 429 || status.code >= 500;
                ExecError::NotStarted { program, pod, why: status.message.clone(), transient }
            }
            // An answer that does not go over to the protocol says that nothing was begun.
            (kube::Error::UpgradeConnection(UpgradeConnectionError::ProtocolSwitch(_)), _) => {
                ExecError::NotStarted { program, pod, why: error.to_string(), transient: true }
            }
            (_, ApiError { class: Class::Lost, message, .. }) => ExecError::Lost { program, pod, why: message },
            _ => ExecError::NotStarted { program, pod, why: error.to_string(), transient: true },
        }
    }
}

impl PodProcess {
    /// Its standard input, once. Shutting it down, or dropping it, tells the command that the input is over.
    pub fn stdin(&mut self) -> Option<Box<dyn AsyncWrite + Send + Unpin>> {
        self.stdin.take()
    }

    /// Its standard output, once. It must be read to its end while [`PodProcess::wait`] waits.
    pub fn stdout(&mut self) -> Option<Box<dyn AsyncRead + Send + Unpin>> {
        self.stdout.take()
    }

    /// Waits until the command has ended. Input that nobody took is over at once, output that nobody took is dropped.
    ///
    /// # Errors
    /// [`ExecError::NotStarted`] when the container's runtime refused it, [`ExecError::Lost`] when the connection broke.
    pub async fn wait(mut self) -> Result<PodExit, ExecError> {
        drop(self.stdin.take());
        let unread = self.stdout.take();
        let drain = async {
            if let Some(mut stdout) = unread {
                let _ = tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await;
            }
        };
        let (status, ()) = tokio::join!(&mut self.status, drain);
        let status = match status {
            Ok(Ok(status)) => status,
            Ok(Err(why)) => return Err(ExecError::Lost { program: self.program, pod: self.pod, why }),
            Err(_) => return Err(ExecError::Lost { program: self.program, pod: self.pod, why: "it was given up".to_owned() }),
        };
        let errors = self.errors.await.unwrap_or_default();
        read_status(&status, self.program, self.pod).map(|code| PodExit { code, errors })
    }
}

/// Reads the exit code off the status that ends an exec.
fn read_status(status: &Status, program: String, pod: String) -> Result<i32, ExecError> {
    if status.status.as_deref() == Some("Success") {
        return Ok(0);
    }
    let causes = status.details.iter().flat_map(|details| details.causes.iter().flatten());
    let mut codes = causes.filter(|cause| cause.reason.as_deref() == Some("ExitCode")).filter_map(|cause| cause.message.as_deref());
    if let Some(code) = codes.find_map(|code| code.parse().ok()) {
        return Ok(code);
    }
    let why = status.message.clone().unwrap_or_default();
    // The runtime's own words for a program that is not there or may not be run.
    match why.contains("OCI runtime exec failed") || why.contains("failed to exec in container") {
        true => Err(ExecError::NotStarted { program, pod, why, transient: false }),
        false => Err(ExecError::Lost { program, pod, why }),
    }
}

async fn tail(mut from: impl AsyncRead + Unpin, most: usize) -> String {
    let (mut kept, mut chunk) = (Vec::new(), vec![0; 8192]);
    while let Ok(read @ 1..) = from.read(&mut chunk).await {
        kept.extend_from_slice(&chunk[..read]);
        if kept.len() > 2 * most {
            kept.drain(..kept.len() - most);
        }
    }
    let from = kept.len().saturating_sub(most);
    String::from_utf8_lossy(&kept[from..]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{ExecError, PodCommand, read_status, tail};
    use crate::ports::NotReached;
    use serde_json::json;

    fn read(status: serde_json::Value) -> Result<i32, ExecError> {
        read_status(&serde_json::from_value(status).unwrap(), "pg_dump".to_owned(), "postgres-0".to_owned())
    }

    #[test]
    fn the_exit_code_is_in_the_causes() {
        assert_eq!(read(json!({ "status": "Success" })).unwrap(), 0);
        let causes = json!([{ "reason": "ExitCode", "message": "3" }]);
        let failed =
            json!({ "status": "Failure", "reason": "NonZeroExitCode", "message": "command terminated", "details": { "causes": causes } });
        assert_eq!(read(failed).unwrap(), 3);
    }

    #[test]
    fn a_program_that_is_not_there_never_started() {
        let message = "Internal error occurred: error executing command in container: failed to exec in container: OCI runtime exec failed: \
                       exec: \"pg_dump\": executable file not found in $PATH";
        let error = read(json!({ "status": "Failure", "reason": "InternalError", "message": message })).unwrap_err();
        assert!(matches!(error, ExecError::NotStarted { transient: false, .. }), "{error}");
    }

    #[test]
    fn any_other_end_is_lost() {
        let error = read(json!({ "status": "Failure", "message": "container is gone" })).unwrap_err();
        insta::assert_snapshot!(error, @"lost `pg_dump` in pod/postgres-0 while it ran: container is gone");
    }

    #[tokio::test]
    async fn the_end_of_what_was_printed_is_kept() {
        let text = "x".repeat(100_000) + "end";
        assert_eq!(tail(text.as_bytes(), 5).await, "xxend");
        assert_eq!(tail("short".as_bytes(), 5).await, "short");
    }

    #[test]
    fn a_start_that_nobody_answered_may_have_begun() {
        let begun = |error: &kube::Error| matches!(PodCommand::default().not_started(error), ExecError::Lost { .. });
        let api = |code| kube::Error::Api(Box::new(kube::core::Status::failure("why", "").with_code(code)));
        assert_eq!([502, 504, 500, 503, 429, 404].map(|code| begun(&api(code))), [true, true, false, false, false, false]);
        let sent = |kind: std::io::ErrorKind| kube::Error::Service(std::io::Error::from(kind).into());
        assert!(begun(&sent(std::io::ErrorKind::ConnectionReset)));
        let refused = NotReached::because(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
        assert!(!begun(&kube::Error::Service(refused.into())));
    }
}
