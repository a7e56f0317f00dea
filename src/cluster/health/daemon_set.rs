//! The health of a DaemonSet.

use super::{NOT_OBSERVED, Trouble, Verdict, View, is_observed, progress, worst};
use crate::cluster::object::Object;

pub(super) fn judge(object: &Object, view: &View<'_>) -> Verdict {
    if !is_observed(object) {
        return Verdict::Waiting(NOT_OBSERVED.to_owned());
    }
    let count = |field: &str| object.number(&format!("/status/{field}")).unwrap_or(0);
    let wanted = count("desiredNumberScheduled");
    let pods = view.pods_of(object.uid());
    let on_delete = object.text("/spec/updateStrategy/type") == "OnDelete";
    // Pods on nodes that they are not meant for any more, as after a taint, are none of the rollout's.
    let available = count("numberAvailable") == wanted && count("numberReady") == wanted;
    match available && count("updatedNumberScheduled") == wanted {
        true => Verdict::Healthy,
        false if available && on_delete => {
            let old = wanted - count("updatedNumberScheduled");
            Verdict::Failing(Trouble::of(format!(
                "{old} pods are still of the old revision: its update strategy is OnDelete, so delete them"
            )))
        }
        false => worst(&pods).unwrap_or_else(|| {
            // Old pods are available, too, and new ones are counted before they are.
            let done = count("updatedNumberScheduled") + count("numberAvailable") - count("currentNumberScheduled").max(wanted);
            progress(done.max(0), wanted, "new and ready", &pods)
        }),
    }
}
