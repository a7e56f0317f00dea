//! One random case: a graph, what each step does, and what befalls the run.

use super::testing;
use crate::ids::{Period, StepId};
use crate::record::{Graph, GuardSummary, LimitSummary, RetryPolicy, Reversibility, Role, StepSummary, Target, UndoClass};
use std::collections::BTreeSet;
use std::time::Duration;

/// SplitMix64 (Steele, Lea, Flood 2014): small, and the same everywhere.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Dice(u64);

impl Dice {
    pub(in crate::engine) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(in crate::engine) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(in crate::engine) fn below(&mut self, limit: usize) -> usize {
        (self.roll() % limit.max(1) as u64) as usize
    }

    pub(in crate::engine) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// What a step does when its turn comes.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Script {
    /// How many effects it makes.
    pub(in crate::engine) effects: usize,
    /// How many attempts fail before one succeeds; more than there are attempts means that it fails.
    pub(in crate::engine) failures: u32,
    /// After how many effects a failing attempt fails.
    pub(in crate::engine) fails_after: usize,
    /// A failing attempt hangs until it is stopped.
    pub(in crate::engine) hangs: bool,
    /// Nobody can look up its effects.
    pub(in crate::engine) opaque: bool,
    /// Its condition is false.
    pub(in crate::engine) skipped: bool,
    /// How many of its compensations fail.
    pub(in crate::engine) undo_failures: u32,
    /// Traffic: what must be fit.
    pub(in crate::engine) class: UndoClass,
    /// What it writes.
    pub(in crate::engine) targets: Vec<Target>,
    /// An approver's answer.
    pub(in crate::engine) approves: bool,
}

/// One case.
#[derive(Debug, Clone)]
pub(in crate::engine) struct Case {
    pub(in crate::engine) graph: Graph,
    pub(in crate::engine) scripts: Vec<Script>,
    /// Crash once this many records were written since the last start.
    pub(in crate::engine) crash_after: Vec<u64>,
    /// Cancel at this record.
    pub(in crate::engine) cancel_at: Option<u64>,
    pub(in crate::engine) halt_at: Option<u64>,
    /// How it ends does not depend on when things happen, so a crash must not change it.
    pub(in crate::engine) steady: bool,
    pub(in crate::engine) dice: Dice,
}

impl Case {
    pub(in crate::engine) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let count = 1 + dice.below(9);
        let calm = dice.one_in(3);
        let mut steps: Vec<StepSummary> = Vec::new();
        let mut scripts = Vec::new();
        let mut guards = Vec::new();
        let mut open: Option<BTreeSet<StepId>> = None;
        let mut floor: Vec<StepId> = Vec::new();
        for place in 0..count {
            if open.is_none() && dice.one_in(4) {
                open = Some(BTreeSet::new());
            }
            let needs = needs(&mut dice, &steps, &floor);
            let summary = summary(&mut dice, place, needs);
            if let Some(members) = &mut open {
                members.insert(summary.id.clone());
            }
            scripts.push(script(&mut dice, calm, &summary));
            steps.push(summary);
            if open.is_some() && dice.one_in(3) {
                let members = open.take().expect("just looked");
                let guard = StepSummary { role: Role::Guard, ..testing::step(&format!("guard-{place}"), &[]) };
                let guard = StepSummary { needs: members.iter().cloned().collect(), ..guard };
                guards.push(GuardSummary {
                    id: guard.id.clone(),
                    guards: members,
                    budget: Period(Duration::from_secs(60)),
                    verified: dice.one_in(4),
                });
                floor = vec![guard.id.clone()];
                scripts.push(script(&mut dice, true, &guard));
                steps.push(guard);
            }
        }
        let concurrency = dice.below(4) as u32;
        let limits = limits(&mut dice, &steps);
        let halts_on_failure = dice.one_in(8);
        let graph =
            Graph { steps, guards, concurrency, budget: Period(Duration::from_secs(120)), verified: false, limits, halts_on_failure };
        let crashes = if dice.one_in(2) { dice.below(4) } else { 0 };
        let crash_after = (0..crashes).map(|_| 1 + dice.roll() % 30).collect();
        let cancel_at = dice.one_in(6).then(|| 2 + dice.roll() % 30);
        let halt_at = dice.one_in(8).then(|| 2 + dice.roll() % 40);
        let mut case = Self { graph, scripts, crash_after, cancel_at, halt_at, steady: false, dice };
        if case.dice.one_in(4) {
            case.steady();
        }
        case
    }

    /// At most one step fails, for good; nobody cancels; nothing is irreversible or in doubt; one guard over everything.
    fn steady(&mut self) {
        (self.steady, self.cancel_at, self.halt_at) = (true, None, None);
        self.graph.guards.clear();
        self.graph.halts_on_failure = false;
        let failing = self.dice.below(self.scripts.len() * 2);
        for (place, (script, step)) in self.scripts.iter_mut().zip(&mut self.graph.steps).enumerate() {
            (script.opaque, script.approves, script.undo_failures) = (false, true, 0);
            (step.reversibility, step.continue_on_error, step.timeout) = (Reversibility::Reversible, false, None);
            script.failures = if place == failing { 9 } else { 0 };
        }
    }

    /// The same case without crashes.
    pub(in crate::engine) fn undisturbed(&self) -> Self {
        Self { crash_after: Vec::new(), ..self.clone() }
    }
}

/// Guards are closed: what comes after one needs it; what stands beside the open one is nowhere.
fn needs(dice: &mut Dice, steps: &[StepSummary], floor: &[StepId]) -> Vec<StepId> {
    let after = floor.last().and_then(|id| steps.iter().position(|step| step.id == *id)).unwrap_or(0);
    let mut needs: BTreeSet<StepId> = floor.iter().cloned().collect();
    for step in &steps[after..] {
        if dice.one_in(2) {
            needs.insert(step.id.clone());
        }
    }
    needs.into_iter().collect()
}

/// Up to two limits that may share steps, as a lock and a `for-each` do.
fn limits(dice: &mut Dice, steps: &[StepSummary]) -> Vec<LimitSummary> {
    let count = if dice.one_in(2) { dice.below(3) } else { 0 };
    let limit = |number: usize| {
        let actions = steps.iter().filter(|step| step.role == Role::Action);
        let steps = actions.filter(|_| dice.one_in(2)).map(|step| step.id.clone()).collect();
        LimitSummary { name: format!("limit-{number}"), most: 1 + dice.below(2) as u32, steps }
    };
    (0..count).map(limit).collect()
}

fn summary(dice: &mut Dice, place: usize, needs: Vec<StepId>) -> StepSummary {
    let role = match dice.below(14) {
        0 => Role::Approve,
        1 => Role::Pause,
        _ => Role::Action,
    };
    let retry = RetryPolicy { attempts: 1 + dice.below(3) as u32, timeout: Some(Period(Duration::from_secs(30))), ..RetryPolicy::ONCE };
    StepSummary {
        role,
        needs,
        retry,
        reversibility: if dice.one_in(15) { Reversibility::Irreversible } else { Reversibility::Reversible },
        timeout: dice.one_in(4).then_some(Period(Duration::from_secs(50))),
        continue_on_error: dice.one_in(8),
        idempotent: dice.one_in(3),
        ..testing::step(&format!("s{place}"), &[])
    }
}

fn script(dice: &mut Dice, calm: bool, step: &StepSummary) -> Script {
    let effects = if step.role == Role::Action { dice.below(4) } else { 0 };
    let target = |n: usize| Target(format!("thing-{n}"));
    Script {
        effects,
        failures: if calm || !dice.one_in(4) { 0 } else { 1 + dice.below(3) as u32 },
        fails_after: dice.below(effects + 1),
        hangs: dice.one_in(4),
        opaque: dice.one_in(6),
        skipped: dice.one_in(10) && step.role == Role::Action,
        undo_failures: if dice.one_in(8) { 1 + dice.below(6) as u32 } else { 0 },
        class: if dice.one_in(5) { UndoClass::Traffic { needs_fit: vec![target(dice.below(3))] } } else { UndoClass::Ordinary },
        targets: vec![target(dice.below(5))],
        approves: !dice.one_in(3),
    }
}
