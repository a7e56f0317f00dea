//! The real network port against listeners on this machine.

use super::{Http, HttpError, HttpRequest, HttpResponse, NetworkHttp};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a server does with one connection.
#[derive(Debug, Clone, Copy)]
enum Manner {
    Answer(&'static str),
    Silent,
    Reset,
}

struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    heard: Arc<std::sync::Mutex<String>>,
}

async fn server(manner: Manner) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server { address: listener.local_addr().unwrap(), connections: Arc::default(), heard: Arc::default() };
    let (connections, heard) = (server.connections.clone(), server.heard.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(stream, manner, heard.clone()));
        }
    });
    server
}

async fn serve(mut stream: TcpStream, manner: Manner, heard: Arc<std::sync::Mutex<String>>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        heard.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..count]));
        match manner {
            Manner::Answer(text) => stream.write_all(text.as_bytes()).await.unwrap(),
            Manner::Silent => {}
            Manner::Reset => {
                stream.set_zero_linger().unwrap();
                return;
            }
        }
    }
}

fn get(url: impl Into<String>) -> HttpRequest {
    HttpRequest { method: "GET".into(), url: url.into(), timeout: Duration::from_secs(5), ..HttpRequest::default() }
}

async fn send(request: HttpRequest) -> Result<HttpResponse, HttpError> {
    NetworkHttp::default().send(request).await
}

const OK: Manner = Manner::Answer("HTTP/1.1 200 OK\r\nX-Colour: Green\r\ncontent-length: 2\r\n\r\nhi");

#[tokio::test]
async fn an_answer_comes_whole_and_the_request_as_it_was_given() {
    let server = server(OK).await;
    let request = HttpRequest {
        method: "POST".into(),
        headers: vec![("Host".into(), "shop.example".into()), ("Authorization".into(), "Bearer t".into())],
        body: Some(b"question".to_vec()),
        ..get(format!("http://{}/x?y=1", server.address))
    };
    let answer = send(request).await.unwrap();
    assert_eq!((answer.status, answer.body.as_slice()), (200, b"hi".as_slice()));
    assert!(answer.headers.contains(&("x-colour".into(), "Green".into())));
    let heard = server.heard.lock().unwrap().to_lowercase();
    assert!(heard.starts_with("post /x?y=1 http/1.1\r\n"), "{heard}");
    assert!(
        heard.contains("\r\nhost: shop.example\r\n") && heard.contains("\r\nauthorization: bearer t\r\n") && heard.ends_with("question")
    );
    assert_eq!(heard.matches("\r\nhost:").count(), 1);
}

#[tokio::test]
async fn a_redirect_is_an_answer_like_any_other() {
    let server = server(Manner::Answer("HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n")).await;
    let answer = send(get(format!("http://{}/", server.address))).await.unwrap();
    assert_eq!(answer.status, 302);
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn only_a_fresh_request_has_a_connection_of_its_own() {
    for (fresh, connections) in [(false, 1), (true, 3)] {
        let server = server(OK).await;
        let network = NetworkHttp::default();
        for _ in 0..3 {
            network.send(HttpRequest { fresh, ..get(format!("http://{}/", server.address)) }).await.unwrap();
        }
        assert_eq!(server.connections.load(Ordering::SeqCst), connections, "fresh: {fresh}");
    }
}

#[tokio::test]
async fn a_body_has_its_limit() {
    // An endless body: the server goes on as long as it is read from.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&[b'x'; 64 * 1024]).await.is_ok() {}
    });
    let answer = send(get(format!("http://{address}/"))).await.unwrap();
    assert_eq!(answer.body.len(), 4 * 1024 * 1024);
}

fn told(result: Result<HttpResponse, HttpError>, port: u16) -> String {
    let error = result.unwrap_err();
    format!("{} (sent: {})", error.to_string().replace(&format!(":{port}/"), ":PORT/"), error.sent)
}

#[tokio::test]
async fn a_refused_connection_was_never_sent_and_its_url_tells_no_secret() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let refused = send(get(format!("http://me:hunter2@127.0.0.1:{port}/health?token=hunter2"))).await;
    insta::assert_snapshot!(told(refused, port), @"GET http://127.0.0.1:PORT/health: no connection: connection refused (sent: false)");
}

#[tokio::test]
async fn silence_and_a_cut_connection_may_have_arrived() {
    let silent = server(Manner::Silent).await.address;
    let request = HttpRequest { timeout: Duration::from_millis(50), ..get(format!("http://{silent}/")) };
    insta::assert_snapshot!(told(send(request).await, silent.port()), @"GET http://127.0.0.1:PORT/: no answer within 50ms (sent: true)");
    let reset = server(Manner::Reset).await.address;
    insta::assert_snapshot!(told(send(get(format!("http://{reset}/"))).await, reset.port()), @"GET http://127.0.0.1:PORT/: no whole answer: connection reset (sent: true)");
    let short = server(Manner::Answer("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n")).await.address;
    let request = HttpRequest { timeout: Duration::from_millis(200), ..get(format!("http://{short}/")) };
    insta::assert_snapshot!(told(send(request).await, short.port()), @"GET http://127.0.0.1:PORT/: no answer within 200ms (sent: true)");
}

#[tokio::test]
async fn what_is_no_http_request_is_refused_before_it_is_sent() {
    insta::assert_snapshot!(told(send(get("ftp://x/y?token=hunter2")).await, 0), @"GET ftp://x/y: not an http url (sent: false)");
    let broken = HttpRequest { headers: vec![("x".into(), "hunter2\n".into())], ..get("http://127.0.0.1:1/") };
    insta::assert_snapshot!(told(send(broken).await, 1), @"GET http://127.0.0.1:PORT/: a header's name or value is not allowed (sent: false)");
}
