//! Random runs of the real driver over a journal in memory: real tasks, virtual time, deaths at every record.

mod foretold;
mod halting;
mod world;

use super::core::simulation::case::{Case, Dice};
use super::core::{Core, Undo};
use super::{Control, EngineError, Opening, Unlimited, drive};
use crate::action::{Frozen, Redactor, Registry, RunScope};
use crate::event::{Event, Reporter};
use crate::ids::{PlanName, RunId};
use crate::journal::MemoryStore;
use crate::ports::{Clock, Random};
use crate::record::{BlobRef, CancelLevel, Digest, Holder, Mode, Outcome, What};
use foretold::Foretold;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;
use world::{NoSecrets, Script, Steps, VirtualClock, World};

const CASES: u64 = 3_000;

struct Nobody;

impl Reporter for Nobody {
    fn event(&self, _: &Event) {}
}

struct SeededRandom(Mutex<Dice>);

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) -> std::io::Result<()> {
        let mut dice = self.0.lock().expect("one thread");
        bytes.iter_mut().for_each(|byte| *byte = dice.roll() as u8);
        Ok(())
    }
}

/// How one life of the driver ended.
enum Life {
    Died,
    Full,
    Ended(Outcome),
}

struct Play {
    case: Case,
    dice: Dice,
    store: MemoryStore,
    world: World,
    clock: Arc<dyn Clock>,
    seed: u64,
    /// How often it rested with something left.
    stuck: u32,
    told: foretold::Tally,
}

impl Play {
    fn new(seed: u64) -> Self {
        let case = Case::new(seed);
        let store = MemoryStore::new();
        let world = World::new(store.clone());
        Self {
            dice: case.dice.clone(),
            case,
            store,
            world,
            clock: Arc::new(VirtualClock::default()),
            seed,
            stuck: 0,
            told: foretold::Tally::default(),
        }
    }

    fn first(&self, epoch: u64, mode: Mode) -> What {
        if !self.store.is_empty() {
            let holder = Holder { host: "h".into(), pid: epoch as u32, started: 1, boot: "b".into(), user: "u".into() };
            return What::EpochOpened { holder, mode, spared: Vec::new(), step: None };
        }
        What::RunOpened {
            run: RunId::new("run").expect("valid"),
            plan: PlanName::new("plan").expect("valid"),
            environment: None,
            graph: Arc::new(self.case.graph.clone()),
            frozen: BlobRef { id: Digest([0; 32]), sealed: Digest([0; 32]), size: 0 },
            simulated: false,
        }
    }

    /// One process, from taking the run in hand to its death or end. Dropping its runtime ends everything that it did.
    fn live(&mut self, mode: Mode, controls: Vec<Control>, halt_after: Option<Duration>) -> Life {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        let journal = self.store.hold();
        let epoch = journal.epoch();
        let (sender, receiver) = mpsc::unbounded_channel();
        let scope = RunScope {
            run: RunId::new("run").expect("valid"),
            plan: PlanName::new("plan").expect("valid"),
            environment: None,
            namespace: None,
            context: None,
        };
        let opening = Opening {
            program: Arc::new(Steps::new(&self.case, sender.clone())),
            registry: Registry::default().with(Script::new(self.world.clone())),
            clock: Arc::clone(&self.clock),
            random: Arc::new(SeededRandom(Mutex::new(self.dice.clone()))),
            scope: Arc::new(scope),
            frozen: Frozen::default(),
            secrets: Arc::new(NoSecrets),
            redactor: Redactor::default(),
            journal: Arc::new(journal),
            epoch,
            permit: Arc::new(Unlimited),
            records: self.store.records(),
            first: self.first(epoch, mode),
            reporter: Arc::new(Nobody),
            controls: receiver,
        };
        controls.into_iter().for_each(|control| sender.send(control).expect("the receiver is there"));
        let store = self.store.clone();
        let limit = Duration::from_secs(100_000);
        let ended = runtime.block_on(async move {
            if let Some(halt_after) = halt_after {
                tokio::spawn(async move {
                    tokio::time::sleep(halt_after).await;
                    let _ = sender.send(Control::Cancel { level: CancelLevel::Halt, by: "somebody".into() });
                });
            }
            tokio::select! {
                biased;
                () = store.died() => None,
                ended = tokio::time::timeout(limit, drive(opening)) => Some(ended),
            }
        });
        match ended {
            None => Life::Died,
            Some(Ok(Ok(ended))) => Life::Ended(ended.outcome),
            Some(Ok(Err(EngineError::Journal { .. }))) => Life::Full,
            Some(Ok(Err(error))) => panic!("seed {}: {error}: {error:?}\n{}", self.seed, self.picture()),
            Some(Err(_)) => panic!("seed {}: the run does not end\n{}", self.seed, self.picture()),
        }
    }

    fn picture(&self) -> String {
        let records = self.store.records();
        let lines: Vec<String> = records.iter().skip(1).map(|record| format!("{} {} {:?}", record.seq, record.at, record.what)).collect();
        let scripts: Vec<String> =
            self.case.graph.steps.iter().zip(&self.case.scripts).map(|(step, script)| format!("{step:?} {script:?}")).collect();
        format!("{}\n{}", lines.join("\n"), scripts.join("\n"))
    }

    /// Lives until the run is closed, or rests for good.
    fn play(&mut self) -> (Outcome, u32, u32) {
        let (mut deaths, mut full, mut rests) = (0, 0, 0);
        let mut mode = Mode::Run;
        let mut controls = Vec::new();
        for life in 0..12 {
            if life < 4 && self.dice.one_in(2) {
                self.store.die_after(self.store.len() as u64 + 1 + self.dice.roll() % 25);
            } else if life < 4 && self.dice.one_in(5) {
                self.store.fail_after(self.store.len() as u64 + 1 + self.dice.roll() % 25);
            }
            if life == 0 && self.dice.one_in(6) {
                let level = if self.dice.one_in(2) { CancelLevel::RollBack } else { CancelLevel::Halt };
                controls.push(Control::Cancel { level, by: "somebody".into() });
            }
            let is_bare = life > 0 && mode == Mode::Resume && controls.is_empty() && !self.store.is_empty();
            let foretold = is_bare.then(|| Foretold::of(&self.core(), self.store.len()));
            let halt_after = (life < 4 && self.dice.one_in(4)).then(|| Duration::from_millis(self.dice.roll() % 40));
            let ended = self.live(mode, std::mem::take(&mut controls), halt_after);
            if let (Some(foretold), Life::Ended(_), None) = (foretold, &ended, halt_after) {
                let (records, core) = (self.store.records(), self.core());
                let faults = foretold.faults(&records, &core, &mut self.told);
                assert!(faults.is_empty(), "seed {}: {faults:?}\n{}", self.seed, self.picture());
            }
            self.store.make_room();
            self.world.next_life();
            self.look_for_the_forgotten();
            match ended {
                Life::Died => deaths += 1,
                Life::Full => full += 1,
                Life::Ended(outcome) if matches!(outcome, Outcome::Succeeded | Outcome::RolledBack) => return (outcome, deaths, full),
                Life::Ended(outcome) => {
                    let willing = self.case.scripts.iter().all(|script| script.undo_failures == 0);
                    let stuck = outcome == Outcome::Stuck;
                    assert!(!stuck || !willing, "seed {}: stuck although nothing resists\n{}", self.seed, self.picture());
                    self.stuck += u32::from(stuck);
                    rests += 1;
                    if rests > 3 {
                        return (outcome, deaths, full);
                    }
                }
            }
            if self.store.is_empty() {
                continue;
            }
            if let Some(outcome) = self.core().closed() {
                return (outcome, deaths, full);
            }
            controls = self.answers();
            mode = if self.dice.one_in(5) { Mode::Rollback } else { Mode::Resume };
        }
        (Outcome::Halted, deaths, full)
    }

    fn core(&self) -> Core {
        Core::replay(&self.store.records()).unwrap_or_else(|illegal| panic!("seed {}: {illegal}\n{}", self.seed, self.picture()))
    }

    /// Whoever takes the run up looks up what was in flight of a step that is under way, and of no other.
    fn look_for_the_forgotten(&self) {
        if self.store.is_empty() {
            return;
        }
        let core = self.core();
        let forgotten: Vec<_> = core
            .steps()
            .filter(|(_, step)| !step.status.is_under_way() && step.open_effects().next().is_some())
            .map(|(id, _)| id)
            .collect();
        assert!(forgotten.is_empty(), "seed {}: nobody looks up the effects of {forgotten:?}\n{}", self.seed, self.picture());
    }

    /// What people say when the run is taken up: about what is in doubt, and about what was asked before.
    fn answers(&self) -> Vec<Control> {
        let core = self.core();
        let asked = core.steps().filter(|(_, step)| step.status == super::core::Status::Asking);
        let asked = asked.map(|(id, _)| {
            let place = core.graph().steps.iter().position(|summary| summary.id == *id).expect("a step");
            Control::Answer { step: id.clone(), approved: self.case.scripts[place].approves, by: "somebody".into(), comment: None }
        });
        let doubtful = core.steps().filter(|(_, step)| step.status == super::core::Status::Doubtful);
        let answers = doubtful.map(|(id, step)| {
            let done = step.effects.keys().all(|key| self.world.stands(id.as_str(), &key.0));
            if !done {
                step.effects.keys().for_each(|key| self.world.clear(id.as_str(), &key.0));
            }
            Control::SettleDoubt { step: id.clone(), done, by: "somebody".into() }
        });
        answers.chain(asked).collect()
    }

    fn check(&self, outcome: Outcome) {
        let core = self.core();
        for (id, step) in core.steps() {
            let script = &self.case.scripts[core.graph().steps.iter().position(|summary| summary.id == *id).expect("a step")];
            let live = (0..script.effects).filter(|effect| self.world.stands(id.as_str(), &effect.to_string())).count();
            let in_scope = core.rollback().is_some_and(|rollback| rollback.steps.contains(id));
            let fault = match outcome {
                Outcome::Succeeded if step.status == super::core::Status::Succeeded => live != script.effects,
                Outcome::Succeeded => live > 0,
                Outcome::RolledBack => in_scope && live > 0,
                _ => live > 0 && step.undo == Undo::Done && in_scope,
            };
            assert!(!fault, "seed {}: {outcome:?}: {live} of {} effects of {id} stand\n{}", self.seed, script.effects, self.picture());
        }
        let faults = self.world.faults();
        assert!(faults.is_empty(), "seed {}: {faults:?}\n{}", self.seed, self.picture());
    }
}

#[test]
fn the_driver_keeps_its_promise_in_random_runs() {
    let (mut deaths, mut full, mut stuck, mut outcomes) = (0, 0, 0, std::collections::BTreeMap::new());
    let (mut on, mut back) = (0, 0);
    for seed in 0..CASES {
        let mut play = Play::new(seed);
        let (outcome, died, filled) = play.play();
        play.check(outcome);
        (deaths, full, stuck) = (deaths + died, full + filled, stuck + play.stuck);
        (on, back) = (on + play.told.on, back + play.told.back);
        *outcomes.entry(format!("{outcome:?}")).or_insert(0_u32) += 1;
    }
    assert!(
        deaths > 500 && full > 50 && stuck > 20 && outcomes.len() >= 3,
        "the cases are too tame: {deaths} deaths, {full} full disks, {stuck} times stuck, {outcomes:?}"
    );
    assert!(on > 100 && back > 100, "too little was foretold: {on} times on, {back} times back");
}
