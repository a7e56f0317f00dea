//! The exit codes, all of them. It knows no command.

use crate::record::Outcome;

/// How a command ended, as its exit code says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked for.
    Succeeded,
    /// The arguments, the plan or the state folder are not usable. Nothing was done.
    Usage,
    /// The run failed and was rolled back, was refused before anything was done, or an approval was rejected.
    RolledBack,
    /// Something that the run wrote is still there and could not be taken back.
    Stuck,
    /// The run was stopped and can be resumed.
    Halted,
    /// A preview found changes.
    Changes,
    /// Refused before it began: locked, an open run in the way, or a question answered with no.
    Refused,
    /// A bug in bowline.
    Internal,
    /// Stopped before anything was begun.
    Interrupted,
}

/// The table that `--help` shows.
pub const HELP: &str = "\
Exit codes:
   0  succeeded; of `rollback`: everything is taken back
   2  wrong arguments, an invalid plan, a missing secret, an unusable state folder or journal
   3  rolled back: a step failed, an approval was rejected, or the run was cancelled
   4  stuck: something that the run wrote could not be taken back
   5  halted: the run was stopped and can be resumed
   6  a preview found changes
   7  refused before it began: locked, a run in the way or over, a refusal in a preview, a no
  70  a bug in bowline
 130  Ctrl-C before anything was begun, as at a question

Signals, while a run is under way:
  Ctrl-C         starts nothing more, ends steps' programs, lets requests end, and rolls back
  Ctrl-C twice   halts at once; the run can be resumed
  SIGTERM, HUP   halts within 7 seconds; what still ran then is looked up by `resume`";

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Exit::Succeeded => 0,
            Exit::Usage => 2,
            Exit::RolledBack => 3,
            Exit::Stuck => 4,
            Exit::Halted => 5,
            Exit::Changes => 6,
            Exit::Refused => 7,
            Exit::Internal => 70,
            Exit::Interrupted => 130,
        }
    }

    /// How a run that was to go on ended.
    pub fn of_run(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Succeeded | Outcome::Abandoned => Exit::Succeeded,
            Outcome::RolledBack => Exit::RolledBack,
            Outcome::Stuck => Exit::Stuck,
            Outcome::Halted => Exit::Halted,
        }
    }

    /// How a run that was to be taken back ended: then being taken back is what was asked for.
    pub fn of_rollback(outcome: Outcome) -> Self {
        match outcome {
            Outcome::RolledBack => Exit::Succeeded,
            other => Exit::of_run(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Exit, HELP};

    #[test]
    fn the_help_names_every_code_and_no_other() {
        use Exit::{Changes, Halted, Internal, Interrupted, Refused, RolledBack, Stuck, Succeeded, Usage};
        let codes =
            [Succeeded, Usage, RolledBack, Stuck, Halted, Changes, Refused, Internal, Interrupted].map(|exit| exit.code().to_string());
        let told: Vec<&str> =
            HELP.lines().skip(1).take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(told, codes.each_ref().map(String::as_str));
    }
}
