//! The table of docs/exit-codes.md, row by row: every command ends with every code that stands there, and with no other.

use crate::bench::{Bench, wait};
use crate::given::{asking, broken, done, fresh, halted, halted_on_its_way_back, mended, sticky, stuck};
use crate::pty;
use std::collections::BTreeSet;

/// A command, the code it ends with, and what there is before.
type Case = (&'static [&'static str], i32, fn() -> Bench);

const CASES: &[Case] = &[
    (&["run", "plan.yaml"], 0, fresh),
    (&["run", "nothing.yaml"], 2, fresh),
    (&["run", "plan.yaml"], 3, broken),
    (&["run", "plan.yaml"], 4, sticky),
    (&["run", "plan.yaml", "--no-rollback"], 5, broken),
    (&["run", "plan.yaml"], 7, halted),
    (&["resume"], 0, mended),
    (&["resume"], 2, fresh),
    (&["resume"], 3, halted_on_its_way_back),
    (&["resume"], 4, stuck),
    (&["resume"], 5, halted),
    (&["resume", "r1"], 7, done),
    (&["rollback", "r1", "--yes"], 0, done),
    (&["rollback", "r2", "--yes"], 2, done),
    (&["rollback"], 4, stuck),
    (&["rollback", "r1"], 7, done),
    (&["abandon", "--yes"], 0, halted),
    (&["abandon", "r2", "--yes"], 2, halted),
    (&["abandon"], 7, halted),
    (&["approve", "r2", "gate"], 2, done),
    (&["approve", "r1", "gate"], 7, done),
    (&["reject", "r2", "gate"], 2, done),
    (&["reject", "r1", "gate"], 7, done),
    (&["cancel"], 2, done),
    (&["cancel"], 7, halted),
    (&["preview", "plan.yaml"], 0, fresh),
    (&["preview", "nothing.yaml"], 2, fresh),
    (&["preview", "plan.yaml", "--exit-code"], 6, fresh),
    (&["preview", "plan.yaml", "--simulate"], 7, refused),
    (&["validate", "plan.yaml"], 0, fresh),
    (&["validate", "nothing.yaml"], 2, fresh),
    (&["graph", "plan.yaml"], 0, fresh),
    (&["graph", "nothing.yaml"], 2, fresh),
    (&["runs"], 0, done),
    (&["runs", "-n", "0"], 2, done),
    (&["show"], 0, done),
    (&["show", "r2"], 2, done),
    (&["logs"], 0, done),
    (&["logs", "r2"], 2, done),
];

/// A step of its plan would be refused.
fn refused() -> Bench {
    Bench::with("plan: refused\nsteps:\n  - id: fewer\n    scale: { deployment: nothing, replicas: 1 }\n")
}

#[test]
fn every_command_ends_as_the_table_says() {
    let mut met: BTreeSet<(String, i32)> = CASES.iter().map(|(words, code, _)| (words[0].to_owned(), *code)).collect();
    for (words, code, bench) in CASES {
        bench().run(words).assert_code(*code);
    }
    // Those that need another process.
    for (command, code) in [("approve", 0), ("reject", 3), ("cancel", 3)] {
        let (bench, run) = asking();
        bench.run(&[command]).assert_code(0);
        wait(run).assert_code(code);
        met.insert((command.to_owned(), 0));
    }
    met.insert(("rollback".to_owned(), halted_rollback()));
    let table: BTreeSet<(String, i32)> = table().into_iter().collect();
    assert_eq!(table.difference(&met).collect::<Vec<_>>(), Vec::<&(String, i32)>::new(), "codes that nothing here ends with");
    assert_eq!(met.difference(&table).collect::<Vec<_>>(), Vec::<&(String, i32)>::new(), "codes that the table does not know");
}

#[test]
fn ctrl_c_at_a_question_does_nothing() {
    let bench = done();
    pty::answer(&bench, &["rollback", "r1"], "Take back? [y/N]", "\x03").assert_code(130);
    bench.run(&["runs"]).assert_says("succeeded");
    assert!(bench.has("first.txt"));
    let docs = std::fs::read_to_string(page()).expect("the page is there");
    assert!(docs.contains("| 130 |") && bench.run(&["--help"]).out.contains(" 130  Ctrl-C"));
}

/// A rollback that is halted.
fn halted_rollback() -> i32 {
    let bench = halted_on_its_way_back();
    bench.write("slow", "");
    std::fs::remove_file(bench.path("undoing")).expect("it is there");
    let back = bench.start(&["rollback"]);
    bench.wait_for("undoing");
    bench.run(&["cancel", "--halt"]).assert_code(0);
    wait(back).assert_code(5).code.expect("it ended")
}

fn page() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/exit-codes.md")
}

/// The rows of the second table: a command in backquotes, then its codes.
fn table() -> Vec<(String, i32)> {
    let docs = std::fs::read_to_string(page()).expect("the page is there");
    let rows = docs.lines().filter_map(|line| line.strip_prefix("| `")).filter_map(|row| row.split_once("` | "));
    let codes =
        |row: &str| row.split(" |").next().unwrap_or_default().split(", ").map(|code| code.parse().expect("a code")).collect::<Vec<i32>>();
    rows.flat_map(|(command, row)| codes(row).into_iter().map(move |code| (command.to_owned(), code))).collect()
}
