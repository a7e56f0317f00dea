//! The shipped plans on a real cluster: each is broken behind every step and comes undone, and then gets through.

use crate::cluster;
use crate::harness::{Cluster, Load};
use crate::preview::previewed;
use crate::stage::{Ended, Stage};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A shipped plan, and what it needs.
struct Shipped {
    name: &'static str,
    /// The manifests of what is there before.
    base: &'static str,
    /// The host in its manifests and its inputs, which every test has to itself.
    host: &'static str,
    workloads: &'static [&'static str],
    input: &'static str,
    /// Its steps that do something, each with the one behind it.
    steps: &'static [&'static str],
}

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the test's folder can be written");
    for entry in fs::read_dir(from).expect("the plans can be read").flatten() {
        match entry.path() {
            path if path.is_dir() => copy(&path, &to.join(entry.file_name())),
            path => drop(fs::copy(&path, to.join(entry.file_name())).expect("a manifest can be copied")),
        }
    }
}

impl Shipped {
    /// The plan in a namespace where its world is.
    fn stage(&self, cluster: &'static Cluster, with_database: bool) -> Stage {
        let stage = if with_database { Stage::with_database(cluster, self.name) } else { Stage::bare(cluster, self.name) };
        let own = format!("{}-{}", self.name, stage.host);
        if !self.base.is_empty() {
            stage.namespace.apply(&read(&repository(self.base)).replace(self.host, &own));
        }
        copy(&repository("plans/manifests"), &stage.path("manifests"));
        let plan = read(&repository(&format!("plans/{}.yaml", self.name)))
            .replace("namespace: bowline-demo", &format!("namespace: {}", stage.namespace.name()))
            .replace(&format!("default: {}", self.host), &format!("default: {own}"));
        stage.write("plan.yaml", &plan);
        self.workloads.iter().for_each(|workload| stage.namespace.wait_for_rollout(workload, Duration::from_secs(90)));
        previewed(&stage, &["plan.yaml", "-e", "test", "--set", self.input, "--exit-code"]).assert_code(6);
        stage
    }

    fn run(&self, stage: &Stage, plan: &str) -> Ended {
        stage.run(&["run", plan, "-e", "test", "--set", self.input, "--yes"])
    }

    fn breaks_behind_every_step(&self, stage: &Stage) {
        let (whole, before) = (read(&stage.path("plan.yaml")), stage.world());
        for step in self.steps {
            stage.write("broken.yaml", &broken_behind(&whole, step));
            let ended = self.run(stage, "broken.yaml");
            ended.assert_code(3).assert_says("broken on purpose");
            before.assert_same(&stage.world());
        }
    }
}

/// The plan with a step behind this one that fails, within the guard that holds it.
fn broken_behind(plan: &str, step: &str) -> String {
    let begin = plan.find(&format!("\n  - id: {step}\n")).unwrap_or_else(|| panic!("the plan has no step {step}"));
    let end = plan[begin + 1..].find("\n  - id: ").map_or(plan.len(), |at| begin + 1 + at);
    let failing = "\n  - id: broken\n    shell: { run: 'echo broken on purpose >&2; exit 1', read-only: true }\n";
    let guarded = plan[end..].replacen("guards: [", "guards: [broken, ", 1);
    // A backup stands before every guard.
    let guarded = if ["backup", "database"].contains(&step) { plan[end..].to_owned() } else { guarded };
    format!("{}{failing}{guarded}", &plan[..end])
}

#[test]
fn blue_and_green_behind_every_step_under_load() {
    let shipped = Shipped {
        name: "blue-green",
        base: "",
        host: "api.test",
        workloads: &[],
        input: "version=v2",
        steps: &["database", "colours", "deploy", "healthy", "smoke", "switch", "live", "retire"],
    };
    let cluster = cluster!();
    let stage = Stage::with_database(cluster, shipped.name);
    stage.write("plan.yaml", &read(&stage.path("blue-green.yaml")));
    let load = Load::start(cluster, &stage.host, "/health");
    shipped.breaks_behind_every_step(&stage);
    shipped.run(&stage, "plan.yaml").assert_code(0).assert_says("succeeded");
    load.stop().assert_no_failure();
    assert_eq!(stage.health()["version"], "v2");
}

#[test]
fn a_rolling_update() {
    let shipped = Shipped {
        name: "rolling-update",
        base: "plans/base/rolling-update/app.yaml",
        host: "shop.test",
        workloads: &["deployment/shop"],
        input: "version=v2",
        steps: &["deploy", "healthy", "live"],
    };
    let stage = shipped.stage(cluster!(), false);
    shipped.breaks_behind_every_step(&stage);
    shipped.run(&stage, "plan.yaml").assert_code(0).assert_says("succeeded");
}

#[test]
fn a_change_of_configuration() {
    let shipped = Shipped {
        name: "config-change",
        base: "plans/base/config-change/app.yaml",
        host: "settings.test",
        workloads: &["deployment/settings"],
        input: "colour=red",
        steps: &["config", "restart", "healthy", "works"],
    };
    let stage = shipped.stage(cluster!(), false);
    shipped.breaks_behind_every_step(&stage);
    shipped.run(&stage, "plan.yaml").assert_code(0).assert_says("succeeded");
}

#[test]
fn a_migration_of_a_database() {
    let shipped = Shipped {
        name: "database-migration",
        base: "",
        host: "api.test",
        workloads: &[],
        input: "version=v2",
        steps: &["backup", "expand", "expanded", "deploy", "healthy", "smoke"],
    };
    let stage = shipped.stage(cluster!(), true);
    shipped.breaks_behind_every_step(&stage);
    let columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'streams' AND column_name = 'subtitle'";
    assert_eq!(stage.sql("app", columns).trim(), "0", "the column is still there");
    shipped.run(&stage, "plan.yaml").assert_code(0).assert_says("succeeded");
    assert_eq!(stage.sql("app", columns).trim(), "1");
}

#[test]
fn two_services_and_a_database() {
    let shipped = Shipped {
        name: "multi-service",
        base: "plans/base/multi-service/app.yaml",
        host: "market.test",
        workloads: &["deployment/catalog", "deployment/orders"],
        input: "version=v2",
        steps: &["schema", "catalog", "catalog-healthy", "orders", "orders-healthy", "together"],
    };
    let stage = shipped.stage(cluster!(), true);
    let whole = read(&stage.path("plan.yaml"));
    let before = stage.world();
    for step in shipped.steps {
        stage.write("broken.yaml", &broken_behind(&whole, step));
        shipped.run(&stage, "broken.yaml").assert_code(3).assert_says("broken on purpose");
        before.assert_same(&stage.world());
        // Behind the savepoint the table stays; the plan makes it anew only because the test takes it away.
        let there = stage.sql("app", "SELECT count(*) FROM information_schema.tables WHERE table_name = 'orders'");
        assert_eq!(there.trim(), if *step == "schema" { "0" } else { "1" }, "after {step}");
        stage.sql("app", "DROP TABLE IF EXISTS orders");
    }
    shipped.run(&stage, "plan.yaml").assert_code(0).assert_says("succeeded");
}
