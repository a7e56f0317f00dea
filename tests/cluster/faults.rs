//! The program behind a fault layer: whatever the API server does to single requests, no verdict is false and nothing is made twice.
//!
//! The layer stands in the program's own process, which must stand in the cluster's network: the test starts itself again there.

use crate::cluster;
use crate::edits::app;
use crate::stage::{Ended, Stage};
use bowline::ports::{Fault, Faults, FaultyKubernetes, Ports, Sought};
use std::collections::HashMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Set in the process that stands in the cluster's network: which faults, and the program's arguments.
const INSIDE: &str = "BOWLINE_FAULTS_INSIDE";

const PLAN: &str = "plan: app
steps:
  - id: deploy
    apply: { manifests: [app.yaml] }
  - id: healthy
    wait-healthy: { applied-by: deploy, failure-grace: 6s }
    timeout: 90s
";

/// Faults by name; each hits requests in their order.
#[derive(Default)]
struct Course {
    name: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    seen: HashMap<String, u32>,
    away_since: Option<Instant>,
}

impl Faults for Course {
    fn next(&self, request: &Sought) -> Option<Fault> {
        let mut state = self.state.lock().expect("no panic holds it");
        let times = state.seen.entry(format!("{} {}{}", request.method, request.path, request.query.contains("dryRun"))).or_default();
        *times += 1;
        let times = *times;
        match self.name.as_str() {
            "busy" => (times == 1 && !request.watches()).then_some(Fault::Refused { code: 429, retry_after: Some(1) }),
            "unavailable" => {
                (times == 1 && !request.writes() && !request.watches()).then_some(Fault::Refused { code: 503, retry_after: None })
            }
            "done-but-500" => (times == 1 && request.writes()).then_some(Fault::DoneBut(500)),
            "done-but-504" => (times == 1 && request.writes()).then_some(Fault::DoneBut(504)),
            "reset" => (times == 1 && request.writes()).then_some(Fault::Reset),
            "watches" => request.watches().then_some(if times % 3 == 2 { Fault::Expired } else { Fault::Cut(Duration::from_millis(700)) }),
            "away" => {
                let since = match state.away_since {
                    None if request.writes() && request.path.contains("/deployments/") => *state.away_since.insert(Instant::now()),
                    None => return None,
                    Some(since) => since,
                };
                (since.elapsed() < Duration::from_secs(15)).then_some(Fault::Away)
            }
            other => panic!("there is no course `{other}`"),
        }
    }
}

/// Runs the program behind the faults of this name.
fn run_behind(stage: &Stage, faults: &str, lock: &str) -> Ended {
    let test = std::env::current_exe().expect("this test's program");
    let mut command = stage.namespace.cluster().command(test);
    command.args(["--ignored", "--exact", "faults::the_program_behind_faults", "--nocapture", "--quiet"]);
    let arguments =
        ["bowline", "run", "plan.yaml", "--namespace", stage.namespace.name(), "--yes", "--output", "lines", "--lock", lock, "--state"];
    let state = stage.path("state");
    let all: Vec<String> = arguments.iter().map(ToString::to_string).chain([state.display().to_string()]).collect();
    command.env(INSIDE, format!("{faults} {}", all.join(" "))).current_dir(stage.folder.path()).stdin(Stdio::null());
    Ended::from(command.output().expect("the test can start itself"))
}

#[test]
#[ignore = "the inner half of the tests below, which start it by name in the cluster's network"]
fn the_program_behind_faults() {
    let Ok(told) = std::env::var(INSIDE) else { return };
    let (name, arguments) = told.split_once(' ').expect("a name and arguments");
    let course = Arc::new(Course { name: name.to_owned(), ..Course::default() });
    let behind = |ports: Ports| {
        let kubernetes = Arc::new(FaultyKubernetes { inner: Arc::clone(&ports.kubernetes), faults: course });
        Ports { kubernetes, ..ports }
    };
    let code = bowline::cli::main_with(arguments.split(' ').map(Into::into), behind);
    std::process::exit(i32::from(code));
}

/// How often each object of the namespace was made, as the audit log tells.
fn made(stage: &Stage, since: usize) -> HashMap<String, u32> {
    let (entries, _) = stage.namespace.cluster().audit_since(since);
    let mut made = HashMap::new();
    for entry in
        entries.iter().filter(|entry| entry["objectRef"]["namespace"] == stage.namespace.name() && entry["responseStatus"]["code"] == 201)
    {
        let ours = entry["userAgent"].as_str().is_some_and(|agent| agent.starts_with("bowline"));
        let kept =
            ours && !entry["requestURI"].as_str().is_some_and(|uri| uri.contains("dryRun")) && entry["objectRef"]["resource"] != "leases";
        if kept {
            *made.entry(format!("{}/{}", entry["objectRef"]["resource"], entry["objectRef"]["name"])).or_default() += 1;
        }
    }
    made
}

fn survives(name: &str, lock: &str) {
    let cluster = cluster!();
    let stage = Stage::bare(cluster, name);
    stage.write("plan.yaml", PLAN);
    stage.write("app.yaml", &app(1));
    let (_, since) = cluster.audit_since(0);
    run_behind(&stage, name, lock).assert_code(0);
    let made = made(&stage, since);
    assert_eq!(made.len(), 4, "{made:?}");
    assert!(made.values().all(|times| *times == 1), "{made:?}");
    let before = stage.world();
    stage.write("app.yaml", &app(2));
    run_behind(&stage, name, lock).assert_code(3).assert_says("web:none").assert_says("rolled back");
    before.assert_same(&stage.world());
}

#[test]
fn a_server_that_is_busy() {
    survives("busy", "lease");
}

#[test]
fn a_server_that_cannot_read_for_a_moment() {
    survives("unavailable", "lease");
}

#[test]
fn a_server_that_fails_after_it_wrote() {
    survives("done-but-500", "lease");
}

#[test]
fn a_server_that_is_late_after_it_wrote() {
    survives("done-but-504", "lease");
}

#[test]
fn connections_that_break_after_the_write() {
    survives("reset", "lease");
}

#[test]
fn watches_that_end_and_versions_that_expire() {
    survives("watches", "lease");
}

#[test]
fn a_server_that_is_away_for_fifteen_seconds() {
    survives("away", "lease");
}
