//! Why a command could not do what it was asked for, and how that is told: what happened, why, and what to type next.

use super::exit::Exit;
use crate::journal::{ExportError, ImportError, JournalError, Refused};
use crate::report::called::Called;
use crate::report::json::JsonLine;
use crate::report::words;
use jiff::tz::TimeZone;
use serde_json::Value;
use std::error::Error;

/// Why a command ended before it did what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandFailure {
    /// The exit code.
    pub exit: Exit,
    /// What happened, in one line.
    pub message: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What to type next.
    pub hint: Option<String>,
    /// What is wrong with a file, pointing into it; it is told instead of the message.
    pub diagnostic: Option<Box<Diagnosis>>,
}

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// For people.
    pub text: String,
    /// It is drawn for the terminal's width: nothing in it may be broken.
    pub is_drawn: bool,
    /// For programs: an object for each problem.
    pub problems: Vec<Value>,
}

impl CommandFailure {
    /// A failure without a cause.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), causes: Vec::new(), hint: None, diagnostic: None }
    }

    /// The arguments are wrong, or what they name is.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Adds what to type next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the causes of an error. A text that the one before holds already is left out.
    #[must_use]
    pub fn because(mut self, error: &dyn Error) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            let text = words::plain(&error.to_string());
            let told = self.causes.last().unwrap_or(&self.message);
            if !told.contains(&text) {
                self.causes.push(text);
            }
            next = error.source();
        }
        self
    }

    /// The same, with commands that can be typed as they stand.
    #[must_use]
    pub fn complete(self, called: &Called) -> Self {
        let causes = self.causes.iter().map(|cause| called.complete(cause)).collect();
        let hint = self.hint.as_ref().map(|hint| called.complete(hint));
        Self { message: called.complete(&self.message), causes, hint, ..self }
    }

    /// The lines that a person reads.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = match &self.diagnostic {
            Some(diagnosis) => diagnosis.text.trim_end().lines().map(str::to_owned).collect(),
            None => vec![format!("error: {}", self.message)],
        };
        lines.extend(self.causes.iter().map(|cause| format!("  because {cause}")));
        lines.extend(self.hint.iter().map(|hint| format!("  next: {hint}")));
        lines
    }

    /// The object that a program reads.
    pub fn to_json(&self) -> JsonLine {
        JsonLine::Error {
            exit_code: self.exit.code(),
            message: self.message.clone(),
            causes: self.causes.clone(),
            hint: self.hint.clone(),
            problems: self.diagnostic.iter().flat_map(|diagnosis| diagnosis.problems.clone()).collect(),
        }
    }

    /// A failure of a command that only looks: nothing that it could not read is a reason to be refused.
    pub fn of_looking(refused: &Refused) -> Self {
        Self { exit: Exit::Usage, ..Self::from_refused(refused) }
    }

    fn from_refused(refused: &Refused) -> Self {
        let exit = match refused {
            Refused::Unknown(_) => Exit::Usage,
            Refused::Journal(error) => of_journal(error),
            _ => Exit::Refused,
        };
        // Told in the zone of whoever reads it, which the journal does not know.
        let since = refused.since().map(|since| format!(", since {}", words::date_and_minute(since, &TimeZone::system())));
        let mut failure = Self::new(exit, format!("{refused}{}", since.unwrap_or_default()));
        failure.hint = refused.hint();
        failure
    }
}

impl From<Refused> for CommandFailure {
    fn from(refused: Refused) -> Self {
        Self::from_refused(&refused)
    }
}

impl From<JournalError> for CommandFailure {
    fn from(error: JournalError) -> Self {
        Self::new(of_journal(&error), error.to_string())
    }
}

/// A folder, a key or a journal that cannot be used is for people to mend; that another process took the run is no mistake.
fn of_journal(error: &JournalError) -> Exit {
    match error {
        JournalError::Superseded(_) => Exit::Refused,
        _ => Exit::Usage,
    }
}

impl From<ExportError> for CommandFailure {
    fn from(error: ExportError) -> Self {
        match error {
            ExportError::Refused(refused) => Self::of_looking(&refused),
            other => Self::usage(other.to_string()).because(&other),
        }
    }
}

impl From<ImportError> for CommandFailure {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Refused(refused) => Self::of_looking(&refused),
            other => Self::usage(other.to_string()).because(&other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CommandFailure;
    use crate::ids::RunId;
    use crate::journal::Refused;

    #[test]
    fn what_happened_why_and_what_to_type() {
        let source = std::io::Error::other("the disk is full");
        let failure = CommandFailure::usage("cannot read plan.yaml").because(&source).hint("make room");
        insta::assert_snapshot!(failure.lines().join("\n"), @"
        error: cannot read plan.yaml
          because the disk is full
          next: make room
        ");
    }

    #[test]
    fn a_refusal_brings_its_own_hint() {
        let failure = CommandFailure::from(Refused::Unknown(RunId::new("20261121-120300-7f3a").unwrap()));
        insta::assert_snapshot!(failure.lines().join("\n"), @"
        error: there is no run 20261121-120300-7f3a in this state folder
          next: `bowline runs` lists them
        ");
    }
}
