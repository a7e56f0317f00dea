//! `runs`: lists the runs of a state folder. It changes nothing.

use super::arguments::Runs;
use super::context::{Context, Shelves};
use super::exit::Exit;
use super::failure::CommandFailure;
use super::pick::{self, Listed};
use super::print;
use super::standing::Standing;
use crate::ids::PlanName;
use crate::journal::{RunFilter, RunRow, RunState};
use crate::report::paint::{Paint, columns};
use crate::report::{table, words};
use jiff::tz::TimeZone;
use serde_json::json;

/// A run as it is shown: how it stands takes a look at its records where it was rolled back.
struct Shown {
    row: RunRow,
    standing: Standing,
}

/// Lists runs, newest first.
///
/// # Errors
/// When the state folder cannot be read.
pub fn runs(context: &Context, arguments: &Runs) -> Result<Exit, CommandFailure> {
    let plan = arguments.plan.as_deref().map(PlanName::new).transpose().map_err(|error| CommandFailure::usage(error.to_string()))?;
    let filter = RunFilter { plan, environment: arguments.environment.clone(), unclosed: arguments.open, limit: None };
    let shelves = if context.common.state.is_some() { context.shelves()? } else { context.shelves_if_any()? };
    let all = pick::all(&shelves, &filter)?;
    let limit = if arguments.all { usize::MAX } else { arguments.limit as usize };
    let more = all.len().saturating_sub(limit);
    let rows = all.into_iter().take(limit).map(|listed| shown(&shelves, listed)).collect::<Vec<_>>();
    match (context.is_json(), rows.is_empty()) {
        (true, _) => rows.iter().for_each(|row| print::line(&object(row))),
        (false, true) => print::line("there are no such runs"),
        (false, false) => {
            print::lines(&list(&rows, &context.zone(), context.streams.width, context.streams.paint()), context.streams.width)
        }
    }
    if more > 0 && !context.is_json() {
        let command = context.called.command(&all_of(arguments));
        print::notices(&[format!("{more} more, which are older: `{command}`")], context.streams);
    }
    Ok(Exit::Succeeded)
}

/// The same command for all of them.
fn all_of(arguments: &Runs) -> String {
    let plan = arguments.plan.iter().map(|plan| format!(" --plan {plan}"));
    let environment = arguments.environment.iter().map(|environment| format!(" --environment {environment}"));
    let open = arguments.open.then(|| " --open".to_owned());
    std::iter::once("runs".to_owned()).chain(plan).chain(environment).chain(open).chain([" --all".to_owned()]).collect()
}

/// How a run stands; of one whose records cannot be read what the list itself says.
fn shown(shelves: &Shelves, listed: Listed) -> Shown {
    let Listed { row, is_simulated } = listed;
    let shelf = if is_simulated { &shelves.simulated } else { &shelves.real };
    let shelf = shelf.as_ref().filter(|_| Standing::may_be_in_part(row.state));
    let records = shelf.and_then(|shelf| shelf.records(&row.run).ok()).unwrap_or_default();
    Shown { standing: Standing::of(row.state, is_simulated, &records), row }
}

/// A table where there is room for one, else two lines a run.
fn list(rows: &[Shown], zone: &TimeZone, width: Option<usize>, paint: Paint) -> Vec<String> {
    let table = table(rows, zone, paint);
    let widest = table.iter().map(|line| columns(line)).max().unwrap_or(0);
    match width {
        Some(width) if widest > width => rows.iter().flat_map(|listed| pair(listed, zone, paint)).collect(),
        _ => table,
    }
}

fn table(rows: &[Shown], zone: &TimeZone, paint: Paint) -> Vec<String> {
    let head = ["RUN", "PLAN", "ENVIRONMENT", "STATE", "OPENED", "HELD BY"].map(|title| paint.strong(title)).to_vec();
    let line = |listed: &Shown| {
        let row = &listed.row;
        let environment = row.identity.environment.clone().unwrap_or_else(|| "-".to_owned());
        let opened = words::date_and_minute(row.opened, zone);
        vec![
            row.run.to_string(),
            row.identity.plan.to_string(),
            environment,
            paint.state(&listed.standing.to_string()),
            opened,
            holder(row),
        ]
    };
    let mut lines: Vec<Vec<String>> = std::iter::once(head).chain(rows.iter().map(line)).collect();
    if rows.iter().all(|listed| holder(&listed.row).is_empty()) {
        lines.iter_mut().for_each(|line| line.truncate(5));
    }
    table::aligned(&lines)
}

fn pair(listed: &Shown, zone: &TimeZone, paint: Paint) -> [String; 2] {
    let row = &listed.row;
    let place = row.identity.environment.as_ref().map(|environment| format!(" in {environment}")).unwrap_or_default();
    let held = Some(holder(row)).filter(|holder| !holder.is_empty()).map(|holder| format!(", held by {holder}")).unwrap_or_default();
    let opened = words::date_and_minute(row.opened, zone);
    [format!("{} {}", row.run, paint.state(&listed.standing.to_string())), format!("  {}{place}, opened {opened}{held}", row.identity.plan)]
}

/// The process that holds a run. One that let go of it, or is gone, holds nothing.
fn holder(row: &RunRow) -> String {
    let holder = row.holder.as_ref().filter(|_| matches!(row.state, RunState::Live | RunState::Elsewhere));
    holder.map(|holder| format!("{}@{} ({})", holder.user, holder.host, holder.pid)).unwrap_or_default()
}

fn object(listed: &Shown) -> String {
    let row = &listed.row;
    json!({
        "run": row.run, "plan": row.identity.plan, "environment": row.identity.environment, "state": row.state.to_string(),
        "opened": row.opened, "records": row.records, "epoch": row.epoch, "holder": row.holder, "since": row.since,
        "simulated": listed.standing.is_simulated, "in-part": listed.standing.is_in_part,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::{Shown, Standing, list, object};
    use crate::ids::{Moment, PlanName, RunId};
    use crate::journal::{Identity, RunRow, RunState};
    use crate::record::{Holder, Outcome};
    use crate::report::paint::Paint;
    use jiff::tz::TimeZone;

    fn row(run: &str, environment: Option<&str>, state: RunState) -> Shown {
        let identity = Identity { plan: PlanName::new("blue-green").unwrap(), environment: environment.map(str::to_owned) };
        let holder = Holder { host: "ci-7".to_owned(), pid: 4711, started: 99, boot: "b00t".to_owned(), user: "ops".to_owned() };
        let opened = Moment::from_millis(1_795_262_580_000);
        let run = RunId::new(run).unwrap();
        let row = RunRow { run, identity, opened, state, records: 12, epoch: 1, holder: Some(holder), since: Some(opened) };
        Shown { standing: Standing::of(state, false, &[]), row }
    }

    #[test]
    fn a_table_for_people_and_an_object_for_programs() {
        let rows = [
            row("20261121-120300-7f3a", Some("production"), RunState::Live),
            row("20261120-090000-01bc", None, RunState::Closed(Outcome::RolledBack)),
        ];
        insta::assert_snapshot!(list(&rows, &TimeZone::UTC, None, Paint::default()).join("\n"), @"
        RUN                   PLAN        ENVIRONMENT  STATE        OPENED            HELD BY
        20261121-120300-7f3a  blue-green  production   live         2026-11-21 12:03  ops@ci-7 (4711)
        20261120-090000-01bc  blue-green  -            rolled-back  2026-11-21 12:03
        ");
        insta::assert_snapshot!(list(&rows[1..], &TimeZone::UTC, Some(80), Paint::default()).join("\n"), @"
        RUN                   PLAN        ENVIRONMENT  STATE        OPENED
        20261120-090000-01bc  blue-green  -            rolled-back  2026-11-21 12:03
        ");
        insta::assert_snapshot!(list(&rows, &TimeZone::UTC, Some(80), Paint::default()).join("\n"), @"
        20261121-120300-7f3a live
          blue-green in production, opened 2026-11-21 12:03, held by ops@ci-7 (4711)
        20261120-090000-01bc rolled-back
          blue-green, opened 2026-11-21 12:03
        ");
        insta::assert_snapshot!(object(&rows[0]), @r#"{"run":"20261121-120300-7f3a","plan":"blue-green","environment":"production","state":"live","opened":"2026-11-21T12:03:00Z","records":12,"epoch":1,"holder":{"host":"ci-7","pid":4711,"started":99,"boot":"b00t","user":"ops"},"since":"2026-11-21T12:03:00Z","simulated":false,"in-part":false}"#);
    }
}
