//! `run --simulate`: a run as it is, in a world that is not. It sees to it that everything the run reaches is simulated.

use super::failing::{Failing, Fails};
use super::lacking::{Furniture, Lacking, Texts};
use super::standstill::Course;
use super::{Stage, Standstill};
use crate::action::{Asked, DynAction, Frozen as FrozenFiles, Registry};
use crate::cli::arguments::{PlanChoice, Preview, Run};
use crate::cli::context::{Context, key};
use crate::cli::drive::{Journey, drive};
use crate::cli::exit::Exit;
use crate::cli::failure::CommandFailure;
use crate::cli::freeze::{Contents, freeze, frozen as frozen_files};
use crate::cli::lock::{self, Ask};
use crate::cli::preview::look_at;
use crate::cli::reach::reach;
use crate::cli::run::{Draft, check_rights, frozen};
use crate::cli::{open, print};
use crate::expr::yaml::documents;
use crate::ids::{Moment, Period, RunId, StepId};
use crate::journal::{Frozen, Identity, Outside, StateFolder};
use crate::plan::{Bound, Demand, Demands};
use crate::ports::{Gate, Random, ScratchFolder, SystemRandom, VirtualClock};
use crate::record::What;
use crate::scenario::Scenario;
use crate::sim::Simulation;
use serde_json::Value;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// Runs a plan in a simulated world.
///
/// # Errors
/// When it cannot begin.
pub(in crate::cli) fn run(real: &Context, arguments: &Run) -> Result<Exit, CommandFailure> {
    let runtime = paused()?;
    let seed = arguments.seed.unwrap_or_else(seed);
    // Where nobody says where runs are kept, nothing of a simulated one is.
    let named = real.simulated_state();
    let scratch = named.is_none().then(|| ScratchFolder::new("bowline-simulated")).transpose();
    let scratch = scratch.map_err(|error| CommandFailure::new(Exit::Refused, "there is no place for a simulated run").because(&error))?;
    let folder = named.or_else(|| scratch.as_ref().map(|scratch| scratch.path().to_owned())).unwrap_or_default();
    let Ready { mut context, draft, simulation, standstill, lacking } = runtime.block_on(async {
        let ready = prepare(real, &arguments.choice, arguments.jobs, seed, &folder, Demanded::ByAll).await?;
        check_rights(&ready.context, &ready.draft).await?;
        Ok::<_, CommandFailure>(ready)
    })?;
    context.called.is_kept = scratch.is_none();
    open::mention_warnings(&context, &draft.opened.plan, &arguments.choice.plan);
    if !context.is_json() {
        let lead = format!("simulated (seed {seed}): nothing outside this process is reached");
        print::notices(&[lead], context.streams);
    }
    let stage = Stage { runtime, scenario: draft.opened.plan.simulate.clone(), standstill };
    let (exit, run) = begin(&context, draft, arguments, &folder, stage)?;
    if !context.is_json() {
        tell(&context, &simulation, &lacking, exit, &run);
    }
    Ok(exit)
}

/// Tells what a run would change in the simulated world.
///
/// # Errors
/// When the plan cannot run.
pub(in crate::cli) fn preview(real: &Context, arguments: &Preview) -> Result<Exit, CommandFailure> {
    paused()?.block_on(async {
        // Nothing is kept, so no folder is made: it is named where a run would say it, as that of real runs.
        let folder = real.backups().parent().map(Path::to_owned).unwrap_or_default();
        // Each step tells what it lacks itself.
        let ready = prepare(real, &arguments.choice, None, seed(), &folder, Demanded::ByCluster).await?;
        look_at(&ready.context, &ready.draft, arguments.exit_code).await
    })
}

fn paused() -> Result<Runtime, CommandFailure> {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.map_err(|error| CommandFailure::new(Exit::Internal, "the system gives no threads").because(&error))
}

fn seed() -> u64 {
    let mut bytes = [0; 4];
    // Any seed will do.
    let _ = SystemRandom::default().fill(&mut bytes);
    u64::from(u32::from_le_bytes(bytes))
}

/// Whose demands must be described before anything begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Demanded {
    ByAll,
    /// The simulated cluster's own.
    ByCluster,
}

/// Everything that a simulated run begins with.
struct Ready {
    context: Context,
    draft: Draft,
    simulation: Arc<Simulation>,
    standstill: Arc<Standstill>,
    lacking: Lacking,
}

/// Reads the plan and its files as they are, and furnishes the cluster.
async fn prepare(
    real: &Context,
    choice: &PlanChoice,
    jobs: Option<u32>,
    seed: u64,
    folder: &Path,
    demanded: Demanded,
) -> Result<Ready, CommandFailure> {
    let mut opened = open::plan(real, &choice.plan).await?;
    let mut bound = opened.bound(real, choice).await?;
    let scenario = opened.plan.simulate.clone();
    let mut files = opened.files(real, &bound).await?;
    let furnished = furniture(real, &scenario, opened.file.parent().unwrap_or(Path::new("/"))).await?;
    let look = |opened: &open::OpenedPlan, bound: &Bound, files: &Contents| lacking(real, opened, bound, files, &furnished, demanded);
    let mut lacking = look(&opened, &bound, &files)?;
    let clock = Arc::new(VirtualClock::from(begins(real)));
    let simulation = Arc::new(Simulation::new(scenario.clone(), seed, Arc::clone(&clock)));
    let namespace = bound.namespace.clone().unwrap_or_else(|| "default".to_owned());
    let objects: Vec<Value> = furnished.0.iter().map(|furniture| furniture.object.clone()).collect();
    simulation
        .furnish(&namespace, &objects)
        .map_err(|error| CommandFailure::usage("the simulated cluster cannot be as `simulate.cluster` describes it").because(&error))?;
    let standstill = Arc::new(Standstill::new(Arc::clone(&clock), Arc::clone(&simulation) as Arc<dyn Course>));
    let gate = Gate::new(clock);
    let ports = simulation.ports(&gate, &real.ports);
    let context = real.within(ports, gate, folder, |registry| staged(&registry, &scenario, &standstill), scenario.secrets.clone());
    let reaches = reach(&context, &opened.plan, &mut bound).await?;
    let printed = opened.printed(&context, &bound).await?;
    if !printed.is_empty() {
        files.extend(printed);
        lacking = look(&opened, &bound, &files)?;
    }
    let mut graph = opened.plan.summary();
    graph.concurrency = jobs.unwrap_or(graph.concurrency);
    Ok(Ready { context, draft: Draft { opened, bound, files, graph, reaches }, simulation, standstill, lacking })
}

/// What the plan's `simulate` lacks.
///
/// # Errors
/// When the run would come to that.
fn lacking(
    real: &Context,
    opened: &open::OpenedPlan,
    bound: &Bound,
    files: &Contents,
    (furniture, of_cluster): &(Vec<Furniture>, Contents),
    demanded: Demanded,
) -> Result<Lacking, CommandFailure> {
    let mut demands = Demands::default();
    if demanded == Demanded::ByAll {
        let run = RunId::new("run").map_err(|error| CommandFailure::new(Exit::Internal, error.to_string()))?;
        let scope = open::scope(&opened.plan, bound, run);
        demands = opened.plan.demands(&real.registry, bound, &scope, &frozen_files(files));
        let commands = opened.plan.commands(&real.registry, bound, &scope).map_err(|problems| open::misfit(&opened.file, &problems))?;
        if commands.iter().any(|(_, command)| !files.contains_key(&FrozenFiles::name_of(command))) {
            // What they print may hold the objects that are lacking so far.
            demands.asked.retain(|demand| matches!(demand.what, Asked::Server { .. }));
        }
        demands.programs.extend(commands.into_iter().map(|(step, what)| Demand { step, what, is_certain: true }));
    }
    let all: Contents = files.iter().chain(of_cluster).map(|(path, content)| (path.clone(), content.clone())).collect();
    let lacking = Lacking::of(&opened.plan.simulate, &demands, furniture, &Texts::of(&opened.source, &all));
    lacking.refused(real).map_or(Ok(lacking), Err)
}

/// The time at which it begins is told on the screen: it is the real one, in whole seconds, so that nothing hangs on a millisecond.
fn begins(real: &Context) -> Moment {
    Moment::from_millis(real.ports.clock.now().as_millis() / 1000 * 1000)
}

/// What is in the cluster before the run, and the files that say so.
async fn furniture(real: &Context, scenario: &Scenario, folder: &Path) -> Result<(Vec<Furniture>, Contents), CommandFailure> {
    let step = StepId::new("simulate").map_err(|error| CommandFailure::new(Exit::Internal, error.to_string()))?;
    let sources: Vec<(StepId, String)> = scenario.cluster.iter().map(|source| (step.clone(), source.clone())).collect();
    let contents = freeze(&*real.ports.files, folder, &sources).await?;
    let mut all = Vec::new();
    for (file, bytes) in &contents {
        let read = documents(&String::from_utf8_lossy(bytes));
        let read = read.map_err(|error| CommandFailure::usage(format!("{file} is no manifest")).because(&error))?;
        all.extend(read.into_iter().map(|object| Furniture { file: file.clone(), object }));
    }
    Ok((all, contents))
}

/// The actions, as they fail in the simulation.
fn staged(registry: &Registry, scenario: &Scenario, standstill: &Arc<Standstill>) -> Registry {
    let fails: Fails = Arc::new(Mutex::new(scenario.fails.clone()));
    let failing = |action: &Arc<dyn DynAction>| Failing::new(Arc::clone(action), Arc::clone(&fails), Arc::clone(standstill));
    registry.iter().fold(Registry::default(), |all, action| all.with(failing(action)))
}

impl Course for Simulation {
    fn now(&self) -> u64 {
        self.course()
    }

    fn has_moved_since(&self, course: u64) -> bool {
        Simulation::has_moved_since(self, course)
    }

    fn last_due(&self) -> Option<Moment> {
        Simulation::last_due(self)
    }
}

fn begin(context: &Context, mut draft: Draft, arguments: &Run, folder: &Path, stage: Stage) -> Result<(Exit, RunId), CommandFailure> {
    draft.graph.halts_on_failure = arguments.no_rollback;
    // What seals the journal must not follow from a seed.
    let outside = Outside { random: Arc::new(SystemRandom::default()), ..Outside::from(&context.ports) };
    let folder = StateFolder::open(folder, outside, key())?;
    let Draft { opened, bound, .. } = &draft;
    let identity = Identity { plan: opened.plan.name.clone(), environment: bound.environment.clone() };
    if let Some(id) = arguments.run_id.as_ref().filter(|id| folder.run(id).is_ok()) {
        let failure = CommandFailure::new(Exit::Refused, format!("there is a run {id} in this state folder already"));
        return Err(failure.hint("a simulated run is not told again: give it another `--run-id`, or none"));
    }
    let held = folder.open_simulated(&identity, arguments.run_id.clone())?;
    let place = lock::place(&opened.plan, bound, draft.reaches, arguments.lock);
    // Nobody who looks at this run later may look for its lock in a real cluster.
    let frozen = Frozen { simulated: true, ..frozen(&draft, None) };
    let ask = place.map(|place| Ask::new(&folder, &held, place, frozen.context.clone(), None)).transpose()?;
    let first = What::RunOpened {
        run: held.run().clone(),
        plan: opened.plan.name.clone(),
        environment: bound.environment.clone(),
        graph: Arc::new(draft.graph),
        frozen: frozen.seal(&*held.journal())?,
        simulated: true,
    };
    let plan = draft.opened.plan;
    let journey =
        Journey { held, folder, ask, records: Vec::new(), first, plan, frozen, settle: Vec::new(), exit: Exit::of_run, stage: Some(stage) };
    let run = journey.held.run().clone();
    Ok((drive(context, journey)?, run))
}

/// What there is to say once it is over: the world ends with this process.
fn tell(context: &Context, simulation: &Simulation, lacking: &Lacking, exit: Exit, run: &RunId) {
    let (missing, rules) = lacking.after(simulation.missing());
    tell_lines(context, &missing, &rules);
    let mut lines = Vec::new();
    let whole = Duration::from_secs(simulation.passed().as_secs());
    let kept = match context.called.is_kept {
        true => context.called.complete(&format!("`bowline show {run}` tells it again")),
        false => "`--state DIR` keeps what is to be looked at later".to_owned(),
    };
    let gone = "the simulated cluster is gone now, so there is nothing to resume or to roll back";
    lines.push(format!("simulated: {} of its own time; {gone}; {kept}", Period(whole)));
    if exit == Exit::RolledBack {
        match simulation.differences() {
            same if same.is_empty() => lines.push("simulated: the cluster was as before the run".to_owned()),
            told => lines.extend(told.iter().map(|what| format!("simulated: not as before the run: {what}"))),
        }
    }
    print::notices(&lines, context.streams);
}

/// Words that may be broken between words, then lines of a plan, which may not.
fn tell_lines(context: &Context, words: &[String], lines: &[String]) {
    print::notices(words, context.streams);
    lines.iter().for_each(|line| print::notice(line));
}
