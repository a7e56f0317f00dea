//! The conformance kit over every action that writes to a cluster: performed and compensated twice, broken off everywhere.
//!
//! The kit calls the actions in its own process, which must stand in the cluster's network: the test starts itself again there.

use crate::cluster;
use bowline::action::conformance::{Stage, World, faults};
use bowline::action::{DynAction, Frozen, RunScope};
use bowline::actions::{Places, registry};
use bowline::ids::{PlanName, RunId};
use bowline::ports::{Kubeconfig, Ports};
use futures::future::{BoxFuture, FutureExt};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Set in the process that stands in the cluster's network: the prefix of its namespaces.
const INSIDE: &str = "BOWLINE_CONFORMANCE_INSIDE";

/// Tries only the kits whose names hold this: for whoever works on one action.
const ONLY: &str = "BOWLINE_CONFORMANCE_ONLY";

static COUNT: AtomicU32 = AtomicU32::new(0);

/// One use of an action, and what is there before.
struct Kit {
    action: Arc<dyn DynAction>,
    params: Value,
    before: &'static str,
    ready: &'static [&'static str],
}

struct Place {
    namespace: String,
    action: Arc<dyn DynAction>,
    params: Value,
}

fn kubectl(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("kubectl").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("kubectl");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("kubectl reads");
    let output = child.wait_with_output().expect("kubectl");
    assert!(output.status.success(), "kubectl {arguments:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// An object without what servers and controllers own.
fn stripped(mut object: Value) -> String {
    for (at, names) in [
        ("/metadata", &["resourceVersion", "generation", "uid", "creationTimestamp"][..]),
        ("/spec", &["clusterIP", "clusterIPs"]),
        ("", &["status"]),
    ] {
        if let Some(map) = object.pointer_mut(at).and_then(Value::as_object_mut) {
            names.iter().for_each(|name| drop(map.remove(*name)));
        }
    }
    // The rest of a Job names its uid.
    if object["kind"] == "Job" {
        return format!("job {}", object["metadata"]["name"]);
    }
    if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove("deployment.kubernetes.io/revision");
    }
    if let Some(entries) = object.pointer_mut("/metadata/managedFields").and_then(Value::as_array_mut) {
        entries.retain(|entry| entry["subresource"] != "status" && entry["manager"] != "kube-controller-manager");
        entries.iter_mut().filter_map(Value::as_object_mut).for_each(|entry| drop(entry.remove("time")));
        entries.sort_by_key(Value::to_string);
    }
    object.to_string()
}

impl World for Place {
    fn action(&self) -> Arc<dyn DynAction> {
        Arc::clone(&self.action)
    }

    fn params(&self) -> Value {
        self.params.clone()
    }

    fn scope(&self) -> RunScope {
        let (run, plan) = (RunId::new("run").expect("valid"), PlanName::new("kit").expect("valid"));
        RunScope { run, plan, environment: None, namespace: Some(self.namespace.clone()), context: None }
    }

    fn frozen(&self) -> Frozen {
        Frozen(Arc::new(BTreeMap::from([("next.yaml".to_owned(), Arc::from(NEXT.as_bytes()))])))
    }

    fn fingerprint(&self) -> BoxFuture<'_, String> {
        let text =
            kubectl(&["get", "deploy,sts,svc,cm,secret,ingress,job", "-n", &self.namespace, "-o", "json", "--show-managed-fields"], "");
        let list: Value = serde_json::from_str(&text).expect("kubectl prints JSON");
        let objects = list["items"].as_array().cloned().unwrap_or_default().into_iter();
        let mut all: Vec<String> = objects.filter(|object| object["metadata"]["name"] != "kube-root-ca.crt").map(stripped).collect();
        all.sort();
        futures::future::ready(all.join("\n").replace(&self.namespace, "NAMESPACE")).boxed()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // One node runs so many pods and no more.
        kubectl(&["delete", "namespace", &self.namespace, "--wait=false"], "");
    }
}

impl Stage for Kit {
    type World = Place;

    fn fresh(&self) -> BoxFuture<'_, Place> {
        let prefix = std::env::var(INSIDE).expect("set by the outer test");
        let namespace = format!("{prefix}-{}", COUNT.fetch_add(1, Ordering::SeqCst));
        kubectl(&["create", "namespace", &namespace], "");
        kubectl(&["apply", "--server-side", "--field-manager=bowline:kit", "-n", &namespace, "-f", "-"], self.before);
        for workload in self.ready {
            kubectl(&["rollout", "status", workload, "-n", &namespace, "--timeout=60s"], "");
        }
        futures::future::ready(Place { namespace, action: Arc::clone(&self.action), params: self.params.clone() }).boxed()
    }
}

fn ports() -> Ports {
    Ports::system(Kubeconfig::default())
}

fn kits() -> Vec<(&'static str, Kit)> {
    let actions = registry(&ports(), &Places { backups: std::env::temp_dir() });
    let kit =
        |kind: &str, params: Value, before, ready| Kit { action: Arc::clone(actions.get(kind).expect("a kind")), params, before, ready };
    let (web, sides) = (&["deploy/web"][..], &["deploy/blue", "deploy/green"][..]);
    let ingress = json!({ "ingress": "api", "to": "green", "drain": "0s" });
    let service = json!({ "service": "blue", "selector": { "app": "green" }, "drain": "0s" });
    let adds = json!([{ "op": "test", "path": "/data/a", "value": "1" }, { "op": "add", "path": "/data/c", "value": "3" }]);
    let merge = json!({ "spec": { "replicas": 2, "template": { "metadata": { "labels": { "x": "2" } } } } });
    vec![
        ("apply", kit("apply", json!({ "manifests": ["next.yaml"] }), BASE, web)),
        ("scale", kit("scale", json!({ "deployment": "web", "replicas": 2 }), BASE, web)),
        ("switch-ingress of an Ingress", kit("switch-ingress", ingress, TRAFFIC, sides)),
        ("switch-ingress of a Service", kit("switch-ingress", service, TRAFFIC, sides)),
        (
            "delete",
            kit("delete", json!({ "objects": ["deployment/web"], "kind": "config-map", "selector": "bowline/plan=kit" }), BASE, web),
        ),
        (
            "delete of traffic",
            kit("delete", json!({ "objects": ["service/blue", "ingress/api", "pod/none"], "ignore-missing": true }), TRAFFIC, &[]),
        ),
        ("delete by manifests", kit("delete", json!({ "manifests": ["next.yaml"], "ignore-missing": true }), BASE, web)),
        ("patch", kit("patch", json!({ "object": "configmap/conf", "json": adds }), BASE, &[])),
        ("patch by merge", kit("patch", json!({ "object": "deployment/web", "merge": merge }), BASE, web)),
        ("wait-for", kit("wait-for", json!({ "object": "deployment/web", "until": "object.status.readyReplicas == 1" }), BASE, web)),
        ("job", kit("job", json!({ "image": "busybox:1", "command": "echo hello" }), BASE, &[])),
        ("job that looks", kit("job", json!({ "image": "busybox:1", "command": ["true"], "read-only": true, "keep": false }), BASE, &[])),
        ("exec", kit("exec", json!({ "pod": "deployment/box", "run": "echo did >> /tmp/log" }), BOX, &["deploy/box"])),
        (
            "exec with a check",
            kit(
                "exec",
                json!({ "pod": "selector/app=box", "run": "echo did >> /tmp/log", "check": ["test", "-f", "/tmp/log"] }),
                BOX,
                &["deploy/box"],
            ),
        ),
        ("detect-colour", kit("detect-colour", json!({ "ingress": "api", "blue": "blue", "green": "green" }), TRAFFIC, &[])),
        ("wait-healthy", kit("wait-healthy", json!({ "deployment": "web" }), BASE, web)),
    ]
}

#[test]
fn every_action_keeps_the_seams_promises() {
    let cluster = cluster!();
    let prefix = format!("kit-{}", std::process::id());
    let mut command = cluster.command(std::env::current_exe().expect("this test's program"));
    let output =
        command.args(["conformance::inside", "--exact", "--nocapture"]).env(INSIDE, &prefix).output().expect("the test starts itself");
    let names = cluster.kubectl_ok(&["get", "namespaces", "-o", "name"]);
    for name in names.lines().filter(|name| name.starts_with(&format!("namespace/{prefix}-"))) {
        // It may have been on its way out, and be gone by now.
        cluster.kubectl_ok(&["delete", name, "--wait=false", "--ignore-not-found"]);
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
}

/// Does nothing unless [`every_action_keeps_the_seams_promises`] started it.
#[test]
fn inside() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let mut found = Vec::new();
    let only = std::env::var(ONLY).unwrap_or_default();
    for (name, kit) in kits().into_iter().filter(|(name, _)| name.contains(&only)) {
        found.extend(runtime.block_on(faults(&kit)).into_iter().map(|fault| format!("{name}: {fault}")));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(!only.is_empty() || COUNT.load(Ordering::SeqCst) > 10, "the kit did hardly anything");
}

const BASE: &str = r"
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, labels: { bowline/plan: kit } }
spec: { replicas: 1, selector: { matchLabels: { app: web } }, template: { metadata: { labels: { app: web } }, spec: { terminationGracePeriodSeconds: 0, containers: [{ name: c, image: 'pause:1', imagePullPolicy: Never }] } } }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: conf, labels: { bowline/plan: kit } }
data: { a: '1', b: '1' }
";

const BOX: &str = r"
apiVersion: apps/v1
kind: Deployment
metadata: { name: box }
spec: { replicas: 1, selector: { matchLabels: { app: box } }, template: { metadata: { labels: { app: box } }, spec: { terminationGracePeriodSeconds: 0, containers: [{ name: c, image: 'busybox:1', imagePullPolicy: Never, command: ['sleep', '3600'] }] } } }
";

const NEXT: &str = r"
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec: { replicas: 1, selector: { matchLabels: { app: web } }, template: { metadata: { labels: { app: web } }, spec: { terminationGracePeriodSeconds: 0, containers: [{ name: c, image: 'pause:1', imagePullPolicy: Never, env: [{name: X, value: '2'}] }] } } }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: conf }
data: { a: '2', c: '3' }
---
apiVersion: v1
kind: Service
metadata: { name: new }
spec: { selector: { app: web }, ports: [{ port: 80 }] }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: new }
spec: { rules: [{ host: a.b, http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: new, port: { number: 80 } } } }] } }] }
";

const TRAFFIC: &str = r"
apiVersion: apps/v1
kind: Deployment
metadata: { name: blue }
spec: { replicas: 1, selector: { matchLabels: { app: blue } }, template: { metadata: { labels: { app: blue } }, spec: { terminationGracePeriodSeconds: 0, containers: [{ name: c, image: 'pause:1', imagePullPolicy: Never }] } } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: green }
spec: { replicas: 1, selector: { matchLabels: { app: green } }, template: { metadata: { labels: { app: green } }, spec: { terminationGracePeriodSeconds: 0, containers: [{ name: c, image: 'pause:1', imagePullPolicy: Never }] } } }
---
apiVersion: v1
kind: Service
metadata: { name: blue }
spec: { selector: { app: blue }, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: green }
spec: { selector: { app: green }, ports: [{ port: 80 }] }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: api }
spec: { rules: [{ host: a.b, http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: blue, port: { number: 80 } } } }] } }] }
";
