//! One live run of an identity at a time in a state folder. It knows files and holders, not what they do with the run.
//!
//! The kernel's lock on a file says who lives: it falls when its process dies, however that happens, and it holds across PID namespaces.
//! The holder's row only gives the message its names. Machines that do not share the folder are kept out by a Lease, which `cli::lock` takes
//! between this lock and the run's first record, and gives up before the [`super::Held`] goes.

use super::digest::{hex, sha256};
use super::state::lock_file;
use crate::ids::PlanName;
use crate::ports::{Host, ProcessFacts};
use crate::record::Holder;
use std::fmt;
use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

/// What runs must not share: a plan, in one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The plan.
    pub plan: PlanName,
    /// The environment that was chosen.
    pub environment: Option<String>,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.environment {
            Some(environment) => write!(f, "`{}` in `{environment}`", self.plan),
            None => write!(f, "`{}`", self.plan),
        }
    }
}

impl Identity {
    /// A plan's name fits into a file name; an environment's may hold anything.
    fn file_name(&self) -> String {
        match &self.environment {
            Some(environment) => format!("{}.{}.lock", self.plan, &hex(&sha256(&[environment.as_bytes()]))[..16]),
            None => format!("{}.lock", self.plan),
        }
    }
}

/// A lock on an identity; it falls with this value, or with the process.
#[derive(Debug)]
pub(super) struct IdentityLock {
    _file: File,
}

/// How often, and how long after one another, a lock is tried whose holder does not seem to live: somebody may just be looking whether it is taken.
const TRIES: u32 = 10;
const BETWEEN: Duration = Duration::from_millis(5);

impl IdentityLock {
    /// Takes the lock; none when somebody has it.
    pub(super) fn take(locks: &Path, identity: &Identity) -> io::Result<Option<Self>> {
        let file = lock_file(locks, &identity.file_name())?;
        for attempt in 1..=TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self { _file: file })),
                Err(TryLockError::WouldBlock) if attempt < TRIES => std::thread::sleep(BETWEEN),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(e)) => return Err(e),
            }
        }
        Ok(None)
    }

    /// True when somebody has it.
    pub(super) fn is_taken(locks: &Path, identity: &Identity) -> io::Result<bool> {
        match lock_file(locks, &identity.file_name())?.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(e)) => Err(e),
        }
    }
}

/// What can be said of a holder from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// It lives.
    Living,
    /// It is not to be seen on its own kernel: gone, or in a PID namespace of its own, which the lock tells.
    Unseen,
    /// Its machine was booted again.
    Gone,
    /// It is, or was, on a machine that cannot be seen from here.
    Elsewhere,
}

/// Judges a holder by its process. A boot is one kernel, whatever host names it carries.
pub(super) fn life(host: &dyn Host, here: &ProcessFacts, holder: &Holder) -> Life {
    if holder.boot == here.boot {
        return if host.started(holder.pid) == Some(holder.started) { Life::Living } else { Life::Unseen };
    }
    if holder.host == here.host { Life::Gone } else { Life::Elsewhere }
}

/// This process as a record names it.
pub(super) fn holder_here(here: ProcessFacts) -> Holder {
    Holder { host: here.host, pid: here.pid, started: here.started, boot: here.boot, user: here.user }
}

#[cfg(test)]
mod tests {
    use super::{Identity, IdentityLock, Life, holder_here, life};
    use crate::ids::PlanName;
    use crate::ports::{Host, ProcessFacts, SystemHost};
    use crate::record::Holder;

    fn identity(plan: &str, environment: Option<&str>) -> Identity {
        Identity { plan: PlanName::new(plan).unwrap(), environment: environment.map(str::to_owned) }
    }

    #[test]
    fn a_lock_keeps_others_out_until_it_falls() {
        let folder = tempfile::tempdir().unwrap();
        let web = identity("web", Some("../odd name"));
        let held = IdentityLock::take(folder.path(), &web).unwrap().unwrap();
        assert!(IdentityLock::take(folder.path(), &web).unwrap().is_none());
        assert!(IdentityLock::is_taken(folder.path(), &web).unwrap());
        for other in [identity("web", None), identity("web", Some("staging")), identity("api", Some("../odd name"))] {
            assert!(IdentityLock::take(folder.path(), &other).unwrap().is_some());
        }
        drop(held);
        assert!(!IdentityLock::is_taken(folder.path(), &web).unwrap());
        assert!(IdentityLock::take(folder.path(), &web).unwrap().is_some());
    }

    #[test]
    fn a_holder_is_judged_by_its_boot_then_by_its_process() {
        let here = ProcessFacts { host: "a".to_owned(), boot: "1".to_owned(), ..SystemHost.this_process().unwrap() };
        let me = holder_here(here.clone());
        let judge = |holder: Holder| life(&SystemHost, &here, &holder);
        assert_eq!(judge(me.clone()), Life::Living);
        assert_eq!(judge(Holder { host: "renamed".to_owned(), ..me.clone() }), Life::Living);
        assert_eq!(judge(Holder { started: me.started + 1, ..me.clone() }), Life::Unseen);
        assert_eq!(judge(Holder { boot: "0".to_owned(), ..me.clone() }), Life::Gone);
        assert_eq!(judge(Holder { boot: "0".to_owned(), host: "b".to_owned(), ..me }), Life::Elsewhere);
    }
}
