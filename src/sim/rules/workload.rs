//! What the API server refuses of kinds that make pods.

use super::metadata::{annotations, labels};
use super::wrong::Wrong;
use super::{names, pod};
use serde_json::{Value, json};

pub(super) fn check(kind: &str, object: &Value, wrong: &mut Wrong) {
    let spec = &object["spec"];
    match kind {
        "Job" => job(spec, "spec", wrong),
        "CronJob" => cron_job(spec, wrong),
        _ => {
            wrong.count("spec.replicas", &spec["replicas"]);
            selector(kind, spec, wrong);
            template(spec, "spec.template", wrong);
            wrong.word("spec.template.spec.restartPolicy", &spec["template"]["spec"]["restartPolicy"], &["Always"]);
            if kind == "Deployment" {
                strategy(&spec["strategy"], wrong);
            }
            ["minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"]
                .iter()
                .for_each(|name| wrong.count(&format!("spec.{name}"), &spec[name]));
        }
    }
}

fn selector(kind: &str, spec: &Value, wrong: &mut Wrong) {
    let (selector, found) = (&spec["selector"], &spec["template"]["metadata"]["labels"]);
    let wanted = selector["matchLabels"].as_object();
    let mismatch = |wrong: &mut Wrong| {
        wrong.invalid("spec.template.metadata.labels", found, "`selector` does not match template `labels`");
    };
    if selector.is_null() {
        wrong.required("spec.selector", "");
        return mismatch(wrong);
    }
    if wanted.is_none_or(serde_json::Map::is_empty) && selector["matchExpressions"].is_null() {
        let why = format!("empty selector is invalid for {}", kind.to_lowercase());
        return wrong.invalid("spec.selector", selector, &why);
    }
    let is_broken =
        |(key, value): (&String, &Value)| names::key(key).is_some() || names::label_value(value.as_str().unwrap_or_default()).is_some();
    if wanted.into_iter().flatten().any(is_broken) {
        labels(&selector["matchLabels"], "spec.selector.matchLabels", wrong);
        return wrong.invalid("spec.selector", selector, "invalid label selector");
    }
    if wanted.into_iter().flatten().any(|(key, value)| found[key] != *value) {
        mismatch(wrong);
    }
}

/// The template of a workload, whose volume claims are there for its pods.
fn template(spec: &Value, at: &str, wrong: &mut Wrong) {
    let template = &spec["template"];
    let claims = spec["volumeClaimTemplates"].as_array().into_iter().flatten().filter_map(|claim| claim["metadata"]["name"].as_str());
    labels(&template["metadata"]["labels"], &format!("{at}.labels"), wrong);
    annotations(&template["metadata"]["annotations"], &format!("{at}.annotations"), wrong);
    pod::check(&template["spec"], claims, &format!("{at}.spec"), wrong);
}

fn strategy(strategy: &Value, wrong: &mut Wrong) {
    let rolling = &strategy["rollingUpdate"];
    match strategy["type"].as_str() {
        Some("Recreate") if rolling.is_object() => {
            wrong.forbidden("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'");
        }
        Some("RollingUpdate") if is_zero(&rolling["maxSurge"]) && is_zero(&rolling["maxUnavailable"]) => {
            wrong.invalid("spec.strategy.rollingUpdate.maxUnavailable", &rolling["maxUnavailable"], "may not be 0 when `maxSurge` is 0");
        }
        Some("Recreate" | "RollingUpdate") | None => {}
        Some(_) => wrong.word("spec.strategy", &strategy["type"], &["Recreate", "RollingUpdate"]),
    }
}

fn is_zero(value: &Value) -> bool {
    *value == json!(0) || *value == json!("0%") || *value == json!("0")
}

fn job(spec: &Value, at: &str, wrong: &mut Wrong) {
    for name in ["parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"] {
        wrong.count(&format!("{at}.{name}"), &spec[name]);
    }
    template(spec, &format!("{at}.template"), wrong);
    if !matches!(spec["template"]["spec"]["restartPolicy"].as_str(), Some("OnFailure" | "Never")) {
        wrong.required(format!("{at}.template.spec.restartPolicy"), "valid values: \"OnFailure\", \"Never\"");
    }
}

fn cron_job(spec: &Value, wrong: &mut Wrong) {
    let schedule = spec["schedule"].as_str().unwrap_or_default();
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    match fields.len() {
        0 => wrong.required("spec.schedule", ""),
        5 => {}
        _ if schedule.starts_with('@') => {}
        count => {
            let why = format!("expected exactly 5 fields, found {count}: [{}]", fields.join(" "));
            wrong.invalid("spec.schedule", &spec["schedule"], &why);
        }
    }
    wrong.word("spec.concurrencyPolicy", &spec["concurrencyPolicy"], &["Allow", "Forbid", "Replace"]);
    job(&spec["jobTemplate"]["spec"], "spec.jobTemplate.spec", wrong);
}
