//! `job`: runs a program to its end as a Job on the cluster. It knows neither what the program does nor how to take that back.

mod manifest;
mod printed;
mod run;
#[cfg(test)]
mod tests;

use super::fillings::findings;
use super::kubernetes::{Place, evidence, evidence_kept, failed, for_sure, namespace_of, open_for_evidence, watch_rights};
use super::sent::sent;
use crate::action::{About, Action, ActionError, Begun, Change, Cx, Evidence, Finding, Frozen, Preview, ReadCx, RunScope, Sent, UndoCx};
use crate::cluster::evidence::gather;
use crate::cluster::health::Pin;
use crate::cluster::health::wait::Subject;
use crate::cluster::rights::Right;
use crate::cluster::undo::{GONE_WITHIN, still_there};
use crate::cluster::watch::{Watch, Watched, wait_gone};
use crate::cluster::{Address, Clusters, Kind, Manner, Object};
use crate::ids::{Moment, Period};
use crate::ports::Script;
use crate::record::{Mark, MarkKind, Reversibility, Settled, Target};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::time::Duration;

/// Time for a creation to land of which nobody has heard.
const LATE: Duration = Duration::from_secs(1);

/// Runs Jobs.
///
/// # Idempotence
/// A Job has one name in a run and is found again, by whatever process: its program is never started twice while it runs, or after it
/// ended well. It is started again, as another Job, after it failed.
pub struct Job {
    clusters: Clusters,
}

impl Job {
    /// Makes the action.
    pub fn new(clusters: Clusters) -> Self {
        Self { clusters }
    }
}

/// What to run: an image and a command, or a manifest of a Job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct JobParams {
    /// The image to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// What to run in it: text for `sh`, which stops at the first command that fails, or a list of a program and its arguments. The image's own when none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Script>,
    /// Variables of its environment. Secrets belong into a Secret and a `manifest` that refers to it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// The account that it runs as; the namespace's default one when none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// A file that holds the Job, from the plan's folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Values for `{{ name }}` in the file, as in `apply`. Without them it is taken as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Map<String, Value>>,
    /// The Job itself, as a manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Map<String, Value>>,
    /// How the Job's name begins; the step's id, or the manifest's name, when none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The cluster ends it after this time, whoever still waits. Shorter than the step's `timeout`, it keeps an `undo` from meeting a program that still runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Period>,
    /// What may pass by itself, such as a registry that does not answer, may last this long: 60s unless it says otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_grace: Option<Period>,
    /// Keeps the Job and its pods after the end, until the run goes back: true unless it says otherwise. With false the cluster removes them ten minutes after the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<bool>,
    /// The program only looks: there is nothing to take back but the Job itself.
    pub read_only: bool,
    /// It may run again when nobody knows how its last run ended, as when its Job was removed before somebody looked.
    pub idempotent: bool,
    /// Its namespace; the environment's when none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// What a Job gave: `{ "job": "migrate-0f3a9c1e", "succeeded": 1, "logs": "12 tables" }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct JobOutput {
    /// The Job's name.
    pub job: String,
    /// How many of its pods ended well.
    pub succeeded: u32,
    /// What the first container of the pod that ended well last printed, without blanks around it, at most 64 KiB from its end.
    pub logs: String,
}

/// A Job that is to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct JobIntended {
    /// Where.
    pub at: Address,
    /// When it was intended.
    pub since: Moment,
    /// Seconds after its end in which the cluster removes it; none when it stays.
    pub removed_after: Option<u64>,
}

/// A Job that was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct JobMade {
    /// Its uid.
    pub uid: String,
}

impl Job {
    async fn place(&self, scope: &RunScope, params: &JobParams) -> Result<Place, ActionError> {
        Place::open(&self.clusters, scope, params.namespace.as_deref()).await
    }
}

/// Looks whether a Job was made. One that may have ended and been removed since leaves that open.
async fn settled(place: &Place, cx: &ReadCx, intended: &JobIntended) -> Result<Settled<JobMade>, ActionError> {
    let at = &intended.at;
    let live = place.cluster.get(at).await.map_err(|error| failed(format!("cannot read {at}"), &error))?;
    let elapsed = place.cluster.clock.now().since(intended.since);
    Ok(match live {
        Some(live) if manifest::is_ours(&live, cx) => Settled::Done(JobMade { uid: live.uid().to_owned() }),
        Some(_) => Settled::Other(format!("{at} was made by somebody else")),
        None if intended.removed_after.is_some_and(|after| elapsed >= Duration::from_secs(after)) => {
            Settled::Unknown(format!("{at} is not there: it never was, or it has ended and was removed"))
        }
        None => Settled::NotDone,
    })
}

/// Removes a Job and its pods. False when it is not gone in time.
async fn remove(place: &Place, at: &Address, live: &Object) -> Result<bool, ActionError> {
    let removed = place.cluster.delete(at, live.uid()).await;
    removed.map_err(|error| failed(format!("cannot delete {at}"), &error))?;
    wait_gone(&place.cluster, at, live.uid(), GONE_WITHIN).await.map_err(|error| failed(format!("cannot watch {at}"), &error))
}

/// Waits until no pod of a Job is left: each has some time to end, and its program runs on in that. False when one is left.
async fn wait_pods_gone(place: &Place, at: &Address) -> Result<bool, ActionError> {
    let pods = Watched { labels: Some(run::pods_of(at)), ..Watched::all(Kind::known("Pod"), at.namespace.as_deref()) };
    let mut watch = Watch::open(&place.cluster, vec![pods]);
    let gone = async {
        loop {
            watch.changed().await.map_err(|error| failed(format!("cannot watch the pods of {at}"), &error))?;
            if watch.objects("Pod").next().is_none() {
                return Ok(true);
            }
        }
    };
    tokio::select! {
        gone = gone => gone,
        () = place.cluster.clock.sleep(GONE_WITHIN) => Ok(false),
    }
}

impl Action for Job {
    const KIND: &'static str = "job";
    const ABOUT: &'static str = "Runs a program to its end as a Job on the cluster.";
    const UNDONE: &'static str = "The Job and its pods are removed. What the program did is taken back by the step's own `undo:`, which \
        begins when they are gone; without one, and without `read-only: true`, the step is irreversible.";
    const EXAMPLE: &'static str = include_str!("../examples/job.yaml");
    type Params = JobParams;
    type Undo = JobIntended;
    type After = JobMade;
    type Output = JobOutput;

    fn reversibility(&self, params: &JobParams) -> Reversibility {
        if params.read_only { Reversibility::Reversible } else { Reversibility::Irreversible }
    }

    fn targets(&self, scope: &RunScope, _frozen: &Frozen, params: &JobParams) -> Vec<Target> {
        let namespace = namespace_of(scope, params.namespace.as_deref());
        // Every step and run gets a name of its own for its Job.
        let name = params.name.as_deref().map(|name| format!("{name}-*")).unwrap_or_else(|| "*".to_owned());
        vec![Target(format!("kube:batch/Job/{namespace}/{name}"))]
    }

    fn problems(&self, params: &JobParams) -> Vec<String> {
        manifest::problems(params)
    }

    fn sources(&self, params: &JobParams) -> Vec<String> {
        params.file.iter().cloned().collect()
    }

    fn look_into(&self, frozen: &Frozen, params: &JobParams) -> Vec<Finding> {
        let paths: Vec<&str> = params.file.iter().map(|file| file.trim_start_matches("./")).collect();
        let are_all = paths.iter().all(|path| frozen.file(path).is_some());
        findings(frozen, &paths, params.values.as_ref(), are_all)
    }

    fn sent(&self, frozen: &Frozen, params: &JobParams) -> Vec<Sent> {
        let own = |key: &str, object: Value| {
            let about = About::Parameter(vec![key.to_owned()]);
            vec![Sent { written: object.clone(), object, about }]
        };
        match (&params.image, &params.file, &params.manifest) {
            (Some(image), _, _) => own("image", manifest::short(params, image)),
            (None, Some(file), _) => sent(frozen, &[file.trim_start_matches("./")], params.values.as_ref()),
            (None, None, Some(manifest)) => own("manifest", Value::Object(manifest.clone())),
            (None, None, None) => Vec::new(),
        }
    }

    fn repeatable(&self, _params: &JobParams) -> bool {
        true
    }

    async fn preview(&self, cx: &ReadCx, params: &JobParams) -> Result<Preview, ActionError> {
        let place = self.place(&cx.scope, params).await?;
        let planned = manifest::read(params, cx, &place.namespace)?;
        let at = planned.at(1);
        let mut preview = Preview::default();
        let manager = place.managers.action(Self::KIND);
        match place.cluster.create(&at, &planned.named(1), Manner { dry_run: true, ..Manner::of(&manager) }).await {
            Ok(_) => {
                let target = Target(at.reference().target());
                preview.changes.push(Change { target, verb: "run".to_owned(), lines: vec![planned.title()] });
            }
            Err(error) if error.is_transient() => return Err(failed(format!("cannot check {at}"), &error)),
            Err(error) => preview.refusals.push(format!("{at} is refused: {error}")),
        }
        if !params.read_only {
            preview.notes.push("what its program changes cannot be told before it runs".to_owned());
        }
        Ok(preview)
    }

    async fn missing_rights(&self, cx: &ReadCx, params: &JobParams) -> Result<Vec<String>, ActionError> {
        let place = self.place(&cx.scope, params).await?;
        let at = manifest::read(params, cx, &place.namespace)?.at(1);
        let mut rights = vec![Right::on("get", &at), Right::on("create", &at), Right::on("delete", &at).for_undo()];
        rights.push(Right::on_pods("get", "pods/log", at.namespace.as_deref().unwrap_or_default()));
        // The name of the Job is of this run only: nobody has a right on that alone.
        rights.iter_mut().for_each(|right| right.name = None);
        rights.extend(watch_rights(&[Subject { at, pin: Pin::default() }]));
        place.lacking(&rights).await
    }

    async fn perform(&self, cx: &Cx<Self>, params: &JobParams) -> Result<JobOutput, ActionError> {
        let place = self.place(&cx.read.scope, params).await?;
        run::run(cx, &place, params).await
    }

    async fn fence(&self, cx: &ReadCx, params: &JobParams, effect: &Begun<Self>) -> Result<(), ActionError> {
        let (place, at) = (self.place(&cx.scope, params).await?, &effect.undo.at);
        // What is not there has no version to outdate: all that helps is time. A server drops a creation whose asker is gone.
        let live = place.cluster.get(at).await.map_err(|error| failed(format!("cannot read {at}"), &error))?;
        if live.is_none() {
            place.cluster.clock.sleep(LATE).await;
        }
        Ok(())
    }

    async fn settle(&self, cx: &ReadCx, params: &JobParams, effect: &Begun<Self>) -> Result<Settled<JobMade>, ActionError> {
        settled(&self.place(&cx.scope, params).await?, cx, &effect.undo).await
    }

    async fn compensate(&self, cx: &UndoCx, params: &JobParams, effects: Vec<Begun<Self>>) -> Result<Vec<Mark>, ActionError> {
        let place = self.place(&cx.read.scope, params).await?;
        let mut marks = Vec::new();
        for Begun { key, undo: JobIntended { at, since, removed_after }, mut known } in effects {
            let known = match for_sure(&mut known) {
                Some(known) => known,
                None => settled(&place, &cx.read, &JobIntended { at: at.clone(), since, removed_after }).await?,
            };
            let live = place.cluster.get(&at).await.map_err(|error| failed(format!("cannot read {at}"), &error))?;
            let (mut kind, mut notes) = match known {
                Settled::NotDone => (MarkKind::Nothing, Vec::new()),
                Settled::Other(why) => (MarkKind::Kept, vec![why]),
                _ if params.read_only => (MarkKind::Restored, Vec::new()),
                _ => (MarkKind::Residue, vec![format!("nothing says how to take back what {at} did: give the step an `undo`")]),
            };
            if let Some(live) = live.filter(|live| manifest::is_ours(live, &cx.read)) {
                // Its pods are what can tell why the step failed.
                evidence_kept(cx).await?;
                cx.read.doing(format!("deleting {at} and its pods"));
                if !remove(&place, &at, &live).await? {
                    kind = MarkKind::Residue;
                    notes.push(still_there(&at, &live));
                }
            }
            marks.push(Mark { key, kind, notes });
        }
        Ok(marks)
    }

    async fn make_way(&self, cx: &UndoCx, params: &JobParams, effects: Vec<Begun<Self>>) -> Result<(), ActionError> {
        let place = self.place(&cx.read.scope, params).await?;
        for at in effects.into_iter().map(|effect| effect.undo.at) {
            let live = place.cluster.get(&at).await.map_err(|error| failed(format!("cannot read {at}"), &error))?;
            let gone = match live {
                Some(live) if !manifest::is_ours(&live, &cx.read) => continue,
                Some(live) => {
                    cx.read.doing(format!("deleting {at} and its pods"));
                    remove(&place, &at, &live).await?
                }
                None => true,
            };
            if !gone || !wait_pods_gone(&place, &at).await? {
                let message =
                    format!("{at} or a pod of it is not gone after {}s: its program may run on beside the undo", GONE_WITHIN.as_secs());
                return Err(ActionError::transient(message));
            }
        }
        Ok(())
    }

    async fn evidence(&self, cx: &ReadCx, params: &JobParams, effects: Vec<Begun<Self>>) -> Vec<Evidence> {
        let Some(place) = open_for_evidence(&self.clusters, cx, params.namespace.as_deref()).await else { return Vec::new() };
        let addresses: Vec<Address> = effects.into_iter().map(|effect| effect.undo.at).collect();
        evidence(cx, &place, gather(&place.cluster, &addresses).await).await
    }
}
