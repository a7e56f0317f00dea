//! Random runs of the core against a world of numbers: graphs, guards, failures, timeouts, cancels and crashes, all from one seed.
//!
//! A failing case prints its seed; `BOWLINE_SIMULATION_SEED=N cargo test --lib simulation::one` runs it alone.

pub(in crate::engine) mod case;
mod flaws;
mod invariants;
mod runner;

use super::testing;
use case::Case;
use runner::{Flaw, Runner};

const CASES: u64 = 200_000;

fn cases() -> u64 {
    std::env::var("BOWLINE_SIMULATION_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(CASES)
}

fn run(seed: u64, flaw: Option<Flaw>) -> Result<runner::Tally, String> {
    let case = Case::new(seed);
    let (tally, world) = Runner::new(&case, flaw).run().map_err(|why| format!("seed {seed}: {why}"))?;
    if case.steady && flaw.is_none() && tally.crashes > 0 {
        let (_, undisturbed) = Runner::new(&case.undisturbed(), None).run()?;
        if world != undisturbed {
            return Err(format!("seed {seed}: crashes changed the end from {undisturbed:?} to {world:?}"));
        }
    }
    Ok(tally)
}

#[test]
fn the_core_keeps_its_promise_in_random_runs() {
    let halves: Vec<_> = (0..2)
        .map(|half| {
            std::thread::spawn(move || {
                let mut sum = runner::Tally::default();
                for seed in (half..cases()).step_by(2) {
                    sum += run(seed, None).unwrap_or_else(|why| panic!("{why}"));
                }
                sum
            })
        })
        .collect();
    let mut sum = runner::Tally::default();
    for half in halves {
        sum += half.join().expect("a case failed: its seed stands above");
    }
    sum.assert_wide();
}

#[test]
fn one() {
    if let Some(seed) = std::env::var("BOWLINE_SIMULATION_SEED").ok().and_then(|text| text.parse().ok()) {
        run(seed, None).unwrap_or_else(|why| panic!("{why}"));
    }
}
