//! `approve` and `reject`: tell the process that holds a run what a person says. Only that process writes records.

use super::arguments::Answer;
use super::context::Context;
use super::exit::Exit;
use super::failure::CommandFailure;
use super::pick;
use crate::ids::{RunId, StepId};
use crate::journal::{Request, RequestId, StateFolder};
use crate::report::story::{Status, Story};
use serde_json::json;
use std::time::Duration;

/// Time for the holder to make an answer durable.
const HEARD_WITHIN: Duration = Duration::from_secs(5);
/// How often it is looked whether it did.
const LOOK: Duration = Duration::from_millis(100);

/// Answers.
///
/// # Errors
/// When nobody asks, or nobody hears the answer.
pub async fn answer(context: &Context, arguments: &Answer, approved: bool) -> Result<Exit, CommandFailure> {
    let folder = context.state()?;
    let (run, step) = question(&folder, &arguments.words)?;
    let (step_told, by, comment) = (step.clone(), context.person(), arguments.comment.clone());
    let request = match approved {
        true => Request::Approve { step, by, comment },
        false => Request::Reject { step, by, comment },
    };
    let put = folder.request(&run, &request)?;
    let heard = wait(context, &folder, put).await?;
    let verb = if approved { "approved" } else { "rejected" };
    let told = match heard {
        true => format!("{verb} {step_told} of run {run}"),
        false => format!("asked run {run} to take {step_told} as {verb}; its process has not answered yet: `bowline show {run}`"),
    };
    context.tell(&told, &json!({ "run": run, "step": step_told, "approved": approved, "heard": heard }));
    Ok(Exit::Succeeded)
}

/// Waits until the holder has answered a request; false when it takes longer than it should.
///
/// # Errors
/// When the state folder cannot be read.
pub async fn wait(context: &Context, folder: &StateFolder, request: RequestId) -> Result<bool, CommandFailure> {
    let mut over = context.ports.clock.sleep(HEARD_WITHIN);
    loop {
        if folder.is_taken(request)? {
            return Ok(true);
        }
        tokio::select! {
            () = &mut over => return Ok(folder.is_taken(request)?),
            () = context.ports.clock.sleep(LOOK) => {}
        }
    }
}

/// Which step of which run is meant.
fn question(folder: &StateFolder, words: &[String]) -> Result<(RunId, StepId), CommandFailure> {
    let (run, step) = match words {
        [run, step] => (Some(run.as_str()), Some(step.as_str())),
        [step] => (None, Some(step.as_str())),
        _ => (None, None),
    };
    let run = pick::run(folder, run)?;
    let step = choose(&Story::of(&folder.records(&run)?), &run, step)?;
    Ok((run, step))
}

fn choose(story: &Story, run: &RunId, given: Option<&str>) -> Result<StepId, CommandFailure> {
    let asking: Vec<&StepId> = story.steps.values().filter(|step| matches!(step.status, Status::Asking(_))).map(|step| &step.id).collect();
    let names = || asking.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", ");
    match (given, asking.as_slice()) {
        (Some(given), _) => match asking.iter().find(|id| id.as_str() == given) {
            Some(id) => Ok((*id).clone()),
            None if asking.is_empty() => Err(CommandFailure::usage(format!("no step of run {run} asks anything now"))),
            None => Err(CommandFailure::usage(format!("`{given}` of run {run} asks nothing now")).hint(format!("these ask: {}", names()))),
        },
        (None, [one]) => Ok((*one).clone()),
        (None, []) => Err(CommandFailure::usage(format!("no step of run {run} asks anything now"))),
        (None, _) => Err(CommandFailure::usage(format!("several steps of run {run} ask: {}", names())).hint("name one of them")),
    }
}

#[cfg(test)]
mod tests {
    use super::choose;
    use crate::ids::RunId;
    use crate::record::{Record, What};
    use crate::report::samples;
    use crate::report::story::Story;

    #[test]
    fn only_a_step_that_asks_can_be_answered() {
        let run = RunId::new("20261121-120300-7f3a").unwrap();
        let records = samples::rejected();
        let asked = records.iter().position(|record: &Record| matches!(record.what, What::ApprovalAsked { .. })).unwrap();
        let asking = Story::of(&records[..=asked]);
        let told = |story: &Story, given| choose(story, &run, given).map(|id| id.to_string()).map_err(|failure| failure.lines().join("\n"));
        assert_eq!(told(&asking, None), Ok("colours".to_owned()));
        assert_eq!(told(&asking, Some("colours")), Ok("colours".to_owned()));
        insta::assert_snapshot!(told(&asking, Some("deploy")).unwrap_err(), @"
        error: `deploy` of run 20261121-120300-7f3a asks nothing now
          next: these ask: colours
        ");
        insta::assert_snapshot!(told(&Story::of(&records), None).unwrap_err(), @"error: no step of run 20261121-120300-7f3a asks anything now");
    }
}
