//! What every command is given: ports, state folder, terminal. The one place that reads the environment and looks at the terminal.

use super::arguments::{Colour, Common, Output};
use super::failure::CommandFailure;
use super::print;
use super::verbose::Logs;
use crate::action::Registry;
use crate::actions::{Places, registry};
use crate::journal::{Outside, StateFolder};
use crate::ports::{Gate, Ports, UnseenTyping};
use crate::report::called::Called;
use crate::report::json::Json;
use crate::report::lines::Lines;
use crate::report::paint::Paint;
use crate::report::screen::Terminal;
use crate::report::terminal::Look;
use crate::report::{Display, Now};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use std::env;
use std::io::{IsTerminal, stderr, stdin, stdout};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What every command is given.
pub struct Context {
    /// What every command takes.
    pub common: Common,
    /// The outside.
    pub ports: Ports,
    /// What every write to a cluster passes: the lock keeps it open.
    pub gate: Gate,
    /// The actions.
    pub registry: Registry,
    /// What is at the other end of the three streams.
    pub streams: Streams,
    /// Where log lines go.
    pub logs: Logs,
    /// What the commands that are told must say again.
    pub called: Called,
    state: Option<PathBuf>,
    /// Secrets of a simulated run; none in a real one.
    pub simulated_secrets: Option<BTreeMap<String, String>>,
}

/// The part of a state folder that is for simulated runs: they share nothing with real ones, not even their ids.
const SIMULATED: &str = "simulated";

/// The folders that keep runs, as far as there are any.
pub struct Shelves {
    /// Real ones.
    pub real: Option<StateFolder>,
    /// Simulated ones.
    pub simulated: Option<StateFolder>,
}

/// What is at the other end of the three streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streams {
    /// Somebody can type an answer and see the question.
    pub can_ask: bool,
    /// A live display can be drawn.
    pub is_live: bool,
    /// Colours are wanted on standard error.
    pub colour: bool,
    /// Colours are wanted on standard output.
    pub colour_out: bool,
    /// The columns that lines on standard output may fill; none when that is no terminal.
    pub width: Option<usize>,
    /// The same of standard error.
    pub width_err: Option<usize>,
}

impl Streams {
    /// Colours for standard output, or none.
    pub fn paint(&self) -> Paint {
        Paint { is_on: self.colour_out }
    }

    /// Looks at the three streams.
    pub fn look(wish: Colour) -> Self {
        let variable = |name: &str| env::var(name).unwrap_or_default();
        let dumb = env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self {
            can_ask: stdin().is_terminal() && stderr().is_terminal(),
            is_live: stdout().is_terminal() && stderr().is_terminal() && !dumb,
            colour: is_coloured(wish, stderr().is_terminal() && !dumb, variable),
            colour_out: is_coloured(wish, stdout().is_terminal() && !dumb, variable),
            width: width(&console::Term::stdout()),
            width_err: width(&console::Term::stderr()),
        }
    }
}

fn width(term: &console::Term) -> Option<usize> {
    term.size_checked().filter(|_| term.is_term()).map(|(_, width)| usize::from(width))
}

/// What was said on the command line wins; then NO_COLOR (no-color.org), CLICOLOR_FORCE and CLICOLOR (bixense.com/clicolors), then whether
/// there is a terminal that shows colours.
fn is_coloured(wish: Colour, shows: bool, variable: impl Fn(&str) -> String) -> bool {
    match wish {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto if !variable("NO_COLOR").is_empty() => false,
        Colour::Auto if !matches!(variable("CLICOLOR_FORCE").as_str(), "" | "0") => true,
        Colour::Auto => shows && variable("CLICOLOR") != "0",
    }
}

impl Context {
    /// Looks around.
    pub fn new(common: Common, outside: impl FnOnce(Ports) -> Ports) -> Self {
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        // A run that is taken up works in the folder in which it began.
        let common = Common { kubeconfig: common.kubeconfig.map(absolute), ..common };
        let logs = Logs::start(common.verbose);
        let gate = Gate::default();
        let ports = outside(ports(&common, &gate));
        // An empty variable is as good as none.
        let common = Common { state: common.state.filter(|path| !path.as_os_str().is_empty()), ..common };
        let state = state_path(common.state.clone(), |name| env::var_os(name).map(PathBuf::from));
        // A backup must be found again by a resume that somebody types elsewhere.
        let state = state.map(absolute);
        // Where nobody says where runs are kept no run begins, and no backup is made.
        let backups = state.clone().unwrap_or_default().join("backups");
        let registry = registry(&ports, &Places { backups });
        let called = called(&common, |name| env::var_os(name).map(PathBuf::from));
        let streams = Streams::look(common.color);
        Self { called, common, state, ports, gate, registry, streams, logs, simulated_secrets: None }
    }

    /// The same terminal and the same person in another world, whose runs are kept in `folder`. `with` may change its actions.
    pub fn within(
        &self,
        ports: Ports,
        gate: Gate,
        folder: &Path,
        with: impl FnOnce(Registry) -> Registry,
        secrets: BTreeMap<String, String>,
    ) -> Self {
        let registry = with(registry(&ports, &Places { backups: folder.join("backups") }));
        Self {
            common: self.common.clone(),
            gate,
            registry,
            streams: self.streams,
            logs: self.logs.clone(),
            called: self.called.clone(),
            state: Some(folder.to_owned()),
            simulated_secrets: Some(secrets),
            ports,
        }
    }

    /// Where simulated runs are kept; none where nobody named a state folder: then they go with their process.
    pub fn simulated_state(&self) -> Option<PathBuf> {
        self.common.state.as_ref().and(self.state.as_ref()).map(|state| state.join(SIMULATED))
    }

    /// The actions once more, with connections of their own: a connection lives on the runtime that opened it, and what looks before a
    /// run begins is on another one than the run.
    pub fn actions_for_looking(&self) -> Registry {
        registry(&self.ports, &Places { backups: self.backups() })
    }

    /// The folder of backups where nobody names one.
    pub fn backups(&self) -> PathBuf {
        self.state.clone().unwrap_or_default().join("backups")
    }

    /// Opens the state folder, and makes it if there is none: for commands that put a run into it.
    ///
    /// # Errors
    /// When nobody says where it is, or it cannot be used.
    pub fn new_state(&self) -> Result<StateFolder, CommandFailure> {
        Ok(StateFolder::open(self.state_path()?, Outside::from(&self.ports), key())?)
    }

    /// As [`Self::new_state`], or the part of it that is for simulated runs.
    ///
    /// # Errors
    /// As [`Self::new_state`].
    pub fn new_shelf(&self, simulated: bool) -> Result<StateFolder, CommandFailure> {
        let state = self.state_path()?;
        let path = if simulated { state.join(SIMULATED) } else { state.to_owned() };
        Ok(StateFolder::open(&path, Outside::from(&self.ports), key())?)
    }

    /// Opens the folders in which there are runs.
    ///
    /// # Errors
    /// When nobody says where they are, they cannot be used, or no run was ever kept there.
    pub fn shelves(&self) -> Result<Shelves, CommandFailure> {
        let shelves = self.shelves_if_any()?;
        let told = || format!("no run was ever kept in the state folder {}", self.state.clone().unwrap_or_default().display());
        match &shelves {
            Shelves { real: None, simulated: None } => {
                Err(CommandFailure::usage(told()).hint("name another one with `--state DIR`; `bowline run PLAN` makes one"))
            }
            _ => Ok(shelves),
        }
    }

    /// As [`Self::shelves`], which may be empty when nobody named them and the usual ones were never made.
    ///
    /// # Errors
    /// As [`Self::shelves`].
    pub fn shelves_if_any(&self) -> Result<Shelves, CommandFailure> {
        let state = self.state_path()?;
        let open = |path: &Path| StateFolder::open_existing(path, Outside::from(&self.ports), key());
        Ok(Shelves { real: open(state)?, simulated: open(&state.join(SIMULATED))? })
    }

    fn state_path(&self) -> Result<&Path, CommandFailure> {
        let nowhere = || CommandFailure::usage("nobody says where runs are kept").hint("name a folder with `--state DIR`");
        self.state.as_deref().ok_or_else(nowhere)
    }

    /// The zone of the times that are told. Looked up when a time is told: the system's zones are many files.
    pub fn zone(&self) -> TimeZone {
        TimeZone::system()
    }

    /// True when the output is JSON.
    pub fn is_json(&self) -> bool {
        self.common.output == Output::Json
    }

    /// Says what a command did: a sentence to people, its parts to programs.
    pub fn tell(&self, sentence: &str, parts: &serde_json::Value) {
        match self.is_json() {
            true => print::line(&parts.to_string()),
            false => print::lines(&[self.called.complete(sentence)], self.streams.width),
        }
    }

    /// The display that fits the terminal and the wishes.
    pub fn display(&self) -> Arc<dyn Display> {
        let clock = Arc::clone(&self.ports.clock);
        let now: Now = Arc::new(move || clock.now());
        match self.common.output {
            Output::Json => Arc::new(Json::new(stdout()).called(&self.called)),
            Output::Auto if self.is_drawn() => {
                let look = Look { colour: self.streams.colour, zone: self.zone(), called: self.called.clone() };
                let mut typing = UnseenTyping::begin();
                let terminal = Arc::new(Terminal::new(look, now, move || typing.again()));
                self.logs.beside(Arc::clone(&terminal));
                terminal
            }
            Output::Auto | Output::Lines => {
                let lines = Lines::new(stdout(), self.zone(), now).called(&self.called);
                Arc::new(lines.painted(self.streams.paint()).quiet(self.common.quiet))
            }
        }
    }

    /// True where a run is told in lines that move.
    pub fn is_drawn(&self) -> bool {
        self.common.output == Output::Auto && self.streams.is_live && !self.common.quiet
    }

    /// Who answers and cancels: `user@host`.
    pub fn person(&self) -> String {
        match self.ports.host.this_process() {
            Ok(facts) => format!("{}@{}", facts.user, facts.host),
            Err(_) => "somebody".to_owned(),
        }
    }
}

pub(super) fn key() -> Option<String> {
    env::var("BOWLINE_KEY").ok().filter(|key| !key.is_empty())
}

/// The outside as it is.
fn ports(common: &Common, gate: &Gate) -> Ports {
    #[cfg(not(feature = "kubernetes"))]
    let _ = (common, gate);
    Ports::system(
        #[cfg(feature = "kubernetes")]
        crate::ports::Kubeconfig { path: common.kubeconfig.clone(), gate: gate.clone() },
    )
}

/// What the next command must say again: not what the environment says, which clap took for an argument.
fn called(common: &Common, variable: impl Fn(&str) -> Option<PathBuf>) -> Called {
    let state = common.state.as_ref().filter(|state| variable("BOWLINE_STATE").as_ref() != Some(*state));
    let text = |path: &PathBuf| path.display().to_string();
    Called { state: state.map(text), kubeconfig: common.kubeconfig.as_ref().map(text), is_kept: true }
}

/// `--state` and `BOWLINE_STATE` (which clap reads), then the folders of the XDG base directory specification, which must be absolute.
fn state_path(given: Option<PathBuf>, variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).filter(|path| path.is_absolute());
    given
        .or_else(|| absolute("XDG_STATE_HOME").map(|folder| folder.join("bowline")))
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state/bowline")))
}

#[cfg(test)]
mod tests {
    use super::{is_coloured, state_path};
    use crate::cli::arguments::Colour;
    use std::path::PathBuf;

    #[test]
    fn colours_are_used_as_people_know_it_from_other_programs() {
        let told = |wish, shows, set: &[(&str, &str)]| {
            is_coloured(wish, shows, |name| {
                set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()).unwrap_or_default()
            })
        };
        assert!(told(Colour::Auto, true, &[]) && !told(Colour::Auto, false, &[]));
        assert!(!told(Colour::Auto, true, &[("NO_COLOR", "1")]) && told(Colour::Auto, true, &[("NO_COLOR", "")]));
        assert!(told(Colour::Auto, false, &[("CLICOLOR_FORCE", "1")]) && !told(Colour::Auto, false, &[("CLICOLOR_FORCE", "0")]));
        assert!(!told(Colour::Auto, true, &[("CLICOLOR", "0")]));
        assert!(!told(Colour::Auto, true, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]), "who wants none is heard first");
        assert!(told(Colour::Always, false, &[("NO_COLOR", "1")]) && !told(Colour::Never, true, &[("CLICOLOR_FORCE", "1")]));
    }

    #[test]
    fn the_state_folder_is_the_first_that_somebody_names() {
        let home = |name: &str| (name == "HOME").then(|| PathBuf::from("/home/ann"));
        let both = |name: &str| if name == "HOME" { home(name) } else { Some(PathBuf::from("/state")) };
        let relative = |name: &str| if name == "HOME" { home(name) } else { Some(PathBuf::from("state")) };
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(state_path(path("here"), both), path("here"));
        assert_eq!(state_path(None, both), path("/state/bowline"));
        assert_eq!(state_path(None, relative), path("/home/ann/.local/state/bowline"));
        assert_eq!(state_path(None, |_| None), None);
    }
}
