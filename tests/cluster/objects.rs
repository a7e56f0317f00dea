//! What `apply` finds out before its first write, on a real server: missing rights, other tools' objects, fields that cannot change,
//! quotas, admission. Nothing is written then, or all of it is taken back.

use crate::cluster;
use crate::stage::Stage;
use serde_json::Value;

/// A plan that applies `objects.yaml`.
const PLAN: &str = "plan: objects\nsteps:\n  - id: objects\n    apply: { manifests: [objects.yaml] }\n";

fn config_map(name: &str, value: &str) -> String {
    format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{ name: {name} }}\ndata: {{ value: '{value}' }}\n")
}

fn staged(cluster: &'static crate::harness::Cluster, name: &str) -> Stage {
    let stage = Stage::bare(cluster, name);
    stage.write("plan.yaml", PLAN);
    stage
}

fn arguments<'a>(command: &'a str, namespace: &'a str) -> Vec<&'a str> {
    let mut all = vec![command, "plan.yaml", "--namespace", namespace];
    all.extend((command == "run").then_some("--yes"));
    all
}

impl Stage {
    fn does(&self, command: &str) -> crate::stage::Ended {
        self.run(&arguments(command, self.namespace.name()))
    }

    /// The writes of bowline in this namespace since then.
    fn writes(&self, since: usize) -> Vec<String> {
        self.requests(since, |verb, uri| {
            !["get", "list", "watch"].contains(&verb)
                && !uri.contains("dryRun=All")
                && !uri.contains("/leases")
                && !uri.contains("/authorization.k8s.io/")
        })
    }

    fn requests(&self, since: usize, is_meant: impl Fn(&str, &str) -> bool) -> Vec<String> {
        let (entries, _) = self.namespace.cluster().audit_since(since);
        let ours = entries.iter().filter(|entry| {
            let named = entry["objectRef"]["namespace"] == self.namespace.name()
                || entry["requestURI"].as_str().is_some_and(|uri| uri.contains("/authorization.k8s.io/"));
            named && entry["userAgent"].as_str().is_some_and(|agent| agent.starts_with("bowline"))
        });
        let told = |entry: &Value| {
            let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            (text("verb"), text("requestURI"))
        };
        ours.map(told).filter(|(verb, uri)| is_meant(verb, uri)).map(|(verb, uri)| format!("{verb} {uri}")).collect()
    }
}

#[test]
fn rights_that_only_the_undo_needs_are_missed_before_the_first_write() {
    let cluster = cluster!();
    let stage = staged(cluster, "rights");
    stage.write("objects.yaml", &config_map("one", "1"));
    stage.namespace.apply(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: { name: half }\nrules:\n- { apiGroups: [''], resources: [configmaps], verbs: [get, list, watch, create, patch] }\n- { apiGroups: [coordination.k8s.io], resources: [leases], verbs: [get, create, update] }\n\
         ---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: { name: half }\nroleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: half }\nsubjects: [{ kind: User, name: dev, apiGroup: rbac.authorization.k8s.io }]\n",
    );
    let (_, since) = cluster.audit_since(0);
    let dev = |command: &str| stage.run(&[&arguments(command, stage.namespace.name())[..], &["--context", "dev"]].concat());
    for command in ["preview", "run"] {
        dev(command)
            .assert_code(7)
            .assert_says("may not delete configmaps `one` in namespace")
            .assert_says("needed to take the change back");
    }
    assert_eq!(stage.writes(since), Vec::<String>::new());
    stage.namespace.kubectl_ok(&[
        "patch",
        "role",
        "half",
        "--type=json",
        "-p",
        r#"[{"op":"add","path":"/rules/0/verbs/-","value":"delete"}]"#,
    ]);
    dev("run").assert_code(0);
}

#[test]
fn what_another_tool_keeps_is_refused_until_the_plan_allows_it() {
    let cluster = cluster!();
    let stage = staged(cluster, "kept");
    stage.write("objects.yaml", &[config_map("one", "1"), config_map("two", "2")].concat());
    stage.namespace.apply(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: two, labels: { app.kubernetes.io/managed-by: Helm }, annotations: { meta.helm.sh/release-name: shop } }\ndata: { other: x }\n",
    );
    let before = stage.world();
    stage.does("preview").assert_code(7).assert_says("configmap/two is kept by the Helm release `shop`");
    stage.does("run").assert_code(3).assert_says("allow-managed-by: [helm]");
    before.assert_same(&stage.world());
    stage.write("plan.yaml", &PLAN.replace("[objects.yaml]", "[objects.yaml], allow-managed-by: [helm]"));
    stage.does("run").assert_code(0);
}

#[test]
fn an_unchanged_set_takes_a_few_reads_and_one_change_one_write() {
    let cluster = cluster!();
    let stage = staged(cluster, "quick");
    let all = |changed: &str| (0..40).map(|n| config_map(&format!("c{n}"), if n == 7 { changed } else { "a" })).collect::<String>();
    stage.write("objects.yaml", &all("a"));
    stage.does("run").assert_code(0);
    let (_, since) = cluster.audit_since(0);
    stage.does("run").assert_code(0);
    let requests = stage.requests(since, |_, uri| !uri.contains("/authorization.k8s.io/"));
    assert!(requests.len() <= 8, "{} requests: {requests:#?}", requests.len());
    stage.write("objects.yaml", &all("b"));
    let (_, since) = cluster.audit_since(0);
    stage.does("run").assert_code(0);
    let requests = stage.requests(since, |_, uri| uri.contains("/configmaps"));
    let patches: Vec<&String> = requests.iter().filter(|request| request.starts_with("patch") && !request.contains("/leases/")).collect();
    assert_eq!(patches.len(), 2, "a dry run and a write: {patches:#?}");
    assert!(requests.len() <= 20, "{} requests: {requests:#?}", requests.len());
}

#[test]
fn fields_that_cannot_change_are_all_told_before_the_first_write() {
    let cluster = cluster!();
    let stage = staged(cluster, "immutable");
    let objects = "
apiVersion: v1
kind: ConfigMap
metadata: { name: first }
data: { value: OLD }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec: { replicas: 0, selector: { matchLabels: { app: OLD } }, template: { metadata: { labels: { app: OLD } }, spec: { containers: [{ name: web, image: 'web:v1' }] } } }
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: set }
spec:
  replicas: 0
  serviceName: OLD
  selector: { matchLabels: { app: set } }
  template: { metadata: { labels: { app: set } }, spec: { containers: [{ name: web, image: 'web:v1' }] } }
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: every }
spec:
  selector: { matchLabels: { app: OLD } }
  template: { metadata: { labels: { app: OLD } }, spec: { nodeSelector: { none: such }, containers: [{ name: web, image: 'web:v1' }] } }
---
apiVersion: batch/v1
kind: Job
metadata: { name: work }
spec: { suspend: true, template: { spec: { restartPolicy: Never, containers: [{ name: web, image: 'web:OLD' }] } } }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: fixed }
immutable: true
data: { value: OLD }
---
apiVersion: v1
kind: Secret
metadata: { name: typed }
type: example.com/OLD
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: claim }
spec: { storageClassName: OLD, accessModes: [ReadWriteOnce], resources: { requests: { storage: 1Gi } } }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: binding }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: OLD }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: last }
spec: { ingressClassName: OLD, defaultBackend: { service: { name: web, port: { number: 80 } } } }
"
    .replace("OLD", "old");
    stage.write("objects.yaml", &objects);
    stage.does("run").assert_code(0);
    let before = stage.world();
    stage.write("objects.yaml", &objects.replace("old", "new"));
    let (_, since) = cluster.audit_since(0);
    let kinds = [
        "deployment/web",
        "statefulset/set",
        "daemonset/every",
        "job/work",
        "configmap/fixed",
        "secret/typed",
        "persistentvolumeclaim/claim",
        "rolebinding/binding",
    ];
    for (command, code) in [("preview", 7), ("run", 3)] {
        let told = stage.does(command);
        told.assert_code(code);
        for kind in kinds {
            told.assert_says(kind);
        }
    }
    assert_eq!(stage.writes(since), Vec::<String>::new());
    before.assert_same(&stage.world());
}

#[test]
fn what_only_the_write_itself_can_refuse_is_taken_back() {
    let cluster = cluster!();
    let stage = staged(cluster, "quota");
    let all = (0..10).map(|n| config_map(&format!("c{n}"), "a")).collect::<String>();
    stage.write("objects.yaml", &all);
    stage.namespace.apply("apiVersion: v1\nkind: ResourceQuota\nmetadata: { name: few }\nspec: { hard: { count/configmaps: '6' } }\n");
    stage.namespace.wait(&["resourcequota/few", "--for=jsonpath={.status.hard.count/configmaps}=6"], std::time::Duration::from_secs(20));
    let before = stage.world();
    stage.does("run").assert_code(3).assert_says("exceeded quota");
    before.assert_same(&stage.world());
}

#[test]
fn admission_that_refuses_one_of_ten_refuses_all_before_the_first_write() {
    let cluster = cluster!();
    let stage = staged(cluster, "admission");
    let namespace = stage.namespace.name().to_owned();
    let policy = format!(
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata: {{ name: {namespace} }}\nspec:\n  failurePolicy: Fail\n  matchConstraints:\n    namespaceSelector: {{ matchLabels: {{ kubernetes.io/metadata.name: {namespace} }} }}\n    resourceRules: [{{ apiGroups: [''], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [configmaps] }}]\n  validations: [{{ expression: \"!has(object.data) || object.data.value != 'seven'\", message: 'no sevens here' }}]\n\
         ---\napiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata: {{ name: {namespace} }}\nspec: {{ policyName: {namespace}, validationActions: [Deny] }}\n"
    );
    stage.namespace.apply(&policy);
    let all = (0..10).map(|n| config_map(&format!("c{n}"), if n == 7 { "seven" } else { "a" })).collect::<String>();
    stage.write("objects.yaml", &all);
    // A policy is in force a moment after it was stored.
    let probe = "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"probe\"},\"data\":{\"value\":\"seven\"}}";
    stage.write("probe.json", probe);
    let started = std::time::Instant::now();
    while stage.namespace.kubectl(&["create", "--dry-run=server", "-f", &stage.path("probe.json").to_string_lossy()]).status.success() {
        assert!(started.elapsed().as_secs() < 30, "the policy is never in force");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    let (before, (_, since)) = (stage.world(), cluster.audit_since(0));
    let told = stage.does("run");
    cluster.kubectl_ok(&["delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", &namespace]);
    told.assert_code(3).assert_says("configmap/c7").assert_says("no sevens here");
    assert_eq!(stage.writes(since), Vec::<String>::new());
    before.assert_same(&stage.world());
}
