//! Every command that is told to be typed next can be typed as it stands: a shell takes it as it is meant, and it is not refused.

use crate::bench::{Bench, signal, wait};
use crate::given::{asking, done, halted, halted_on_its_way_back, stuck};
use crate::pty::{self, Seen, Typed};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A run that stands in a way, and the process that works on it, if one does.
type Standing = (Bench, Option<Child>);

/// How a run may stand, and how it comes to that.
type Case = (&'static str, fn() -> Standing);

const STANDINGS: &[Case] = &[
    ("halted", || (halted(), None)),
    ("halted past the pivot", || (past_the_pivot(), None)),
    ("halted on its way back", || (halted_on_its_way_back(), None)),
    ("halted while it asks", || (halted_while_it_asks(), None)),
    ("stuck", || (stuck(), None)),
    ("stuck in a guard", || (stuck_in_a_guard(), None)),
    ("dead", || (killed(), None)),
    ("in doubt", || (in_doubt(), None)),
    ("rolled back in part", || (back_in_part(), None)),
    ("asking", || asking_and_its_process()),
    ("going back", going_back),
];

const EACH: &str = "
plan: each
steps:
  - id: build
    for-each: [eu, us]
    shell: { run: 'touch begun-{{ each.value }}; while [ -e slow ]; do sleep 0.05; done' }
    undo: [{ shell: { run: 'rm -f begun-{{ each.value }}' } }]
";

fn past_the_pivot() -> Bench {
    let bench = Bench::with(
        "plan: gone\nsteps:\n  - id: send\n    shell: { run: 'echo sent' }\n  - id: check\n    shell: { run: 'test ! -e broken', read-only: true }\n",
    );
    bench.write("broken", "");
    bench.run(&["run", "plan.yaml", "--yes", "--run-id", "r1"]).assert_code(5);
    bench
}

fn stuck_in_a_guard() -> Bench {
    let bench = Bench::with(
        "
plan: guarded
steps:
  - id: write
    shell: { run: 'touch written.txt' }
    undo: [{ shell: { run: [./undo] } }]
  - id: never
    shell: { run: [./no-such-program] }
    undo: [{ shell: { run: 'true' } }]
  - id: back
    rollback-on-fail: {}
",
    );
    let told = bench.run(&["run", "plan.yaml", "--run-id", "r1"]);
    told.assert_code(4).assert_says("does the same, and ends with 0").assert_says("once you have mended");
    assert!(!told.all().contains("does not guard"), "it guards everything:\n{}", told.all());
    assert!(!told.all().contains("not taken back yet"), "a step that never ran waits for nothing:\n{}", told.all());
    bench
}

fn killed() -> Bench {
    killed_with(EACH)
}

fn killed_with(plan: &str) -> Bench {
    let bench = Bench::with(plan);
    bench.write("slow", "");
    let mut run = bench.start(&["run", "plan.yaml", "--run-id", "r1"]);
    ["eu", "us"].iter().filter(|item| plan.contains(**item)).for_each(|item| bench.wait_for(&format!("begun-{item}")));
    signal(&run, "KILL");
    // Its programs hold the pipes: waiting for their end would be waiting for them.
    run.wait().expect("it is our child");
    bench
}

/// Where words of a command are not quoted, a shell finds these files for them.
fn in_doubt() -> Bench {
    let bench = killed_with(&EACH.replace("[eu, us]", "[eu]"));
    bench.run(&["resume"]).assert_code(5).assert_says("--settle 'build[eu]=done'");
    std::fs::remove_file(bench.path("slow")).expect("it is there");
    ["builde=done", "buildu=done", "builds=done"].iter().for_each(|name| bench.write(name, ""));
    bench
}

fn halted_while_it_asks() -> Bench {
    let (bench, run) = asking();
    bench.run(&["cancel", "--halt"]).assert_code(0);
    wait(run).assert_code(5);
    bench
}

fn back_in_part() -> Bench {
    let bench = done();
    bench.run(&["rollback", "r1", "--step", "second", "--yes"]).assert_code(0);
    bench
}

fn asking_and_its_process() -> Standing {
    let (bench, run) = asking();
    (bench, Some(run))
}

fn going_back() -> Standing {
    let bench = Bench::with(&EACH.replace("rm -f", "touch undoing; while [ -e slow ]; do sleep 0.05; done; rm -f"));
    bench.write("slow", "");
    let run = bench.start(&["run", "plan.yaml", "--run-id", "r1"]);
    bench.wait_for("begun-us");
    bench.run(&["cancel"]).assert_code(0);
    bench.wait_for("undoing");
    bench.run(&["show"]).assert_code(0).assert_says("each rolls back everything: 0 steps taken back, 2 to go");
    (bench, Some(run))
}

/// The commands that are told of the only run: by `show`, by programs' `show`, and by whoever is refused a new run.
fn told(bench: &Bench) -> BTreeSet<String> {
    let shown: Value = serde_json::from_str(&bench.run(&["show", "--output", "json"]).assert_code(0).out).expect("an object");
    let next = shown["summary"]["next"].as_array().expect("a list");
    let mut told: BTreeSet<String> = next.iter().map(|next| next["command"].as_str().expect("a command").to_owned()).collect();
    let show = bench.run(&["show"]);
    told.iter().for_each(|command| {
        show.assert_says(command);
    });
    let refused = bench.run(&["run", "plan.yaml", "--yes"]);
    if refused.code == Some(7) {
        told.extend(refused.err.split('`').filter(|piece| piece.starts_with("bowline ")).map(str::to_owned));
    }
    told
}

#[test]
fn every_command_that_is_told_can_be_typed() {
    let bin = Path::new(env!("CARGO_BIN_EXE_bowline")).parent().expect("a folder").display().to_string();
    let path = format!("{bin}:{}", std::env::var("PATH").unwrap_or_default());
    for (name, make) in STANDINGS {
        let (bench, run) = make();
        let (commands, state) = (told(&bench), bench.path("state").display().to_string());
        end(&bench, run);
        assert!(!commands.is_empty(), "of a run that is {name} nothing is told");
        for command in commands {
            let (bench, run) = make();
            let typed = command.replace(&state, &bench.path("state").display().to_string());
            let seen = type_and_answer(&bench, &typed, &path, command.contains(" resume ") && *name == "halted while it asks");
            let is_done = matches!(seen.code, Some(0 | 3 | 4 | 5));
            assert!(is_done, "of a run that is {name} `{typed}` is told and ends with {:?}:\n{}", seen.code, seen.text());
            end(&bench, run);
        }
    }
}

/// Types a command, and says yes to whatever is asked on the terminal, and from another shell where that is awaited.
fn type_and_answer(bench: &Bench, command: &str, path: &str, asks: bool) -> Seen {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while asks && !over.load(Ordering::Relaxed) && bench.run(&["approve"]).code != Some(0) {
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        let seen = pty::line(bench, 100, command, Typed::IfAsked("[y/N]", "y\n"), &[("PATH", path)]);
        over.store(true, Ordering::Relaxed);
        seen
    })
}

/// Lets what still works come to an end.
fn end(bench: &Bench, run: Option<Child>) {
    let Some(run) = run else { return };
    let _gone = std::fs::remove_file(bench.path("slow"));
    let _over = bench.run(&["cancel", "--halt"]);
    wait(run);
}
