//! `delete` on the test server.

use super::{AfterDelete, Delete, DeleteParams};
use crate::action::conformance::{Stage, World, faults};
use crate::action::{Action, DynAction};
use crate::actions::test_world::{Listener, Servers, clusters, problems, read_cx, taken_back, tried, tried_with};
use crate::cluster::Clusters;
use crate::cluster::test_server::{Mishap, TestServer};
use crate::record::{MarkKind, Reversibility, Settled};
use serde_json::{Value, json};
use std::sync::Arc;

const CONF: &str = "/api/v1/namespaces/shop/configmaps/conf";
const OLD: &str = "/api/v1/namespaces/shop/configmaps/old";

fn make(clusters: Clusters) -> Arc<dyn DynAction> {
    Arc::new(Delete::new(clusters))
}

fn object(kind: &str, api_version: &str, name: &str) -> Value {
    json!({ "apiVersion": api_version, "kind": kind, "metadata": { "name": name, "namespace": "shop", "uid": format!("first-{name}"),
        "labels": { "app": "web" }, "managedFields": [{ "manager": "kubectl", "operation": "Apply", "apiVersion": "v1", "fieldsV1": {} }] } })
}

fn config(name: &str) -> Value {
    object("ConfigMap", "v1", name)
}

fn stage(params: Value) -> Servers {
    let objects = vec![(CONF, config("conf")), (OLD, config("old"))];
    Servers { files: vec![("old.yaml", OLD_MANIFEST)], ..Servers::of(make, params, objects) }
}

const OLD_MANIFEST: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: old}}\n";

#[tokio::test]
async fn it_holds_what_every_action_must_hold() {
    for params in [
        json!({ "objects": ["configmap/conf", "configmap/old"] }),
        json!({ "manifests": ["old.yaml"] }),
        json!({ "kind": "config-map", "selector": "app=web" }),
        json!({ "objects": ["configmap/conf", "configmap/none"], "ignore-missing": true }),
    ] {
        assert_eq!(faults(&stage(params.clone())).await, Vec::<String>::new(), "{params}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_mistake_unless_the_plan_says_otherwise() {
    let (tried, world) = stage(json!({ "objects": ["configmap/none", "configmap/conf"] })).tried().await;
    insta::assert_snapshot!(tried.output.unwrap_err(), @"there is no configmap/none in namespace `shop`");
    assert!(world.server.writes().is_empty(), "nothing is deleted when something is wrong");
    let (tried, _) = stage(json!({ "objects": ["configmap/none", "configmap/conf"], "ignore-missing": true })).tried().await;
    assert_eq!(tried.output.unwrap(), json!({ "deleted": ["configmap/conf"], "missing": ["configmap/none"] }));
}

#[tokio::test]
async fn a_workload_that_comes_back_must_be_seen_healthy() {
    for params in [json!({ "objects": ["deployment/web"], "ignore-missing": true }), json!({ "kind": "deployment", "selector": "app=web" })]
    {
        let asked = stage(params.clone()).rights().await;
        assert!(asked.contains("may not watch replicasets.apps in namespace `shop`: needed to take the change back"), "{params}: {asked}");
    }
    assert!(!stage(json!({ "objects": ["configmap/conf"] })).rights().await.contains("pods"));
}

#[tokio::test]
async fn another_object_of_the_name_is_deleted_with_a_before_image_of_its_own() {
    let (listener, world) = (Listener::default(), stage(json!({ "objects": ["configmap/conf"] })).fresh().await);
    tried_with(&world, &listener).await.output.unwrap();
    let mut other = config("conf");
    other["metadata"]["uid"] = json!("second");
    world.server.put(CONF, other);
    let tried = tried_with(&world, &listener).await;
    tried.output.unwrap();
    let keys: Vec<&str> = tried.effects.iter().map(|effect| effect.key.0.as_str()).collect();
    assert_eq!(keys, ["delete:kube:core/ConfigMap/shop/conf", "delete-2:kube:core/ConfigMap/shop/conf"]);
    assert_eq!(tried.effects[1].undo["before"]["metadata"]["uid"], "second");
}

#[tokio::test]
async fn what_somebody_wrote_just_before_it_went_comes_back() {
    let mut conf = config("conf");
    conf["data"] = json!({ "a": "1" });
    let world = Servers::of(make, json!({ "objects": ["configmap/conf"] }), vec![(CONF, conf)]).fresh().await;
    world.server.meet(&[Mishap::Overtaken("/data/a", json!("theirs"))]);
    let tried = tried(&world).await;
    tried.output.unwrap();
    assert_eq!(world.server.object(CONF), None, "it is looked at anew, and goes");
    taken_back(&world, tried.effects).await;
    assert_eq!(world.server.object(CONF).unwrap()["data"], json!({ "a": "theirs" }));
}

#[tokio::test]
async fn one_that_cannot_be_made_again_keeps_no_other_from_being() {
    const HOOK: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/hook";
    const WEB: &str = "/apis/apps/v1/namespaces/shop/deployments/web";
    let hook = object("ValidatingWebhookConfiguration", "admissionregistration.k8s.io/v1", "hook");
    let objects = vec![(CONF, config("conf")), (WEB, object("Deployment", "apps/v1", "web")), (HOOK, hook)];
    let params = json!({ "objects": ["configmap/conf", "deployment/web", "validatingwebhookconfiguration/hook"] });
    let world = Servers::of(make, params, objects).fresh().await;
    let tried = tried(&world).await;
    tried.output.unwrap();
    world.server.refuses("/api/v1/namespaces/shop/configmaps", 500);
    let marks = taken_back(&world, tried.effects.clone()).await;
    assert_eq!(marks.iter().map(|mark| mark.kind).collect::<Vec<_>>(), [MarkKind::Residue, MarkKind::Restored, MarkKind::Residue]);
    assert!(world.server.object(WEB).is_some() && world.server.object(HOOK).is_none());
    insta::assert_snapshot!(marks[0].notes[0], @"cannot make configmap/conf again: InternalError");
    insta::assert_snapshot!(marks[2].notes[0], @"validatingwebhookconfiguration/hook is not made again while configmap/conf could not be");
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_does_not_come_late() {
    let (listener, world) = (Listener::default(), stage(json!({ "objects": ["configmap/conf"] })).fresh().await);
    world.server.meet(&[Mishap::Delayed]);
    let tried = tried_with(&world, &listener).await;
    assert!(tried.output.is_err());
    let (action, effect) = (world.action(), tried.effects[0].clone());
    action.fence(read_cx(&world, &listener), world.params(), effect.clone()).await.unwrap();
    assert_eq!(action.settle(read_cx(&world, &listener), world.params(), effect).await.unwrap(), Settled::NotDone);
    world.server.arrive();
    assert!(world.server.object(CONF).is_some(), "what was found stays true");
}

#[test]
fn journals_of_before_are_read() {
    for (stored, instead) in [(json!(null), false), (json!({}), false), (json!({ "instead": { "kind": "Secret" } }), true)] {
        assert_eq!(serde_json::from_value::<AfterDelete>(stored).unwrap().instead.is_some(), instead);
    }
}

#[tokio::test]
async fn what_cannot_be_brought_back_is_only_deleted_when_the_plan_says_so() {
    let path = "/api/v1/namespaces/shop/services/web";
    let mut web = object("Service", "v1", "web");
    web["spec"] = json!({ "type": "LoadBalancer" });
    let plain = Servers::of(make, json!({ "objects": ["service/web"] }), vec![(path, web.clone())]);
    let (tried, world) = plain.tried().await;
    insta::assert_snapshot!(tried.output.unwrap_err(), @"deleting service/web (the address of its load balancer goes with it) cannot be taken back");
    assert!(world.server.writes().is_empty() && tried.effects.is_empty());
    let preview = world.action().preview(read_cx(&world, &Listener::default()), world.params()).await.unwrap();
    assert_eq!(preview.refusals.len(), 1);
    let said = Servers::of(make, json!({ "objects": ["service/web"], "irreversible": true }), vec![(path, web)]);
    let (tried, world) = said.tried().await;
    tried.output.unwrap();
    let marks = taken_back(&world, tried.effects).await;
    assert_eq!(marks[0].kind, MarkKind::Residue);
    insta::assert_snapshot!(marks[0].notes[0], @"service/web cannot be brought back: the address of its load balancer goes with it");
}

#[tokio::test]
async fn claims_that_are_collected_with_their_owner_are_a_loss() {
    let mut claim = object("PersistentVolumeClaim", "v1", "data-db-0");
    claim["metadata"]["ownerReferences"] = json!([{ "apiVersion": "apps/v1", "kind": "StatefulSet", "name": "db", "uid": "first-db" }]);
    let objects = vec![
        ("/apis/apps/v1/namespaces/shop/statefulsets/db", object("StatefulSet", "apps/v1", "db")),
        ("/api/v1/namespaces/shop/persistentvolumeclaims/data-db-0", claim),
    ];
    let (tried, _) = Servers::of(make, json!({ "objects": ["statefulset/db"] }), objects).tried().await;
    insta::assert_snapshot!(tried.output.unwrap_err(), @"deleting statefulset/db (persistentvolumeclaim/data-db-0 is its own, and goes with its data) cannot be taken back");
}

#[tokio::test]
async fn what_would_be_collected_with_its_owner_and_nobody_makes_anew_is_a_loss() {
    const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/shop/deployments/web";
    let owner = |uid: &str| json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": uid });
    let told = async |owners: Value, params: Value| {
        let mut conf = config("conf");
        conf["metadata"]["ownerReferences"] = owners;
        let objects = vec![(DEPLOYMENT, object("Deployment", "apps/v1", "web")), (CONF, conf)];
        let (tried, _) = Servers::of(make, params, objects).tried().await;
        tried.output.err().map(|error| error.to_string()).unwrap_or_default()
    };
    let plain = || json!({ "objects": ["deployment/web"] });
    insta::assert_snapshot!(told(json!([owner("first-web")]), plain()).await, @"deleting deployment/web (configmap/conf belongs to it and goes with it) cannot be taken back");
    let mut controlled = owner("first-web");
    controlled["controller"] = json!(true);
    assert_eq!(told(json!([controlled]), plain()).await, "", "its controller makes it again");
    assert_eq!(told(json!([owner("first-web"), owner("another")]), plain()).await, "", "another owner keeps it");
    let both = json!({ "objects": ["deployment/web", "configmap/conf"] });
    assert_eq!(told(json!([owner("first-web")]), both).await, "", "it comes back with a before-image of its own");
}

#[tokio::test]
async fn what_holds_an_object_is_named_while_it_is_waited_for() {
    let mut held = config("conf");
    held["metadata"]["finalizers"] = json!(["example.com/keep"]);
    let world = Servers::of(make, json!({ "objects": ["configmap/conf"] }), vec![(CONF, held)]).fresh().await;
    let listener = Listener::default();
    let stop = async {
        while world.server.writes().is_empty() {
            tokio::task::yield_now().await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        listener.cancel.cancel();
    };
    let (tried, ()) = tokio::join!(tried_with(&world, &listener), stop);
    insta::assert_snapshot!(tried.output.unwrap_err(), @"stopped while it waited: configmap/conf is not gone yet, held by example.com/keep");
}

#[tokio::test]
async fn a_job_that_has_ended_is_not_run_again() {
    let path = "/apis/batch/v1/namespaces/shop/jobs/migrate";
    let mut job = object("Job", "batch/v1", "migrate");
    let params = json!({ "objects": ["job/migrate"] });
    let (tried, _) = Servers::of(make, params.clone(), vec![(path, job.clone())]).tried().await;
    assert!(tried.output.unwrap_err().to_string().contains("its program is cut off"));
    job["status"] = json!({ "conditions": [{ "type": "Complete", "status": "True" }] });
    let (tried, world) = Servers::of(make, params, vec![(path, job)]).tried().await;
    tried.output.unwrap();
    let marks = taken_back(&world, tried.effects).await;
    assert_eq!((marks[0].kind, world.server.object(path)), (MarkKind::Kept, None));
}

#[tokio::test]
async fn a_cron_job_whose_program_runs_is_a_loss() {
    const NIGHTLY: &str = "/apis/batch/v1/namespaces/shop/cronjobs/nightly";
    const RUNNING: &str = "/apis/batch/v1/namespaces/shop/jobs/nightly-1";
    let mut job = object("Job", "batch/v1", "nightly-1");
    job["metadata"]["ownerReferences"] = json!([{ "kind": "CronJob", "name": "nightly", "uid": "first-nightly", "controller": true }]);
    let of = |job: Value| vec![(NIGHTLY, object("CronJob", "batch/v1", "nightly")), (RUNNING, job)];
    let params = json!({ "objects": ["cronjob/nightly"] });
    let (tried, _) = Servers::of(make, params.clone(), of(job.clone())).tried().await;
    insta::assert_snapshot!(tried.output.unwrap_err(), @"deleting cronjob/nightly (job/nightly-1 is its own, and its program is cut off) cannot be taken back");
    job["status"] = json!({ "conditions": [{ "type": "Complete", "status": "True" }] });
    let (tried, _) = Servers::of(make, params, of(job)).tried().await;
    tried.output.unwrap();
}

#[test]
fn kinds_that_lose_more_than_themselves_make_the_step_a_pivot() {
    let action = Delete::new(clusters(&TestServer::default()));
    let of = |params: Value| action.reversibility(&serde_json::from_value::<DeleteParams>(params).unwrap());
    for kind in ["namespace", "customresourcedefinition", "persistentvolumeclaim", "persistentvolume", "serviceaccount"] {
        assert_eq!(of(json!({ "objects": [format!("{kind}/x")] })), Reversibility::Irreversible, "{kind}");
        assert_eq!(of(json!({ "kind": kind, "selector": "a=b" })), Reversibility::Irreversible, "{kind}");
    }
    assert_eq!(of(json!({ "objects": ["deployment/x"] })), Reversibility::Reversible);
    assert_eq!(of(json!({ "objects": ["deployment/x"], "irreversible": true })), Reversibility::Irreversible);
}

#[test]
fn mistakes_that_types_allow_are_told() {
    let action = Delete::new(clusters(&TestServer::default()));
    insta::assert_snapshot!(problems(&action, json!({})), @"say what to delete: `objects`, `manifests`, or `kind` and `selector`");
    insta::assert_snapshot!(problems(&action, json!({ "objects": ["gadget/x"], "kind": "secret", "values": {} })), @r"
    `gadget/x` names no object: write `deployment/web`, or with group and version `example.com/v1/Gadget/web`
    `kind` needs a `selector`: which objects of the kind are meant?
    `values` are for `manifests`, which are not given
    ");
}
