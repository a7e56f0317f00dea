//! The documentation does what it says: its plans are valid, its commands print what stands below them, its links lead somewhere.
//!
//! A block is run by its first words: `yaml file=NAME` is a file for the blocks below it, `yaml` a plan that must be valid, `console` is
//! commands after `$ ` and what they print, where `…` stands for anything. `console cluster` needs a real one and is not run here;
//! `console simulate` is run once the program can simulate.

use crate::bench::Bench;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A fenced block of a page.
struct Block {
    info: String,
    text: String,
    line: usize,
}

fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page, from the project's folder.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "tests/README.md", "tests/cluster/README.md"]
            .map(PathBuf::from)
            .into();
    let mut folders = vec![PathBuf::from("docs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(home().join(&folder)).expect("a folder of pages").flatten() {
            let path = folder.join(entry.file_name());
            match entry.path() {
                inner if inner.is_dir() => folders.push(path),
                inner if inner.extension().is_some_and(|extension| extension == "md") => pages.push(path),
                _ => {}
            }
        }
    }
    pages.sort();
    pages
}

fn read(page: &Path) -> String {
    fs::read_to_string(home().join(page)).unwrap_or_else(|error| panic!("{}: {error}", page.display()))
}

fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (at, line) in text.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some("")) => blocks.extend(open.take()),
            (Some(block), _) => block.text.push_str(&format!("{line}\n")),
            (None, Some(info)) => open = Some(Block { info: info.to_owned(), text: String::new(), line: at + 1 }),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block has no end");
    blocks
}

/// The page's own folder, with the plans that are published.
fn bench() -> Bench {
    let bench = Bench::new();
    let copied = Command::new("cp").arg("-r").arg(home().join("plans")).arg(bench.path("plans")).status();
    assert!(copied.is_ok_and(|status| status.success()));
    bench
}

/// Runs a line as a person would type it, and returns what is on the screen then.
fn typed(bench: &Bench, line: &str, code: i32) -> (String, i32) {
    let program = Path::new(env!("CARGO_BIN_EXE_bowline")).parent().expect("a folder").display().to_string();
    let path = format!("{program}:{}", std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    // The code of the line before is what `$?` means.
    shell.args(["-c", &format!("exec 2>&1; (exit {code}); {line}")]).current_dir(bench.path(""));
    shell.env("PATH", path).env("HOME", bench.path("home")).env("TZ", "UTC").env("NO_COLOR", "1");
    for unset in ["BOWLINE_STATE", "BOWLINE_KEY", "XDG_STATE_HOME", "CLICOLOR_FORCE"] {
        shell.env_remove(unset);
    }
    let output = shell.output().expect("a shell");
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code().unwrap_or(-1))
}

/// The commands of a block, each with the lines that it should print.
fn commands(text: &str) -> Vec<(&str, Vec<&str>)> {
    let mut commands: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command, Vec::new())),
            (None, Some((_, printed))) => printed.push(line),
            (None, None) => panic!("a block of commands begins with `$ `: {line}"),
        }
    }
    commands
}

/// True when the lines are the expected ones; a line that is `…` stands for any number of them.
fn are_as_expected(expected: &[&str], lines: &[&str]) -> bool {
    match (expected.split_first(), lines.split_first()) {
        (None, None) => true,
        (Some((&"…", rest)), _) => (0..=lines.len()).any(|skipped| are_as_expected(rest, &lines[skipped..])),
        (Some((wanted, rest)), Some((line, others))) => is_as_expected(wanted, line) && are_as_expected(rest, others),
        _ => false,
    }
}

fn is_as_expected(wanted: &str, line: &str) -> bool {
    let mut parts = wanted.split('…');
    let Some(mut rest) = parts.next().and_then(|first| line.trim_end().strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[test]
fn what_is_printed_is_compared_line_by_line() {
    assert!(are_as_expected(&["a … c", "…", "z"], &["a b c", "x", "y", "z"]));
    assert!(are_as_expected(&["…"], &[]) && are_as_expected(&["a", "…"], &["a"]));
    for (wanted, lines) in
        [(&["a"][..], &["b"][..]), (&["a …"], &["b c"]), (&["… b"], &["a c"]), (&["a"], &["a", "b"]), (&["a", "b"], &["a"])]
    {
        assert!(!are_as_expected(wanted, lines), "{wanted:?} {lines:?}");
    }
}

fn can_simulate(bench: &Bench) -> bool {
    bench.run(&["run", "--help"]).out.contains("--simulate")
}

#[test]
fn every_block_does_what_it_says() {
    let (mut wrong, mut run, mut left) = (Vec::new(), 0, Vec::new());
    for page in pages() {
        // The examples of the actions are checked where the pages are made.
        if page.starts_with("docs/actions") || page.ends_with("CHANGELOG.md") {
            continue;
        }
        let bench = bench();
        let mut code = 0;
        for block in blocks(&read(&page)) {
            let place = format!("{}:{}", page.display(), block.line);
            match block.info.as_str() {
                "console" => {}
                "console simulate" if can_simulate(&bench) => {}
                "console simulate" | "console cluster" => {
                    left.push(place);
                    continue;
                }
                "text" | "rust" | "" => continue,
                plan if plan.starts_with("yaml") => {
                    let name = plan.strip_prefix("yaml file=").unwrap_or("block.yaml");
                    bench.write(name, &block.text);
                    let ended = bench.run(&["validate", name]);
                    if ended.code != Some(0) {
                        wrong.push(format!("{place}: the plan is not valid\n{}", ended.all()));
                    }
                    run += 1;
                    continue;
                }
                other => panic!("{place}: nobody knows what to do with a block of `{other}`"),
            }
            for (line, expected) in commands(&block.text) {
                let (printed, ended) = typed(&bench, line, code);
                code = ended;
                let lines: Vec<&str> = printed.lines().collect();
                if !are_as_expected(&expected, &lines) {
                    wrong.push(format!("{place}: `{line}` printed (code {code})\n{printed}\ninstead of\n{}", expected.join("\n")));
                }
            }
            run += 1;
        }
    }
    eprintln!("{run} blocks were run; not run, since they need a cluster: {}", left.join(", "));
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(run > 10, "only {run} blocks were found");
}

/// Targets of links, without those in code.
fn links(text: &str) -> Vec<(usize, String)> {
    let (mut links, mut is_code) = (Vec::new(), false);
    for (at, line) in text.lines().enumerate() {
        is_code ^= line.starts_with("```");
        let plain: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for rest in plain.split("](").skip(1).filter(|_| !is_code) {
            links.extend(rest.split(')').next().map(|target| (at + 1, target.to_owned())));
        }
    }
    links
}

/// The anchors of a page's headings, as they are made on the forges.
fn anchors(text: &str) -> BTreeSet<String> {
    let (mut anchors, mut is_code) = (BTreeSet::new(), false);
    for line in text.lines() {
        is_code ^= line.starts_with("```");
        if let Some(heading) = line.strip_prefix('#').filter(|_| !is_code) {
            let kept = heading.trim_start_matches('#').trim().to_lowercase();
            anchors.insert(
                kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect(),
            );
        }
    }
    anchors
}

#[test]
fn every_link_leads_somewhere() {
    let mut wrong = Vec::new();
    for page in pages() {
        for (line, target) in links(&read(&page)) {
            let (path, anchor) = target.split_once('#').unwrap_or((&target, ""));
            if path.contains("://") {
                continue;
            }
            let to = if path.is_empty() { page.clone() } else { page.parent().unwrap_or(Path::new("")).join(path) };
            let found = home().join(&to).exists();
            if !found || (!anchor.is_empty() && !anchors(&read(&to)).contains(anchor)) {
                wrong.push(format!("{}:{line}: {target}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "these lead nowhere: {wrong:#?}");
}

/// Every page is found by who begins at the README.
#[test]
fn every_page_is_linked() {
    let linked: BTreeSet<PathBuf> = pages()
        .iter()
        .flat_map(|page| {
            let folder = home().join(page.parent().unwrap_or(Path::new("")));
            links(&read(page)).into_iter().filter_map(move |(_, target)| folder.join(target.split('#').next()?).canonicalize().ok())
        })
        .collect();
    let lonely: Vec<PathBuf> =
        pages().into_iter().filter(|page| !linked.contains(&home().join(page)) && !page.ends_with("README.md")).collect();
    let lonely: Vec<&PathBuf> = lonely.iter().filter(|page| !page.starts_with("docs/decisions")).collect();
    assert!(lonely.is_empty(), "nothing leads to {lonely:?}");
}
