//! Jobs: a pod that runs to its end, and another one when it fails, as often and as long as the Job allows.

use super::pods;
use super::pods::count;
use super::{condition, is_going, living, number, owned, set_status, text};
use crate::ids::Moment;
use crate::sim::world::World;
use crate::sim::{kinds::Kind, store::Key};
use serde_json::{Value, json};
use std::time::Duration;

pub(super) fn look(world: &mut World) {
    for (key, job) in living(world, "Job") {
        if is_finished(&job) {
            if let Some(after) = job["spec"]["ttlSecondsAfterFinished"].as_u64() {
                forget(world, &key, &job, after);
            }
            continue;
        }
        let pods = owned(world, "Pod", &job);
        let of_phase = |phase: &str| pods.iter().filter(|(_, pod)| pod["status"]["phase"] == phase).count();
        let (succeeded, failed) = (of_phase("Succeeded"), of_phase("Failed"));
        let active = pods.len() - succeeded - failed;
        let is_late = deadline(world, &job).is_some_and(|due| due <= world.now);
        let (wanted, limit) = (number(&job, "/spec/completions"), number(&job, "/spec/backoffLimit"));
        let mut status =
            json!({ "active": active, "succeeded": succeeded, "failed": failed, "ready": active, "startTime": start(world, &job) });
        if count(succeeded) >= wanted {
            status["completionTime"] = json!(super::super::owners::time(world.now));
            status["conditions"] = json!([
                condition(world, "SuccessCriteriaMet", true, "CompletionsReached", "Reached expected number of succeeded pods"),
                condition(world, "Complete", true, "CompletionsReached", "Reached expected number of succeeded pods")
            ]);
        } else if count(failed) > limit {
            status["conditions"] = failure(world, "BackoffLimitExceeded", "Job has reached the specified backoff limit");
        } else if is_late {
            pods.iter().filter(|(_, pod)| !pods::is_over(pod)).for_each(|(key, _)| world.delete(key));
            (status["active"], status["ready"], status["failed"]) = (json!(0), json!(0), json!(failed + active));
            status["conditions"] = failure(world, "DeadlineExceeded", "Job was active longer than specified deadline");
        } else if active == 0 && job["spec"]["suspend"] != true {
            let name = format!("{}-{}", text(&job, "/metadata/name"), world.suffix());
            let uid = text(&job, "/metadata/uid").to_owned();
            let labels = [
                ("batch.kubernetes.io/job-name", text(&job, "/metadata/name")),
                ("job-name", text(&job, "/metadata/name")),
                ("batch.kubernetes.io/controller-uid", uid.as_str()),
                ("controller-uid", uid.as_str()),
            ];
            // A Job of which no pod is taken waits, as on a real cluster, which tells that in events only.
            let _forbidden = pods::make(world, &job, &name, &labels);
            status["active"] = json!(1);
        }
        set_status(world, &key, status);
        if let Some(due) = deadline(world, &job).filter(|due| *due > world.now) {
            world.look_after(due.since(world.now));
        }
    }
}

/// When a Job has been at work for as long as it may; none when it may for ever, or rests.
fn deadline(world: &World, job: &Value) -> Option<Moment> {
    let most = job["spec"]["activeDeadlineSeconds"].as_u64().filter(|_| job["spec"]["suspend"] != true)?;
    let since = start(world, job).as_str().and_then(|text| text.parse().ok()).map_or(world.now, Moment);
    Some(since.after(Duration::from_secs(most)))
}

fn failure(world: &World, reason: &str, why: &str) -> Value {
    json!([condition(world, "FailureTarget", true, reason, why), condition(world, "Failed", true, reason, why)])
}

fn is_finished(job: &Value) -> bool {
    super::is_true(job, "Complete") || super::is_true(job, "Failed")
}

fn start(world: &World, job: &Value) -> Value {
    match &job["status"]["startTime"] {
        Value::Null => json!(super::super::owners::time(world.now)),
        known => known.clone(),
    }
}

fn forget(world: &mut World, key: &Key, job: &Value, after: u64) {
    let since = job["status"]["conditions"].as_array().into_iter().flatten().filter_map(|known| known["lastTransitionTime"].as_str()).max();
    let since = since.and_then(|text| text.parse().ok()).map_or(world.now, Moment);
    let due = since.after(Duration::from_secs(after));
    match due <= world.now {
        true if !is_going(job) && key.is_of(Kind::named("Job")) => world.delete(key),
        true => {}
        false => world.look_after(due.since(world.now)),
    }
}
