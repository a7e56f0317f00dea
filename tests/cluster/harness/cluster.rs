//! The cluster that the tests of this process share, and programs run in its network. Does not know how one is kept alive.

use super::keeper;
use super::namespace::Namespace;
use serde_json::Value;
use std::ffi::OsStr;
use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

/// Says why the tests that need a cluster cannot run on this machine; whoever gets it reports them as skipped.
#[derive(Clone, Debug)]
pub struct Skip(pub String);

impl Display for Skip {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "skipped: {}", self.0)
    }
}

/// A running Kubernetes cluster of one node, with Traefik on its port 8000.
#[derive(Debug)]
pub struct Cluster {
    work: PathBuf,
}

impl Cluster {
    /// Returns the cluster of this process: the one that `BOWLINE_TEST_CLUSTER` names if it is alive, else one that is
    /// started now and dies with this process.
    ///
    /// # Errors
    /// [`Skip`] when this machine cannot run one: not root, or `tests/cluster/build` has not been run.
    ///
    /// # Panics
    /// When it could run here but did not start: that is a failure, not a reason to skip.
    pub fn shared() -> Result<&'static Self, Skip> {
        static SHARED: OnceLock<Result<Cluster, Skip>> = OnceLock::new();
        SHARED.get_or_init(Self::find_or_start).as_ref().map_err(Clone::clone)
    }

    fn find_or_start() -> Result<Self, Skip> {
        let kept = std::env::var_os("BOWLINE_TEST_CLUSTER").map(PathBuf::from).filter(|work| keeper::is_ready(work));
        let work = kept.map_or_else(keeper::start, Ok)?;
        Ok(Self { work })
    }

    /// The folder that holds its state. What is under it stays until the cluster ends.
    pub fn work(&self) -> &Path {
        &self.work
    }

    /// The configuration with the contexts `admin` (everything) and `dev` (no rights at all). Its server's address is
    /// only valid inside: see [`Cluster::command`].
    pub fn kubeconfig(&self) -> PathBuf {
        self.work.join("kubeconfig")
    }

    /// The API server's audit log: JSON lines, one a request, with user, verb and object.
    pub fn audit_log(&self) -> PathBuf {
        self.work.join("log/audit.log")
    }

    /// A command that runs in the cluster's network, with `KUBECONFIG` set and the Kubernetes programs on its `PATH`.
    /// Files and processes are the ones outside; the child's id is the program's own, so signals reach it.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(keeper::script("enter"));
        command.arg(&self.work).arg(program);
        command
    }

    /// Runs kubectl and returns whatever came of it.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn kubectl(&self, arguments: &[&str]) -> Output {
        self.command("kubectl").args(arguments).stdin(Stdio::null()).output().expect("tests/cluster/enter can be run")
    }

    /// Runs kubectl and returns what it printed.
    ///
    /// # Panics
    /// When it fails, with what it said.
    pub fn kubectl_ok(&self, arguments: &[&str]) -> String {
        let output = self.kubectl(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "kubectl {}: {said}", arguments.join(" "));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Reads objects as JSON: `get(&["nodes"])`.
    ///
    /// # Panics
    /// When kubectl fails.
    pub fn get(&self, arguments: &[&str]) -> Value {
        let text = self.kubectl_ok(&[&["get", "--output=json"], arguments].concat());
        serde_json::from_str(&text).expect("kubectl prints JSON when asked for it")
    }

    /// Creates a namespace whose name begins with `prefix` and that no other test has.
    ///
    /// # Panics
    /// When it cannot be created.
    pub fn namespace(&'static self, prefix: &str) -> Namespace {
        Namespace::create(self, prefix)
    }

    /// Waits until Traefik answers a request for `host` and `path` with success: a new route takes it a moment.
    ///
    /// # Panics
    /// When `limit` is over, with the last answer.
    pub fn wait_for_route(&self, host: &str, path: &str, limit: Duration) {
        let started = Instant::now();
        loop {
            let answer = self.fetch(host, path);
            if answer.as_deref().is_ok_and(|body| !body.is_empty()) {
                return;
            }
            assert!(started.elapsed() < limit, "no route for {host}{path} after {limit:?}: {answer:?}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Asks Traefik for `path` of `host` and returns the body.
    ///
    /// # Errors
    /// What curl says when there is no answer or its status is not a success.
    pub fn fetch(&self, host: &str, path: &str) -> Result<String, String> {
        let output = self
            .command("curl")
            .args(["--silent", "--show-error", "--fail", "--max-time", "10", "--header", &format!("Host: {host}")])
            .arg(format!("http://127.0.0.1:8000{path}"))
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
        }
    }

    /// The audit log's entries from now on: call it again with the position it returned to read what came since.
    ///
    /// # Panics
    /// When the log cannot be read.
    pub fn audit_since(&self, position: usize) -> (Vec<Value>, usize) {
        let text = fs::read_to_string(self.audit_log()).expect("the API server writes its audit log");
        let whole = text.rfind('\n').map_or(0, |end| end + 1);
        let entries = text.get(position..whole).unwrap_or_default().lines();
        (entries.filter_map(|line| serde_json::from_str(line).ok()).collect(), whole)
    }
}
