//! Plans that are broken, one mistake or a few each, and what is said of them: every file in `tests/plans/broken` and the text beside it.

use crate::bench::Ended;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans/broken")
}

fn names() -> Vec<String> {
    let entries = fs::read_dir(folder()).expect("the broken plans");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "yaml"))
        .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn validate(name: &str, more: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bowline"));
    command.current_dir(folder()).env("NO_COLOR", "1").env_remove("BOWLINE_STATE");
    command.args(["validate", &format!("{name}.yaml")]).args(more).output().expect("bowline").into()
}

/// `BOWLINE_WRITE_BROKEN=1` writes what is said now.
#[test]
fn what_is_said_of_every_broken_plan_is_as_written_beside_it() {
    let mut wrong = Vec::new();
    let names = names();
    assert!(names.len() >= 60, "{} broken plans", names.len());
    for name in names {
        let ended = validate(&name, &[]);
        let said = format!("exit code {}\n{}{}", ended.code.unwrap_or(-1), plain(&ended.err), ended.out);
        let beside = folder().join(format!("{name}.txt"));
        if std::env::var_os("BOWLINE_WRITE_BROKEN").is_some() {
            fs::write(&beside, &said).expect("the folder can be written");
        }
        let kept = fs::read_to_string(&beside).unwrap_or_default();
        if said != kept {
            wrong.push(format!("{name}.txt says\n{kept}\nand now it is\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Blanks at the ends of lines are nobody's.
fn plain(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[test]
fn every_problem_has_a_place_a_code_and_says_what_to_do() {
    for name in names() {
        let ended = validate(&name, &["--output", "json"]);
        let json: serde_json::Value = serde_json::from_str(ended.out.trim()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let problems = json["problems"].as_array().cloned().unwrap_or_default();
        assert!(!problems.is_empty(), "{name}: {json}");
        for problem in problems {
            let help = problem["help"].as_str().unwrap_or_default();
            let placed =
                problem["line"].as_u64().is_some_and(|line| line > 0) && problem["column"].as_u64().is_some_and(|column| column > 0);
            let coded = problem["code"].as_str().is_some_and(|code| code.starts_with("plan::"));
            assert!(placed && coded && help.len() > 3, "{name}: {problem}");
        }
    }
}

#[test]
fn every_kind_of_problem_has_a_broken_plan() {
    let mut told = BTreeSet::new();
    for name in names() {
        let said = fs::read_to_string(folder().join(format!("{name}.txt"))).unwrap_or_default();
        told.extend(codes(&said));
    }
    let mut known = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plan"), &mut known);
    // Told of inputs on a command line, and of a file that nobody wants to keep here.
    for elsewhere in ["plan::inputs", "plan::too-large"] {
        assert!(known.remove(elsewhere), "{elsewhere}");
    }
    let untold: Vec<_> = known.difference(&told).collect();
    assert!(known.len() > 35 && untold.is_empty(), "no broken plan shows {untold:?}");
}

fn collect(folder: &Path, known: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("the sources").flatten() {
        let path = entry.path();
        match path.is_dir() {
            true if path.ends_with("tests") => {}
            true => collect(&path, known),
            false => known.extend(codes(&fs::read_to_string(&path).expect("a source"))),
        }
    }
}

fn codes(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c == '-';
    let parts = text.split("plan::").skip(1).filter(|part| part.starts_with(|c: char| c.is_ascii_lowercase()));
    let words = parts.map(|part| &part[..part.find(|c: char| !is_part(c)).unwrap_or(part.len())]);
    words
        .filter(|word| {
            word.contains('-')
                || ["circle", "clash", "condition", "empty", "encoding", "file", "inputs", "pivot", "syntax", "template", "unguarded"]
                    .contains(word)
        })
        .map(|word| format!("plan::{word}"))
        .collect()
}

#[test]
fn a_plan_with_ten_mistakes_of_ten_kinds_is_told_all_of_them() {
    let ended = validate("ten-mistakes", &["--output", "json"]);
    let json: serde_json::Value = serde_json::from_str(ended.out.trim()).expect("an object");
    let codes: BTreeSet<&str> = json["problems"].as_array().into_iter().flatten().filter_map(|problem| problem["code"].as_str()).collect();
    assert!(codes.len() >= 10, "{codes:?}");
}
