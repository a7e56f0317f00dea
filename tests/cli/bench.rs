//! A folder with plans and a state folder, and the program started in it.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub struct Bench(tempfile::TempDir);

/// How the program ended.
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    pub fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }

    #[track_caller]
    pub fn assert_code(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    pub fn assert_says(&self, words: &str) -> &Self {
        assert!(self.all().contains(words), "`{words}` is not said:\n{}", self.all());
        self
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Bench {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder for the test"))
    }

    /// A bench with this plan as `plan.yaml`.
    pub fn with(plan: &str) -> Self {
        let bench = Self::new();
        bench.write("plan.yaml", plan);
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("the test's folder can be written");
    }

    pub fn has(&self, name: &str) -> bool {
        self.path(name).exists()
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        // Whoever starts the tests may ignore signals, as nohup does; the program is to meet them as on a terminal.
        let mut command = Command::new("env");
        command.arg("--default-signal=HUP,INT,TERM").arg(env!("CARGO_BIN_EXE_bowline"));
        command.args(arguments).arg("--state").arg(self.path("state")).current_dir(self.0.path());
        command.env("NO_COLOR", "1").env_remove("BOWLINE_STATE").env_remove("BOWLINE_KEY");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.command(arguments).output().expect("bowline can be started").into()
    }

    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).spawn().expect("bowline can be started")
    }

    /// Waits until a step of the plan has made this file.
    #[track_caller]
    pub fn wait_for(&self, name: &str) {
        let started = Instant::now();
        while !self.has(name) {
            assert!(started.elapsed() < Duration::from_secs(20), "nothing made {name}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

pub fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().expect("kill");
    assert!(status.success());
}

pub fn wait(child: Child) -> Ended {
    child.wait_with_output().expect("it is our child").into()
}
