//! The question that a program on this machine answers. It must only look.

use super::{JsonExpect, Outside, Setting, excerpt};
use crate::ids::Period;
use crate::ports::{Exit, ProcessError, ProcessSpec, Script};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// A program on this machine that only looks, and what is expected of its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CommandProbe {
    /// What to run: text for `sh`, which stops at the first command that fails, or a list of a program and its arguments.
    pub run: Script,
    /// Variables that are added to the environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Variables whose values are secrets of the plan, by the secret's name.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// Where it runs; the folder in which bowline runs when it is not given.
    #[serde(default)]
    pub directory: Option<String>,
    /// Time until it has ended; 30 s when it is not given.
    #[serde(default)]
    pub timeout: Option<Period>,
    /// What is expected of its end; code 0 when it is not given.
    #[serde(default)]
    pub expect: CommandExpect,
}

/// What is expected of a program's end. All of it must hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct CommandExpect {
    /// Its exit code.
    #[serde(default)]
    pub code: i32,
    /// A text that it prints on standard output.
    #[serde(default)]
    pub stdout_contains: Option<String>,
    /// Values in the JSON that it prints on standard output, by JSONPath.
    #[serde(default)]
    pub json: JsonExpect,
}

impl CommandProbe {
    pub(super) fn problems(&self) -> Vec<String> {
        self.expect.json.problems()
    }

    pub(super) async fn ask(&self, setting: &Setting, outside: &Outside, cancel: &CancellationToken) -> Vec<String> {
        let spec = match self.spec(setting) {
            Ok(spec) => spec,
            Err(complaint) => return vec![complaint],
        };
        let stop = cancel.child_token();
        let limit = self.timeout.map_or(COMMAND_TIMEOUT, |timeout| timeout.0);
        let mut running = outside.processes.run(spec, Arc::new(drop), stop.clone());
        let ended = tokio::select! {
            ended = &mut running => ended,
            () = outside.clock.sleep(limit) => {
                stop.cancel();
                // Its group must be gone before somebody asks again.
                let _ = running.await;
                return vec![format!("expected it to end within {}", Period(limit))];
            }
        };
        match ended {
            Ok(exit) => self.expect.complaints(&exit),
            Err(error @ (ProcessError::NotStarted { .. } | ProcessError::Lost { .. })) => {
                let why = error.source().map(|source| format!(": {source}")).unwrap_or_default();
                vec![format!("{error}{why}")]
            }
        }
    }

    fn spec(&self, setting: &Setting) -> Result<ProcessSpec, String> {
        let (program, args) = self.run.command();
        let mut environment = self.env.clone();
        for (variable, name) in &self.secrets {
            let value = setting.secrets.get(name).ok_or_else(|| format!("the secret `{name}` is not there"))?;
            environment.insert(variable.clone(), value.clone());
        }
        Ok(ProcessSpec { program, args, directory: self.directory.as_ref().map(Into::into), environment, input: None })
    }
}

impl CommandExpect {
    fn complaints(&self, exit: &Exit) -> Vec<String> {
        if exit.cancelled {
            return vec!["stopped before there was an answer".to_owned()];
        }
        let mut complaints = Vec::new();
        if exit.code != Some(self.code) {
            let got = match (exit.code, exit.signal) {
                (Some(code), _) => code.to_string(),
                (None, Some(signal)) => format!("signal {signal}"),
                (None, None) => "none".to_owned(),
            };
            let last = exit.errors.lines().rfind(|line| !line.trim().is_empty());
            let quoted = last.map(|line| format!(" ({})", excerpt(line))).unwrap_or_default();
            complaints.push(format!("expected exit code {}, got {got}{quoted}", self.code));
        }
        if let Some(text) = self.stdout_contains.as_ref().filter(|text| !exit.output.contains(text.as_str())) {
            complaints.push(format!("expected output with `{}`, got `{}`", excerpt(text), excerpt(&exit.output)));
        }
        complaints.extend(self.json.complaints(&exit.output));
        complaints
    }
}
