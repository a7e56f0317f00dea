//! The channels of an exec in one WebSocket: what goes in, what comes out, how it ended. It knows no command.
//!
//! Reading and writing are separate: a command that ends without reading its input must not keep its end from being heard.
//! Source: `k8s.io/apimachinery/pkg/util/remotecommand`, subprotocol `v5.channel.k8s.io`.

use futures::sink::{Sink, SinkExt};
use futures::stream::{Stream, StreamExt};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::{Error, Message};

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
const CLOSE: u8 = 255;
/// Keeps what stands between from closing a connection that looks idle.
const PING: Duration = Duration::from_secs(30);
/// Bytes of input in one message.
const CHUNK: usize = 32 * 1024;

/// Takes what comes until the command has ended. Gives back how; an error says why that was not heard.
pub(super) async fn receive(
    mut socket: impl Stream<Item = Result<Message, Error>> + Unpin,
    mut stdout: impl AsyncWrite + Unpin,
    mut stderr: impl AsyncWrite + Unpin,
) -> Result<Status, String> {
    while let Some(message) = socket.next().await {
        let bytes = match message.map_err(|error| error.to_string())? {
            Message::Binary(bytes) if bytes.len() > 1 => bytes,
            _ => continue,
        };
        match bytes[0] {
            // Whoever no longer listens does not keep the end from being heard.
            STDOUT => drop(stdout.write_all(&bytes[1..]).await),
            STDERR => drop(stderr.write_all(&bytes[1..]).await),
            STATUS => return serde_json::from_slice(&bytes[1..]).map_err(|error| format!("its end cannot be read: {error}")),
            _ => {}
        }
    }
    Err("the connection was closed before its end was told".to_owned())
}

/// Sends input until it is over; then keeps the connection alive. Ends only with the connection.
pub(super) async fn send(
    mut socket: impl Sink<Message, Error = Error> + Unpin,
    mut stdin: Option<impl AsyncRead + Unpin>,
    tells_end: bool,
) {
    let mut pings = tokio::time::interval(PING);
    let mut chunk = vec![0; CHUNK + 1];
    loop {
        let message = match &mut stdin {
            None => {
                pings.tick().await;
                Message::Ping(bytes::Bytes::new())
            }
            Some(input) => tokio::select! {
                _ = pings.tick() => Message::Ping(bytes::Bytes::new()),
                read = input.read(&mut chunk[1..]) => match read {
                    Ok(count @ 1..) => {
                        chunk[0] = STDIN;
                        Message::binary(chunk[..=count].to_vec())
                    }
                    _ => {
                        stdin = None;
                        // The older protocol can only tell the end of the input by the end of everything.
                        if tells_end { Message::binary(vec![CLOSE, STDIN]) } else { Message::Close(None) }
                    }
                },
            },
        };
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{receive, send};
    use futures::channel::mpsc;
    use futures::sink::SinkExt;
    use futures::stream::{StreamExt, iter};
    use tokio_tungstenite::tungstenite::{Error, Message};

    fn message(channel: u8, text: &str) -> Result<Message, Error> {
        Ok(Message::binary([&[channel], text.as_bytes()].concat()))
    }

    #[tokio::test]
    async fn output_errors_and_end_are_told_apart() {
        let messages = vec![message(1, "out"), message(1, ""), message(2, "err"), message(1, "put"), message(3, r#"{"status":"Success"}"#)];
        let (mut out, mut errors) = (Vec::new(), Vec::new());
        let status = receive(iter(messages), &mut out, &mut errors).await.unwrap();
        assert_eq!(status.status.as_deref(), Some("Success"));
        assert_eq!((out.as_slice(), errors.as_slice()), (&b"output"[..], &b"err"[..]));
    }

    #[tokio::test]
    async fn a_connection_that_just_closes_tells_no_end() {
        let error = receive(iter(vec![message(1, "x")]), Vec::new(), Vec::new()).await.unwrap_err();
        insta::assert_snapshot!(error, @"the connection was closed before its end was told");
    }

    #[tokio::test(start_paused = true)]
    async fn input_is_sent_and_its_end_is_told() {
        let (sender, receiver) = mpsc::channel::<Message>(8);
        let sending = send(sender.sink_map_err(|_| Error::ConnectionClosed), Some(&b"hello"[..]), true);
        let wanted = async {
            let sent: Vec<Message> = receiver.filter(|message| std::future::ready(!message.is_ping())).take(2).collect().await;
            assert_eq!(sent[0].clone().into_data().as_ref(), b"\0hello");
            assert_eq!(sent[1].clone().into_data().as_ref(), [255, 0]);
        };
        futures::future::select(Box::pin(sending), Box::pin(wanted)).await;
    }
}
