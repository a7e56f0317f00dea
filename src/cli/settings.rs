//! Pairs that stand in one argument: an input and its value, a step and what became of it. It knows no plan and no run.

use crate::ids::StepId;
use std::str::FromStr;

/// An input and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The input.
    pub input: String,
    /// Its value, as text.
    pub value: String,
}

impl FromStr for Setting {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((input, value)) if !input.is_empty() => Ok(Self { input: input.to_owned(), value: value.to_owned() }),
            _ => Err("write it as INPUT=VALUE".to_owned()),
        }
    }
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The step.
    pub step: StepId,
    /// Whether it was done.
    pub done: bool,
}

impl FromStr for Settlement {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (step, done) = text.split_once('=').ok_or("write it as STEP=done or STEP=not-done")?;
        let done = match done {
            "done" => true,
            "not-done" => false,
            _ => return Err(format!("`{done}` is neither `done` nor `not-done`")),
        };
        Ok(Self { step: StepId::new(step).map_err(|error| error.to_string())?, done })
    }
}

#[cfg(test)]
mod tests {
    use super::{Setting, Settlement};

    #[test]
    fn values_may_hold_equal_signs_and_settlements_are_words() {
        assert_eq!("a=b=c".parse(), Ok(Setting { input: "a".to_owned(), value: "b=c".to_owned() }));
        assert!("=b".parse::<Setting>().is_err() && "a".parse::<Setting>().is_err());
        assert!("migrate=not-done".parse::<Settlement>().is_ok_and(|settlement| !settlement.done));
        assert!("migrate=yes".parse::<Settlement>().is_err() && "Migrate=done".parse::<Settlement>().is_err());
    }
}
