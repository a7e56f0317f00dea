//! `wait-healthy`: waits until objects do what they are for, and fails as soon as they will not. It changes nothing.

use super::applied_by::AppliedBy;
use super::kubernetes::{Place, evidence, failed, hide_secrets, open_for_evidence, stopped, watch_rights};
use super::naming::ObjectName;
use super::object_condition::{condition, holds, values};
use crate::action::{Action, ActionError, Asked, Begun, Cx, Evidence, Frozen, Preview, ReadCx, RunScope, UndoCx};
use crate::cluster::evidence::gather;
use crate::cluster::health::wait::{Patience, Subject, Unhealthy, WaitError, wait_healthy_by};
use crate::cluster::health::{Pin, Trouble, Verdict};
use crate::cluster::{Address, Clusters, Object};
use crate::expr::Condition;
use crate::ids::Period;
use crate::record::{Mark, Reversibility, Settled, Target};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Waits until objects are healthy.
pub struct WaitHealthy {
    clusters: Clusters,
}

impl WaitHealthy {
    /// Makes the action.
    pub fn new(clusters: Clusters) -> Self {
        Self { clusters }
    }
}

/// Which objects, and how long to believe that they get better.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct WaitHealthyParams {
    /// All objects of this `apply` step, as that step wrote them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_by: Option<AppliedBy>,
    /// A Deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment: Option<String>,
    /// A StatefulSet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stateful_set: Option<String>,
    /// A Pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// A Job: healthy means that it is complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// More objects, each written `deployment/web`, `daemonset/logs`, or with group and version `example.com/v1/Gadget/web`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<String>,
    /// What else must be true of objects of a kind before they are healthy, in CEL: `Certificate: object.status.serial == "7"`. For custom
    /// resources whose conditions do not say enough.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub healthy_when: BTreeMap<String, String>,
    /// Their namespace; the environment's when none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// They must stay healthy for this long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stable_for: Option<Period>,
    /// What may pass by itself, such as a crash or a registry that does not answer, may last this long: 60s unless it says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_grace: Option<Period>,
    /// So often may a container be started again: 3 unless it says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarts: Option<u32>,
}

/// What is healthy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Healthy {
    /// The objects.
    pub healthy: Vec<String>,
}

impl WaitHealthyParams {
    /// Which objects to wait for. Only kinds that are no usual ones are asked for at the cluster.
    async fn subjects(&self, place: &Place) -> Result<Vec<Subject>, ActionError> {
        let mut subjects = match &self.applied_by {
            None => Vec::new(),
            Some(AppliedBy::Output(output)) => output.objects.iter().map(super::applied_by::AppliedObject::subject).collect(),
            Some(AppliedBy::Step(step)) => return Err(ActionError::permanent(format!("the output of step `{step}` is not known"))),
        };
        let named = [("Deployment", &self.deployment), ("StatefulSet", &self.stateful_set), ("Pod", &self.pod), ("Job", &self.job)];
        let named = named.into_iter().filter_map(|(kind, name)| name.as_ref().map(|name| Address::known(kind, &place.namespace, name)));
        let mut addresses: Vec<Address> = named.collect();
        for text in &self.objects {
            addresses.push(ObjectName::parse(text).map_err(ActionError::permanent)?.address(place).await?);
        }
        subjects.extend(addresses.into_iter().map(|at| Subject { at, pin: Pin::default() }));
        Ok(subjects)
    }

    /// The plan's own rules, by kind.
    fn rules(&self) -> Result<BTreeMap<&str, Condition>, String> {
        let rules = self.healthy_when.iter().map(|(kind, text)| Ok((kind.as_str(), condition("healthy-when", text)?)));
        rules.collect()
    }

    fn patience(&self) -> Patience {
        let default = Patience::default();
        Patience {
            stable_for: self.stable_for.map_or(default.stable_for, |period| period.0),
            failure_grace: self.failure_grace.map_or(default.failure_grace, |period| period.0),
            restarts: self.restarts.unwrap_or(default.restarts),
        }
    }
}

/// What a rule of the plan's own says of an object.
fn judge_by(rules: &BTreeMap<&str, Condition>, object: &Object) -> Option<Verdict> {
    let condition = rules.get(object.kind())?;
    Some(match holds(condition, object) {
        Ok(true) => Verdict::Healthy,
        Ok(false) => Verdict::Waiting(values(condition, object)),
        Err(why) => Verdict::Failed(Trouble::of(why)),
    })
}

fn told(unhealthy: &Unhealthy) -> ActionError {
    let error = ActionError::permanent(unhealthy.to_string());
    match &unhealthy.log {
        None => error,
        Some(log) => {
            let lines: Vec<&str> = log.lines().collect();
            let last = lines[lines.len().saturating_sub(5)..].join("\n");
            let mut failure = error.into_failure();
            failure.causes.push(format!("last lines of its log: {last}"));
            ActionError::from(failure)
        }
    }
}

impl Action for WaitHealthy {
    const KIND: &'static str = "wait-healthy";
    const ABOUT: &'static str = "Waits until objects are healthy, and fails as soon as it is sure that they will not be.";
    const UNDONE: &'static str = "It only reads.";
    const EXAMPLE: &'static str = include_str!("examples/wait-healthy.yaml");
    type Params = WaitHealthyParams;
    type Undo = ();
    type After = ();
    type Output = Healthy;

    fn reversibility(&self, _params: &WaitHealthyParams) -> Reversibility {
        Reversibility::ReadOnly
    }

    fn targets(&self, _scope: &RunScope, _frozen: &Frozen, _params: &WaitHealthyParams) -> Vec<Target> {
        Vec::new()
    }

    fn asks(&self, params: &WaitHealthyParams) -> Vec<Asked> {
        let named = [("deployment", &params.deployment), ("statefulset", &params.stateful_set), ("job", &params.job)];
        let named = named.into_iter().filter_map(|(kind, name)| Some(format!("{kind}/{}", name.as_ref()?)));
        named.chain(params.objects.iter().cloned()).map(Asked::Object).collect()
    }

    fn problems(&self, params: &WaitHealthyParams) -> Vec<String> {
        let mut problems: Vec<String> = params.objects.iter().filter_map(|text| ObjectName::parse(text).err()).collect();
        problems.extend(params.rules().err());
        let named = [&params.deployment, &params.stateful_set, &params.pod, &params.job];
        if params.applied_by.is_none() && params.objects.is_empty() && named.iter().all(|name| name.is_none()) {
            problems.push("say what to wait for: `applied-by`, `deployment`, `stateful-set`, `pod`, `job` or `objects`".to_owned());
        }
        problems
    }

    fn repeatable(&self, _params: &WaitHealthyParams) -> bool {
        true
    }

    async fn preview(&self, _cx: &ReadCx, _params: &WaitHealthyParams) -> Result<Preview, ActionError> {
        Ok(Preview::default())
    }

    async fn missing_rights(&self, cx: &ReadCx, params: &WaitHealthyParams) -> Result<Vec<String>, ActionError> {
        let place = Place::open(&self.clusters, &cx.scope, params.namespace.as_deref()).await?;
        place.lacking(&watch_rights(&params.subjects(&place).await?)).await
    }

    async fn perform(&self, cx: &Cx<Self>, params: &WaitHealthyParams) -> Result<Healthy, ActionError> {
        let place = Place::open(&self.clusters, &cx.read.scope, params.namespace.as_deref()).await?;
        let subjects = params.subjects(&place).await?;
        let rules = params.rules().map_err(ActionError::permanent)?;
        let judge = |object: &Object| judge_by(&rules, object);
        let mut tell = |text: String| cx.read.doing(text);
        let waited = tokio::select! {
            waited = wait_healthy_by(&place.cluster, &subjects, params.patience(), &judge, &mut tell) => waited,
            () = cx.read.cancel.cancelled() => return Err(stopped()),
        };
        match waited {
            Ok(()) => Ok(Healthy { healthy: subjects.iter().map(|subject| subject.at.to_string()).collect() }),
            Err(WaitError::Unhealthy(unhealthy)) => {
                hide_secrets(&cx.read, &place).await;
                Err(told(&unhealthy))
            }
            Err(WaitError::Api(error)) => Err(failed("cannot watch the cluster", &error)),
        }
    }

    async fn settle(&self, _cx: &ReadCx, _params: &WaitHealthyParams, _effect: &Begun<Self>) -> Result<Settled<()>, ActionError> {
        Ok(Settled::NotDone)
    }

    async fn compensate(&self, _cx: &UndoCx, _params: &WaitHealthyParams, _effects: Vec<Begun<Self>>) -> Result<Vec<Mark>, ActionError> {
        Ok(Vec::new())
    }

    async fn evidence(&self, cx: &ReadCx, params: &WaitHealthyParams, _effects: Vec<Begun<Self>>) -> Vec<Evidence> {
        let Some(place) = open_for_evidence(&self.clusters, cx, params.namespace.as_deref()).await else { return Vec::new() };
        let subjects = params.subjects(&place).await.unwrap_or_default();
        let addresses: Vec<Address> = subjects.into_iter().map(|subject| subject.at).collect();
        evidence(cx, &place, gather(&place.cluster, &addresses).await).await
    }
}

#[cfg(test)]
mod tests {
    use super::{WaitHealthyParams, judge_by, told};
    use crate::action::RunScope;
    use crate::actions::kubernetes::Place;
    use crate::cluster::health::wait::Unhealthy;
    use crate::cluster::health::{Trouble, Verdict};
    use crate::cluster::test_server::TestServer;
    use crate::cluster::{Address, Object};
    use crate::ids::{PlanName, RunId};
    use serde_json::json;

    async fn subjects(params: serde_json::Value) -> Result<Vec<String>, String> {
        let params: WaitHealthyParams = serde_json::from_value(params).map_err(|error| error.to_string())?;
        let clusters = crate::actions::test_world::clusters(&TestServer::default());
        let scope = RunScope {
            run: RunId::new("20261121-120300-7f3a").unwrap(),
            plan: PlanName::new("web").unwrap(),
            environment: None,
            namespace: None,
            context: None,
        };
        let place = Place::open(&clusters, &scope, None).await.map_err(|error| error.to_string())?;
        let subjects = params.subjects(&place).await.map_err(|error| error.to_string())?;
        Ok(subjects.iter().map(|subject| subject.at.to_string()).collect())
    }

    #[tokio::test]
    async fn subjects_are_all_that_are_named() {
        let told = subjects(json!({ "deployment": "web", "objects": ["job/migrate", "StatefulSet/db", "namespace/shop"] })).await.unwrap();
        assert_eq!(told, ["deployment/web", "job/migrate", "statefulset/db", "namespace/shop"]);
        assert!(subjects(json!({ "deploymnt": "web" })).await.is_err());
        assert!(subjects(json!({ "applied-by": "deploy" })).await.is_err());
        for wrong in ["web", "gadget/web", "deployment/", "deployment/a/b/c/d"] {
            assert!(subjects(json!({ "objects": [wrong] })).await.is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_rule_of_the_plans_own_says_when_health_begins() {
        let rule = |text: &str| -> WaitHealthyParams { serde_json::from_value(json!({ "healthy-when": { "Gadget": text } })).unwrap() };
        let params = rule("object.status.phase == 'Ready'");
        let rules = params.rules().unwrap();
        let gadget = |phase: &str| Object(json!({ "kind": "Gadget", "metadata": { "name": "g" }, "status": { "phase": phase } }));
        assert_eq!(judge_by(&rules, &gadget("Ready")), Some(Verdict::Healthy));
        assert_eq!(judge_by(&rules, &gadget("Busy")), Some(Verdict::Waiting("object.status.phase is \"Busy\"".to_owned())));
        assert_eq!(judge_by(&rules, &Object(json!({ "kind": "Pod" }))), None);
        insta::assert_snapshot!(rule("status.phase = 1").rules().unwrap_err(), @"`healthy-when` is no condition: `=` is not an operator: `==` compares");
    }

    #[test]
    fn a_verdict_names_object_pod_container_and_reason() {
        let trouble = Trouble {
            pod: Some("web-7d9f-abcde".to_owned()),
            container: Some("web".to_owned()),
            image: Some("web:v3".to_owned()),
            restarts: 3,
            ..Trouble::of("it ended with exit code 1, started again 3 times")
        };
        let unhealthy = Unhealthy { at: Address::known("Deployment", "shop", "web"), trouble, log: Some("one\ntwo\n".to_owned()) };
        let error = told(&unhealthy);
        insta::assert_snapshot!(error, @"deployment/web is not healthy: pod/web-7d9f-abcde: container `web`: it ended with exit code 1, started again 3 times (image web:v3)");
        insta::assert_snapshot!(error.failure().causes[0], @r"
        last lines of its log: one
        two
        ");
    }
}
