//! `smoke-test` with a scripted way to pods and a real server.

use super::{SmokeTest, SmokeTestParams};
use crate::action::conformance::{Stage, World, faults};
use crate::action::{
    Action, ActionError, DynAction, EffectError, Effects, ErasedTicket, Frozen, Intent, Progress, ReadCx, RunScope, Secret, Sink,
};
use crate::actions::pods::{Door, PodCommand, PodProgram, Pods, Reach};
use crate::ids::StepId;
use crate::ports::{NetworkHttp, NetworkPostgres, NetworkTcp, NetworkTls, SystemClock, SystemNames, SystemProcesses};
use crate::probe::Outside;
use crate::record::EffectKey;
use futures::future::{BoxFuture, FutureExt};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Leads `service/web` to one address and nothing else anywhere.
struct OnePod(SocketAddr);

impl Door for OnePod {
    fn address(&self) -> SocketAddr {
        self.0
    }

    fn trouble(&self) -> Option<String> {
        Some("lost connection to pod web-0".to_owned())
    }
}

impl Pods for OnePod {
    fn missing_rights(&self, _scope: &RunScope, _reach: Reach) -> BoxFuture<'static, Result<Vec<String>, ActionError>> {
        async { Ok(Vec::new()) }.boxed()
    }

    fn door(&self, _scope: &RunScope, through: &str, port: Option<&str>) -> BoxFuture<'static, Result<Box<dyn Door>, ActionError>> {
        let (found, address) = (through == "service/web" && port == Some("http"), self.0);
        async move { if found { Ok(Box::new(OnePod(address)) as Box<dyn Door>) } else { Err(ActionError::transient("no such pod")) } }
            .boxed()
    }

    fn choose(&self, _scope: &RunScope, _through: &str) -> BoxFuture<'static, Result<String, ActionError>> {
        async { Err(ActionError::permanent("not asked for")) }.boxed()
    }

    fn start(&self, _scope: &RunScope, _command: PodCommand) -> BoxFuture<'static, Result<PodProgram, EffectError>> {
        async { Err(EffectError::Refused(ActionError::permanent("not asked for"))) }.boxed()
    }
}

/// Answers 200 to `/health` when the token is right, 503 otherwise.
async fn web() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 4096];
            let count = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..count]).into_owned();
            let good = request.starts_with("GET /health ") && request.contains("Bearer t0ken");
            let status = if good { "200 OK" } else { "503 Service Unavailable" };
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\nconnection: close\r\n\r\nup");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    address
}

fn action(pod: SocketAddr) -> SmokeTest {
    let outside = Outside {
        http: Arc::new(NetworkHttp::default()),
        tcp: Arc::new(NetworkTcp),
        names: Arc::new(SystemNames),
        tls: Arc::new(NetworkTls),
        postgres: Arc::new(NetworkPostgres),
        processes: Arc::new(SystemProcesses),
        clock: Arc::new(SystemClock),
    };
    SmokeTest::new(outside, Some(Arc::new(OnePod(pod))))
}

struct Web(SocketAddr);

impl World for Web {
    fn action(&self) -> Arc<dyn DynAction> {
        Arc::new(action(self.0))
    }

    fn params(&self) -> Value {
        json!({ "through": "service/web", "port": "http", "probes": [{ "http": { "path": "/health", "bearer": "token" } }, { "tcp": {} }] })
    }

    fn secret(&self, name: &str) -> Option<String> {
        (name == "token").then(|| "t0ken".to_owned())
    }

    fn fingerprint(&self) -> BoxFuture<'_, String> {
        async { "nothing here can change".to_owned() }.boxed()
    }
}

struct Webs;

impl Stage for Webs {
    type World = Web;

    fn fresh(&self) -> BoxFuture<'_, Web> {
        async { Web(web().await) }.boxed()
    }
}

#[tokio::test]
async fn it_holds_what_every_action_must_hold() {
    assert_eq!(faults(&Webs).await, Vec::<String>::new());
}

/// Gives every secret, and lets nothing leave.
struct Alone;

impl Sink for Alone {
    fn progress(&self, _step: &StepId, _progress: Progress) {}

    fn secret(&self, _name: &str) -> BoxFuture<'static, Result<Secret, ActionError>> {
        async { Ok(Secret::new("t0ken".to_owned())) }.boxed()
    }
}

impl Effects for Alone {
    fn intend(&self, _intent: Intent, _effects: Vec<(EffectKey, Value)>) -> BoxFuture<'static, Result<Vec<ErasedTicket>, ActionError>> {
        async { Err(ActionError::permanent("a smoke test has no effects")) }.boxed()
    }

    fn effect(
        &self,
        _ticket: ErasedTicket,
        _future: BoxFuture<'static, Result<Value, EffectError>>,
    ) -> BoxFuture<'static, Result<Value, ActionError>> {
        async { Err(ActionError::permanent("a smoke test has no effects")) }.boxed()
    }
}

async fn test(params: Value) -> Result<Value, String> {
    let pod = web().await;
    let scope = Arc::new(Web(pod).scope());
    let cx = ReadCx {
        step: StepId::new("smoke").unwrap(),
        scope,
        frozen: Frozen::default(),
        cancel: CancellationToken::new(),
        sink: Arc::new(Alone),
    };
    let performed = DynAction::perform(&action(pod), cx, Arc::new(Alone), params).await;
    performed.map_err(|error| {
        let failure = error.into_failure();
        [vec![failure.message], failure.causes].concat().join("\n").replace(&pod.port().to_string(), "PORT")
    })
}

#[tokio::test]
async fn a_test_that_passes_names_its_probes() {
    let params = Web(web().await).params();
    assert_eq!(test(params).await.unwrap(), json!({ "passed": ["GET /health", "tcp"] }));
}

#[tokio::test]
async fn all_that_fails_is_told_at_once() {
    let probes = json!([
        { "http": { "path": "/health", "bearer": "token" } },
        { "http": { "path": "/streams" } },
        { "command": { "run": "echo no stream >&2; exit 1" } },
    ]);
    let told = test(json!({ "through": "service/web", "port": "http", "probes": probes })).await.unwrap_err();
    insta::assert_snapshot!(told, @"
    GET /streams: expected status 2xx, got 503 (up) (and 1 more)
    `echo no stream >&2; exit 1`: expected exit code 0, got 1 (no stream)
    the way to the pod broke: lost connection to pod web-0
    ");
    insta::assert_snapshot!(test(json!({ "through": "service/other", "probes": probes })).await.unwrap_err(), @"no such pod");
}

#[test]
fn mistakes_are_told_before_anything_is_asked() {
    let problems = |value: Value| {
        let params: SmokeTestParams = serde_json::from_value(value).unwrap();
        Action::problems(&action("127.0.0.1:1".parse().unwrap()), &params).join("\n")
    };
    let probes = json!([{ "http": { "path": "/health" } }]);
    insta::assert_snapshot!(problems(json!({ "probes": probes, "port": 80 })), @"
    `port` is the port for `through`, which is not given
    GET /health: `path` needs a place to start from: give the step `base` or `through`, or write `url`
    ");
    insta::assert_snapshot!(problems(json!({ "probes": [], "through": "service/web", "base": "http://a" })), @"
    `through` and `base` both say where a `path` leads: keep one
    there are no probes, so nothing would be tested
    ");
}
