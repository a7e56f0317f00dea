//! A door on this machine's loopback that leads to a port of a pod, through the API server. It knows no protocol that goes through it.

use crate::cluster::through::{ChosenPod, Through, ThroughError};
use crate::ports::{Connected, Connection, Listener};
use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

/// Why there is no door.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// No pod or no port is behind it.
    #[error(transparent)]
    Through(#[from] ThroughError),
    /// This machine gives no port.
    #[error("cannot listen on the loopback address")]
    Listen(#[source] std::io::Error),
}

/// An open door. Dropping it closes it, and every connection through it.
pub struct Forward {
    address: SocketAddr,
    tunnel: Arc<Tunnel>,
    _accept: AbortOnDropHandle<()>,
}

impl Forward {
    /// Opens a door to `port` of a pod behind `through`: a number, a name, or the only sensible one. See [`Through::port`].
    /// A pod that goes away is replaced by another one for connections that come later.
    ///
    /// # Errors
    /// See [`ForwardError`].
    pub async fn open(connection: &Connection, namespace: &str, through: &Through, port: Option<&str>) -> Result<Self, ForwardError> {
        let chosen = through.choose(connection, namespace).await?;
        through.port(&chosen, port)?;
        let listener = connection.loopback.listen().await.map_err(ForwardError::Listen)?;
        let address = listener.address();
        let tunnel = Arc::new(Tunnel {
            connection: connection.clone(),
            namespace: namespace.to_owned(),
            through: through.clone(),
            port: port.map(str::to_owned),
            chosen: Mutex::new(chosen),
            trouble: Mutex::new(None),
        });
        let accept = tokio::spawn(accept(listener, tunnel.clone()));
        Ok(Self { address, tunnel, _accept: AbortOnDropHandle::new(accept) })
    }

    /// Where to connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The pod that connections lead to at the moment.
    pub fn pod(&self) -> String {
        lock(&self.tunnel.chosen).name.clone()
    }

    /// Why the last connection that broke did: what a client only sees as a closed connection.
    pub fn trouble(&self) -> Option<String> {
        lock(&self.tunnel.trouble).clone()
    }
}

struct Tunnel {
    connection: Connection,
    namespace: String,
    through: Through,
    port: Option<String>,
    chosen: Mutex<ChosenPod>,
    trouble: Mutex<Option<String>>,
}

async fn accept(listener: Box<dyn Listener>, tunnel: Arc<Tunnel>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(stream) => {
                    connections.spawn(carry(stream, tunnel.clone()));
                }
                Err(error) => tunnel.tell(format!("cannot accept a connection: {error}")),
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn carry(mut near: Box<dyn Connected>, tunnel: Arc<Tunnel>) {
    // Every connection gets a tunnel of its own, as every client of a Service gets a connection of its own.
    let (mut forwarder, port) = match tunnel.dig().await {
        Ok(dug) => dug,
        Err(why) => return tunnel.tell(why),
    };
    let (Some(mut far), Some(error)) = (forwarder.take_stream(port), forwarder.take_error(port)) else {
        return;
    };
    let refused = async {
        match error.await {
            Some(why) => why,
            // Without an error the channel just closes with the tunnel.
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        copied = tokio::io::copy_bidirectional(&mut near, &mut far) => {
            if let Err(error) = copied {
                tunnel.tell(error.to_string());
            }
        }
        why = refused => tunnel.tell(why),
    }
}

impl Tunnel {
    async fn dig(&self) -> Result<(kube::api::Portforwarder, u16), String> {
        let chosen = lock(&self.chosen).clone();
        match self.dig_to(&chosen).await {
            Ok(dug) => Ok(dug),
            Err(first) => {
                // The pod may be gone: another one of the same Service or workload does as well.
                let other = self.through.choose(&self.connection, &self.namespace).await.map_err(|error| format!("{first}; {error}"))?;
                let dug = self.dig_to(&other).await?;
                *lock(&self.chosen) = other;
                Ok(dug)
            }
        }
    }

    async fn dig_to(&self, chosen: &ChosenPod) -> Result<(kube::api::Portforwarder, u16), String> {
        let port = self.through.port(chosen, self.port.as_deref()).map_err(|error| error.to_string())?;
        let pods: Api<Pod> = Api::namespaced(self.connection.client.clone(), &self.namespace);
        let forwarder = pods.portforward(&chosen.name, &[port]).await.map_err(|error| format!("pod/{}: {error}", chosen.name))?;
        Ok((forwarder, port))
    }

    fn tell(&self, why: String) {
        *lock(&self.trouble) = Some(why);
    }
}

/// A panic of another holder leaves a value that is still whole here: each is replaced in one go.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
