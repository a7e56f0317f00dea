//! The health of a Pod, and what may be wrong with its containers. It knows no workload.

use super::{Trouble, Verdict};
use crate::cluster::object::Object;
use serde_json::Value;

/// Judges a pod by itself.
pub(super) fn judge(pod: &Object) -> Verdict {
    match pod.text("/status/phase") {
        "Succeeded" => return Verdict::Healthy,
        "Failed" if pod.text("/spec/restartPolicy") == "Never" => return Verdict::Failed(ended(pod)),
        _ => {}
    }
    if let Some(trouble) = trouble(pod) {
        return trouble;
    }
    match pod.is_condition_true("Ready") {
        true => Verdict::Healthy,
        false => Verdict::Waiting(waits_for(pod)),
    }
}

/// What is wrong with a pod; none when nothing is, even if it is not ready yet.
pub(super) fn trouble(pod: &Object) -> Option<Verdict> {
    if pod.is_terminating() {
        return None;
    }
    let named = |mut trouble: Trouble| {
        trouble.pod = Some(pod.name().to_owned());
        trouble
    };
    if pod.text("/status/phase") == "Failed" {
        return Some(Verdict::Failing(ended(pod)));
    }
    let statuses = pod.list("/status/initContainerStatuses").iter().chain(pod.list("/status/containerStatuses"));
    for status in statuses {
        match container(pod, status) {
            Some(Verdict::Failed(trouble)) => return Some(Verdict::Failed(named(trouble))),
            Some(Verdict::Failing(trouble)) => return Some(Verdict::Failing(named(trouble))),
            _ => {}
        }
    }
    let scheduled = pod.condition("PodScheduled").filter(|condition| condition["status"] == "False");
    let reason = scheduled.filter(|condition| condition["reason"] == "Unschedulable")?;
    Some(Verdict::Failing(named(Trouble::of(format!("Unschedulable: {}", reason["message"].as_str().unwrap_or_default())))))
}

fn ended(pod: &Object) -> Trouble {
    let statuses = pod.list("/status/initContainerStatuses").iter().chain(pod.list("/status/containerStatuses"));
    let mut bad = statuses.filter(|status| status["state"]["terminated"]["exitCode"].as_i64().is_some_and(|code| code != 0));
    let found = bad.next().map(|status| about(pod, status, exit(&status["state"]["terminated"])));
    let reason = || [pod.text("/status/reason"), pod.text("/status/message")].join(" ").trim().to_owned();
    let mut trouble = found.unwrap_or_else(|| Trouble::of(format!("the pod failed {}", reason()).trim().to_owned()));
    trouble.pod = Some(pod.name().to_owned());
    trouble
}

fn container(pod: &Object, status: &Value) -> Option<Verdict> {
    let waiting = &status["state"]["waiting"];
    let (reason, message) = (text(&waiting["reason"]), text(&waiting["message"]));
    let told = || about(pod, status, told(reason, message));
    match reason {
        "InvalidImageName" | "ErrImageNeverPull" => Some(Verdict::Failed(told())),
        "ErrImagePull" | "ImagePullBackOff" | "ImageInspectError" | "RegistryUnavailable" | "SignatureValidationFailed" => {
            Some(if is_refused_image(message) { Verdict::Failed(told()) } else { Verdict::Failing(told()) })
        }
        "RunContainerError" | "CreateContainerError" => {
            Some(if is_bad_command(message) { Verdict::Failed(told()) } else { Verdict::Failing(told()) })
        }
        "CreateContainerConfigError" | "PreCreateHookError" | "PreStartHookError" | "PostStartHookError" => Some(Verdict::Failing(told())),
        "CrashLoopBackOff" => Some(crashed(pod, status, &status["lastState"]["terminated"])),
        // Between two runs the reason is not `CrashLoopBackOff`: a container that came back and is not ready counts all the same.
        _ => between_runs(pod, status),
    }
}

fn between_runs(pod: &Object, status: &Value) -> Option<Verdict> {
    let now = &status["state"]["terminated"];
    let failed = |ended: &Value| ended["exitCode"].as_i64().is_some_and(|code| code != 0);
    if failed(now) && pod.text("/spec/restartPolicy") != "Never" {
        return Some(crashed(pod, status, now));
    }
    let last = &status["lastState"]["terminated"];
    let came_back = restarts(status) > 0 && status["ready"] != true && failed(last) && status["state"]["terminated"].is_null();
    came_back.then(|| crashed(pod, status, last))
}

fn crashed(pod: &Object, status: &Value, ended: &Value) -> Verdict {
    let trouble = about(pod, status, exit(ended));
    match is_bad_command(text(&ended["message"])) {
        true => Verdict::Failed(trouble),
        false => Verdict::Failing(trouble),
    }
}

fn exit(ended: &Value) -> String {
    let code = ended["exitCode"].as_i64().map_or_else(|| "it ended".to_owned(), |code| format!("it ended with exit code {code}"));
    let reason = match text(&ended["reason"]) {
        "" | "Error" | "Completed" => String::new(),
        reason => format!(" ({reason})"),
    };
    let message = first_line(text(&ended["message"]));
    format!("{code}{reason}{}{message}", if message.is_empty() { "" } else { ": " })
}

fn about(pod: &Object, status: &Value, mut reason: String) -> Trouble {
    let (name, times) = (text(&status["name"]), restarts(status));
    match times {
        0 => {}
        1 => reason.push_str(", started again once"),
        times => reason = format!("{reason}, started again {times} times"),
    }
    let containers = pod.list("/spec/initContainers").iter().chain(pod.list("/spec/containers"));
    let wanted = containers.filter(|container| container["name"] == name).find_map(|container| container["image"].as_str());
    Trouble {
        reason,
        pod: None,
        container: Some(name.to_owned()),
        image: wanted.or(status["image"].as_str()).map(str::to_owned),
        restarts: times,
    }
}

/// The names of a pod's containers, and how often each was started again.
pub(super) fn containers(pod: &Object) -> Vec<(String, u32)> {
    let statuses = pod.list("/status/initContainerStatuses").iter().chain(pod.list("/status/containerStatuses"));
    statuses.map(|status| (text(&status["name"]).to_owned(), restarts(status))).collect()
}

fn restarts(status: &Value) -> u32 {
    status["restartCount"].as_u64().and_then(|count| u32::try_from(count).ok()).unwrap_or(0)
}

fn told(reason: &str, message: &str) -> String {
    let message = first_line(message);
    let message = of_image(message).unwrap_or_else(|| message.to_owned());
    if message.is_empty() { reason.to_owned() } else { format!("{reason}: {message}") }
}

/// What containerd says of an image that it cannot pull, where it names the image in every link of the chain: once is enough.
fn of_image(message: &str) -> Option<String> {
    let (_, chain) = message.split_once("failed to pull and unpack image \"")?;
    let (image, mut why) = chain.split_once("\": ")?;
    for link in [format!("failed to resolve reference \"{image}\": "), format!("{image}: ")] {
        why = why.strip_prefix(&link).unwrap_or(why);
    }
    Some(format!("image {image} cannot be pulled: {why}"))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A registry that answered, and said no. Timeouts and server errors may pass.
fn is_refused_image(message: &str) -> bool {
    let lower = message.to_lowercase();
    let passes = [
        "timeout",
        "deadline exceeded",
        "connection refused",
        "no such host",
        "server misbehaving",
        "dial tcp",
        "i/o",
        "too many requests",
    ];
    let refused = [
        "not found",
        "notfound",
        "manifest unknown",
        "unauthorized",
        "access denied",
        "authorization failed",
        "authentication required",
        "insufficient_scope",
        "403 forbidden",
        "no match for platform",
        "invalid reference format",
        "repository does not exist",
    ];
    !passes.iter().any(|words| lower.contains(words)) && refused.iter().any(|words| lower.contains(words))
}

/// A command that is not in the image will not be there at the next start.
fn is_bad_command(message: &str) -> bool {
    ["executable file not found", "no such file or directory", "permission denied", "is a directory", "exec format error"]
        .iter()
        .any(|words| message.contains(words))
        && (message.contains("exec") || message.contains("start container"))
}

fn waits_for(pod: &Object) -> String {
    let statuses = pod.list("/status/initContainerStatuses").iter().chain(pod.list("/status/containerStatuses"));
    for status in statuses {
        match (text(&status["state"]["waiting"]["reason"]), status["ready"] == true, &status["state"]["running"]) {
            ("" | "PodInitializing" | "ContainerCreating", false, running) if running.is_object() => {
                return format!("container `{}` runs and is not ready", text(&status["name"]));
            }
            ("", _, _) | ("PodInitializing", _, _) => {}
            (reason, _, _) => return format!("container `{}`: {reason}", text(&status["name"])),
        }
    }
    match pod.text("/status/phase") {
        "" | "Pending" if !pod.is_condition_true("PodScheduled") => "not scheduled yet".to_owned(),
        "" => "not started yet".to_owned(),
        phase => format!("{phase}, not ready"),
    }
}
