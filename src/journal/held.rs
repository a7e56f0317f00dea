//! A run in this process's hands. It knows the run's writer and its lock; what is done with the run is the engine's.

use super::lock::{Identity, IdentityLock};
use super::order::Order;
use super::requests::{Mailbox, Request};
use super::room::Room;
use super::sqlite::SqliteJournal;
use super::state::StateFolder;
use super::writer::{Desk, NewRun, Writer};
use super::{JournalError, Refused, RunJournal};
use crate::ids::RunId;
use crate::record::{Holder, Record};
use std::fmt;
use std::sync::Arc;

/// A run in this process's hands: nobody else of this machine works on its identity until this value goes.
pub struct Held {
    run: RunId,
    identity: Identity,
    epoch: u64,
    holder: Holder,
    journal: Arc<SqliteJournal>,
    mailbox: Mailbox,
    folder: StateFolder,
    // The last field: it falls after the journal is closed.
    _lock: Option<IdentityLock>,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("run", &self.run).field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl Held {
    /// The run.
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// Its plan and environment.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The epoch that its records carry from now on.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// This process, as `epoch-opened` names it.
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// Its writer. After [`Self::release`] it takes nothing more.
    pub fn journal(&self) -> Arc<dyn RunJournal> {
        Arc::clone(&self.journal) as Arc<dyn RunJournal>
    }

    /// Its durable records, oldest first; none of a new run.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn records(&self) -> Result<Vec<Record>, JournalError> {
        match self.journal.desk.no.get() {
            None => Ok(Vec::new()),
            Some(_) => self.folder.records(&self.run).map_err(|refused| match refused {
                Refused::Journal(error) => error,
                other => JournalError::Read(other.to_string()),
            }),
        }
    }

    /// Waits for the next thing that another shell asks of the run. It counts as answered with the next record that becomes durable; until
    /// then a later holder is asked again.
    ///
    /// # Errors
    /// When the database cannot be read.
    ///
    /// # Cancel safety
    /// A request is either returned or still there.
    pub async fn next_request(&self) -> Result<Request, JournalError> {
        self.mailbox.next(&self.folder, &self.journal.desk).await
    }

    #[cfg(test)]
    pub(super) fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    #[cfg(test)]
    pub(super) fn desk(&self) -> &Desk {
        &self.journal.desk
    }

    /// Stores what has gathered and lets go of the run. Dropping does the same and tells nobody of failures.
    ///
    /// # Errors
    /// When not everything could be stored.
    pub fn release(self) -> Result<(), JournalError> {
        self.journal.close()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // The engine may still hold the journal: it must be closed before the lock falls, not when the last clone goes.
        let _ = self.journal.close();
    }
}

/// What is settled once nobody is in the way.
pub(super) struct Taken {
    /// None of a simulated run, which keeps nobody out.
    pub(super) lock: Option<IdentityLock>,
    pub(super) run: RunId,
    pub(super) identity: Identity,
    pub(super) epoch: u64,
    pub(super) holder: Holder,
}

impl Taken {
    /// Starts the writer.
    pub(super) fn start(self, folder: &StateFolder, desk: Desk, new: Option<NewRun>) -> Result<Held, Refused> {
        let Taken { lock, run, identity, epoch, holder } = self;
        let clock = Arc::clone(&folder.outside().clock);
        let room = Room::of(&folder.database());
        let writer = Writer { connection: folder.writing()?, room, desk: Arc::new(desk), new, epoch, order: Order::default(), clock };
        let journal = Arc::new(SqliteJournal::start(folder, run.clone(), writer)?);
        Ok(Held { run, identity, epoch, holder, journal, mailbox: Mailbox::default(), folder: folder.clone(), _lock: lock })
    }
}
