//! Which run is meant: an id, how one begins, or the only open one. It changes nothing.

use super::context::{Context, Shelves};
use super::exit::Exit;
use super::failure::{CommandFailure, Diagnosis};
use super::standing::Standing;
use crate::ids::RunId;
use crate::journal::{JournalError, RunFilter, RunRow, StateFolder};
use crate::report::{table, words};

/// Most runs that are told to choose from.
const TOLD: usize = 5;

/// A run, and the folder that keeps it.
pub struct Found {
    /// The folder.
    pub folder: StateFolder,
    /// The run.
    pub run: RunId,
}

/// A run as it is chosen from.
#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    /// How it stands.
    pub row: RunRow,
    /// It ran in a simulated world.
    pub is_simulated: bool,
}

impl Listed {
    /// How it stands, as far as the list says.
    pub fn standing(&self) -> Standing {
        Standing::of(self.row.state, self.is_simulated, &[])
    }
}

/// Finds the run with which something is to be done. Nothing can be done with a simulated one.
///
/// # Errors
/// When none or several fit.
pub fn run(context: &Context, given: Option<&str>) -> Result<Found, CommandFailure> {
    let shelves = context.shelves()?;
    let filter = RunFilter { unclosed: given.is_none(), ..RunFilter::default() };
    let real = listed(shelves.real.as_ref(), &filter, false)?;
    let fits = |list: &[Listed]| given.is_some_and(|text| !fitting(text, list).is_empty());
    if !fits(&real) && fits(&listed(shelves.simulated.as_ref(), &filter, true)?) {
        let run = choose(given, &listed(shelves.simulated.as_ref(), &filter, true)?)?.row.run.clone();
        let failure = CommandFailure::new(Exit::Refused, format!("run {run} was simulated, and its world is gone"));
        return Err(failure.hint(format!("`bowline show {run}` tells what happened in it; it stands in nobody's way")));
    }
    if real.is_empty() && given.is_none() {
        return Err(none_is_open(context, shelves.real.as_ref())?);
    }
    let run = choose(given, &real)?.row.run.clone();
    found(shelves, run, false)
}

/// Finds the run that is to be looked at: the newest one when none is named and not just one is open.
///
/// # Errors
/// When none fits, or several fit a name.
pub fn run_to_show(context: &Context, given: Option<&str>) -> Result<Found, CommandFailure> {
    let shelves = context.shelves()?;
    let all = all(&shelves, &RunFilter::default())?;
    let open = || -> Result<Option<Listed>, CommandFailure> {
        let open = listed(shelves.real.as_ref(), &RunFilter { unclosed: true, ..RunFilter::default() }, false)?;
        Ok(<[Listed; 1]>::try_from(open).ok().map(|[one]| one))
    };
    let chosen = match given {
        Some(_) => choose(given, &all)?.clone(),
        None => match open()?.or_else(|| all.into_iter().next()) {
            Some(newest) => newest,
            None => return Err(CommandFailure::usage("this state folder holds no run yet").hint("`bowline run PLAN` makes one")),
        },
    };
    found(shelves, chosen.row.run, chosen.is_simulated)
}

/// Real and simulated runs, the newest first.
///
/// # Errors
/// When they cannot be read.
pub fn all(shelves: &Shelves, filter: &RunFilter) -> Result<Vec<Listed>, CommandFailure> {
    let mut all = listed(shelves.real.as_ref(), filter, false)?;
    // A simulated run is open to nobody, wherever it rests.
    let simulated = shelves.simulated.as_ref().filter(|_| !filter.unclosed);
    all.extend(listed(simulated, filter, true)?);
    all.sort_by_key(|listed| std::cmp::Reverse(listed.row.opened));
    all.truncate(filter.limit.map_or(usize::MAX, |limit| limit as usize));
    Ok(all)
}

fn listed(folder: Option<&StateFolder>, filter: &RunFilter, is_simulated: bool) -> Result<Vec<Listed>, JournalError> {
    let rows = folder.map(|folder| folder.runs(filter)).transpose()?.unwrap_or_default();
    Ok(rows.into_iter().map(|row| Listed { row, is_simulated }).collect())
}

fn found(shelves: Shelves, run: RunId, is_simulated: bool) -> Result<Found, CommandFailure> {
    let folder = if is_simulated { shelves.simulated } else { shelves.real };
    folder.map(|folder| Found { folder, run }).ok_or_else(|| CommandFailure::usage("this state folder holds no run yet"))
}

fn none_is_open(context: &Context, folder: Option<&StateFolder>) -> Result<CommandFailure, CommandFailure> {
    let newest = listed(folder, &RunFilter { limit: Some(1), ..RunFilter::default() }, false)?.pop();
    let Some(Listed { row, .. }) = newest else {
        return Ok(CommandFailure::usage("this state folder holds no run that is real").hint("`bowline run PLAN` makes one"));
    };
    let opened = words::date_and_minute(row.opened, &context.zone());
    let failure = CommandFailure::usage(format!(
        "no run is open; the state of the last one, {} of {} ({opened}), is {}",
        row.run, row.identity, row.state
    ));
    Ok(failure.hint("name the one that you mean: `bowline runs` lists them"))
}

/// The runs that a text may mean: the one that is called so, or else those that begin so. A real one is meant before a simulated one.
fn fitting<'a>(text: &str, all: &'a [Listed]) -> Vec<&'a Listed> {
    let mut named: Vec<&Listed> = all.iter().filter(|listed| listed.row.run.as_str() == text).collect();
    named.sort_by_key(|listed| listed.is_simulated);
    match named.first() {
        Some(one) => vec![one],
        None => all.iter().filter(|listed| listed.row.run.as_str().starts_with(text)).collect(),
    }
}

fn choose<'a>(given: Option<&str>, all: &'a [Listed]) -> Result<&'a Listed, CommandFailure> {
    let fitting = given.map_or_else(|| all.iter().collect(), |text| fitting(text, all));
    match (fitting.as_slice(), given) {
        ([one], _) => Ok(one),
        ([], Some(text)) => {
            let failure = CommandFailure::usage(format!("there is no run `{text}` in this state folder"));
            Err(failure.hint(format!("{}`bowline runs` lists them", newest(all))))
        }
        ([], None) => Err(CommandFailure::usage("no run is open").hint("name one: `bowline runs` lists them")),
        (several, given) => Err(which(given, several)),
    }
}

/// Several fit: a line for each, for people.
fn which(given: Option<&str>, several: &[&Listed]) -> CommandFailure {
    let what = given.map_or_else(|| "are open".to_owned(), |text| format!("begin with `{text}`"));
    let message = format!("{} runs {what}", several.len());
    let told = &several[..several.len().min(TOLD)];
    let names: Vec<String> = told.iter().map(|listed| named(listed)).collect();
    let row = |listed: &&Listed| vec![listed.row.run.to_string(), listed.row.identity.to_string(), listed.standing().to_string()];
    let rows: Vec<Vec<String>> = told.iter().map(row).collect();
    let mut lines = vec![format!("error: {message}:")];
    lines.extend(table::aligned(&rows).into_iter().map(|line| format!("  {line}")));
    let more = several.len() - told.len();
    lines.extend((more > 0).then(|| format!("  and {more} more")));
    let mut failure = CommandFailure::usage(format!("{message}: {}{}", names.join(", "), if more > 0 { ", …" } else { "" }));
    failure.diagnostic = Some(Box::new(Diagnosis { text: lines.join("\n"), is_drawn: false, problems: Vec::new() }));
    failure.hint("name one of them")
}

fn named(listed: &Listed) -> String {
    format!("{} of {} ({})", listed.row.run, listed.row.identity, listed.standing())
}

/// The newest runs, for whoever has mistyped one.
fn newest(all: &[Listed]) -> String {
    let names: Vec<String> = all.iter().take(3).map(named).collect();
    match names.len() {
        0 => String::new(),
        1 => format!("the only one is {}; ", names[0]),
        _ => format!("the newest are {}; ", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Listed, choose};
    use crate::ids::{Moment, PlanName, RunId};
    use crate::journal::{Identity, RunRow, RunState};

    fn row(run: &str) -> Listed {
        let identity = Identity { plan: PlanName::new("web").unwrap(), environment: Some("test".to_owned()) };
        let run = RunId::new(run).unwrap();
        let opened = Moment::from_millis(0);
        let row = RunRow { run, identity, opened, state: RunState::Dead, records: 1, epoch: 1, holder: None, since: None };
        Listed { row, is_simulated: false }
    }

    #[test]
    fn a_run_is_named_by_its_id_its_beginning_or_by_being_the_only_one() {
        let rows = [row("20261121-1203-aaaa"), row("20261121-1203-aaaab"), row("20261122-0900-bbbb")];
        let found = |given: Option<&str>, rows: &[Listed]| {
            choose(given, rows).map(|listed| listed.row.run.to_string()).map_err(|failure| failure.lines().join("\n"))
        };
        assert_eq!(found(Some("20261121-1203-aaaa"), &rows), Ok("20261121-1203-aaaa".to_owned()), "an exact id wins");
        assert_eq!(found(Some("20261122"), &rows), Ok("20261122-0900-bbbb".to_owned()));
        assert_eq!(found(None, &rows[2..]), Ok("20261122-0900-bbbb".to_owned()));
        let both = [Listed { is_simulated: true, ..rows[0].clone() }, rows[0].clone()];
        assert!(choose(Some("20261121-1203-aaaa"), &both).is_ok_and(|listed| !listed.is_simulated), "a real one is meant first");
        insta::assert_snapshot!(found(Some("20261121"), &rows).unwrap_err(), @"
        error: 2 runs begin with `20261121`:
          20261121-1203-aaaa   `web` in `test`  dead
          20261121-1203-aaaab  `web` in `test`  dead
          next: name one of them
        ");
        insta::assert_snapshot!(found(Some("2025"), &rows).unwrap_err(), @"
        error: there is no run `2025` in this state folder
          next: the newest are 20261121-1203-aaaa of `web` in `test` (dead), 20261121-1203-aaaab of `web` in `test` (dead), 20261122-0900-bbbb of `web` in `test` (dead); `bowline runs` lists them
        ");
        insta::assert_snapshot!(found(None, &[]).unwrap_err(), @"
        error: no run is open
          next: name one: `bowline runs` lists them
        ");
        insta::assert_snapshot!(found(None, &rows).unwrap_err(), @"
        error: 3 runs are open:
          20261121-1203-aaaa   `web` in `test`  dead
          20261121-1203-aaaab  `web` in `test`  dead
          20261122-0900-bbbb   `web` in `test`  dead
          next: name one of them
        ");
    }
}
