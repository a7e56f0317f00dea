//! What host names stand for, as this machine resolves them. It knows no record types.

use crate::ids::Period;
use futures::future::{BoxFuture, FutureExt};
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::timeout;

/// Why a name stands for nothing.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {what}")]
pub struct NameError {
    /// The name.
    pub name: String,
    /// `there is no such host`, `no answer within 5s`.
    pub what: String,
}

/// Looks names up.
pub trait Names: Send + Sync {
    /// The addresses that a name stands for: at least one.
    fn look_up(&self, name: &str, limit: Duration) -> BoxFuture<'static, Result<Vec<IpAddr>, NameError>>;
}

/// The resolver of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNames;

impl Names for SystemNames {
    fn look_up(&self, name: &str, limit: Duration) -> BoxFuture<'static, Result<Vec<IpAddr>, NameError>> {
        let name = name.to_owned();
        async move {
            let what = match timeout(limit, tokio::net::lookup_host((name.as_str(), 0))).await {
                Ok(Ok(found)) => match found.map(|address| address.ip()).collect::<Vec<_>>() {
                    none if none.is_empty() => "there is no such host".to_owned(),
                    found => return Ok(found),
                },
                // The resolver's own words differ from system to system.
                Ok(Err(_)) => "there is no such host".to_owned(),
                Err(_) => format!("no answer within {}", Period(limit)),
            };
            Err(NameError { name, what })
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::{Names, SystemNames};
    use std::time::Duration;

    #[tokio::test]
    async fn this_machine_knows_itself() {
        let found = SystemNames.look_up("localhost", Duration::from_secs(5)).await.unwrap();
        assert!(found.iter().all(|address| address.is_loopback()) && !found.is_empty(), "{found:?}");
    }
}
