//! Programs on this machine, as the scenario describes them. None is started.

use crate::ids::RunId;
use crate::ports::{Clock, Exit, Line, Orphan, ProcessError, ProcessSpec, Processes, Stream};
use crate::scenario::{Program, fits, may_fit};
use crate::sim::shared::Shared;
use futures::future::{BoxFuture, FutureExt};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a program runs when its rule says nothing.
const TAKES: Duration = Duration::from_millis(100);
/// The longest command line that is told whole.
const LONGEST: usize = 100;

/// The programs.
pub(in crate::sim) struct SimulatedProcesses(pub(in crate::sim) Arc<Shared>);

impl Processes for SimulatedProcesses {
    fn run(
        &self,
        spec: ProcessSpec,
        lines: Arc<dyn Fn(Line) + Send + Sync>,
        cancel: CancellationToken,
    ) -> BoxFuture<'static, Result<Exit, ProcessError>> {
        let shared = Arc::clone(&self.0);
        async move {
            let words = [vec![spec.program.clone()], spec.args.clone()].concat();
            let input = String::from_utf8_lossy(&spec.input.unwrap_or_default()).into_owned();
            let rule = shared.with(|world| find(&world.scenario.processes, &words, &input).cloned());
            let Some(rule) = rule else {
                let what = not_modelled(&words);
                shared.with(|world| world.note(&what));
                return Err(ProcessError::NotStarted { program: spec.program, source: io::Error::other(what) });
            };
            let cancelled = tokio::select! {
                () = shared.clock.sleep(takes(&rule)) => false,
                () = cancel.cancelled() => true,
            };
            let told = |stream, text: &str| text.lines().for_each(|line| lines(Line { stream, text: line.to_owned(), goes_on: false }));
            told(Stream::Out, &rule.stdout);
            told(Stream::Err, &rule.stderr);
            Ok(Exit {
                code: (!cancelled).then_some(rule.exit_code),
                signal: cancelled.then_some(15),
                output: rule.stdout,
                errors: rule.stderr,
                cancelled,
            })
        }
        .boxed()
    }

    /// A rule that wants some input may still mean it: that is known when it runs.
    fn refuses(&self, program: &str, args: &[String]) -> Option<String> {
        let words = [&[program.to_owned()], args].concat();
        let is_modelled = self.0.with(|world| is_modelled(&world.scenario.processes, &words));
        (!is_modelled).then(|| not_modelled(&words))
    }

    fn end_orphans(&self, _run: &RunId) -> BoxFuture<'static, Vec<Orphan>> {
        std::future::ready(Vec::new()).boxed()
    }
}

/// Names a script by its text, which is what a rule for it says.
fn not_modelled(words: &[String]) -> String {
    let named = match script(words) {
        Some(text) => title(std::slice::from_ref(text)),
        None => title(words),
    };
    format!("not modelled: the program `{named}`; add `{}` to `simulate.processes`", rule_for(words))
}

/// The rule to write for a command line; of a long one its beginning, and of several lines what makes them out.
pub(in crate::sim) fn rule_for(words: &[String]) -> String {
    let text = script(words).map_or_else(|| words.join(" "), |text| text.trim().to_owned());
    let text = text.lines().map(str::trim).collect::<Vec<_>>().join("*");
    let line: String = text.chars().take(LONGEST).collect();
    let rest = if line.len() < text.len() { "*" } else { "" };
    format!("{{ run: '{}{rest}' }}", line.replace('\'', "''"))
}

/// True when some rule means a command line, whatever it reads.
fn is_modelled(rules: &[Program], words: &[String]) -> bool {
    is_meant(rules, words, fits)
}

/// True when some rule may mean a command line that is known in part, with `*` for the rest.
pub(in crate::sim) fn may_be_modelled(rules: &[Program], words: &[String]) -> bool {
    is_meant(rules, words, may_fit)
}

fn is_meant(rules: &[Program], words: &[String], fits: fn(&str, &str) -> bool) -> bool {
    let texts = texts(words);
    rules.iter().any(|rule| texts.iter().any(|text| fits(&rule.run, text)))
}

/// The text that a shell is given to run.
fn script(words: &[String]) -> Option<&String> {
    words.get(1 + shell_text(words)?)
}

fn shell_text(words: &[String]) -> Option<usize> {
    words.iter().position(|word| word == "-c").filter(|_| words.first().is_some_and(|first| first.ends_with("sh")))
}

pub(super) fn takes(rule: &Program) -> Duration {
    rule.takes.map_or(TAKES, |period| period.0)
}

/// A command line as rules may mean it: a shell's text by itself, too, and what a shell is given to run.
fn texts(words: &[String]) -> Vec<String> {
    let mut texts = vec![words.join(" ")];
    if let Some(place) = shell_text(words) {
        texts.extend(words.get(place + 1).map(|text| text.trim().to_owned()));
        texts.extend(words.get(place + 3..).filter(|rest| !rest.is_empty()).map(|rest| rest.join(" ")));
    }
    texts
}

/// The first rule that means a command line.
pub(super) fn find<'a>(rules: &'a [Program], words: &[String], input: &str) -> Option<&'a Program> {
    let texts = texts(words);
    let is_meant = |rule: &&Program| {
        texts.iter().any(|text| fits(&rule.run, text)) && rule.input.as_ref().is_none_or(|wanted| fits(wanted, input.trim()))
    };
    rules.iter().find(is_meant)
}

/// One line for people.
pub(super) fn title(words: &[String]) -> String {
    let whole = words.join(" ");
    let line: String = whole.lines().next().unwrap_or_default().chars().take(LONGEST).collect();
    if line.len() < whole.len() { format!("{line} …") } else { line }
}

#[cfg(test)]
mod tests {
    use super::{find, is_modelled, rule_for};
    use crate::scenario::Program;

    #[test]
    fn the_rule_that_is_told_means_the_command_line() {
        let long = format!("make {}", "x".repeat(200));
        for (words, told) in [
            (vec!["make", "install"], "{ run: 'make install' }"),
            (vec!["sh", "-e", "-c", "echo \"it's\"\n"], "{ run: 'echo \"it''s\"' }"),
            (vec!["sh", "-e", "-c", "set -e\nmake all"], "{ run: 'set -e*make all' }"),
            (vec!["sh", "-e", "-c", &long], ""),
        ] {
            let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
            let rule = rule_for(&words);
            assert!(told.is_empty() || rule == told, "{rule}");
            let read = crate::expr::yaml::documents(&rule).unwrap().remove(0);
            let rules = [serde_json::from_value(read).unwrap()];
            assert!(is_modelled(&rules, &words), "{rule}");
        }
    }

    #[test]
    fn a_program_is_found_by_its_words_its_script_and_what_a_shell_is_given() {
        let rules = ["make *", "echo hi", "pg_restore *"].map(|run| Program { run: run.to_owned(), ..Program::default() });
        let found = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            find(&rules, &words, "").map(|rule| rule.run.as_str())
        };
        assert_eq!(found(&["make", "install"]), Some("make *"));
        assert_eq!(found(&["sh", "-e", "-c", "echo hi\n"]), Some("echo hi"));
        assert_eq!(found(&["sh", "-c", "\"$@\"; exit", "sh", "pg_restore", "-f"]), Some("pg_restore *"));
        assert_eq!(found(&["rm", "-rf", "/"]), None);
    }
}
