//! The scene of a test: a namespace with version 1 of the app in service, a copy of the plan, and a state folder.

use crate::harness::{Cluster, Namespace};
use crate::world::World;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

pub struct Stage {
    pub namespace: Namespace,
    pub folder: tempfile::TempDir,
    pub host: String,
}

/// How a run of the program ended.
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ended {
    pub fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    }

    pub fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    #[track_caller]
    pub fn assert_code(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub fn assert_says(&self, words: &str) -> &Self {
        assert!(self.all().contains(words), "`{words}` is not said:\n{}", self.all());
        self
    }
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

impl Stage {
    /// An empty namespace and an empty folder.
    pub fn bare(cluster: &'static Cluster, name: &str) -> Self {
        let namespace = cluster.namespace(name);
        let host = format!("{}.test", namespace.name());
        Self { namespace, folder: tempfile::tempdir().expect("a folder for the test"), host }
    }

    /// Version 1 of the app behind its Ingress, without a database.
    pub fn new(cluster: &'static Cluster, name: &str) -> Self {
        let namespace = cluster.namespace(name);
        let host = format!("{}.test", namespace.name());
        namespace.apply(&read("plans/base/app.yaml").replace("api.test", &host));
        let folder = tempfile::tempdir().expect("a folder for the test");
        let stage = Self { namespace, folder, host };
        let plan = read("plans/blue-green.yaml")
            .replace("namespace: bowline-demo", &format!("namespace: {}", stage.namespace.name()))
            .replace("default: api.test", &format!("default: {}", stage.host));
        stage.write("blue-green.yaml", &plan);
        fs::create_dir(stage.path("manifests")).expect("a folder");
        stage.write("manifests/app.yaml", &read("plans/manifests/app.yaml"));
        stage.namespace.wait_for_rollout("deployment/web-blue", Duration::from_secs(60));
        cluster.wait_for_route(&stage.host, "/health", Duration::from_secs(30));
        stage
    }

    /// The same, with a PostgreSQL that holds a few rows.
    pub fn with_database(cluster: &'static Cluster, name: &str) -> Self {
        let stage = Self::new(cluster, name);
        stage.namespace.volume("data-postgres-0");
        stage.namespace.apply(&read("plans/base/postgres.yaml"));
        stage.namespace.wait_for_rollout("statefulset/postgres", Duration::from_secs(90));
        stage.wait_for_database();
        let rows = "CREATE TABLE streams (id serial PRIMARY KEY, title text NOT NULL, at timestamptz DEFAULT '2026-01-01T00:00:00Z');\
                    INSERT INTO streams (title) SELECT 'stream ' || n || E' \\u00e9\\n\\'\\t' FROM generate_series(1, 500) n;";
        stage.sql("app", rows);
        stage
    }

    /// The plan without its first step: for tests that are not about the database.
    pub fn without_database(cluster: &'static Cluster, name: &str) -> Self {
        let stage = Self::new(cluster, name);
        stage.edit("blue-green.yaml", |plan| {
            let (head, rest) = plan.split_once("  - id: database").expect("the first step");
            let (_, rest) = rest.split_once("  - id: colours").expect("the second step");
            format!("{head}  - id: colours{rest}")
        });
        stage
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("the test's folder can be written");
    }

    /// Changes a file; the change must change something.
    pub fn edit(&self, name: &str, change: impl FnOnce(&str) -> String) {
        let before = fs::read_to_string(self.path(name)).expect("a file of the test");
        let after = change(&before);
        assert_ne!(before, after, "the edit of {name} changed nothing");
        self.write(name, &after);
    }

    pub fn replace(&self, name: &str, from: &str, to: &str) {
        self.edit(name, |text| text.replace(from, to));
    }

    /// The program, in the cluster's network, with the test's state folder.
    pub fn bowline(&self, arguments: &[&str]) -> Command {
        let mut command = self.namespace.cluster().command(env!("CARGO_BIN_EXE_bowline"));
        command.args(arguments).arg("--state").arg(self.path("state")).current_dir(self.folder.path()).env("NO_COLOR", "1");
        command.stdin(Stdio::null());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        Ended::from(self.bowline(arguments).output().expect("bowline can be started"))
    }

    /// Deploys a version with the plan of this stage.
    pub fn deploy(&self, version: &str) -> Ended {
        self.run(&["run", "blue-green.yaml", "-e", "test", "--set", &format!("version={version}"), "--yes"])
    }

    pub fn start(&self, arguments: &[&str]) -> Child {
        self.bowline(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("bowline can be started")
    }

    pub fn world(&self) -> World {
        World::of(&self.namespace)
    }

    /// Ready is what a probe said a moment ago; on a machine with much to do the next connection may still be refused.
    fn wait_for_database(&self) {
        let asks = || self.namespace.kubectl(&["exec", "postgres-0", "--", "psql", "-U", "postgres", "-d", "app", "-c", "SELECT 1"]);
        let started = std::time::Instant::now();
        while !asks().status.success() {
            assert!(started.elapsed() < Duration::from_secs(60), "the database never answers: {:?}", asks());
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Runs SQL in the database's pod and returns what it printed.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        self.namespace.kubectl_ok(&[
            "exec",
            "postgres-0",
            "--",
            "psql",
            "-U",
            "postgres",
            "-d",
            database,
            "-X",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            sql,
        ])
    }

    /// What the app says of itself from outside.
    pub fn health(&self) -> serde_json::Value {
        let body = self.namespace.cluster().fetch(&self.host, "/health").unwrap_or_else(|error| panic!("{}: {error}", self.host));
        serde_json::from_str(&body).expect("the app answers JSON")
    }
}
