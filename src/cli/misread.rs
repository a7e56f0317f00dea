//! What is said of a command line that cannot be read: broken between words, and with what other programs' habits are called here. It
//! reads no plan.

use crate::report::called::quoted;
use crate::report::wrap::wrap;
use clap::Error;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::ffi::OsString;

/// What people type who come from other programs, and what does here what they mean. `PLAN` becomes the plan that they named.
const COMMANDS: [(&[&str], &str); 8] = [
    (&["apply", "deploy", "up", "install", "upgrade", "start", "exec", "sync"], "`bowline run PLAN` carries a plan out"),
    (&["plan", "diff", "dry-run", "template", "what-if"], "`bowline preview PLAN` tells what a run would change"),
    (&["simulate", "test", "rehearse"], "`bowline run PLAN --simulate` tries a plan out in a simulated cluster"),
    (&["check", "lint"], "`bowline validate PLAN` tells everything that is wrong with a plan"),
    (&["destroy", "down", "undo", "revert", "delete", "uninstall"], "`bowline rollback RUN` takes back what a run did"),
    (&["status", "describe", "get", "info"], "`bowline show RUN` tells how a run stands, `bowline runs` lists them"),
    (&["list", "ls", "ps", "history"], "`bowline runs` lists runs, newest first"),
    (&["continue", "retry", "restart"], "`bowline resume RUN` goes on with a run that was stopped"),
];

/// The same of options.
const OPTIONS: [(&[&str], &str); 7] = [
    (&["--dry-run", "--check", "--diff", "--noop", "--what-if"], "`bowline preview PLAN` tells what a run would change"),
    (&["-f", "--file", "--filename"], "name the plan's file without an option: `bowline run PLAN`"),
    (&["--var", "--param"], "write `-i INPUT=VALUE`"),
    (&["--var-file", "--values"], "write `--inputs FILE`"),
    (&["--auto-approve", "--force", "--assume-yes"], "write `--yes`"),
    (&["-o", "--json", "--format"], "write `--output json`"),
    (&["--no-color", "--no-colour"], "write `--color never`"),
];

/// The text for a person, in lines of at most `width` columns where there is a width.
pub fn told(mut error: Error, typed: &[OsString], colour: bool, width: Option<usize>) -> String {
    if let Some(tip) = tip(&error, typed) {
        for guess in [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg] {
            error.remove(guess);
        }
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
    }
    let rendered = error.render();
    let text = if colour { rendered.ansi().to_string() } else { rendered.to_string() };
    match width {
        Some(width) => text.lines().flat_map(|line| wrap(line, width)).map(|line| line + "\n").collect(),
        None => text,
    }
}

/// What the person may have meant; none where nobody knows.
fn tip(error: &Error, typed: &[OsString]) -> Option<String> {
    let (kind, table): (_, &[(&[&str], &str)]) = match error.kind() {
        ErrorKind::InvalidSubcommand => (ContextKind::InvalidSubcommand, &COMMANDS),
        ErrorKind::UnknownArgument => (ContextKind::InvalidArg, &OPTIONS),
        _ => return None,
    };
    let Some(ContextValue::String(word)) = error.get(kind) else { return None };
    let plan = typed.iter().skip(1).filter_map(|word| word.to_str()).find(|word| is_plan(word));
    if kind == ContextKind::InvalidSubcommand && is_plan(word) {
        return Some(format!("`bowline run {plan}` runs this plan, `bowline validate {plan}` only looks at it", plan = quoted(word)));
    }
    let word = word.split('=').next().unwrap_or_default();
    let (_, meant) = table.iter().find(|(words, _)| words.contains(&word))?;
    Some(plan.map_or_else(|| (*meant).to_owned(), |plan| meant.replace("PLAN", &quoted(plan))))
}

fn is_plan(word: &str) -> bool {
    word.ends_with(".yaml") || word.ends_with(".yml")
}

#[cfg(test)]
mod tests {
    use super::{COMMANDS, OPTIONS, told};
    use crate::cli::arguments::Arguments;
    use clap::{CommandFactory, Parser};
    use std::ffi::OsString;

    fn said(line: &str, width: Option<usize>) -> String {
        let typed: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        told(Arguments::try_parse_from(&typed).unwrap_err(), &typed, false, width)
    }

    #[test]
    fn habits_of_other_programs_are_told_what_they_are_called_here() {
        insta::assert_snapshot!(said("bowline run plan.yaml --dry-run", None), @"
        error: unexpected argument '--dry-run' found

          tip: `bowline preview plan.yaml` tells what a run would change

        Usage: bowline run <PLAN>

        For more information, try '--help'.
        ");
        insta::assert_snapshot!(said("bowline apply -f web.yaml", None), @"
        error: unrecognized subcommand 'apply'

          tip: `bowline run web.yaml` carries a plan out

        Usage: bowline [OPTIONS] <COMMAND>

        For more information, try '--help'.
        ");
        insta::assert_snapshot!(said("bowline web.yaml", Some(40)), @"
        error: unrecognized subcommand
            'web.yaml'

          tip: `bowline run web.yaml` runs this
              plan, `bowline validate web.yaml`
              only looks at it

        Usage: bowline [OPTIONS] <COMMAND>

        For more information, try '--help'.
        ");
        insta::assert_snapshot!(said("bowline run -f web.yaml", Some(40)), @"
        error: unexpected argument '-f' found

          tip: name the plan's file without an
              option: `bowline run web.yaml`

        Usage: bowline run [OPTIONS] <PLAN>

        For more information, try '--help'.
        ");
    }

    #[test]
    fn what_is_no_habit_keeps_the_usual_words() {
        assert!(said("bowline run plan.yaml --simulte", None).contains("'--simulate'"));
    }

    #[test]
    fn no_habit_hides_what_there_is() {
        let command = Arguments::command();
        let names: Vec<&str> = command.get_subcommands().map(|command| command.get_name()).collect();
        for word in COMMANDS.iter().flat_map(|(words, _)| words.iter()) {
            assert!(!names.iter().any(|name| name.starts_with(word)), "{word} is a command");
        }
        let options: Vec<&str> =
            command.get_subcommands().flat_map(|command| command.get_arguments()).filter_map(|a| a.get_long()).collect();
        for word in OPTIONS.iter().flat_map(|(words, _)| words.iter()).filter(|word| **word != "--format") {
            assert!(!options.contains(&word.trim_start_matches('-')), "{word} is an option");
        }
        for (_, meant) in COMMANDS.iter().chain(&OPTIONS) {
            for line in meant.split('`').filter(|part| part.starts_with("bowline ")) {
                assert!(Arguments::try_parse_from(line.split(' ')).is_ok(), "{line}");
            }
        }
    }
}
