//! The writer of one run in a state folder. It seals, chains and hands over to the writer's thread; it knows no lock.

use super::key::SealingKey;
use super::state::StateFolder;
use super::tables::{Rest, blob_bytes};
use super::writer::{Blob, Desk, Waiting, Writer};
use super::{JournalError, RunJournal, seal};
use crate::ids::RunId;
use crate::ports::Random;
use crate::record::{BlobRef, Record, What};
use futures::future::{BoxFuture, FutureExt};
use std::collections::hash_map::Entry;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// Writes one run, under one epoch.
pub(super) struct SqliteJournal {
    pub(super) desk: Arc<Desk>,
    run: RunId,
    epoch: u64,
    key: Arc<SealingKey>,
    random: Arc<dyn Random>,
    folder: StateFolder,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl SqliteJournal {
    /// Starts the writer's thread.
    ///
    /// # Errors
    /// When the system gives no thread, or the key is not at hand.
    pub(super) fn start(folder: &StateFolder, run: RunId, writer: Writer) -> Result<Self, JournalError> {
        let (desk, epoch) = (Arc::clone(&writer.desk), writer.epoch);
        let key = folder.key()?;
        let alarm = Arc::clone(&desk);
        let thread = std::thread::Builder::new().name("journal".to_owned()).spawn(move || {
            // Whoever waits for the thread must hear that it is gone.
            if catch_unwind(AssertUnwindSafe(|| writer.work())).is_err() {
                alarm.failed(JournalError::Write("its thread panicked".to_owned()));
            }
        });
        let thread = thread.map_err(|e| JournalError::Write(format!("no thread for it: {e}")))?;
        let random = Arc::clone(&folder.outside().random);
        Ok(Self { desk, run, epoch, key, random, folder: folder.clone(), thread: Mutex::new(Some(thread)) })
    }

    /// Stores what has gathered, lets go of the run and ends the thread. Later calls do nothing.
    ///
    /// # Errors
    /// When not everything could be stored.
    pub(super) fn close(&self) -> Result<(), JournalError> {
        self.desk.queue().closing = true;
        self.desk.wake();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        thread.map(JoinHandle::join);
        self.desk.progress.borrow().broken.clone().map_or(Ok(()), Err)
    }

    fn sealed(&self, blob: &BlobRef) -> Result<Option<Vec<u8>>, JournalError> {
        if let Some(Blob::Waiting(_, bytes)) = self.desk.queue().known.get(&blob.id) {
            return Ok(Some(bytes.to_vec()));
        }
        match self.desk.no.get() {
            Some(no) => blob_bytes(&self.folder.reading(), *no, &blob.id),
            None => Ok(None),
        }
    }

    fn check_place(&self, record: &Record, due: u64) -> Result<(), JournalError> {
        if record.seq != due || record.epoch != self.epoch {
            let (seq, epoch, mine) = (record.seq, record.epoch, self.epoch);
            return Err(JournalError::Write(format!("record {seq} of epoch {epoch} came where record {due} of epoch {mine} was due")));
        }
        match &record.what {
            What::RunOpened { run, .. } if due == 0 && *run == self.run => Ok(()),
            What::RunOpened { .. } => Err(JournalError::Write("a run is opened once, by its first record".to_owned())),
            _ if due == 0 => Err(JournalError::Write("the first record of a run opens it".to_owned())),
            _ => Ok(()),
        }
    }
}

impl RunJournal for SqliteJournal {
    fn seal(&self, bytes: &[u8]) -> Result<BlobRef, JournalError> {
        let id = seal::blob_id(&self.key, bytes);
        let known = |blob: &Blob| match blob {
            Blob::Durable(blob) | Blob::Waiting(blob, _) => *blob,
        };
        if let Some(blob) = self.desk.queue().known.get(&id) {
            return Ok(known(blob));
        }
        let (blob, sealed) = seal::seal(&self.key, &*self.random, id, bytes)?;
        let mut queue = self.desk.queue();
        match queue.known.entry(id) {
            // Another caller was faster with the same content.
            Entry::Occupied(entry) => return Ok(known(entry.get())),
            Entry::Vacant(entry) => entry.insert(Blob::Waiting(blob, Arc::from(sealed))),
        };
        queue.blobs.push(id);
        Ok(blob)
    }

    fn open(&self, blob: &BlobRef) -> Result<Vec<u8>, JournalError> {
        let sealed = self.sealed(blob)?.ok_or_else(|| JournalError::Damaged(format!("there is no blob {}", blob.id)))?;
        seal::open(&self.key, blob, &sealed)
    }

    fn append(&self, record: Record) -> Result<(), JournalError> {
        let bytes = serde_json::to_vec(&record).map_err(|e| JournalError::Write(e.to_string()))?;
        let mut queue = self.desk.queue();
        if let Some(broken) = &queue.broken {
            return Err(broken.clone());
        }
        if queue.closing {
            return Err(JournalError::Superseded("it let go of it".to_owned()));
        }
        self.check_place(&record, queue.head.count)?;
        queue.head = queue.head.with(&bytes);
        let hash = queue.head.hash;
        queue.records.push(Waiting { bytes, hash, rests: Rest::after(&record.what), at: record.at });
        Ok(())
    }

    fn durable(&self) -> BoxFuture<'static, Result<(), JournalError>> {
        let upto = {
            let mut queue = self.desk.queue();
            queue.wanted |= !queue.records.is_empty();
            queue.head.count
        };
        self.desk.wake();
        let desk = Arc::clone(&self.desk);
        async move {
            let mut progress = desk.progress.subscribe();
            let reached = progress.wait_for(|progress| progress.count >= upto || progress.broken.is_some()).await;
            let reached = reached.map_err(|_| JournalError::Write("its thread is gone".to_owned()))?;
            match &reached.broken {
                Some(broken) if reached.count < upto => Err(broken.clone()),
                _ => Ok(()),
            }
        }
        .boxed()
    }
}

impl Drop for SqliteJournal {
    fn drop(&mut self) {
        // Whoever wants to hear of a failure calls `close` first.
        let _ = self.close();
    }
}

#[cfg(test)]
mod tests {
    use crate::ids::{Moment, RunId};
    use crate::journal::chain::Head;
    use crate::journal::fixture::{append, begin, identity, note, open};
    use crate::journal::order::Order;
    use crate::journal::room::Room;
    use crate::journal::tables::open_epoch;
    use crate::journal::writer::{Desk, NewRun, Writer};
    use crate::journal::{JournalError, RunJournal};
    use crate::record::{Mode, Record, VERSION, What};
    use futures::executor::block_on;
    use std::sync::Arc;

    #[test]
    fn what_is_durable_reads_back_in_order() {
        let place = tempfile::tempdir().unwrap();
        let folder = open(place.path());
        let held = folder.open_run(&identity("web")).unwrap();
        begin(&held);
        (1..=50).for_each(|seq| append(&held, seq, note(&format!("{seq}"))));
        block_on(held.journal().durable()).unwrap();
        let records = folder.records(held.run()).unwrap();
        assert_eq!(records.iter().map(|record| record.seq).collect::<Vec<_>>(), (0..=50).collect::<Vec<_>>());
        assert_eq!(records[50].what, note("50"));
        assert_eq!(held.records().unwrap(), records);
    }

    #[test]
    fn a_blob_opens_before_and_after_it_is_durable_and_is_stored_once() {
        let place = tempfile::tempdir().unwrap();
        let folder = open(place.path());
        let held = folder.open_run(&identity("web")).unwrap();
        begin(&held);
        let journal = held.journal();
        let blob = journal.seal(b"content").unwrap();
        assert_eq!(journal.seal(b"content").unwrap(), blob);
        assert_eq!(journal.open(&blob).unwrap(), b"content");
        append(&held, 1, note("names it"));
        block_on(journal.durable()).unwrap();
        assert_eq!(journal.open(&blob).unwrap(), b"content");
        assert_eq!(folder.reader(held.run()).unwrap().open(&blob).unwrap(), b"content");
        let run = held.run().clone();
        drop(held);
        assert!(journal.append(Record { v: VERSION, seq: 2, at: Moment::from_millis(0), epoch: 1, what: note("too late") }).is_err());
        let held = folder.hold(&run, Mode::Resume).unwrap();
        assert_eq!(held.journal().seal(b"content").unwrap(), blob, "the next holder finds it, too");
    }

    #[test]
    fn letting_go_stores_what_nobody_waited_for() {
        let place = tempfile::tempdir().unwrap();
        let folder = open(place.path());
        let held = folder.open_run(&identity("web")).unwrap();
        begin(&held);
        append(&held, 1, note("last words"));
        let run = held.run().clone();
        held.release().unwrap();
        assert_eq!(folder.records(&run).unwrap().len(), 2);
    }

    #[test]
    fn the_first_record_opens_the_run_and_no_place_is_skipped() {
        let place = tempfile::tempdir().unwrap();
        let held = open(place.path()).open_run(&identity("web")).unwrap();
        let put = |seq, epoch, what: What| held.journal().append(Record { v: VERSION, seq, at: Moment::from_millis(0), epoch, what });
        assert!(put(0, 1, note("not yet")).is_err());
        begin(&held);
        assert!(put(2, 1, note("skips")).is_err());
        assert!(put(1, 2, note("another epoch")).is_err());
        assert!(put(1, 1, note("fits")).is_ok());
    }

    #[test]
    fn a_writer_whose_run_was_taken_over_stores_nothing_more() {
        let place = tempfile::tempdir().unwrap();
        let folder = open(place.path());
        let held = folder.open_run(&identity("web")).unwrap();
        begin(&held);
        let no = folder.stored(held.run()).unwrap().no;
        open_epoch(&folder.writing().unwrap(), no, 2, Mode::Resume, Moment::from_millis(0)).unwrap();
        append(&held, 1, note("unaware"));
        assert!(matches!(block_on(held.journal().durable()), Err(JournalError::Superseded(_))));
        assert_eq!(folder.records(held.run()).unwrap().len(), 1);
        assert!(matches!(held.release(), Err(JournalError::Superseded(_))));
    }

    #[test]
    fn a_full_disk_breaks_the_writer_and_keeps_every_record_before() {
        let place = tempfile::tempdir().unwrap();
        let folder = open(place.path());
        let held = folder.open_run(&identity("web")).unwrap();
        begin(&held);
        let run = held.run().clone();
        drop(held);
        // The same writer, on a database that may not grow.
        let stored = folder.stored(&run).unwrap();
        let connection = folder.writing().unwrap();
        connection.pragma_update(None, "max_page_count", 1).unwrap();
        let desk = Arc::new(Desk::new(stored.head, Vec::new()));
        desk.no.get_or_init(|| stored.no);
        let clock = Arc::clone(&folder.outside().clock);
        let room = Room::of(&folder.database());
        let writer = Writer { connection, room, desk, new: None::<NewRun>, epoch: 1, order: Order::default(), clock };
        let journal = super::SqliteJournal::start(&folder, run.clone(), writer).unwrap();
        let put = |seq| journal.append(Record { v: VERSION, seq, at: Moment::from_millis(0), epoch: 1, what: note(&"x".repeat(1000)) });
        (1..=40).for_each(|seq| put(seq).unwrap());
        let error = block_on(journal.durable()).unwrap_err();
        insta::assert_snapshot!(error, @"the journal cannot be written: database or disk is full");
        assert!(matches!(put(41), Err(JournalError::Write(_))));
        assert!(matches!(block_on(journal.durable()), Err(JournalError::Write(_))));
        drop(journal);
        assert_eq!(folder.records(&run).unwrap().len(), 1, "all of the batch or nothing");

        let held = folder.hold(&run, Mode::Rollback).unwrap();
        append(&held, 1, note("there is room again"));
        held.release().unwrap();
        assert_eq!(folder.records(&run).unwrap().len(), 2);
    }

    #[test]
    fn a_run_id_is_never_given_twice() {
        let place = tempfile::tempdir().unwrap();
        let folder = open(place.path());
        let held = folder.open_run(&identity("web")).unwrap();
        begin(&held);
        let connection = folder.writing().unwrap();
        let again = crate::journal::tables::insert_run(&connection, held.run(), &identity("api"), Moment::from_millis(0), "", 1);
        assert!(again.is_err());
        assert_eq!(Head::of_new(held.run()).count, 0);
        assert!(RunId::new(held.run().as_str()).is_ok());
    }
}
