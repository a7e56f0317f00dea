//! The one node: what becomes of a pod's containers, as the rule for their image says.

use super::{configuration, text};
use crate::scenario::{Failing, Image};
use crate::sim::owners::time;
use crate::sim::store::Key;
use crate::sim::world::{Happening, World};
use serde_json::{Value, json};
use std::time::Duration;

/// From its deletion until a pod is gone.
pub(in crate::sim) const STOPS_WITHIN: Duration = Duration::from_millis(500);
/// From the start of a container until it is ready, where its rule says nothing.
const READY_AFTER: Duration = Duration::from_secs(1);
/// How long a program of a Job runs, where its rule says nothing.
const RUNS_FOR: Duration = Duration::from_secs(1);
/// How long a program runs that crashes.
const CRASHES_AFTER: Duration = Duration::from_millis(300);
/// The first wait before a container is started again; it doubles up to the last.
const FIRST_BACKOFF: Duration = Duration::from_secs(10);
const LAST_BACKOFF: Duration = Duration::from_secs(300);
/// How often configuration that is missing is looked for.
const LOOKS_AGAIN: Duration = Duration::from_secs(2);

const MANAGER: &str = "kubelet";

/// Takes the next step with a pod, and plans the one after it.
pub(in crate::sim) fn go_on(world: &mut World, key: &Key, uid: &str) {
    let Some(pod) = world.store.get(key).filter(|pod| text(pod, "/metadata/uid") == uid).cloned() else { return };
    if super::is_going(&pod) {
        world.store.remove(key);
        world.environments.remove(uid);
        return;
    }
    let (rule, image) = worst_rule(world, &pod);
    if let ("new" | "unscheduled", Some(why)) = (state(&pod), configuration::missing_claim(world, &pod)) {
        unscheduled(world, key, &why);
        return again(world, key, uid, LOOKS_AGAIN);
    }
    match state(&pod) {
        "Succeeded" | "Failed" => {}
        "new" | "unscheduled" | "unconfigured" => match configuration::read(world, &pod) {
            Err(what) => {
                let waiting = json!({ "waiting": { "reason": "CreateContainerConfigError", "message": what } });
                report(world, key, "Pending", "unconfigured", &waiting, false, None);
                again(world, key, uid, LOOKS_AGAIN);
            }
            Ok(_) if rule.fails == Some(Failing::Missing) => not_pulled(world, key, uid, &image, "ErrImagePull"),
            Ok(_) => start(world, key, uid, &rule),
        },
        "unpulled" => not_pulled(world, key, uid, &image, "ImagePullBackOff"),
        "running" if rule.fails == Some(Failing::Crashes) => crash(world, key, uid, &pod, &rule),
        "running" if runs_to_its_end(&pod) => end(world, key, &pod, &rule),
        "running" => report(world, key, "Running", "ready", &running(world), true, None),
        "waiting" => start(world, key, uid, &rule),
        _ => {}
    }
}

/// The rule of the container that fares worst: a pod is no better than that.
fn worst_rule(world: &World, pod: &Value) -> (Image, String) {
    let images = crate::sim::rules::images(pod).map(|image| (world.scenario.image(image).cloned().unwrap_or_default(), image.to_owned()));
    let all: Vec<(Image, String)> = images.collect();
    let broken = all.iter().position(|(rule, _)| rule.fails.is_some() || rule.exit_code != 0);
    all.into_iter().nth(broken.unwrap_or(0)).unwrap_or_default()
}

/// Where a pod is in its life, as its last report noted.
fn state(pod: &Value) -> &str {
    match text(pod, "/status/phase") {
        over @ ("Succeeded" | "Failed") => over,
        _ => match text(pod, "/status/simulated") {
            "" => "new",
            noted => noted,
        },
    }
}

fn runs_to_its_end(pod: &Value) -> bool {
    pod["spec"]["restartPolicy"] != "Always"
}

fn running(world: &World) -> Value {
    json!({ "running": { "startedAt": time(world.now) } })
}

fn again(world: &mut World, key: &Key, uid: &str, wait: Duration) {
    world.plan(wait, Happening::Pod(key.clone(), uid.to_owned()));
}

fn start(world: &mut World, key: &Key, uid: &str, rule: &Image) {
    let pod = world.store.get(key).cloned().unwrap_or_default();
    // What a container started with it keeps.
    if let Ok(read) = configuration::read(world, &pod) {
        world.environments.insert(uid.to_owned(), read);
    }
    let running = running(world);
    report(world, key, "Running", "running", &running, false, None);
    let wait = match (rule.fails, runs_to_its_end(&pod)) {
        (Some(Failing::NeverReady), _) => return,
        (Some(Failing::Crashes), _) => CRASHES_AFTER,
        (_, true) => rule.runs_for.map_or(RUNS_FOR, |period| period.0),
        (_, false) => rule.ready_after.map_or(READY_AFTER, |period| period.0),
    };
    again(world, key, uid, wait);
}

fn not_pulled(world: &mut World, key: &Key, uid: &str, image: &str, reason: &str) {
    let full = if image.contains('/') { image.to_owned() } else { format!("docker.io/library/{image}") };
    let message = match reason {
        "ErrImagePull" => format!("failed to pull and unpack image \"{full}\": failed to resolve reference \"{full}\": {full}: not found"),
        _ => format!("Back-off pulling image \"{image}\": ErrImagePull: failed to resolve reference \"{full}\": {full}: not found"),
    };
    report(world, key, "Pending", "unpulled", &json!({ "waiting": { "reason": reason, "message": message } }), false, None);
    if reason == "ErrImagePull" {
        again(world, key, uid, FIRST_BACKOFF);
    }
}

fn terminated(world: &World, code: i32) -> Value {
    let reason = if code == 0 { "Completed" } else { "Error" };
    json!({ "exitCode": code, "reason": reason, "finishedAt": time(world.now) })
}

fn crash(world: &mut World, key: &Key, uid: &str, pod: &Value, rule: &Image) {
    let ended = terminated(world, if rule.exit_code == 0 { 1 } else { rule.exit_code });
    if pod["spec"]["restartPolicy"] == "Never" {
        return report(world, key, "Failed", "over", &json!({ "terminated": ended }), false, None);
    }
    let restarts = super::number(pod, "/status/containerStatuses/0/restartCount") + 1;
    let wait = FIRST_BACKOFF.saturating_mul(1 << u32::try_from(restarts - 1).unwrap_or(0).min(5)).min(LAST_BACKOFF);
    let message = format!("back-off {}s restarting failed container", wait.as_secs());
    let waiting = json!({ "waiting": { "reason": "CrashLoopBackOff", "message": message } });
    report(world, key, "Running", "waiting", &waiting, false, Some((restarts, ended)));
    again(world, key, uid, wait);
}

fn end(world: &mut World, key: &Key, pod: &Value, rule: &Image) {
    let ended = terminated(world, rule.exit_code);
    let _ = pod;
    let phase = if rule.exit_code == 0 { "Succeeded" } else { "Failed" };
    report(world, key, phase, "over", &json!({ "terminated": ended }), false, None);
}

/// No node takes the pod.
fn unscheduled(world: &mut World, key: &Key, why: &str) {
    let condition = super::condition(world, "PodScheduled", false, "Unschedulable", why);
    world.change(key, "kube-scheduler", "status", |pod| {
        // It is looked at again and again: what is as it was is no news.
        if pod["status"]["conditions"][0]["message"] == condition["message"] {
            return;
        }
        pod["status"] = json!({ "phase": "Pending", "simulated": "unscheduled", "conditions": [condition], "qosClass": "BestEffort" });
    });
}

/// Writes a pod's status. `simulated` notes where in its life it is.
fn report(world: &mut World, key: &Key, phase: &str, noted: &str, state: &Value, ready: bool, restarted: Option<(i64, Value)>) {
    let (now, address) = (time(world.now), world.new_address("10.244"));
    world.change(key, MANAGER, "status", |pod| {
        let status = |holds: bool| if holds { "True" } else { "False" };
        let before = pod["status"]["containerStatuses"].as_array().cloned().unwrap_or_default();
        let containers = pod["spec"]["containers"].as_array().cloned().unwrap_or_default();
        let one = |(index, container): (usize, &Value)| {
            let known = before.get(index).cloned().unwrap_or_else(|| json!({ "restartCount": 0, "lastState": {} }));
            let (count, last) = match &restarted {
                Some((count, ended)) => (json!(count), json!({ "terminated": ended })),
                None => (known["restartCount"].clone(), known["lastState"].clone()),
            };
            // A container that goes on running has been running since then.
            let state = if known["state"]["running"].is_object() && state["running"].is_object() { &known["state"] } else { state };
            json!({
                "name": container["name"], "image": container["image"], "imageID": "", "ready": ready, "started": state["running"].is_object(),
                "restartCount": count, "state": state, "lastState": last,
            })
        };
        let statuses: Vec<Value> = containers.iter().enumerate().map(one).collect();
        let kept = |kind: &str, holds: bool| {
            let known = pod["status"]["conditions"].as_array().into_iter().flatten().find(|known| known["type"] == kind);
            let same = known.filter(|known| known["status"] == status(holds)).map(|known| known["lastTransitionTime"].clone());
            json!({ "type": kind, "status": status(holds), "lastTransitionTime": same.unwrap_or_else(|| json!(now)) })
        };
        let conditions = [("PodScheduled", true), ("Initialized", true), ("ContainersReady", ready), ("Ready", ready)].map(|(kind, holds)| kept(kind, holds));
        let address = if pod["status"]["podIP"].is_string() { pod["status"]["podIP"].clone() } else { json!(address) };
        let start = if pod["status"]["startTime"].is_string() { pod["status"]["startTime"].clone() } else { json!(now) };
        pod["spec"]["nodeName"] = json!("simulated");
        pod["status"] = json!({
            "phase": phase, "simulated": noted, "conditions": conditions, "containerStatuses": statuses, "podIP": address,
            "startTime": start, "qosClass": "BestEffort",
        });
    });
}
