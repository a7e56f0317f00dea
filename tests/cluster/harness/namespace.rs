//! A namespace of its own for a test, and what belongs to it outside of it. Does not know what is tested.

use super::cluster::Cluster;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

const LABEL: &str = "bowline.test/namespace";

/// A fresh namespace. Dropping it deletes it with its volumes, and does not wait until they are gone.
#[derive(Debug)]
pub struct Namespace {
    cluster: &'static Cluster,
    name: String,
}

impl Namespace {
    pub(super) fn create(cluster: &'static Cluster, prefix: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        let name = format!("{prefix}-{:x}-{}-{}", now & 0xff_ffff, std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        cluster.kubectl_ok(&["create", "namespace", &name]);
        let namespace = Self { cluster, name };
        // No pod is admitted before the account it runs as is there.
        namespace.wait(&["serviceaccount/default", "--for=create"], Duration::from_secs(30));
        namespace
    }

    /// Its name, which no other test has.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The cluster it is in.
    pub fn cluster(&self) -> &'static Cluster {
        self.cluster
    }

    /// Runs kubectl in this namespace and returns whatever came of it.
    pub fn kubectl(&self, arguments: &[&str]) -> Output {
        self.cluster.kubectl(&[&["--namespace", &self.name], arguments].concat())
    }

    /// Runs kubectl in this namespace and returns what it printed.
    ///
    /// # Panics
    /// When it fails, with what it said.
    pub fn kubectl_ok(&self, arguments: &[&str]) -> String {
        self.cluster.kubectl_ok(&[&["--namespace", &self.name], arguments].concat())
    }

    /// Reads objects of this namespace as JSON: `get(&["deployment", "web"])`.
    ///
    /// # Panics
    /// When kubectl fails.
    pub fn get(&self, arguments: &[&str]) -> Value {
        self.cluster.get(&[&["--namespace", &self.name], arguments].concat())
    }

    /// Applies manifests: YAML or JSON, one document or many.
    ///
    /// # Panics
    /// When the server refuses one.
    pub fn apply(&self, manifests: &str) {
        let mut child = self
            .cluster
            .command("kubectl")
            .args(["--namespace", &self.name, "apply", "--filename=-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("tests/cluster/enter can be run");
        let written = child.stdin.take().expect("its stdin is a pipe").write_all(manifests.as_bytes());
        let output = child.wait_with_output().expect("kubectl is a child of this process");
        assert!(output.status.success() && written.is_ok(), "kubectl apply: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Waits, as `kubectl wait` does: `wait(&["deployment/web", "--for=condition=Available"], limit)`.
    ///
    /// # Panics
    /// When `limit` is over, with the pods as they are then.
    pub fn wait(&self, arguments: &[&str], limit: Duration) {
        self.wait_with("wait", arguments, limit);
    }

    /// Waits until a workload is rolled out: `wait_for_rollout("statefulset/postgres", limit)`.
    ///
    /// # Panics
    /// When `limit` is over, with the pods as they are then.
    pub fn wait_for_rollout(&self, workload: &str, limit: Duration) {
        self.wait_with("rollout", &["status", workload], limit);
    }

    fn wait_with(&self, verb: &str, arguments: &[&str], limit: Duration) {
        let timeout = format!("--timeout={}ms", limit.as_millis());
        let output = self.kubectl(&[&[verb], arguments, &[&timeout]].concat());
        if !output.status.success() {
            let pods = String::from_utf8_lossy(&self.kubectl(&["get", "pods"]).stdout).into_owned();
            panic!("kubectl {verb} {}: {}\n{pods}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
        }
    }

    /// Creates the volume that the claim `claim` of this namespace gets, such as `data-postgres-0` for the claim template
    /// `data` of the StatefulSet `postgres`. Returns the folder that holds its data.
    ///
    /// # Panics
    /// When it cannot be created.
    pub fn volume(&self, claim: &str) -> PathBuf {
        let folder = self.folder().join(claim);
        fs::create_dir_all(&folder).expect("volumes can be made under the cluster's folder");
        // Whatever user the container runs as may write to it.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("the folder is ours");
        self.apply(&volume_manifest(&self.name, claim, &folder.to_string_lossy()).to_string());
        folder
    }

    fn folder(&self) -> PathBuf {
        self.cluster.work().join("volumes").join(&self.name)
    }
}

fn volume_manifest(namespace: &str, claim: &str, folder: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": { "name": format!("{namespace}-{claim}"), "labels": { LABEL: namespace } },
        "spec": {
            "capacity": { "storage": "1Gi" },
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "local",
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": { "namespace": namespace, "name": claim },
            "hostPath": { "path": folder, "type": "Directory" },
        },
    })
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // A failure here is not the test's: the cluster may be gone already, and takes everything with it.
        self.cluster.kubectl(&["delete", "namespace", &self.name, "--wait=false"]);
        if self.folder().exists() {
            self.cluster.kubectl(&["delete", "persistentvolume", "--selector", &format!("{LABEL}={}", self.name), "--wait=false"]);
        }
    }
}
