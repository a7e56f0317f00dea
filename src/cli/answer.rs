//! `approve` and `reject`: tell the process that holds a run what a person says. Only that process writes records.

use super::arguments::Answer;
use super::context::Context;
use super::exit::Exit;
use super::failure::CommandFailure;
use super::pick::{self, Found};
use super::standing;
use crate::ids::{RunId, StepId};
use crate::journal::{Request, RequestId, RunFilter, RunState, StateFolder};
use crate::record::What;
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
    let Question { found: Found { folder, run }, step, known } = question(context, &arguments.words, approved)?;
    let (id, by, comment) = (step.clone(), context.person(), arguments.comment.clone());
    let request = match approved {
        true => Request::Approve { step: id, by, comment },
        false => Request::Reject { step: id, by, comment },
    };
    let put = Put { request: folder.request(&run, &request)?, run: &run, known };
    let answered = |what: &What| match what {
        What::ApprovalAnswered { step: of, approved, by, .. } if *of == step => Some((*approved, by.clone())),
        _ => None,
    };
    let heard = put.heard(context, &folder, answered).await?;
    let verb = |approved| if approved { "approved" } else { "rejected" };
    let told = match &heard {
        Some((said, by)) if *said != approved => {
            let told = format!("{step} of run {run} was {} by {by} before you {} it", verb(*said), verb(approved));
            return Err(CommandFailure::new(Exit::Refused, told).hint(format!("`bowline show {run}` tells how it stands")));
        }
        Some(_) => format!("{} {step} of run {run}", verb(approved)),
        None => {
            // It may have been taken back, or its time been over, meanwhile.
            choose(&standing::story(&folder.run(&run)?, &folder.records(&run)?), &run, Some(step.as_str()))?;
            format!("asked run {run} to take {step} as {}; its process has not answered yet: `bowline show {run}`", verb(approved))
        }
    };
    context.tell(&told, &json!({ "run": run, "step": step, "approved": approved, "heard": heard.is_some() }));
    Ok(Exit::Succeeded)
}

/// A request that was put to the holder of a run.
pub struct Put<'a> {
    pub request: RequestId,
    pub run: &'a RunId,
    /// So many records had the run before.
    pub known: usize,
}

impl Put<'_> {
    /// Waits for the record that answers it; nothing when that takes longer than it should.
    ///
    /// # Errors
    /// When nobody works on the run any more and no record answers it: then it is withdrawn, and nobody does what was refused. When the
    /// state folder cannot be used.
    pub async fn heard<T>(
        &self,
        context: &Context,
        folder: &StateFolder,
        answer: impl Fn(&What) -> Option<T>,
    ) -> Result<Option<T>, CommandFailure> {
        let mut over = context.ports.clock.sleep(HEARD_WITHIN);
        loop {
            if let Some(answer) = self.answered(context, folder, &answer)? {
                return Ok(Some(answer));
            }
            tokio::select! {
                () = &mut over => break,
                () = context.ports.clock.sleep(LOOK) => {}
            }
        }
        let row = folder.run(self.run)?;
        if row.state != RunState::Live && folder.withdraw(self.request)? {
            return Err(standing::refused(context, &row, &folder.records(self.run)?));
        }
        // Somebody may have heard it at the last moment.
        self.answered(context, folder, &answer)
    }

    /// What answers it so far.
    fn answered<T>(
        &self,
        context: &Context,
        folder: &StateFolder,
        answer: &impl Fn(&What) -> Option<T>,
    ) -> Result<Option<T>, CommandFailure> {
        // That another record was stored since says that it was heard, not what became of it.
        if !folder.is_taken(self.request)? {
            return Ok(None);
        }
        // In this order: what the holder wrote before it left is seen.
        let row = folder.run(self.run)?;
        let records = folder.records(self.run)?;
        match records.iter().skip(self.known).find_map(|record| answer(&record.what)) {
            None if row.state != RunState::Live => Err(standing::refused(context, &row, &records)),
            found => Ok(found),
        }
    }
}

/// What is answered.
struct Question {
    found: Found,
    step: StepId,
    /// So many records has the run.
    known: usize,
}

/// Which step of which run is meant.
fn question(context: &Context, words: &[String], approved: bool) -> Result<Question, CommandFailure> {
    let (run, step) = match words {
        [run, step] => (Some(run.as_str()), Some(step.as_str())),
        [one] => (None, Some(one.as_str())),
        _ => (None, None),
    };
    if let Some(run) = run {
        // Others are looked at only for whoever named none, or a wrong one.
        let named = pick::run(context, Some(run)).or_else(|failure| Err(naming(failure, &asking(context)?, approved)))?;
        return chosen(context, named, step);
    }
    let asking = asking(context)?;
    let naming = |failure| naming(failure, &asking, approved);
    let found = match step {
        Some(one) => match only(&asking, Some(one)) {
            Some(found) => found,
            // A lone word may as well be a run's whole id; how one begins is too little to say yes with.
            None => match pick::run(context, Some(one)) {
                Ok(found) if found.run.as_str() == one => return chosen(context, found, None),
                _ => pick::run(context, None).map_err(naming)?,
            },
        },
        None => only(&asking, None).map_or_else(|| pick::run(context, None), Ok).map_err(naming)?,
    };
    chosen(context, found, step)
}

fn chosen(context: &Context, found: Found, step: Option<&str>) -> Result<Question, CommandFailure> {
    let (row, records) = (found.folder.run(&found.run)?, found.folder.records(&found.run)?);
    if row.state != RunState::Live {
        // Who is not there hears no answer.
        return Err(standing::refused(context, &row, &records));
    }
    let step = choose(&standing::story(&row, &records), &found.run, step)?;
    Ok(Question { found, step, known: records.len() })
}

/// A run that asks, and its steps that do.
struct Asking {
    found: Found,
    steps: Vec<StepId>,
}

/// Every run that asks something now, but for those that cannot be read: whoever answers one is not kept from it by another.
fn asking(context: &Context) -> Result<Vec<Asking>, CommandFailure> {
    let Some(folder) = context.shelves()?.real else { return Ok(Vec::new()) };
    let open = folder.runs(&RunFilter { unclosed: true, ..RunFilter::default() })?;
    let mut asking = Vec::new();
    for row in open.into_iter().filter(|row| row.state == RunState::Live) {
        let Ok(records) = folder.records(&row.run) else { continue };
        let story = Story::of(&records);
        let steps: Vec<StepId> = asking_steps(&story).into_iter().cloned().collect();
        if !steps.is_empty() {
            asking.push(Asking { found: Found { folder: folder.clone(), run: row.run }, steps });
        }
    }
    Ok(asking)
}

/// The run that asks this, where no other one does: whoever answers need not name it, however many are open.
fn only(asking: &[Asking], step: Option<&str>) -> Option<Found> {
    let is_meant = |id: &StepId| step.is_none_or(|step| means(step, id));
    let mut fitting = asking.iter().filter(|asking| asking.steps.iter().any(is_meant));
    match (fitting.next(), fitting.next()) {
        (Some(Asking { found: Found { folder, run }, .. }), None) => Some(Found { folder: folder.clone(), run: run.clone() }),
        _ => None,
    }
}

/// A failure to find the run, with those that ask instead of whatever else there is.
fn naming(failure: CommandFailure, asking: &[Asking], approved: bool) -> CommandFailure {
    let verb = if approved { "approve" } else { "reject" };
    let steps = asking.iter().flat_map(|asking| asking.steps.iter().map(|step| format!("`bowline {verb} {} {step}`", asking.found.run)));
    let commands: Vec<String> = steps.collect();
    match commands.is_empty() {
        true => {
            CommandFailure { hint: Some("no run asks anything now: `bowline runs --open` lists those that are open".to_owned()), ..failure }
        }
        false => CommandFailure { hint: Some(format!("these ask: {}", commands.join(", "))), ..failure },
    }
}

/// True for the step that a person names, and for the items of one.
fn means(given: &str, id: &StepId) -> bool {
    StepId::new(given).is_ok_and(|given| given.stands_for(id))
}

fn asking_steps(story: &Story) -> Vec<&StepId> {
    story.steps.values().filter(|step| matches!(step.status, Status::Asking(_))).map(|step| &step.id).collect()
}

fn choose(story: &Story, run: &RunId, given: Option<&str>) -> Result<StepId, CommandFailure> {
    let asking = asking_steps(story);
    let names = || asking.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", ");
    let show = format!("`bowline show {run}` tells how it stands");
    let which = || if asking.is_empty() { show.clone() } else { format!("these ask: {}", names()) };
    let meant: Vec<&StepId> = asking.iter().copied().filter(|id| given.is_none_or(|given| means(given, id))).collect();
    match (given, meant.as_slice()) {
        (_, [one]) => Ok((*one).clone()),
        (Some(given), []) => Err(CommandFailure::usage(not_asking(story, run, given)).hint(which())),
        (None, []) => Err(CommandFailure::usage(format!("no step of run {run} asks anything now")).hint(show)),
        (_, _) => Err(CommandFailure::usage(format!("several steps of run {run} ask: {}", names())).hint("name one of them")),
    }
}

fn not_asking(story: &Story, run: &RunId, given: &str) -> String {
    match story.steps.values().find(|step| step.id.as_str() == given) {
        Some(step) => format!("`{given}` of run {run} asks nothing now: it is {}", story.word(step)),
        None => format!("run {run} has no step `{given}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::choose;
    use crate::ids::RunId;
    use crate::record::{Record, What};
    use crate::report::samples;
    use crate::report::story::{Hand, Story};

    #[test]
    fn only_a_step_that_asks_can_be_answered() {
        let run = RunId::new("20261121-120300-7f3a").unwrap();
        let records = samples::rejected();
        let asked = records.iter().position(|record: &Record| matches!(record.what, What::ApprovalAsked { .. })).unwrap();
        let asking = Story::of(&records[..=asked]).in_hand(Hand::Process);
        let told = |story: &Story, given| choose(story, &run, given).map(|id| id.to_string()).map_err(|failure| failure.lines().join("\n"));
        assert_eq!(told(&asking, None), Ok("colours".to_owned()));
        assert_eq!(told(&asking, Some("colours")), Ok("colours".to_owned()));
        insta::assert_snapshot!(told(&asking, Some("deploy")).unwrap_err(), @"
        error: `deploy` of run 20261121-120300-7f3a asks nothing now: it is waiting
          next: these ask: colours
        ");
        insta::assert_snapshot!(told(&asking, Some("nobody")).unwrap_err(), @"
        error: run 20261121-120300-7f3a has no step `nobody`
          next: these ask: colours
        ");
        insta::assert_snapshot!(told(&Story::of(&records), None).unwrap_err(), @"
        error: no step of run 20261121-120300-7f3a asks anything now
          next: `bowline show 20261121-120300-7f3a` tells how it stands
        ");
    }
}
