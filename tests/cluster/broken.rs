//! Version 3 broken in turn: each time the reason is told, everything is as before, nobody noticed, and the mended version deploys.

use crate::cluster;
use crate::harness::{Cluster, Load};
use crate::stage::{Ended, Stage};

struct Broken<'a> {
    name: &'a str,
    version: &'a str,
    /// Words that the reason must hold.
    reason: &'a [&'a str],
    breaks: &'a dyn Fn(&Stage),
    mends: &'a dyn Fn(&Stage),
}

fn breaks_and_comes_undone(cluster: &'static Cluster, broken: &Broken<'_>, run: impl FnOnce(&Stage, &str) -> Ended) {
    let stage = Stage::without_database(cluster, broken.name);
    let before = stage.world();
    (broken.breaks)(&stage);
    let load = Load::start(cluster, &stage.host, "/health");
    let ended = run(&stage, broken.version);
    let report = load.stop();
    ended.assert_code(3).assert_says("rolled back");
    for words in broken.reason {
        ended.assert_says(words);
    }
    before.assert_same(&stage.world());
    report.assert_no_failure();
    assert_eq!(stage.health()["version"], "v1");
    stage.run(&["show"]).assert_code(0);
    (broken.mends)(&stage);
    stage.deploy("v3").assert_code(0);
    assert_eq!(stage.health()["version"], "v3");
}

fn deploy(stage: &Stage, version: &str) -> Ended {
    stage.deploy(version)
}

const ENV: &str = "env: [{ name: COLOUR, value: '{{ colour }}' }]";

fn fails(stage: &Stage, how: &str) {
    let broken = format!("env: [{{ name: COLOUR, value: '{{{{ colour }}}}' }}, {{ name: FAIL, value: {how} }}]");
    stage.replace("manifests/app.yaml", ENV, &broken);
}

fn works(stage: &Stage, how: &str) {
    stage.replace("manifests/app.yaml", &format!(", {{ name: FAIL, value: {how} }}"), "");
}

#[test]
fn an_image_that_is_missing() {
    let broken = Broken { name: "image", version: "v9", reason: &["healthy", "web:v9"], breaks: &|_| {}, mends: &|_| {} };
    breaks_and_comes_undone(cluster!(), &broken, deploy);
}

#[test]
fn a_crash_loop() {
    let broken = Broken {
        name: "crash",
        version: "v3",
        reason: &["healthy", "web-green"],
        breaks: &|stage| {
            fails(stage, "crash");
            stage.replace("blue-green.yaml", "failure-grace: 20s", "failure-grace: 8s");
        },
        mends: &|stage| works(stage, "crash"),
    };
    breaks_and_comes_undone(cluster!(), &broken, deploy);
}

#[test]
fn pods_that_are_never_ready() {
    let broken = Broken {
        name: "unready",
        version: "v3",
        reason: &["healthy", "web-green"],
        breaks: &|stage| {
            fails(stage, "unready");
            stage.replace("blue-green.yaml", "timeout: 2m", "timeout: 8s");
        },
        mends: &|stage| works(stage, "unready"),
    };
    breaks_and_comes_undone(cluster!(), &broken, deploy);
}

#[test]
fn a_smoke_test_that_fails_after_the_switch() {
    let (right, wrong) = ("'$.status': healthy, '$.colour'", "'$.status': splendid, '$.colour'");
    let broken = Broken {
        name: "smoke",
        version: "v3",
        reason: &["live", "splendid"],
        breaks: &|stage| stage.replace("blue-green.yaml", right, wrong),
        mends: &|stage| stage.replace("blue-green.yaml", wrong, right),
    };
    breaks_and_comes_undone(cluster!(), &broken, deploy);
}

#[test]
fn a_step_that_takes_too_long_after_the_switch() {
    let slow = "  - id: slow\n    shell: { run: sleep 60 }\n    undo: { none: it only waits }\n    timeout: 2s\n\n  - id: back\n";
    let broken = Broken {
        name: "slow",
        version: "v3",
        reason: &["slow", "longer than its 2s"],
        breaks: &|stage| {
            stage.edit("blue-green.yaml", |plan| plan.replace("  - id: back\n", slow).replace("live, retire]", "live, retire, slow]"))
        },
        mends: &|stage| {
            stage.edit("blue-green.yaml", |plan| plan.replace(slow, "  - id: back\n").replace("live, retire, slow]", "live, retire]"))
        },
    };
    breaks_and_comes_undone(cluster!(), &broken, deploy);
}

#[test]
fn an_approval_that_is_rejected() {
    let gate = "  - id: sign-off\n    approve: { message: 'Retire the old colour?' }\n\n  - id: retire\n";
    let broken = Broken {
        name: "reject",
        version: "v3",
        reason: &["sign-off", "rejected"],
        breaks: &|stage| {
            stage.edit("blue-green.yaml", |plan| plan.replace("  - id: retire\n", gate).replace("live, retire]", "live, sign-off, retire]"))
        },
        mends: &|stage| {
            stage.edit("blue-green.yaml", |plan| plan.replace(gate, "  - id: retire\n").replace("live, sign-off, retire]", "live, retire]"))
        },
    };
    breaks_and_comes_undone(cluster!(), &broken, |stage, version| {
        let run = stage.start(&["run", "blue-green.yaml", "-e", "test", "--set", &format!("version={version}"), "--yes"]);
        let asked = std::time::Instant::now();
        while !stage.run(&["show"]).out.contains("Retire the old colour?") {
            assert!(asked.elapsed().as_secs() < 60, "nobody was asked: {}", stage.run(&["show"]).all());
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        stage.run(&["reject", "sign-off", "--comment", "not today"]).assert_code(0);
        Ended::from(run.wait_with_output().expect("the run ends"))
    });
}
