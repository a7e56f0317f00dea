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
        let (new, old): (Sets, Sets) = sets.into_iter().partition(|(_, set)| set["metadata"]["labels"][HASH] == hash.as_str());
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
        "spec": { "replicas": 0, "selector": selector, "template": template },
        "status": { "replicas": 0, "observedGeneration": 1 },
    });
    world.create(&Key::new(Kind::named("ReplicaSet"), namespace, &name), set, MANAGER);
}

/// A template that comes back gets its ReplicaSet back, as the newest one.
fn renew(world: &mut World, deployment: &Key, new: &(Key, Value), old: &Sets) {
    let newest = old.iter().map(|(_, set)| revision(set)).max().unwrap_or(0);
    let own = if revision(&new.1) > newest { revision(&new.1) } else { newest + 1 };
    for key in [&new.0, deployment] {
        world.change(key, MANAGER, "", |object| object["metadata"]["annotations"][REVISION] = json!(own.to_string()));
    }
}

fn roll(world: &mut World, deployment: &Value, new: &(Key, Value), old: &Sets) {
    let wanted = number(deployment, "/spec/replicas");
    let of = |set: &Value, pointer: &str| number(set, pointer);
    let (new_size, new_ready) = (of(&new.1, "/spec/replicas"), of(&new.1, "/status/availableReplicas"));
    let old_size: i64 = old.iter().map(|(_, set)| of(set, "/spec/replicas")).sum();
    if deployment["spec"]["strategy"]["type"] == "Recreate" {
        let old_pods: i64 = old.iter().map(|(_, set)| of(set, "/status/replicas").max(of(set, "/spec/replicas"))).sum();
        old.iter().for_each(|(key, _)| resize(world, key, 0));
        if old_pods == 0 {
            resize(world, &new.0, wanted);
        }
        return;
    }
    let rolling = &deployment["spec"]["strategy"]["rollingUpdate"];
    let surge = share(&rolling["maxSurge"], wanted, true);
    let unavailable = share(&rolling["maxUnavailable"], wanted, false);
    let unavailable = if surge == 0 && unavailable == 0 { 1 } else { unavailable };
    // With nothing left of the old ones it is a mere matter of size.
    let room = if old_size == 0 { wanted } else { (wanted + surge - old_size).clamp(0, wanted) };
    resize(world, &new.0, if new_size > wanted { wanted } else { new_size.max(room) });
    let old_ready: i64 = old.iter().map(|(_, set)| of(set, "/status/availableReplicas")).sum();
    let mut spare = (old_ready + new_ready) - (wanted - unavailable);
    for (key, set) in old {
        let (size, ready) = (of(set, "/spec/replicas"), of(set, "/status/availableReplicas"));
        // Pods that do not work are missed by nobody.
        let broken = (size - ready).max(0);
        let fewer = ready.min(spare.max(0));
        spare -= fewer;
        resize(world, key, size - broken - fewer);
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

fn tell(world: &mut World, key: &Key, deployment: &Value, hash: &str) {
    let sets = owned(world, "ReplicaSet", deployment);
    let sum = |field: &str| -> i64 { sets.iter().map(|(_, set)| number(set, &format!("/status/{field}"))).sum() };
    let new = sets.iter().find(|(_, set)| set["metadata"]["labels"][HASH] == hash);
    let updated = new.map_or(0, |(_, set)| number(set, "/status/replicas"));
    let (all, ready, wanted) = (sum("replicas"), sum("readyReplicas"), number(deployment, "/spec/replicas"));
    let unavailable = share(&deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"], wanted, false);
    let done = updated == wanted && all == wanted && ready == wanted;
    let available = condition(world, "Available", ready >= wanted - unavailable, "MinimumReplicasAvailable", "");
    let moved = [all, updated, ready].map(|count| count.to_string()).join(" ");
    let progressing = progress(world, deployment, done, &moved);
    set_status(
        world,
        key,
        json!({
            "replicas": all, "updatedReplicas": updated, "readyReplicas": ready, "availableReplicas": ready,
            "unavailableReplicas": (wanted - ready).max(0), "conditions": [available, progressing],
        }),
    );
}

/// Whether it moves. What the counts were when it last moved stands in the condition's message.
fn progress(world: &mut World, deployment: &Value, done: bool, moved: &str) -> Value {
    let known = deployment["status"]["conditions"].as_array().and_then(|all| all.iter().find(|known| known["type"] == "Progressing"));
    let message = format!("generation {} {moved}", deployment["metadata"]["generation"]);
    if done {
        let mut told = condition(world, "Progressing", true, "NewReplicaSetAvailable", &message);
        told["lastUpdateTime"] = told["lastTransitionTime"].clone();
        return known.filter(|known| known["message"] == message && known["reason"] == told["reason"]).cloned().unwrap_or(told);
    }
    let limit = Duration::from_secs(number(deployment, "/spec/progressDeadlineSeconds").unsigned_abs());
    let Some(known) = known.filter(|known| known["message"] == message) else {
        world.look_after(limit + Duration::from_secs(1));
        let mut told = condition(world, "Progressing", true, "ReplicaSetUpdated", &message);
        told["lastUpdateTime"] = told["lastTransitionTime"].clone();
        return told;
    };
    let since = known["lastUpdateTime"].as_str().and_then(|text| text.parse().ok()).map_or(world.now, Moment);
    let mut told = known.clone();
    if world.now.since(since) > limit {
        told["status"] = json!("False");
        told["reason"] = json!("ProgressDeadlineExceeded");
    }
    told
}

#[cfg(test)]
mod tests {
    use super::share;
    use serde_json::json;

    #[test]
    fn a_share_is_a_number_or_a_part() {
        assert_eq!([share(&json!("25%"), 2, true), share(&json!("25%"), 2, false)], [1, 0]);
        assert_eq!([share(&json!(2), 10, true), share(&json!("50%"), 4, false)], [2, 2]);
    }
}
