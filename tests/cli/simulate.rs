//! Plans in a simulated world: they run, they fail, they come undone, and nothing outside is reached.

use crate::bench::{Bench, Ended};
use std::fs;
use std::path::Path;

/// A shipped plan, in a folder of the test with its manifests.
pub fn shipped(name: &str) -> Bench {
    let bench = Bench::new();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("plans"), &bench.path("plans"));
    assert!(bench.has(&format!("plans/{name}.yaml")), "there is no plan {name}");
    bench
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the test's folder can be written");
    for entry in fs::read_dir(from).expect("the plans can be read").flatten() {
        match entry.path() {
            path if path.is_dir() => copy(&path, &to.join(entry.file_name())),
            path => drop(fs::copy(&path, to.join(entry.file_name())).expect("a plan can be copied")),
        }
    }
}

/// Simulates a plan of the bench, with a seed, so that a failure comes again.
pub fn simulate(bench: &Bench, plan: &str, more: &[&str]) -> Ended {
    let plan = format!("plans/{plan}.yaml");
    bench.run(&[&["run", plan.as_str(), "--simulate", "--seed", "7", "-e", "test"], more].concat())
}

#[test]
fn blue_green_goes_live_and_a_version_that_nobody_has_built_comes_undone() {
    let bench = shipped("blue-green");
    simulate(&bench, "blue-green", &["--set", "version=v2"]).assert_code(0).assert_says("succeeded").assert_says("simulated");
    let broken = simulate(&bench, "blue-green", &["--set", "version=v9"]);
    broken.assert_code(3).assert_says("web:v9").assert_says("not found").assert_says("simulated: the cluster was as before the run");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let bench = shipped("blue-green");
    let told = |ended: Ended| {
        let lines = ended
            .all()
            .lines()
            .filter(|line| !line.contains(" run ") && !line.contains("bowline show"))
            .map(|line| line.get(9..).unwrap_or(line).to_owned())
            .collect::<Vec<_>>();
        lines.join("\n")
    };
    let one = told(simulate(&bench, "blue-green", &["--set", "version=v9"]));
    let other = told(simulate(&bench, "blue-green", &["--set", "version=v9"]));
    assert_eq!(one, other);
}

#[test]
fn what_is_not_described_is_not_modelled_and_nothing_of_it_happens() {
    let plan = |step: &str| Bench::with(&format!("plan: sketch\nsteps:\n  - id: it\n    {step}\n"));
    let program = plan("shell: { run: 'touch written.txt' }\n    undo: { none: a file }");
    let told = program.run(&["run", "plan.yaml", "--simulate"]);
    told.assert_code(3).assert_says("not modelled: the program `sh -e -c touch written.txt`; add it to `simulate.processes`");
    assert!(!program.has("written.txt"));
    let server = plan("smoke-test: { probes: [{ http: { url: 'http://127.0.0.1:1/x' } }] }");
    let told = server.run(&["run", "plan.yaml", "--simulate"]);
    told.assert_code(3).assert_says("not modelled: GET http://127.0.0.1:1/x; add it to `simulate.http`");
    let image = plan("apply: { manifests: [app.yaml] }");
    image.write("app.yaml", "apiVersion: v1\nkind: Pod\nmetadata: { name: one }\nspec: { containers: [{ name: one, image: 'one:1' }] }\n");
    let told = image.run(&["run", "plan.yaml", "--simulate"]);
    told.assert_code(3).assert_says("not modelled: the image `one:1` of Pod one; add it to `simulate.images`");
}

#[test]
fn programs_servers_and_people_are_as_the_plan_describes_them() {
    let bench = Bench::with(
        "
plan: sketch
secrets: { token: { env: NOT_SET_ANYWHERE } }
simulate:
  processes: [{ run: 'make *', stdout: 'made', takes: 1h }]
  http: [{ url: 'https://example.org/*', json: { status: up } }]
  approvals: { gate: approved }
steps:
  - id: make
    shell: { run: [make, all], secrets: { TOKEN: token } }
    undo: { none: it is only built }
    timeout: 2h
  - id: gate
    approve: { message: 'Go on?' }
  - id: ask
    smoke-test: { probes: [{ http: { url: 'https://example.org/health', bearer: token, expect: { json: { '$.status': up } } } }] }
",
    );
    bench.run(&["run", "plan.yaml", "--simulate"]).assert_code(0).assert_says("made").assert_says("done in 1h");
    bench.write("plan.yaml", &bench.read("plan.yaml").replace("gate: approved", "gate: rejected"));
    bench.run(&["run", "plan.yaml", "--simulate"]).assert_code(3).assert_says("rejected");
}

#[test]
fn a_simulated_run_is_no_run_that_anybody_could_go_on_with() {
    let bench = shipped("blue-green");
    simulate(&bench, "blue-green", &["--set", "version=v2"]).assert_code(0);
    bench.run(&["show"]).assert_code(0).assert_says("succeeded");
    bench.run(&["rollback"]).assert_code(7).assert_says("was simulated");
}
