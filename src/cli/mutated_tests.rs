//! Plans that nobody would write: shipped and broken ones, cut, doubled, mixed and sprinkled with bytes. Whatever they are, they are read
//! or refused with a place and a help, and never bring the program down.
//!
//! A failing case prints its seed; what it found once is kept in `tests/plans/corpus` and tried first.
//! `BOWLINE_MUTATIONS=N cargo test --lib mutated` tries N of them.

use super::published::actions;
use crate::action::Registry;
use crate::plan::{Problems, Source, check};
use miette::{GraphicalReportHandler, GraphicalTheme};
use std::fs;
use std::path::{Path, PathBuf};

const CASES: u64 = 1_500;

/// Pieces that mean something to a reader of plans.
const PIECES: [&[u8]; 30] = [
    b"\n",
    b"  ",
    b"\t",
    b": ",
    b"- ",
    b"{",
    b"}",
    b"[",
    b"]",
    b"'",
    b"\"",
    b"|\n",
    b">\n",
    b"#",
    b"&a ",
    b"*a",
    b"!!str ",
    b"---\n",
    b"{{ ",
    b" }}",
    b"{{#if ",
    b"{{ steps.deploy.objects }}",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\0",
    "é".as_bytes(),
    b"needs: [",
    b"for-each: [a, b]\n",
    b"9999999999999999999999",
    b"<<: *a",
];

/// SplitMix64: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit.max(1) as u64) as usize
    }
}

fn beside(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn texts(folder: &str) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(beside(folder)) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    paths.sort();
    paths.iter().filter(|path| path.extension().is_some_and(|kind| kind == "yaml")).map(|path| fs::read(path).unwrap()).collect()
}

/// Reads a text as `validate` does, and looks at all that is said of it.
fn look_at(bytes: Vec<u8>, registry: &Registry) -> Result<(), String> {
    let source = match Source::from_bytes("plan.yaml", bytes) {
        Ok(source) => source,
        Err(problems) => return told_well(&problems, None),
    };
    match check(&source, registry) {
        Ok(plan) => drop(plan.summary()),
        Err(problems) => told_well(&problems, Some(&source.text))?,
    }
    Ok(())
}

fn told_well(problems: &Problems, text: Option<&str>) -> Result<(), String> {
    let mut shown = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(100);
    handler.render_report(&mut shown, problems).map_err(|_| "it cannot be shown".to_owned())?;
    for problem in problems.iter() {
        let (line, column) = problem.place();
        let lines = text.map_or(usize::MAX, |text| text.lines().count() + 1);
        if line == 0 || column == 0 || line > lines {
            return Err(format!("{line}:{column} is no place: {problem}"));
        }
        if problem.help.as_deref().is_none_or(str::is_empty) {
            return Err(format!("no help: {problem}"));
        }
    }
    Ok(())
}

fn mutated(seeds: &[Vec<u8>], seed: u64) -> Vec<u8> {
    let mut dice = Dice(seed);
    let mut bytes = seeds[dice.below(seeds.len())].clone();
    for _ in 0..1 + dice.below(6) {
        let (from, to) = (dice.below(bytes.len() + 1), dice.below(bytes.len() + 1));
        let range = from.min(to)..from.max(to).min(from.min(to) + 200);
        match dice.below(6) {
            0 => drop(bytes.drain(range)),
            1 => {
                let part = bytes[range].to_vec();
                bytes.splice(to..to, part);
            }
            2 => {
                let piece = PIECES[dice.below(PIECES.len())];
                bytes.splice(to..to, piece.iter().copied());
            }
            3 => {
                let piece = PIECES[dice.below(PIECES.len())].repeat(1 + dice.below(80));
                bytes.splice(to..to, piece);
            }
            4 => {
                if let Some(byte) = bytes.get_mut(from) {
                    *byte ^= 1 << dice.below(8);
                }
            }
            _ => {
                let other = &seeds[dice.below(seeds.len())];
                let start = dice.below(other.len() + 1);
                let end = (start + dice.below(300)).min(other.len());
                bytes.splice(to..to, other[start..end].iter().copied());
            }
        }
    }
    bytes
}

fn tried(bytes: Vec<u8>, registry: &Registry) -> Result<(), String> {
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| look_at(bytes, registry)));
    result.unwrap_or_else(|_| Err("it panicked".to_owned()))
}

#[test]
fn whatever_a_plan_is_it_is_read_or_refused_with_a_place_and_a_help() {
    let registry = actions();
    for kept in texts("tests/plans/corpus") {
        tried(kept.clone(), &registry).unwrap_or_else(|why| panic!("{why}\n{}", String::from_utf8_lossy(&kept)));
    }
    let seeds = [texts("plans"), texts("tests/plans/broken"), texts("tests/plans/corpus")].concat();
    assert!(seeds.len() > 60);
    let cases = std::env::var("BOWLINE_MUTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(CASES);
    for seed in 0..cases {
        let bytes = mutated(&seeds, seed);
        tried(bytes.clone(), &registry).unwrap_or_else(|why| panic!("seed {seed}: {why}\n{}", String::from_utf8_lossy(&bytes)));
    }
}
