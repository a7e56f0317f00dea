//! The health of a Job: it is done, or it failed. Running is neither.

use super::{Trouble, Verdict, View, pod, progress};
use crate::cluster::object::Object;

pub(super) fn judge(object: &Object, view: &View<'_>) -> Verdict {
    if object.is_condition_true("Complete") {
        return Verdict::Healthy;
    }
    let pods = view.pods_of(object.uid());
    // `FailureTarget` comes seconds before `Failed`, as soon as the outcome is sure.
    let failed = ["Failed", "FailureTarget"].iter().find(|kind| object.is_condition_true(kind)).and_then(|kind| object.condition(kind));
    if let Some(failed) = failed {
        let words = |field: &str| failed[field].as_str().unwrap_or_default().to_owned();
        let job = format!("{}: {}", words("reason"), words("message"));
        let last = pods.iter().filter_map(|pod| pod::trouble(pod)).find_map(|verdict| match verdict {
            Verdict::Failed(trouble) | Verdict::Failing(trouble) => Some(trouble),
            _ => None,
        });
        let trouble = last.map(|trouble| Trouble { reason: format!("{}; {job}", trouble.reason), ..trouble });
        return Verdict::Failed(trouble.unwrap_or_else(|| Trouble::of(job)));
    }
    if object.is_condition_true("Suspended") {
        return Verdict::Failing(Trouble::of("it is suspended, so nothing runs"));
    }
    // A pod that failed is tried again as often as the Job says; only what no try can mend ends the wait.
    let troubles = pods.iter().filter(|pod| pod.text("/status/phase") != "Failed").filter_map(|pod| pod::trouble(pod));
    if let Some(verdict) = troubles.max_by_key(|verdict| matches!(verdict, Verdict::Failed(_))) {
        return verdict;
    }
    let done = object.number("/status/succeeded").unwrap_or(0);
    let running: Vec<&Object> = pods.into_iter().filter(|pod| pod.text("/status/phase") == "Pending").collect();
    progress(done, object.number("/spec/completions").unwrap_or(1), "done", &running)
}
