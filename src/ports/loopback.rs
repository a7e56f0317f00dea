//! This machine's loopback address, to listen on. It knows nothing of what comes in.

use futures::future::{BoxFuture, FutureExt};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

/// A connection that came in.
pub trait Connected: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connected for T {}

/// A port that is listened on, for as long as this lives.
pub trait Listener: Send + Sync {
    /// Where to connect.
    fn address(&self) -> SocketAddr;
    /// Waits for a connection.
    fn accept(&self) -> BoxFuture<'_, io::Result<Box<dyn Connected>>>;
}

/// Gives ports to listen on.
pub trait Loopback: Send + Sync {
    /// Takes a free port.
    fn listen(&self) -> BoxFuture<'static, io::Result<Box<dyn Listener>>>;
}

/// This machine's.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLoopback;

impl Loopback for SystemLoopback {
    fn listen(&self) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
            let address = listener.local_addr()?;
            Ok(Box::new(Bound { listener, address }) as Box<dyn Listener>)
        }
        .boxed()
    }
}

struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

impl Listener for Bound {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn accept(&self) -> BoxFuture<'_, io::Result<Box<dyn Connected>>> {
        async { Ok(Box::new(self.listener.accept().await?.0) as Box<dyn Connected>) }.boxed()
    }
}
