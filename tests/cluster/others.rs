//! Other tools and people beside a run: whoever made the objects goes on without a conflict after it went back; what they do meanwhile stays.

use crate::cluster;
use crate::edits::{app, ended, started};
use crate::harness::Cluster;
use crate::stage::{Ended, Stage};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const UPGRADE: &str = "plan: app
steps:
  - id: deploy
    apply: { manifests: [app.yaml], force: true, allow-managed-by: [helm] }
  - id: healthy
    wait-healthy: { applied-by: deploy, failure-grace: 6s }
    timeout: 90s
  - id: safe
    rollback-on-fail: { guards: [deploy, healthy] }
";

fn upgrade(stage: &Stage) -> Ended {
    stage.write("plan.yaml", UPGRADE);
    stage.write("app.yaml", &app(2));
    stage.run(&["run", "plan.yaml", "--namespace", stage.namespace.name(), "--yes"])
}

#[track_caller]
fn succeeded(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// Somebody brings version 1 into service with a tool of theirs; our upgrade fails; they bring it again: nothing conflicts, nothing changes.
fn goes_on(stage: &Stage, apply: impl Fn(&Stage) -> Command) {
    stage.write("v1.yaml", &app(1));
    succeeded(&apply(stage).output().expect("the tool can be started"));
    for workload in ["deployment/web", "deployment/db"] {
        stage.namespace.wait_for_rollout(workload, Duration::from_secs(60));
    }
    let before = stage.world();
    upgrade(stage).assert_code(3);
    before.assert_same(&stage.world());
    succeeded(&apply(stage).output().expect("the tool can be started"));
    before.assert_same(&stage.world());
}

fn kubectl(stage: &Stage, how: &[&str]) -> Command {
    let mut command = stage.namespace.cluster().command("kubectl");
    command.args(["--namespace", stage.namespace.name(), "apply"]).args(how).arg("--filename").arg(stage.path("v1.yaml"));
    command
}

#[test]
fn kubectl_that_applies_on_the_client_goes_on() {
    goes_on(&Stage::bare(cluster!(), "client"), |stage| kubectl(stage, &[]));
}

#[test]
fn kubectl_that_applies_on_the_server_goes_on() {
    goes_on(&Stage::bare(cluster!(), "server"), |stage| kubectl(stage, &["--server-side"]));
}

#[test]
fn helm_goes_on() {
    let stage = Stage::bare(cluster!(), "helm");
    std::fs::create_dir_all(stage.path("chart/templates")).expect("a folder");
    stage.write("chart/Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n");
    stage.write("chart/templates/app.yaml", &app(1));
    goes_on(&stage, |stage| {
        let mut command = stage.namespace.cluster().command("helm");
        command.args(["upgrade", "--install", "shop", "chart", "--namespace", stage.namespace.name()]).current_dir(stage.folder.path());
        for folder in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(folder, stage.path("helm"));
        }
        command
    });
}

fn first(cluster: &'static Cluster, name: &str, more: &str) -> Stage {
    let stage = Stage::bare(cluster, name);
    stage.write("plan.yaml", UPGRADE);
    stage.write("app.yaml", &(app(1) + more));
    stage.run(&["run", "plan.yaml", "--namespace", stage.namespace.name(), "--yes"]).assert_code(0);
    stage
}

#[test]
fn a_path_that_another_team_adds_to_a_shared_ingress_survives() {
    let ingress = |service: &str| {
        format!(
            "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{ name: shared }}\nspec: {{ rules: [{{ host: shared.test, http: {{ paths: [{{ path: /, pathType: Prefix, backend: {{ service: {{ name: {service}, port: {{ number: 80 }} }} }} }}] }} }}] }}\n"
        )
    };
    let stage = first(cluster!(), "shared", &ingress("web"));
    stage.write("app.yaml", &(app(2) + &ingress("web-next")));
    let child = started(&stage);
    let path = r#"[{"op":"add","path":"/spec/rules/0/http/paths/-","value":{"path":"/team","pathType":"Prefix","backend":{"service":{"name":"team","port":{"number":80}}}}}]"#;
    stage.namespace.kubectl_ok(&["patch", "ingress/shared", "--type=json", "--patch", path, "--field-manager=team"]);
    ended(child).assert_code(3);
    let live = stage.namespace.get(&["ingress/shared"]);
    let told: Vec<String> = live["spec"]["rules"][0]["http"]["paths"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|path| {
            format!("{} -> {}", path["path"].as_str().unwrap_or_default(), path["backend"]["service"]["name"].as_str().unwrap_or_default())
        })
        .collect();
    assert_eq!(told, ["/ -> web", "/team -> team"]);
}

#[test]
fn a_namespace_that_somebody_moved_into_stays_with_what_is_theirs() {
    let stage = first(cluster!(), "moved", "");
    let new = format!("{}-new", stage.namespace.name());
    let more = format!(
        "---\napiVersion: v1\nkind: Namespace\nmetadata: {{ name: {new} }}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: ours, namespace: {new} }}\ndata: {{ a: b }}\n"
    );
    stage.write("app.yaml", &(app(2) + &more));
    let child = started(&stage);
    let cluster = stage.namespace.cluster();
    cluster.kubectl_ok(&["--namespace", &new, "create", "configmap", "theirs"]);
    let told = ended(child);
    let left = cluster.kubectl_ok(&["--namespace", &new, "get", "configmaps", "--output=name"]);
    cluster.kubectl_ok(&["delete", "namespace", &new, "--wait=false"]);
    told.assert_code(3).assert_says(&format!("namespace/{new} is not empty")).assert_says("theirs");
    assert!(left.contains("configmap/theirs") && !left.contains("configmap/ours"), "{left}");
}

#[test]
fn what_an_autoscaler_did_meanwhile_stays_and_is_no_conflict() {
    let stage = first(cluster!(), "scaled", "");
    let before = stage.world();
    stage.write("app.yaml", &app(2));
    let child = started(&stage);
    stage.namespace.kubectl_ok(&[
        "patch",
        "deployment/web",
        "--subresource=scale",
        "--type=merge",
        "--patch",
        "{\"spec\":{\"replicas\":3}}",
        "--field-manager=kube-controller-manager",
    ]);
    let told = ended(child);
    told.assert_code(3);
    assert!(!told.all().contains("stays"), "{}", told.all());
    let differences = before.differences(&stage.world());
    let told: Vec<&String> = differences.iter().filter(|line| !line.contains("managedFields")).collect();
    assert_eq!(told, ["Deployment/web.spec.replicas: 1 -> 3"]);
}

#[test]
fn volumes_of_a_set_that_is_taken_back_stay_unless_the_plan_says_otherwise() {
    let set = "---\napiVersion: apps/v1\nkind: StatefulSet\nmetadata: { name: store }\nspec:\n  replicas: 1\n  serviceName: store\n  selector: { matchLabels: { app: store } }\n  template: { metadata: { labels: { app: store } }, spec: { terminationGracePeriodSeconds: 0, containers: [{ name: web, image: 'web:v1', volumeMounts: [{ name: data, mountPath: /data }] }] } }\n  volumeClaimTemplates: [{ metadata: { name: data }, spec: { storageClassName: none-such, accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Mi } } } }]\n";
    let stage = first(cluster!(), "volumes", "");
    let claims = |stage: &Stage| stage.namespace.kubectl_ok(&["get", "persistentvolumeclaims", "--output=name"]);
    for (says, left) in [("", "persistentvolumeclaim/data-store-0\n"), (", undo-storage: delete", "")] {
        stage.write("plan.yaml", &UPGRADE.replace(", force: true", &format!(", force: true{says}")));
        stage.write("app.yaml", &(app(2) + set));
        let child = started(&stage);
        let begun = Instant::now();
        while claims(&stage).is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(20), "the set never got a claim");
            std::thread::sleep(Duration::from_millis(100));
        }
        let told = ended(child);
        told.assert_code(3);
        if says.is_empty() {
            told.assert_says("persistentvolumeclaim/data-store-0 stays with its data");
        }
        let begun = Instant::now();
        while claims(&stage) != left && begun.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(claims(&stage), left, "{says}");
        stage.namespace.kubectl_ok(&["delete", "persistentvolumeclaims", "--all"]);
    }
}

#[test]
fn an_admission_policy_that_changes_what_is_written_is_no_conflict() {
    let cluster = cluster!();
    let stage = Stage::bare(cluster, "mutated");
    let name = stage.namespace.name().to_owned();
    let policy = format!(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: MutatingAdmissionPolicy\nmetadata: {{ name: {name} }}\nspec:\n  failurePolicy: Fail\n  reinvocationPolicy: Never\n  matchConstraints:\n    namespaceSelector: {{ matchLabels: {{ kubernetes.io/metadata.name: {name} }} }}\n    resourceRules: [{{ apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments] }}]\n  mutations:\n  - patchType: ApplyConfiguration\n    applyConfiguration: {{ expression: 'Object{{ spec: Object.spec{{ template: Object.spec.template{{ metadata: Object.spec.template.metadata{{ annotations: {{\"injected\": \"yes\"}} }} }} }} }}' }}\n\
         ---\napiVersion: admissionregistration.k8s.io/v1\nkind: MutatingAdmissionPolicyBinding\nmetadata: {{ name: {name} }}\nspec: {{ policyName: {name} }}\n"
    );
    stage.namespace.apply(&policy);
    stage.write("probe.yaml", &app(1));
    let begun = Instant::now();
    let probe =
        || stage.namespace.kubectl_ok(&["create", "--dry-run=server", "--output=json", "-f", &stage.path("probe.yaml").to_string_lossy()]);
    while !probe().contains("injected") {
        assert!(begun.elapsed() < Duration::from_secs(30), "the policy is never in force");
        std::thread::sleep(Duration::from_millis(200));
    }
    stage.write("plan.yaml", UPGRADE);
    stage.write("app.yaml", &app(1));
    let run = || stage.run(&["run", "plan.yaml", "--namespace", &name, "--yes"]);
    run().assert_code(0);
    let before = stage.world();
    run().assert_code(0);
    before.assert_same(&stage.world());
    stage.write("app.yaml", &app(2));
    let told = run();
    cluster.kubectl_ok(&["delete", "mutatingadmissionpolicybinding,mutatingadmissionpolicy", &name]);
    told.assert_code(3);
    assert!(!told.all().contains("stays"), "{}", told.all());
    before.assert_same(&stage.world());
}

#[test]
fn a_run_that_succeeded_is_taken_back_later_and_what_others_did_since_stays() {
    let stage = Stage::bare(cluster!(), "yesterday");
    let map = |name: &str, value: &str| {
        format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: {name} }}\ndata: {{ value: {value}, other: {value} }}\n")
    };
    stage.write("plan.yaml", "plan: app\nsteps:\n  - id: deploy\n    apply: { manifests: [app.yaml] }\n");
    stage.namespace.apply(&map("one", "zero"));
    stage.namespace.apply(&map("two", "zero"));
    let force = |plan: &str| plan.replace("[app.yaml]", "[app.yaml], force: true");
    stage.edit("plan.yaml", force);
    let run = |value: &str, names: &[&str]| {
        stage.write("app.yaml", &names.iter().map(|name| map(name, value)).collect::<String>());
        stage.run(&["run", "plan.yaml", "--namespace", stage.namespace.name(), "--yes", "--output", "json"]).assert_code(0);
        let runs = stage.run(&["runs", "--output", "json"]);
        let first: serde_json::Value = runs.out.lines().next().map(|line| serde_json::from_str(line).expect("JSON")).expect("a run");
        first["run"].as_str().or_else(|| first["runs"][0]["run"].as_str()).expect("an id").to_owned()
    };
    let before = stage.world();
    let yesterday = run("one", &["one", "two", "new"]);
    stage.namespace.kubectl_ok(&["patch", "configmap/one", "--patch", "{\"data\":{\"other\":\"hotfix\"}}", "--field-manager=hotfix"]);
    stage.run(&["resume", &yesterday]).assert_code(7);
    let today = run("two", &["two"]);
    stage.run(&["rollback", &yesterday]).assert_code(7).assert_says(&today).assert_says("--partial");
    stage.run(&["rollback", &yesterday, "--partial", "--yes"]).assert_code(0).assert_says("a later run wrote it");
    let differences = before.differences(&stage.world());
    let told: Vec<&String> = differences.iter().filter(|line| !line.contains("managedFields") && !line.contains("labels")).collect();
    assert_eq!(
        told,
        [
            "ConfigMap/one.data.other: \"zero\" -> \"hotfix\"",
            "ConfigMap/two.data.other: \"zero\" -> \"two\"",
            "ConfigMap/two.data.value: \"zero\" -> \"two\""
        ]
    );
    stage.run(&["rollback", &yesterday]).assert_code(7);
    stage.run(&["runs"]).assert_code(0);
    stage.run(&["show", &yesterday]).assert_code(0);
    stage.run(&["journal", "verify"]).assert_code(0);
}
