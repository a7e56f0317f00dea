//! The main job: blue-green with a database, under load.

use crate::cluster;
use crate::harness::Load;
use crate::stage::Stage;
use std::path::Path;

fn dumps(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => dumps(&path, found),
            path => found.push(path),
        }
    }
}

#[test]
fn the_next_version_goes_live_without_a_failed_request_and_the_backup_restores_row_for_row() {
    let cluster = cluster!();
    let stage = Stage::with_database(cluster, "deploy");
    let rows = stage.sql("app", "SELECT * FROM streams ORDER BY id");
    let load = Load::start(cluster, &stage.host, "/health");
    stage.deploy("v2").assert_code(0).assert_says("succeeded");
    let report = load.stop();
    report.assert_no_failure();
    assert!(report.requests > 500, "hardly any load: {}", report.requests);
    assert_eq!((stage.health()["version"].as_str(), stage.health()["colour"].as_str()), (Some("v2"), Some("green")));
    assert_eq!(stage.namespace.get(&["deployment", "web-blue"])["spec"]["replicas"], 0);

    let mut files = Vec::new();
    dumps(stage.folder.path(), &mut files);
    let dump = files
        .iter()
        .find(|path| path.extension().is_some_and(|extension| extension == "zst"))
        .unwrap_or_else(|| panic!("no backup among {files:?}"));
    let restore = format!(
        "zstd -dc {} | tests/cluster/enter {} kubectl -n {} exec -i postgres-0 -- sh -c 'createdb -U postgres again && pg_restore -U postgres -d again --exit-on-error'",
        dump.display(),
        cluster.work().display(),
        stage.namespace.name()
    );
    let restored = std::process::Command::new("sh").args(["-c", &restore]).current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("sh");
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    assert_eq!(stage.sql("again", "SELECT * FROM streams ORDER BY id"), rows);

    // And back again: the other colour is idle now.
    stage.replace("blue-green.yaml", "stable-for: 2s", "stable-for: 1s");
    stage.deploy("v3").assert_code(0);
    assert_eq!((stage.health()["version"].as_str(), stage.health()["colour"].as_str()), (Some("v3"), Some("blue")));
}
