//! The driver: asks the core what to do, does it, and records what became of it. It decides nothing.

use super::EngineError;
use super::clash::Writers;
use super::control::Control;
use super::core::{Core, Illegal};
use super::hand::{Hand, Message};
use super::ledger::Ledger;
use super::permit::Permit;
use super::program::{Outputs, Program};
use super::secrets::Secrets;
use super::sink::EventSink;
use crate::action::{Frozen, ReadCx, Redactor, Registry, RunScope, Sink, Superseded};
use crate::event::{Event, Reporter};
use crate::ids::{Moment, StepId};
use crate::journal::RunJournal;
use crate::ports::{Clock, Random};
use crate::record::{Outcome, Record, What};
use futures::future::BoxFuture;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Everything that driving a run takes.
pub struct Opening {
    /// The plan.
    pub program: Arc<dyn Program>,
    /// The actions.
    pub registry: Registry,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance, for jitter.
    pub random: Arc<dyn Random>,
    /// Whose run it is.
    pub scope: Arc<RunScope>,
    /// The files that were frozen with it.
    pub frozen: Frozen,
    /// Where secrets come from.
    pub secrets: Arc<dyn Secrets>,
    /// Those that are known before anything is done: who was never given one may tell it all the same. It learns the others when they are
    /// asked for.
    pub redactor: Redactor,
    /// The run's journal.
    pub journal: Arc<dyn RunJournal>,
    /// The epoch under which this process holds the run.
    pub epoch: u64,
    /// Whether it may still do anything.
    pub permit: Arc<dyn Permit>,
    /// The run so far; empty for a new one.
    pub records: Vec<Record>,
    /// What opens the run, or this process's hold on it.
    pub first: What,
    /// Who is told.
    pub reporter: Arc<dyn Reporter>,
    /// What people want meanwhile.
    pub controls: mpsc::UnboundedReceiver<Control>,
}

/// How the driver left the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Closed with this outcome, or resting with it.
    pub outcome: Outcome,
    /// Why it rests.
    pub reason: Option<String>,
    /// Where it rests: the steps that go back when somebody resumes it, whatever they have done; none when it goes on.
    pub back: Option<Vec<StepId>>,
}

/// Time that effects in flight have to end when the run is stopped where it is. What still runs then stays in doubt.
const HALT_WITHIN: Duration = Duration::from_secs(5);

/// Drives a run until it is closed or rests.
///
/// # Errors
/// When the journal cannot be written or makes no sense. The run is open then, and can be resumed or rolled back.
pub async fn drive(opening: Opening) -> Result<Ended, EngineError> {
    let (messages, mut inbox) = mpsc::unbounded_channel();
    let core = match (&opening.first, opening.records.is_empty()) {
        (What::RunOpened { graph, .. }, true) => Core::new(Arc::clone(graph)).map_err(Illegal::from)?,
        _ => Core::replay(&opening.records)?,
    };
    let writers = Writers::of(&core);
    let redactor = opening.redactor.clone();
    let (journal, clock, reporter) = (Arc::clone(&opening.journal), Arc::clone(&opening.clock), Arc::clone(&opening.reporter));
    let ledger = Ledger::new(core, opening.epoch, journal, clock, reporter, redactor.clone());
    let secrets = Arc::clone(&opening.secrets);
    let outbox = ledger.outbox().map(|outbox| (outbox, Arc::clone(&opening.clock)));
    let sink = Arc::new(EventSink::new(outbox, redactor, secrets));
    let Opening { program, registry, random, scope, frozen, first, controls, permit, .. } = opening;
    let evidence = CancellationToken::new();
    let outputs = Outputs::new();
    let hand = Hand::default();
    let mut driver = Driver {
        ledger,
        program,
        registry,
        random,
        scope,
        frozen,
        sink,
        messages,
        hand,
        outputs,
        answers: HashMap::new(),
        writers,
        told: HashSet::new(),
        evidence,
        permit,
    };
    let result = driver.run(first, &mut inbox, controls).await;
    driver.finish(result, inbox).await
}

pub(super) struct Driver {
    pub(super) ledger: Ledger,
    pub(super) program: Arc<dyn Program>,
    pub(super) registry: Registry,
    pub(super) random: Arc<dyn Random>,
    pub(super) scope: Arc<RunScope>,
    pub(super) frozen: Frozen,
    pub(super) sink: Arc<EventSink>,
    pub(super) messages: mpsc::UnboundedSender<Message>,
    pub(super) hand: Hand,
    pub(super) outputs: Outputs,
    /// What people said of steps in doubt, until the doubt is there.
    pub(super) answers: HashMap<StepId, (bool, String)>,
    /// Who wrote what.
    pub(super) writers: Writers,
    /// What was told of others who change what steps wrote.
    pub(super) told: HashSet<Superseded>,
    /// Fires when nothing waits for the evidence of the failure any more.
    pub(super) evidence: CancellationToken,
    pub(super) permit: Arc<dyn Permit>,
}

impl Driver {
    async fn run(
        &mut self,
        first: What,
        inbox: &mut mpsc::UnboundedReceiver<Message>,
        mut controls: mpsc::UnboundedReceiver<Control>,
    ) -> Result<(), EngineError> {
        self.recall_outputs()?;
        self.ledger.record(first)?;
        self.watch_all()?;
        // What was said before anything began counts before anything is decided.
        while let Ok(control) = controls.try_recv() {
            self.obey(control)?;
        }
        let mut listening = true;
        let mut lapsed = self.permit.lapsed();
        loop {
            let wake = match self.carry_out_all()? {
                Next::Wait(wake) => wake,
                Next::Halt(reason) => return self.halt(reason, inbox).await,
                Next::Over => return Ok(()),
            };
            let clock = Arc::clone(&self.ledger.clock);
            let sleep = wake.map(|at| clock.sleep(at.since(clock.now()).max(Duration::from_millis(1))));
            tokio::select! {
                biased;
                why = &mut lapsed => return self.halt(why, inbox).await,
                control = controls.recv(), if listening => match control {
                    Some(control) => self.obey(control)?,
                    None => listening = false,
                },
                Some(message) = inbox.recv() => {
                    self.take(message)?;
                    // What came meanwhile belongs to the same decision: it costs one look at the core, not many.
                    while let Ok(message) = inbox.try_recv() {
                        self.take(message)?;
                    }
                }
                () = maybe(sleep) => {}
            }
        }
    }

    /// Opens what the steps that are done have left for later ones.
    fn recall_outputs(&mut self) -> Result<(), EngineError> {
        let outputs: Vec<_> = self.ledger.core.steps().filter_map(|(id, step)| Some((id.clone(), *step.output.as_deref()?))).collect();
        for (id, blob) in outputs {
            let output = self.ledger.open(&blob)?;
            self.outputs.insert(id, output);
        }
        Ok(())
    }

    fn obey(&mut self, control: Control) -> Result<(), EngineError> {
        match control {
            Control::Cancel { level, by } => self.ledger.record(What::CancelRequested { level, by }),
            Control::Answer { step, approved, by, comment } => {
                let asking = self.ledger.core.step(&step).is_some_and(|state| state.status == super::core::Status::Asking);
                match asking && self.ledger.core.rollback().is_none() {
                    true => self.ledger.record(What::ApprovalAnswered { step, approved, by, comment }),
                    false => self.warn(Some(step), format!("{by} answered a question that is not asked now")),
                }
            }
            Control::SettleDoubt { step, done, by } => {
                self.answers.insert(step, (done, by));
                Ok(())
            }
        }
    }

    pub(super) fn warn(&self, step: Option<StepId>, text: String) -> Result<(), EngineError> {
        let text = self.ledger.redactor.clean(&text);
        self.sink.tell(|_| Event::Warning { step, text });
        Ok(())
    }

    /// Stops everything where it is. Effects in flight have a moment to end; what they tell is recorded.
    async fn halt(&mut self, reason: String, inbox: &mut mpsc::UnboundedReceiver<Message>) -> Result<(), EngineError> {
        self.hand.stop_all();
        let mut over = self.ledger.clock.sleep(HALT_WITHIN);
        while !self.hand.is_empty() {
            tokio::select! {
                biased;
                Some(message) = inbox.recv() => self.take_halting(message)?,
                () = &mut over => break,
            }
        }
        self.ledger.record(What::RunHalted { outcome: Outcome::Halted, reason })
    }

    /// Makes the end durable and told. With a broken journal, waits for what is in flight and tells what may have happened.
    async fn finish(mut self, result: Result<(), EngineError>, mut inbox: mpsc::UnboundedReceiver<Message>) -> Result<Ended, EngineError> {
        let Err(error) = result else {
            let core = &self.ledger.core;
            let outcome = core.closed().or(core.halted().map(|(outcome, _)| outcome)).unwrap_or(Outcome::Halted);
            let reason = core.halted().map(|(_, reason)| reason.to_owned());
            let back = core.back_when_resumed().map(|steps| steps.into_iter().cloned().collect());
            let (begun, in_doubt) = (self.begun_steps(), self.open_effects());
            self.ledger.close().await.map_err(|error| telling(error, begun, in_doubt))?;
            return Ok(Ended { outcome, reason, back });
        };
        self.hand.stop_all();
        let mut over = self.ledger.clock.sleep(HALT_WITHIN);
        while !self.hand.is_empty() {
            tokio::select! {
                biased;
                Some(message) = inbox.recv() => self.hand.forget(message),
                () = &mut over => break,
            }
        }
        Err(telling(error, self.begun_steps(), self.open_effects()))
    }

    fn begun_steps(&self) -> Vec<String> {
        self.ledger.core.steps().filter(|(_, step)| step.attempt > 0).map(|(id, _)| id.to_string()).collect()
    }

    fn open_effects(&self) -> Vec<String> {
        let steps = self.ledger.core.steps();
        steps.flat_map(|(id, step)| step.open_effects().map(move |(key, _)| format!("{id}: {}", key.0))).collect()
    }

    /// What an action may use to look at the outside.
    pub(super) fn read_cx(&self, step: &StepId, cancel: CancellationToken) -> ReadCx {
        let sink: Arc<dyn Sink> = self.sink.clone();
        ReadCx { step: step.clone(), scope: Arc::clone(&self.scope), frozen: self.frozen.clone(), cancel, sink }
    }
}

/// What a person must know when the journal ended before the run did.
fn telling(error: EngineError, begun: Vec<String>, in_doubt: Vec<String>) -> EngineError {
    match error {
        EngineError::Journal { source, .. } => EngineError::Journal { source, begun, in_doubt },
        other => other,
    }
}

/// What follows a look at the core.
pub(super) enum Next {
    /// Nothing until then, or until something happens.
    Wait(Option<Moment>),
    /// Stop where it is.
    Halt(String),
    /// Closed, or resting.
    Over,
}

async fn maybe(sleep: Option<BoxFuture<'static, ()>>) {
    match sleep {
        Some(sleep) => sleep.await,
        None => std::future::pending().await,
    }
}
