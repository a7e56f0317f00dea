//! Ports of a loopback address that is no machine's: who connects to one reaches whoever listens on it, within this process.

use crate::ports::{Connected, Listener, Loopback};
use futures::future::{BoxFuture, FutureExt};
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Bytes that are on their way at most.
const PIPE: usize = 64 * 1024;
/// The first port that is given.
const FIRST: u16 = 40_000;

type Doors = Arc<Mutex<BTreeMap<u16, UnboundedSender<DuplexStream>>>>;

/// The ports that are listened on. Clones share them.
#[derive(Debug, Clone, Default)]
pub(in crate::sim) struct SimulatedLoopback(Doors);

impl SimulatedLoopback {
    /// True when somebody listens there, or did.
    pub(super) fn is_here(address: &str) -> bool {
        address.parse::<SocketAddr>().is_ok_and(|address| address.ip() == Ipv4Addr::LOCALHOST && address.port() >= FIRST)
    }

    /// Connects; none when nobody listens.
    pub(super) fn connect(&self, address: &str) -> Option<DuplexStream> {
        let address: SocketAddr = address.parse().ok()?;
        let (near, far) = duplex(PIPE);
        let doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        doors.get(&address.port())?.send(far).ok()?;
        Some(near)
    }
}

impl Loopback for SimulatedLoopback {
    fn listen(&self) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let (sender, receiver) = unbounded_channel();
        let mut doors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let port = (FIRST..u16::MAX).find(|port| !doors.contains_key(port));
        let listener = port.map(|port| {
            doors.insert(port, sender);
            Box::new(Door { port, doors: Arc::clone(&self.0), arrivals: tokio::sync::Mutex::new(receiver) }) as Box<dyn Listener>
        });
        std::future::ready(listener.ok_or_else(|| io::Error::from(io::ErrorKind::AddrInUse))).boxed()
    }
}

struct Door {
    port: u16,
    doors: Doors,
    arrivals: tokio::sync::Mutex<UnboundedReceiver<DuplexStream>>,
}

impl Listener for Door {
    fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    fn accept(&self) -> BoxFuture<'_, io::Result<Box<dyn Connected>>> {
        async {
            match self.arrivals.lock().await.recv().await {
                Some(stream) => Ok(Box::new(stream) as Box<dyn Connected>),
                None => std::future::pending().await,
            }
        }
        .boxed()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.doors.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.port);
    }
}
