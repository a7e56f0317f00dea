//! Every command as people and programs meet it: on a terminal of 80 and of 40 columns, piped, as JSON, with and without colours, and its
//! exit code.

use crate::bench::{Bench, Ended};
use crate::fits::fits;
use crate::given::{asking, broken, done, fresh, halted, mended};
use crate::pty;
use serde_json::Value;

/// What a command writes under `--output json`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Json {
    /// A line each that fits the schema of events.
    Events,
    /// An object a line.
    Lines,
    /// One value over many lines.
    Whole,
}

/// One command, where it is typed, and how it ends.
struct Case {
    words: &'static [&'static str],
    bench: fn() -> Bench,
    code: i32,
    json: Json,
    /// Its lines are broken between words where a terminal is narrow. What is to be copied, drawn or read by programs is not.
    wraps: bool,
}

const fn case(words: &'static [&'static str], bench: fn() -> Bench, code: i32, json: Json) -> Case {
    Case { words, bench, code, json, wraps: true }
}

const fn drawn(words: &'static [&'static str], bench: fn() -> Bench, json: Json) -> Case {
    Case { words, bench, code: 0, json, wraps: false }
}

const CASES: &[Case] = &[
    case(&["validate", "plan.yaml"], fresh, 0, Json::Lines),
    case(&["validate", "wrong.yaml"], wrong, 2, Json::Events),
    case(&["graph", "plan.yaml"], fresh, 0, Json::Lines),
    drawn(&["graph", "plan.yaml", "--format", "mermaid"], fresh, Json::Lines),
    drawn(&["graph", "plan.yaml", "--format", "dot"], fresh, Json::Lines),
    case(&["preview", "plan.yaml"], fresh, 0, Json::Lines),
    case(&["run", "plan.yaml"], fresh, 0, Json::Events),
    case(&["run", "plan.yaml"], broken, 3, Json::Events),
    case(&["run", "plan.yaml", "--no-rollback"], broken, 5, Json::Events),
    case(&["run", "plan.yaml"], halted, 7, Json::Events),
    case(&["resume"], mended, 0, Json::Events),
    case(&["rollback", "r1", "--yes"], done, 0, Json::Events),
    case(&["rollback", "r1", "--step", "second", "--yes"], done, 0, Json::Events),
    case(&["rollback", "--yes"], halted, 0, Json::Events),
    case(&["abandon", "--yes"], halted, 0, Json::Lines),
    case(&["runs"], done, 0, Json::Lines),
    case(&["show"], done, 0, Json::Lines),
    case(&["show", "--log"], halted, 0, Json::Events),
    case(&["logs"], done, 0, Json::Events),
    drawn(&["logs", "r1", "first"], done, Json::Events),
    case(&["approve"], done, 2, Json::Events),
    case(&["reject", "r1", "first"], done, 7, Json::Events),
    case(&["cancel"], halted, 7, Json::Events),
    case(&["backups", "list"], fresh, 0, Json::Lines),
    case(&["backups", "verify"], fresh, 0, Json::Lines),
    case(&["backups", "show", "nothing"], fresh, 2, Json::Events),
    case(&["backups", "prune", "--keep", "1"], fresh, 0, Json::Lines),
    case(&["backups", "restore", "nothing", "--to", "out"], fresh, 2, Json::Events),
    drawn(&["journal", "verify"], done, Json::Lines),
    drawn(&["journal", "export"], done, Json::Lines),
    case(&["journal", "export", "--to", "out.jsonl"], done, 0, Json::Lines),
    case(&["journal", "import", "run.jsonl"], exported, 0, Json::Lines),
    drawn(&["schema"], fresh, Json::Whole),
    drawn(&["schema", "event"], fresh, Json::Whole),
    case(&["actions"], fresh, 0, Json::Lines),
    drawn(&["actions", "shell"], fresh, Json::Lines),
    case(&["actions", "shel"], fresh, 2, Json::Events),
];

fn wrong() -> Bench {
    let bench = Bench::new();
    bench.write("wrong.yaml", "plan: wrong\nsteps:\n  - id: one\n    shel: { run: 'true' }\n");
    bench
}

fn exported() -> Bench {
    let bench = done();
    bench.run(&["journal", "export", "--to", "run.jsonl"]).assert_code(0);
    std::fs::remove_dir_all(bench.path("state")).expect("it is there");
    bench
}

fn name(case: &Case) -> String {
    format!("bowline {} ({})", case.words.join(" "), case.code)
}

/// A command that is broken is copied wrongly; so are names.
fn may_be_broken(line: &str) -> bool {
    line.contains("bowline ") || line.contains('`') || line.contains('/')
}

#[test]
fn on_a_terminal_every_command_says_what_it_has_to_say_in_as_many_columns_as_there_are() {
    let mut wrong = Vec::new();
    for case in CASES {
        for columns in [80, 40] {
            let seen = pty::run(&(case.bench)(), columns, case.words, "", &[("NO_COLOR", "1")]);
            let broken: Vec<String> = seen.broken_lines().into_iter().filter(|line| case.wraps && !may_be_broken(line)).collect();
            let what = match &broken[..] {
                _ if seen.code != Some(case.code) => format!("ends with {:?}", seen.code),
                _ if seen.is_coloured() => "is coloured although nobody wants that".to_owned(),
                _ if seen.text().trim().is_empty() => "says nothing".to_owned(),
                [] => continue,
                broken => format!("has lines that are too long: {broken:#?}"),
            };
            wrong.push(format!("{} at {columns} columns {what}\n{}", name(case), seen.text()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn piped_every_command_writes_plain_lines() {
    for case in CASES {
        let ended = (case.bench)().run(case.words);
        assert_eq!(ended.code, Some(case.code), "{}:\n{}", name(case), ended.all());
        assert!(!ended.all().contains('\x1b'), "{} writes commands to a terminal that is not there", name(case));
        assert!(!ended.all().trim().is_empty(), "{} says nothing", name(case));
    }
}

#[test]
fn as_json_every_line_is_an_object_and_events_fit_their_schema() {
    let schema: Value = serde_json::from_str(&fresh().run(&["schema", "event"]).out).expect("a schema");
    for case in CASES {
        let mut words = case.words.to_vec();
        words.extend(["--output", "json"]);
        let ended = (case.bench)().run(&words);
        assert_eq!(ended.code, Some(case.code), "{}:\n{}", name(case), ended.all());
        if case.json == Json::Whole {
            assert!(serde_json::from_str::<Value>(&ended.out).is_ok(), "{}:\n{}", name(case), ended.out);
            continue;
        }
        for line in ended.out.lines() {
            let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{}: {error}: {line}", name(case)));
            assert!(value.is_object(), "{}: {line}", name(case));
            if case.json == Json::Events {
                fits(&schema, &schema, &value).unwrap_or_else(|why| panic!("{}: {why}\n{line}", name(case)));
            }
        }
    }
}

#[test]
fn colours_are_there_where_they_are_wanted_and_nowhere_else() {
    let bench = broken();
    let coloured = |words: &[&str], variables: &[(&str, &str)]| pty::run(&bench, 80, words, "", variables).is_coloured();
    assert!(coloured(&["run", "plan.yaml"], &[]));
    assert!(!coloured(&["run", "plan.yaml"], &[("NO_COLOR", "1")]));
    assert!(!coloured(&["run", "plan.yaml", "--color", "never"], &[]));
    assert!(coloured(&["run", "plan.yaml", "--color", "always"], &[("NO_COLOR", "1")]));
    let bench = wrong();
    let piped =
        |words: &[&str], set: &str| Ended::from(bench.command(words).env_remove("NO_COLOR").env(set, "1").output().expect("bowline"));
    assert!(!piped(&["validate", "wrong.yaml"], "UNUSED").all().contains('\x1b'));
    assert!(piped(&["validate", "wrong.yaml"], "CLICOLOR_FORCE").all().contains("\x1b["));
    assert!(piped(&["validate", "wrong.yaml", "--color", "always"], "NO_COLOR").all().contains("\x1b["));
}

#[test]
fn quiet_tells_how_it_ended_and_verbose_what_was_done() {
    let quiet = fresh().run(&["run", "plan.yaml", "--quiet"]);
    quiet.assert_code(0).assert_says("notes succeeded");
    assert_eq!(quiet.all().lines().count(), 1, "{}", quiet.all());
    broken().run(&["run", "plan.yaml", "-q"]).assert_code(3).assert_says("check").assert_says("rolled back");
    assert_eq!(fresh().run(&["validate", "plan.yaml", "-q"]).assert_code(0).all(), "");
    let verbose = fresh().run(&["run", "plan.yaml", "-v"]);
    verbose.assert_code(0).assert_says("program=\"sh\"").assert_says("code=0");
    assert!(!verbose.err.contains("echo 1"), "what a program is given may be secret:\n{}", verbose.err);
    fresh().run(&["run", "plan.yaml", "-v", "-q"]).assert_code(2);
}

#[test]
fn a_run_that_asks_is_answered_or_stopped_from_another_shell() {
    let answers: [(&[&str], i32, &str); 4] = [
        (&["approve", "--comment", "fine"], 0, "approved gate of run asks"),
        (&["reject", "asks", "gate"], 3, "rejected gate of run asks"),
        (&["cancel", "asks"], 3, "run asks rolls back"),
        (&["cancel", "--halt"], 5, "run asks halts"),
    ];
    for (words, code, says) in answers {
        for columns in [80, 40] {
            let (bench, run) = asking();
            pty::run(&bench, columns, words, "", &[]).assert_code(0).assert_says(says);
            crate::bench::wait(run).assert_code(code);
        }
        let (bench, run) = asking();
        bench.run(words).assert_code(0).assert_says(says);
        crate::bench::wait(run).assert_code(code);
        let (bench, run) = asking();
        let mut words = words.to_vec();
        words.extend(["--output", "json"]);
        let told: Value = serde_json::from_str(&bench.run(&words).assert_code(0).out).expect("an object");
        assert_eq!((&told["run"], &told["heard"]), (&Value::from("asks"), &Value::from(true)));
        crate::bench::wait(run).assert_code(code);
    }
}
