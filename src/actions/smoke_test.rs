//! `smoke-test`: puts questions to what was deployed. It changes nothing, and knows no protocol: that is the probes' affair.

use super::pods::{Door, Pods, Reach, check_through};
use super::port_name::PortName;
use crate::action::{Action, ActionError, Asked, Begun, Cx, Evidence, Frozen, Preview, ReadCx, RunScope, UndoCx};
use crate::ids::Period;
use crate::ports::Script;
use crate::probe::{Outside, Patience, Probe, Setting, Verdict};
use crate::record::{Mark, MarkKind, Reversibility, Settled, Target};
use futures::future::join_all;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Asks what was deployed whether it works: all probes side by side, and all that fail are told at once.
///
/// # Idempotence
/// It changes nothing and can be repeated at will.
pub struct SmokeTest {
    outside: Outside,
    pods: Option<Arc<dyn Pods>>,
}

impl SmokeTest {
    /// Asks through these ports; through pods where there is a way to them.
    pub fn new(outside: Outside, pods: Option<Arc<dyn Pods>>) -> Self {
        Self { outside, pods }
    }
}

/// Whom to ask, what, and how patiently.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SmokeTestParams {
    /// Where a probe's `path` leads: a port-forward to a pod behind `service/NAME`, `deployment/NAME`, `statefulset/NAME` or `pod/NAME`.
    #[serde(default)]
    pub through: Option<String>,
    /// The port for `through`: its number or its name; the first one when it is not given.
    #[serde(default)]
    pub port: Option<PortName>,
    /// Where a probe's `path` leads: the beginning of a URL.
    #[serde(default)]
    pub base: Option<String>,
    /// The questions, and what is expected of the answers.
    pub probes: Vec<Probe>,
    /// How long to go on asking until the answers are as expected. Without it, the first one decides.
    #[serde(default)]
    pub within: Option<Period>,
    /// The pause between two questions of a probe; 1 s when it is not given.
    #[serde(default)]
    pub every: Option<Period>,
    /// How many answers in a row must be as expected; 1 when it is not given.
    #[serde(default)]
    pub times: Option<u32>,
}

/// What a smoke test that passed gives: `{ "passed": ["GET /health"] }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct SmokeTestOutput {
    /// The probes that passed, which are all.
    pub passed: Vec<String>,
}

impl Action for SmokeTest {
    const KIND: &'static str = "smoke-test";
    const ABOUT: &'static str = "Asks what was deployed whether it works.";
    const UNDONE: &'static str = "It only reads.";
    const EXAMPLE: &'static str = include_str!("examples/smoke-test.yaml");
    type Params = SmokeTestParams;
    type Undo = ();
    type After = ();
    type Output = SmokeTestOutput;

    fn reversibility(&self, _params: &SmokeTestParams) -> Reversibility {
        Reversibility::ReadOnly
    }

    fn targets(&self, _scope: &RunScope, _frozen: &Frozen, _params: &SmokeTestParams) -> Vec<Target> {
        Vec::new()
    }

    fn programs(&self, params: &SmokeTestParams) -> Vec<Script> {
        params.probes.iter().filter_map(Probe::program).cloned().collect()
    }

    fn asks(&self, params: &SmokeTestParams) -> Vec<Asked> {
        let through = params.through.iter().map(|through| Asked::Object(through.clone()));
        let servers = params.probes.iter().filter_map(|probe| probe.server(params.base.as_deref()));
        through.chain(servers.map(|(method, url, host)| Asked::Server { method, url, host })).collect()
    }

    fn problems(&self, params: &SmokeTestParams) -> Vec<String> {
        let mut problems = Vec::new();
        let based = params.through.is_some() || params.base.is_some();
        if params.through.is_some() && params.base.is_some() {
            problems.push("`through` and `base` both say where a `path` leads: keep one".to_owned());
        }
        if params.port.is_some() && params.through.is_none() {
            problems.push("`port` is the port for `through`, which is not given".to_owned());
        }
        problems.extend(params.through.as_deref().and_then(|through| check_through(through).err()));
        if params.probes.is_empty() {
            problems.push("there are no probes, so nothing would be tested".to_owned());
        }
        for probe in &params.probes {
            problems.extend(probe.problems(based).into_iter().map(|problem| format!("{}: {problem}", probe.title())));
        }
        problems
    }

    fn repeatable(&self, _params: &SmokeTestParams) -> bool {
        true
    }

    async fn preview(&self, _cx: &ReadCx, params: &SmokeTestParams) -> Result<Preview, ActionError> {
        let place = params.through.as_ref().or(params.base.as_ref()).map(|place| format!(" through {place}")).unwrap_or_default();
        let notes = params.probes.iter().map(|probe| format!("asks {}{place}", probe.title())).collect();
        Ok(Preview { notes, ..Preview::default() })
    }

    async fn missing_rights(&self, cx: &ReadCx, params: &SmokeTestParams) -> Result<Vec<String>, ActionError> {
        match (&params.through, &self.pods) {
            (Some(_), Some(pods)) => pods.missing_rights(&cx.scope, Reach::Forward).await,
            _ => Ok(Vec::new()),
        }
    }

    async fn perform(&self, cx: &Cx<Self>, params: &SmokeTestParams) -> Result<SmokeTestOutput, ActionError> {
        let door = self.door(&cx.read, params).await?;
        let setting = setting(&cx.read, params, door.as_deref()).await?;
        let patience = Patience { within: params.within, every: params.every, times: params.times };
        cx.read.doing(match params.probes.as_slice() {
            [one] => format!("asking {}", one.title()),
            all => format!("asking {} probes", all.len()),
        });
        let verdicts = params.probes.iter().map(|probe| probe.ask_until(&patience, &setting, &self.outside, &cx.read.cancel));
        let verdicts = join_all(verdicts).await;
        let failed = params.probes.iter().zip(verdicts).filter_map(|(probe, verdict)| match verdict {
            Verdict::Passed => None,
            Verdict::Failed(why) => Some(format!("{}: {why}", probe.title())),
        });
        let failed: Vec<String> = failed.collect();
        if failed.is_empty() {
            return Ok(SmokeTestOutput { passed: params.probes.iter().map(Probe::title).collect() });
        }
        Err(failure(failed, door.and_then(|door| door.trouble())))
    }

    async fn settle(&self, _cx: &ReadCx, _params: &SmokeTestParams, _effect: &Begun<Self>) -> Result<Settled<()>, ActionError> {
        Ok(Settled::NotDone)
    }

    async fn compensate(&self, _cx: &UndoCx, _params: &SmokeTestParams, effects: Vec<Begun<Self>>) -> Result<Vec<Mark>, ActionError> {
        Ok(effects.into_iter().map(|effect| Mark { key: effect.key, kind: MarkKind::Nothing, notes: Vec::new() }).collect())
    }

    async fn evidence(&self, cx: &ReadCx, params: &SmokeTestParams, _effects: Vec<Begun<Self>>) -> Vec<Evidence> {
        match (&params.through, &self.pods) {
            (Some(through), Some(pods)) => pods.evidence(cx, &cx.scope, through).await,
            _ => Vec::new(),
        }
    }
}

impl SmokeTest {
    async fn door(&self, cx: &ReadCx, params: &SmokeTestParams) -> Result<Option<Box<dyn Door>>, ActionError> {
        let Some(through) = &params.through else { return Ok(None) };
        let pods = self.pods.as_ref().ok_or_else(|| ActionError::permanent("this bowline was built without Kubernetes"))?;
        cx.doing(format!("opening a way to {through}"));
        tokio::select! {
            door = pods.door(&cx.scope, through, params.port.as_ref().map(PortName::as_str)) => door.map(Some),
            () = cx.cancel.cancelled() => Err(ActionError::transient(format!("stopped while it opened a way to {through}"))),
        }
    }
}

async fn setting(cx: &ReadCx, params: &SmokeTestParams, door: Option<&dyn Door>) -> Result<Setting, ActionError> {
    let base = door.map(|door| format!("http://{}", door.address())).or_else(|| params.base.clone());
    let mut setting = Setting { base, ..Setting::default() };
    for name in params.probes.iter().flat_map(Probe::secrets) {
        let value = cx.secret(name).await?.expose().to_owned();
        setting.secrets.insert(name.to_owned(), value);
    }
    Ok(setting)
}

/// One line for the first, which is what people see first; the others are its causes.
fn failure(mut failed: Vec<String>, trouble: Option<String>) -> ActionError {
    let first = failed.remove(0);
    let more = if failed.is_empty() { String::new() } else { format!(" (and {} more)", failed.len()) };
    let mut failure = ActionError::transient(format!("{first}{more}")).into_failure();
    failure.causes = failed;
    failure.causes.extend(trouble.map(|trouble| format!("the way to the pod broke: {trouble}")));
    failure.into()
}

#[cfg(test)]
mod tests;
