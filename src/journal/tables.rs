//! What is said to the tables, statement by statement. It knows no lock, no thread and no key.

use super::JournalError;
use super::chain::Head;
use super::database::{cannot_read, cannot_write};
use super::digest::Hash;
use super::lock::Identity;
use crate::ids::{Moment, PlanName, RunId};
use crate::record::{BlobRef, Digest, Holder, Mode, Outcome, What};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A run as the tables have it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StoredRun {
    pub(super) no: i64,
    pub(super) run: RunId,
    pub(super) identity: Identity,
    pub(super) opened: Moment,
    pub(super) sealed_with: String,
    pub(super) epoch: u64,
    pub(super) head: Head,
    pub(super) rests: Option<Rest>,
    pub(super) holder: Option<StoredHolder>,
}

/// Who holds a run, or held it last.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct StoredHolder {
    pub(super) holder: Holder,
    pub(super) since: Moment,
    pub(super) released: Option<Moment>,
}

/// Where a run rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rest {
    pub(super) outcome: Outcome,
    pub(super) closed: bool,
}

impl Rest {
    /// Where a run rests after this; none when it goes on.
    pub(super) fn after(what: &What) -> Option<Self> {
        match what {
            What::RunHalted { outcome, .. } => Some(Self { outcome: *outcome, closed: false }),
            What::RunClosed { outcome, .. } => Some(Self { outcome: *outcome, closed: true }),
            _ => None,
        }
    }
}

/// Writes a value as the text that tables keep of it.
pub(super) fn to_text<T: Serialize>(value: &T) -> Result<String, JournalError> {
    serde_json::to_string(value).map_err(|e| JournalError::Write(e.to_string()))
}

fn from_text<T: DeserializeOwned>(text: &str) -> Result<T, JournalError> {
    serde_json::from_str(text).map_err(|e| JournalError::Damaged(format!("`{text}` cannot be read: {e}")))
}

pub(super) fn insert_run(
    connection: &Connection,
    run: &RunId,
    identity: &Identity,
    opened: Moment,
    sealed_with: &str,
    epoch: u64,
) -> Result<i64, JournalError> {
    let environment = identity.environment.as_deref();
    let put = || {
        connection
            .prepare_cached("INSERT INTO runs (run, plan, environment, opened, sealed_with) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .insert(params![run.as_str(), identity.plan.as_str(), environment, opened.as_millis(), sealed_with])
    };
    let no = put().map_err(cannot_write)?;
    let head = Head::of_new(run);
    connection
        .execute(
            "INSERT INTO heads (no, epoch, count, hash, outcome, closed) VALUES (?1, ?2, 0, ?3, NULL, 0)",
            params![no, epoch, head.hash],
        )
        .map_err(cannot_write)?;
    Ok(no)
}

/// Moves a run's head, if it is where the writer left it and the epoch is still the writer's. `place` is that of the commit.
pub(super) fn move_head(
    connection: &Connection,
    no: i64,
    epoch: u64,
    from: u64,
    to: Head,
    rests: Option<Rest>,
    place: Option<i64>,
) -> Result<(), JournalError> {
    let outcome = rests.map(|rest| to_text(&rest.outcome)).transpose()?;
    let put = || {
        connection
            .prepare_cached(
                "UPDATE heads SET count = ?4, hash = ?5, outcome = ?6, closed = ?7, place = coalesce(?8, place)
                WHERE no = ?1 AND epoch = ?2 AND count = ?3",
            )?
            .execute(params![no, epoch, from, to.count, to.hash, outcome, rests.is_some_and(|rest| rest.closed), place])
    };
    match put().map_err(cannot_write)? {
        1 => Ok(()),
        _ => Err(JournalError::Superseded("another process took it over".to_owned())),
    }
}

/// Puts a record in. `place` is that of the commit; none of what was committed elsewhere.
pub(super) fn insert_record(
    connection: &Connection,
    no: i64,
    seq: u64,
    bytes: &[u8],
    hash: &Hash,
    place: Option<i64>,
) -> Result<(), JournalError> {
    let put = || {
        connection
            .prepare_cached("INSERT INTO records (no, seq, bytes, hash, place) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![no, seq, bytes, hash, place])
    };
    put().map(drop).map_err(cannot_write)
}

pub(super) fn insert_blob(connection: &Connection, no: i64, blob: &BlobRef, bytes: &[u8]) -> Result<(), JournalError> {
    let put = || {
        connection.prepare_cached("INSERT INTO blobs (no, id, sealed, size, bytes) VALUES (?1, ?2, ?3, ?4, ?5)")?.execute(params![
            no,
            blob.id.to_string(),
            blob.sealed.to_string(),
            blob.size,
            bytes
        ])
    };
    put().map(drop).map_err(cannot_write)
}

/// Opens the next epoch of a run. What was asked of the holder before and never heard still holds, where it is not fulfilled: a run whose process
/// is gone is halted, and one that is taken up to go back, or to be closed, need not be told to.
pub(super) fn open_epoch(connection: &Connection, no: i64, epoch: u64, mode: Mode, now: Moment) -> Result<(), JournalError> {
    let fulfilled = if mode == Mode::Resume { r#"{"cancel":{"level":"halt"%"# } else { r#"{"cancel"%"# };
    let put = || {
        let moved =
            connection.execute("UPDATE heads SET epoch = ?2 WHERE no = ?1 AND epoch = ?3", params![no, epoch, epoch.saturating_sub(1)])?;
        let void = "UPDATE requests SET taken = ?2 WHERE no = ?1 AND taken IS NULL AND kind LIKE ?3";
        connection.execute(void, params![no, now.as_millis(), fulfilled])?;
        Ok(moved)
    };
    match put().map_err(cannot_write)? {
        1 => Ok(()),
        _ => Err(JournalError::Superseded("another process took it over at the same moment".to_owned())),
    }
}

pub(super) fn put_holder(connection: &Connection, no: i64, holder: &Holder, since: Moment) -> Result<(), JournalError> {
    let sql = "INSERT OR REPLACE INTO holders (no, holder, since, released) VALUES (?1, ?2, ?3, NULL)";
    connection.execute(sql, params![no, to_text(holder)?, since.as_millis()]).map(drop).map_err(cannot_write)
}

/// Notes that the holder let go, unless somebody else holds the run by now.
pub(super) fn release_holder(connection: &Connection, no: i64, epoch: u64, now: Moment) -> Result<(), JournalError> {
    let sql = "UPDATE holders SET released = ?3 WHERE no = ?1 AND EXISTS (SELECT 1 FROM heads WHERE no = ?1 AND epoch = ?2)";
    connection.execute(sql, params![no, epoch, now.as_millis()]).map(drop).map_err(cannot_write)
}

const RUN: &str = "SELECT r.no, r.run, r.plan, r.environment, r.opened, r.sealed_with, h.epoch, h.count, h.hash, h.outcome, h.closed,
    o.holder, o.since, o.released FROM runs r JOIN heads h USING (no) LEFT JOIN holders o USING (no)";

/// The runs that a condition on `r`, `h` and `o` selects, newest first.
pub(super) fn select_runs(
    connection: &Connection,
    condition: &str,
    values: &[&dyn rusqlite::ToSql],
) -> Result<Vec<StoredRun>, JournalError> {
    let mut statement = connection.prepare_cached(&format!("{RUN} WHERE {condition} ORDER BY r.no DESC")).map_err(cannot_read)?;
    let mut rows = statement.query(values).map_err(cannot_read)?;
    let mut runs = Vec::new();
    while let Some(row) = rows.next().map_err(cannot_read)? {
        runs.push(stored_run(row)?);
    }
    Ok(runs)
}

pub(super) fn select_run(connection: &Connection, run: &RunId) -> Result<Option<StoredRun>, JournalError> {
    Ok(select_runs(connection, "r.run = ?1", &[&run.as_str()])?.pop())
}

/// The run of an identity that is not closed.
pub(super) fn select_unclosed(connection: &Connection, identity: &Identity) -> Result<Option<StoredRun>, JournalError> {
    let condition = "r.plan = ?1 AND r.environment IS ?2 AND h.closed = 0";
    Ok(select_runs(connection, condition, &[&identity.plan.as_str(), &identity.environment])?.into_iter().next())
}

fn stored_run(row: &Row<'_>) -> Result<StoredRun, JournalError> {
    let text = |at: usize| row.get::<_, String>(at).map_err(cannot_read);
    let maybe = |at: usize| row.get::<_, Option<String>>(at).map_err(cannot_read);
    let number = |at: usize| row.get::<_, u64>(at).map_err(cannot_read);
    let moment = |at: usize| row.get::<_, Option<i64>>(at).map(|millis| millis.map(Moment::from_millis)).map_err(cannot_read);
    let named = |e: crate::ids::NameError| JournalError::Damaged(e.to_string());
    let closed = row.get::<_, bool>(10).map_err(cannot_read)?;
    let rests = maybe(9)?.map(|text| Ok::<_, JournalError>(Rest { outcome: from_text(&text)?, closed })).transpose()?;
    let holder = match (maybe(11)?, moment(12)?) {
        (Some(holder), Some(since)) => Some(StoredHolder { holder: from_text(&holder)?, since, released: moment(13)? }),
        _ => None,
    };
    Ok(StoredRun {
        no: row.get(0).map_err(cannot_read)?,
        run: RunId::new(&text(1)?).map_err(named)?,
        identity: Identity { plan: PlanName::new(&text(2)?).map_err(named)?, environment: maybe(3)? },
        opened: moment(4)?.unwrap_or(Moment::from_millis(0)),
        sealed_with: text(5)?,
        epoch: number(6)?,
        head: Head { count: number(7)?, hash: row.get(8).map_err(cannot_read)? },
        rests,
        holder,
    })
}

/// Shows a run's records, in order, as they are stored: place, bytes, digest.
pub(super) fn each_record(
    connection: &Connection,
    no: i64,
    mut see: impl FnMut(u64, &[u8], &[u8]) -> Result<(), JournalError>,
) -> Result<(), JournalError> {
    let mut statement =
        connection.prepare_cached("SELECT seq, bytes, hash FROM records WHERE no = ?1 ORDER BY seq").map_err(cannot_read)?;
    let mut rows = statement.query([no]).map_err(cannot_read)?;
    while let Some(row) = rows.next().map_err(cannot_read)? {
        let bytes = |at: usize| row.get_ref(at).and_then(|value| Ok(value.as_blob()?)).map_err(cannot_read);
        see(row.get(0).map_err(cannot_read)?, bytes(1)?, bytes(2)?)?;
    }
    Ok(())
}

/// How a blob is named where it is stored, rightly or not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Label<'a> {
    pub(super) id: &'a str,
    pub(super) sealed: &'a str,
    pub(super) size: u64,
}

impl Label<'_> {
    /// What records would call it; none when no record could.
    pub(super) fn blob(&self) -> Option<BlobRef> {
        Some(BlobRef { id: self.id.parse().ok()?, sealed: self.sealed.parse().ok()?, size: self.size })
    }
}

/// Shows a run's blobs as they are stored.
pub(super) fn each_blob(
    connection: &Connection,
    no: i64,
    mut see: impl FnMut(Label<'_>, &[u8]) -> Result<(), JournalError>,
) -> Result<(), JournalError> {
    let mut statement =
        connection.prepare_cached("SELECT id, sealed, size, bytes FROM blobs WHERE no = ?1 ORDER BY id").map_err(cannot_read)?;
    let mut rows = statement.query([no]).map_err(cannot_read)?;
    while let Some(row) = rows.next().map_err(cannot_read)? {
        let text = |place: usize| row.get_ref(place).and_then(|value| Ok(value.as_str()?)).map_err(cannot_read);
        let label = Label { id: text(0)?, sealed: text(1)?, size: row.get(2).map_err(cannot_read)? };
        let bytes = row.get_ref(3).and_then(|value| Ok(value.as_blob()?)).map_err(cannot_read)?;
        see(label, bytes)?;
    }
    Ok(())
}

/// A blob's sealed bytes.
pub(super) fn blob_bytes(connection: &Connection, no: i64, id: &Digest) -> Result<Option<Vec<u8>>, JournalError> {
    let get = || {
        connection
            .prepare_cached("SELECT bytes FROM blobs WHERE no = ?1 AND id = ?2")?
            .query_row(params![no, id.to_string()], |row| row.get(0))
            .optional()
    };
    get().map_err(cannot_read)
}

/// The names of a run's blobs.
pub(super) fn blob_refs(connection: &Connection, no: i64) -> Result<Vec<BlobRef>, JournalError> {
    let mut statement = connection.prepare_cached("SELECT id, sealed, size FROM blobs WHERE no = ?1").map_err(cannot_read)?;
    let mut rows = statement.query([no]).map_err(cannot_read)?;
    let mut blobs = Vec::new();
    while let Some(row) = rows.next().map_err(cannot_read)? {
        let text = |place: usize| row.get_ref(place).and_then(|value| Ok(value.as_str()?)).map_err(cannot_read);
        let label = Label { id: text(0)?, sealed: text(1)?, size: row.get(2).map_err(cannot_read)? };
        blobs.push(label.blob().ok_or_else(|| JournalError::Damaged(format!("a blob is called {}", label.id)))?);
    }
    Ok(blobs)
}

/// How many blobs a run has.
pub(super) fn count_blobs(connection: &Connection, no: i64) -> Result<usize, JournalError> {
    connection.query_row("SELECT count(*) FROM blobs WHERE no = ?1", [no], |row| row.get(0)).map_err(cannot_read)
}
