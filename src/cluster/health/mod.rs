//! Whether an object does what it is for: one file of rules a kind, pure functions over what a watch shows. It waits for nothing.

mod daemon_set;
mod deployment;
mod job;
mod other;
mod pod;
mod stateful_set;
#[cfg(test)]
mod tests;
pub mod unstick;
pub mod wait;

use crate::cluster::object::Object;
use crate::cluster::superseded::{Owned, superseded_by};
use std::fmt;

/// What can be said of an object's health.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It does what it is for.
    Healthy,
    /// Not yet, and nothing speaks against it.
    Waiting(String),
    /// Something is wrong that may pass.
    Failing(Trouble),
    /// Something is wrong that will not pass by itself.
    Failed(Trouble),
}

/// What is wrong.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trouble {
    /// One line: reason, and the words of whoever noticed it.
    pub reason: String,
    /// The pod that has it.
    pub pod: Option<String>,
    /// The container that has it.
    pub container: Option<String>,
    /// The image of that container.
    pub image: Option<String>,
    /// How often that container was started again.
    pub restarts: u32,
}

impl Trouble {
    pub(crate) fn of(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), ..Self::default() }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(pod) = &self.pod {
            write!(f, "pod/{pod}: ")?;
        }
        if let Some(container) = &self.container {
            write!(f, "container `{container}`: ")?;
        }
        f.write_str(&self.reason)?;
        match &self.image {
            // The kubelet's words mostly hold the image already.
            Some(image) if !self.reason.contains(image.as_str()) => write!(f, " (image {image})"),
            _ => Ok(()),
        }
    }
}

/// An object and what belongs to it.
#[derive(Debug, Clone, Default)]
pub struct View<'a> {
    /// Pods of its namespace; those that are not its own are passed over.
    pub pods: Vec<&'a Object>,
    /// ReplicaSets of its namespace.
    pub replica_sets: Vec<&'a Object>,
    /// Events of its namespace.
    pub events: Vec<&'a Object>,
}

impl<'a> View<'a> {
    fn pods_of(&self, uid: &str) -> Vec<&'a Object> {
        self.pods.iter().copied().filter(|pod| pod.is_owned_by(uid)).collect()
    }
}

/// What the object must be, so that its health says something about our write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pin {
    /// The uid that the write returned.
    pub uid: Option<String>,
    /// The generation that the write returned.
    pub generation: Option<i64>,
    /// The fields that were ours when the write returned.
    pub owned: Option<Owned>,
}

/// Judges an object.
pub fn judge(object: &Object, view: &View<'_>, pin: &Pin) -> Verdict {
    if pin.uid.as_ref().is_some_and(|uid| uid != object.uid()) {
        return Verdict::Failed(Trouble::of("it was deleted and made anew by somebody else"));
    }
    if object.is_terminating() {
        return Verdict::Failing(Trouble::of("it is being deleted"));
    }
    // A watch may still show the object as it was before the write.
    if pin.generation > object.generation() {
        return Verdict::Waiting("the change has not been seen yet".to_owned());
    }
    if let Some(manager) = pin.owned.as_ref().and_then(|owned| superseded_by(object, owned)) {
        return Verdict::Failed(Trouble::of(format!("superseded by {manager}, which changed what this plan wrote")));
    }
    match (object.api_version().split('/').next().unwrap_or_default(), object.kind()) {
        ("apps", "Deployment") => deployment::judge(object, view),
        ("apps", "StatefulSet") => stateful_set::judge(object, view),
        ("apps", "DaemonSet") => daemon_set::judge(object, view),
        ("apps", "ReplicaSet") | ("v1", "ReplicationController") => other::replica_set(object, view),
        ("batch", "Job") => job::judge(object, view),
        ("v1", "Pod") => pod::judge(object),
        _ => other::judge(object),
    }
}

/// True when the controller has looked at the object as it is now. A status that is older tells of the object before.
fn is_observed(object: &Object) -> bool {
    match (object.generation(), object.number("/status/observedGeneration")) {
        (Some(generation), Some(observed)) => observed >= generation,
        (Some(_), None) => false,
        (None, _) => true,
    }
}

const NOT_OBSERVED: &str = "its controller has not seen the change yet";

/// The worst trouble of some pods: what will not pass before what may, then the container with most restarts.
fn worst(pods: &[&Object]) -> Option<Verdict> {
    let verdicts = pods.iter().filter_map(|pod| pod::trouble(pod));
    verdicts.max_by_key(|verdict| match verdict {
        Verdict::Failed(trouble) => (1, trouble.restarts),
        Verdict::Failing(trouble) => (0, trouble.restarts),
        _ => (0, 0),
    })
}

/// A refusal to make pods: what the admission said decides whether waiting helps.
fn refused(message: &str) -> Verdict {
    let for_good = ["exceeded quota", "is forbidden", "admission webhook", "is invalid", "Invalid value"];
    match for_good.iter().any(|words| message.contains(words)) {
        true => Verdict::Failed(Trouble::of(message)),
        false => Verdict::Failing(Trouble::of(message)),
    }
}

/// `1 of 2 pods ready`, and what the first pod that is not waits for.
fn progress(ready: i64, wanted: i64, what: &str, pods: &[&Object]) -> Verdict {
    let behind = pods.iter().find_map(|pod| match pod::judge(pod) {
        Verdict::Waiting(reason) => Some(format!("; pod/{}: {reason}", pod.name())),
        _ => None,
    });
    Verdict::Waiting(format!("{ready} of {wanted} pods {what}{}", behind.unwrap_or_default()))
}
