//! MAKING it happen: the pure core decides, the driver carries out. It knows no Kubernetes and no terminal.

mod attempt;
mod carry;
mod clash;
mod control;
pub mod core;
mod doing;
mod drive;
mod effects;
mod guarded;
mod hand;
mod hear;
mod ledger;
mod permit;
mod planned;
mod preview;
mod program;
mod retreat;
mod rights;
mod secrets;
mod settle;
#[cfg(test)]
mod simulation;
mod sink;
mod tail;
mod watch;

pub use self::core::Core;
pub use control::Control;
pub use drive::{Ended, Opening, drive};
pub use permit::{Permit, Unlimited};
pub use planned::Planned;
pub use preview::{Previewing, Seen, Sight, preview};
pub use program::{Compensation, Outputs, Program, Rendered, Verification};
pub use rights::{Ahead, NeededSecret, missing_rights, secrets_needed};
pub use secrets::Secrets;

use crate::journal::JournalError;

/// Why a run could not be driven on. The run stays open, whatever it says.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The journal cannot be written: nothing more was started.
    #[error("the run was stopped where it was, because its journal cannot be used")]
    Journal {
        /// Why.
        #[source]
        source: JournalError,
        /// The steps that were begun, as this process knows it; the journal may know fewer.
        begun: Vec<String>,
        /// The effects that were under way and whose end is not in the journal.
        in_doubt: Vec<String>,
    },
    /// What the journal says cannot have happened: a bug, or a damaged journal.
    #[error("the run's journal does not make sense")]
    Illegal(#[from] self::core::Illegal),
}

impl From<JournalError> for EngineError {
    fn from(source: JournalError) -> Self {
        EngineError::Journal { source, begun: Vec::new(), in_doubt: Vec::new() }
    }
}
