//! Taking a change back on a server that loses answers, refuses and is written by others.

use super::{Change, Managers, TakenBack, take_back};
use crate::cluster::kinds::Kind;
use crate::cluster::object::Object;
use crate::cluster::request::Address;
use crate::cluster::test_server::{Mishap, TestServer};
use serde_json::{Value, json};

const PATH: &str = "/api/v1/namespaces/shop/configmaps/conf";

fn config(data: Value, uid: &str, manager: &str) -> Value {
    let owner = json!({ "manager": manager, "operation": "Apply", "apiVersion": "v1", "fieldsV1": { "f:data": { "f:a": {}, "f:b": {} } } });
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "conf", "namespace": "shop", "uid": uid, "managedFields": [owner] }, "data": data })
}

/// A server with a ConfigMap that a run has changed, and that change.
fn changed() -> (TestServer, Change) {
    let server = TestServer::default();
    let before = server.put(PATH, config(json!({ "a": "1", "b": "1" }), "u", "kubectl"));
    let after = server.put(PATH, config(json!({ "a": "2", "b": "2" }), "u", "bowline:p"));
    let at = Address::known("ConfigMap", "shop", "conf");
    (server, Change { at, before: Some(Object(before)), after: Object(after), created: false })
}

async fn take(server: &TestServer, change: &Change) -> Result<TakenBack, crate::cluster::ApiError> {
    take_back(&server.cluster().await, &Managers::of("p"), change).await
}

fn managers(server: &TestServer) -> Vec<String> {
    let object = Object(server.object(PATH).unwrap());
    object.list("/metadata/managedFields").iter().map(|entry| entry["manager"].as_str().unwrap().to_owned()).collect()
}

fn is_as_before(server: &TestServer) {
    assert_eq!(server.object(PATH).unwrap()["data"], json!({ "a": "1", "b": "1" }));
    assert_eq!(managers(server), ["kubectl"]);
}

#[tokio::test]
async fn content_and_owners_are_as_before() {
    let (server, change) = changed();
    assert!(matches!(take(&server, &change).await.unwrap(), TakenBack::Restored(Some(_), _)));
    is_as_before(&server);
    assert_eq!(server.writes().len(), 2);
    take(&server, &change).await.unwrap();
    assert_eq!(server.writes().len(), 2, "a second time there is nothing left to write");
}

#[tokio::test]
async fn lost_answers_change_nothing_about_it() {
    for mishaps in [vec![Mishap::Lost], vec![Mishap::None, Mishap::Lost], vec![Mishap::Lost, Mishap::Lost]] {
        let (server, change) = changed();
        server.meet(&mishaps);
        assert!(matches!(take(&server, &change).await.unwrap(), TakenBack::Restored(..)), "{mishaps:?}");
        is_as_before(&server);
        assert_eq!(server.writes().len(), 2, "{mishaps:?}");
    }
}

#[tokio::test]
async fn who_was_cut_off_between_the_two_writes_goes_on_there() {
    let (server, change) = changed();
    server.meet(&[Mishap::None, Mishap::Refused]);
    assert!(take(&server, &change).await.is_err());
    assert!(managers(&server).contains(&"bowline-undo:p".to_owned()));
    take(&server, &change).await.unwrap();
    is_as_before(&server);
}

#[tokio::test]
async fn somebody_who_is_faster_is_looked_at_first() {
    let (server, change) = changed();
    server.meet(&[Mishap::Overtaken("/data/a", json!("theirs"))]);
    let TakenBack::Kept(_, notes) = take(&server, &change).await.unwrap() else { panic!("their change is kept") };
    insta::assert_snapshot!(notes.join("\n"), @"data.a was changed by somebody else and stays");
    assert_eq!(server.object(PATH).unwrap()["data"], json!({ "a": "theirs", "b": "1" }));
}

#[tokio::test]
async fn an_object_that_is_not_ours_any_more_is_left_alone() {
    let (server, change) = changed();
    server.put(PATH, config(json!({ "a": "2" }), "other", "helm"));
    let TakenBack::Kept(_, notes) = take(&server, &change).await.unwrap() else { panic!("it is kept") };
    insta::assert_snapshot!(notes.join("\n"), @"configmap/conf was deleted and made anew by somebody else and stays as it is");
    let made = Change { before: None, created: true, ..change };
    assert!(matches!(take(&server, &made).await.unwrap(), TakenBack::Kept(..)));
    assert!(server.writes().is_empty());
}

#[tokio::test]
async fn what_was_made_is_gone_and_stays_so() {
    let (server, change) = changed();
    let made = Change { before: None, created: true, ..change };
    for _ in 0..2 {
        assert_eq!(take(&server, &made).await.unwrap(), TakenBack::Restored(None, Vec::new()));
    }
    assert_eq!(server.object(PATH), None);
    assert_eq!(server.writes(), [format!("DELETE {PATH}")]);
}

#[tokio::test]
async fn a_volume_claim_that_may_hold_data_stays() {
    let (server, path) = (TestServer::default(), "/api/v1/namespaces/shop/persistentvolumeclaims/data");
    let claim = json!({ "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "data", "uid": "c" }, "status": { "phase": "Bound" } });
    let after = Object(server.put(path, claim));
    let made = Change { at: Address::known("PersistentVolumeClaim", "shop", "data"), before: None, after, created: true };
    let TakenBack::Kept(_, notes) = take(&server, &made).await.unwrap() else { panic!("it is kept") };
    insta::assert_snapshot!(notes.join("\n"), @"persistentvolumeclaim/data has a volume and may hold data: delete it yourself when nobody needs it");
    assert!(server.writes().is_empty());
}

/// As [`changed`], where the run has made the ConfigMap immutable, too.
fn made_immutable() -> (TestServer, Change) {
    let (server, mut change) = changed();
    let mut after = server.object(PATH).unwrap();
    after["immutable"] = json!(true);
    change.after = Object(server.put(PATH, after));
    (server, change)
}

#[tokio::test]
async fn what_was_made_immutable_is_made_again() {
    let (server, change) = made_immutable();
    let taken = take(&server, &change).await.unwrap();
    let TakenBack::Restored(Some(now), notes) = taken else { panic!("{taken:?}") };
    is_as_before(&server);
    assert!(now.0["immutable"].is_null() && now.uid() != change.after.uid());
    insta::assert_snapshot!(notes.join("; "), @"configmap/conf was made again and has a new uid");
    let writes = server.writes().len();
    take(&server, &change).await.unwrap();
    assert_eq!(server.writes().len(), writes, "a second time there is nothing left to write");
}

#[tokio::test]
async fn an_undo_that_was_cut_off_after_the_deletion_goes_on() {
    let (server, change) = made_immutable();
    server.remove(PATH);
    assert!(matches!(take(&server, &change).await.unwrap(), TakenBack::Restored(Some(_), _)));
    is_as_before(&server);
}

#[tokio::test]
async fn what_the_undo_of_a_later_step_made_again_is_still_ours() {
    let (server, change) = changed();
    let mut again = server.object(PATH).unwrap();
    again["metadata"]["uid"] = json!("again");
    again["data"]["c"] = json!("theirs");
    server.put(PATH, again.clone());
    assert!(matches!(take(&server, &change).await.unwrap(), TakenBack::Restored(Some(_), _)));
    let now = server.object(PATH).unwrap();
    assert_eq!((&now["data"], &now["metadata"]["uid"]), (&json!({ "a": "1", "b": "1", "c": "theirs" }), &json!("again")));
    assert_eq!(managers(&server), ["kubectl"]);
}

/// A later step deleted it, or made it immutable: its undo had to make it again.
#[tokio::test]
async fn what_the_run_made_and_its_own_later_undo_made_again_goes_too() {
    let (server, change) = changed();
    let made = Change { before: None, created: true, ..change };
    let mut again = server.object(PATH).unwrap();
    again["metadata"]["uid"] = json!("again");
    again["metadata"]["annotations"] = json!({ "note": "theirs" });
    server.put(PATH, again.clone());
    assert_eq!(take(&server, &made).await.unwrap(), TakenBack::Restored(None, Vec::new()));
    assert_eq!(server.object(PATH), None);
    again["metadata"]["managedFields"][0]["fieldsV1"] = json!({ "f:data": { "f:z": {} } });
    server.put(PATH, again);
    assert!(matches!(take(&server, &made).await.unwrap(), TakenBack::Kept(..)), "what nobody knows to be ours is not deleted");
}

/// A widget that the run has written as `a.test/v2`, which is served no more.
fn unserved(groups: Value) -> (TestServer, Change) {
    let server = TestServer::default();
    let kind = Kind { api_version: "a.test/v2".into(), kind: "Widget".into(), plural: "widgets".into(), namespaced: true };
    let at = Address { kind, namespace: Some("shop".to_owned()), name: "old".to_owned() };
    let widget = |value: &str| Object(json!({ "metadata": { "name": "old", "uid": "w" }, "spec": { "a": value } }));
    server.serves_no("/apis/a.test/v2");
    server.put("/apis", json!({ "groups": groups }));
    let resource = json!({ "name": "widgets", "kind": "Widget", "namespaced": true, "verbs": ["get", "list"] });
    server.put("/apis/a.test/v1", json!({ "resources": [resource] }));
    (server, Change { at, before: Some(widget("1")), after: widget("2"), created: false })
}

#[tokio::test]
async fn what_is_served_in_another_version_only_is_not_gone() {
    let versions = json!([{ "groupVersion": "a.test/v2", "version": "v2" }, { "groupVersion": "a.test/v1", "version": "v1" }]);
    let (server, change) = unserved(json!([{ "name": "a.test", "versions": versions }]));
    let made = Change { before: None, created: true, ..change.clone() };
    for change in [change, made] {
        let error = take(&server, &change).await.unwrap_err();
        assert_eq!(error.to_string(), "the cluster serves no Widget of a.test/v2 any more, but of a.test/v1");
    }
    let (server, change) = unserved(json!([]));
    let TakenBack::Kept(_, notes) = take(&server, &change).await.unwrap() else { panic!("its kind is gone, and all of it") };
    insta::assert_snapshot!(notes.join("; "), @"widget/old was deleted by somebody else and stays deleted");
}

#[tokio::test]
async fn what_others_added_to_something_that_goes_is_told() {
    let (server, change) = changed();
    let made = Change { before: None, created: true, ..change };
    let mut live = server.object(PATH).unwrap();
    let entry = |manager: &str, fields: Value| json!({ "manager": manager, "operation": "Update", "apiVersion": "v1", "fieldsV1": fields });
    live["metadata"]["managedFields"].as_array_mut().unwrap().extend([
        entry("controller", json!({ "f:metadata": { "f:annotations": { "f:seen": {} } } })),
        entry("kubectl-edit", json!({ "f:data": { "f:a": {}, "f:theirs": {}, "f:more": {} } })),
    ]);
    server.put(PATH, live);
    let TakenBack::Restored(None, notes) = take(&server, &made).await.unwrap() else { panic!("it goes all the same") };
    insta::assert_snapshot!(notes.join("; "), @"data.theirs, data.more of kubectl-edit went with configmap/conf");
    assert_eq!(server.object(PATH), None);
}

#[tokio::test]
async fn a_load_balancer_that_was_given_up_is_told() {
    let (server, path) = (TestServer::default(), "/api/v1/namespaces/shop/services/web");
    let service = |kind: &str, status: Value| {
        json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web", "uid": "s", "managedFields": [] },
            "spec": { "type": kind }, "status": { "loadBalancer": status } })
    };
    let before = Object(server.put(path, service("LoadBalancer", json!({ "ingress": [{ "ip": "10.1.2.3" }] }))));
    let after = Object(server.put(path, service("ClusterIP", json!({}))));
    let change = Change { at: Address::known("Service", "shop", "web"), before: Some(before), after, created: false };
    let TakenBack::Restored(Some(_), notes) = take(&server, &change).await.unwrap() else { panic!("it is restored") };
    insta::assert_snapshot!(notes.join("; "), @"service/web gave up its load balancer at 10.1.2.3: it gets another one, whose address may differ");
}
