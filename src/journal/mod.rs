//! WHAT did happen: durable, append-only, one writer. It knows records as bytes and people's locks; it decides nothing.

mod chain;
#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod damage_tests;
mod database;
mod digest;
mod export;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod format_tests;
mod frozen;
mod held;
mod hold;
mod import;
mod key;
mod lock;
mod memory;
mod order;
mod refused;
mod requests;
mod room;
mod runs;
mod seal;
mod sqlite;
mod state;
mod tables;
mod verify;
mod writer;

pub use export::ExportError;
pub use frozen::{Frozen, FrozenFile, FrozenLock};
pub use held::Held;
pub use hold::new_run_id;
pub use import::{ImportError, is_simulated_export, verify_export};
pub use key::SealingKey;
pub use lock::Identity;
pub use memory::{MemoryJournal, MemoryStore};
pub use order::{Commits, Written};
pub use refused::{HeldBy, Refused};
pub use requests::{Request, RequestId};
pub use runs::{RunFilter, RunReader, RunRow, RunState};
pub use state::{Outside, StateFolder};
pub use verify::{Damage, Verified};

use crate::record::{BlobRef, Record};
use futures::future::BoxFuture;

/// Why the journal cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// It cannot be written: nothing new may start.
    #[error("the journal cannot be written: {0}")]
    Write(String),
    /// It cannot be read.
    #[error("the journal cannot be read: {0}")]
    Read(String),
    /// The folder that keeps it cannot be used, whatever was to be done with it.
    #[error("the state folder cannot be used: {0}")]
    Folder(String),
    /// Its content is not what was written.
    #[error("the journal is damaged: {0}")]
    Damaged(String),
    /// Somebody else took the run over.
    #[error("this process no longer holds the run: {0}")]
    Superseded(String),
    /// The key does not open it.
    #[error("the journal's key cannot be used: {0}")]
    Key(String),
}

/// The one writer of one run. Cheap to share; every method may be called from anywhere.
pub trait RunJournal: Send + Sync {
    /// Seals bytes. They become durable with the first record appended after this call.
    ///
    /// # Errors
    /// When they cannot be sealed.
    fn seal(&self, bytes: &[u8]) -> Result<BlobRef, JournalError>;

    /// Opens sealed bytes, also ones that are not durable yet.
    ///
    /// # Errors
    /// When they are absent, damaged, or sealed with another key.
    fn open(&self, blob: &BlobRef) -> Result<Vec<u8>, JournalError>;

    /// Takes a record. Records are stored in the order of the calls, several in one sync.
    ///
    /// # Errors
    /// When an earlier record could not be stored: from then on nothing is taken any more.
    fn append(&self, record: Record) -> Result<(), JournalError>;

    /// Waits until everything appended before the call is durable.
    fn durable(&self) -> BoxFuture<'static, Result<(), JournalError>>;
}
