//! Which run is meant: an id, how one begins, or the only open one. It changes nothing.

use super::failure::CommandFailure;
use crate::ids::RunId;
use crate::journal::{RunFilter, RunRow, StateFolder};

/// Finds the run that is meant.
///
/// # Errors
/// When none or several fit.
pub fn run(folder: &StateFolder, given: Option<&str>) -> Result<RunId, CommandFailure> {
    let filter = RunFilter { unclosed: given.is_none(), ..RunFilter::default() };
    let rows = folder.runs(&filter)?;
    choose(given, &rows)
}

/// Finds the run that is to be looked at: the newest one when none is named and not just one is open.
///
/// # Errors
/// When none fits, or several fit a name.
pub fn run_to_show(folder: &StateFolder, given: Option<&str>) -> Result<RunId, CommandFailure> {
    if given.is_some() {
        return run(folder, given);
    }
    let open = folder.runs(&RunFilter { unclosed: true, ..RunFilter::default() })?;
    match open.as_slice() {
        [row] => Ok(row.run.clone()),
        _ => match folder.runs(&RunFilter::default())?.first() {
            Some(row) => Ok(row.run.clone()),
            None => Err(CommandFailure::usage("this state folder holds no run yet").hint("`bowline run PLAN` makes one")),
        },
    }
}

fn choose(given: Option<&str>, rows: &[RunRow]) -> Result<RunId, CommandFailure> {
    let fitting: Vec<&RunRow> = match given {
        Some(text) => match rows.iter().find(|row| row.run.as_str() == text) {
            Some(row) => vec![row],
            None => rows.iter().filter(|row| row.run.as_str().starts_with(text)).collect(),
        },
        None => rows.iter().collect(),
    };
    match (fitting.as_slice(), given) {
        ([row], _) => Ok(row.run.clone()),
        ([], Some(text)) => {
            Err(CommandFailure::usage(format!("there is no run `{text}` in this state folder")).hint("`bowline runs` lists them"))
        }
        ([], None) => Err(CommandFailure::usage("no run is open").hint("name one: `bowline runs` lists them")),
        (several, given) => {
            let names: Vec<String> = several.iter().take(5).map(|row| format!("{} of {} ({})", row.run, row.identity, row.state)).collect();
            let more = if several.len() > names.len() { ", …" } else { "" };
            let what = given.map_or_else(|| "are open".to_owned(), |text| format!("begin with `{text}`"));
            Err(CommandFailure::usage(format!("{} runs {what}: {}{more}", several.len(), names.join(", "))).hint("name one of them"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::choose;
    use crate::ids::{Moment, PlanName, RunId};
    use crate::journal::{Identity, RunRow, RunState};

    fn row(run: &str) -> RunRow {
        let identity = Identity { plan: PlanName::new("web").unwrap(), environment: Some("test".to_owned()) };
        let run = RunId::new(run).unwrap();
        RunRow { run, identity, opened: Moment::from_millis(0), state: RunState::Dead, records: 1, epoch: 1, holder: None, since: None }
    }

    #[test]
    fn a_run_is_named_by_its_id_its_beginning_or_by_being_the_only_one() {
        let rows = [row("20261121-1203-aaaa"), row("20261121-1203-aaaab"), row("20261122-0900-bbbb")];
        let found = |given: Option<&str>, rows: &[RunRow]| {
            choose(given, rows).map(|run| run.to_string()).map_err(|failure| failure.lines().join("\n"))
        };
        assert_eq!(found(Some("20261121-1203-aaaa"), &rows), Ok("20261121-1203-aaaa".to_owned()), "an exact id wins");
        assert_eq!(found(Some("20261122"), &rows), Ok("20261122-0900-bbbb".to_owned()));
        assert_eq!(found(None, &rows[2..]), Ok("20261122-0900-bbbb".to_owned()));
        insta::assert_snapshot!(found(Some("20261121"), &rows).unwrap_err(), @"
        error: 2 runs begin with `20261121`: 20261121-1203-aaaa of `web` in `test` (dead), 20261121-1203-aaaab of `web` in `test` (dead)
          next: name one of them
        ");
        insta::assert_snapshot!(found(Some("2025"), &rows).unwrap_err(), @"
        error: there is no run `2025` in this state folder
          next: `bowline runs` lists them
        ");
        insta::assert_snapshot!(found(None, &[]).unwrap_err(), @"
        error: no run is open
          next: name one: `bowline runs` lists them
        ");
        insta::assert_snapshot!(found(None, &rows).unwrap_err(), @"
        error: 3 runs are open: 20261121-1203-aaaa of `web` in `test` (dead), 20261121-1203-aaaab of `web` in `test` (dead), 20261122-0900-bbbb of `web` in `test` (dead)
          next: name one of them
        ");
    }
}
