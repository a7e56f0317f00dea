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
        self.take_over(&stored, epoch, &holder, now)?;
        let desk = Desk::new(stored.head, blob_refs(&self.reading(), stored.no)?);
        desk.no.get_or_init(|| stored.no);
        Taken { lock, run: stored.run, identity: stored.identity, epoch, holder }.start(self, desk, None)
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

    fn take_over(&self, stored: &StoredRun, epoch: u64, holder: &Holder, now: Moment) -> Result<(), JournalError> {
        let mut connection = self.writing()?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(cannot_write)?;
        open_epoch(&transaction, stored.no, epoch, now)?;
        put_holder(&transaction, stored.no, holder, now)?;
        transaction.commit().map_err(cannot_write)
    }

    fn holder(&self) -> Result<Holder, JournalError> {
        let here = self.outside().host.this_process();
        here.map(holder_here).map_err(|e| JournalError::Write(format!("this process cannot name itself: {e}")))
    }
}

/// What went well can be taken back later.
fn may_reopen(outcome: Outcome, mode: Mode) -> bool {
    outcome == Outcome::Succeeded && mode == Mode::Rollback
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
mod tests {
    use crate::ids::RunId;
    use crate::journal::fixture::{KEY, append, begin, identity, note, open, outside};
    use crate::journal::tables::put_holder;
    use crate::journal::{Held, JournalError, Refused, Request, RunFilter, RunState, StateFolder};
    use crate::record::{CancelLevel, Holder, Mode, Outcome, What};

    fn end(held: Held, seq: u64, what: What) -> RunId {
        let run = held.run().clone();
        append(&held, seq, what);
        held.release().unwrap();
        run
    }

    fn state(folder: &StateFolder, run: &RunId) -> RunState {
        folder.run(run).unwrap().state
    }

    /// Makes it look as if the holder had died, or had been somebody else.
    fn forge_holder(folder: &StateFolder, run: &RunId, change: impl Fn(Holder) -> Holder) {
        let stored = folder.stored(run).unwrap();
        let held = stored.holder.unwrap();
        put_holder(&folder.writing().unwrap(), stored.no, &change(held.holder), held.since).unwrap();
    }

    #[test]
    fn a_second_runner_is_refused_and_told_who_is_in_the_way() {
        let place = tempfile::tempdir().unwrap();
        let (folder, other) = (open(place.path()), open(place.path()));
        let held = folder.open_run(&identity("web")).unwrap();
        assert!(matches!(other.open_run(&identity("web")), Err(Refused::Opening(_))));
        begin(&held);
        let error = other.open_run(&identity("web")).unwrap_err();
        let Refused::Held(by) = &error else { panic!("{error}") };
        assert_eq!((&by.run, &by.holder), (held.run(), held.holder()));
        assert!(matches!(other.hold(held.run(), Mode::Abandon), Err(Refused::Held(_))));
        assert_eq!(state(&other, held.run()), RunState::Live);
        assert!(other.open_run(&identity("api")).is_ok(), "another plan is free");
    }

    #[test]
    fn a_run_that_was_never_opened_leaves_no_trace() {
        let place = tempfile::tempdir().unwrap();
        let folder = open(place.path());
        drop(folder.open_run(&identity("web")).unwrap());
        assert_eq!(folder.runs(&RunFilter::default()).unwrap(), []);
        assert!(folder.open_run(&identity("web")).is_ok());
    }

    #[test]
    fn a_run_that_is_not_closed_keeps_the_next_one_out() {
        let place = tempfile::tempdir().unwrap();
        let folder = open(place.path());
        let held = folder.open_run(&identity("web")).unwrap();
        begin(&held);
        let run = end(held, 1, note("on its way"));
        assert_eq!(state(&folder, &run), RunState::Dead);
        let error = folder.open_run(&identity("web")).unwrap_err();
        insta::assert_snapshot!(format!("{error}\n{}", error.hint().unwrap()).replace(run.as_str(), "RUN"), @r#"
        run RUN of `web` in `test` is not closed: dead
        `bowline resume RUN`, `bowline rollback RUN` or `bowline abandon RUN`
        "#);

        let held = folder.hold(&run, Mode::Rollback).unwrap();
        assert_eq!((held.epoch(), held.records().unwrap().len()), (2, 2));
        end(held, 2, What::RunHalted { outcome: Outcome::Stuck, reason: "residue".to_owned() });
        assert_eq!(state(&folder, &run), RunState::Stuck);

        let held = folder.hold(&run, Mode::Abandon).unwrap();
        end(held, 3, What::RunClosed { outcome: Outcome::Abandoned, notes: Vec::new() });
        assert_eq!(state(&folder, &run), RunState::Closed(Outcome::Abandoned));
        assert!(matches!(folder.hold(&run, Mode::Resume), Err(Refused::Closed { .. })));
        assert!(folder.open_run(&identity("web")).is_ok());
    }

    #[test]
    fn a_dead_holder_is_taken_over() {
        let place = tempfile::tempdir().unwrap();
        let folder = open(place.path());
        let held = folder.open_run(&identity("web")).unwrap();
        begin(&held);
        let run = held.run().clone();
        drop(held);
        for change in [
            |holder: Holder| Holder { started: holder.started + 1, ..holder },
            |holder: Holder| Holder { pid: u32::MAX, ..holder },
            |holder: Holder| Holder { boot: "an earlier one".to_owned(), ..holder },
        ] {
            forge_holder(&folder, &run, change);
            assert_eq!(state(&folder, &run), RunState::Dead);
            assert!(matches!(folder.open_run(&identity("web")), Err(Refused::Unfinished { state: RunState::Dead, .. })));
            drop(folder.hold(&run, Mode::Resume).unwrap());
        }
    }

    #[test]
    fn a_holder_whose_lock_file_was_taken_away_is_still_in_the_way() {
        let place = tempfile::tempdir().unwrap();
        let folder = open(place.path());
        let held = folder.open_run(&identity("web")).unwrap();
        begin(&held);
        std::fs::remove_dir_all(place.path().join("locks")).unwrap();
        std::fs::create_dir(place.path().join("locks")).unwrap();
        assert!(matches!(folder.open_run(&identity("web")), Err(Refused::Held(_))));
        assert!(matches!(folder.hold(held.run(), Mode::Resume), Err(Refused::Held(_))));
    }

    #[test]
    fn a_run_of_another_machine_can_only_be_abandoned() {
        let place = tempfile::tempdir().unwrap();
        let folder = open(place.path());
        let held = folder.open_run(&identity("web")).unwrap();
        begin(&held);
        let run = held.run().clone();
        drop(held);
        forge_holder(&folder, &run, |holder| Holder {
            host: "far".to_owned(),
            boot: "another".to_owned(),
            pid: 7,
            user: "eve".to_owned(),
            ..holder
        });
        assert_eq!(state(&folder, &run), RunState::Elsewhere);
        assert!(matches!(folder.open_run(&identity("web")), Err(Refused::Elsewhere(_))));
        let error = folder.hold(&run, Mode::Resume).unwrap_err();
        let since = folder.run(&run).unwrap().since.unwrap().to_string();
        let told = format!("{error}\n{}", error.hint().unwrap()).replace(run.as_str(), "RUN").replace(&since, "THEN");
        insta::assert_snapshot!(told, @r#"
        run RUN is held by process 7 of eve on far, which cannot be seen from here, since THEN
        go on with it on far; if that machine is gone for good, `bowline abandon RUN`
        "#);
        let cancel = Request::Cancel { level: CancelLevel::Halt, by: "bob".to_owned() };
        assert!(matches!(folder.request(&run, &cancel), Err(Refused::Elsewhere(_))));
        assert!(folder.hold(&run, Mode::Abandon).is_ok());
    }

    #[test]
    fn another_key_is_refused_before_anything_is_done() {
        let place = tempfile::tempdir().unwrap();
        let folder = open(place.path());
        let held = folder.open_run(&identity("web")).unwrap();
        begin(&held);
        let run = held.run().clone();
        drop(held);
        let other = StateFolder::open(place.path(), outside(), Some(KEY.replace('0', "f"))).unwrap();
        let error = other.hold(&run, Mode::Resume).unwrap_err();
        insta::assert_snapshot!(error.to_string().replace(run.as_str(), "RUN"), @"the journal's key cannot be used: run RUN was sealed with key 869e1df820029b4f, this is key 374b10a382345060: give that one as BOWLINE_KEY, or put its key file back");
        assert!(matches!(other.reader(&run), Err(Refused::Journal(JournalError::Key(_)))));
        assert!(other.hold(&run, Mode::Abandon).is_ok(), "a run whose key is lost can still be closed");
    }

    #[test]
    fn an_unknown_run_is_told() {
        let place = tempfile::tempdir().unwrap();
        let run = RunId::new("20261121-034200-7f3a").unwrap();
        assert!(matches!(open(place.path()).hold(&run, Mode::Resume), Err(Refused::Unknown(_))));
    }
}
