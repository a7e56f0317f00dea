//! What a run was opened with, as its journal keeps it: the plan, its inputs and files. It takes no run in hand.

use super::context::Context;
use super::exit::Exit;
use super::failure::CommandFailure;
use super::{open, secrets};
use crate::action::{self, Redactor, RunScope};
use crate::engine::{Core, Planned, Previewing};
use crate::ids::RunId;
use crate::journal::{Frozen, JournalError, StateFolder};
use crate::plan::{Plan, Source};
use crate::record::{Record, What};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// What a run was opened with.
///
/// # Errors
/// When it cannot be read.
pub fn frozen(folder: &StateFolder, run: &RunId, records: &[Record]) -> Result<Frozen, CommandFailure> {
    let blob = records.iter().find_map(|record| match &record.what {
        What::RunOpened { frozen, .. } => Some(frozen),
        _ => None,
    });
    let blob = blob.ok_or_else(|| JournalError::Damaged("the run's first record does not open it".to_owned()))?;
    Ok(Frozen::read(&folder.reader(run)?.open(blob)?)?)
}

/// Where a run stands.
///
/// # Errors
/// When its records cannot have happened.
pub fn core(run: &RunId, records: &[Record]) -> Result<Core, CommandFailure> {
    Core::replay(records).map_err(|illegal| CommandFailure::usage(format!("the journal of run {run} makes no sense")).because(&illegal))
}

/// A run's plan with all its steps.
///
/// # Errors
/// When this bowline reads it otherwise than the one that opened the run.
pub fn plan(context: &Context, run: &RunId, frozen: &Frozen) -> Result<Arc<Plan>, CommandFailure> {
    let plan = open::begun(context, &frozen.plan_file, &frozen.plan_text).map_err(|failure| {
        let hint = format!(
            "this bowline reads the plan of run {run} otherwise than the one that opened it: take that one, or `bowline abandon {run}`"
        );
        CommandFailure { exit: Exit::Refused, ..failure }.hint(hint)
    })?;
    Ok(Arc::new(open::spread(plan, &frozen.plan_file, &frozen.inputs.clone().into())?))
}

/// Whose run it is, and where it works.
pub fn scope(run: &RunId, plan: &Plan, frozen: &Frozen) -> RunScope {
    RunScope {
        run: run.clone(),
        plan: plan.name.clone(),
        environment: frozen.environment.clone(),
        namespace: frozen.namespace.clone(),
        context: frozen.context.clone(),
    }
}

/// The folder from which the plan names files and programs.
pub fn folder(frozen: &Frozen) -> &Path {
    Path::new(&frozen.plan_file).parent().unwrap_or(Path::new("/"))
}

/// The run as the engine looks at it before it is taken in hand.
pub fn looking(context: &Context, run: &RunId, plan: &Arc<Plan>, frozen: &Frozen) -> Previewing {
    let scope = scope(run, plan, frozen);
    let values = open::values(plan, &Value::Object(frozen.inputs.clone()), &scope);
    Previewing {
        redactor: Redactor::default(),
        program: Planned::new(Arc::clone(plan), values),
        registry: context.actions_for_looking(),
        frozen: action::Frozen::default(),
        secrets: secrets::of_plan(context, &plan.secrets, folder(frozen).to_owned(), &scope),
        scope: Arc::new(scope),
        plan: Arc::clone(plan),
    }
}

/// The plan's file, or the first of those that it reads, that somebody has edited since. What is gone was not edited, nor was what is no
/// file: a pipe would be waited for.
pub async fn edited(context: &Context, frozen: &Frozen) -> Option<String> {
    let read = async |path: &Path| match context.ports.files.size(path).await {
        Some(_) => context.ports.files.read(path).await.ok(),
        None => None,
    };
    let name = Path::new(&frozen.plan_file).file_name()?.to_string_lossy().into_owned();
    let is_as_it_was = |bytes| Source::from_bytes(name.clone(), bytes).is_ok_and(|source| source.text == frozen.plan_text);
    if read(Path::new(&frozen.plan_file)).await.is_some_and(|bytes| !is_as_it_was(bytes)) {
        return Some(name);
    }
    // What programs printed is no file.
    for (path, then) in frozen.contents().ok()?.into_iter().filter(|(path, _)| !path.starts_with("$ ")) {
        if read(&folder(frozen).join(&path)).await.is_some_and(|now| now != then) {
            return Some(path);
        }
    }
    None
}
