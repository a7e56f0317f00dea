//! Secrets planted wherever a run can meet them: none of them is told, journaled, exported or kept as evidence, in whatever form.

use crate::cluster;
use crate::stage::{Ended, Stage};
use std::fs;

/// Awkward on purpose: quotes, a slash, an ampersand, a space.
const FROM_ENVIRONMENT: &str = "env\"s3cret/&one two";
const FROM_FILE: &str = "file-s3cret-three'four";
const FROM_CLUSTER: &str = "cluster-s3cret+five";
const APPLIED_BEFORE: &str = "before-s3cret-six";
const APPLIED: &str = "applied-s3cret-seven";

const PLAN: &str = "plan: quiet
secrets:
  environment: { env: PLANTED }
  file: { file: planted.txt }
  cluster: { kubernetes: { secret: planted, key: token } }
steps:
  - id: talk
    shell: { run: 'echo \"$A $B $C\"; echo \"$A\" | base64 >&2; printf %s \"$C\" | base64', secrets: { A: environment, B: file, C: cluster } }
    undo: { none: it only talks }
  - id: ask
    smoke-test: { base: 'http://127.0.0.1:1', probes: [{ http: { path: /, bearer: environment } }] }
    continue-on-error: true
  - id: deploy
    needs: [talk]
    apply: { manifests: [app.yaml], force: true }
  - id: healthy
    needs: [deploy]
    wait-healthy: { applied-by: deploy, stable-for: 3s, failure-grace: 4s }
";

fn forms(secret: &str) -> Vec<String> {
    let base64 = data_encoding::BASE64.encode(secret.as_bytes());
    let json = serde_json::Value::from(secret).to_string();
    let url: String =
        secret
            .bytes()
            .map(|byte| {
                if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
            })
            .collect();
    vec![secret.to_owned(), base64, json.trim_matches('"').to_owned(), url]
}

#[track_caller]
fn assert_quiet(place: &str, bytes: &[u8]) {
    for secret in [FROM_ENVIRONMENT, FROM_FILE, FROM_CLUSTER, APPLIED_BEFORE, APPLIED] {
        for form in forms(secret) {
            let told = bytes.windows(form.len()).any(|window| window == form.as_bytes());
            // Without the text around it: that would be one more place where it stands.
            assert!(!told, "{place} holds the secret that begins with `{}`", &secret[..6]);
        }
    }
}

#[test]
fn no_secret_is_told_or_kept_in_clear() {
    let stage = Stage::bare(cluster!(), "secrets");
    let secret = |name: &str, key: &str, value: &str| {
        format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{ name: {name} }}\nstringData: {{ {key}: \"{value}\" }}\n")
    };
    // Applied on the client: the annotation holds it once more.
    stage.namespace.apply(&secret("planted", "token", FROM_CLUSTER));
    stage.namespace.apply(&secret("changed", "password", APPLIED_BEFORE));
    stage.write("planted.txt", FROM_FILE);
    let pod = "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: { name: loud }\nspec: { replicas: 1, selector: { matchLabels: { app: loud } }, template: { metadata: { labels: { app: loud } }, spec: { terminationGracePeriodSeconds: 0, containers: [{ name: main, image: 'busybox:1', imagePullPolicy: Never, \
               command: [sh, -c, 'echo password is $PASSWORD and $TOKEN; exit 1'], env: [{ name: PASSWORD, valueFrom: { secretKeyRef: { name: changed, key: password } } }, { name: TOKEN, valueFrom: { secretKeyRef: { name: planted, key: token } } }] }] } } }\n";
    stage.write("plan.yaml", PLAN);
    stage.write("app.yaml", &[&secret("changed", "password", APPLIED), pod].concat());
    let quiet = |arguments: &[&str]| {
        let output = stage.bowline(arguments).env("PLANTED", FROM_ENVIRONMENT).output().expect("bowline can be started");
        assert_quiet(&arguments.join(" "), &[output.stdout.clone(), output.stderr.clone()].concat());
        Ended::from(output)
    };
    let namespace = stage.namespace.name();
    quiet(&["preview", "plan.yaml", "--namespace", namespace]).assert_code(0).assert_says("secret");
    quiet(&["run", "plan.yaml", "--namespace", namespace, "--yes", "-vv"]).assert_code(3).assert_says("[secret]");
    quiet(&["show"]).assert_code(0);
    let evidence = quiet(&["show", "--evidence", "healthy"]);
    evidence.assert_code(0).assert_says("password is [secret] and [secret]");
    quiet(&["show", "--output", "json"]).assert_code(0);
    quiet(&["journal", "export"]).assert_code(0);
    quiet(&["run", "plan.yaml", "--namespace", namespace, "--yes", "--output", "json"]).assert_code(3);
    for entry in fs::read_dir(stage.path("state")).expect("the state folder").flatten().filter(|entry| entry.path().is_file()) {
        assert_quiet(&entry.path().display().to_string(), &fs::read(entry.path()).expect("a file of the state folder"));
    }
}
