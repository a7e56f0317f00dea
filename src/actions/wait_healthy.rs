//! `wait-healthy`: waits until objects do what they are for, and fails as soon as they will not. It changes nothing.

use super::applied_by::AppliedBy;
use super::kubernetes::{Place, evidence, failed, hide_secrets, open_for_evidence, stopped, watch_rights};
use crate::action::{Action, ActionError, Begun, Cx, Evidence, Frozen, Preview, ReadCx, RunScope, UndoCx};
use crate::cluster::evidence::gather;
use crate::cluster::health::Pin;
use crate::cluster::health::wait::{Patience, Subject, Unhealthy, WaitError, wait_healthy};
use crate::cluster::kinds::named;
use crate::cluster::{Address, Clusters};
use crate::ids::Period;
use crate::record::{Mark, Reversibility, Settled, Target};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// More objects, each written `deployment/web`, `daemonset/logs`, `service/web`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<String>,
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
    fn subjects(&self, namespace: &str) -> Result<Vec<Subject>, ActionError> {
        let mut subjects = match &self.applied_by {
            None => Vec::new(),
            Some(AppliedBy::Output(output)) => output.objects.iter().map(super::applied_by::AppliedObject::subject).collect(),
            Some(AppliedBy::Step(step)) => return Err(ActionError::permanent(format!("the output of step `{step}` is not known"))),
        };
        let named = [("Deployment", &self.deployment), ("StatefulSet", &self.stateful_set), ("Pod", &self.pod), ("Job", &self.job)];
        let named = named.into_iter().filter_map(|(kind, name)| name.as_ref().map(|name| Address::known(kind, namespace, name)));
        let mut addresses: Vec<Address> = named.collect();
        for text in &self.objects {
            let found = address(text, namespace).ok_or_else(|| ActionError::permanent(not_an_object(text)))?;
            addresses.push(found);
        }
        subjects.extend(addresses.into_iter().map(|at| Subject { at, pin: Pin::default() }));
        Ok(subjects)
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

fn address(text: &str, namespace: &str) -> Option<Address> {
    let (kind, name) = text.split_once('/')?;
    let kind = named(kind)?;
    let namespace = kind.namespaced.then(|| namespace.to_owned());
    (!name.is_empty() && !name.contains('/')).then(|| Address { kind, namespace, name: name.to_owned() })
}

fn not_an_object(text: &str) -> String {
    format!("`{text}` names no object: write it as `deployment/web`")
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

    fn problems(&self, params: &WaitHealthyParams) -> Vec<String> {
        let mut problems: Vec<String> =
            params.objects.iter().filter(|text| address(text, "").is_none()).map(|text| not_an_object(text)).collect();
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
        place.lacking(&watch_rights(&params.subjects(&place.namespace)?)).await
    }

    async fn perform(&self, cx: &Cx<Self>, params: &WaitHealthyParams) -> Result<Healthy, ActionError> {
        let place = Place::open(&self.clusters, &cx.read.scope, params.namespace.as_deref()).await?;
        let subjects = params.subjects(&place.namespace)?;
        let mut tell = |text: String| cx.read.doing(text);
        let waited = tokio::select! {
            waited = wait_healthy(&place.cluster, &subjects, params.patience(), &mut tell) => waited,
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
        let subjects = params.subjects(&place.namespace).unwrap_or_default();
        let addresses: Vec<Address> = subjects.into_iter().map(|subject| subject.at).collect();
        evidence(cx, &place, gather(&place.cluster, &addresses).await).await
    }
}

#[cfg(test)]
mod tests {
    use super::{WaitHealthyParams, address, told};
    use crate::cluster::Address;
    use crate::cluster::health::Trouble;
    use crate::cluster::health::wait::Unhealthy;
    use serde_json::json;

    #[test]
    fn objects_are_named_by_kind_and_name() {
        assert_eq!(address("deployment/web", "shop"), Some(Address::known("Deployment", "shop", "web")));
        assert_eq!(address("StatefulSet/db", "shop"), Some(Address::known("StatefulSet", "shop", "db")));
        assert_eq!(address("namespace/shop", "x").unwrap().namespace, None);
        for wrong in ["web", "gadget/web", "deployment/", "deployment/a/b"] {
            assert_eq!(address(wrong, "shop"), None, "{wrong}");
        }
    }

    #[test]
    fn subjects_are_all_that_are_named() {
        let params: WaitHealthyParams =
            serde_json::from_value(json!({ "deployment": "web", "objects": ["job/migrate"], "stable-for": "10s" })).unwrap();
        let subjects = params.subjects("shop").unwrap();
        assert_eq!(subjects.iter().map(|subject| subject.at.to_string()).collect::<Vec<_>>(), ["deployment/web", "job/migrate"]);
        assert!(serde_json::from_value::<WaitHealthyParams>(json!({ "deploymnt": "web" })).is_err());
        let by: WaitHealthyParams = serde_json::from_value(json!({ "applied-by": "deploy" })).unwrap();
        assert!(by.subjects("shop").is_err());
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
