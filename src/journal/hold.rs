//! Taking a run in hand. It knows who may; what is done with the run is the engine's.

use super::chain::Head;
use super::database::cannot_write;
use super::held::{Held, Taken};
use super::lock::{Identity, IdentityLock, Life, holder_here, life};
use super::refused::HeldBy;
use super::runs::{RunState, check_key};
use super::state::StateFolder;
use super::tables::{Rest, StoredRun, blob_refs, each_record, open_epoch, put_holder, select_unclosed};
use super::verify::Verifier;
use super::writer::{Desk, NewRun};
use super::{JournalError, Refused};
use crate::ids::{Moment, RunId};
use crate::ports::{Clock, Random};
use crate::record::{Holder, Mode, Outcome};
use rusqlite::TransactionBehavior;

/// A new run's id: the wall clock's second, and four random digits that keep runs of one second apart.
///
/// # Errors
/// When the system has no randomness.
pub fn new_run_id(clock: &dyn Clock, random: &dyn Random) -> Result<RunId, JournalError> {
    let mut bytes = [0; 2];
    random.fill(&mut bytes).map_err(|e| JournalError::Write(e.to_string()))?;
    let id = format!("{}-{}", clock.now().0.strftime("%Y%m%d-%H%M%S"), super::digest::hex(&bytes));
    RunId::new(&id).map_err(|e| JournalError::Write(format!("the clock makes the run's id `{id}`: {e}")))
}

impl StateFolder {
    /// Opens a run. It exists once its first record, `run-opened`, is durable; a run that ends before leaves no trace.
    ///
    /// # Errors
    /// When a living process holds a run of this identity, or one is not closed.
    pub fn open_run(&self, identity: &Identity) -> Result<Held, Refused> {
        self.open_run_as(identity, None)
    }

    /// As [`Self::open_run`], under an id that somebody chose; without one it gets a new one.
    ///
    /// # Errors
    /// As [`Self::open_run`]. An id that another run has already is refused with the first record.
    pub fn open_run_as(&self, identity: &Identity, chosen: Option<RunId>) -> Result<Held, Refused> {
        let lock = self.take(identity)?;
        let unclosed = select_unclosed(&self.reading(), identity)?;
        if let Some(stored) = unclosed {
            // The lock alone would not show a living holder whose lock file somebody took away.
            let state = self.state_under_lock(&stored)?;
            return Err(match (state, held_by(&stored)) {
                (RunState::Live, Some(by)) => Refused::Held(Box::new(by)),
                (RunState::Elsewhere, _) => elsewhere(&stored),
                _ => Refused::Unfinished { run: stored.run, identity: identity.clone(), state },
            });
        }
        self.begin(Some(lock), identity, chosen)
    }

    /// Opens a run of a simulated world, which shares nothing with any other: none keeps it out, and it keeps none out.
    ///
    /// # Errors
    /// When the folder cannot be written. An id that another run has already is refused with the first record.
    pub fn open_simulated(&self, identity: &Identity, chosen: Option<RunId>) -> Result<Held, Refused> {
        self.begin(None, identity, chosen)
    }

    fn begin(&self, lock: Option<IdentityLock>, identity: &Identity, chosen: Option<RunId>) -> Result<Held, Refused> {
        let outside = self.outside();
        let run = match chosen {
            Some(run) => run,
            None => new_run_id(&*outside.clock, &*outside.random)?,
        };
        let holder = self.holder()?;
        let new = NewRun {
            run: run.clone(),
            identity: identity.clone(),
            sealed_with: self.key()?.check().to_owned(),
            holder: holder.clone(),
            since: outside.clock.now(),
        };
        let desk = Desk::new(Head::of_new(&run), Vec::new());
        Taken { lock, run, identity: identity.clone(), epoch: 1, holder }.start(self, desk, Some(new))
    }

    /// Takes a run that is not closed in hand, as its next epoch. `mode` says for what: only `abandon` may take a run from a machine that
    /// cannot be seen from here, and may do so without the run's key.
    ///
    /// # Errors
    /// When a living process holds it, it is closed or unknown, its records are damaged, or its key is not at hand.
    pub fn hold(&self, run: &RunId, mode: Mode) -> Result<Held, Refused> {
        self.hold_from(run, mode, mode == Mode::Abandon)
    }

    /// As [`Self::hold`], also from a machine that cannot be seen from here: for whoever knows from elsewhere that nobody works on the run
    /// there any more.
    ///
    /// # Errors
    /// As [`Self::hold`].
    pub fn hold_from_elsewhere(&self, run: &RunId, mode: Mode) -> Result<Held, Refused> {
        self.hold_from(run, mode, true)
    }

    fn hold_from(&self, run: &RunId, mode: Mode, elsewhere: bool) -> Result<Held, Refused> {
        let found = self.stored(run)?;
        if let RunState::Closed(outcome) = self.state(&found)?
            && !may_reopen(outcome, mode)
        {
            return Err(Refused::Closed { run: run.clone(), outcome });
        }
        let lock = self.take(&found.identity)?;
        // Only what is read under the lock stays true.
        let stored = self.stored(run)?;
        self.check_free(&stored, mode, elsewhere)?;
        if mode != Mode::Abandon {
            check_key(&stored, self.key_to_open()?.check())?;
            self.check_chain(&stored)?;
        }
        let (epoch, holder) = (stored.epoch + 1, self.holder()?);
        let now = self.outside().clock.now();
        self.take_over(&stored, epoch, mode, &holder, now)?;
        let desk = Desk::new(stored.head, blob_refs(&self.reading(), stored.no)?);
        desk.no.get_or_init(|| stored.no);
        Taken { lock: Some(lock), run: stored.run, identity: stored.identity, epoch, holder }.start(self, desk, None)
    }

    fn take(&self, identity: &Identity) -> Result<IdentityLock, Refused> {
        let taken = IdentityLock::take(&self.locks(), identity).map_err(|e| JournalError::Write(format!("the lock of {identity}: {e}")))?;
        if let Some(lock) = taken {
            return Ok(lock);
        }
        let unclosed = select_unclosed(&self.reading(), identity)?;
        let by = unclosed.filter(|run| run.holder.as_ref().is_some_and(|holder| holder.released.is_none())).as_ref().and_then(held_by);
        Err(by.map_or_else(|| Refused::Opening(identity.clone()), |by| Refused::Held(Box::new(by))))
    }

    /// With the lock in hand, says whether the holder before may still be at work.
    fn check_free(&self, stored: &StoredRun, mode: Mode, elsewhere: bool) -> Result<(), Refused> {
        if let Some(Rest { outcome, closed: true }) = stored.rests {
            if !may_reopen(outcome, mode) {
                return Err(Refused::Closed { run: stored.run.clone(), outcome });
            }
            // Two open runs of one plan would not know of each other.
            if let Some(other) = select_unclosed(&self.reading(), &stored.identity)? {
                let state = self.state_under_lock(&other)?;
                return Err(Refused::Unfinished { run: other.run, identity: stored.identity.clone(), state });
            }
            return Ok(());
        }
        let Some(held) = stored.holder.as_ref().filter(|held| held.released.is_none()) else { return Ok(()) };
        let host = &*self.outside().host;
        let here = host.this_process().map_err(|e| JournalError::Read(e.to_string()))?;
        let by = held_by(stored).map(Box::new);
        match (life(host, &here, &held.holder), by) {
            (Life::Living, Some(by)) => Err(Refused::Held(by)),
            (Life::Elsewhere, _) if !elsewhere => Err(self::elsewhere(stored)),
            _ => Ok(()),
        }
    }

    fn check_chain(&self, stored: &StoredRun) -> Result<(), JournalError> {
        let mut verifier = Verifier::new(&stored.run);
        each_record(&self.reading(), stored.no, |seq, bytes, hash| {
            verifier.record(seq, bytes, hash);
            Ok(())
        })?;
        match verifier.records_only(stored.head) {
            Some(damage) => Err(JournalError::Damaged(format!("{damage}: `bowline journal verify {}` tells more", stored.run))),
            None => Ok(()),
        }
    }

    fn take_over(&self, stored: &StoredRun, epoch: u64, mode: Mode, holder: &Holder, now: Moment) -> Result<(), JournalError> {
        let mut connection = self.writing()?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(cannot_write)?;
        open_epoch(&transaction, stored.no, epoch, mode, now)?;
        put_holder(&transaction, stored.no, holder, now)?;
        transaction.commit().map_err(cannot_write)
    }

    fn holder(&self) -> Result<Holder, JournalError> {
        let here = self.outside().host.this_process();
        here.map(holder_here).map_err(|e| JournalError::Write(format!("this process cannot name itself: {e}")))
    }
}

/// What went well can be taken back later, and so can what a rollback of a part has left: the run's records tell whether there is any.
fn may_reopen(outcome: Outcome, mode: Mode) -> bool {
    matches!(outcome, Outcome::Succeeded | Outcome::RolledBack) && mode == Mode::Rollback
}

/// Says that a run is held on a machine that cannot be seen from here.
pub(super) fn elsewhere(stored: &StoredRun) -> Refused {
    held_by(stored).map_or_else(|| Refused::Opening(stored.identity.clone()), |by| Refused::Elsewhere(Box::new(by)))
}

fn held_by(stored: &StoredRun) -> Option<HeldBy> {
    let held = stored.holder.as_ref()?;
    Some(HeldBy { run: stored.run.clone(), identity: stored.identity.clone(), holder: held.holder.clone(), since: held.since })
}

#[cfg(test)]
mod tests;
