//! Jobs: a pod that runs to its end, and another one when it fails, as often as the Job allows.

use super::pods;
use super::pods::count;
use super::{condition, is_going, living, number, owned, set_status, text};
use crate::sim::world::World;
use crate::sim::{kinds::Kind, store::Key};
use serde_json::{Value, json};

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
            let why = "Job has reached the specified backoff limit";
            status["conditions"] = json!([
                condition(world, "FailureTarget", true, "BackoffLimitExceeded", why),
                condition(world, "Failed", true, "BackoffLimitExceeded", why)
            ]);
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
    }
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
    let since = since.and_then(|text| text.parse().ok()).map_or(world.now, crate::ids::Moment);
    let due = since.after(std::time::Duration::from_secs(after));
    match due <= world.now {
        true if !is_going(job) && key.is_of(Kind::named("Job")) => world.delete(key),
        true => {}
        false => world.look_after(due.since(world.now)),
    }
}
