//! `cancel`: asks the process that holds a run to stop it.

use super::answer::wait;
use super::arguments::Cancel;
use super::context::Context;
use super::exit::Exit;
use super::failure::CommandFailure;
use super::pick::{self, Found};
use super::standing;
use crate::journal::{Request, RunState};
use crate::record::CancelLevel;
use serde_json::json;

/// Stops a run that is under way in another process.
///
/// # Errors
/// When nobody holds it.
pub async fn cancel(context: &Context, arguments: &Cancel) -> Result<Exit, CommandFailure> {
    let Found { folder, run } = pick::run(context, arguments.run.run.as_deref())?;
    let row = folder.run(&run)?;
    if row.state != RunState::Live {
        return Err(standing::refused(context, &row, &folder.records(&run)?));
    }
    let level = if arguments.halt { CancelLevel::Halt } else { CancelLevel::RollBack };
    let put = folder.request(&run, &Request::Cancel { level, by: context.person() })?;
    let does = if arguments.halt { "halts" } else { "rolls back" };
    let heard = wait(context, &folder, put).await?;
    let told = match heard {
        true => format!("run {run} {does}; `bowline show {run}` tells how it stands"),
        false => format!("asked run {run} to stop; its process has not answered yet: `bowline show {run}`"),
    };
    context.tell(&told, &json!({ "run": run, "level": level, "heard": heard }));
    Ok(Exit::Succeeded)
}
