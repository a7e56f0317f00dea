//! Traffic that comes through an HTTPRoute of the Gateway API: there and back under load, and taken back when a later step fails.

use crate::cluster;
use crate::harness::{Cluster, Load};
use crate::stage::{Ended, Stage};
use serde_json::{Value, json};
use std::time::Duration;

const ROUTE: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: { name: gateway }
spec: { gatewayClassName: traefik, listeners: [{ name: web, port: 8000, protocol: HTTP }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: api }
spec:
  parentRefs: [{ name: gateway }]
  hostnames: [HOST]
  rules: [{ backendRefs: [{ name: web-blue, port: 80 }] }]
---
apiVersion: v1
kind: Service
metadata: { name: web-green }
spec: { selector: { app: web, colour: blue }, ports: [{ name: http, port: 80, targetPort: http }] }
";

const PLAN: &str = "plan: routes
inputs: { code: { type: integer, default: 0 } }
environments: { test: { namespace: NAMESPACE } }
steps:
  - id: colours
    detect-colour: { route: api, blue: web-blue, green: web-green }
  - id: switch
    switch-ingress:
      route: api
      to: '{{ steps.colours.idle-name }}'
      verify: { url: 'http://127.0.0.1:8000/health', host: HOST }
  - id: last
    shell: { run: 'exit {{ inputs.code }}', read-only: true }
    retry: { attempts: 1 }
";

fn stage(cluster: &'static Cluster, name: &str) -> (Stage, String) {
    let stage = Stage::new(cluster, name);
    let host = format!("route-{}", stage.host);
    stage.namespace.apply(&ROUTE.replace("HOST", &host));
    stage.write("routes.yaml", &PLAN.replace("NAMESPACE", stage.namespace.name()).replace("HOST", &host));
    cluster.wait_for_route(&host, "/health", Duration::from_secs(30));
    (stage, host)
}

fn run(stage: &Stage, code: i32) -> Ended {
    stage.run(&["run", "routes.yaml", "-e", "test", "--set", &format!("code={code}"), "--yes"])
}

fn weights(stage: &Stage) -> Vec<Value> {
    let route = stage.namespace.get(&["httproute", "api"]);
    let refs = route["spec"]["rules"][0]["backendRefs"].as_array().expect("a rule with backends").clone();
    refs.iter().map(|backend| json!([backend["name"], backend["weight"]])).collect()
}

#[test]
fn weights_go_there_and_back_under_load_and_a_later_failure_takes_them_back() {
    let cluster = cluster!();
    let (stage, host) = stage(cluster, "routes");
    let before = stage.namespace.get(&["httproute", "api", "--show-managed-fields"]);
    let load = Load::start(cluster, &host, "/health");

    // The new side is no backend yet; it is none again when a later step has failed.
    run(&stage, 1).assert_code(3).assert_says("everything is as it was");
    let after = stage.namespace.get(&["httproute", "api", "--show-managed-fields"]);
    assert_eq!(after["spec"], before["spec"]);

    run(&stage, 0).assert_code(0);
    assert_eq!(weights(&stage), [json!(["web-blue", 0]), json!(["web-green", 100])]);
    run(&stage, 0).assert_code(0);
    assert_eq!(weights(&stage), [json!(["web-blue", 100]), json!(["web-green", 0])]);
    load.stop().assert_no_failure();
}

#[test]
fn a_route_that_no_gateway_can_resolve_is_not_switched() {
    let cluster = cluster!();
    let (stage, _) = stage(cluster, "routes-bad");
    let bad = r#"[{"op":"add","path":"/spec/rules/0/backendRefs/-","value":{"name":"nobody","port":80,"weight":0}}]"#;
    stage.namespace.kubectl_ok(&["patch", "httproute", "api", "--type=json", "--patch", bad]);
    stage.run(&["preview", "routes.yaml", "-e", "test"]).assert_code(7).assert_says("ResolvedRefs=False");
    run(&stage, 0).assert_code(3).assert_says("ResolvedRefs=False");
    assert_eq!(weights(&stage), [json!(["web-blue", 1]), json!(["nobody", 0])]);
}
