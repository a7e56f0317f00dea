//! One question put to a service, with what is expected of the answer. It knows no plan, no run and no cluster.

mod command;
mod dns;
mod expect;
mod http;
mod patience;
mod postgres;
mod tcp;
mod tls;

pub use command::{CommandExpect, CommandProbe};
pub use dns::{DnsExpect, DnsProbe};
pub use expect::{ConditionExpect, HttpExpect, JsonExpect, StatusExpect};
pub use http::{BasicAuth, Body, HttpProbe};
pub use patience::Patience;
pub use postgres::{PostgresExpect, PostgresProbe};
pub use tcp::TcpProbe;
pub use tls::{TlsExpect, TlsProbe};

use crate::ports::{Clock, Http, Names, Ports, Postgres, Processes, Script, Tcp, Tls};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Time for one question where the plan gives none.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// One question put to a service, and what is expected of the answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Probe {
    /// An HTTP request.
    Http(Box<HttpProbe>),
    /// A TCP connection: somebody takes it.
    Tcp(TcpProbe),
    /// A host's name: it stands for an address.
    Dns(DnsProbe),
    /// A TLS handshake: the certificate is good, and for long enough.
    Tls(TlsProbe),
    /// A query to a PostgreSQL, in a transaction that only reads.
    Postgres(Box<PostgresProbe>),
    /// A program on this machine, which only looks.
    Command(CommandProbe),
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The answer was as expected.
    Passed,
    /// It was not: what was expected and what came, in one line. May quote the answer.
    Failed(String),
}

/// The ways to the outside that probes take.
#[derive(Clone)]
pub struct Outside {
    /// For `http`.
    pub http: Arc<dyn Http>,
    /// For `tcp`.
    pub tcp: Arc<dyn Tcp>,
    /// For `dns`.
    pub names: Arc<dyn Names>,
    /// For `tls`.
    pub tls: Arc<dyn Tls>,
    /// For `postgres`.
    pub postgres: Arc<dyn Postgres>,
    /// For `command`.
    pub processes: Arc<dyn Processes>,
    /// For waiting.
    pub clock: Arc<dyn Clock>,
}

impl Outside {
    /// Those of the program.
    pub fn of(ports: &Ports) -> Self {
        Self {
            http: ports.http.clone(),
            tcp: ports.tcp.clone(),
            names: ports.names.clone(),
            tls: ports.tls.clone(),
            postgres: ports.postgres.clone(),
            processes: ports.processes.clone(),
            clock: ports.clock.clone(),
        }
    }
}

/// What a question is put with.
#[derive(Debug, Clone, Default)]
pub struct Setting {
    /// Where a `path` or a bare `port` leads: `http://127.0.0.1:40123`.
    pub base: Option<String>,
    /// The values of the secrets that probes name, by their names in the plan. See [`Probe::secrets`].
    pub secrets: BTreeMap<String, String>,
}

impl Setting {
    /// A secret's value, without the end of line that files put behind it.
    fn secret(&self, name: &str) -> Result<&str, String> {
        self.secrets.get(name).map(|value| value.trim_end()).ok_or_else(|| format!("the secret `{name}` is not there"))
    }
}

impl Probe {
    /// The names of the secrets that it needs.
    pub fn secrets(&self) -> Vec<&str> {
        match self {
            Probe::Http(probe) => probe.secrets().collect(),
            Probe::Tcp(_) | Probe::Dns(_) | Probe::Tls(_) => Vec::new(),
            Probe::Postgres(probe) => probe.password.iter().map(String::as_str).collect(),
            Probe::Command(probe) => probe.secrets.values().map(String::as_str).collect(),
        }
    }

    /// Finds mistakes that its types allow. `based` says whether there will be a base for a `path`.
    pub fn problems(&self, based: bool) -> Vec<String> {
        match self {
            Probe::Http(probe) => probe.problems(based),
            Probe::Tcp(probe) => probe.problems(based),
            Probe::Dns(probe) => probe.problems(),
            Probe::Tls(probe) => probe.problems(based),
            Probe::Postgres(probe) => probe.problems(based),
            Probe::Command(probe) => probe.problems(),
        }
    }

    /// The program on this machine that it runs.
    pub fn program(&self) -> Option<&Script> {
        match self {
            Probe::Command(probe) => Some(&probe.run),
            _ => None,
        }
    }

    /// The server that it asks, where that is told by a URL: the method, the URL, and the host that is named to it.
    pub fn server(&self, base: Option<&str>) -> Option<(String, String, Option<String>)> {
        match self {
            Probe::Http(probe) => probe.server(base),
            _ => None,
        }
    }

    /// What is asked, for people: `GET /health`.
    pub fn title(&self) -> String {
        match self {
            Probe::Http(probe) => probe.title(),
            Probe::Tcp(probe) => probe.title(),
            Probe::Dns(probe) => probe.title(),
            Probe::Tls(probe) => probe.title(),
            Probe::Postgres(probe) => probe.title(),
            Probe::Command(probe) => format!("`{}`", probe.run.title()),
        }
    }

    /// Asks once.
    pub async fn ask(&self, setting: &Setting, outside: &Outside, cancel: &CancellationToken) -> Verdict {
        let complaints = match self {
            // It listens by itself: a program gets the chance to end in peace.
            Probe::Command(probe) => probe.ask(setting, outside, cancel).await,
            Probe::Http(probe) => unless(cancel, probe.ask(setting, outside)).await,
            Probe::Tcp(probe) => unless(cancel, probe.ask(setting, outside)).await,
            Probe::Dns(probe) => unless(cancel, probe.ask(outside)).await,
            Probe::Tls(probe) => unless(cancel, probe.ask(setting, outside)).await,
            Probe::Postgres(probe) => unless(cancel, probe.ask(setting, outside)).await,
        };
        match complaints.is_empty() {
            true => Verdict::Passed,
            false => Verdict::Failed(complaints.join("; ")),
        }
    }

    /// Asks until the answers are as patience wants them.
    pub async fn ask_until(&self, patience: &Patience, setting: &Setting, outside: &Outside, cancel: &CancellationToken) -> Verdict {
        patience.until(outside.clock.as_ref(), cancel, || self.ask(setting, outside, cancel)).await
    }
}

async fn unless(cancel: &CancellationToken, answer: impl Future<Output = Vec<String>>) -> Vec<String> {
    tokio::select! {
        complaints = answer => complaints,
        () = cancel.cancelled() => vec!["stopped before there was an answer".to_owned()],
    }
}

/// A text in one line that is short enough for a reason.
fn excerpt(text: &str) -> String {
    const LONGEST: usize = 120;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests;
