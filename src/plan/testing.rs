//! Actions that do nothing, for the tests of this module.

use super::{Plan, Problems, Source, check};
use crate::action::{Action, ActionError, Begun, Cx, Frozen, Preview, ReadCx, Registry, RunScope, UndoCx};
use crate::ids::Period;
use crate::record::{Mark, Reversibility, Settled, Target};
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

macro_rules! fake {
    ($name:ident, $kind:literal, $params:ty, $output:ty, $reversibility:expr, $targets:expr, $sources:expr) => {
        pub(super) struct $name;

        impl Action for $name {
            const KIND: &'static str = $kind;
            const ABOUT: &'static str = "Does nothing.";
            type Params = $params;
            type Undo = ();
            type After = ();
            type Output = $output;

            fn reversibility(&self, params: &Self::Params) -> Reversibility {
                let said: fn(&Self::Params) -> Reversibility = $reversibility;
                said(params)
            }

            fn targets(&self, _: &RunScope, _: &Frozen, params: &Self::Params) -> Vec<Target> {
                let said: fn(&Self::Params) -> Vec<Target> = $targets;
                said(params)
            }

            fn sources(&self, params: &Self::Params) -> Vec<String> {
                let said: fn(&Self::Params) -> Vec<String> = $sources;
                said(params)
            }

            async fn preview(&self, _: &ReadCx, _: &Self::Params) -> Result<Preview, ActionError> {
                Ok(Preview::default())
            }

            async fn perform(&self, _: &Cx<Self>, _: &Self::Params) -> Result<Self::Output, ActionError> {
                Err(ActionError::permanent("never performed"))
            }

            async fn settle(&self, _: &ReadCx, _: &Self::Params, _: &Begun<Self>) -> Result<Settled<()>, ActionError> {
                Ok(Settled::NotDone)
            }

            async fn compensate(&self, _: &UndoCx, _: &Self::Params, _: Vec<Begun<Self>>) -> Result<Vec<Mark>, ActionError> {
                Ok(Vec::new())
            }
        }
    };
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ApplyParams {
    /// Files.
    pub(super) manifests: Vec<String>,
    /// Values.
    pub(super) values: Option<BTreeMap<String, serde_json::Value>>,
    /// A number.
    pub(super) replicas: Option<u32>,
    /// How.
    pub(super) mode: Option<Mode>,
    /// How long.
    pub(super) wait: Option<Period>,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Mode {
    Fast,
    Slow,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ShellParams {
    /// The text.
    pub(super) run: String,
    /// Variables by secret.
    #[serde(default)]
    pub(super) secrets: BTreeMap<String, String>,
    /// It only looks.
    #[serde(default)]
    pub(super) read_only: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct DetectParams {
    /// Where.
    pub(super) ingress: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Colours {
    /// The live one.
    pub(super) live: Option<String>,
    /// The other one.
    pub(super) idle: String,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct SmokeParams {
    /// Probes.
    pub(super) probes: Vec<Probe>,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Probe {
    Http(Http),
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Http {
    /// The path.
    pub(super) path: String,
    /// A secret.
    pub(super) bearer: Option<String>,
    /// The port.
    pub(super) port: Option<u16>,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct WaitParams {
    /// A step.
    pub(super) applied_by: serde_json::Value,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(super) struct Free {}

fake!(Apply, "apply", ApplyParams, BTreeMap<String, serde_json::Value>, |_| Reversibility::Reversible, |params| {
    params.manifests.iter().map(|file| Target(file.clone())).collect()
}, |params| params.manifests.clone());
fake!(
    Shell,
    "shell",
    ShellParams,
    Free,
    |params| match params.read_only {
        true => Reversibility::ReadOnly,
        false => Reversibility::Irreversible,
    },
    |_| Vec::new(),
    |_| Vec::new()
);
fake!(Detect, "detect-colour", DetectParams, Colours, |_| Reversibility::ReadOnly, |_| Vec::new(), |_| Vec::new());
fake!(Smoke, "smoke-test", SmokeParams, Free, |_| Reversibility::ReadOnly, |_| Vec::new(), |_| Vec::new());
fake!(Wait, "wait-healthy", WaitParams, Free, |_| Reversibility::ReadOnly, |_| Vec::new(), |_| Vec::new());
fake!(Backup, "backup", Free, Free, |_| Reversibility::Reversible, |_| Vec::new(), |_| Vec::new());

pub(super) fn registry() -> Registry {
    Registry::default().with(Apply).with(Shell).with(Detect).with(Smoke).with(Wait).with(Backup)
}

pub(super) fn checked(text: &str) -> Result<Plan, Problems> {
    check(&Source::new("plan.yaml", text), &registry())
}

/// A plan that must be right.
pub(super) fn plan(text: &str) -> Plan {
    checked(text).unwrap_or_else(|problems| panic!("{}", shown(&problems)))
}

/// What a person sees of it, without colours.
pub(super) fn shown(diagnostic: &dyn Diagnostic) -> String {
    let mut out = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(120);
    handler.render_report(&mut out, diagnostic).unwrap();
    out.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// One line for each problem: its place, code and words, the characters pointed at, and the help.
pub(super) fn lines(text: &str) -> String {
    let problems = match checked(text) {
        Ok(plan) => plan.warnings,
        Err(problems) => problems.iter().cloned().collect(),
    };
    let line = |problem: &super::Problem| {
        let (line, column) = problem.place();
        let help = problem.help.as_deref().unwrap_or("-");
        format!("{line}:{column} [{}] {}: {}\n    help: {help}", problem.pointed(), problem.code, problem.message)
    };
    problems.iter().map(line).collect::<Vec<_>>().join("\n")
}
