//! The thread that commits what has gathered: one transaction, one sync. It knows tables and nothing of seals or locks.

use super::JournalError;
use super::chain::Head;
use super::database::cannot_write;
use super::digest::Hash;
use super::lock::Identity;
use super::order::Order;
use super::requests::mark_taken;
use super::room::Room;
use super::tables::{Rest, insert_blob, insert_record, insert_run, move_head, put_holder, release_holder};
use crate::ids::{Moment, RunId};
use crate::ports::Clock;
use crate::record::{BlobRef, Digest, Holder};
use rusqlite::{Connection, TransactionBehavior};
use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use tokio::sync::watch;

/// A record that waits to be stored.
pub(super) struct Waiting {
    pub(super) bytes: Vec<u8>,
    pub(super) hash: Hash,
    pub(super) rests: Option<Rest>,
    pub(super) at: Moment,
}

/// Blobs of the run, by id.
pub(super) enum Blob {
    Durable(BlobRef),
    Waiting(BlobRef, Arc<[u8]>),
}

/// What has gathered since the writer last looked.
pub(super) struct Queue {
    /// The run's end once everything here is stored.
    pub(super) head: Head,
    pub(super) records: Vec<Waiting>,
    pub(super) blobs: Vec<Digest>,
    pub(super) known: HashMap<Digest, Blob>,
    pub(super) taken: Vec<i64>,
    /// Somebody waits for it to be durable.
    pub(super) wanted: bool,
    pub(super) closing: bool,
    pub(super) broken: Option<JournalError>,
}

/// How far the writer is.
#[derive(Debug, Clone)]
pub(super) struct Progress {
    /// So many records of the run are durable.
    pub(super) count: u64,
    /// Why there will be no more.
    pub(super) broken: Option<JournalError>,
}

/// What the writer and its callers share.
pub(super) struct Desk {
    queue: Mutex<Queue>,
    wake: Condvar,
    pub(super) progress: watch::Sender<Progress>,
    /// The run's number in the tables; unknown until its first record is stored.
    pub(super) no: OnceLock<i64>,
}

impl Desk {
    pub(super) fn new(head: Head, known: Vec<BlobRef>) -> Self {
        let known = known.into_iter().map(|blob| (blob.id, Blob::Durable(blob))).collect();
        let queue =
            Queue { head, records: Vec::new(), blobs: Vec::new(), known, taken: Vec::new(), wanted: false, closing: false, broken: None };
        let progress = watch::Sender::new(Progress { count: head.count, broken: None });
        Self { queue: Mutex::new(queue), wake: Condvar::new(), progress, no: OnceLock::new() }
    }

    pub(super) fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing in here can be left half done by a panic.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn wake(&self) {
        self.wake.notify_one();
    }

    /// Waits for work. None when there will be no more.
    fn next(&self) -> Option<Gathered> {
        let mut queue = self.queue();
        while !queue.wanted && !queue.closing {
            queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        queue.wanted = false;
        let records = std::mem::take(&mut queue.records);
        if queue.broken.is_some() || (queue.closing && records.is_empty()) {
            return None;
        }
        // A blob is stored with a record or not at all.
        let names = if records.is_empty() { Vec::new() } else { std::mem::take(&mut queue.blobs) };
        let blobs = names.iter().filter_map(|id| match queue.known.get(id)? {
            Blob::Waiting(blob, bytes) => Some((*blob, Arc::clone(bytes))),
            Blob::Durable(_) => None,
        });
        let blobs = blobs.collect();
        let to = records.last().map(|last| (last.rests, last.hash));
        let taken = if records.is_empty() { Vec::new() } else { std::mem::take(&mut queue.taken) };
        Some(Gathered { count: queue.head.count, records, blobs, taken, to })
    }

    fn stored(&self, gathered: Gathered) {
        let mut queue = self.queue();
        for (blob, _) in gathered.blobs {
            queue.known.insert(blob.id, Blob::Durable(blob));
        }
        drop(queue);
        self.progress.send_modify(|progress| progress.count = gathered.count);
    }

    /// Ends it: nothing is taken any more, and everybody who waits hears why.
    pub(super) fn failed(&self, error: JournalError) {
        self.queue().broken = Some(error.clone());
        self.progress.send_modify(|progress| progress.broken = Some(error));
    }
}

/// What goes into one transaction.
struct Gathered {
    /// Records of the run once these are stored.
    count: u64,
    records: Vec<Waiting>,
    blobs: Vec<(BlobRef, Arc<[u8]>)>,
    taken: Vec<i64>,
    to: Option<(Option<Rest>, Hash)>,
}

/// A run that has no row yet: it gets one with its first record, so that a run without records never exists.
pub(super) struct NewRun {
    pub(super) run: RunId,
    pub(super) identity: Identity,
    pub(super) sealed_with: String,
    pub(super) holder: Holder,
    pub(super) since: Moment,
}

/// The thread's own.
pub(super) struct Writer {
    pub(super) connection: Connection,
    pub(super) room: Room,
    pub(super) desk: Arc<Desk>,
    pub(super) new: Option<NewRun>,
    pub(super) epoch: u64,
    pub(super) order: Order,
    pub(super) clock: Arc<dyn Clock>,
}

impl Writer {
    /// Works until the desk closes or a write fails; then lets go of the run.
    pub(super) fn work(mut self) {
        while let Some(gathered) = self.desk.next() {
            if gathered.records.is_empty() {
                continue;
            }
            match self.commit(&gathered) {
                Ok(no) => {
                    self.new = None;
                    self.desk.no.get_or_init(|| no);
                    self.desk.stored(gathered);
                }
                Err(error) => self.desk.failed(error),
            }
        }
        // A full disk may refuse this, too; the lock that falls with the process says it as well.
        let _ = self.release();
    }

    fn commit(&mut self, gathered: &Gathered) -> Result<i64, JournalError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(cannot_write)?;
        self.room.prepare();
        let at = gathered.records.first().map_or(Moment::from_millis(0), |first| first.at);
        let no = match (&self.new, self.desk.no.get()) {
            (Some(new), _) => {
                let no = insert_run(&transaction, &new.run, &new.identity, at, &new.sealed_with, self.epoch)?;
                put_holder(&transaction, no, &new.holder, new.since)?;
                no
            }
            (None, Some(no)) => *no,
            (None, None) => return Err(JournalError::Write("the run has no number".to_owned())),
        };
        let place = self.order.next(&transaction)?;
        let from = gathered.count - gathered.records.len() as u64;
        if let Some((rests, hash)) = gathered.to {
            move_head(&transaction, no, self.epoch, from, Head { count: gathered.count, hash }, rests, Some(place))?;
        }
        for (blob, bytes) in &gathered.blobs {
            insert_blob(&transaction, no, blob, bytes)?;
        }
        for (seq, record) in (from..).zip(&gathered.records) {
            insert_record(&transaction, no, seq, &record.bytes, &record.hash, Some(place))?;
        }
        mark_taken(&transaction, &gathered.taken, at)?;
        transaction.commit().map_err(cannot_write)?;
        Ok(no)
    }

    fn release(&mut self) -> Result<(), JournalError> {
        let Some(no) = self.desk.no.get() else { return Ok(()) };
        // What a record that was never stored answers has not been answered.
        let taken = match &mut *self.desk.queue() {
            Queue { broken: Some(_), .. } => Vec::new(),
            queue => std::mem::take(&mut queue.taken),
        };
        let now = self.clock.now();
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(cannot_write)?;
        mark_taken(&transaction, &taken, now)?;
        release_holder(&transaction, *no, self.epoch, now)?;
        transaction.commit().map_err(cannot_write)
    }
}
