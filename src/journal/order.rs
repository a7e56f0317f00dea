//! In which order the runs of a folder were written: each commit has a place in one count, which no clock moves. It knows no record's meaning.

use super::database::cannot_read;
use super::runs::RunRow;
use super::state::StateFolder;
use super::tables::select_runs;
use super::{JournalError, Refused};
use crate::ids::{Moment, RunId};
use crate::record::Record;
use rusqlite::{Connection, params};

/// Counts the commits of a folder, as one of those who write to it.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// What SQLite's counter of other connections' commits said, and the place that we took then.
    last: Option<(i64, i64)>,
}

impl Order {
    /// The place of the commit that is under way. It costs a page that is written anyway, and a look at the others only where they wrote since.
    pub(super) fn next(&mut self, transaction: &Connection) -> Result<i64, JournalError> {
        let ask = |sql: &str| transaction.prepare_cached(sql)?.query_row([], |row| row.get::<_, i64>(0));
        let version = ask("PRAGMA data_version").map_err(cannot_read)?;
        let before = match self.last {
            Some((seen, place)) if seen == version => place,
            _ => ask("SELECT coalesce(max(place), 0) FROM heads").map_err(cannot_read)?,
        };
        self.last = Some((version, before + 1));
        Ok(before + 1)
    }
}

/// When a record was written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The place of the commit that made it durable here; none of what came with an import.
    place: Option<i64>,
    at: Moment,
}

impl Written {
    /// True for what did not come before that one. Of what was written elsewhere only the clocks can tell.
    pub fn is_not_before(self, other: Self) -> bool {
        match (self.place, other.place) {
            (Some(this), Some(other)) => this >= other,
            _ => self.at >= other.at,
        }
    }
}

/// The commits of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commits {
    /// The place of all that a program wrote which counted runs alone.
    old: Option<i64>,
    /// The first record of each, and its place.
    counted: Vec<(u64, i64)>,
}

impl Commits {
    /// When one of the run's records was written down.
    pub fn of(&self, record: &Record) -> Written {
        let later = self.counted.partition_point(|(first, _)| *first <= record.seq);
        let counted = later.checked_sub(1).map(|last| self.counted[last].1);
        Written { place: counted.or(self.old), at: record.at }
    }
}

impl StateFolder {
    /// The commits of a run.
    ///
    /// # Errors
    /// When there is no such run, or they cannot be read.
    pub fn commits(&self, run: &RunId) -> Result<Commits, Refused> {
        let no = self.stored(run)?.no;
        let connection = self.reading();
        let select = || {
            let old = connection.query_row("SELECT place FROM runs WHERE no = ?1", [no], |row| row.get(0))?;
            let sql = "SELECT min(seq), place FROM records WHERE no = ?1 AND place IS NOT NULL GROUP BY place ORDER BY place";
            let mut statement = connection.prepare_cached(sql)?;
            let counted = statement.query_map(params![no], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(Commits { old, counted: counted.collect::<rusqlite::Result<_>>()? })
        };
        Ok(select().map_err(cannot_read)?)
    }

    /// The other runs of which a record may have been written since this one began, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn runs_written_since(&self, run: &RunId) -> Result<Vec<RunRow>, JournalError> {
        let began = "SELECT coalesce(c.place, t.place) FROM runs t LEFT JOIN records c ON c.no = t.no AND c.seq = 0 WHERE t.run = ?1";
        // Of one that was imported, be it this one or the other, no place tells: it counts.
        let condition = format!("r.run <> ?1 AND (h.place = 0 OR coalesce(h.place >= ({began}), 1))");
        let stored = select_runs(&self.reading(), &condition, &[&run.as_str()])?;
        stored.into_iter().map(|run| self.row(run)).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::journal::fixture::{append, begin, identity, note, open};
    use futures::executor::block_on;

    #[test]
    fn the_commits_of_two_writers_have_places_in_one_order() {
        let place = tempfile::tempdir().unwrap();
        let (one, two) = (open(place.path()), open(place.path()));
        let held = [one.open_run(&identity("one")).unwrap(), two.open_run(&identity("two")).unwrap()];
        held.iter().for_each(begin);
        for seq in 1..4 {
            for held in &held {
                append(held, seq, note("a record"));
                block_on(held.journal().durable()).unwrap();
            }
        }
        append(&held[0], 4, note("another"));
        append(&held[0], 5, note("in the same commit"));
        block_on(held[0].journal().durable()).unwrap();
        let places = |held: &crate::journal::Held| {
            let commits = one.commits(held.run()).unwrap();
            held.records().unwrap().iter().map(|record| commits.of(record).place.unwrap()).collect::<Vec<_>>()
        };
        assert_eq!((places(&held[0]), places(&held[1])), (vec![1, 3, 5, 7, 9, 9], vec![2, 4, 6, 8]));
        let since = |held: &crate::journal::Held| one.runs_written_since(held.run()).unwrap().len();
        assert_eq!((since(&held[0]), since(&held[1])), (1, 1));
        let third = one.open_run(&identity("three")).unwrap();
        begin(&third);
        assert_eq!((since(&held[0]), since(&third)), (2, 0));
    }
}
