//! `run`: opens a run of a plan and drives it to its end.

use super::arguments::{PlanChoice, Run};
use super::confirm::confirm;
use super::context::Context;
use super::drive::{Journey, drive};
use super::exit::Exit;
use super::failure::CommandFailure;
use super::lock::{self, Ask};
use super::preview::previewing;
use super::reach::reach;
use super::{again, disclosed, open, secrets, standing};
use crate::engine::{Ahead, missing_rights};
use crate::ids::RunId;
use crate::journal::{Frozen, FrozenFile, FrozenLock, Identity};
use crate::plan::{Bound, Plan};
use crate::record::{Graph, Reversibility, What};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Everything that is settled before a run opens.
pub(super) struct Draft {
    pub(super) opened: open::OpenedPlan,
    pub(super) bound: Bound,
    pub(super) files: BTreeMap<String, Vec<u8>>,
    pub(super) graph: Graph,
    /// Some step reaches a cluster.
    pub(super) reaches: bool,
}

impl Draft {
    /// Whose runs keep each other out.
    pub(super) fn identity(&self) -> Identity {
        Identity { plan: self.opened.plan.name.clone(), environment: self.bound.environment.clone() }
    }

    /// Runs the programs whose output its steps read as manifests.
    ///
    /// # Errors
    /// When one fails.
    pub(super) async fn print(&mut self, context: &Context) -> Result<(), CommandFailure> {
        self.files.extend(self.opened.printed(context, &self.bound).await?);
        Ok(())
    }
}

/// Runs a plan.
///
/// # Errors
/// When it cannot begin.
pub fn run(context: &Context, runtime: &tokio::runtime::Runtime, arguments: &Run) -> Result<Exit, CommandFailure> {
    let mut draft = runtime.block_on(draft(context, &arguments.choice, arguments.jobs))?;
    draft.graph.halts_on_failure = arguments.no_rollback;
    open::mention_warnings(context, &draft.opened.plan, &arguments.choice.plan);
    if let Some(exit) = again::told(context, arguments.run_id.as_ref(), &draft)? {
        return Ok(exit);
    }
    let disclosed = runtime.block_on(check_secrets(context, &draft))?;
    disclosed::warn(context, &disclosed);
    runtime.block_on(draft.print(context))?;
    if let Some(fact) = pivot(&draft.opened.plan, &draft.graph) {
        confirm(context, arguments.yes, &fact, "Run it?")?;
    }
    runtime.block_on(check_rights(context, &draft))?;
    let folder = context.new_state()?;
    let held = folder.open_run_as(&draft.identity(), arguments.run_id.clone());
    let held = held.map_err(|refused| standing::in_the_way(context, &folder, refused))?;
    let place = lock::place(&draft.opened.plan, &draft.bound, draft.reaches, arguments.lock);
    let frozen = Frozen { disclosing: disclosed.into_keys().collect(), ..frozen(&draft, place.clone()) };
    let ask = place.map(|place| Ask::new(&folder, &held, place, frozen.context.clone(), None)).transpose()?;
    let first = What::RunOpened {
        run: held.run().clone(),
        plan: draft.opened.plan.name.clone(),
        environment: draft.bound.environment.clone(),
        graph: Arc::new(draft.graph),
        frozen: frozen.seal(&*held.journal())?,
        simulated: false,
    };
    let plan = draft.opened.plan;
    drive(
        context,
        Journey { held, folder, ask, records: Vec::new(), first, plan, frozen, settle: Vec::new(), exit: Exit::of_run, stage: None },
    )
}

/// A plan with everything that a run of it would read.
///
/// # Errors
/// When it cannot run.
pub(super) async fn draft(context: &Context, choice: &PlanChoice, jobs: Option<u32>) -> Result<Draft, CommandFailure> {
    let mut opened = open::plan(context, &choice.plan).await?;
    let mut bound = opened.bound(context, choice).await?;
    let reaches = reach(context, &opened.plan, &mut bound).await?;
    let files = opened.files(context, &bound).await?;
    let mut graph = opened.plan.summary();
    graph.concurrency = jobs.unwrap_or(graph.concurrency);
    Ok(Draft { opened, bound, files, graph, reaches })
}

/// Secrets that are missing are found before a program is run for what it prints, and so are inputs that hold one.
async fn check_secrets(context: &Context, draft: &Draft) -> Result<BTreeMap<String, String>, CommandFailure> {
    // No run has this id: no secret depends on it.
    let run = RunId::new("secrets").map_err(|error| CommandFailure::new(Exit::Internal, error.to_string()))?;
    let previewing = previewing(context, draft, run);
    secrets::check(context, &previewing, |_| Ahead::All).await?;
    Ok(disclosed::inputs(context, &previewing, &draft.bound.inputs).await)
}

/// Rights that are missing are found before anything is written: those that only the undo needs, too.
///
/// # Errors
/// When some are missing.
pub(super) async fn check_rights(context: &Context, draft: &Draft) -> Result<(), CommandFailure> {
    let run = RunId::new("rights").map_err(|error| CommandFailure::new(Exit::Internal, error.to_string()))?;
    let missing = missing_rights(&previewing(context, draft, run)).await;
    if missing.is_empty() {
        return Ok(());
    }
    let mut failure = CommandFailure::new(Exit::Refused, "rights are missing on the cluster, so nothing was begun");
    failure.causes = missing.iter().map(|(step, right)| format!("{step} {right}")).collect();
    Err(failure.hint("ask whoever runs the cluster for them; the run must be able to go back as well"))
}

pub(super) fn frozen(draft: &Draft, lock: Option<FrozenLock>) -> Frozen {
    Frozen {
        v: Frozen::VERSION,
        plan_file: draft.opened.file.display().to_string(),
        plan_text: draft.opened.source.text.clone(),
        inputs: draft.bound.inputs.as_object().cloned().unwrap_or_default(),
        environment: draft.bound.environment.clone(),
        namespace: draft.bound.namespace.clone(),
        context: draft.bound.context.clone(),
        files: draft.files.iter().map(|(path, content)| (path.clone(), FrozenFile::from(content.clone()))).collect(),
        folder: std::path::absolute(".").ok().map(|folder| folder.display().to_string()),
        lock,
        disclosing: Vec::new(),
        simulated: false,
    }
}

/// What a person ought to know before a plan begins that cannot be taken back as a whole.
fn pivot(plan: &Plan, graph: &Graph) -> Option<String> {
    let pivots: Vec<&str> =
        graph.steps.iter().filter(|step| step.reversibility == Reversibility::Irreversible).map(|step| step.id.as_str()).collect();
    let first = pivots.first()?;
    let rest = if pivots.len() > 1 { format!(" and {} more", pivots.len() - 1) } else { String::new() };
    Some(format!("{} cannot be taken back once {first}{rest} has run", plan.name))
}
