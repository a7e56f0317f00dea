//! `preview`: tells what a run would change, step by step. It changes nothing.

use super::arguments::Preview;
use super::context::Context;
use super::exit::Exit;
use super::failure::CommandFailure;
use super::run::{Draft, draft};
use super::secrets::MissingSecret;
use super::{open, print, secrets};
use crate::action::{Change, Frozen, Redactor};
use crate::engine::{Ahead, Planned, Previewing, Seen, Sight, preview as look};
use crate::ids::RunId;
use crate::report::words;
use console::Style;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

/// Longest diff that is shown of one object.
const LINES: usize = 60;

/// Looks at every step of a plan.
///
/// # Errors
/// When the plan cannot run.
pub async fn preview(context: &Context, arguments: &Preview) -> Result<Exit, CommandFailure> {
    let mut draft = draft(context, &arguments.choice, None).await?;
    draft.print(context).await?;
    look_at(context, &draft, arguments.exit_code).await
}

/// Looks at every step of a plan that is ready to run.
///
/// # Errors
/// When the system gives no names.
pub(super) async fn look_at(context: &Context, draft: &Draft, exit_code: bool) -> Result<Exit, CommandFailure> {
    let title = match &draft.bound.environment {
        Some(environment) => format!("{} in {environment}", draft.opened.plan.name),
        None => draft.opened.plan.name.to_string(),
    };
    // No run has this id: it is seen in names that contain it.
    let run = RunId::new("preview").map_err(|error| CommandFailure::new(Exit::Internal, error.to_string()))?;
    let previewing = previewing(context, draft, run);
    let missing = secrets::missing(context, &previewing, |_| Ahead::All).await;
    let seen = look(previewing).await;
    let changing = seen.iter().filter(|seen| seen.changes()).count();
    let refusals: Vec<(&Seen, Vec<String>)> =
        seen.iter().map(|seen| (seen, seen.refusals())).filter(|(_, told)| !told.is_empty()).collect();
    let is_refused = !refusals.is_empty() || missing.iter().any(|secret| !secret.may_be_made);
    if context.is_json() {
        print::line(
            &json!({ "preview": title, "steps": seen, "changes": changing, "refused": is_refused, "missing-secrets": missing.iter().map(|secret| &secret.told).collect::<Vec<_>>() })
                .to_string(),
        );
    } else {
        tell(&Pen::new(context), &title, &seen, changing, is_refused);
        let refused = refusals.iter().flat_map(|(seen, told)| told.iter().map(|why| format!("{}: {why}", seen.step)));
        print::notices(&refused.collect::<Vec<_>>(), context.streams);
        print::notices(&missing.iter().map(told_missing).collect::<Vec<_>>(), context.streams);
    }
    Ok(match (!is_refused, changing > 0 && exit_code) {
        (false, _) => Exit::Refused,
        (true, true) => Exit::Changes,
        (true, false) => Exit::Succeeded,
    })
}

fn told_missing(secret: &MissingSecret) -> String {
    match secret.may_be_made {
        true => format!("not there now, unless a step of the run makes it first: {}", secret.told),
        false => format!("a run would be refused: {}", secret.told),
    }
}

/// A draft as the engine looks at it before it runs.
pub(super) fn previewing(context: &Context, draft: &Draft, run: RunId) -> Previewing {
    let Draft { opened, bound, files, .. } = draft;
    let scope = open::scope(&opened.plan, bound, run);
    let folder = opened.file.parent().unwrap_or(Path::new("/")).to_owned();
    let values = open::values(&opened.plan, &bound.inputs, &scope);
    Previewing {
        redactor: Redactor::default(),
        program: Planned::new(Arc::clone(&opened.plan), values),
        registry: context.actions_for_looking(),
        frozen: Frozen(Arc::new(files.iter().map(|(path, bytes)| (path.clone(), Arc::from(bytes.as_slice()))).collect())),
        secrets: secrets::of_plan(context, &opened.plan.secrets, folder, &scope),
        scope: Arc::new(scope),
        plan: Arc::clone(&opened.plan),
    }
}

/// Colours, or none.
struct Pen {
    name: Style,
    added: Style,
    removed: Style,
    dim: Style,
    width: Option<usize>,
}

impl Pen {
    fn new(context: &Context) -> Self {
        let style = || Style::new().force_styling(context.streams.colour_out);
        Self { name: style().bold(), added: style().green(), removed: style().red(), dim: style().dim(), width: context.streams.width }
    }

    /// Writes a line, broken between words.
    fn say(&self, line: String) {
        print::lines(&[line], self.width);
    }

    fn line(&self, line: &str) -> String {
        match line.chars().next() {
            Some('+') => self.added.apply_to(line).to_string(),
            Some('-') => self.removed.apply_to(line).to_string(),
            _ => line.to_owned(),
        }
    }
}

fn tell(pen: &Pen, title: &str, seen: &[Seen], changing: usize, is_refused: bool) {
    let steps = words::count(seen.iter().filter(|seen| !matches!(seen.sight, Sight::Savepoint)).count(), "step", "steps");
    pen.say(match (changing, is_refused) {
        (0, true) => format!("{title} cannot run as it is"),
        (_, true) => format!("{title} cannot run as it is, and would change something in {changing} of {steps}"),
        (0, false) => format!("{title} would change nothing"),
        (_, false) => format!("{title} would change something in {changing} of {steps}"),
    });
    for seen in seen {
        let head = format!("{}  {}", pen.name.apply_to(&seen.step), pen.dim.apply_to(&seen.kind));
        match &seen.sight {
            Sight::Savepoint => {}
            Sight::Skipped => pen.say(format!("{head}  would not run: its `when` is false")),
            Sight::Asks(question) => pen.say(format!("{head}  asks: {question}")),
            Sight::Waits(time) => pen.say(format!("{head}  waits {time}")),
            Sight::KnownAfter { steps, why } => {
                let names: Vec<&str> = steps.iter().map(|step| step.as_str()).collect();
                let why = why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
                pen.say(format!("{head}  known after {}{why}", names.join(", ")));
            }
            Sight::Refused(_) => pen.say(format!("{head}  {}", pen.removed.apply_to("cannot run"))),
            Sight::Would(preview) => {
                let state = match (preview.refusals.is_empty(), preview.changes.is_empty()) {
                    (false, _) => pen.removed.apply_to("  would be refused").to_string(),
                    (true, true) if preview.notes.is_empty() => "  no change".to_owned(),
                    (true, _) => String::new(),
                };
                pen.say(format!("{head}{state}"));
                preview.changes.iter().for_each(|change| tell_change(pen, change));
                preview.notes.iter().for_each(|note| pen.say(format!("    {}", pen.dim.apply_to(note))));
            }
        }
    }
}

fn tell_change(pen: &Pen, change: &Change) {
    let target = change.target.0.split_once(':').map_or(change.target.0.as_str(), |(_, name)| name);
    pen.say(format!("    {} {target}", change.verb));
    for line in change.lines.iter().take(LINES) {
        pen.say(format!("      {}", pen.line(line)));
    }
    if change.lines.len() > LINES {
        pen.say(format!("      … {} more", words::count(change.lines.len() - LINES, "line", "lines")));
    }
}
