//! What goes wrong on a real cluster goes wrong in a simulated one.

use crate::bench::Bench;

const DEPLOYMENT: &str = "
apiVersion: v1
kind: ConfigMap
metadata: { name: web }
data: { COLOUR: old }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 1
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      serviceAccountName: default
      containers:
        - name: web
          image: web:v1
          ports: [{ containerPort: 8080 }]
          env: [{ name: COLOUR, valueFrom: { configMapKeyRef: { name: web, key: COLOUR } } }]
";

const PLAN: &str = "
plan: faithful
environments: { test: { namespace: shop } }
simulate:
  cluster: [world.yaml]
  images: { 'web:*': { http: [{ text: '{{ env.COLOUR }}' }] } }
steps:
  - id: deploy
    apply: { manifests: [web.yaml] }
  - id: healthy
    timeout: 20s
    wait-healthy: { applied-by: deploy }
  - id: repaint
    patch: { object: configmap/web, merge: { data: { COLOUR: new } } }
  - id: check
    smoke-test: { through: deployment/web, probes: [{ http: { path: /, expect: { body-contains: COLOURS } } }] }
";

fn run(manifest: &str, expected: &str) -> crate::bench::Ended {
    let bench = Bench::with(&PLAN.replace("COLOURS", expected));
    bench.write("web.yaml", manifest);
    bench.write("world.yaml", "{ apiVersion: v1, kind: Namespace, metadata: { name: shop } }");
    bench.run(&["run", "plan.yaml", "--simulate", "-e", "test", "--yes"])
}

#[test]
fn a_pod_keeps_what_it_read_at_its_start() {
    run(DEPLOYMENT, "old").assert_code(0);
    run(DEPLOYMENT, "new").assert_code(3).assert_says("check");
}

#[test]
fn a_slip_in_what_a_pod_needs_is_found() {
    for (right, wrong, told) in [
        ("serviceAccountName: default", "serviceAccountName: typo-sa", "serviceaccount \"typo-sa\" not found"),
        ("key: COLOUR", "key: COLOR", "couldn't find key COLOR in ConfigMap shop/web"),
        (
            "      containers:",
            "      volumes: [{ name: data, persistentVolumeClaim: { claimName: typo } }]\n      containers:",
            "persistentvolumeclaim \"typo\" not found",
        ),
    ] {
        run(&DEPLOYMENT.replace(right, wrong), "old").assert_code(3).assert_says(told);
    }
}
