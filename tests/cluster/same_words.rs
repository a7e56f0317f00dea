//! A real API server says what the table of `same_words.yaml` has, which the simulated one is held to as well.

use crate::cluster;
use crate::harness::{Cluster, Namespace};
use crate::table::{Request, Table};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// kubectl's way to the server, without kubectl's own opinion of what is sent.
struct Proxy {
    child: Child,
    socket: PathBuf,
}

impl Proxy {
    fn start(cluster: &Cluster, folder: &Path) -> Self {
        let socket = folder.join("proxy");
        let mut command = cluster.command("kubectl");
        let child = command.arg("proxy").arg(format!("--unix-socket={}", socket.display())).stdout(Stdio::null()).stderr(Stdio::null());
        let proxy = Self { child: child.spawn().expect("kubectl can be started"), socket };
        let began = Instant::now();
        while std::os::unix::net::UnixStream::connect(&proxy.socket).is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "kubectl proxy does not listen");
            std::thread::yield_now();
        }
        proxy
    }

    fn ask(&self, request: &Request) -> (u16, Value) {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--max-time", "20", "--request", request.method, "--data-binary", "@-"]);
        curl.args(["--header", &format!("content-type: {}", request.content), "--write-out", "\n%{http_code}", "--unix-socket"]);
        curl.arg(&self.socket).arg(format!("http://localhost{}", request.path)).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = curl.spawn().expect("curl can be started");
        let sent = child.stdin.take().expect("its stdin is a pipe").write_all(request.body.to_string().as_bytes());
        let output = child.wait_with_output().expect("curl is a child of this process");
        assert!(sent.is_ok() && output.status.success(), "{} {} has no answer", request.method, request.path);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let (answer, code) = text.rsplit_once('\n').expect("curl tells the code");
        (code.parse().expect("a code"), serde_json::from_str(answer).unwrap_or_default())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_real_server_uses_these_words() {
    let cluster = cluster!();
    let namespace: Namespace = cluster.namespace("same-words");
    let folder = tempfile::tempdir().expect("a folder for the test");
    let proxy = Proxy::start(cluster, folder.path());
    let table = Table::read();
    let (mut wrong, mut made) = (Vec::new(), BTreeSet::new());
    for case in &table.cases {
        let (first, question) = table.requests(case, namespace.name());
        // What is there once stays: all questions are dry runs.
        if let Some(first) = first.filter(|first| made.insert(first.body["metadata"]["name"].to_string() + &first.path)) {
            let (code, answer) = proxy.ask(&first);
            assert!(code < 300 || code == 409, "{}: {answer}", case.says);
        }
        let (code, answer) = proxy.ask(&question);
        wrong.extend(case.differs(code, &answer, namespace.name()));
    }
    let _ = cluster.kubectl(&["delete", "customresourcedefinition", "things.bowline.example.org", "--ignore-not-found", "--wait=false"]);
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), table.cases.len(), wrong.join("\n"));
}
