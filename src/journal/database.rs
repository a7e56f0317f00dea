//! The SQLite database of a state folder: how it is opened and what tables it has. It knows no engine and no key.

use super::JournalError;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// How long a write waits for another process's write. Transactions take milliseconds; only a stopped process takes longer.
const BUSY: Duration = Duration::from_secs(10);

/// Pages of the write-ahead log after which it is carried over into the database, at three syncs each time: 16 MiB keeps that below one sync
/// in a hundred.
const CHECKPOINT: u32 = 4000;

/// About so many bytes has the log then.
pub(super) const LOG: u64 = CHECKPOINT as u64 * 4096;

/// What turns version n into n + 1. Only ever add to its end.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE runs (
        no INTEGER PRIMARY KEY,
        run TEXT NOT NULL UNIQUE,
        plan TEXT NOT NULL,
        environment TEXT,
        opened INTEGER NOT NULL,
        sealed_with TEXT NOT NULL
    ) STRICT;
    CREATE TABLE heads (
        no INTEGER PRIMARY KEY,
        epoch INTEGER NOT NULL,
        count INTEGER NOT NULL,
        hash BLOB NOT NULL,
        outcome TEXT,
        closed INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE records (
        no INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        bytes BLOB NOT NULL,
        hash BLOB NOT NULL,
        PRIMARY KEY (no, seq)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE blobs (
        no INTEGER NOT NULL,
        id TEXT NOT NULL,
        sealed TEXT NOT NULL,
        size INTEGER NOT NULL,
        bytes BLOB NOT NULL,
        PRIMARY KEY (no, id)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE holders (
        no INTEGER PRIMARY KEY,
        holder TEXT NOT NULL,
        since INTEGER NOT NULL,
        released INTEGER
    ) STRICT;
    CREATE TABLE requests (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        no INTEGER NOT NULL,
        kind TEXT NOT NULL,
        at INTEGER NOT NULL,
        taken INTEGER
    ) STRICT;
    CREATE INDEX open_requests ON requests (no, id) WHERE taken IS NULL;
",
    "
    ALTER TABLE records ADD COLUMN place INTEGER;
    ALTER TABLE heads ADD COLUMN place INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE runs ADD COLUMN place INTEGER;
    UPDATE heads SET place = no;
    UPDATE runs SET place = no;
",
];

pub(super) fn cannot_write(error: rusqlite::Error) -> JournalError {
    JournalError::Write(error.to_string())
}

pub(super) fn cannot_read(error: rusqlite::Error) -> JournalError {
    JournalError::Read(error.to_string())
}

/// Opens the database of a folder whose tables are known to be there.
///
/// # Errors
/// When it cannot be opened.
pub(super) fn connect(path: &Path) -> Result<Connection, JournalError> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(cannot_read)?;
    // FULL: with NORMAL a commit of the write-ahead log may be lost when the power is, and a lost intent is an effect that nobody undoes.
    let set = || {
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT)?;
        connection.set_prepared_statement_cache_capacity(32);
        Ok(())
    };
    set().map_err(cannot_read)?;
    Ok(connection)
}

/// Opens the database for looking only.
///
/// # Errors
/// When it cannot be opened.
pub(super) fn connect_to_read(path: &Path) -> Result<Connection, JournalError> {
    let connection = connect(path)?;
    connection.pragma_update(None, "query_only", true).map_err(cannot_read)?;
    Ok(connection)
}

/// Makes the database if there is none, and brings its tables to this program's version. Call it under a lock: SQLite does not wait for
/// another process that changes the journal's mode.
///
/// # Errors
/// When it cannot be made, or a newer bowline has been here.
pub(super) fn prepare(path: &Path) -> Result<(), JournalError> {
    // SQLite would make it readable for others; its two companions take the mode from this one.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(JournalError::Write(format!("`{}`: {e}", path.display()))),
        _ => {}
    }
    let mut connection = connect(path)?;
    match version(&connection)? {
        found if found == MIGRATIONS.len() => return Ok(()),
        found if found > MIGRATIONS.len() => {
            return Err(JournalError::Read(format!("`{}` was written by a newer bowline: update this one", path.display())));
        }
        _ => connection.pragma_update(None, "journal_mode", "WAL").map_err(cannot_write)?,
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(cannot_write)?;
    for step in MIGRATIONS.iter().skip(version(&transaction)?) {
        transaction.execute_batch(step).map_err(cannot_write)?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len()).map_err(cannot_write)?;
    transaction.commit().map_err(cannot_write)
}

fn version(connection: &Connection) -> Result<usize, JournalError> {
    connection.pragma_query_value(None, "user_version", |row| row.get::<_, usize>(0)).map_err(cannot_read)
}

#[cfg(test)]
mod tests {
    use super::{MIGRATIONS, connect, prepare, version};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_database_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        prepare(&path).unwrap();
        prepare(&path).unwrap();
        let connection = connect(&path).unwrap();
        assert_eq!(version(&connection).unwrap(), MIGRATIONS.len());
        assert_eq!(connection.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0)).unwrap(), "wal");
        assert_eq!(connection.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0)).unwrap(), 2);
        for entry in folder.path().read_dir().unwrap() {
            assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    /// Nobody wrote down the order of their records: what is known is in which order they opened, and that all of it was before.
    #[test]
    fn runs_of_an_older_program_come_before_all_that_is_written_from_now_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        std::fs::File::create(&path).unwrap();
        let old = connect(&path).unwrap();
        old.execute_batch(MIGRATIONS[0]).unwrap();
        old.execute_batch(
            "INSERT INTO runs (run, plan, opened, sealed_with) VALUES ('r1', 'web', 0, ''), ('r2', 'web', 0, '');
             INSERT INTO heads (no, epoch, count, hash, closed) SELECT no, 1, 0, x'', 1 FROM runs",
        )
        .unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        drop(old);
        prepare(&path).unwrap();
        let connection = connect(&path).unwrap();
        let mut places = connection.prepare("SELECT run, r.place, h.place FROM runs r JOIN heads h USING (no) ORDER BY 2").unwrap();
        let places = places.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        let places: Vec<(String, i64, i64)> = places.map(Result::unwrap).collect();
        assert_eq!(places, [("r1".to_owned(), 1, 1), ("r2".to_owned(), 2, 2)]);
    }

    #[test]
    fn a_database_of_a_newer_program_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.db");
        prepare(&path).unwrap();
        connect(&path).unwrap().pragma_update(None, "user_version", 1000).unwrap();
        assert!(prepare(&path).unwrap_err().to_string().contains("newer bowline"));
    }
}
