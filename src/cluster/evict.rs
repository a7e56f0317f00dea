//! Sends pods away that started on configuration which is taken back: what they read once they keep. Budgets are respected.

use crate::cluster::answer::{ApiError, Class};
use crate::cluster::api::Cluster;
use crate::cluster::kinds::Kind;
use crate::cluster::object::Object;
use crate::cluster::request::Address;
use crate::cluster::undo::managed::{entries, restored_at};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

/// Time for disruption budgets to allow all evictions together: what they forbid must not eat up the time of a rollback.
const ALLOWED_WITHIN: Duration = Duration::from_secs(60);
/// Between two tries of an eviction that a budget forbids.
const AGAIN: Duration = Duration::from_secs(1);

/// What became of a pod that had to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evicted {
    /// It goes; its controller makes a new one.
    Goes,
    /// It was gone already.
    Gone,
    /// It stays, for this reason.
    Stays(String),
}

/// A ConfigMap or Secret that was restored.
#[derive(Debug, Clone)]
pub struct Restored {
    /// As it was.
    pub before: Object,
    /// As our write returned it.
    pub written: Object,
    /// As it is now.
    pub now: Object,
}

impl Restored {
    /// True when whoever reads it read something else after our write than before.
    pub fn is_content(&self) -> bool {
        matches!(self.written.kind(), "ConfigMap" | "Secret")
            && ["data", "binaryData"].iter().any(|part| self.before.0.get(part) != self.written.0.get(part))
    }

    /// From when, and until when if that is known, pods that started read our write.
    fn span(&self) -> (String, Option<String>) {
        let since = entries(&self.written).iter().filter_map(|entry| entry["time"].as_str().map(str::to_owned)).max().unwrap_or_default();
        let until = match self.now.uid() == self.written.uid() {
            true => restored_at(&self.before, &self.now),
            false => Some(self.now.text("/metadata/creationTimestamp").to_owned()),
        };
        let until = until.filter(|until| *until >= since);
        (since, until)
    }
}

/// Pods that started while our write to one of these stood, and read it when they did. What started since it was restored, such as the
/// pods that an earlier try of an undo brought about, is passed over. Each pod comes with the place of what it read.
///
/// # Errors
/// When the server does not answer, or refuses.
pub async fn readers(cluster: &Cluster, restored: &[Restored]) -> Result<Vec<(usize, Object)>, ApiError> {
    let mut found = Vec::new();
    let namespaces: BTreeSet<Option<&str>> = restored.iter().map(|one| one.written.namespace()).collect();
    for namespace in namespaces {
        for pod in cluster.list(&Kind::known("Pod"), namespace, "").await? {
            let read = restored.iter().position(|one| one.written.namespace() == namespace && started_on(&pod, one));
            found.extend(read.map(|read| (read, pod)));
        }
    }
    Ok(found)
}

/// Evicts pods, waiting while budgets forbid it, and gives what became of each. A pod that nobody would make anew stays, and so does one of
/// a Job: with few tries left the Job would fail for good, and its program may not bear to begin twice.
///
/// # Errors
/// Of each pod: when the server does not answer, or refuses.
pub async fn evict(cluster: &Cluster, pods: &[Object]) -> Vec<Result<Evicted, ApiError>> {
    let mut answers: Vec<Option<Result<Evicted, ApiError>>> = vec![None; pods.len()];
    let mut waited = Duration::ZERO;
    loop {
        for (pod, answer) in pods.iter().zip(&mut answers).filter(|(_, answer)| answer.is_none()) {
            *answer = evict_one(cluster, pod, waited >= ALLOWED_WITHIN).await.transpose();
        }
        if answers.iter().all(Option::is_some) {
            return answers.into_iter().flatten().collect();
        }
        cluster.clock.sleep(AGAIN).await;
        waited += AGAIN;
    }
}

/// None while a budget forbids it.
async fn evict_one(cluster: &Cluster, pod: &Object, is_last: bool) -> Result<Option<Evicted>, ApiError> {
    let at = Address::known("Pod", pod.namespace().unwrap_or_default(), pod.name());
    if let Some(why) = stays(pod) {
        let live = cluster.get(&at).await?.filter(|live| live.uid() == pod.uid() && !live.is_terminating() && !has_ended(live));
        return Ok(Some(live.map_or(Evicted::Gone, |_| Evicted::Stays(format!("{at} started on what was taken back, {why}")))));
    }
    match cluster.evict(&at, pod.uid()).await {
        Ok(()) => Ok(Some(Evicted::Goes)),
        Err(error) if error.is_absent() || error.class == Class::Stale => Ok(Some(Evicted::Gone)),
        Err(error) if error.class == Class::Busy && is_last => {
            Ok(Some(Evicted::Stays(format!("{at} started on what was taken back, and a disruption budget keeps it: {error}"))))
        }
        Err(error) if error.class == Class::Busy => Ok(None),
        Err(error) => Err(error),
    }
}

/// Why a pod is not to be sent away; none when its controller makes another.
fn stays(pod: &Object) -> Option<&'static str> {
    match pod.list("/metadata/ownerReferences").iter().find(|owner| owner["controller"] == true) {
        None => Some("and nobody would make it anew: start it again yourself"),
        Some(owner) if owner["kind"] == "Job" => Some("and goes on with that to the end of its Job"),
        Some(_) => None,
    }
}

fn has_ended(pod: &Object) -> bool {
    matches!(pod.text("/status/phase"), "Succeeded" | "Failed")
}

/// Times are in seconds: a pod of the same second may have read either, and is counted in.
fn started_on(pod: &Object, restored: &Restored) -> bool {
    let (since, until) = restored.span();
    let started = pod.text("/metadata/creationTimestamp");
    let in_time = started >= since.as_str() && until.is_none_or(|until| started <= until.as_str());
    in_time && !pod.is_terminating() && !has_ended(pod) && reads(pod, &restored.written)
}

/// Names the object in a volume, or in the environment of a container.
fn reads(pod: &Object, object: &Object) -> bool {
    let name = object.name();
    let (volume, key, env, name_of_volume) = match object.kind() {
        "ConfigMap" => ("configMap", "configMapKeyRef", "configMapRef", "name"),
        "Secret" => ("secret", "secretKeyRef", "secretRef", "secretName"),
        _ => return false,
    };
    let in_source = |source: &Value| source[volume][name_of_volume] == name || source[volume]["name"] == name;
    let volumes = pod.list("/spec/volumes").iter().any(|volume| {
        let projected = volume["projected"]["sources"].as_array().is_some_and(|sources| sources.iter().any(in_source));
        in_source(volume) || projected
    });
    let containers = pod.list("/spec/containers").iter().chain(pod.list("/spec/initContainers"));
    volumes
        || containers.into_iter().any(|container| {
            let any = |list: &str, meant: &dyn Fn(&Value) -> bool| container[list].as_array().is_some_and(|all| all.iter().any(meant));
            any("env", &|variable| variable["valueFrom"][key]["name"] == name) || any("envFrom", &|source| source[env]["name"] == name)
        })
}

#[cfg(test)]
mod tests {
    use super::{ALLOWED_WITHIN, Evicted, Restored, evict, started_on};
    use crate::cluster::object::Object;
    use crate::cluster::test_server::TestServer;
    use serde_json::{Value, json};

    fn pod(second: u8, spec: Value) -> Object {
        Object(json!({ "metadata": { "creationTimestamp": at(second) }, "spec": spec, "status": { "phase": "Running" } }))
    }

    fn at(second: u8) -> String {
        format!("2026-01-01T00:00:{second:02}Z")
    }

    fn config(kind: &str, manager: &str, second: u8, data: Value) -> Object {
        let entry = json!({ "manager": manager, "operation": "Update", "time": at(second), "fieldsV1": { "f:data": { "f:a": {} } } });
        Object(json!({ "kind": kind, "metadata": { "name": "cfg", "uid": "u", "managedFields": [entry] }, "data": data }))
    }

    /// Written at second 5 and restored at second 8.
    fn restored(kind: &str) -> Restored {
        Restored {
            before: config(kind, "kubectl", 1, json!({ "a": "1" })),
            written: config(kind, "bowline:p", 5, json!({ "a": "2" })),
            now: config(kind, "kubectl", 8, json!({ "a": "1" })),
        }
    }

    #[test]
    fn pods_that_started_later_and_read_it_have_to_go() {
        let spellings = [
            json!({ "volumes": [{ "configMap": { "name": "cfg" } }] }),
            json!({ "volumes": [{ "projected": { "sources": [{ "configMap": { "name": "cfg" } }] } }] }),
            json!({ "containers": [{ "env": [{ "valueFrom": { "configMapKeyRef": { "name": "cfg" } } }] }] }),
            json!({ "initContainers": [{ "envFrom": [{ "configMapRef": { "name": "cfg" } }] }] }),
        ];
        for spec in spellings {
            assert!(started_on(&pod(6, spec.clone()), &restored("ConfigMap")), "{spec}");
            assert!(!started_on(&pod(4, spec.clone()), &restored("ConfigMap")), "it read what was there before");
            assert!(!started_on(&pod(6, spec), &restored("Secret")), "another kind of the same name");
        }
        let secret = json!({ "volumes": [{ "secret": { "secretName": "cfg" } }] });
        assert!(started_on(&pod(6, secret), &restored("Secret")));
        assert!(!started_on(&pod(6, json!({ "containers": [{ "name": "cfg" }] })), &restored("ConfigMap")));
    }

    #[test]
    fn pods_that_started_since_it_was_restored_read_what_was_there_before() {
        let reads = json!({ "volumes": [{ "configMap": { "name": "cfg" } }] });
        let one = restored("ConfigMap");
        assert!(started_on(&pod(8, reads.clone()), &one), "within that second it may have read either");
        assert!(!started_on(&pod(9, reads.clone()), &one));
        // Nothing says when: an undo that only removed leaves every entry as it was.
        let untold = Restored { now: config("ConfigMap", "kubectl", 1, json!({ "a": "1" })), ..one.clone() };
        assert!(started_on(&pod(9, reads.clone()), &untold));
        let mut anew = one.before.clone();
        (anew.0["metadata"]["uid"], anew.0["metadata"]["creationTimestamp"]) = (json!("anew"), json!(at(7)));
        let anew = Restored { now: anew, ..one };
        assert!(started_on(&pod(7, reads.clone()), &anew) && !started_on(&pod(8, reads), &anew), "it was made again");
    }

    /// A budget forbids the first two, and the time is over once for both.
    #[tokio::test(start_paused = true)]
    async fn budgets_are_waited_for_once_and_hold_up_nobody_else() {
        let (server, names) = (TestServer::default(), ["a", "b", "c"]);
        let pods = names.map(|name| {
            let owner = json!({ "kind": "ReplicaSet", "uid": "r", "controller": true });
            Object(json!({ "metadata": { "name": name, "namespace": "shop", "uid": name, "ownerReferences": [owner] } }))
        });
        names[..2].iter().for_each(|name| server.refuses(&format!("/api/v1/namespaces/shop/pods/{name}/eviction"), 429));
        let began = tokio::time::Instant::now();
        let answers: Vec<Evicted> = evict(&server.cluster().await, &pods).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(began.elapsed(), ALLOWED_WITHIN);
        assert_eq!(answers[2], Evicted::Goes);
        let Evicted::Stays(why) = &answers[1] else { panic!("{answers:?}") };
        insta::assert_snapshot!(why, @"pod/b started on what was taken back, and a disruption budget keeps it: InternalError");
    }
}
