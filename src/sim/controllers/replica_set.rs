//! ReplicaSets and DaemonSets: as many pods as are wanted. A DaemonSet wants one, for the cluster has one node.

use super::pods::{self, count, is_over, is_ready};
use super::{is_going, living, number, owned, set_status, text};
use crate::sim::store::Key;
use crate::sim::world::World;
use serde_json::{Value, json};

pub(super) fn look(world: &mut World) {
    for (key, set) in living(world, "ReplicaSet") {
        let pods =
            keep(world, &set, number(&set, "/spec/replicas"), &[("pod-template-hash", text(&set, "/metadata/labels/pod-template-hash"))]);
        let (all, ready) = counts(&pods);
        set_status(
            world,
            &key,
            json!({ "replicas": all, "fullyLabeledReplicas": all, "readyReplicas": ready, "availableReplicas": ready }),
        );
    }
    for (key, set) in living(world, "DaemonSet") {
        let hash = super::hash(&set["spec"]["template"]);
        let pods = keep(world, &set, 1, &[("controller-revision-hash", &hash)]);
        let old = pods.iter().find(|(_, pod)| text(pod, "/metadata/labels/controller-revision-hash") != hash);
        if let Some((old, _)) = old {
            world.delete(old);
        }
        let (all, ready) = counts(&pods);
        let updated = if old.is_some() { 0 } else { all };
        set_status(
            world,
            &key,
            json!({
                "currentNumberScheduled": all, "desiredNumberScheduled": 1, "numberMisscheduled": 0, "numberReady": ready,
                "numberAvailable": ready, "updatedNumberScheduled": updated,
            }),
        );
    }
}

fn counts(pods: &[(Key, Value)]) -> (i64, i64) {
    (count(pods.len()), count(pods.iter().filter(|(_, pod)| is_ready(pod)).count()))
}

/// Makes pods that are missing and deletes those that are too many, such that are not ready first. Gives back those that stay.
fn keep(world: &mut World, set: &Value, wanted: i64, labels: &[(&str, &str)]) -> Vec<(Key, Value)> {
    let pods = owned(world, "Pod", set);
    let mut pods: Vec<(Key, Value)> = pods.into_iter().filter(|(_, pod)| !is_going(pod) && !is_over(pod)).collect();
    let labels: Vec<(&str, &str)> = labels.iter().filter(|(_, value)| !value.is_empty()).copied().collect();
    for _ in count(pods.len())..wanted {
        let name = format!("{}-{}", text(set, "/metadata/name"), world.suffix());
        pods::make(world, set, &name, &labels);
    }
    pods.sort_by_key(|(_, pod)| !is_ready(pod));
    while count(pods.len()) > wanted.max(0) {
        if let Some((key, _)) = pods.pop() {
            world.delete(&key);
        }
    }
    pods
}
