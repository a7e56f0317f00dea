//! StatefulSets: pods with numbers, one after the other, each with its volumes; renewed from the last to the first.

use super::pods::{self, count, is_ready};
use super::{MANAGER, hash, is_going, living, number, owned, set_status, text};
use crate::sim::kinds::Kind;
use crate::sim::store::Key;
use crate::sim::world::World;
use serde_json::{Value, json};

const REVISION: &str = "controller-revision-hash";

pub(super) fn look(world: &mut World) {
    for (key, set) in living(world, "StatefulSet") {
        let (name, wanted) = (text(&set, "/metadata/name").to_owned(), number(&set, "/spec/replicas"));
        let update = format!("{name}-{}", hash(&set["spec"]["template"]));
        let pods = owned(world, "Pod", &set);
        take_step(world, &set, &update, wanted, &pods);
        let living: Vec<&Value> = pods.iter().map(|(_, pod)| pod).filter(|pod| !is_going(pod)).collect();
        let updated = living.iter().filter(|pod| pod["metadata"]["labels"][REVISION] == update.as_str()).count();
        let ready = living.iter().filter(|pod| is_ready(pod)).count();
        let done = count(updated) == wanted && count(ready) == wanted && count(pods.len()) == wanted;
        let current =
            if done || set["status"]["currentRevision"].is_null() { json!(update) } else { set["status"]["currentRevision"].clone() };
        let of_current = living.iter().filter(|pod| pod["metadata"]["labels"][REVISION] == current).count();
        set_status(
            world,
            &key,
            json!({
                "replicas": count(pods.len()), "readyReplicas": ready, "availableReplicas": ready, "currentReplicas": of_current,
                "updatedReplicas": updated, "currentRevision": current, "updateRevision": update, "collisionCount": 0,
            }),
        );
    }
}

/// Does the next thing, if everything before it is done.
fn take_step(world: &mut World, set: &Value, update: &str, wanted: i64, pods: &[(Key, Value)]) {
    let name = text(set, "/metadata/name");
    let ordinal = |pod: &Value| text(pod, "/metadata/name").rsplit('-').next().and_then(|last| last.parse::<i64>().ok()).unwrap_or(0);
    let at_once = set["spec"]["podManagementPolicy"] == "Parallel";
    for place in 0..wanted {
        match pods.iter().find(|(_, pod)| ordinal(pod) == place) {
            None => {
                make(world, set, &format!("{name}-{place}"), update);
                if !at_once {
                    return;
                }
            }
            // Whatever it is a pod of: where an old one does not work, a mended template does not help until somebody deletes it.
            Some((_, pod)) if !is_ready(pod) && !at_once => return,
            Some(_) => {}
        }
    }
    let mut all: Vec<&(Key, Value)> = pods.iter().collect();
    all.sort_by_key(|(_, pod)| -ordinal(pod));
    if let Some((key, _)) = all.iter().find(|(_, pod)| ordinal(pod) >= wanted) {
        return world.delete(key);
    }
    let partition = number(set, "/spec/updateStrategy/rollingUpdate/partition");
    let is_old = |pod: &Value| pod["metadata"]["labels"][REVISION] != update && ordinal(pod) >= partition;
    if set["spec"]["updateStrategy"]["type"] != "OnDelete"
        && let Some((key, _)) = all.iter().find(|(_, pod)| is_old(pod))
    {
        world.delete(key);
    }
}

fn make(world: &mut World, set: &Value, name: &str, revision: &str) {
    let namespace = text(set, "/metadata/namespace");
    let mut set = set.clone();
    for template in set["spec"]["volumeClaimTemplates"].as_array().cloned().unwrap_or_default() {
        let volume = text(&template, "/metadata/name");
        let claim = format!("{volume}-{name}");
        let key = Key::new(Kind::named("PersistentVolumeClaim"), namespace, &claim);
        if world.store.get(&key).is_none() {
            let mut made = template.clone();
            made["metadata"] = json!({ "name": claim, "namespace": namespace, "labels": set["spec"]["selector"]["matchLabels"] });
            world.create(&key, made, MANAGER);
        }
        let mounted = json!({ "name": volume, "persistentVolumeClaim": { "claimName": claim } });
        match set["spec"]["template"]["spec"]["volumes"].as_array_mut() {
            Some(volumes) => volumes.push(mounted),
            None => set["spec"]["template"]["spec"]["volumes"] = json!([mounted]),
        }
    }
    // What is forbidden is told in events only.
    let _forbidden = pods::make(world, &set, name, &[(REVISION, revision), ("statefulset.kubernetes.io/pod-name", name)]);
}

#[cfg(test)]
mod tests {
    use crate::ids::Moment;
    use crate::scenario::{Failing, Image, Scenario};
    use crate::sim::api::apply_as;
    use crate::sim::kinds::Kind;
    use crate::sim::store::Key;
    use crate::sim::world::World;
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn a_mended_template_does_not_help_a_pod_that_is_stuck() {
        let missing = Image { fails: Some(Failing::Missing), ..Image::default() };
        let images = [("db:*".to_owned(), Image::default()), ("db:v9".to_owned(), missing)];
        let began = Moment::from_millis(1_795_000_000_000);
        let mut world = World::new(Scenario { images: images.into(), ..Scenario::default() }, 1, began);
        let mut now = began;
        let mut apply = |world: &mut World, image: &str| {
            let template =
                json!({ "metadata": { "labels": { "app": "db" } }, "spec": { "containers": [{ "name": "db", "image": image }] } });
            let spec = json!({ "replicas": 1, "serviceName": "db", "selector": { "matchLabels": { "app": "db" } }, "template": template });
            let object = json!({ "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": { "name": "db" }, "spec": spec });
            apply_as(world, Kind::named("StatefulSet"), "default", &object, "kubectl").unwrap();
            now = now.after(Duration::from_secs(60));
            world.advance(now);
        };
        let pod = Key::new(Kind::named("Pod"), "default", "db-0");
        let image = |world: &World| world.store.get(&pod).unwrap()["spec"]["containers"][0]["image"].clone();
        apply(&mut world, "db:v1");
        apply(&mut world, "db:v9");
        apply(&mut world, "db:v1");
        assert_eq!(image(&world), "db:v9", "as a real controller, which waits for it to be ready");
        world.delete(&pod);
        apply(&mut world, "db:v1");
        assert_eq!(image(&world), "db:v1");
    }
}
