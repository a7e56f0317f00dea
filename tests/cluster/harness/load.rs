//! Steady load on a route through Traefik, which proves that no request failed. Does not know what happens meanwhile.

use super::cluster::Cluster;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};
use std::time::Duration;

/// Keep-alive connections that ask for one path again and again until [`Load::stop`].
#[derive(Debug)]
pub struct Load {
    child: Child,
    answers: BufReader<ChildStdout>,
}

/// What became of the requests of a [`Load`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// All requests that were sent.
    pub requests: u64,
    /// Those without a complete answer in time, or whose status was not a success.
    pub failed: u64,
    /// The longest that one request took.
    pub slowest: Duration,
    /// Answers by the version and colour that gave them, such as `v2 green`.
    pub answered_by: BTreeMap<String, u64>,
    /// The first failures, each with its time since the start.
    pub first_failures: Vec<String>,
}

impl Load {
    /// Starts eight connections that pause 5 ms between requests, and returns when the first answer is there. The route
    /// must exist: every answer counts.
    ///
    /// # Panics
    /// When the load generator cannot be started.
    pub fn start(cluster: &Cluster, host: &str, path: &str) -> Self {
        Self::start_with(cluster, host, path, 8, Duration::from_millis(5))
    }

    /// Starts as many connections as told, with a pause between the requests of each.
    ///
    /// # Panics
    /// When the load generator cannot be started.
    pub fn start_with(cluster: &Cluster, host: &str, path: &str, connections: u32, pause: Duration) -> Self {
        let mut child = cluster
            .command("load")
            .args(["127.0.0.1", "8000", host, path, &connections.to_string(), &pause.as_millis().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("tests/cluster/enter can be run");
        let mut answers = BufReader::new(child.stdout.take().expect("its stdout is a pipe"));
        let mut line = String::new();
        let read = answers.read_line(&mut line);
        assert!(read.is_ok() && line == "running\n", "the load generator did not start: {line:?}");
        Self { child, answers }
    }

    /// Lets every request that is under way end, and returns what became of all.
    ///
    /// # Panics
    /// When the load generator did not come to its end.
    pub fn stop(mut self) -> LoadReport {
        // The end of its input is the sign to stop.
        drop(self.child.stdin.take());
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("its stdout is a pipe");
        LoadReport::parse(&line).unwrap_or_else(|| panic!("the load generator gave no report: {line:?}"))
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

impl LoadReport {
    /// Holds when there were requests and none failed.
    ///
    /// # Panics
    /// When one failed, with the first failures.
    pub fn assert_no_failure(&self) {
        assert!(self.requests > 0, "no request was sent");
        assert_eq!(self.failed, 0, "{} of {} requests failed: {:#?}", self.failed, self.requests, self.first_failures);
    }

    fn parse(line: &str) -> Option<Self> {
        let report: Value = serde_json::from_str(line).ok()?;
        let counted = report["answered_by"].as_object()?.iter();
        let failures = report["first_failures"].as_array()?.iter();
        Some(Self {
            requests: report["requests"].as_u64()?,
            failed: report["failed"].as_u64()?,
            slowest: Duration::from_millis(report["slowest_ms"].as_u64()?),
            answered_by: counted.map(|(name, count)| Some((name.clone(), count.as_u64()?))).collect::<Option<_>>()?,
            first_failures: failures.map(|failure| Some(failure.as_str()?.to_owned())).collect::<Option<_>>()?,
        })
    }
}
