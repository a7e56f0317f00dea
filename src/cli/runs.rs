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
use std::collections::BTreeSet;

/// The columns of the list.
const HEADS: [&str; 6] = ["RUN", "PLAN", "ENVIRONMENT", "STATE", "OPENED", "HELD BY"];
/// What stands for an environment where there is none.
const NONE: &str = "-";

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

/// A table where there is room for one, in fewer words where that helps, else two lines a run.
fn list(rows: &[Shown], zone: &TimeZone, width: Option<usize>, paint: Paint) -> Vec<String> {
    let fits = |table: &Vec<String>| width.is_none_or(|width| table.iter().all(|line| columns(line) <= width));
    let tables = [false, true].into_iter().map(|is_short| table(rows, is_short, zone, paint));
    tables.into_iter().find(fits).unwrap_or_else(|| rows.iter().flat_map(|listed| pair(listed, zone, paint)).collect())
}

/// A column that says nothing of any run is left out. Short are the states, and the times where all runs are of one year.
fn table(rows: &[Shown], is_short: bool, zone: &TimeZone, paint: Paint) -> Vec<String> {
    let opened = |listed: &Shown| words::date_and_minute(listed.row.opened, zone);
    let years: BTreeSet<String> = rows.iter().map(|listed| opened(listed).split('-').take(1).collect()).collect();
    let from = years.first().filter(|_| is_short && years.len() == 1).map_or(0, |year| year.len() + 1);
    let cells = |listed: &Shown| {
        let Shown { row, standing } = listed;
        let state = if is_short { standing.short() } else { standing.to_string() };
        let environment = row.identity.environment.clone().unwrap_or_else(|| NONE.to_owned());
        let opened = opened(listed).split_off(from);
        [row.run.to_string(), row.identity.plan.to_string(), environment, paint.state(&state), opened, holder(row)]
    };
    let cells: Vec<[String; 6]> = rows.iter().map(cells).collect();
    let says = |column: &usize| cells.iter().any(|cells| !["", NONE].contains(&cells[*column].as_str()));
    let columns: Vec<usize> = (0..HEADS.len()).filter(says).collect();
    let head = columns.iter().map(|column| paint.strong(HEADS[*column])).collect();
    let body = cells.iter().map(|cells| columns.iter().map(|column| cells[*column].clone()).collect());
    table::aligned(&std::iter::once(head).chain(body).collect::<Vec<Vec<String>>>())
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
        RUN                   PLAN        STATE        OPENED
        20261120-090000-01bc  blue-green  rolled-back  2026-11-21 12:03
        ");
        insta::assert_snapshot!(list(&rows, &TimeZone::UTC, Some(80), Paint::default()).join("\n"), @"
        20261121-120300-7f3a live
          blue-green in production, opened 2026-11-21 12:03, held by ops@ci-7 (4711)
        20261120-090000-01bc rolled-back
          blue-green, opened 2026-11-21 12:03
        ");
        let standing = Standing { state: RunState::Closed(Outcome::RolledBack), is_in_part: true, is_simulated: true };
        let simulated = [Shown { standing, ..row("20261121-120300-7f3a", None, RunState::Closed(Outcome::RolledBack)) }];
        insta::assert_snapshot!(list(&simulated, &TimeZone::UTC, Some(80), Paint::default()).join("\n"), @"
        RUN                   PLAN        STATE                     OPENED
        20261121-120300-7f3a  blue-green  rolled-back (part, sim.)  11-21 12:03
        ");
        insta::assert_snapshot!(object(&rows[0]), @r#"{"run":"20261121-120300-7f3a","plan":"blue-green","environment":"production","state":"live","opened":"2026-11-21T12:03:00Z","records":12,"epoch":1,"holder":{"host":"ci-7","pid":4711,"started":99,"boot":"b00t","user":"ops"},"since":"2026-11-21T12:03:00Z","simulated":false,"in-part":false}"#);
    }
}
