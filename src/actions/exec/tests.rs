//! `exec` with pods that are played by the test.

use super::Exec;
use crate::action::conformance::{Stage, World, faults};
use crate::action::{ActionError, DynAction, DynEffect, EffectError, Evidence, Known, Progress, ReadCx, RunScope};
use crate::actions::pods::{Door, PodCommand, PodEnd, PodProgram, Pods, Reach};
use crate::actions::test_world::{Listener, Tried, problems, read_cx, tried, tried_with};
use crate::record::{EffectKey, Settled};
use futures::future::{BoxFuture, FutureExt};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

/// Pods in which `did` leaves a trace, `look` tells whether it did, and other words mean trouble.
#[derive(Clone, Default)]
struct Played(Arc<Mutex<Vec<String>>>);

impl Pods for Played {
    fn door(&self, _scope: &RunScope, _through: &str, _port: Option<&str>) -> BoxFuture<'static, Result<Box<dyn Door>, ActionError>> {
        async { Err(ActionError::permanent("not asked for")) }.boxed()
    }

    fn missing_rights(&self, _scope: &RunScope, _reach: Reach) -> BoxFuture<'static, Result<Vec<String>, ActionError>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn choose(&self, scope: &RunScope, through: &str) -> BoxFuture<'static, Result<String, ActionError>> {
        let chosen = format!("{}-0", through.split('/').next_back().unwrap_or_default());
        assert_eq!(scope.namespace.as_deref(), Some("shop"));
        async move { Ok(chosen) }.boxed()
    }

    fn start(&self, _scope: &RunScope, command: PodCommand) -> BoxFuture<'static, Result<PodProgram, EffectError>> {
        let word = command.command.last().cloned().unwrap_or_default();
        let did = Arc::clone(&self.0);
        if word == "absent" {
            return async { Err(EffectError::Refused(ActionError::permanent("cannot start `absent` in pod/db-0"))) }.boxed();
        }
        let (mut output, stdout) = duplex(1024 * 1024);
        let (stdin, mut input) = duplex(1024);
        let end = async move {
            let end = |code, errors: &str| Ok(PodEnd { code, errors: errors.to_owned() });
            match word.as_str() {
                "did" => {
                    did.lock().unwrap().push(command.pod);
                    output.write_all(b"one\ntwo\n").await.unwrap();
                    end(0, "")
                }
                "look" => end(i32::from(did.lock().unwrap().is_empty()), ""),
                "cat" => {
                    let mut text = String::new();
                    input.read_to_string(&mut text).await.unwrap();
                    output.write_all(text.as_bytes()).await.unwrap();
                    end(0, "")
                }
                "much" => {
                    output.write_all("é".repeat(100_000).as_bytes()).await.unwrap();
                    end(0, "")
                }
                "fails" => end(3, "first\n\nlast\n"),
                "refused" => Err(ActionError::permanent("cannot start `refused` in pod/db-0: no such file")),
                "lost" => Err(ActionError::transient("lost `lost` in pod/db-0 while it ran: reset")),
                _ => std::future::pending().await,
            }
        };
        let stdin = command.stdin.then(|| Box::new(stdin) as _);
        async move { Ok(PodProgram { stdin, stdout: Box::new(stdout), end: end.boxed() }) }.boxed()
    }

    fn evidence(&self, _cx: &ReadCx, scope: &RunScope, through: &str) -> BoxFuture<'static, Vec<Evidence>> {
        let title = format!("{through} in {}", scope.namespace.as_deref().unwrap_or_default());
        async move { vec![Evidence { title, text: String::new() }] }.boxed()
    }
}

struct Place(Played, Value);

impl World for Place {
    fn action(&self) -> Arc<dyn DynAction> {
        Arc::new(Exec::new(Arc::new(self.0.clone())))
    }

    fn params(&self) -> Value {
        self.1.clone()
    }

    fn fingerprint(&self) -> BoxFuture<'_, String> {
        futures::future::ready(self.0.0.lock().unwrap().join("\n")).boxed()
    }
}

struct Places(Value);

impl Stage for Places {
    type World = Place;

    fn fresh(&self) -> BoxFuture<'_, Place> {
        futures::future::ready(place(self.0.clone())).boxed()
    }
}

fn place(run: Value) -> Place {
    let mut params = json!({ "pod": "statefulset/db", "namespace": "shop" });
    params.as_object_mut().unwrap().extend(run.as_object().unwrap().clone());
    Place(Played::default(), params)
}

async fn tried_in_pod(run: Value) -> Tried {
    tried(&place(run)).await
}

#[tokio::test]
async fn it_holds_what_every_action_must_hold() {
    for run in [json!({ "run": ["did"] }), json!({ "run": "did", "check": ["look"] }), json!({ "run": "look", "read-only": true })] {
        let found = faults(&Places(run.clone())).await;
        let looks = run["read-only"] == true;
        assert!(if looks { found.iter().all(|fault| fault.contains("exited with code 1")) } else { found.is_empty() }, "{found:?}");
    }
}

#[tokio::test]
async fn its_output_is_text_json_or_lines() {
    let output = tried_in_pod(json!({ "run": ["did"], "output": "lines" })).await;
    assert_eq!(output.told[1..], [Progress::Line("one".to_owned()), Progress::Line("two".to_owned())]);
    assert_eq!(output.output.unwrap(), json!({ "pod": "db-0", "code": 0, "stdout": "one\ntwo", "lines": ["one", "two"] }));
    let output = tried_in_pod(json!({ "run": ["cat"], "input": "{\"a\": 1}", "output": "json", "read-only": true })).await;
    assert_eq!(output.output.unwrap()["json"], json!({ "a": 1 }));
    let much = tried_in_pod(json!({ "run": ["much"], "read-only": true })).await.output.unwrap();
    assert_eq!(much["stdout"].as_str().unwrap().len(), 64 * 1024);
}

#[tokio::test]
async fn a_failure_says_how_it_ended_and_its_last_words() {
    let failed = tried_in_pod(json!({ "run": ["fails"] })).await;
    let error = failed.output.unwrap_err();
    insta::assert_snapshot!(error, @"`fails` exited with code 3 in pod/db-0");
    assert_eq!(error.failure().causes, ["first", "last"]);
    assert!(failed.effects[0].known.done().is_some(), "how it ended is known");
}

#[tokio::test]
async fn what_never_started_did_nothing_and_what_was_lost_is_in_doubt() {
    for (word, known) in
        [("absent", Known::Settled(Settled::NotDone)), ("refused", Known::Settled(Settled::NotDone)), ("lost", Known::Open)]
    {
        let tried = tried_in_pod(json!({ "run": [word] })).await;
        assert!(tried.output.is_err());
        assert_eq!(tried.effects[0].known, known, "{word}");
    }
    let (listener, hangs) = (Listener::default(), place(json!({ "run": ["hangs"] })));
    let stop = async {
        tokio::task::yield_now().await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        listener.cancel.cancel();
    };
    let (tried, ()) = tokio::join!(tried_with(&hangs, &listener), stop);
    insta::assert_snapshot!(tried.output.unwrap_err(), @"it was stopped before its end, and may go on in pod/db-0");
    assert_eq!(tried.effects[0].known, Known::Open);
}

#[tokio::test]
async fn the_evidence_is_of_the_pod_in_which_it_ran_or_of_those_it_was_for() {
    let world = place(json!({ "run": ["fails"] }));
    let ran = DynEffect { key: EffectKey("run".into()), undo: json!({ "pod": "db-0" }), known: Known::Open };
    for (effects, of) in [(vec![ran], "pod/db-0 in shop"), (Vec::new(), "statefulset/db in shop")] {
        let evidence = world.action().evidence(read_cx(&world, &Listener::default()), world.params(), effects).await;
        assert_eq!(evidence, [Evidence { title: of.to_owned(), text: String::new() }]);
    }
}

#[tokio::test]
async fn a_check_tells_that_the_work_is_done_and_nothing_else() {
    for did in [true, false] {
        let world = place(json!({ "run": ["did"], "check": ["look"] }));
        if did {
            world.0.0.lock().unwrap().push("db-0".to_owned());
        }
        let effect = DynEffect { key: EffectKey("run".into()), undo: json!({ "pod": "db-0" }), known: Known::Open };
        let settled = world.action().settle(read_cx(&world, &Listener::default()), world.params(), effect).await.unwrap();
        match settled {
            Settled::Done(ended) => assert!(did && ended["by-check"] == true, "{ended}"),
            other => assert!(!did && matches!(other, Settled::Other(_)), "{other:?}"),
        }
    }
}

#[tokio::test]
async fn without_a_check_nobody_can_tell() {
    let world = place(json!({ "run": ["did"] }));
    let effect = DynEffect { key: EffectKey("run".into()), undo: json!({ "pod": "db-0" }), known: Known::Open };
    let settled = world.action().settle(read_cx(&world, &Listener::default()), world.params(), effect).await.unwrap();
    let Settled::Unknown(why) = settled else { panic!("{settled:?}") };
    insta::assert_snapshot!(why, @"nobody knows how far its command got in pod/db-0, and it has no `check` to ask");
}

#[test]
fn mistakes_that_types_allow_are_told() {
    let action = Exec::new(Arc::new(Played::default()));
    insta::assert_snapshot!(problems(&action, json!({ "pod": "db", "run": "x", "read-only": true, "check": "y" })), @r"
    `db` leads to no pod: write `pod/NAME`, `service/NAME`, `deployment/NAME`, `statefulset/NAME` or `selector/LABEL=VALUE`
    `check` tells whether work was done, and what is `read-only` does none: keep one
    ");
    assert_eq!(problems(&action, json!({ "pod": "selector/app=db", "run": "x" })), "");
}
