//! What other shells ask of a run: they put it into a table, the holder looks there. Only the holder writes records.
//!
//! The holder asks SQLite five times a second whether another connection has committed anything, which reads a counter in shared memory
//! and no file. A notification by the kernel would need a crate more and does not work on every file system; a socket would need a name,
//! a protocol and somebody to tidy up after a crash.

use super::database::{cannot_read, cannot_write};
use super::hold::elsewhere;
use super::runs::RunState;
use super::state::StateFolder;
use super::tables::to_text;
use super::writer::Desk;
use super::{JournalError, Refused};
use crate::ids::{Moment, RunId, StepId};
use crate::record::CancelLevel;
use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How often the holder looks.
const LOOK: Duration = Duration::from_millis(200);

/// Something that another shell asks of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// A person says yes.
    #[serde(rename_all = "kebab-case")]
    Approve {
        /// To this step.
        step: StepId,
        /// Who.
        by: String,
        /// Their words.
        comment: Option<String>,
    },
    /// A person says no.
    #[serde(rename_all = "kebab-case")]
    Reject {
        /// To this step.
        step: StepId,
        /// Who.
        by: String,
        /// Their words.
        comment: Option<String>,
    },
    /// Somebody wants the run to stop.
    #[serde(rename_all = "kebab-case")]
    Cancel {
        /// How.
        level: CancelLevel,
        /// Who.
        by: String,
    },
}

/// A request that was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(i64);

impl StateFolder {
    /// Asks something of the process that holds a run.
    ///
    /// # Errors
    /// When there is no such run, or nobody holds it: then nobody would answer.
    pub fn request(&self, run: &RunId, request: &Request) -> Result<RequestId, Refused> {
        let stored = self.stored(run)?;
        match self.state(&stored)? {
            RunState::Live => {}
            RunState::Elsewhere => return Err(elsewhere(&stored)),
            RunState::Closed(outcome) => return Err(Refused::Closed { run: run.clone(), outcome }),
            state => return Err(Refused::Resting { run: run.clone(), state }),
        }
        let connection = self.writing()?;
        let values = params![stored.no, to_text(request)?, self.outside().clock.now().as_millis()];
        let put = connection.execute("INSERT INTO requests (no, kind, at) VALUES (?1, ?2, ?3)", values);
        put.map_err(cannot_write)?;
        Ok(RequestId(connection.last_insert_rowid()))
    }

    /// True once the holder has answered a request with a durable record, or a later holder has made it void.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn is_taken(&self, request: RequestId) -> Result<bool, JournalError> {
        let sql = "SELECT taken IS NOT NULL FROM requests WHERE id = ?1";
        self.reading().query_row(sql, [request.0], |row| row.get(0)).map_err(cannot_read)
    }

    /// Takes a request back that nobody has answered: then nobody will. False when somebody has.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn withdraw(&self, request: RequestId) -> Result<bool, JournalError> {
        let now = self.outside().clock.now().as_millis();
        let sql = "UPDATE requests SET taken = ?2 WHERE id = ?1 AND taken IS NULL";
        self.writing()?.execute(sql, params![request.0, now]).map(|changed| changed == 1).map_err(cannot_write)
    }
}

/// Notes that requests were answered.
pub(super) fn mark_taken(connection: &Connection, requests: &[i64], at: Moment) -> Result<(), JournalError> {
    for id in requests {
        let put = || {
            connection
                .prepare_cached("UPDATE requests SET taken = ?2 WHERE id = ?1 AND taken IS NULL")?
                .execute(params![id, at.as_millis()])
        };
        put().map_err(cannot_write)?;
    }
    Ok(())
}

/// Where the holder looks.
#[derive(Debug, Default)]
pub(super) struct Mailbox(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// The last request that was handed out.
    last: i64,
    /// What SQLite's counter said when there was nothing new.
    version: Option<i64>,
}

impl Mailbox {
    pub(super) async fn next(&self, folder: &StateFolder, desk: &Desk) -> Result<Request, JournalError> {
        loop {
            if let Some(request) = self.look(folder, desk)? {
                return Ok(request);
            }
            folder.outside().clock.sleep(LOOK).await;
        }
    }

    fn look(&self, folder: &StateFolder, desk: &Desk) -> Result<Option<Request>, JournalError> {
        let Some(no) = desk.no.get() else { return Ok(None) };
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = folder.reading();
        let version = connection.pragma_query_value(None, "data_version", |row| row.get::<_, i64>(0)).map_err(cannot_read)?;
        if seen.version == Some(version) {
            return Ok(None);
        }
        let sql = "SELECT id, kind FROM requests WHERE no = ?1 AND id > ?2 AND taken IS NULL ORDER BY id LIMIT 1";
        let get = || connection.prepare_cached(sql)?.query_row(params![no, seen.last], |row| Ok((row.get(0)?, row.get(1)?))).optional();
        let found: Option<(i64, String)> = get().map_err(cannot_read)?;
        let Some((id, kind)) = found else {
            seen.version = Some(version);
            return Ok(None);
        };
        seen.last = id;
        // Somebody with a newer bowline may ask for what this one does not know: it stays unanswered for them, and stops nothing here.
        let Ok(request) = serde_json::from_str(&kind) else { return Ok(None) };
        desk.queue().taken.push(id);
        Ok(Some(request))
    }
}

#[cfg(test)]
mod tests {
    use super::Request;
    use crate::ids::StepId;
    use crate::journal::Refused;
    use crate::journal::fixture::{append, begin, identity, note, open};
    use crate::record::{CancelLevel, Mode};
    use futures::FutureExt;
    use futures::executor::block_on;

    fn approve() -> Request {
        Request::Approve { step: StepId::new("gate").unwrap(), by: "ann".to_owned(), comment: Some("fine".to_owned()) }
    }

    fn cancel() -> Request {
        Request::Cancel { level: CancelLevel::RollBack, by: "bob".to_owned() }
    }

    #[test]
    fn what_another_shell_asks_reaches_the_holder_in_order_and_once() {
        let place = tempfile::tempdir().unwrap();
        let (folder, shell) = (open(place.path()), open(place.path()));
        let held = folder.open_run(&identity("web")).unwrap();
        begin(&held);
        assert_eq!(shell.runs(&Default::default()).unwrap().len(), 1);
        let ids = [approve(), cancel()].map(|request| shell.request(held.run(), &request).unwrap());
        assert_eq!(held.next_request().now_or_never().unwrap().unwrap(), approve());
        assert_eq!(held.next_request().now_or_never().unwrap().unwrap(), cancel());
        assert!(held.mailbox().look(&folder, held.desk()).unwrap().is_none());
        assert!(!shell.is_taken(ids[0]).unwrap(), "not before a record is durable");
        append(&held, 1, note("the answer"));
        block_on(held.journal().durable()).unwrap();
        assert!(ids.iter().all(|id| shell.is_taken(*id).unwrap()));
    }

    #[test]
    fn the_next_holder_is_asked_again_for_all_but_a_halt() {
        let place = tempfile::tempdir().unwrap();
        let folder = open(place.path());
        let held = folder.open_run(&identity("web")).unwrap();
        begin(&held);
        let run = held.run().clone();
        let halt = Request::Cancel { level: CancelLevel::Halt, by: "bob".to_owned() };
        let ids = [halt, cancel(), approve()].map(|request| folder.request(&run, &request).unwrap());
        drop(held);
        let held = folder.hold(&run, Mode::Resume).unwrap();
        assert!(folder.is_taken(ids[0]).unwrap(), "it was halted when its process ended");
        assert_eq!(held.next_request().now_or_never().unwrap().unwrap(), cancel());
        drop(held);
        let held = folder.hold(&run, Mode::Rollback).unwrap();
        assert_eq!(held.next_request().now_or_never().unwrap().unwrap(), approve(), "it goes back without being told");
    }

    #[test]
    fn what_is_withdrawn_is_asked_of_nobody() {
        let place = tempfile::tempdir().unwrap();
        let folder = open(place.path());
        let held = folder.open_run(&identity("web")).unwrap();
        begin(&held);
        let ids = [cancel(), approve()].map(|request| folder.request(held.run(), &request).unwrap());
        assert_eq!([folder.withdraw(ids[0]), folder.withdraw(ids[0])].map(Result::unwrap), [true, false]);
        assert_eq!(held.next_request().now_or_never().unwrap().unwrap(), approve());
        append(&held, 1, note("the answer"));
        block_on(held.journal().durable()).unwrap();
        assert!(!folder.withdraw(ids[1]).unwrap(), "it is answered");
    }

    #[test]
    fn nobody_is_asked_in_vain() {
        let place = tempfile::tempdir().unwrap();
        let folder = open(place.path());
        let held = folder.open_run(&identity("web")).unwrap();
        begin(&held);
        let run = held.run().clone();
        drop(held);
        let error = folder.request(&run, &approve()).unwrap_err();
        assert!(matches!(error, Refused::Resting { .. }));
        insta::assert_snapshot!(format!("{error}\n{}", error.hint().unwrap()).replace(run.as_str(), "RUN"), @r#"
        nobody works on run RUN: dead
        `bowline resume RUN`, `bowline rollback RUN` or `bowline abandon RUN`
        "#);
    }

    #[test]
    fn a_request_keeps_its_stored_form() {
        insta::assert_snapshot!(serde_json::to_string(&[approve(), cancel()]).unwrap(), @r#"[{"approve":{"step":"gate","by":"ann","comment":"fine"}},{"cancel":{"level":"roll-back","by":"bob"}}]"#);
    }
}
