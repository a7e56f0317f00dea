//! Servers of any protocol over TCP: whether somebody takes a connection. It knows no protocol.

use crate::ids::Period;
use futures::future::{BoxFuture, FutureExt};
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

/// Why nobody took a connection.
#[derive(Debug, thiserror::Error)]
#[error("{address}: {what}")]
pub struct TcpError {
    /// Who was asked, as `host:port`.
    pub address: String,
    /// `connection refused`, `no connection within 5s`, `there is no such host`.
    pub what: String,
}

/// Connects to servers.
pub trait Tcp: Send + Sync {
    /// Connects to `address`, written `host:port`, and closes the connection; says how long it took to be taken.
    fn connect(&self, address: &str, limit: Duration) -> BoxFuture<'static, Result<Duration, TcpError>>;
}

/// The network.
#[derive(Debug, Clone, Copy, Default)]
pub struct NetworkTcp;

impl Tcp for NetworkTcp {
    fn connect(&self, address: &str, limit: Duration) -> BoxFuture<'static, Result<Duration, TcpError>> {
        let address = address.to_owned();
        async move {
            let begun = Instant::now();
            let what = match timeout(limit, TcpStream::connect(&address)).await {
                Ok(Ok(_)) => return Ok(begun.elapsed()),
                Ok(Err(error)) => describe(&error),
                Err(_) => format!("no connection within {}", Period(limit)),
            };
            Err(TcpError { address, what })
        }
        .boxed()
    }
}

fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::InvalidInput => "not an address: write it as `host:port`".to_owned(),
        _ if error.to_string().contains("lookup address") => "there is no such host".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{NetworkTcp, Tcp};
    use std::time::Duration;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn a_listener_takes_a_connection_and_nobody_refuses_it() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        NetworkTcp.connect(&address, Duration::from_secs(5)).await.unwrap();
        drop(listener);
        let error = NetworkTcp.connect(&address, Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(error.to_string(), format!("{address}: connection refused"));
        let error = NetworkTcp.connect("nowhere", Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(error.to_string(), "nowhere: not an address: write it as `host:port`");
    }
}
