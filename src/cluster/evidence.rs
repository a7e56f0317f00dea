//! What explains a failure: pods, events, the last lines of broken containers. It never fails; what cannot be had is left out.

use crate::cluster::api::Cluster;
use crate::cluster::health::{Pin, Trouble, Verdict, View, judge};
use crate::cluster::kinds::Kind;
use crate::cluster::object::Object;
use crate::cluster::request::Address;
use std::collections::BTreeSet;

/// Broken containers whose logs are kept, in all.
const LOGS: usize = 4;
/// Lines of each.
const LINES: u32 = 50;
/// Events that are kept of a namespace.
const EVENTS: usize = 30;

/// Something that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exhibit {
    /// What it is.
    pub title: String,
    /// The text.
    pub text: String,
}

/// Looks at what belongs to these objects.
pub async fn gather(cluster: &Cluster, subjects: &[Address]) -> Vec<Exhibit> {
    let namespaces: BTreeSet<&str> = subjects.iter().filter_map(|at| at.namespace.as_deref()).collect();
    let mut exhibits = Vec::new();
    for namespace in namespaces {
        let here: Vec<&Address> = subjects.iter().filter(|at| at.namespace.as_deref() == Some(namespace)).collect();
        exhibits.extend(gather_in(cluster, namespace, &here).await);
    }
    exhibits
}

/// Looks at pods that were reached and gave no good answer: what is healthy tells its last lines, too.
pub async fn gather_answers(cluster: &Cluster, namespace: &str, names: &[String]) -> Vec<Exhibit> {
    let at: Vec<Address> = names.iter().map(|name| Address::known("Pod", namespace, name)).collect();
    let mut exhibits = gather(cluster, &at).await;
    let read = at.iter().take(LOGS).map(|at| cluster.get(at));
    let pods = futures::future::join_all(read).await.into_iter().flatten().flatten();
    for pod in pods.filter(|pod| matches!(judge(pod, &View::default(), &Pin::default()), Verdict::Healthy)) {
        let containers = pod.list("/spec/containers");
        let default = Some(pod.text("/metadata/annotations/kubectl.kubernetes.io~1default-container")).filter(|name| !name.is_empty());
        let Some(container) = default.or_else(|| containers.first()?["name"].as_str()) else { continue };
        exhibits.extend(last_lines(cluster, namespace, pod.name(), container, false).await);
    }
    exhibits
}

async fn gather_in(cluster: &Cluster, namespace: &str, subjects: &[&Address]) -> Vec<Exhibit> {
    let list = async |kind: &str| cluster.list(&Kind::known(kind), Some(namespace), "").await.unwrap_or_default();
    let (pods, sets, events) = tokio::join!(list("Pod"), list("ReplicaSet"), list("Event"));
    let read = subjects.iter().map(|at| cluster.get(at));
    let objects: Vec<Object> = futures::future::join_all(read).await.into_iter().flatten().flatten().collect();
    let view = View { pods: pods.iter().collect(), replica_sets: sets.iter().collect(), events: events.iter().collect() };
    let mut exhibits = Vec::new();
    let verdicts: Vec<String> =
        objects.iter().map(|object| format!("{}: {}", object.reference(), show(&judge(object, &view, &Pin::default())))).collect();
    push(&mut exhibits, format!("objects in {namespace}"), &verdicts);
    let mut uids: BTreeSet<&str> = objects.iter().map(Object::uid).collect();
    uids.extend(sets.iter().filter(|set| uids.iter().any(|uid| set.is_owned_by(uid))).map(Object::uid).collect::<Vec<_>>());
    let own: Vec<&Object> = pods.iter().filter(|pod| uids.contains(pod.uid()) || uids.iter().any(|uid| pod.is_owned_by(uid))).collect();
    uids.extend(own.iter().map(|pod| pod.uid()));
    let states: Vec<String> =
        own.iter().map(|pod| format!("{}: {}", pod.name(), show(&judge(pod, &View::default(), &Pin::default())))).collect();
    push(&mut exhibits, format!("pods in {namespace}"), &states);
    push(&mut exhibits, format!("events in {namespace}"), &event_lines(&events, &uids));
    exhibits.extend(logs(cluster, namespace, &own).await);
    exhibits
}

fn push(exhibits: &mut Vec<Exhibit>, title: String, lines: &[String]) {
    if !lines.is_empty() {
        exhibits.push(Exhibit { title, text: lines.join("\n") });
    }
}

fn show(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Healthy => "healthy".to_owned(),
        Verdict::Waiting(reason) => reason.clone(),
        Verdict::Failing(trouble) => format!("failing: {trouble}"),
        Verdict::Failed(trouble) => format!("failed: {trouble}"),
    }
}

fn event_lines(events: &[Object], uids: &BTreeSet<&str>) -> Vec<String> {
    let mut about: Vec<&Object> = events.iter().filter(|event| uids.contains(event.text("/involvedObject/uid"))).collect();
    let time = |event: &Object| {
        let times = ["/series/lastObservedTime", "/lastTimestamp", "/eventTime", "/metadata/creationTimestamp"];
        times.iter().map(|at| event.text(at)).find(|time| !time.is_empty()).unwrap_or_default().to_owned()
    };
    about.sort_by_key(|event| time(event));
    let newest = about.iter().skip(about.len().saturating_sub(EVENTS));
    let line = |event: &&Object| {
        let object = format!("{}/{}", event.text("/involvedObject/kind").to_lowercase(), event.text("/involvedObject/name"));
        format!("{} {} {object} {}: {}", time(event), event.text("/type"), event.text("/reason"), event.text("/message").trim())
    };
    newest.map(line).collect()
}

async fn logs(cluster: &Cluster, namespace: &str, pods: &[&Object]) -> Vec<Exhibit> {
    let broken = pods.iter().filter_map(|pod| match judge(pod, &View::default(), &Pin::default()) {
        Verdict::Failing(trouble) | Verdict::Failed(trouble) => Some((pod.name().to_owned(), trouble)),
        Verdict::Waiting(_) => Some((pod.name().to_owned(), Trouble { container: not_ready(pod), ..Trouble::of("not ready") })),
        Verdict::Healthy => None,
    });
    let mut exhibits = Vec::new();
    for (pod, trouble) in broken.take(LOGS) {
        let Some(container) = trouble.container else { continue };
        let was_restarted = statuses(pods, &pod)
            .any(|status| status["name"] == container.as_str() && status["restartCount"].as_u64().is_some_and(|count| count > 0));
        for previous in [true, false].into_iter().filter(|previous| !previous || was_restarted) {
            exhibits.extend(last_lines(cluster, namespace, &pod, &container, previous).await);
        }
    }
    exhibits
}

fn statuses<'a>(pods: &'a [&'a Object], name: &'a str) -> impl Iterator<Item = &'a serde_json::Value> {
    let lists = ["/status/containerStatuses", "/status/initContainerStatuses"];
    pods.iter().filter(move |pod| pod.name() == name).flat_map(move |pod| lists.into_iter().flat_map(|list| pod.list(list)))
}

async fn last_lines(cluster: &Cluster, namespace: &str, pod: &str, container: &str, previous: bool) -> Option<Exhibit> {
    let text = cluster.logs(namespace, pod, container, previous, LINES).await.ok().filter(|text| !text.trim().is_empty())?;
    let which = if previous { " before it was started again" } else { "" };
    Some(Exhibit { title: format!("last lines of {container} in pod/{pod}{which}"), text })
}

fn not_ready(pod: &Object) -> Option<String> {
    let started =
        pod.list("/status/containerStatuses").iter().find(|status| status["ready"] != true && status["state"]["running"].is_object());
    started.and_then(|status| status["name"].as_str()).map(str::to_owned)
}
