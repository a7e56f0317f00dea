//! `backups`: what is kept is listed, checked, thinned out and taken out again, without a cluster.

use crate::bench::Bench;
use crate::pty;
use bowline::archive::{About, Archive};
use bowline::ids::{Moment, RunId, StepId};
use bowline::ports::SystemFiles;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// A bench with three backups of one database, made a day apart, and one of another.
fn bench() -> Bench {
    let bench = Bench::new();
    let runtime = tokio::runtime::Runtime::new().expect("threads");
    for (name, series, day) in [("app-1", "app", 1), ("app-2", "app", 2), ("app-3", "app", 3), ("shop-1", "shop", 1)] {
        runtime.block_on(store(&bench.path("state/backups"), name, series, day));
    }
    bench
}

async fn store(folder: &Path, name: &str, series: &str, day: i64) {
    let archive = Archive::new(Arc::new(SystemFiles), folder);
    let about = About {
        format: "postgres-custom".to_owned(),
        source: format!("database {series} of statefulset/postgres"),
        run: RunId::new("r1").expect("a name"),
        step: StepId::new("database").expect("a name"),
        verified: "listing".to_owned(),
        found: BTreeMap::from([("public.users".to_owned(), 42)]),
        notes: vec!["dumped from a standby".to_owned()],
    };
    let mut writer = archive.begin(name).await.expect("a new backup");
    writer.write(format!("the dump of {name}").as_bytes()).await.expect("room");
    let content = writer.finish().await.expect("room");
    let created = Moment::from_millis(1_795_000_000_000 + day * 86_400_000);
    archive.bless(content, series, about, created).await.expect("room");
}

#[test]
fn what_there_is_is_listed_newest_first() {
    let bench = bench();
    let listed = bench.run(&["backups", "list"]);
    let names: Vec<&str> = listed.assert_code(0).out.lines().skip(1).filter_map(|line| line.split_whitespace().last()).collect();
    assert_eq!(names.first(), Some(&"app-3"), "{}", listed.out);
    assert_eq!(names.len(), 4);
    let json = bench.run(&["backups", "list", "--output", "json"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(json.out.lines().next().unwrap_or_default()).expect("an object")["name"], "app-3");
    for columns in [80, 40] {
        pty::run(&bench, columns, &["backups", "list"], "", &[("NO_COLOR", "1")]).assert_code(0).assert_says("app-3");
        pty::run(&bench, columns, &["backups", "show", "app-3"], "", &[("NO_COLOR", "1")])
            .assert_code(0)
            .assert_says("42 in public.users")
            .assert_says("dumped from a standby");
    }
    bench.run(&["backups", "list", "--folder", "elsewhere"]).assert_code(0).assert_says("there are no backups in");
}

#[test]
fn damage_is_found_and_named() {
    let bench = bench();
    bench.run(&["backups", "verify"]).assert_code(0).assert_says("app-1 is whole").assert_says("shop-1 is whole");
    bench.write("state/backups/app-2.zst", "something else");
    bench.run(&["backups", "verify"]).assert_code(2).assert_says("app-1 is whole").assert_says("`app-2` is damaged");
    bench.run(&["backups", "verify", "app-1"]).assert_code(0);
    let json = bench.run(&["backups", "verify", "--output", "json"]);
    json.assert_code(2).assert_says(r#""backup":"app-2","whole":false"#);
    bench.run(&["backups", "restore", "app-2", "--to", "out"]).assert_code(2).assert_says("damaged");
    assert!(!bench.has("out"));
}

#[test]
fn old_ones_go_only_when_somebody_says_so_and_of_each_database_the_newest_stay() {
    let bench = bench();
    // Of a series that is older than its sum: only where they come from tells these apart.
    let manifest = bench.path("state/backups/shop-1.json");
    let stored = bench.read("state/backups/shop-1.json").replace("\"series\": \"shop\"", "\"series\": \"app\"");
    std::fs::write(manifest, stored).expect("room");
    bench.run(&["backups", "prune", "--keep", "1"]).assert_code(7).assert_says("app-1").assert_says("--yes");
    pty::answer(&bench, &["backups", "prune", "--keep", "1"], "Remove? [y/N]", "n\n").assert_code(7);
    assert!(bench.has("state/backups/app-1.zst"));
    let json = bench.run(&["backups", "prune", "--keep", "1", "--yes", "--output", "json"]);
    assert_eq!(json.assert_code(0).out, "{\"removed\":[\"app-2\",\"app-1\"]}\n");
    assert!(bench.has("state/backups/app-3.zst") && bench.has("state/backups/shop-1.zst") && !bench.has("state/backups/app-1.zst"));
    bench.run(&["backups", "prune", "--keep", "1", "--yes"]).assert_code(0).assert_says("nothing to remove");
    bench.run(&["backups", "prune"]).assert_code(2);
}

#[test]
fn what_a_backup_holds_is_written_out_whole() {
    let bench = bench();
    bench.run(&["backups", "restore", "app-3", "--to", "app.dump"]).assert_code(0).assert_says("pg_restore");
    assert_eq!(bench.read("app.dump"), "the dump of app-3");
    assert_eq!(bench.run(&["backups", "restore", "app-3", "--to", "-"]).assert_code(0).out, "the dump of app-3");
    bench.run(&["backups", "restore", "absent", "--to", "x"]).assert_code(2).assert_says("backups list");
}
