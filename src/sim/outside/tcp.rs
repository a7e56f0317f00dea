//! Servers that take connections: those of the scenario, and ports that are listened on in this process. No network is reached.

use super::loopback::SimulatedLoopback;
use crate::ports::{Tcp, TcpError};
use crate::sim::shared::Shared;
use futures::future::{BoxFuture, FutureExt};
use std::sync::Arc;
use std::time::Duration;

/// The servers.
pub(in crate::sim) struct SimulatedTcp {
    pub(in crate::sim) shared: Arc<Shared>,
    pub(in crate::sim) loopback: SimulatedLoopback,
}

impl Tcp for SimulatedTcp {
    fn connect(&self, address: &str, _limit: Duration) -> BoxFuture<'static, Result<Duration, TcpError>> {
        let known = self.shared.with(|world| world.scenario.tcp.iter().any(|known| known == address));
        let answer = match known || self.loopback.connect(address).is_some() {
            true => Ok(Duration::from_millis(1)),
            false if SimulatedLoopback::is_here(address) => Err("connection refused".to_owned()),
            false => {
                let what = format!("not modelled: a connection to {address}; add it to `simulate.tcp`");
                self.shared.with(|world| world.note(&what));
                Err(what)
            }
        };
        let address = address.to_owned();
        std::future::ready(answer.map_err(|what| TcpError { address, what })).boxed()
    }
}
