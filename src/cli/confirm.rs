//! Asks a person yes or no. Where nobody can answer, nothing is asked.

use super::context::Context;
use super::exit::Exit;
use super::failure::CommandFailure;
use std::io::{BufRead, Write};

/// Goes on when the person says yes, or nobody can be asked: who runs a command from a script has decided already.
///
/// # Errors
/// When the person says anything else.
pub fn confirm(context: &Context, yes: bool, question: &str) -> Result<(), CommandFailure> {
    if yes || !context.streams.can_ask {
        return Ok(());
    }
    match ask(&mut std::io::stdin().lock(), &mut std::io::stderr(), question) {
        true => Ok(()),
        false => Err(CommandFailure::new(Exit::Refused, "nothing was done, as you said")),
    }
}

fn ask(answers: &mut dyn BufRead, out: &mut dyn Write, question: &str) -> bool {
    let mut answer = String::new();
    let asked = write!(out, "{question} [y/N] ").and_then(|()| out.flush()).and_then(|()| answers.read_line(&mut answer));
    asked.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::ask;

    #[test]
    fn only_yes_is_yes() {
        for (typed, expected) in [("y\n", true), ("YES\n", true), ("\n", false), ("", false), ("yep\n", false), ("n\n", false)] {
            let mut out = Vec::new();
            assert_eq!(ask(&mut typed.as_bytes(), &mut out, "Go on?"), expected, "{typed:?}");
            assert_eq!(out, b"Go on? [y/N] ");
        }
    }
}
