//! `cancel`: asks the process that holds a run to stop it.

use super::answer::Put;
use super::arguments::Cancel;
use super::context::Context;
use super::exit::Exit;
use super::failure::CommandFailure;
use super::pick::{self, Found};
use super::standing;
use crate::journal::{Request, RunState};
use crate::record::{CancelLevel, What};
use serde_json::json;

/// Stops a run that is under way in another process.
///
/// # Errors
/// When nobody holds it.
pub async fn cancel(context: &Context, arguments: &Cancel) -> Result<Exit, CommandFailure> {
    let Found { folder, run } = pick::run(context, arguments.run.run.as_deref())?;
    let row = folder.run(&run)?;
    let records = folder.records(&run)?;
    if row.state != RunState::Live {
        return Err(standing::refused(context, &row, &records));
    }
    let level = if arguments.halt { CancelLevel::Halt } else { CancelLevel::RollBack };
    let request = folder.request(&run, &Request::Cancel { level, by: context.person() })?;
    let does = if arguments.halt { "halts" } else { "rolls back" };
    let is_ours = |what: &What| matches!(what, What::CancelRequested { level: of, .. } if *of == level).then_some(());
    let heard = Put { request, run: &run, known: records.len() }.heard(context, &folder, is_ours).await?.is_some();
    let told = match heard {
        true => format!("run {run} {does}; `bowline show {run}` tells how it stands"),
        false => {
            let then = if arguments.halt { "the run rests where it is" } else { "the run goes back as soon as somebody resumes it" };
            format!(
                "asked run {run} to stop; its process has not answered yet, and should it end before it does, {then}: `bowline show {run}`"
            )
        }
    };
    context.tell(&told, &json!({ "run": run, "level": level, "heard": heard }));
    Ok(Exit::Succeeded)
}
