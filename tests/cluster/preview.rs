//! A preview tells what a run would change and refuse, and changes nothing.

use crate::cluster;
use crate::stage::{Ended, Stage};
use serde_json::Value;

/// Every object of the namespace with the version that the server gives it.
fn versions(stage: &Stage) -> Vec<String> {
    let list = stage.namespace.get(&["configmaps,secrets,services,deployments,ingresses,statefulsets,persistentvolumeclaims,jobs,leases"]);
    let told = |item: &Value| format!("{} {} {}", item["kind"], item["metadata"]["name"], item["metadata"]["resourceVersion"]);
    let mut versions: Vec<String> = list["items"].as_array().into_iter().flatten().map(told).collect();
    versions.sort();
    versions
}

/// Previews, and holds that nothing was changed: every request of ours only looks, no object has a new version, no Lease and no run is left.
pub fn previewed(stage: &Stage, arguments: &[&str]) -> Ended {
    let cluster = stage.namespace.cluster();
    let (before, (_, position)) = (versions(stage), cluster.audit_since(0));
    let told = stage.run(&[&["preview"], arguments].concat());
    assert_eq!(versions(stage), before);
    let (entries, _) = cluster.audit_since(position);
    let is_ours = |entry: &&Value| {
        let by_us = entry["userAgent"].as_str().is_some_and(|agent| agent.contains("bowline"));
        by_us && entry["objectRef"]["namespace"] == stage.namespace.name()
    };
    let is_harmless = |entry: &Value| {
        let uri = entry["requestURI"].as_str().unwrap_or_default();
        let verb = entry["verb"].as_str().unwrap_or_default();
        ["get", "list", "watch"].contains(&verb) || uri.contains("dryRun=All") || uri.starts_with("/apis/authorization.k8s.io/")
    };
    let ours: Vec<&Value> = entries.iter().filter(is_ours).collect();
    assert!(ours.len() > 3, "the audit log shows only {} requests", ours.len());
    let written: Vec<String> =
        ours.iter().filter(|entry| !is_harmless(entry)).map(|entry| format!("{} {}", entry["verb"], entry["requestURI"])).collect();
    assert_eq!(written, Vec::<String>::new());
    assert!(!stage.path("state").join("journal.db").exists(), "a preview opens no run");
    told
}

#[test]
fn it_tells_every_change_and_makes_none() {
    let stage = Stage::with_database(cluster!(), "preview");
    let told = previewed(&stage, &["blue-green.yaml", "-e", "test", "--set", "version=v2", "--exit-code"]);
    told.assert_code(6).assert_says("create apps/Deployment/").assert_says("containers[web].image: web:v2");
    told.assert_says("`web-blue` is live").assert_says("+ traffic goes to service/web-green").assert_says("known after deploy");
}

#[test]
fn what_the_server_will_refuse_is_known_before_anything_is_written() {
    let cluster = cluster!();
    let stage = Stage::without_database(cluster, "refused");
    stage.deploy("v2").assert_code(0);
    // The selector of a Deployment cannot be changed. Both objects of the step are the live side's by now.
    stage.replace("manifests/app.yaml", "abels: { app: '{{ app }}'", "abels: { tier: front, app: '{{ app }}'");
    let (before, arguments) = (stage.world(), ["blue-green.yaml", "-e", "test", "--set", "version=v3"]);
    let preview = stage.run(&[&["preview"][..], &arguments].concat());
    preview.assert_code(7).assert_says("field is immutable");
    let run = stage.run(&[&["run"][..], &arguments, &["--yes"]].concat());
    run.assert_code(3).assert_says("field is immutable");
    before.assert_same(&stage.world());
}
