//! Probes against a scripted server and real programs.

use super::{Outside, Probe, Setting, Verdict};
use crate::ports::{
    Http, HttpError, HttpRequest, HttpResponse, NetworkPostgres, NetworkTcp, NetworkTls, SystemClock, SystemNames, SystemProcesses,
};
use futures::future::{BoxFuture, FutureExt};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// Answers every request with one status, and keeps the requests; 0 is no answer.
struct Server(u16, Arc<Mutex<Vec<HttpRequest>>>);

impl Http for Server {
    fn send(&self, request: HttpRequest) -> BoxFuture<'static, Result<HttpResponse, HttpError>> {
        let (method, url) = (request.method.clone(), request.url.clone());
        self.1.lock().unwrap().push(request);
        let answer = match self.0 {
            0 => Err(HttpError { method, url, what: "no connection: connection refused".into(), sent: false }),
            status => Ok(HttpResponse { status, ..HttpResponse::default() }),
        };
        async { answer }.boxed()
    }
}

fn probe(value: Value) -> Probe {
    serde_json::from_value(value).unwrap()
}

async fn ask(value: Value, status: u16) -> (Verdict, Vec<HttpRequest>) {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let http = Arc::new(Server(status, requests.clone()));
    let outside = Outside {
        http,
        tcp: Arc::new(NetworkTcp),
        names: Arc::new(SystemNames),
        tls: Arc::new(NetworkTls),
        postgres: Arc::new(NetworkPostgres),
        processes: Arc::new(SystemProcesses),
        clock: Arc::new(SystemClock),
    };
    let secrets = [("api-token".to_owned(), "t0ken\n".to_owned())].into();
    let setting = Setting { base: Some("http://127.0.0.1:4000/api/".to_owned()), secrets };
    let verdict = probe(value).ask(&setting, &outside, &CancellationToken::new()).await;
    let requests = requests.lock().unwrap().clone();
    (verdict, requests)
}

fn failed(verdict: (Verdict, Vec<HttpRequest>)) -> String {
    match verdict.0 {
        Verdict::Failed(why) => why,
        Verdict::Passed => "passed".to_owned(),
    }
}

#[tokio::test]
async fn a_request_goes_where_the_probe_says_with_what_it_says() {
    let (verdict, requests) =
        ask(json!({ "http": { "path": "/health", "bearer": "api-token", "method": "POST", "body": { "a": 1 } } }), 204).await;
    assert_eq!(verdict, Verdict::Passed);
    let request = &requests[0];
    assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", "http://127.0.0.1:4000/api/health"));
    assert_eq!(request.body.as_deref(), Some(br#"{"a":1}"#.as_slice()));
    let header = |name: &str| request.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!((header("Authorization"), header("Content-Type")), (Some("Bearer t0ken"), Some("application/json")));
    assert!(request.fresh);
    let (_, requests) = ask(json!({ "http": { "url": "https://example.com/x", "body": "plain" } }), 200).await;
    assert_eq!(requests[0].url, "https://example.com/x");
    assert_eq!((requests[0].body.as_deref(), requests[0].headers.len()), (Some(b"plain".as_slice()), 0));
}

#[tokio::test]
async fn a_failed_probe_says_what_was_expected_and_what_came() {
    insta::assert_snapshot!(failed(ask(json!({ "http": { "path": "/health" } }), 503).await), @"expected status 2xx, got 503");
    insta::assert_snapshot!(failed(ask(json!({ "http": { "path": "/health" } }), 0).await), @"expected an answer, got none: no connection: connection refused");
    insta::assert_snapshot!(failed(ask(json!({ "http": { "path": "/", "bearer": "other" } }), 200).await), @"the secret `other` is not there");
    insta::assert_snapshot!(failed(ask(json!({ "command": { "run": "echo up; echo no database >&2; exit 2" } }), 0).await), @"expected exit code 0, got 2 (no database)");
    let expect = json!({ "stdout-contains": "ready", "json": { "$.n": 1 } });
    insta::assert_snapshot!(failed(ask(json!({ "command": { "run": ["echo", "{\"n\": 2}"], "expect": expect } }), 0).await), @r#"expected output with `ready`, got `{"n": 2}`; expected $.n = 1, got 2"#);
    insta::assert_snapshot!(failed(ask(json!({ "command": { "run": ["sleep", "600"], "timeout": "10ms" } }), 0).await), @"expected it to end within 10ms");
    insta::assert_snapshot!(failed(ask(json!({ "command": { "run": ["no-such-program-here"] } }), 0).await), @"cannot start `no-such-program-here`: No such file or directory (os error 2)");
}

#[tokio::test]
async fn a_program_gets_its_secrets() {
    let run = json!({ "command": { "run": "test $T = t0ken", "secrets": { "T": "api-token" } } });
    assert_eq!(probe(run.clone()).secrets(), ["api-token"]);
    assert_eq!(ask(run, 0).await.0, Verdict::Passed);
}

#[test]
fn mistakes_are_told_before_anything_is_asked() {
    let problems = |value: Value| probe(value).problems(false).join("\n");
    insta::assert_snapshot!(problems(json!({ "http": {} })), @"nothing says where to ask: write `url: https://…` or `path: /…`");
    insta::assert_snapshot!(problems(json!({ "http": { "path": "/x" } })), @"`path` needs a place to start from: give the step `base` or `through`, or write `url`");
    insta::assert_snapshot!(problems(json!({ "http": { "path": "/x", "url": "http://a", "bearer": "t", "headers": { "authorization": "x" } } })), @"
    `url` and `path` both say where to ask: keep one
    `bearer`, `basic` and the header `Authorization` are the same: keep one
    ");
    insta::assert_snapshot!(serde_json::from_value::<Probe>(json!({ "http": { "paht": "/" } })).unwrap_err(), @"unknown field `paht`, expected one of `url`, `path`, `method`, `headers`, `body`, `bearer`, `basic`, `secret-headers`, `tries`, `timeout`, `expect`");
}

#[tokio::test]
async fn passwords_and_keys_come_from_secrets() {
    let (verdict, requests) = ask(
        json!({ "http": { "path": "/", "basic": { "user": "ann", "password": "api-token" }, "secret-headers": { "X-Api-Key": "api-token" } } }),
        200,
    )
    .await;
    assert_eq!(verdict, Verdict::Passed);
    let header = |name: &str| requests[0].headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    assert_eq!((header("X-Api-Key"), header("Authorization")), (Some("t0ken"), Some("Basic YW5uOnQwa2Vu")));
    let mut probe = probe(json!({ "http": { "path": "/", "bearer": "a", "basic": { "user": "ann", "password": "b" }, "tries": 0 } }));
    insta::assert_snapshot!(probe.problems(true).join("\n"), @r"
    `bearer`, `basic` and the header `Authorization` are the same: keep one
    `tries` is from 1 to 1000: a smoke test is no load test
    ");
    assert_eq!(probe.secrets(), ["a", "b"]);
    probe = self::probe(json!({ "http": { "path": "/", "expect": { "percentile": 95 } } }));
    assert_eq!(probe.problems(true).len(), 2);
}

#[tokio::test]
async fn many_tries_are_many_requests_and_one_bad_answer_ends_them() {
    let (verdict, requests) =
        ask(json!({ "http": { "path": "/", "tries": 20, "expect": { "latency": "1s", "percentile": 95 } } }), 200).await;
    assert_eq!((verdict, requests.len()), (Verdict::Passed, 20));
    let answer = ask(json!({ "http": { "path": "/", "tries": 20 } }), 500).await;
    assert_eq!(answer.1.len(), 1);
    insta::assert_snapshot!(failed(answer), @"try 1 of 20: expected status 2xx, got 500");
}

#[tokio::test]
async fn a_name_stands_for_addresses() {
    assert_eq!(ask(json!({ "dns": { "name": "localhost" } }), 200).await.0, Verdict::Passed);
    let other = json!({ "dns": { "name": "localhost", "expect": { "addresses": ["192.0.2.1"] } } });
    assert!(failed(ask(other, 200).await).starts_with("expected 192.0.2.1, got "));
    let wrong = probe(json!({ "dns": { "name": "http://x", "expect": { "addresses": ["ten"], "only": true } } }));
    insta::assert_snapshot!(wrong.problems(false).join("\n"), @r"
    `http://x` is not a host's name
    `ten` is not an IP address
    ");
}
