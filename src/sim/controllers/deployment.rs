//! Deployments: a ReplicaSet for each template, and a rollout from the old ones to the new one within the surge and the unavailability
//! that are allowed.

use super::{MANAGER, condition, hash, living, number, owned, reference, set_status, text};
use crate::ids::Moment;
use crate::sim::kinds::Kind;
use crate::sim::store::Key;
use crate::sim::world::World;
use serde_json::{Value, json};
use std::time::Duration;

const REVISION: &str = "deployment.kubernetes.io/revision";
const HASH: &str = "pod-template-hash";

type Sets = Vec<(Key, Value)>;

pub(super) fn look(world: &mut World) {
    for (key, deployment) in living(world, "Deployment") {
        let sets = owned(world, "ReplicaSet", &deployment);
        let hash = hash(&deployment["spec"]["template"]);
        let (new, mut old): (Sets, Sets) = sets.into_iter().partition(|(_, set)| set["metadata"]["labels"][HASH] == hash.as_str());
        old.sort_by_key(|(_, set)| revision(set));
        match new.into_iter().next() {
            None if deployment["spec"]["paused"] != true => make_set(world, &deployment, &hash, &old),
            Some(new) if deployment["spec"]["paused"] != true => {
                renew(world, &key, &new, &old);
                roll(world, &deployment, &new, &old);
            }
            _ => {}
        }
        tell(world, &key, &deployment, &hash);
    }
}

fn revision(set: &Value) -> i64 {
    text(set, "/metadata/annotations/deployment.kubernetes.io~1revision").parse().unwrap_or(0)
}

fn make_set(world: &mut World, deployment: &Value, hash: &str, old: &Sets) {
    let (name, namespace) = (text(deployment, "/metadata/name"), text(deployment, "/metadata/namespace"));
    let name = format!("{name}-{hash}");
    let next = old.iter().map(|(_, set)| revision(set)).max().unwrap_or(0) + 1;
    let mut template = deployment["spec"]["template"].clone();
    template["metadata"]["labels"][HASH] = json!(hash);
    let mut selector = deployment["spec"]["selector"].clone();
    selector["matchLabels"][HASH] = json!(hash);
    let set = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": name, "namespace": namespace, "labels": template["metadata"]["labels"],
            "annotations": { REVISION: next.to_string() }, "ownerReferences": reference(deployment),
        },
        "spec": { "replicas": 0, "minReadySeconds": number(deployment, "/spec/minReadySeconds"), "selector": selector, "template": template },
        "status": { "replicas": 0, "observedGeneration": 1 },
    });
    world.create(&Key::new(Kind::named("ReplicaSet"), namespace, &name), set, MANAGER);
}

/// A template that comes back gets its ReplicaSet back, as the newest one.
fn renew(world: &mut World, deployment: &Key, new: &(Key, Value), old: &Sets) {
    let newest = old.iter().map(|(_, set)| revision(set)).max().unwrap_or(0);
    let own = if revision(&new.1) > newest { revision(&new.1) } else { newest + 1 };
    let wait = world.store.get(deployment).map_or(0, |deployment| number(deployment, "/spec/minReadySeconds"));
    world.change(&new.0, MANAGER, "", |set| set["spec"]["minReadySeconds"] = json!(wait));
    for key in [&new.0, deployment] {
        world.change(key, MANAGER, "", |object| object["metadata"]["annotations"][REVISION] = json!(own.to_string()));
    }
}

/// One step of a rollout, if there is one to take: up while the surge allows it, else down as far as enough pods stay available.
///
/// Source: `rolling.go` of the deployment controller (kubernetes/pkg/controller/deployment).
fn roll(world: &mut World, deployment: &Value, new: &(Key, Value), old: &Sets) {
    let size = |set: &Value| number(set, "/spec/replicas");
    let available = |set: &Value| number(set, "/status/availableReplicas");
    let wanted = number(deployment, "/spec/replicas");
    let (new_size, old_size): (i64, i64) = (size(&new.1), old.iter().map(|(_, set)| size(set)).sum());
    if deployment["spec"]["strategy"]["type"] == "Recreate" {
        old.iter().for_each(|(key, _)| resize(world, key, 0));
        let left: i64 = old.iter().map(|(_, set)| number(set, "/status/replicas").max(size(set))).sum();
        if left == 0 {
            resize(world, &new.0, wanted);
        }
        return;
    }
    let (surge, unavailable) = room(deployment);
    let more = (wanted + surge - new_size - old_size).clamp(0, (wanted - new_size).max(0));
    if new_size > wanted || more > 0 {
        return resize(world, &new.0, (new_size + more).min(wanted));
    }
    // New pods that do not work yet count as missing, so that broken ones cost no old pod.
    let least = wanted - unavailable;
    let mut spare = new_size + old_size - least - (new_size - available(&new.1));
    let mut sizes: Vec<i64> = old.iter().map(|(_, set)| size(set)).collect();
    // Old pods that do not work are missed by nobody.
    for (left, (_, set)) in sizes.iter_mut().zip(old) {
        let fewer = (*left - available(set)).clamp(0, spare.max(0));
        (*left, spare) = (*left - fewer, spare - fewer);
    }
    let all_available: i64 = available(&new.1) + old.iter().map(|(_, set)| available(set)).sum::<i64>();
    let mut spare = if new_size + old_size - least > new_size - available(&new.1) { (all_available - least).max(0) } else { 0 };
    for ((key, _), left) in old.iter().zip(sizes) {
        let fewer = left.min(spare);
        spare -= fewer;
        resize(world, key, left - fewer);
    }
}

/// How many pods there may be too many, and how many too few.
fn room(deployment: &Value) -> (i64, i64) {
    let (wanted, rolling) = (number(deployment, "/spec/replicas"), &deployment["spec"]["strategy"]["rollingUpdate"]);
    match (share(&rolling["maxSurge"], wanted, true), share(&rolling["maxUnavailable"], wanted, false)) {
        (0, 0) => (0, 1),
        room => room,
    }
}

fn resize(world: &mut World, key: &Key, size: i64) {
    world.change(key, MANAGER, "", |set| set["spec"]["replicas"] = json!(size));
}

/// `25%` or `1`, of so many.
fn share(written: &Value, of: i64, up: bool) -> i64 {
    let percent = written.as_str().and_then(|text| text.strip_suffix('%')).and_then(|text| text.parse::<i64>().ok());
    match percent {
        Some(percent) if up => (of * percent + 99) / 100,
        Some(percent) => of * percent / 100,
        None => written.as_i64().or_else(|| written.as_str()?.parse().ok()).unwrap_or(0),
    }
}

/// Writes the status. What is zero is left out, as a real server does.
///
/// Source: `sync.go` and `progress.go` of the deployment controller.
fn tell(world: &mut World, key: &Key, deployment: &Value, hash: &str) {
    let sets = owned(world, "ReplicaSet", deployment);
    let sum = |field: &str| -> i64 { sets.iter().map(|(_, set)| number(set, &format!("/status/{field}"))).sum() };
    let new = sets.iter().find(|(_, set)| set["metadata"]["labels"][HASH] == hash).map(|(_, set)| set);
    let wanted = number(deployment, "/spec/replicas");
    let (all, available) = (sum("replicas"), sum("availableReplicas"));
    let mut status = json!({});
    for (name, count) in [
        ("replicas", all),
        ("updatedReplicas", new.map_or(0, |set| number(set, "/status/replicas"))),
        ("readyReplicas", sum("readyReplicas")),
        ("availableReplicas", available),
        ("unavailableReplicas", (all - available).max(0)),
    ] {
        if count > 0 {
            status[name] = json!(count);
        }
    }
    let least = wanted - if deployment["spec"]["strategy"]["type"] == "Recreate" { 0 } else { room(deployment).1 };
    let enough = match available >= least {
        true => condition(world, "Available", true, "MinimumReplicasAvailable", "Deployment has minimum availability."),
        false => condition(world, "Available", false, "MinimumReplicasUnavailable", "Deployment does not have minimum availability."),
    };
    let progressing = progress(world, deployment, &status, text(new.unwrap_or(&Value::Null), "/metadata/name"));
    status["conditions"] = json!([enough, progressing]);
    let failures = new.and_then(|set| set["status"]["conditions"].as_array()).into_iter().flatten();
    let failure = failures.filter(|known| known["type"] == "ReplicaFailure").cloned();
    status["conditions"].as_array_mut().into_iter().for_each(|all| all.extend(failure.clone()));
    set_status(world, key, status);
}

/// Whether it moves: since it last did so runs the time that it may stand still.
fn progress(world: &mut World, deployment: &Value, now: &Value, set: &str) -> Value {
    let before = &deployment["status"];
    let count = |status: &Value, field: &str| status[field].as_i64().unwrap_or(0);
    let old_pods = |status: &Value| count(status, "replicas") - count(status, "updatedReplicas");
    let wanted = number(deployment, "/spec/replicas");
    let known = before["conditions"].as_array().and_then(|all| all.iter().find(|known| known["type"] == "Progressing"));
    let is_done = ["replicas", "updatedReplicas", "availableReplicas"].iter().all(|field| count(now, field) == wanted);
    let rose = |field: &str| count(now, field) > count(before, field);
    let moves = ["updatedReplicas", "readyReplicas", "availableReplicas"].iter().any(|field| rose(field))
        || old_pods(now) < old_pods(before)
        || before["observedGeneration"] != deployment["metadata"]["generation"];
    let fresh = |world: &World, holds: bool, reason: &str, what: &str| {
        let mut told = condition(world, "Progressing", holds, reason, &format!("ReplicaSet {set:?} {what}"));
        told["lastUpdateTime"] = told["lastTransitionTime"].clone();
        told
    };
    let limit = Duration::from_secs(number(deployment, "/spec/progressDeadlineSeconds").unsigned_abs());
    let since = |known: &Value| known["lastUpdateTime"].as_str().and_then(|text| text.parse().ok()).map_or(world.now, Moment);
    match known {
        Some(known) if is_done && known["reason"] == "NewReplicaSetAvailable" && !moves => known.clone(),
        _ if is_done => fresh(world, true, "NewReplicaSetAvailable", "has successfully progressed."),
        Some(known) if !moves && known["reason"] == "ProgressDeadlineExceeded" => known.clone(),
        Some(known) if !moves && world.now.since(since(known)) > limit => {
            fresh(world, false, "ProgressDeadlineExceeded", "has timed out progressing.")
        }
        Some(known) if !moves => known.clone(),
        _ => {
            world.look_after(limit + Duration::from_secs(1));
            fresh(world, true, "ReplicaSetUpdated", "is progressing.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::share;
    use crate::ids::Moment;
    use crate::scenario::{Failing, Image, Scenario};
    use crate::sim::api::apply_as;
    use crate::sim::kinds::Kind;
    use crate::sim::world::World;
    use serde_json::{Value, json};
    use std::time::Duration;

    #[test]
    fn a_share_is_a_number_or_a_part() {
        assert_eq!([share(&json!("25%"), 2, true), share(&json!("25%"), 2, false)], [1, 0]);
        assert_eq!([share(&json!(2), 10, true), share(&json!("50%"), 4, false)], [2, 2]);
    }

    /// The counts of each status that a rollout from `v1` to another image goes through.
    fn rollout(strategy: &Value, image: &str) -> String {
        let missing = Image { fails: Some(Failing::Missing), ..Image::default() };
        let images = [("web:*".to_owned(), Image::default()), ("web:v9".to_owned(), missing)];
        let began = Moment::from_millis(1_795_000_000_000);
        let mut world = World::new(Scenario { images: images.into(), ..Scenario::default() }, 1, began);
        let apply = |world: &mut World, image: &str| {
            let template =
                json!({ "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [{ "name": "web", "image": image }] } });
            let spec =
                json!({ "replicas": 3, "strategy": strategy, "selector": { "matchLabels": { "app": "web" } }, "template": template });
            let object = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" }, "spec": spec });
            apply_as(world, Kind::named("Deployment"), "default", &object, "kubectl").unwrap();
        };
        apply(&mut world, "web:v1");
        world.advance(began.after(Duration::from_secs(30)));
        let before = world.store.version();
        apply(&mut world, image);
        world.advance(began.after(Duration::from_secs(60)));
        let statuses = world.store.since(before).iter().filter(|news| news.key.plural == "deployments").map(|news| {
            let status = &news.object["status"];
            let counts = ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "unavailableReplicas"];
            let counts = counts.map(|count| status[count].as_i64().unwrap_or(0).to_string()).join(" ");
            let progressing = status["conditions"][1]["reason"].as_str().unwrap_or_default();
            format!("{} {counts} {progressing}", status["observedGeneration"])
        });
        let mut told: Vec<String> = statuses.collect();
        told.dedup();
        told.join("\n")
    }

    /// As on a real cluster, where `kubectl get deployment --watch` shows the same counts, and some of them between two others.
    #[test]
    fn a_rollout_goes_through_the_states_of_a_real_one() {
        let careful = json!({ "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } });
        insta::assert_snapshot!(rollout(&careful, "web:v2"), @"
        1 3 3 3 3 0 NewReplicaSetAvailable
        2 3 0 3 3 0 ReplicaSetUpdated
        2 4 1 3 3 1 ReplicaSetUpdated
        2 4 1 4 4 0 ReplicaSetUpdated
        2 3 1 3 3 0 ReplicaSetUpdated
        2 4 2 3 3 1 ReplicaSetUpdated
        2 4 2 4 4 0 ReplicaSetUpdated
        2 3 2 3 3 0 ReplicaSetUpdated
        2 4 3 3 3 1 ReplicaSetUpdated
        2 4 3 4 4 0 ReplicaSetUpdated
        2 3 3 3 3 0 NewReplicaSetAvailable
        ");
        insta::assert_snapshot!(rollout(&careful, "web:v9"), @"
        1 3 3 3 3 0 NewReplicaSetAvailable
        2 3 0 3 3 0 ReplicaSetUpdated
        2 4 1 3 3 1 ReplicaSetUpdated
        ");
        insta::assert_snapshot!(rollout(&json!({ "type": "Recreate" }), "web:v2"), @"
        1 3 3 3 3 0 NewReplicaSetAvailable
        2 3 0 3 3 0 ReplicaSetUpdated
        2 0 0 0 0 0 ReplicaSetUpdated
        2 3 3 0 0 3 ReplicaSetUpdated
        2 3 3 3 3 0 NewReplicaSetAvailable
        ");
    }
}
