//! Holds the import table of ARCHITECTURE.md: who may use whom, and who may touch the outside. It reads source text and runs nothing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module and what it may use of the others. `cli` and `lib` may use all.
const TABLE: [(&str, &[&str]); 18] = [
    ("ids", &[]),
    ("record", &["ids"]),
    ("expr", &["ids"]),
    ("ports", &["ids"]),
    ("action", &["ids", "record", "ports"]),
    ("scenario", &["ids"]),
    ("sim", &["ids", "ports", "scenario"]),
    ("plan", &["ids", "record", "expr", "action", "scenario"]),
    ("journal", &["ids", "record", "ports"]),
    ("event", &["ids", "record"]),
    ("report", &["ids", "record", "event"]),
    ("engine/core", &["ids", "record"]),
    ("engine", &["ids", "record", "action", "plan", "journal", "event", "expr", "ports"]),
    ("cluster", &["ids", "ports"]),
    ("probe", &["ids", "expr", "ports"]),
    ("archive", &["ids", "ports"]),
    ("actions", &["ids", "record", "action", "expr", "ports", "cluster", "probe", "archive"]),
    (
        "cli",
        &[
            "ids", "record", "expr", "ports", "action", "plan", "journal", "event", "report", "engine", "cluster", "probe", "archive",
            "actions", "scenario", "sim",
        ],
    ),
];

/// What only `ports` may name: the rest reaches the outside through it, or not at all.
const OUTSIDE: [&str; 9] = [
    "std::process",
    "tokio::process",
    "tokio::fs",
    "std::fs",
    "reqwest",
    "SystemTime::now",
    "Instant::now",
    "Timestamp::now",
    "Zoned::now",
];

/// The journal keeps its own database and key; `main` returns an exit code; tests make their own outside.
const EXEMPT: [(&str, &str); 3] = [("journal", "std::fs"), ("main", "std::process"), ("cli", "std::process::ExitCode")];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("src can be read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Source files without their tests, each with its path from `src`.
fn house() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    sources(&root, &mut paths);
    let test_only = |name: &str| {
        ["test", "fixture", "simulation", "conformance", "house", "samples", "published", "core/rules"]
            .iter()
            .any(|word| name.contains(word))
    };
    let read = |path: &PathBuf| {
        let name = path.strip_prefix(&root).expect("under src").to_string_lossy().into_owned();
        let text = fs::read_to_string(path).expect("source is text");
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
        let lines: Vec<&str> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        (name, lines.join("\n"))
    };
    paths.iter().map(read).filter(|(name, _)| !test_only(name)).collect()
}

fn module_of(name: &str) -> &str {
    let module = name.strip_suffix(".rs").unwrap_or(name);
    match module.strip_prefix("engine/core") {
        Some(_) => "engine/core",
        None => module.split('/').next().unwrap_or(module),
    }
}

/// The modules of this crate that a text names, also inside `use crate::{…}`.
fn used(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (place, _) in code.match_indices("crate::") {
        let rest = &code[place + "crate::".len()..];
        let names = match rest.strip_prefix('{') {
            Some(group) => group.split('}').next().unwrap_or_default().split(',').map(str::trim).collect(),
            None => vec![rest],
        };
        for name in names {
            let name: String = name.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            let core = name == "engine" && rest.starts_with("engine::core");
            used.insert(if core { "engine/core".to_owned() } else { name });
        }
    }
    used.remove("");
    used
}

#[test]
fn modules_use_only_what_the_table_allows() {
    let mut faults = Vec::new();
    for (name, code) in house() {
        let module = module_of(&name);
        let Some((_, allowed)) = TABLE.iter().find(|(row, _)| *row == module) else {
            if !["lib", "main"].contains(&module) {
                faults.push(format!("{name}: `{module}` is not in the table"));
            }
            continue;
        };
        for other in used(&code) {
            let within = other == module || (module == "engine" && other == "engine/core");
            if !within && !allowed.contains(&other.as_str()) {
                faults.push(format!("{name} uses `{other}`"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn only_ports_touch_the_outside() {
    let mut faults = Vec::new();
    for (name, code) in house() {
        let module = module_of(&name);
        if module == "ports" {
            continue;
        }
        for word in OUTSIDE.iter().filter(|word| code.contains(**word)) {
            let exempt = EXEMPT.iter().any(|(row, allowed)| {
                *row == module && allowed.starts_with(word) && code.matches(word).count() == code.matches(allowed).count()
            });
            if !exempt {
                faults.push(format!("{name} names `{word}`"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_table_is_read_rightly() {
    let found = used("use crate::ids::StepId;\nuse crate::{record, ports::Clock};\nfn f() { crate::engine::core::g() }");
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["engine/core", "ids", "ports", "record"]);
}
