//! Files that are no plans, or are made to hurt: they are refused soon, and with little memory. The bounds are three times those that
//! `benches/validate` measures.

use crate::bench::{Bench, Ended};
use std::fs::File;
use std::process::Command;
use std::time::{Duration, Instant};

const WITHIN: Duration = Duration::from_millis(3 * 250);
const MOST_KIB: u64 = 3 * 64 * 1024;

/// What `validate` says of a file, how long it took, and how much memory (GNU time tells; none where it is not installed).
fn validated(bench: &Bench) -> (Ended, Duration, Option<u64>) {
    let program = env!("CARGO_BIN_EXE_bowline");
    let file = bench.path("plan.yaml");
    let begun = Instant::now();
    let ended: Ended = Command::new(program).arg("validate").arg(&file).output().expect("bowline").into();
    let took = begun.elapsed();
    let timed = Command::new("time").args(["-f", "%M", "-o"]).arg(bench.path("memory")).arg(program).arg("validate").arg(&file).output();
    let memory = timed.ok().and_then(|_| bench.read("memory").lines().last()?.trim().parse().ok());
    (ended, took, memory)
}

#[track_caller]
fn is_refused(text: &str, words: &str) {
    let bench = Bench::with(text);
    let (ended, took, memory) = validated(&bench);
    ended.assert_code(2).assert_says(words);
    assert!(took < WITHIN, "{took:?}");
    assert!(memory.is_none_or(|memory| memory < MOST_KIB), "{memory:?} KiB");
}

#[test]
fn a_bomb_of_aliases_is_refused() {
    let mut text = "plan: bomb\na: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (before, letter) in ('a'..='y').zip('b'..='z') {
        let many = vec![format!("*{before}"); 10].join(", ");
        text.push_str(&format!("{letter}: &{letter} [{many}]\n"));
    }
    is_refused(&text, "plan::syntax");
}

#[test]
fn what_is_nested_too_deeply_is_refused() {
    is_refused(&format!("plan: deep\nabout: {}{}\n", "[".repeat(100_000), "]".repeat(100_000)), "plan::syntax");
    is_refused(&format!("plan: deep\nabout: {}", "{a: ".repeat(100_000)), "plan::syntax");
    is_refused(&format!("plan: deep\nabout:\n  {}x\n", "- ".repeat(100_000)), "plan::syntax");
    let blocks: String = (0..2_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    is_refused(&blocks, "plan::syntax");
}

#[test]
fn what_is_no_text_is_refused() {
    is_refused(&"\0".repeat(1 << 20), "plan::syntax");
    is_refused(&"&a ".repeat(100_000), "plan::syntax");
    is_refused(&"? ".repeat(100_000), "plan::syntax");
    is_refused(&"!".repeat(1 << 20), "plan::syntax");
}

#[test]
fn a_file_over_32_mib_is_refused_by_its_size() {
    let bench = Bench::new();
    File::create(bench.path("plan.yaml")).and_then(|file| file.set_len((32 << 20) + 1)).expect("a sparse file");
    let (ended, took, memory) = validated(&bench);
    ended.assert_code(2).assert_says("plan::too-large").assert_says("33554433 bytes");
    assert!(took < WITHIN, "{took:?}");
    // The program needs memory for itself, a test build more than others; whoever read the file would need 32 MiB besides.
    let small = Bench::with("plan: small\nsteps: [{ id: one, pause: 0s }]\n");
    let (_, _, itself) = validated(&small);
    assert!(memory.zip(itself).is_none_or(|(memory, itself)| memory < itself + 8 * 1024), "{memory:?} KiB beside {itself:?} KiB");
}

#[test]
fn thousands_of_mistakes_are_told_in_time() {
    let mut text = "plan: many\nsteps:\n".to_owned();
    (0..5_000).for_each(|step| text.push_str(&format!("  - id: s{step}\n    shel: {{ run: x }}\n")));
    let bench = Bench::with(&text);
    let (ended, took, _) = validated(&bench);
    ended.assert_code(2).assert_says("5000 mistakes");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

/// A binary tree of steps.
fn tree(count: usize) -> Bench {
    let mut text = "plan: large\nsteps:\n".to_owned();
    for place in 1..=count {
        let before = if place > 1 { format!("s{}", place / 2) } else { String::new() };
        text.push_str(&format!("  - id: s{place}\n    needs: [{before}]\n    shell: {{ run: \"echo {place}\", read-only: true }}\n"));
    }
    Bench::with(&text)
}

#[test]
fn a_plan_of_many_steps_costs_what_its_steps_cost() {
    const FEW: u64 = 2_000;
    const MANY: u64 = 10 * FEW;
    let [(few, took, little), (many, took_long, much)] = [FEW, MANY].map(|count| validated(&tree(count as usize)));
    few.assert_code(0).assert_says("2000 steps");
    many.assert_code(0).assert_says("20000 steps");
    // The benches' bounds for 100,000 steps: 200 MB, which no clock has a part in, and twelve times the time of a tenth, here three times that.
    let a_step = little.zip(much).map(|(little, much)| (much - little) * 1024 / (MANY - FEW));
    assert!(a_step.is_none_or(|bytes| bytes < 2_000), "{a_step:?} bytes a step");
    assert!(took_long < 3 * 12 * took, "{took:?} for {FEW} steps, {took_long:?} for {MANY}");
}
