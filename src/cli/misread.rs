//! What is said of a command line that cannot be read: broken between words, and with what other programs' habits are called here. It
//! reads no plan.

use super::arguments::Arguments;
use crate::report::called::quoted;
use crate::report::wrap::wrap;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory, Error};
use std::ffi::OsString;

/// What people type who come from other programs, and what does here what they mean. `PLAN` becomes the plan that they named.
const COMMANDS: [(&[&str], &str); 9] = [
    (
        &["init", "new", "create", "scaffold"],
        "`bowline actions apply` shows a plan to begin with, `bowline schema` tells an editor its keys; there is nothing to set up",
    ),
    (&["apply", "deploy", "up", "install", "upgrade", "start", "exec", "sync"], "`bowline run PLAN` carries a plan out"),
    (&["plan", "diff", "dry-run", "template", "what-if"], "`bowline preview PLAN` tells what a run would change"),
    (&["simulate", "test", "rehearse"], "`bowline run PLAN --simulate` tries a plan out in a simulated cluster"),
    (&["check", "lint"], "`bowline validate PLAN` tells everything that is wrong with a plan"),
    (&["destroy", "down", "undo", "revert", "delete", "uninstall"], "`bowline rollback RUN` takes back what a run did"),
    (&["status", "describe", "get", "info"], "`bowline show RUN` tells how a run stands, `bowline runs` lists them"),
    (&["list", "ls", "ps", "history"], "`bowline runs` lists runs, newest first"),
    (&["continue", "retry", "restart"], "`bowline resume RUN` goes on with a run that was stopped"),
];

/// Where what is said of an option holds.
enum Place {
    /// Where the command has this option.
    Takes(&'static str),
    /// Where the command is about a plan. `COMMAND` becomes its name.
    Plan,
    /// In this command.
    In(&'static str),
}

/// The same of options, and where it holds: what one command takes another one refuses.
const OPTIONS: [(&[&str], Place, &str); 8] = [
    (&REHEARSALS, Place::Plan, "`bowline preview PLAN` tells what a run would change"),
    (&REHEARSALS, Place::In("rollback"), "`bowline rollback RUN` tells what it takes back and asks before it does"),
    (&["-f", "--file", "--filename"], Place::Plan, "name the plan's file without an option: `bowline COMMAND PLAN`"),
    (&["--var", "--param"], Place::Takes("input"), "write `-i INPUT=VALUE`"),
    (&["--var-file", "--values"], Place::Takes("inputs"), "write `--inputs FILE`"),
    (&["--auto-approve", "--force", "--assume-yes"], Place::Takes("yes"), "write `--yes`"),
    (&["-o", "--json", "--format"], Place::Takes("output"), "write `--output json`"),
    (&["--no-color", "--no-colour"], Place::Takes("color"), "write `--color never`"),
];

const REHEARSALS: [&str; 5] = ["--dry-run", "--check", "--diff", "--noop", "--what-if"];

/// The text for a person, in lines of at most `width` columns where there is a width.
pub fn told(mut error: Error, typed: &[OsString], colour: bool, width: Option<usize>) -> String {
    if let Some(tip) = tip(&error, typed) {
        for guess in [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg] {
            error.remove(guess);
        }
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
    }
    let is_typed = typed.iter().filter_map(|word| word.to_str()).any(|word| word.starts_with("--state"));
    if let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage).filter(|_| !is_typed) {
        let usage = without_state(&usage.ansi().to_string());
        error.insert(ContextKind::Usage, ContextValue::StyledStr(StyledStr::from(usage)));
    }
    let rendered = error.render();
    let text = if colour { rendered.ansi().to_string() } else { rendered.to_string() };
    match width {
        Some(width) => text.lines().flat_map(|line| wrap(line, width)).map(|line| line + "\n").collect(),
        None => text,
    }
}

/// A usage that does not name the folder that the environment names: clap takes that for typed.
fn without_state(usage: &str) -> String {
    let option = usage.find("--state").and_then(|at| usage[..at].rfind(' '));
    let behind = |from: usize| usage[from..].find("<DIR>").map(|at| from + at + "<DIR>".len());
    match option.and_then(|from| Some((from, behind(from)?))) {
        Some((from, end)) => format!("{}{}", &usage[..from], &usage[end..]),
        None => usage.to_owned(),
    }
}

/// What the person may have meant; none where nobody knows.
fn tip(error: &Error, typed: &[OsString]) -> Option<String> {
    let kind = match error.kind() {
        ErrorKind::InvalidSubcommand => ContextKind::InvalidSubcommand,
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        _ => return None,
    };
    let Some(ContextValue::String(word)) = error.get(kind) else { return None };
    let words = || typed.iter().skip(1).filter_map(|word| word.to_str());
    let plan = words().find(|word| is_plan(word));
    if kind == ContextKind::InvalidSubcommand && is_plan(word) {
        return Some(format!("`bowline run {plan}` runs this plan, `bowline validate {plan}` only looks at it", plan = quoted(word)));
    }
    let word = word.split('=').next().unwrap_or_default();
    let meant = match kind {
        ContextKind::InvalidSubcommand => COMMANDS.iter().find(|(habits, _)| habits.contains(&word)).map(|(_, meant)| (*meant).to_owned()),
        _ => of_option(word, &commands(words())),
    };
    let meant = meant?;
    Some(plan.map_or_else(|| meant.clone(), |plan| meant.replace("PLAN", &quoted(plan))))
}

/// What an option of other programs is called in the last of these commands, one inside the other.
fn of_option(word: &str, commands: &[Command]) -> Option<String> {
    let called = commands.last().map_or("", Command::get_name);
    let arguments = || commands.iter().flat_map(Command::get_arguments);
    let holds = |place: &Place| match place {
        Place::Takes(option) => arguments().any(|argument| argument.get_id() == *option),
        Place::Plan => arguments().any(|argument| argument.is_positional() && argument.get_id() == "plan"),
        Place::In(command) => called == *command,
    };
    let (.., meant) = OPTIONS.iter().find(|(habits, place, _)| habits.contains(&word) && holds(place))?;
    Some(meant.replace("COMMAND", called))
}

/// The commands that were typed, one inside the other; `run` where none was.
fn commands<'t>(words: impl Iterator<Item = &'t str>) -> Vec<Command> {
    let mut all = vec![Arguments::command()];
    let inside = |command: &Command, word: &str| {
        let mut near = command.get_subcommands().filter(|inner| inner.get_name().starts_with(word));
        let exact = command.find_subcommand(word);
        exact.or_else(|| near.next().filter(|_| near.next().is_none())).cloned()
    };
    for word in words.chain(std::iter::once("run")) {
        // What stands after a command may be called as another one is.
        let is_whole = all.last().is_none_or(|command| !command.has_subcommands());
        all.extend(all.last().filter(|_| !is_whole).and_then(|command| inside(command, word)));
    }
    all
}

fn is_plan(word: &str) -> bool {
    word.ends_with(".yaml") || word.ends_with(".yml")
}

#[cfg(test)]
mod tests {
    use super::{Arguments, COMMANDS, Command, OPTIONS, told, without_state};
    use clap::error::ErrorKind;
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
    fn a_usage_does_not_name_what_the_environment_says() {
        for (usage, told) in [
            ("Usage: bowline run --state <DIR> <PLAN>", "Usage: bowline run <PLAN>"),
            ("bowline run \u{1b}[1m--state\u{1b}[0m <DIR> <PLAN>", "bowline run <PLAN>"),
            ("bowline run <PLAN>", "bowline run <PLAN>"),
        ] {
            assert_eq!(without_state(usage), told);
        }
    }

    fn tip(line: &str) -> Option<String> {
        said(line, None).lines().find_map(|line| line.trim().strip_prefix("tip: ").map(str::to_owned))
    }

    #[test]
    fn a_tip_holds_for_the_command_that_was_typed() {
        for line in ["resume --force", "cancel --force", "approve --auto-approve", "show -f", "show --dry-run", "runs --file=x"] {
            let ours = tip(&format!("bowline {line}")).filter(|tip| !tip.contains("as a value"));
            assert_eq!(ours, None, "{line}");
        }
        for (line, meant) in [
            ("rollback 7f3a --dry-run", "`bowline rollback RUN` tells what it takes back and asks before it does"),
            ("roll --force", "write `--yes`"),
            ("backups prune --force", "write `--yes`"),
            ("preview -f web.yaml", "name the plan's file without an option: `bowline preview web.yaml`"),
            ("--state run run --force", "write `--yes`"),
            ("-f web.yaml", "name the plan's file without an option: `bowline run web.yaml`"),
        ] {
            assert_eq!(tip(&format!("bowline {line}")).as_deref(), Some(meant), "{line}");
        }
    }

    /// Every command with every habit: whatever option is told, the command has.
    #[test]
    fn no_option_is_told_that_the_command_refuses() {
        fn lines(command: &Command, before: &str) -> Vec<String> {
            let line = format!("{before} {}", command.get_name());
            let inner = command.get_subcommands().filter(|inner| inner.get_name() != "help");
            let inside: Vec<String> = inner.flat_map(|inner| lines(inner, &line)).collect();
            if inside.is_empty() { vec![line] } else { inside }
        }
        let mut told = 0;
        for line in lines(&Arguments::command(), "") {
            for habit in OPTIONS.iter().flat_map(|(habits, ..)| habits.iter()) {
                let typed = format!("{} {habit}", line.trim());
                let Err(error) = Arguments::try_parse_from(typed.split(' ')) else { continue };
                let Some(tip) = (error.kind() == ErrorKind::UnknownArgument).then(|| tip(&typed)).flatten() else { continue };
                let Some(option) = tip.strip_prefix("write `").and_then(|tip| tip.strip_suffix('`')) else { continue };
                told += 1;
                let mended = Arguments::try_parse_from(format!("{} {option}", line.trim()).split(' '));
                let refused = mended.is_err_and(|error| error.kind() == ErrorKind::UnknownArgument);
                assert!(!refused, "{typed}: {tip}");
            }
        }
        assert!(told > 50, "{told} tips were tried");
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
        for word in OPTIONS.iter().flat_map(|(words, ..)| words.iter()).filter(|word| **word != "--format") {
            assert!(!options.contains(&word.trim_start_matches('-')), "{word} is an option");
        }
        for meant in COMMANDS.iter().map(|(_, meant)| *meant).chain(OPTIONS.iter().map(|(.., meant)| *meant)) {
            let meant = meant.replace("COMMAND", "run");
            for line in meant.split('`').filter(|part| part.starts_with("bowline ")) {
                assert!(Arguments::try_parse_from(line.split(' ')).is_ok(), "{line}");
            }
        }
    }
}
