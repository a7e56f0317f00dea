//! `shell` with real programs in a folder of its own.

use super::{Shell, ShellParams};
use crate::action::conformance::{Stage, World, faults};
use crate::action::{ActionError, DynAction, EffectError, Effects, ErasedTicket, Frozen, Intent, Known, Progress, ReadCx, Secret, Sink};
use crate::ids::StepId;
use crate::ports::SystemProcesses;
use crate::record::{EffectKey, Settled};
use futures::future::{BoxFuture, FutureExt};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

fn shell() -> Shell {
    Shell::new(Arc::new(SystemProcesses))
}

struct Folder {
    root: TempDir,
    params: fn(&Path) -> Value,
}

impl World for Folder {
    fn action(&self) -> Arc<dyn DynAction> {
        Arc::new(shell())
    }

    fn params(&self) -> Value {
        (self.params)(self.root.path())
    }

    fn fingerprint(&self) -> BoxFuture<'_, String> {
        async { std::fs::read_to_string(self.root.path().join("log")).unwrap_or_else(|_| "no log".to_owned()) }.boxed()
    }
}

struct Folders(fn(&Path) -> Value);

impl Stage for Folders {
    type World = Folder;

    fn fresh(&self) -> BoxFuture<'_, Folder> {
        async { Folder { root: tempfile::tempdir().unwrap(), params: self.0 } }.boxed()
    }
}

#[tokio::test]
async fn it_holds_what_every_action_must_hold() {
    let none = Vec::<String>::new();
    let plain = Folders(|folder| json!({ "run": "echo did >> log", "directory": folder }));
    assert_eq!(faults(&plain).await, none);
    let checked = Folders(|folder| json!({ "run": "echo did >> log", "directory": folder, "check": ["test", "-f", "log"] }));
    assert_eq!(faults(&checked).await, none);
    let looks = Folders(|folder| json!({ "run": "ls", "directory": folder, "read-only": true }));
    assert_eq!(faults(&looks).await, none);
}

#[tokio::test]
async fn a_use_that_lies_is_found_out() {
    let lies = Folders(|folder| json!({ "run": "echo did >> log", "directory": folder, "read-only": true }));
    assert_eq!(faults(&lies).await, ["perform: it calls itself read-only and is not"]);
    let lies = Folders(|folder| json!({ "run": "echo did >> log", "directory": folder, "check": "true" }));
    let found = faults(&lies).await;
    assert!(found.iter().any(|fault| fault.contains("`run` was settled as done and never happened")), "{found:?}");
}

/// Keeps what is told, and answers every secret with the same value. The line `ready` makes it stop the step.
#[derive(Default)]
struct Listener(Mutex<Vec<Progress>>, CancellationToken);

const SECRET: &str = "hunter2-hunter2";

impl Sink for Listener {
    fn progress(&self, _step: &StepId, progress: Progress) {
        if progress == Progress::Line("ready".to_owned()) {
            self.1.cancel();
        }
        self.0.lock().unwrap().push(progress);
    }

    fn secret(&self, _name: &str) -> BoxFuture<'static, Result<Secret, ActionError>> {
        async { Ok(Secret::new(SECRET.to_owned())) }.boxed()
    }
}

/// Carries effects out and keeps their answers.
#[derive(Default, Clone)]
struct Record(Arc<Mutex<Vec<Result<Value, EffectError>>>>);

impl Effects for Record {
    fn intend(&self, _intent: Intent, effects: Vec<(EffectKey, Value)>) -> BoxFuture<'static, Result<Vec<ErasedTicket>, ActionError>> {
        let tickets = effects.into_iter().map(|(key, undo)| ErasedTicket { key, undo, known: Known::Open }).collect();
        async move { Ok(tickets) }.boxed()
    }

    fn effect(
        &self,
        _ticket: ErasedTicket,
        future: BoxFuture<'static, Result<Value, EffectError>>,
    ) -> BoxFuture<'static, Result<Value, ActionError>> {
        let record = self.clone();
        async move {
            let answer = future.await;
            record.0.lock().unwrap().push(answer.clone());
            answer.map_err(|(EffectError::Refused(error) | EffectError::Lost(error))| error)
        }
        .boxed()
    }
}

struct Tried {
    output: Result<Value, ActionError>,
    told: Vec<Progress>,
    effects: Vec<Result<Value, EffectError>>,
}

fn read_cx(listener: &Arc<Listener>) -> ReadCx {
    let folder = Folder { root: tempfile::tempdir().unwrap(), params: |_| Value::Null };
    let sink = listener.clone() as Arc<dyn Sink>;
    ReadCx {
        step: StepId::new("build").unwrap(),
        scope: Arc::new(folder.scope()),
        frozen: Frozen::default(),
        cancel: listener.1.clone(),
        sink,
    }
}

async fn tried(params: Value) -> Tried {
    let (listener, record) = (Arc::new(Listener::default()), Record::default());
    let output = DynAction::perform(&shell(), read_cx(&listener), Arc::new(record.clone()), params).await;
    let (told, effects) = (listener.0.lock().unwrap().clone(), record.0.lock().unwrap().clone());
    Tried { output, told, effects }
}

#[tokio::test]
async fn its_output_is_text_json_or_lines() {
    assert_eq!(tried(json!({ "run": "echo; echo v1" })).await.output.unwrap(), json!({ "code": 0, "stdout": "v1" }));
    let parsed = tried(json!({ "run": ["echo", "{\"a\": 1}"], "output": "json" })).await.output.unwrap();
    assert_eq!(parsed["json"], json!({ "a": 1 }));
    let lines = tried(json!({ "run": "echo a; echo b", "output": "lines" })).await.output.unwrap();
    assert_eq!(lines["lines"], json!(["a", "b"]));
}

#[tokio::test]
async fn a_secret_reaches_the_program_and_nothing_else() {
    let script =
        "echo \"$TOKEN\"; printf %s \"$TOKEN\" | base64; echo \"bad token $TOKEN\" >&2; test \"$TOKEN\" = hunter2-hunter2 && exit 7";
    let tried = tried(json!({ "run": script, "secrets": { "TOKEN": "api-token" } })).await;
    let error = tried.output.unwrap_err();
    insta::assert_snapshot!(error.failure().causes.join("\n"), @"bad token [secret]");
    let effects = format!("{:?}", tried.effects);
    let told = format!("{:?}", tried.told);
    assert!(effects.contains("[secret]") && told.contains("[secret]"));
    for text in [effects, told, format!("{error:?}").replace("= hunter2-hunter2", "")] {
        assert!(!text.contains(SECRET) && !text.contains("aHVudGVyMi1odW50ZXIy"), "{text}");
    }
}

#[tokio::test]
async fn a_failure_says_how_it_ended_and_its_last_words() {
    let failed = tried(json!({ "run": "echo one >&2\necho two >&2\nexit 3\necho never" })).await;
    let error = failed.output.unwrap_err();
    insta::assert_snapshot!(error, @"`echo one >&2 …` exited with code 3");
    assert_eq!(error.failure().causes, ["one", "two"]);
    assert!(failed.effects[0].is_ok(), "how it ended is known");
    let stopped = tried(json!({ "run": "false\ntrue" })).await;
    insta::assert_snapshot!(stopped.output.unwrap_err(), @"`false …` exited with code 1");
    let no_json = tried(json!({ "run": "echo hi", "output": "json" })).await;
    insta::assert_snapshot!(no_json.output.unwrap_err(), @"`echo hi` did not print JSON");
}

#[tokio::test]
async fn a_program_that_cannot_be_run_is_not_tried_again() {
    for (run, is_tried_again) in [
        ("nosuchprogram", false),
        ("/etc/passwd", false),
        ("exit 127", true),
        ("echo bash: make: not found >&2; exit 127", true),
        ("exit 1", true),
        ("exit 125", true),
        ("kill -9 $$", true),
    ] {
        let error = tried(json!({ "run": run })).await.output.unwrap_err();
        assert_eq!(error.is_transient(), is_tried_again, "{run}: {error}");
    }
}

#[tokio::test]
async fn what_never_started_did_nothing_and_what_was_stopped_is_in_doubt() {
    let absent = tried(json!({ "run": ["no-such-program-here"] })).await;
    assert!(matches!(absent.effects[0], Err(EffectError::Refused(_))));
    let stopped = tried(json!({ "run": "echo ready; exec sleep 600" })).await;
    assert!(matches!(stopped.effects[0], Err(EffectError::Lost(_))));
    let ended = tried(json!({ "run": "kill -TERM $$" })).await;
    assert!(matches!(ended.effects[0], Err(EffectError::Lost(_))), "by whomever");
}

/// What `check` does not find done may be half done: it is taken back, too.
#[tokio::test]
async fn a_check_tells_that_the_work_is_done_and_nothing_else() {
    let settled = async |check: &str| {
        let effect = crate::action::DynEffect { key: EffectKey("run".into()), undo: json!({}), known: Known::Open };
        let params = json!({ "run": "make", "check": check, "output": "json" });
        (DynAction::settle(&shell(), read_cx(&Arc::new(Listener::default())), params.clone(), effect).await.unwrap(), params)
    };
    assert!(matches!(settled("false").await.0, Settled::Other(_)));
    for signal in ["TERM", "KILL"] {
        assert!(matches!(settled(&format!("kill -{signal} $$")).await.0, Settled::Unknown(_)), "{signal}");
    }
    let (done, params) = settled("echo looked").await;
    let Settled::Done(ended) = done else { panic!("{done:?}") };
    let ended = serde_json::from_value(ended).unwrap();
    let output = super::output(&serde_json::from_value(params).unwrap(), ended).unwrap();
    assert_eq!(serde_json::to_value(output).unwrap(), json!({ "code": 0 }), "what `check` prints is not what the program printed");
}

#[tokio::test]
async fn without_a_check_nobody_can_tell() {
    let listener = Arc::new(Listener::default());
    let params = json!({ "run": "make" });
    let effect = crate::action::DynEffect { key: EffectKey("run".into()), undo: json!({}), known: Known::Open };
    let settled = DynAction::settle(&shell(), read_cx(&listener), params, effect).await.unwrap();
    let Settled::Unknown(why) = settled else { panic!("{settled:?}") };
    insta::assert_snapshot!(why, @"nobody knows how far its program got, and it has no `check` to ask");
}

#[test]
fn mistakes_that_types_allow_are_told() {
    let params: ShellParams = serde_json::from_value(json!({
        "run": "make", "env": { "A": "1" }, "secrets": { "A": "token" }, "read-only": true, "check": "true",
    }))
    .unwrap();
    insta::assert_snapshot!(crate::action::Action::problems(&shell(), &params).join("\n"), @r"
    `A` stands in `env` and in `secrets`: keep one
    `check` tells whether work was done, and what is `read-only` does none: keep one
    ");
}
