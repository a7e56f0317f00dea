//! Drives a run that is in this process's hands: display, signals and other shells around the engine. It decides nothing.

use super::context::Context;
use super::exit::Exit;
use super::failure::CommandFailure;
use super::lock::{self, Ask, Gated, Kept};
use super::settings::Settlement;
use super::signals::{End, supervise, supervise_on};
use super::simulate::{Answering, Stage, Standstill, Timeless};
use super::stopped::{stopped, unless_stopped};
use super::{kept, open, orphans, print, secrets};
use crate::action::{self, Redactor};
use crate::engine::{Control, Ended, EngineError, Opening, Permit, Planned, Unlimited, drive as drive_engine};
use crate::event::Event;
use crate::ids::RunId;
use crate::journal::{Frozen, Held, JournalError, Request, StateFolder};
use crate::plan::Plan;
use crate::ports::{Gate, Ports, forget_typed};
use crate::record::{Outcome, Record, What};
use crate::report::Display;
use crate::report::story::Ahead;
use crate::report::summary::Summary;
use futures::FutureExt;
use serde_json::Value;
use std::error::Error;
use std::sync::Arc;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// A run in this process's hands, and what to do with it.
pub struct Journey {
    /// The run.
    pub held: Held,
    /// Where it is kept.
    pub folder: StateFolder,
    /// The Lease that keeps other machines out; none when the state folder alone keeps the run.
    pub ask: Option<Ask>,
    /// The run so far; empty for a new one.
    pub records: Vec<Record>,
    /// The record that opens the run, or this process's hold on it.
    pub first: What,
    /// The plan.
    pub plan: Arc<Plan>,
    /// What was frozen with the run.
    pub frozen: Frozen,
    /// What a person says of steps in doubt.
    pub settle: Vec<Settlement>,
    /// How the outcome becomes an exit code.
    pub exit: fn(Outcome) -> Exit,
    /// Where a simulated run is carried; none for a real one.
    pub(super) stage: Option<Stage>,
}

/// Drives it until it is closed, rests, or has to be left. What was typed below moving lines, where it does not show, was typed to nobody.
///
/// # Errors
/// When it cannot begin.
pub fn drive(context: &Context, journey: Journey) -> Result<Exit, CommandFailure> {
    let driven = drive_to_its_end(context, journey);
    if context.is_drawn() {
        forget_typed();
    }
    driven
}

fn drive_to_its_end(context: &Context, mut journey: Journey) -> Result<Exit, CommandFailure> {
    let stage = journey.stage.take();
    let run = journey.held.run().clone();
    let exit = journey.exit;
    let display = context.display();
    display.recall(&journey.records);
    let (controls, obeyed) = unbounded_channel();
    let by = context.person();
    for Settlement { step, done } in &journey.settle {
        let control = Control::SettleDoubt { step: step.clone(), done: *done, by: by.clone() };
        controls.send(control).expect("the receiver is a few lines above");
    }
    let (kube_context, folder) = (journey.frozen.context.clone(), journey.folder.clone());
    let plan = Arc::clone(&journey.plan);
    let (mut opening, held, ask) = opening(context, journey, &display, obeyed)?;
    let is_simulated = stage.is_some();
    if let Some(stage) = &stage {
        opening.journal = Arc::new(Timeless(opening.journal));
        opening.reporter = Arc::new(Answering::new(opening.reporter, controls.clone(), stage));
    }
    let (ports, gate) = (context.ports.clone(), context.gate.clone());
    let outside = Surroundings {
        ports,
        gate,
        plan,
        folder,
        display: Arc::clone(&display),
        standstill: stage.as_ref().map(|stage| Arc::clone(&stage.standstill)),
    };
    let work = carry(opening, ask, Arc::clone(&held), controls.clone(), outside);
    let supervised = match stage {
        Some(stage) => supervise_on(stage.runtime, &context.ports.clock, &controls, work),
        None => supervise(&context.ports.clock, &controls, work),
    };
    let supervised = supervised.map_err(|error| CommandFailure::new(Exit::Internal, "the run could not be driven").because(&error))?;
    let released = let_go(held, supervised.all_over);
    match supervised.end {
        End::Came(Err(failure)) => {
            display.leave();
            Err(*failure)
        }
        End::Came(Ok(Carried { ended: Err(error), .. })) if display.story().run.is_none() => {
            display.leave();
            Err(CommandFailure::new(Exit::Refused, "the run could not begin, and nothing was done").because(&error))
        }
        End::Came(Ok(Carried { ended, kept })) => {
            if supervised.all_over {
                display.event(&Event::Released { run: run.clone(), at: context.ports.clock.now() });
            }
            let outcome = ended.as_ref().ok().map(|ended| ended.outcome);
            let exit = tell(&*display, &run, ended, released, exit);
            if let (Some(outcome), true) = (outcome, supervised.all_over && !is_simulated) {
                // Only now is nothing left that could still write, and nobody waits to hear how the run stands.
                lock::rest(&context.ports, kube_context.as_deref(), kept, outcome);
            }
            Ok(exit)
        }
        End::BrokeDown => {
            display.leave();
            let failure = CommandFailure::new(Exit::Internal, "bowline broke down; this is a bug");
            let hint = format!("`bowline resume {run}` goes on, `bowline rollback {run}` takes back what was done");
            Err(if is_simulated { failure } else { failure.hint(hint) })
        }
        End::Left if display.story().run.is_none() => {
            display.leave();
            Err(stopped())
        }
        End::Left => {
            display.leave();
            let then = if display.story().goes_back() { "goes on taking back" } else { "goes on" };
            let text = match is_simulated {
                true => "left before everything had ended".to_owned(),
                false => format!("left before everything had ended; `bowline resume {run}` looks up what was under way, and {then}"),
            };
            print::notices(&[context.called.complete(&text)], context.streams);
            Ok(Exit::Halted)
        }
    }
}

fn opening(
    context: &Context,
    journey: Journey,
    display: &Arc<dyn Display>,
    controls: tokio::sync::mpsc::UnboundedReceiver<Control>,
) -> Result<(Opening, Arc<Held>, Option<Ask>), CommandFailure> {
    let Journey { held, ask, records, first, plan, frozen, .. } = journey;
    let run = held.run().clone();
    let scope = Arc::new(kept::scope(&run, &plan, &frozen));
    let contents = frozen.contents()?.into_iter().map(|(path, bytes)| (path, Arc::from(bytes))).collect();
    let folder = kept::folder(&frozen).to_owned();
    let values = open::values(&plan, &Value::Object(frozen.inputs), &scope);
    let permit: Arc<dyn Permit> = match &ask {
        Some(_) => Arc::new(Gated(context.gate.clone())),
        None => Arc::new(Unlimited),
    };
    let opening = Opening {
        permit,
        program: Arc::new(Planned::new(Arc::clone(&plan), values)),
        registry: context.registry.clone(),
        clock: Arc::clone(&context.ports.clock),
        random: Arc::clone(&context.ports.random),
        secrets: secrets::of_plan(context, &plan.secrets, folder, &scope),
        redactor: Redactor::default(),
        scope,
        frozen: action::Frozen(Arc::new(contents)),
        journal: held.journal(),
        epoch: held.epoch(),
        records,
        first,
        reporter: Arc::clone(display) as Arc<dyn crate::event::Reporter>,
        controls,
    };
    Ok((opening, Arc::new(held), ask))
}

/// What a run is carried in.
struct Surroundings {
    ports: Ports,
    gate: Gate,
    plan: Arc<Plan>,
    folder: StateFolder,
    display: Arc<dyn Display>,
    /// Who looks after a simulated run, of which no other shell can ask anything; none of a real one.
    standstill: Option<Arc<Standstill>>,
}

/// How the engine ended, and the Lease if the run still needs it.
struct Carried {
    ended: Result<Ended, EngineError>,
    kept: Option<Kept>,
}

/// Takes the Lease, runs the engine and hears what other shells ask. Fails when nothing was begun.
async fn carry(
    mut opening: Opening,
    ask: Option<Ask>,
    held: Arc<Held>,
    controls: UnboundedSender<Control>,
    outside: Surroundings,
) -> Result<Carried, Box<CommandFailure>> {
    let Surroundings { ports, gate, plan, folder, display, standstill } = outside;
    let kept = match ask {
        Some(ask) => {
            let taking = lock::take(ask, &ports, &gate, &folder);
            Some(unless_stopped(taking, Kept::free, &mut opening.controls, &controls, &*ports.clock).await?)
        }
        None => None,
    };
    if !opening.records.is_empty() {
        // What the last process left at work would go on beside us, and write after it was taken back.
        let orphans = ports.processes.end_orphans(held.run()).await;
        for (step, text) in orphans::told(&orphans) {
            display.event(&Event::Notice { step, text });
        }
        if orphans.iter().any(|orphan| !orphan.ended) {
            return Err(Box::new(orphans::still_run(&orphans)));
        }
    }
    opening.redactor = secrets::known(&plan, &*opening.secrets, &*ports.clock).await;
    let hearing = match standstill {
        Some(standstill) => tokio::spawn(async move { standstill.watch(controls).await }),
        None => {
            hear_what_waits(&held, &controls);
            tokio::spawn(hear(Arc::clone(&held), controls, Arc::clone(&display)))
        }
    };
    let ended = drive_engine(opening).await;
    hearing.abort();
    let _stopped = hearing.await;
    if let (Err(_), Ok(records)) = (&ended, held.records()) {
        // A journal that breaks also keeps durable records from being shown, and the summary must know what ran.
        display.recall(&records);
    }
    let is_over = match &ended {
        Ok(ended) => !matches!(ended.outcome, Outcome::Stuck | Outcome::Halted),
        // It never became a run: nobody could resume it.
        Err(_) => display.story().run.is_none(),
    };
    match kept {
        Some(kept) if is_over => {
            if let Err(failure) = kept.free().await {
                let CommandFailure { message, causes, hint, .. } = failure;
                let text = [&[message], &causes[..], hint.as_slice()].concat().join(": ");
                display.event(&Event::Warning { step: None, text });
            }
            Ok(Carried { ended, kept: None })
        }
        kept => Ok(Carried { ended, kept }),
    }
}

/// Lets go of the run when nothing is left that could still do something: the next process may begin at once. Else the lock falls with this
/// process, which takes along whatever it is.
fn let_go(held: Arc<Held>, all_over: bool) -> Result<(), JournalError> {
    if !all_over {
        std::mem::forget(held);
        return Ok(());
    }
    Arc::into_inner(held).map_or(Ok(()), Held::release)
}

/// What was asked of a process that is gone and never heard it counts before anything is begun.
fn hear_what_waits(held: &Held, controls: &UnboundedSender<Control>) {
    // Whoever hears the rest tells when it cannot be read.
    while let Some(Ok(request)) = held.next_request().now_or_never() {
        let _listening = controls.send(control(request));
    }
}

async fn hear(held: Arc<Held>, controls: UnboundedSender<Control>, display: Arc<dyn Display>) {
    loop {
        let control = match held.next_request().await {
            Ok(request) => control(request),
            Err(error) => {
                let text = format!("what other shells ask is no longer heard: {error}");
                return display.event(&Event::Warning { step: None, text });
            }
        };
        if controls.send(control).is_err() {
            return;
        }
    }
}

fn control(request: Request) -> Control {
    match request {
        Request::Approve { step, by, comment } => Control::Answer { step, approved: true, by, comment },
        Request::Reject { step, by, comment } => Control::Answer { step, approved: false, by, comment },
        Request::Cancel { level, by } => Control::Cancel { level, by },
    }
}

/// Tells how it ended.
fn tell(
    display: &dyn Display,
    run: &RunId,
    ended: Result<Ended, EngineError>,
    released: Result<(), JournalError>,
    exit: fn(Outcome) -> Exit,
) -> Exit {
    let warn = |text: String| display.event(&Event::Warning { step: None, text });
    let mut ahead = None;
    let exit = match (ended, released) {
        (Ok(ended), released) => {
            released.unwrap_or_else(|error| warn(chain(&error)));
            ahead = Some(ended.back.map_or(Ahead::On, |steps| Ahead::Back(steps.into_iter().collect())));
            exit(ended.outcome)
        }
        // That a broken journal cannot be closed either goes without saying.
        (Err(error), _) => {
            let exit = if matches!(error, EngineError::Illegal(_)) { Exit::Internal } else { Exit::Halted };
            warn(chain(&error));
            if let EngineError::Journal { begun, in_doubt, .. } = error {
                if !begun.is_empty() {
                    warn(format!("these steps were begun: {}", begun.join(", ")));
                }
                warn(format!("make room, then `bowline resume {run}` goes on, or `bowline rollback {run}` takes back what was done"));
                in_doubt.into_iter().for_each(|effect| warn(format!("may have happened, and is not in the journal: {effect}")));
            }
            exit
        }
    };
    display.close(&Summary::of(&display.story().ahead(ahead)), exit.code());
    exit
}

fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
