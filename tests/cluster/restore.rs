//! `restore` on a real PostgreSQL: done, undone, refused to be undone, and taken up after a kill.

use crate::cluster;
use crate::harness::Cluster;
use crate::stage::{Ended, Stage};
use std::time::{Duration, Instant};

const BACKUP: &str = "plan: keep
environments: { test: { namespace: NAMESPACE } }
steps:
  - id: database
    backup: { postgres: { pod: statefulset/postgres, database: app }, verify: restore, to: backups }
";

const RESTORE: &str = "plan: keep
environments: { test: { namespace: NAMESPACE } }
steps:
  - id: back-then
    restore: { postgres: { pod: statefulset/postgres, database: app }, backup: latest, from: backups, accept-data-loss: ACCEPT }
  - id: meanwhile
    shell: { run: 'MEANWHILE', read-only: true }
    retry: { attempts: 1 }
";

const ROWS: &str = "SELECT * FROM streams ORDER BY id";
const OWNER: &str = "SELECT pg_get_userbyid(datdba), datacl, (SELECT setconfig FROM pg_db_role_setting WHERE setdatabase = oid) \
                     FROM pg_database WHERE datname = 'app'";

struct Scene {
    stage: Stage,
    backed_up: String,
    changed: String,
}

impl Scene {
    /// A database that was backed up and then changed.
    fn new(cluster: &'static Cluster, name: &str) -> Self {
        let stage = Stage::with_database(cluster, name);
        stage.sql("app", "CREATE ROLE keeper");
        stage.sql("app", "ALTER DATABASE app SET search_path TO public, \"$user\"");
        stage.sql("app", "GRANT CONNECT ON DATABASE app TO keeper; ALTER TABLE streams OWNER TO keeper");
        stage.write("backup.yaml", &BACKUP.replace("NAMESPACE", stage.namespace.name()));
        stage.run(&["run", "backup.yaml", "-e", "test", "--yes"]).assert_code(0);
        let backed_up = stage.sql("app", ROWS);
        stage.sql(
            "app",
            "DELETE FROM streams WHERE id < 100; UPDATE streams SET title = 'other' WHERE id = 200; CREATE TABLE extra (n int)",
        );
        let changed = stage.sql("app", ROWS);
        Self { stage, backed_up, changed }
    }

    fn plan(&self, meanwhile: &str, accept: bool) {
        let plan = RESTORE.replace("NAMESPACE", self.stage.namespace.name());
        self.stage.write("restore.yaml", &plan.replace("MEANWHILE", meanwhile).replace("ACCEPT", &accept.to_string()));
    }

    fn run(&self) -> Ended {
        self.stage.run(&["run", "restore.yaml", "-e", "test", "--yes"])
    }

    fn rows(&self) -> String {
        self.stage.sql("app", ROWS)
    }

    /// Takes the newest run back; none when there is no run yet.
    fn roll_back(&self) -> Option<Ended> {
        let runs = self.stage.run(&["runs", "--output", "json"]);
        let newest: serde_json::Value = serde_json::from_str(runs.out.lines().next()?).expect("a line of JSON");
        Some(self.stage.run(&["rollback", newest["run"].as_str().expect("an id"), "--yes"]))
    }

    /// Databases that bowline made and that are still there.
    fn left(&self) -> String {
        self.stage
            .sql("postgres", "SELECT regexp_replace(datname, '_[0-9].*', '') FROM pg_database WHERE datname LIKE 'bowline%' ORDER BY 1")
    }
}

#[test]
fn the_rows_are_as_they_were_and_a_failing_later_step_brings_the_others_back() {
    let scene = Scene::new(cluster!(), "restore");
    let owner = scene.stage.sql("app", OWNER);
    scene.plan("false", false);
    scene.run().assert_code(3).assert_says("rolled back");
    assert_eq!((scene.rows(), scene.left().trim()), (scene.changed.clone(), ""));
    assert_eq!(scene.stage.sql("app", "SELECT count(*) FROM extra").trim(), "0");

    scene.plan("true", false);
    scene.run().assert_code(0);
    assert_eq!((scene.rows(), scene.left().trim()), (scene.backed_up.clone(), "bowline_before"));
    assert_eq!(scene.stage.sql("app", OWNER), owner);
    assert_eq!(scene.stage.sql("app", "SELECT tableowner FROM pg_tables WHERE tablename = 'streams'").trim(), "keeper");

    // Somebody works with it: now it stays, and so it says.
    scene.stage.sql("app", "INSERT INTO streams (title) VALUES ('precious')");
    scene.roll_back().expect("a run").assert_code(4).assert_says("public.streams: 1 row written");
    assert!(scene.rows().contains("precious"));
}

#[test]
fn a_kill_at_any_instant_of_a_restore_is_taken_back() {
    let scene = Scene::new(cluster!(), "restore-kill");
    scene.plan("sleep 30", false);
    for wait in [300, 700, 1100, 1500, 2000] {
        let mut run = scene.stage.start(&["run", "restore.yaml", "-e", "test", "--yes"]);
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(wait) {
            std::thread::sleep(Duration::from_millis(20));
        }
        run.kill().expect("it is our child");
        run.wait().expect("it is our child");
        // The newest one is the backup's when this one was killed before it began.
        let is_begun = scene.stage.run(&["runs", "--open"]).out.contains("keep");
        let told = if is_begun { scene.roll_back().expect("a run").assert_code(0).all() } else { String::new() };
        assert_eq!((scene.rows(), scene.left().trim()), (scene.changed.clone(), ""), "after {wait} ms: {told}");
    }
}
