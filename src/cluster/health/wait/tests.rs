//! What a wait makes of verdicts as they come, and of what a watch shows first.

use super::{Course, Next, Patience, Pin, Subject, Trouble, Verdict, wait_healthy};
use crate::cluster::object::Object;
use crate::cluster::request::Address;
use crate::cluster::test_server::TestServer;
use crate::ids::Moment;
use serde_json::{Value, json};
use std::time::Duration;

fn course(stable_for: u64) -> Course {
    let patience = Patience { stable_for: Duration::from_secs(stable_for), ..Patience::default() };
    Course::new(patience, std::iter::empty())
}

fn pod(restarts: u32, ready: bool) -> Value {
    let state = json!({ "terminated": { "exitCode": 1 } });
    let status = json!({ "name": "main", "restartCount": restarts, "ready": ready, "state": { "running": {} }, "lastState": state });
    json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "web", "namespace": "shop", "uid": "u" },
        "spec": { "containers": [{ "name": "main", "image": "web:1" }] },
        "status": { "phase": "Running", "containerStatuses": [status], "conditions": [{ "type": "Ready", "status": if ready { "True" } else { "False" } }] } })
}

fn at(seconds: i64) -> Moment {
    Moment::from_millis(seconds * 1000)
}

fn web() -> Address {
    Address::known("Deployment", "shop", "web")
}

#[test]
fn what_may_pass_is_given_its_grace() {
    let (web, mut course) = (web(), course(0));
    let failing = || [(&web, Verdict::Failing(Trouble::of("no image")))];
    assert!(matches!(course.next(at(0), &failing()), Next::Wait { most: Some(most), .. } if most == Duration::from_secs(60)));
    assert!(matches!(course.next(at(59), &failing()), Next::Wait { most: Some(most), .. } if most == Duration::from_secs(1)));
    assert_eq!(course.next(at(60), &failing()), Next::GiveUp(web.clone(), Trouble::of("no image")));
}

#[test]
fn a_grace_begins_anew_after_a_recovery() {
    let (web, mut course) = (web(), course(0));
    let failing = || [(&web, Verdict::Failing(Trouble::of("crashed")))];
    course.next(at(0), &failing());
    course.next(at(50), &[(&web, Verdict::Waiting("starting".to_owned()))]);
    assert!(matches!(course.next(at(70), &failing()), Next::Wait { .. }));
}

#[test]
fn three_restarts_are_enough() {
    let (web, mut course) = (web(), course(0));
    let crashed = |restarts| Verdict::Failing(Trouble { restarts, ..Trouble::of("crashed") });
    assert!(matches!(course.next(at(0), &[(&web, crashed(2))]), Next::Wait { .. }));
    assert!(matches!(course.next(at(1), &[(&web, crashed(3))]), Next::GiveUp(..)));
}

#[test]
fn restarts_before_the_first_look_do_not_count() {
    let (web, old) = (web(), Object(pod(5, false)));
    let mut course = Course::new(Patience::default(), std::iter::once(&old));
    let named = Trouble { pod: Some("web".to_owned()), container: Some("main".to_owned()), ..Trouble::of("crashed") };
    let crashed = |restarts| [(&web, Verdict::Failing(Trouble { restarts, ..named.clone() }))];
    assert!(matches!(course.next(at(0), &crashed(5)), Next::Wait { .. }));
    assert!(matches!(course.next(at(1), &crashed(7)), Next::Wait { .. }));
    assert!(matches!(course.next(at(2), &crashed(8)), Next::GiveUp(..)));
    assert!(matches!(course.next(at(3), &crashed(3)), Next::GiveUp(..)), "another pod of the name");
}

#[tokio::test(start_paused = true)]
async fn a_pod_with_a_past_may_be_unready_for_a_moment() {
    const PATH: &str = "/api/v1/namespaces/shop/pods/web";
    let server = TestServer::default();
    server.put(PATH, pod(5, false));
    let cluster = server.cluster().await;
    let subject = Subject { at: Address::known("Pod", "shop", "web"), pin: Pin::default() };
    let mut tell = |_| drop(server.put(PATH, pod(5, true)));
    wait_healthy(&cluster, &[subject], Patience::default(), &mut tell).await.unwrap();
}

#[test]
fn health_has_to_last() {
    let (web, mut course) = (web(), course(10));
    assert!(
        matches!(course.next(at(0), &[(&web, Verdict::Healthy)]), Next::Wait { most: Some(most), .. } if most == Duration::from_secs(10))
    );
    course.next(at(5), &[(&web, Verdict::Waiting("1 of 2".to_owned()))]);
    assert!(matches!(course.next(at(12), &[(&web, Verdict::Healthy)]), Next::Wait { .. }));
    assert_eq!(course.next(at(22), &[(&web, Verdict::Healthy)]), Next::Done);
}
