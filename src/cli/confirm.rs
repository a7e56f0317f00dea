//! Asks a person yes or no. Where nobody can answer, the answer is no: what cannot be taken back is never begun by accident.

use super::context::Context;
use super::exit::Exit;
use super::failure::CommandFailure;
use crate::ports::forget_typed;
use crate::report::wrap::wrap;
use std::io::{BufRead, Write};

/// Columns for the answer.
const TYPED: usize = 4;

/// Goes on when the person says yes, or has said so with `--yes`. `fact` is what the person ought to know, `question` what is asked then.
///
/// # Errors
/// When the person says anything else, or nobody can be asked.
pub fn confirm(context: &Context, yes: bool, fact: &str, question: &str) -> Result<(), CommandFailure> {
    if yes {
        return Ok(());
    }
    if !context.streams.can_ask {
        let unasked = format!("{fact}, and nobody can be asked here");
        return Err(CommandFailure::new(Exit::Refused, unasked).hint("add --yes if that is what you want"));
    }
    // Whoever says yes has read what to.
    forget_typed();
    let question = asked(&format!("{fact}. {question}"), context.streams.width_err);
    match ask(&mut std::io::stdin().lock(), &mut std::io::stderr(), &question) {
        true => Ok(()),
        false => Err(CommandFailure::new(Exit::Refused, "nothing was done, as you said")),
    }
}

/// The question with what can be answered, broken between words where a terminal is too narrow for it.
fn asked(question: &str, width: Option<usize>) -> String {
    let whole = format!("{question} [y/N]");
    // What is typed stands behind it.
    let lines = width.map_or_else(|| vec![whole.clone()], |width| wrap(&whole, width.saturating_sub(TYPED)));
    lines.join("\n") + " "
}

fn ask(answers: &mut dyn BufRead, out: &mut dyn Write, question: &str) -> bool {
    let mut answer = String::new();
    let asked = out.write_all(question.as_bytes()).and_then(|()| out.flush()).and_then(|()| answers.read_line(&mut answer));
    asked.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::{ask, asked};

    #[test]
    fn only_yes_is_yes() {
        for (typed, expected) in [("y\n", true), ("YES\n", true), ("\n", false), ("", false), ("yep\n", false), ("n\n", false)] {
            let mut out = Vec::new();
            assert_eq!(ask(&mut typed.as_bytes(), &mut out, &asked("Go on?", None)), expected, "{typed:?}");
            assert_eq!(out, b"Go on? [y/N] ");
        }
    }

    #[test]
    fn a_narrow_terminal_cuts_no_word() {
        let question = "web cannot be taken back once announce has run. Run it?";
        insta::assert_snapshot!(asked(question, Some(40)), @"
        web cannot be taken back once
            announce has run. Run it? [y/N]
        ");
        assert_eq!(asked(question, Some(80)), format!("{question} [y/N] "));
    }
}
