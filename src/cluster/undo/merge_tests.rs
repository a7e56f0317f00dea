//! What a merge restores and what it keeps.

use super::merge::{Restoration, merge};
use crate::cluster::object::Object;
use serde_json::{Value, json};

fn run(before: Value, after: Value, live: Value) -> Restoration {
    merge(&Object(before), &Object(after), &Object(live))
}

fn kept(restoration: &Restoration) -> Vec<String> {
    restoration.kept.iter().map(ToString::to_string).collect()
}

fn config(data: Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "c", "resourceVersion": "7" }, "data": data })
}

fn deployment(replicas: u32, image: &str, env: Value) -> Value {
    let container = json!({ "name": "web", "image": image, "env": env });
    json!({ "spec": { "replicas": replicas, "template": { "metadata": { "labels": { "app": "web" } }, "spec": { "containers": [container] } } } })
}

#[test]
fn what_we_wrote_goes_back_and_what_others_added_stays() {
    let result =
        run(config(json!({ "a": "1", "b": "1" })), config(json!({ "a": "2", "c": "2" })), config(json!({ "a": "2", "c": "2", "d": "x" })));
    assert_eq!(result.object.0["data"], json!({ "a": "1", "d": "x", "b": "1" }));
    assert!(result.changed && result.kept.is_empty());
}

#[test]
fn what_somebody_changed_after_us_is_kept_and_told() {
    let result = run(config(json!({ "a": "1", "b": "1" })), config(json!({ "a": "2", "b": "2" })), config(json!({ "a": "hot", "b": "2" })));
    assert_eq!(result.object.0["data"], json!({ "a": "hot", "b": "1" }));
    assert_eq!(kept(&result), ["data.a"]);
}

#[test]
fn taking_back_twice_changes_nothing() {
    let (before, after) = (config(json!({ "a": "1" })), config(json!({ "a": "2" })));
    let once = run(before.clone(), after.clone(), after.clone());
    let twice = run(before, after, once.object.0.clone());
    assert!(!twice.changed && twice.kept.is_empty());
    assert_eq!(twice.object, once.object);
}

#[test]
fn a_map_that_was_missing_is_missing_again() {
    let bare = json!({ "metadata": { "name": "c" } });
    let labelled = json!({ "metadata": { "name": "c", "labels": { "bowline/plan": "p" } } });
    let result = run(bare.clone(), labelled.clone(), labelled.clone());
    assert_eq!(result.object.0, bare);
    let others = json!({ "metadata": { "name": "c", "labels": { "bowline/plan": "p", "team": "x" } } });
    let result = run(bare, labelled, others);
    assert_eq!(result.object.0["metadata"]["labels"], json!({ "team": "x" }));
}

#[test]
fn containers_are_found_by_name_and_replicas_that_others_set_stay() {
    let before = deployment(3, "web:1", json!([{ "name": "A", "value": "1" }]));
    let after = deployment(3, "web:2", json!([{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }]));
    let live = deployment(8, "web:2", json!([{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }]));
    let result = run(before.clone(), after, live);
    assert_eq!(result.object.0, deployment(8, "web:1", json!([{ "name": "A", "value": "1" }])));
}

#[test]
fn a_pod_template_with_one_foreign_change_in_our_fields_is_kept_whole() {
    let before = deployment(1, "web:1", json!([]));
    let after = deployment(1, "web:2", json!([{ "name": "B", "value": "2" }]));
    let live = deployment(1, "web:2-hotfix", json!([{ "name": "B", "value": "2" }]));
    let result = run(before, after, live.clone());
    assert_eq!(result.object.0, live);
    assert_eq!(kept(&result), ["spec.template.spec.containers[web].image"]);
}

#[test]
fn a_restart_by_hand_does_not_keep_the_template() {
    let before = deployment(1, "web:1", json!([]));
    let after = deployment(1, "web:2", json!([]));
    let mut live = after.clone();
    live["spec"]["template"]["metadata"]["annotations"] = json!({ "kubectl.kubernetes.io/restartedAt": "now" });
    let result = run(before, after, live);
    assert_eq!(result.object.0["spec"]["template"]["spec"]["containers"][0]["image"], "web:1");
    assert!(result.object.0["spec"]["template"]["metadata"]["annotations"].is_object());
    assert!(result.kept.is_empty());
}

#[test]
fn a_path_that_another_team_added_to_an_ingress_survives() {
    let path = |path: &str, service: &str| json!({ "path": path, "pathType": "Prefix", "backend": { "service": { "name": service, "port": { "number": 80 } } } });
    let ingress = |paths: Value| json!({ "spec": { "rules": [{ "host": "a.example", "http": { "paths": paths } }] } });
    let before = ingress(json!([path("/", "blue")]));
    let after = ingress(json!([path("/", "green")]));
    let live = ingress(json!([path("/other", "other"), path("/", "green")]));
    let result = run(before, after, live);
    assert_eq!(result.object.0, ingress(json!([path("/other", "other"), path("/", "blue")])));
    assert!(result.kept.is_empty());
}

#[test]
fn a_selector_is_one_value() {
    let service = |selector: Value| json!({ "spec": { "selector": selector } });
    let result = run(
        service(json!({ "app": "web", "colour": "blue" })),
        service(json!({ "app": "web", "colour": "green" })),
        service(json!({ "app": "web", "colour": "green", "tier": "x" })),
    );
    assert!(!result.changed);
    assert_eq!(kept(&result), ["spec.selector"]);
}

#[test]
fn an_element_that_we_removed_comes_back_where_it_was() {
    let pod = |names: &[&str]| json!({ "spec": { "volumes": names.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>() } });
    let result = run(pod(&["a", "b", "c"]), pod(&["a", "c"]), pod(&["a", "c", "d"]));
    assert_eq!(result.object.0, pod(&["a", "b", "c", "d"]));
}

#[test]
fn a_structure_that_we_added_and_others_edited_is_kept_whole() {
    let with = |probe: Value| json!({ "spec": { "readinessProbe": probe } });
    let result =
        run(json!({ "spec": {} }), with(json!({ "httpGet": {}, "periodSeconds": 5 })), with(json!({ "httpGet": {}, "periodSeconds": 9 })));
    assert!(!result.changed);
    assert_eq!(kept(&result), ["spec.readinessProbe"]);
}

#[test]
fn what_the_server_and_controllers_write_is_nobodys_change() {
    let object = |version: &str, image: &str, ready: u32, revision: &str| {
        json!({
            "metadata": { "resourceVersion": version, "generation": ready, "managedFields": [{ "manager": version }], "annotations": { "deployment.kubernetes.io/revision": revision } },
            "spec": { "image": image }, "status": { "ready": ready }
        })
    };
    let result = run(object("1", "a", 1, "1"), object("2", "b", 2, "1"), object("9", "b", 9, "2"));
    assert!(result.kept.is_empty());
    assert_eq!(result.object.0, object("9", "a", 9, "2"));
}

#[test]
fn weights_of_a_route_go_back_and_rules_of_others_stay() {
    let rule = |path: &str, refs: Value| json!({ "matches": [{ "path": { "type": "PathPrefix", "value": path } }], "backendRefs": refs });
    let backend = |name: &str, weight: u32| json!({ "group": "", "kind": "Service", "name": name, "port": 80, "weight": weight });
    let redirect = |path: &str| json!({ "matches": [{ "path": { "value": path } }], "filters": [{ "type": "RequestRedirect" }] });
    let route = |rules: Value| json!({ "spec": { "rules": rules } });
    let moved = rule("/", json!([backend("blue", 0), backend("green", 100)]));
    let before = route(json!([redirect("/a"), redirect("/b"), rule("/", json!([backend("blue", 1)]))]));
    let after = route(json!([redirect("/a"), redirect("/b"), moved]));
    let live = route(json!([redirect("/a"), redirect("/b"), moved, rule("/new", json!([backend("other", 1)]))]));
    let wanted =
        json!([redirect("/a"), redirect("/b"), rule("/", json!([backend("blue", 1)])), rule("/new", json!([backend("other", 1)]))]);
    let result = run(before, after, live);
    assert_eq!(result.object.0["spec"]["rules"], wanted);
    assert!(result.kept.is_empty());
}

#[test]
fn traffic_goes_back_also_where_somebody_changed_what_a_rule_matches() {
    let rule = |path: &str, service: &str| json!({ "matches": [{ "path": { "value": path } }], "backendRefs": [{ "name": service, "port": 80, "weight": 100 }] });
    let route = |rules: Value| json!({ "spec": { "rules": rules } });
    let others = rule("/other", "other");
    let live = route(json!([rule("/v2", "green"), others]));
    let result = run(route(json!([rule("/", "blue"), others])), route(json!([rule("/", "green"), others])), live);
    assert_eq!(result.object.0, route(json!([rule("/v2", "blue"), others])));
    assert!(result.kept.is_empty());
    let again = run(route(json!([rule("/", "blue"), others])), route(json!([rule("/", "green"), others])), result.object.0.clone());
    assert!(!again.changed && again.kept.is_empty(), "a second attempt knows what the first one did");
    // Two that are alike: nobody can tell which of them was ours.
    let twins = json!([rule("/a", "green"), rule("/b", "green")]);
    let result = run(route(json!([rule("/", "blue")])), route(json!([rule("/", "green")])), route(twins.clone()));
    assert_eq!((&result.object.0["spec"]["rules"], result.kept.is_empty()), (&twins, false));

    let path = |path: &str, service: &str| json!({ "path": path, "pathType": "Prefix", "backend": { "service": { "name": service } } });
    let ingress = |host: &str, paths: Value| json!({ "spec": { "rules": [{ "host": host, "http": { "paths": paths } }] } });
    let (before, after) = (ingress("a", json!([path("/", "blue")])), ingress("a", json!([path("/", "green")])));
    let moved = run(before.clone(), after.clone(), ingress("a", json!([path("/v2", "green")])));
    assert_eq!(moved.object.0, ingress("a", json!([path("/v2", "blue")])));
    let renamed = run(before, after, ingress("b", json!([path("/", "green")])));
    assert_eq!(renamed.object.0, ingress("b", json!([path("/", "blue")])));
}
