//! A journal for simulations: what is durable survives the holder's death, all else dies with it. It knows no disk, no key and no thread.

use super::digest::sha256;
use super::{JournalError, RunJournal};
use crate::record::{BlobRef, Digest, Record};
use futures::future::{BoxFuture, FutureExt};
use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// The disk of one simulated run. Clones are the same disk.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Disk>>);

#[derive(Debug, Default)]
struct Disk {
    records: Vec<Record>,
    blobs: HashMap<Digest, Arc<[u8]>>,
    epoch: u64,
    syncs: u64,
    full_at: Option<u64>,
    dead_at: Option<u64>,
    dead: bool,
    mourners: Vec<Waker>,
}

impl MemoryStore {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the run in hand, as the next epoch; whoever held it before can write no more.
    pub fn hold(&self) -> MemoryJournal {
        let mut disk = lock(&self.0);
        disk.epoch += 1;
        disk.dead = false;
        let holder = Holder { epoch: disk.epoch, next: disk.records.len() as u64, ..Holder::default() };
        MemoryJournal { disk: Arc::clone(&self.0), holder: Arc::new(Mutex::new(holder)) }
    }

    /// The durable records.
    pub fn records(&self) -> Vec<Record> {
        lock(&self.0).records.clone()
    }

    /// How many records are durable.
    pub fn len(&self) -> usize {
        lock(&self.0).records.len()
    }

    /// True when no record is durable.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How often the disk was made to keep what it had been given.
    pub fn syncs(&self) -> u64 {
        lock(&self.0).syncs
    }

    /// A durable blob's content.
    pub fn blob(&self, blob: &BlobRef) -> Option<Arc<[u8]>> {
        lock(&self.0).blobs.get(&blob.id).cloned()
    }

    /// Makes the disk full once it holds this many records: from then on writing fails, until there is room again.
    pub fn fail_after(&self, records: u64) {
        lock(&self.0).full_at = Some(records);
    }

    /// Makes room again. A holder that has met the full disk stays broken; the next one can write.
    pub fn make_room(&self) {
        lock(&self.0).full_at = None;
    }

    /// Kills the holder once the disk holds this many records: nothing more becomes durable, `durable` never answers again, and [`Self::died`] does.
    /// The next [`Self::hold`] lives again, until it is told otherwise.
    pub fn die_after(&self, records: u64) {
        lock(&self.0).dead_at = Some(records);
    }

    /// Waits until the holder has died; drop then everything that it was doing.
    pub fn died(&self) -> BoxFuture<'static, ()> {
        let disk = Arc::clone(&self.0);
        poll_fn(move |cx| {
            let mut disk = lock(&disk);
            if disk.dead {
                return Poll::Ready(());
            }
            disk.mourners.push(cx.waker().clone());
            Poll::Pending
        })
        .boxed()
    }
}

/// The writer of a [`MemoryStore`]. Clones are the same writer.
#[derive(Debug, Clone)]
pub struct MemoryJournal {
    disk: Arc<Mutex<Disk>>,
    holder: Arc<Mutex<Holder>>,
}

/// What the process knows and the disk does not yet: it is lost when the process dies.
#[derive(Debug, Default)]
struct Holder {
    epoch: u64,
    next: u64,
    pending: Vec<Record>,
    blobs: HashMap<Digest, Arc<[u8]>>,
    broken: Option<JournalError>,
}

impl MemoryJournal {
    /// The epoch under which this writer holds the run: what its records carry.
    pub fn epoch(&self) -> u64 {
        lock(&self.holder).epoch
    }
}

impl RunJournal for MemoryJournal {
    fn seal(&self, bytes: &[u8]) -> Result<BlobRef, JournalError> {
        let id = Digest(sha256(&[bytes]));
        lock(&self.holder).blobs.entry(id).or_insert_with(|| Arc::from(bytes));
        Ok(BlobRef { sealed: id, id, size: bytes.len() as u64 })
    }

    fn open(&self, blob: &BlobRef) -> Result<Vec<u8>, JournalError> {
        if let Some(bytes) = lock(&self.holder).blobs.get(&blob.id) {
            return Ok(bytes.to_vec());
        }
        let stored = lock(&self.disk).blobs.get(&blob.id).map(|bytes| bytes.to_vec());
        stored.ok_or_else(|| JournalError::Damaged(format!("there is no blob {}", blob.id)))
    }

    fn append(&self, record: Record) -> Result<(), JournalError> {
        let mut holder = lock(&self.holder);
        if let Some(broken) = &holder.broken {
            return Err(broken.clone());
        }
        if record.seq != holder.next || record.epoch != holder.epoch {
            let (due, epoch) = (holder.next, holder.epoch);
            return Err(JournalError::Write(format!(
                "record {} of epoch {} came where record {due} of epoch {epoch} was due",
                record.seq, record.epoch
            )));
        }
        holder.next += 1;
        holder.pending.push(record);
        Ok(())
    }

    fn durable(&self) -> BoxFuture<'static, Result<(), JournalError>> {
        let (disk, holder) = (Arc::clone(&self.disk), Arc::clone(&self.holder));
        let upto = lock(&holder).next;
        poll_fn(move |_| sync(&mut lock(&disk), &mut lock(&holder), upto)).boxed()
    }
}

/// Keeps everything that has gathered. Nobody wakes a future that waits for a dead holder.
fn sync(disk: &mut Disk, holder: &mut Holder, upto: u64) -> Poll<Result<(), JournalError>> {
    if let Some(broken) = &holder.broken {
        return Poll::Ready(Err(broken.clone()));
    }
    if holder.epoch != disk.epoch {
        let broken = JournalError::Superseded(format!("epoch {} was opened", disk.epoch));
        holder.broken = Some(broken.clone());
        return Poll::Ready(Err(broken));
    }
    if !disk.dead && !holder.pending.is_empty() {
        commit(disk, holder);
    }
    if let Some(broken) = &holder.broken {
        return Poll::Ready(Err(broken.clone()));
    }
    match disk.dead || (disk.records.len() as u64) < upto {
        true => Poll::Pending,
        false => Poll::Ready(Ok(())),
    }
}

fn commit(disk: &mut Disk, holder: &mut Holder) {
    let stored = disk.records.len() as u64;
    let room = |limit: Option<u64>| limit.map_or(usize::MAX, |limit| usize::try_from(limit.saturating_sub(stored)).unwrap_or(usize::MAX));
    let (full, dead) = (room(disk.full_at), room(disk.dead_at));
    let kept = holder.pending.len().min(full).min(dead);
    if kept > 0 {
        disk.records.extend(holder.pending.drain(..kept));
        disk.blobs.extend(holder.blobs.drain());
        disk.syncs += 1;
    }
    if disk.dead_at.is_some_and(|limit| disk.records.len() as u64 >= limit) {
        disk.dead_at = None;
        disk.dead = true;
        disk.mourners.drain(..).for_each(Waker::wake);
    } else if !holder.pending.is_empty() {
        holder.broken = Some(JournalError::Write("no space left on device".to_owned()));
    }
}

/// A panic elsewhere leaves nothing half done in here, so that its poison can be ignored.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{MemoryJournal, MemoryStore};
    use crate::ids::Moment;
    use crate::journal::{JournalError, RunJournal};
    use crate::record::{CancelLevel, Record, VERSION, What};
    use futures::FutureExt;

    fn append(journal: &MemoryJournal, seq: u64) -> Result<(), JournalError> {
        let what = What::CancelRequested { level: CancelLevel::Halt, by: "test".to_owned() };
        journal.append(Record { v: VERSION, seq, at: Moment::from_millis(0), epoch: journal.epoch(), what })
    }

    #[test]
    fn what_was_not_made_durable_dies_with_its_holder() {
        let store = MemoryStore::new();
        let journal = store.hold();
        let kept = journal.seal(b"kept").unwrap();
        append(&journal, 0).unwrap();
        append(&journal, 1).unwrap();
        assert_eq!(store.len(), 0);
        journal.durable().now_or_never().unwrap().unwrap();
        let lost = journal.seal(b"lost").unwrap();
        assert_eq!(journal.open(&lost).unwrap(), b"lost");
        append(&journal, 2).unwrap();
        drop(journal);
        let journal = store.hold();
        assert_eq!((store.len(), store.syncs(), journal.epoch()), (2, 1, 2));
        assert_eq!(journal.open(&kept).unwrap(), b"kept");
        assert!(journal.open(&lost).is_err());
        append(&journal, 2).unwrap();
    }

    #[test]
    fn a_full_disk_keeps_a_prefix_and_breaks_its_holder_for_good() {
        let store = MemoryStore::new();
        store.fail_after(2);
        let journal = store.hold();
        (0..3).for_each(|seq| append(&journal, seq).unwrap());
        assert!(matches!(journal.durable().now_or_never(), Some(Err(JournalError::Write(_)))));
        store.make_room();
        assert!(matches!(append(&journal, 3), Err(JournalError::Write(_))));
        assert_eq!(store.len(), 2);
        let journal = store.hold();
        append(&journal, 2).unwrap();
        journal.durable().now_or_never().unwrap().unwrap();
        assert_eq!(store.len(), 3);
    }

    #[test]
    fn a_holder_dies_at_the_record_it_was_told_to() {
        let store = MemoryStore::new();
        store.die_after(2);
        let journal = store.hold();
        append(&journal, 0).unwrap();
        journal.durable().now_or_never().unwrap().unwrap();
        assert!(store.died().now_or_never().is_none());
        append(&journal, 1).unwrap();
        append(&journal, 2).unwrap();
        assert!(journal.durable().now_or_never().is_none());
        assert!(store.died().now_or_never().is_some());
        let journal = store.hold();
        assert_eq!(store.len(), 2);
        append(&journal, 2).unwrap();
        journal.durable().now_or_never().unwrap().unwrap();
    }

    #[test]
    fn an_older_epoch_writes_no_more() {
        let store = MemoryStore::new();
        let old = store.hold();
        append(&old, 0).unwrap();
        let _new = store.hold();
        assert!(matches!(old.durable().now_or_never(), Some(Err(JournalError::Superseded(_)))));
        assert!(matches!(append(&old, 1), Err(JournalError::Superseded(_))));
        assert_eq!(store.len(), 0);
    }

    #[test]
    fn a_record_out_of_its_place_is_refused() {
        let journal = MemoryStore::new().hold();
        assert!(append(&journal, 1).is_err());
        append(&journal, 0).unwrap();
        assert!(append(&journal, 0).is_err());
    }
}
