//! The far ends of connections into pods: a program that runs, a port that answers. It knows no API server.

use super::answers::{self, Question, Reply};
use super::processes::{find, rule_for, takes, title};
use crate::ports::Clock;
use crate::sim::rules::images;
use crate::sim::shared::Shared;
use futures::sink::SinkExt;
use futures::stream::StreamExt;
use serde_json::{Value, json};
use std::fmt::Write as _;
use tokio::io::DuplexStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, Message};

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
const CLOSE: u8 = 255;
/// The channels of a port that is forwarded.
const DATA: u8 = 0;
const TROUBLE: u8 = 1;
/// Bytes of output in one message.
const CHUNK: usize = 32 * 1024;

type Socket = WebSocketStream<DuplexStream>;

/// A program to run in a pod.
pub(in crate::sim) struct Command {
    pub(in crate::sim) words: Vec<String>,
    pub(in crate::sim) container: Option<String>,
    pub(in crate::sim) reads: bool,
}

/// Runs a program in a pod to its end.
pub(in crate::sim) async fn exec(shared: &Shared, pod: &Value, command: &Command, mut socket: Socket) -> Result<(), Error> {
    let input = if command.reads { read_input(&mut socket).await? } else { Vec::new() };
    let input = String::from_utf8_lossy(&input).into_owned();
    let image = image(pod, command.container.as_deref());
    let rule = shared.with(|world| world.scenario.image(&image).and_then(|rule| find(&rule.exec, &command.words, &input)).cloned());
    let status = match rule {
        Some(rule) => {
            shared.clock.sleep(takes(&rule)).await;
            print(&mut socket, STDOUT, &rule.stdout).await?;
            print(&mut socket, STDERR, &rule.stderr).await?;
            end(rule.exit_code)
        }
        None => {
            let reads = if input.trim().is_empty() { String::new() } else { format!(" reading `{}`", title(&[input.trim().to_owned()])) };
            let what = format!(
                "not modelled: `{}`{reads}; add `{}` to `exec` of the image `{image}` in `simulate.images`",
                title(&command.words),
                rule_for(&command.words)
            );
            shared.with(|world| world.note(&what));
            // A runtime's words for a program that it could not start: nothing was done.
            json!({ "metadata": {}, "status": "Failure", "reason": "InternalError", "message": format!("failed to exec in container: {what}"), "code": 500 })
        }
    };
    socket.send(message(STATUS, status.to_string().as_bytes())).await?;
    socket.close(None).await
}

/// The image of a container; of the first one when none is named.
fn image(pod: &Value, container: Option<&str>) -> String {
    let containers = pod["spec"]["containers"].as_array();
    let named = containers.into_iter().flatten().find(|known| container.is_some() && known["name"].as_str() == container);
    match named {
        Some(container) => container["image"].as_str().unwrap_or_default().to_owned(),
        None => images(pod).next().unwrap_or_default().to_owned(),
    }
}

async fn read_input(socket: &mut Socket) -> Result<Vec<u8>, Error> {
    let mut input = Vec::new();
    while let Some(message) = socket.next().await {
        match message? {
            Message::Binary(bytes) if bytes.first() == Some(&STDIN) => input.extend_from_slice(&bytes[1..]),
            Message::Binary(bytes) if bytes.as_ref() == [CLOSE, STDIN] => return Ok(input),
            Message::Close(_) => return Ok(input),
            _ => {}
        }
    }
    Ok(input)
}

async fn print(socket: &mut Socket, channel: u8, text: &str) -> Result<(), Error> {
    for chunk in text.as_bytes().chunks(CHUNK) {
        socket.send(message(channel, chunk)).await?;
    }
    Ok(())
}

fn message(channel: u8, bytes: &[u8]) -> Message {
    Message::binary([&[channel], bytes].concat())
}

fn end(code: i32) -> Value {
    match code {
        0 => json!({ "metadata": {}, "status": "Success" }),
        code => json!({
            "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
            "message": format!("command terminated with non-zero exit code: exit status {code}"),
            "details": { "causes": [{ "reason": "ExitCode", "message": code.to_string() }] },
        }),
    }
}

/// Answers what comes in for a port of a pod.
pub(in crate::sim) async fn forward(shared: &Shared, pod: &Value, port: u16, mut socket: Socket) -> Result<(), Error> {
    for channel in [DATA, TROUBLE] {
        socket.send(message(channel, &port.to_le_bytes())).await?;
    }
    let mut seen = Vec::new();
    while let Some(incoming) = socket.next().await {
        match incoming? {
            Message::Binary(bytes) if bytes.first() == Some(&DATA) => seen.extend_from_slice(&bytes[1..]),
            Message::Close(_) => break,
            _ => {}
        }
        while let Some(question) = take_request(&mut seen) {
            // Only what runs by now can answer.
            let reply =
                shared.with(|world| match world.store.all().values().any(|live| live["metadata"]["uid"] == pod["metadata"]["uid"]) {
                    true => answers::of_pod(world, pod, &question).map_err(|what| format!("not modelled: {what}")),
                    false => Err("the pod is gone".to_owned()),
                });
            match reply {
                Ok(reply) => {
                    shared.clock.sleep(reply.takes).await;
                    socket.send(message(DATA, &written(&reply))).await?;
                }
                Err(what) => {
                    shared.with(|world| world.note(&what));
                    socket.send(message(TROUBLE, what.as_bytes())).await?;
                    return socket.close(None).await;
                }
            }
        }
    }
    Ok(())
}

/// Takes a whole request out of what has come in; none while a part of it is missing.
fn take_request(seen: &mut Vec<u8>) -> Option<Question> {
    let end = seen.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&seen[..end]).into_owned();
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let length = lines.filter_map(|line| line.split_once(':')).find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or(0);
    if seen.len() < end + length {
        return None;
    }
    seen.drain(..end + length);
    Some(Question { method, path: path.split('?').next().unwrap_or_default().to_owned() })
}

fn written(reply: &Reply) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {} \r\ncontent-length: {}\r\n", reply.status, reply.body.len());
    for (name, value) in &reply.headers {
        // Writing to a text does not fail.
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head.push_str("\r\n");
    [head.into_bytes(), reply.body.clone()].concat()
}

#[cfg(test)]
mod tests {
    use super::{Question, take_request};

    #[test]
    fn a_request_is_taken_when_it_is_whole() {
        let whole = b"POST /a?b=c HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.1\r\n";
        let mut seen = whole[..whole.len() - 20].to_vec();
        assert_eq!(take_request(&mut seen), None);
        let mut seen = whole.to_vec();
        assert_eq!(take_request(&mut seen), Some(Question { method: "POST".into(), path: "/a".into() }));
        assert_eq!(seen, b"GET / HTTP/1.1\r\n");
        assert_eq!(take_request(&mut seen), None);
    }
}
