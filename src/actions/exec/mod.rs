//! `exec`: runs a command in a pod that runs. It knows neither what the command does nor how to take it back.

mod command;
#[cfg(test)]
mod tests;

use super::pods::{Pods, Reach, check_through};
use super::shell::{HALF, OutputForm, UNHEARD};
use crate::action::{Action, ActionError, Asked, Begun, Change, Cx, EffectError, Evidence, Frozen, Preview, ReadCx, RunScope, UndoCx};
use crate::ports::Script;
use crate::record::{EffectKey, Mark, MarkKind, Reversibility, Settled, Target};
use command::Job;
pub use command::PodEnded;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

/// Runs commands in pods.
///
/// # Idempotence
/// A command that ended with code 0 is never run again by the same step. One whose end nobody knows is run again only when `check` says
/// that it is not done, or the step says `idempotent: true`.
pub struct Exec {
    pods: Arc<dyn Pods>,
}

impl Exec {
    /// Runs commands through this way to pods.
    pub fn new(pods: Arc<dyn Pods>) -> Self {
        Self { pods }
    }
}

/// Where to run, what, and how.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ExecParams {
    /// The pod: `pod/web-0`, or a ready one of `deployment/web`, `statefulset/postgres`, `service/web` or `selector/app=web`.
    pub pod: String,
    /// The container; the only or default one when none.
    #[serde(default)]
    pub container: Option<String>,
    /// What to run: text for the container's `sh`, which stops at the first command that fails, or a list of a program and its arguments.
    pub run: Script,
    /// What it reads from standard input. Everybody who may read the plan can read it.
    #[serde(default)]
    pub input: Option<String>,
    /// It only looks: there is nothing to take back.
    #[serde(default)]
    pub read_only: bool,
    /// A command, in the same pod, that exits with 0 when the work is done already. It is asked when a connection was lost, and must not change anything.
    /// With any other code the work counts as begun: it may be done again, and is taken back as if it was done.
    #[serde(default)]
    pub check: Option<Script>,
    /// How what it prints is understood.
    #[serde(default)]
    pub output: OutputForm,
    /// The pod's namespace; the environment's when none.
    #[serde(default)]
    pub namespace: Option<String>,
}

/// What a command gave: `{ "pod": "postgres-0", "code": 0, "stdout": "v1.4.2" }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ExecOutput {
    /// The pod in which it ran.
    pub pod: String,
    /// Its exit code.
    pub code: i32,
    /// What it printed on standard output, without blanks around it, at most 64 KiB from its end. It is missing where only `check` could tell
    /// that the work is done.
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

/// Nothing is known that would take a command back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ExecUndo {
    /// The pod in which it was to run.
    pub pod: String,
}

impl Exec {
    /// Chooses the pod, once: what looks afterwards looks there, too.
    async fn choose(&self, cx: &ReadCx, params: &ExecParams) -> Result<String, ActionError> {
        cx.doing(format!("looking for {}", params.pod));
        tokio::select! {
            pod = self.pods.choose(&scope(cx, params), &params.pod) => pod,
            () = cx.cancel.cancelled() => Err(ActionError::transient(format!("stopped while it looked for {}", params.pod))),
        }
    }

    fn job(&self, cx: &ReadCx, params: &ExecParams, pod: &str, script: &Script, input: Option<&String>) -> Job {
        Job {
            pods: Arc::clone(&self.pods),
            scope: scope(cx, params),
            pod: pod.to_owned(),
            container: params.container.clone(),
            script: script.clone(),
            input: input.cloned(),
            cx: cx.clone(),
        }
    }
}

fn scope(cx: &ReadCx, params: &ExecParams) -> RunScope {
    let mut scope = RunScope::clone(&cx.scope);
    scope.namespace = params.namespace.clone().or(scope.namespace);
    scope
}

impl Action for Exec {
    const KIND: &'static str = "exec";
    const ABOUT: &'static str = "Runs a command in a pod.";
    const UNDONE: &'static str =
        "The step's own `undo:`. With `read-only: true` there is nothing to take back; without either the step is irreversible.";
    const EXAMPLE: &'static str = include_str!("../examples/exec.yaml");
    type Params = ExecParams;
    type Undo = ExecUndo;
    type After = PodEnded;
    type Output = ExecOutput;

    fn reversibility(&self, params: &ExecParams) -> Reversibility {
        if params.read_only { Reversibility::ReadOnly } else { Reversibility::Irreversible }
    }

    fn targets(&self, _scope: &RunScope, _frozen: &Frozen, _params: &ExecParams) -> Vec<Target> {
        Vec::new()
    }

    fn problems(&self, params: &ExecParams) -> Vec<String> {
        let mut problems: Vec<String> = check_through(&params.pod).err().into_iter().collect();
        if params.read_only && params.check.is_some() {
            problems.push("`check` tells whether work was done, and what is `read-only` does none: keep one".to_owned());
        }
        problems
    }

    fn asks(&self, params: &ExecParams) -> Vec<Asked> {
        // `check` is run only when an answer was lost.
        vec![Asked::InPod { pod: params.pod.clone(), container: params.container.clone(), script: params.run.clone() }]
    }

    fn repeatable(&self, params: &ExecParams) -> bool {
        params.read_only
    }

    async fn preview(&self, _cx: &ReadCx, params: &ExecParams) -> Result<Preview, ActionError> {
        let title = params.run.title();
        if params.read_only {
            return Ok(Preview { notes: vec![format!("runs `{title}` in {}, which only looks", params.pod)], ..Preview::default() });
        }
        let change = Change { target: Target(format!("pod:{}", params.pod)), verb: "run".to_owned(), lines: vec![title] };
        Ok(Preview { changes: vec![change], notes: vec!["what it changes cannot be told before it runs".to_owned()], ..Preview::default() })
    }

    async fn missing_rights(&self, cx: &ReadCx, params: &ExecParams) -> Result<Vec<String>, ActionError> {
        self.pods.missing_rights(&scope(cx, params), Reach::Exec).await
    }

    async fn perform(&self, cx: &Cx<Self>, params: &ExecParams) -> Result<ExecOutput, ActionError> {
        let pod = self.choose(&cx.read, params).await?;
        if params.read_only {
            let ended = self.job(&cx.read, params, &pod, &params.run, params.input.as_ref()).run().await;
            let ended = ended.map_err(|(EffectError::Refused(error) | EffectError::Lost(error))| error)?;
            return command::output(params, ended);
        }
        let ticket = cx.intend_one(EffectKey("run".into()), ExecUndo { pod: pod.clone() }).await?;
        let ended = match ticket.known.done().filter(|ended| ended.code == 0) {
            Some(done) => done.clone(),
            None => {
                let job = self.job(&cx.read, params, &pod, &params.run, params.input.as_ref());
                cx.effect(ticket, async move { job.run().await }).await?
            }
        };
        if ended.is_by_check() {
            cx.read.warn(UNHEARD);
        }
        command::output(params, ended)
    }

    async fn settle(&self, cx: &ReadCx, params: &ExecParams, effect: &Begun<Self>) -> Result<Settled<PodEnded>, ActionError> {
        let Some(check) = &params.check else {
            return Ok(Settled::Unknown(format!(
                "nobody knows how far its command got in pod/{}, and it has no `check` to ask",
                effect.undo.pod
            )));
        };
        // Another pod can tell as well, when that one is gone.
        let pod = self.choose(cx, params).await?;
        Ok(match self.job(cx, params, &pod, check, None).run().await {
            Ok(ended) if ended.code == 0 => Settled::Done(ended.by_check()),
            // It may be half done, and even go on in its pod.
            Ok(_) => Settled::Other(HALF.to_owned()),
            Err(EffectError::Refused(error) | EffectError::Lost(error)) => Settled::Unknown(format!("`check` gives no answer: {error}")),
        })
    }

    async fn compensate(&self, _cx: &UndoCx, params: &ExecParams, effects: Vec<Begun<Self>>) -> Result<Vec<Mark>, ActionError> {
        let title = params.run.title();
        let mark = |effect: Begun<Self>| match effect.known.is_not_done() {
            true => Mark { key: effect.key, kind: MarkKind::Nothing, notes: Vec::new() },
            false => Mark {
                key: effect.key,
                kind: MarkKind::Residue,
                notes: vec![format!(
                    "nothing says how to take back what `{title}` did in pod/{}: give the step an `undo`",
                    effect.undo.pod
                )],
            },
        };
        Ok(effects.into_iter().map(mark).collect())
    }

    async fn evidence(&self, cx: &ReadCx, params: &ExecParams, effects: Vec<Begun<Self>>) -> Vec<Evidence> {
        // The pod in which it ran; all that it could have run in, when none was chosen.
        let through = effects.last().map_or_else(|| params.pod.clone(), |effect| format!("pod/{}", effect.undo.pod));
        self.pods.evidence(cx, &scope(cx, params), &through).await
    }
}
