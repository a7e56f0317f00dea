//! ReplicaSets and DaemonSets: as many pods as are wanted. A DaemonSet wants one, for the cluster has one node.

use super::pods::{self, count, is_over, is_ready};
use super::{condition, is_going, living, number, owned, set_status, text};
use crate::ids::Moment;
use crate::sim::store::Key;
use crate::sim::world::World;
use serde_json::{Value, json};
use std::time::Duration;

pub(super) fn look(world: &mut World) {
    for (key, set) in living(world, "ReplicaSet") {
        let label = ("pod-template-hash", text(&set, "/metadata/labels/pod-template-hash"));
        let (pods, forbidden) = keep(world, &set, number(&set, "/spec/replicas"), &[label]);
        let (all, ready) = counts(&pods);
        let available = available(world, &pods, number(&set, "/spec/minReadySeconds"));
        let mut status = json!({ "replicas": all, "fullyLabeledReplicas": all, "readyReplicas": ready, "availableReplicas": available });
        if let Some(why) = forbidden {
            status["conditions"] = json!([condition(world, "ReplicaFailure", true, "FailedCreate", &why)]);
        }
        set_status(world, &key, status);
    }
    for (key, set) in living(world, "DaemonSet") {
        let hash = super::hash(&set["spec"]["template"]);
        let (pods, _forbidden) = keep(world, &set, 1, &[("controller-revision-hash", &hash)]);
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

/// How many pods have been ready for so many seconds; the controllers look again when the next one has.
fn available(world: &mut World, pods: &[(Key, Value)], seconds: i64) -> i64 {
    let wait = Duration::from_secs(seconds.unsigned_abs());
    let since = |pod: &Value| -> Option<Moment> {
        let conditions = pod["status"]["conditions"].as_array()?;
        let ready = conditions.iter().find(|known| known["type"] == "Ready")?;
        ready["lastTransitionTime"].as_str()?.parse().ok().map(Moment)
    };
    let due: Vec<Moment> =
        pods.iter().filter(|(_, pod)| is_ready(pod)).map(|(_, pod)| since(pod).unwrap_or(world.now).after(wait)).collect();
    if let Some(next) = due.iter().filter(|due| **due > world.now).min() {
        world.look_after(next.since(world.now));
    }
    count(due.iter().filter(|due| **due <= world.now).count())
}

/// Makes pods that are missing and deletes those that are too many, such that are not ready first. Gives back those that stay, and why one
/// could not be made.
fn keep(world: &mut World, set: &Value, wanted: i64, labels: &[(&str, &str)]) -> (Vec<(Key, Value)>, Option<String>) {
    let pods = owned(world, "Pod", set);
    let mut pods: Vec<(Key, Value)> = pods.into_iter().filter(|(_, pod)| !is_going(pod) && !is_over(pod)).collect();
    let labels: Vec<(&str, &str)> = labels.iter().filter(|(_, value)| !value.is_empty()).copied().collect();
    let mut forbidden = None;
    for _ in count(pods.len())..wanted {
        let begin = format!("{}-", text(set, "/metadata/name"));
        // The name is not made up yet when the server says no.
        if let Err(why) = pods::admit(world, text(set, "/metadata/namespace"), &begin, &set["spec"]["template"]["spec"]) {
            forbidden = Some(why);
            break;
        }
        let name = format!("{begin}{}", world.suffix());
        forbidden = pods::make(world, set, &name, &labels).err();
    }
    pods.sort_by_key(|(_, pod)| !is_ready(pod));
    while count(pods.len()) > wanted.max(0) {
        if let Some((key, _)) = pods.pop() {
            world.delete(&key);
        }
    }
    (pods, forbidden)
}
