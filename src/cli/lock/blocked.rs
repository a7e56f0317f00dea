//! Why a run's lock in a cluster cannot be taken over. It asks nobody.

use crate::cli::failure::CommandFailure;

/// Why a Lease cannot be taken over.
#[derive(Debug)]
pub enum Blocked {
    /// Another run holds it.
    ByOther(CommandFailure),
    /// This run went on in another state folder.
    WentOn(CommandFailure),
    /// Somebody works on this run.
    Alive(CommandFailure),
    /// It cannot be told.
    Unknown(CommandFailure),
}

impl From<Blocked> for CommandFailure {
    fn from(blocked: Blocked) -> Self {
        let (Blocked::ByOther(failure) | Blocked::WentOn(failure) | Blocked::Alive(failure) | Blocked::Unknown(failure)) = blocked;
        failure
    }
}
