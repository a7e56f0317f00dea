//! Why a run cannot be taken in hand, in words that name who is in the way and what to type. It decides nothing.

use super::JournalError;
use super::lock::Identity;
use super::runs::RunState;
use crate::ids::{Moment, RunId};
use crate::record::{Holder, Outcome};

/// Who holds a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBy {
    /// The run.
    pub run: RunId,
    /// Its plan and environment.
    pub identity: Identity,
    /// The process.
    pub holder: Holder,
    /// Since when.
    pub since: Moment,
}

/// Why a run cannot be opened or taken in hand.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A living process works on a run of this identity.
    #[error("{identity} is held by run {run}: process {pid} of {user} on {host}",
        identity = .0.identity, run = .0.run, pid = .0.holder.pid, user = .0.holder.user, host = .0.holder.host)]
    Held(Box<HeldBy>),
    /// A process is about to hold a run of this identity, and has not yet said who it is.
    #[error("another process is just opening a run of {0}")]
    Opening(Identity),
    /// A run of this identity is not closed.
    #[error("run {run} of {identity} is not closed: {state}")]
    Unfinished {
        /// The run.
        run: RunId,
        /// Its plan and environment.
        identity: Identity,
        /// Where it rests.
        state: RunState,
    },
    /// The holder is on a machine that cannot be seen from here.
    #[error("run {run} is held by process {pid} of {user} on {host}, which cannot be seen from here",
        run = .0.run, pid = .0.holder.pid, user = .0.holder.user, host = .0.holder.host)]
    Elsewhere(Box<HeldBy>),
    /// The run is over.
    #[error("run {run} is closed: {outcome}", outcome = super::runs::outcome_name(*outcome))]
    Closed {
        /// The run.
        run: RunId,
        /// How it ended.
        outcome: Outcome,
    },
    /// The run does not live: nobody would answer.
    #[error("nobody works on run {run}: {state}")]
    Resting {
        /// The run.
        run: RunId,
        /// Where it rests.
        state: RunState,
    },
    /// There is no such run.
    #[error("there is no run {0} in this state folder")]
    Unknown(RunId),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Refused {
    /// Since when somebody holds what is refused.
    pub fn since(&self) -> Option<Moment> {
        match self {
            Refused::Held(by) | Refused::Elsewhere(by) => Some(by.since),
            _ => None,
        }
    }

    /// What to type next.
    pub fn hint(&self) -> Option<String> {
        match self {
            Refused::Held(by) => Some(format!("wait for it, or stop it with `bowline cancel {}`", by.run)),
            Refused::Opening(_) => Some("try again".to_owned()),
            Refused::Unfinished { run, .. } | Refused::Resting { run, .. } => {
                Some(format!("`bowline resume {run}`, `bowline rollback {run}` or `bowline abandon {run}`"))
            }
            Refused::Elsewhere(by) => {
                Some(format!("go on with it on {}; if that machine is gone for good, `bowline abandon {}`", by.holder.host, by.run))
            }
            Refused::Closed { run, .. } => Some(format!("`bowline show {run}` tells what it did")),
            Refused::Unknown(_) => Some("`bowline runs` lists them".to_owned()),
            Refused::Journal(_) => None,
        }
    }
}
