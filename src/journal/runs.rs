//! Looks at the runs of a state folder: which there are, how they stand, what they recorded. It writes nothing.

use super::lock::{Identity, IdentityLock, Life, life};
use super::seal;
use super::state::StateFolder;
use super::tables::{Rest, StoredRun, blob_bytes, each_record, select_run, select_runs};
use super::{JournalError, Refused};
use crate::ids::{Moment, PlanName, RunId};
use crate::record::{BlobRef, Holder, Outcome, Record};
use std::fmt;

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// A process works on it.
    Live,
    /// Its process is gone in the middle of it.
    Dead,
    /// Its process is on a machine that cannot be seen from here.
    Elsewhere,
    /// Stopped on purpose, or past the pivot.
    Halted,
    /// Something that it wrote is still live.
    Stuck,
    /// It is over.
    Closed(Outcome),
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            RunState::Live => "live",
            RunState::Dead => "dead",
            RunState::Elsewhere => "elsewhere",
            RunState::Halted => "halted",
            RunState::Stuck => "stuck",
            RunState::Closed(outcome) => outcome_name(*outcome),
        })
    }
}

/// An outcome as records write it.
pub(super) fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::RolledBack => "rolled-back",
        Outcome::Stuck => "stuck",
        Outcome::Halted => "halted",
        Outcome::Abandoned => "abandoned",
    }
}

/// A run as a list shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow {
    /// The run.
    pub run: RunId,
    /// Its plan and environment.
    pub identity: Identity,
    /// When it opened, by the clock of its machine.
    pub opened: Moment,
    /// How it stands.
    pub state: RunState,
    /// How many records it has.
    pub records: u64,
    /// How many processes have held it.
    pub epoch: u64,
    /// Who holds it, or held it last.
    pub holder: Option<Holder>,
    /// Since when.
    pub since: Option<Moment>,
}

/// Which runs to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Of this plan only.
    pub plan: Option<PlanName>,
    /// Of this environment only.
    pub environment: Option<String>,
    /// Only those that are not closed.
    pub unclosed: bool,
    /// At most so many.
    pub limit: Option<u32>,
}

impl StateFolder {
    /// The runs that a filter lets through, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, JournalError> {
        let condition = "(?1 IS NULL OR r.plan = ?1) AND (?2 IS NULL OR r.environment = ?2) AND (h.closed = 0 OR NOT ?3)";
        let plan = filter.plan.as_ref().map(PlanName::as_str);
        let mut stored = select_runs(&self.reading(), condition, &[&plan, &filter.environment, &filter.unclosed])?;
        stored.truncate(filter.limit.map_or(usize::MAX, |limit| limit as usize));
        stored.into_iter().map(|run| self.row(run)).collect()
    }

    /// One run.
    ///
    /// # Errors
    /// When there is none, or the database cannot be read.
    pub fn run(&self, run: &RunId) -> Result<RunRow, Refused> {
        Ok(self.row(self.stored(run)?)?)
    }

    /// A run's records, oldest first.
    ///
    /// # Errors
    /// When there is no such run, or a record cannot be read.
    pub fn records(&self, run: &RunId) -> Result<Vec<Record>, Refused> {
        let no = self.stored(run)?.no;
        let mut records = Vec::new();
        each_record(&self.reading(), no, |seq, bytes, _| {
            records.push(serde_json::from_slice(bytes).map_err(|e| unreadable(seq, bytes, &e))?);
            Ok(())
        })?;
        Ok(records)
    }

    /// Opens a run's blobs.
    ///
    /// # Errors
    /// When there is no such run, or its key is not at hand.
    pub fn reader(&self, run: &RunId) -> Result<RunReader, Refused> {
        let stored = self.stored(run)?;
        check_key(&stored, self.key_to_open()?.check())?;
        Ok(RunReader { folder: self.clone(), no: stored.no })
    }

    pub(super) fn stored(&self, run: &RunId) -> Result<StoredRun, Refused> {
        select_run(&self.reading(), run)?.ok_or_else(|| Refused::Unknown(run.clone()))
    }

    pub(super) fn state(&self, stored: &StoredRun) -> Result<RunState, JournalError> {
        self.state_if(stored, || self.is_locked(&stored.identity))
    }

    /// How a run stands for whoever has the lock of its identity, and so need not ask for it.
    pub(super) fn state_under_lock(&self, stored: &StoredRun) -> Result<RunState, JournalError> {
        self.state_if(stored, || Ok(false))
    }

    fn state_if(&self, stored: &StoredRun, locked: impl Fn() -> Result<bool, JournalError>) -> Result<RunState, JournalError> {
        let resting = match stored.rests {
            Some(Rest { outcome, closed: true }) => return Ok(RunState::Closed(outcome)),
            Some(Rest { outcome: Outcome::Stuck, .. }) => RunState::Stuck,
            Some(_) => RunState::Halted,
            None => RunState::Dead,
        };
        let Some(holder) = stored.holder.as_ref().filter(|holder| holder.released.is_none()) else { return Ok(resting) };
        let host = &*self.outside().host;
        let here = host.this_process().map_err(|e| JournalError::Read(e.to_string()))?;
        Ok(match life(host, &here, &holder.holder) {
            Life::Living => RunState::Live,
            Life::Elsewhere => RunState::Elsewhere,
            Life::Unseen if locked()? => RunState::Live,
            Life::Unseen | Life::Gone => resting,
        })
    }

    fn is_locked(&self, identity: &Identity) -> Result<bool, JournalError> {
        IdentityLock::is_taken(&self.locks(), identity).map_err(|e| JournalError::Read(format!("the lock of {identity}: {e}")))
    }

    pub(super) fn row(&self, stored: StoredRun) -> Result<RunRow, JournalError> {
        let state = self.state(&stored)?;
        let (holder, since) = stored.holder.map_or((None, None), |held| (Some(held.holder), Some(held.since)));
        let StoredRun { run, identity, opened, head, epoch, .. } = stored;
        Ok(RunRow { run, identity, opened, state, records: head.count, epoch, holder, since })
    }
}

/// Tells a record of a newer program from a damaged one.
fn unreadable(seq: u64, bytes: &[u8], error: &serde_json::Error) -> JournalError {
    let version = serde_json::from_slice::<serde_json::Value>(bytes).ok().and_then(|json| json["v"].as_u64());
    match version {
        Some(version) if version > u64::from(crate::record::VERSION) => {
            JournalError::Read(format!("record {seq} is of version {version}: update this bowline"))
        }
        _ => JournalError::Damaged(format!("record {seq} cannot be read: {error}")),
    }
}

pub(super) fn check_key(stored: &StoredRun, check: &str) -> Result<(), JournalError> {
    match stored.sealed_with == check {
        true => Ok(()),
        false => Err(JournalError::Key(format!(
            "run {} was sealed with key {}, this is key {check}: give that one as BOWLINE_KEY, or put its key file back",
            stored.run, stored.sealed_with
        ))),
    }
}

/// Opens the blobs of one run.
#[derive(Debug, Clone)]
pub struct RunReader {
    folder: StateFolder,
    no: i64,
}

impl RunReader {
    /// A blob's content.
    ///
    /// # Errors
    /// When it is absent or damaged.
    pub fn open(&self, blob: &BlobRef) -> Result<Vec<u8>, JournalError> {
        let bytes = blob_bytes(&self.folder.reading(), self.no, &blob.id)?;
        let sealed = bytes.ok_or_else(|| JournalError::Damaged(format!("there is no blob {}", blob.id)))?;
        seal::open(&*self.folder.key_to_open()?, blob, &sealed)
    }
}
