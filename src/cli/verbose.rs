//! `-v`: what bowline does, as log lines on standard error, beside a live display when there is one. It knows no run.

use crate::report::screen::Terminal;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Where log lines go.
#[derive(Clone, Default)]
pub struct Logs(Arc<Mutex<Option<Arc<Terminal>>>>);

impl Logs {
    /// Starts to log, as much as was asked for.
    pub fn start(verbose: u8) -> Self {
        let logs = Self::default();
        let filter = match verbose {
            0 => return logs,
            1 => "bowline=info",
            2 => "bowline=debug",
            _ => "bowline=trace,kube=debug",
        };
        let subscriber = tracing_subscriber::fmt().with_env_filter(EnvFilter::new(filter)).with_ansi(false).with_writer(logs.clone());
        // Somebody who logs already, as a test may, goes on doing so.
        let _was_first = subscriber.try_init();
        logs
    }

    /// From now on log lines go beside this display.
    pub fn beside(&self, terminal: Arc<Terminal>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(terminal);
    }
}

impl<'a> MakeWriter<'a> for Logs {
    type Writer = Line;
    fn make_writer(&'a self) -> Line {
        Line { terminal: self.0.lock().unwrap_or_else(PoisonError::into_inner).clone(), text: Vec::new() }
    }
}

/// One log line, written when it is whole.
pub struct Line {
    terminal: Option<Arc<Terminal>>,
    text: Vec<u8>,
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let text = std::mem::take(&mut self.text);
        let write = move || drop(io::stderr().write_all(&text));
        match &self.terminal {
            Some(terminal) => terminal.aside(write),
            None => write(),
        }
    }
}
