//! `shell`: runs a program on this machine. It knows neither what the program does nor how to take it back.

use crate::action::{Action, ActionError, Begun, Change, Cx, EffectError, Frozen, Preview, Progress, ReadCx, Redactor, RunScope, UndoCx};
use crate::ports::{Exit, Line, ProcessError, ProcessSpec, Processes, RUN_VARIABLE, STEP_VARIABLE, Script};
use crate::record::{EffectKey, Mark, MarkKind, Reversibility, Settled, Target};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Most bytes of output that later steps can refer to.
const OUTPUT_LIMIT: usize = 64 * 1024;
/// Most lines of a script that a preview shows.
const PREVIEWED: usize = 20;
/// Lines of standard error that explain a failure.
const ERROR_LINES: usize = 5;

/// Runs a program on this machine, from the folder in which the run began.
///
/// # Idempotence
/// A program that ended with code 0 is never run again by the same step. One whose end nobody knows is run again only when `check` says
/// that it is not done, or the step says `idempotent: true`.
pub struct Shell {
    processes: Arc<dyn Processes>,
}

impl Shell {
    /// Runs programs through this port.
    pub fn new(processes: Arc<dyn Processes>) -> Self {
        Self { processes }
    }
}

/// What to run, and how.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ShellParams {
    /// What to run: text for `sh`, which stops at the first command that fails, or a list of a program and its arguments.
    pub run: Script,
    /// Variables that are added to the environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Variables whose values are secrets of the plan, by the secret's name. They are taken out of everything that the program prints.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// Where it runs; the folder in which the run began when it is not given. What takes it back runs there, too.
    #[serde(default)]
    pub directory: Option<String>,
    /// It only looks: there is nothing to take back.
    #[serde(default)]
    pub read_only: bool,
    /// A command that exits with 0 when the work is done already. It is asked after a crash or a time limit, and must not change anything. With
    /// any other code the work counts as begun: it may be done again, and is taken back as if it was done.
    #[serde(default)]
    pub check: Option<Script>,
    /// How what it prints is understood.
    #[serde(default)]
    pub output: OutputForm,
}

/// How what a program prints on standard output is understood.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OutputForm {
    /// As text, in `stdout`.
    #[default]
    Text,
    /// As JSON, in `json`, too.
    Json,
    /// As lines, in `lines`, too.
    Lines,
}

/// What a program gave: `{ "code": 0, "stdout": "v1.4.2" }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ShellOutput {
    /// Its exit code.
    pub code: i32,
    /// What it printed on standard output, without blanks around it, secrets taken out, at most 64 KiB from its end. It is missing where only
    /// `check` could tell that the work is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub stdout: Option<String>,
    /// The same as JSON, with `output: json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
    /// The same line by line, with `output: lines`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<String>>,
}

/// SIGHUP, SIGINT and SIGTERM: no program dies of them by itself.
const STOPPING: [i32; 3] = [1, 2, 15];

/// What is told where a `check` found the work done.
pub(super) const UNHEARD: &str = "its `check` finds it done, and nobody knows what it printed: it has no output";

/// What a `check` says that does not find the work done.
pub(super) const HALF: &str = "its `check` does not find it done, and it may have begun";

/// Nothing is known that would take a program back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ShellUndo {}

/// How a program ended. `stdout` and `errors` hold no secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Ended {
    code: Option<i32>,
    signal: Option<i32>,
    stdout: String,
    errors: Vec<String>,
    /// `check` says so: nobody knows what was printed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    by_check: bool,
}

/// All that one run of a program needs, so that it can go on without the attempt that began it.
struct Job {
    title: String,
    processes: Arc<dyn Processes>,
    spec: ProcessSpec,
    lines: Arc<dyn Fn(Line) + Send + Sync>,
    redactor: Redactor,
    cancel: CancellationToken,
}

impl Action for Shell {
    const KIND: &'static str = "shell";
    const ABOUT: &'static str = "Runs a program on this machine.";
    const UNDONE: &'static str =
        "The step's own `undo:`. With `read-only: true` there is nothing to take back; without either the step is irreversible.";
    const EXAMPLE: &'static str = include_str!("examples/shell.yaml");
    type Params = ShellParams;
    type Undo = ShellUndo;
    type After = Ended;
    type Output = ShellOutput;

    fn reversibility(&self, params: &ShellParams) -> Reversibility {
        if params.read_only { Reversibility::ReadOnly } else { Reversibility::Irreversible }
    }

    fn targets(&self, _scope: &RunScope, _frozen: &Frozen, _params: &ShellParams) -> Vec<Target> {
        Vec::new()
    }

    fn problems(&self, params: &ShellParams) -> Vec<String> {
        let twice = params.secrets.keys().filter(|name| params.env.contains_key(*name));
        let mut problems: Vec<String> = twice.map(|name| format!("`{name}` stands in `env` and in `secrets`: keep one")).collect();
        if params.read_only && params.check.is_some() {
            problems.push("`check` tells whether work was done, and what is `read-only` does none: keep one".to_owned());
        }
        problems
    }

    fn programs(&self, params: &ShellParams) -> Vec<Script> {
        vec![params.run.clone()]
    }

    fn repeatable(&self, params: &ShellParams) -> bool {
        params.read_only
    }

    async fn preview(&self, _cx: &ReadCx, params: &ShellParams) -> Result<Preview, ActionError> {
        let title = params.run.title();
        let (program, args) = params.run.command();
        let refusals: Vec<String> = self.processes.refuses(&program, &args).into_iter().collect();
        if params.read_only {
            return Ok(Preview { notes: vec![format!("runs `{title}`, which only looks")], refusals, ..Preview::default() });
        }
        let whole = params.run.whole();
        let mut lines: Vec<String> = whole.trim().lines().take(PREVIEWED).map(str::to_owned).collect();
        if whole.trim().lines().count() > PREVIEWED {
            lines.push("…".to_owned());
        }
        let change = Change { target: Target("process:local".to_owned()), verb: "run".to_owned(), lines };
        let notes = vec!["what it changes cannot be told before it runs".to_owned()];
        Ok(Preview { changes: vec![change], notes, refusals })
    }

    async fn perform(&self, cx: &Cx<Self>, params: &ShellParams) -> Result<ShellOutput, ActionError> {
        let job = self.job(&cx.read, params, &params.run).await?;
        if params.read_only {
            let ended = job.run().await.map_err(|error| match error {
                EffectError::Refused(error) | EffectError::Lost(error) => error,
            })?;
            return output(params, ended);
        }
        let ticket = cx.intend_one(EffectKey("run".into()), ShellUndo {}).await?;
        let ended = match ticket.known.done().filter(|ended| ended.code == Some(0)) {
            Some(done) => done.clone(),
            None => cx.effect(ticket, async move { job.run().await }).await?,
        };
        if ended.by_check {
            cx.read.warn(UNHEARD);
        }
        output(params, ended)
    }

    async fn settle(&self, cx: &ReadCx, params: &ShellParams, _effect: &Begun<Self>) -> Result<Settled<Ended>, ActionError> {
        let Some(check) = &params.check else {
            return Ok(Settled::Unknown("nobody knows how far its program got, and it has no `check` to ask".to_owned()));
        };
        let checked = self.job(cx, params, check).await?.run().await;
        Ok(match checked {
            Ok(ended) if ended.code == Some(0) => Settled::Done(Ended { stdout: String::new(), by_check: true, ..ended }),
            // How far it got is not known: there may be half of its work.
            Ok(Ended { code: Some(_), .. }) => Settled::Other(HALF.to_owned()),
            Ok(_) => Settled::Unknown("`check` was ended by a signal".to_owned()),
            Err(EffectError::Refused(error) | EffectError::Lost(error)) => Settled::Unknown(format!("`check` gives no answer: {error}")),
        })
    }

    async fn compensate(&self, _cx: &UndoCx, params: &ShellParams, effects: Vec<Begun<Self>>) -> Result<Vec<Mark>, ActionError> {
        let title = params.run.title();
        let mark = |effect: Begun<Self>| match effect.known.is_not_done() {
            true => Mark { key: effect.key, kind: MarkKind::Nothing, notes: Vec::new() },
            false => Mark {
                key: effect.key,
                kind: MarkKind::Residue,
                notes: vec![format!("nothing says how to take back what `{title}` did: give the step an `undo`")],
            },
        };
        Ok(effects.into_iter().map(mark).collect())
    }
}

impl Shell {
    async fn job(&self, cx: &ReadCx, params: &ShellParams, script: &Script) -> Result<Job, ActionError> {
        let (program, args) = script.command();
        let mut environment = params.env.clone();
        environment.insert(RUN_VARIABLE.to_owned(), cx.scope.run.to_string());
        environment.insert(STEP_VARIABLE.to_owned(), cx.step.to_string());
        let mut secrets = Vec::new();
        for (variable, name) in &params.secrets {
            let secret = cx.secret(name).await?;
            environment.insert(variable.clone(), secret.expose().to_owned());
            secrets.push(secret);
        }
        let redactor = Redactor::new(&secrets);
        let (sink, step, clean) = (cx.sink.clone(), cx.step.clone(), redactor.clone());
        let directory = params.directory.as_ref().map(Into::into);
        Ok(Job {
            title: script.title(),
            processes: self.processes.clone(),
            spec: ProcessSpec { program, args, directory, environment, input: None },
            lines: Arc::new(move |line| sink.progress(&step, Progress::printed(clean.clean(&line.text), line.goes_on))),
            redactor,
            cancel: cx.cancel.clone(),
        })
    }
}

impl Job {
    async fn run(self) -> Result<Ended, EffectError> {
        match self.processes.run(self.spec, self.lines, self.cancel).await {
            // It had begun and was stopped half way: what it did until then is anybody's guess.
            Ok(Exit { cancelled: true, .. }) => Err(EffectError::Lost(ActionError::transient("it was stopped before its end"))),
            // Somebody ended it, and perhaps this process with it: it was stopped half way, too.
            Ok(Exit { signal: Some(signal), .. }) if STOPPING.contains(&signal) => {
                Err(EffectError::Lost(ActionError::transient(format!("`{}` was ended by signal {signal}", self.title))))
            }
            Ok(exit) => Ok(ended(&exit, &self.redactor)),
            Err(error @ ProcessError::NotStarted { .. }) => {
                Err(EffectError::Refused(ActionError::permanent(format!("`{}` never ran", self.title)).because(&error)))
            }
            Err(error @ ProcessError::Lost { .. }) => {
                Err(EffectError::Lost(ActionError::transient("nobody knows how it ended").because(&error)))
            }
        }
    }
}

fn ended(exit: &Exit, redactor: &Redactor) -> Ended {
    let stdout = redactor.clean(exit.output.trim());
    let mut from = stdout.len().saturating_sub(OUTPUT_LIMIT);
    while !stdout.is_char_boundary(from) {
        from += 1;
    }
    let errors = redactor.clean(&exit.errors);
    let told: Vec<&str> = errors.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = told[told.len().saturating_sub(ERROR_LINES)..].iter().map(|line| (*line).to_owned());
    Ended { code: exit.code, signal: exit.signal, stdout: stdout[from..].to_owned(), errors: last.collect(), by_check: false }
}

fn output(params: &ShellParams, ended: Ended) -> Result<ShellOutput, ActionError> {
    let title = params.run.title();
    let how = match (ended.code, ended.signal) {
        (Some(0), _) => None,
        (Some(code), _) => Some(format!("exited with code {code}")),
        (None, Some(signal)) => Some(format!("was ended by signal {signal}")),
        (None, None) => Some("ended without a code".to_owned()),
    };
    if let Some(how) = how {
        return Err(failed(format!("`{title}` {how}"), &ended));
    }
    if ended.by_check {
        return Ok(ShellOutput { code: 0, stdout: None, json: None, lines: None });
    }
    let (json, lines) = match params.output {
        OutputForm::Text => (None, None),
        OutputForm::Json => (Some(parse(&title, &ended.stdout)?), None),
        OutputForm::Lines => (None, Some(ended.stdout.lines().map(str::to_owned).collect())),
    };
    Ok(ShellOutput { code: 0, stdout: Some(ended.stdout), json, lines })
}

fn failed(message: String, ended: &Ended) -> ActionError {
    let is_for_good = ended.code.is_some_and(|code| is_for_good(code, &ended.errors));
    let error = if is_for_good { ActionError::permanent(message) } else { ActionError::transient(message) };
    let mut failure = error.into_failure();
    failure.causes.extend(ended.errors.iter().cloned());
    failure.into()
}

/// True where the step's own shell says that a program cannot be run, or is not there: nor will it be at the next try. Programs such as `ssh`
/// and `xargs` end with the same codes for reasons that may pass.
pub(super) fn is_for_good(code: i32, errors: &[String]) -> bool {
    matches!(code, 126 | 127) && errors.last().is_some_and(|last| last.starts_with("sh: "))
}

fn parse(title: &str, stdout: &str) -> Result<Value, ActionError> {
    serde_json::from_str(stdout).map_err(|error| {
        let hint = "print one JSON document on standard output, or leave `output: json` out";
        ActionError::permanent(format!("`{title}` did not print JSON")).because(&error).hint(hint)
    })
}

#[cfg(test)]
mod tests;
