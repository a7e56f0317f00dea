//! Room for the write-ahead log to be written into. A sync of a file that has just grown is also one of the file system's own journal, and
//! takes twice as long, longer on a busy disk. It knows no tables.

use super::database::LOG;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes that are prepared at a time, at least and at most: a short run needs few, and whatever is prepared is written twice.
const LEAST: u64 = 64 * 1024;
const MOST: u64 = 1024 * 1024;

/// What is known of the log's length.
pub(super) struct Room {
    path: PathBuf,
    log: Option<File>,
    /// Its length, as far as it is known. SQLite made it longer when it is longer.
    known: u64,
    /// The disk was full once: what there is left is for records.
    is_full: bool,
}

impl Room {
    pub(super) fn of(database: &Path) -> Self {
        let mut path = database.as_os_str().to_owned();
        path.push("-wal");
        Self { path: path.into(), log: None, known: 0, is_full: false }
    }

    /// Makes the log longer where it has outgrown what was prepared. Call it in a transaction that may write: then nobody else writes to the
    /// end of the log. SQLite takes zeros for nothing, also when the process dies before it writes there.
    pub(super) fn prepare(&mut self) {
        if !self.is_full {
            // Without room records go to the end of the log, as if this were not here.
            self.is_full = self.lengthen().is_err();
        }
    }

    fn lengthen(&mut self) -> io::Result<()> {
        let is_first = self.log.is_none();
        let log = match self.log.take() {
            Some(log) => log,
            None => OpenOptions::new().write(true).open(&self.path)?,
        };
        let length = log.metadata()?.len();
        let has_grown = if is_first { length == 0 } else { length > self.known };
        self.known = length;
        // A log that is as long as it gets before it begins anew has room enough.
        if has_grown && length < LOG {
            let more = length.clamp(LEAST, MOST);
            if let Err(full) = log.write_all_at(&vec![0; usize::try_from(more).unwrap_or_default()], length) {
                log.set_len(length)?;
                return Err(full);
            }
            self.known += more;
        }
        self.log = Some(log);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{LEAST, Room};
    use crate::journal::fixture::{append, begin, identity, note, open};
    use futures::executor::block_on;
    use std::collections::BTreeSet;
    use std::fs;

    #[test]
    fn the_log_grows_a_few_times_and_not_with_every_commit() {
        let place = tempfile::tempdir().unwrap();
        let folder = open(place.path());
        let held = folder.open_run(&identity("web")).unwrap();
        begin(&held);
        let log = place.path().join("journal.db-wal");
        let mut lengths = BTreeSet::new();
        for seq in 1..300 {
            append(&held, seq, note(&"x".repeat(1000)));
            block_on(held.journal().durable()).unwrap();
            lengths.insert(fs::metadata(&log).unwrap().len());
        }
        assert!(lengths.len() < 20 && *lengths.last().unwrap() > 1_000_000, "{lengths:?}");
    }

    #[test]
    fn a_log_with_room_at_its_end_is_read_after_a_crash() {
        let (place, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folder = open(place.path());
        let held = folder.open_run(&identity("web")).unwrap();
        begin(&held);
        append(&held, 1, note("the last one"));
        block_on(held.journal().durable()).unwrap();
        // What a process leaves that dies now: nobody carried the log over.
        for entry in place.path().read_dir().unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() && !entry.file_name().to_string_lossy().ends_with("-shm") {
                fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
            }
        }
        let log = fs::read(copy.path().join("journal.db-wal")).unwrap();
        assert!(log.len() as u64 >= LEAST && log.ends_with(&[0; 4096]), "{} bytes", log.len());
        let verified = open(copy.path()).verify(held.run()).unwrap();
        assert!(verified.is_whole() && verified.records == 2, "{verified:?}");
    }

    #[test]
    fn a_log_that_cannot_be_made_longer_is_left_as_it_is() {
        let mut room = Room::of(std::path::Path::new("/nowhere/journal.db"));
        room.prepare();
        assert!(room.is_full);
    }
}
