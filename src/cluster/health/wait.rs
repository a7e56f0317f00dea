//! Waits until objects are healthy, by watch; gives up as soon as it is sure that they will not be. It knows no plan.

use super::pod::containers;
use super::{Pin, Trouble, Verdict, View, judge};
use crate::cluster::answer::ApiError;
use crate::cluster::api::Cluster;
use crate::cluster::kinds::Kind;
use crate::cluster::object::Object;
use crate::cluster::request::Address;
use crate::cluster::watch::{Watch, Watched};
use crate::ids::Moment;
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

/// Lines of a broken container's log that go with the verdict.
const LOG_LINES: u32 = 10;
/// Time for getting them.
const LOG_WITHIN: Duration = Duration::from_secs(2);

/// An object to wait for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// Where it is.
    pub at: Address,
    /// What our write returned, if it was ours.
    pub pin: Pin,
}

/// How long to believe that things get better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// All must be healthy for this long, without a break.
    pub stable_for: Duration,
    /// What may pass must have passed after this time.
    pub failure_grace: Duration,
    /// So often a container may be started again since the first look.
    pub restarts: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self { stable_for: Duration::ZERO, failure_grace: Duration::from_secs(60), restarts: 3 }
    }
}

/// An object that will not be healthy.
#[derive(Debug, Clone, PartialEq)]
pub struct Unhealthy {
    /// The object.
    pub at: Address,
    /// What is wrong with it.
    pub trouble: Trouble,
    /// The last lines of the container that is broken.
    pub log: Option<String>,
}

impl fmt::Display for Unhealthy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not healthy: {}", self.at, self.trouble)
    }
}

/// What is to be said of an object that is healthy by the rules for its kind; none when that is enough.
pub type Rules<'a> = &'a (dyn Fn(&Object) -> Option<Verdict> + Sync);

/// Why waiting ended without health.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WaitError {
    /// One of the objects will not be healthy.
    #[error("{0}")]
    Unhealthy(Box<Unhealthy>),
    /// The cluster did not let us look.
    #[error("cannot watch the cluster")]
    Api(#[from] ApiError),
}

/// Waits until all subjects are healthy. `tell` hears what is waited for whenever that changes.
///
/// # Errors
/// See [`WaitError`]. There is no time limit: race it against one.
pub async fn wait_healthy(
    cluster: &Cluster,
    subjects: &[Subject],
    patience: Patience,
    tell: &mut (dyn FnMut(String) + Send),
) -> Result<(), WaitError> {
    wait_healthy_by(cluster, subjects, patience, &|_| None, tell).await
}

/// As [`wait_healthy`], with rules of the caller's own for objects that only they know.
///
/// # Errors
/// See [`WaitError`].
pub async fn wait_healthy_by(
    cluster: &Cluster,
    subjects: &[Subject],
    patience: Patience,
    rules: Rules<'_>,
    tell: &mut (dyn FnMut(String) + Send),
) -> Result<(), WaitError> {
    if subjects.is_empty() {
        return Ok(());
    }
    let mut watch = Watch::open(cluster, watched(subjects));
    watch.changed().await?;
    let mut course = Course::new(patience, watch.objects("Pod"));
    loop {
        let verdicts = subjects.iter().map(|subject| (&subject.at, look(&watch, subject, rules))).collect::<Vec<_>>();
        match course.next(cluster.clock.now(), &verdicts) {
            Next::Done => return Ok(()),
            Next::GiveUp(at, trouble) => return Err(WaitError::Unhealthy(Box::new(unhealthy(cluster, at, trouble).await))),
            Next::Wait { most, text } => {
                if text != course.told {
                    tell(text.clone());
                    course.told = text;
                }
                let timer = async {
                    match most {
                        Some(most) => cluster.clock.sleep(most).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    changed = watch.changed() => changed?,
                    () = timer => {}
                }
            }
        }
    }
}

/// What is watched to judge them.
pub fn watched(subjects: &[Subject]) -> Vec<Watched> {
    let mut all: Vec<Watched> = Vec::new();
    let mut add = |watched: Watched| {
        if !all.contains(&watched) {
            all.push(watched);
        }
    };
    for subject in subjects {
        let (at, kind) = (&subject.at, subject.at.kind.kind.as_str());
        let namespace = at.namespace.as_deref();
        let alone = subjects.iter().filter(|other| other.at.kind == at.kind && other.at.namespace == at.namespace).count() == 1;
        add(if alone && kind != "Pod" { Watched::one(at) } else { Watched::all(at.kind.clone(), namespace) });
        if matches!(kind, "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "ReplicationController" | "Job") {
            add(Watched::all(Kind::known("Pod"), namespace));
        }
        if kind == "Deployment" {
            add(Watched::all(Kind::known("ReplicaSet"), namespace));
        }
        if kind == "StatefulSet" {
            let fields = Some("involvedObject.kind=StatefulSet".to_owned());
            add(Watched { fields, ..Watched::all(Kind::known("Event"), namespace) });
        }
    }
    all
}

fn look(watch: &Watch, subject: &Subject, rules: Rules<'_>) -> Verdict {
    let Some(object) = watch.object(&subject.at) else {
        return match subject.pin.uid {
            Some(_) => Verdict::Failed(Trouble::of("it was deleted by somebody else")),
            None => Verdict::Failing(Trouble::of("there is no such object")),
        };
    };
    let namespace = object.namespace();
    let near = |kind: &'static str| -> Vec<&Object> { watch.objects(kind).filter(|other| other.namespace() == namespace).collect() };
    let view = View { pods: near("Pod"), replica_sets: near("ReplicaSet"), events: near("Event") };
    match judge(object, &view, &subject.pin) {
        // A rule of one's own says when health begins; that it is the right object, and still ours, is judged as ever.
        Verdict::Healthy => rules(object).unwrap_or(Verdict::Healthy),
        other => other,
    }
}

async fn unhealthy(cluster: &Cluster, at: Address, trouble: Trouble) -> Unhealthy {
    let log = match (&at.namespace, &trouble.pod, &trouble.container) {
        (Some(namespace), Some(pod), Some(container)) => last_lines(cluster, namespace, pod, container, trouble.restarts > 0).await,
        _ => None,
    };
    Unhealthy { at, trouble, log }
}

async fn last_lines(cluster: &Cluster, namespace: &str, pod: &str, container: &str, previous: bool) -> Option<String> {
    let read = async {
        let before = if previous { cluster.logs(namespace, pod, container, true, LOG_LINES).await.ok() } else { None };
        match before.filter(|log| !log.trim().is_empty()) {
            Some(log) => Some(log),
            None => cluster.logs(namespace, pod, container, false, LOG_LINES).await.ok(),
        }
    };
    let log = tokio::select! {
        log = read => log,
        () = cluster.clock.sleep(LOG_WITHIN) => None,
    };
    log.filter(|log| !log.trim().is_empty())
}

/// What to do next.
#[derive(Debug, PartialEq)]
enum Next {
    Done,
    GiveUp(Address, Trouble),
    Wait { most: Option<Duration>, text: String },
}

/// What the wait has seen so far.
struct Course {
    patience: Patience,
    /// How often containers had been started again before the first look: by namespace, pod and container.
    restarts: HashMap<(Option<String>, String, String), u32>,
    failing: HashMap<Address, Moment>,
    healthy: Option<Moment>,
    told: String,
}

impl Course {
    fn new<'a>(patience: Patience, pods: impl Iterator<Item = &'a Object>) -> Self {
        let restarts = pods.flat_map(|pod| {
            let place = |container| (pod.namespace().map(str::to_owned), pod.name().to_owned(), container);
            containers(pod).into_iter().map(move |(container, restarts)| (place(container), restarts))
        });
        Self { patience, restarts: restarts.collect(), failing: HashMap::new(), healthy: None, told: String::new() }
    }

    /// How often the container was started again since the first look. A lower number is that of another pod of the same name.
    fn started_again(&self, at: &Address, trouble: &Trouble) -> u32 {
        let (Some(pod), Some(container)) = (&trouble.pod, &trouble.container) else { return trouble.restarts };
        let before = self.restarts.get(&(at.namespace.clone(), pod.clone(), container.clone()));
        before.and_then(|before| trouble.restarts.checked_sub(*before)).unwrap_or(trouble.restarts)
    }

    fn next(&mut self, now: Moment, verdicts: &[(&Address, Verdict)]) -> Next {
        let mut most: Option<Duration> = None;
        let mut texts = Vec::new();
        for (at, verdict) in verdicts {
            if !matches!(verdict, Verdict::Failing(_)) {
                self.failing.remove(*at);
            }
            match verdict {
                Verdict::Healthy => {}
                Verdict::Waiting(reason) => texts.push(format!("{at}: {reason}")),
                Verdict::Failed(trouble) => return Next::GiveUp((*at).clone(), trouble.clone()),
                Verdict::Failing(trouble) => {
                    let since = *self.failing.entry((*at).clone()).or_insert(now);
                    let left = self.patience.failure_grace.saturating_sub(now.since(since));
                    if left.is_zero() || self.started_again(at, trouble) >= self.patience.restarts {
                        return Next::GiveUp((*at).clone(), trouble.clone());
                    }
                    most = Some(most.map_or(left, |most| most.min(left)));
                    texts.push(format!("{at}: {trouble}"));
                }
            }
        }
        if !texts.is_empty() {
            self.healthy = None;
            return Next::Wait { most, text: summary(&texts) };
        }
        let since = *self.healthy.get_or_insert(now);
        match self.patience.stable_for.saturating_sub(now.since(since)) {
            left if left.is_zero() => Next::Done,
            left => Next::Wait { most: Some(left), text: "all is healthy; waiting whether it stays so".to_owned() },
        }
    }
}

fn summary(texts: &[String]) -> String {
    match texts {
        [one] => one.clone(),
        [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
        [] => String::new(),
    }
}

#[cfg(test)]
mod tests;
