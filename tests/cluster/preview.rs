//! A preview tells what a run would change and refuse, and changes nothing.

use crate::cluster;
use crate::stage::Stage;
use serde_json::Value;

/// Every object of the namespace with the version that the server gives it.
fn versions(stage: &Stage) -> Vec<String> {
    let list = stage.namespace.get(&["configmaps,secrets,services,deployments,ingresses,statefulsets,leases"]);
    let told = |item: &Value| format!("{} {} {}", item["kind"], item["metadata"]["name"], item["metadata"]["generation"]);
    let mut versions: Vec<String> = list["items"].as_array().into_iter().flatten().map(told).collect();
    versions.sort();
    versions
}

#[test]
fn it_tells_every_change_and_makes_none() {
    let cluster = cluster!();
    let stage = Stage::with_database(cluster, "preview");
    let (before, (_, position)) = (versions(&stage), cluster.audit_since(0));
    let told = stage.run(&["preview", "blue-green.yaml", "-e", "test", "--set", "version=v2", "--exit-code"]);
    told.assert_code(6).assert_says("create apps/Deployment/").assert_says("containers[web].image: web:v2");
    told.assert_says("`web-blue` is live").assert_says("+ traffic goes to service/web-green").assert_says("known after deploy");
    assert_eq!(versions(&stage), before);
    let (entries, _) = cluster.audit_since(position);
    let ours = entries.iter().filter(|entry| {
        entry["userAgent"].as_str().is_some_and(|agent| agent.contains("bowline"))
            && entry["objectRef"]["namespace"] == stage.namespace.name()
    });
    let (mut seen, mut written) = (0, Vec::new());
    for entry in ours {
        seen += 1;
        let uri = entry["requestURI"].as_str().unwrap_or_default();
        let harmless = ["get", "list", "watch"].contains(&entry["verb"].as_str().unwrap_or_default()) || uri.contains("dryRun=All");
        if !harmless {
            written.push(format!("{} {uri}", entry["verb"]));
        }
    }
    assert!(seen > 3, "the audit log shows only {seen} requests");
    assert_eq!(written, Vec::<String>::new());
    assert!(!stage.path("state").join("journal.db").exists(), "a preview opens no run");
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
