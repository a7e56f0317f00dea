//! Kubernetes: reading, writing and taking back objects, judging their health, moving traffic, reaching pods. It knows no plan and no run.

pub mod answer;
pub mod api;
pub mod diff;
mod discovery;
pub mod evict;
pub mod evidence;
pub mod exec;
pub mod fence;
pub mod forward;
pub mod health;
pub mod hidden;
pub mod images;
pub mod kinds;
pub mod lease;
pub mod logs;
pub mod object;
pub mod request;
pub mod rights;
pub mod selector;
pub mod superseded;
#[cfg(test)]
pub(crate) mod test_server;
pub mod through;
pub mod tracked;
pub mod traffic;
pub mod unchanged;
pub mod undo;
pub mod watch;
pub mod write;

pub use answer::{ApiError, Class};
pub use api::{Cluster, Clusters};
pub use kinds::Kind;
pub use object::{Object, Reference};
pub use request::{Address, Manner, Written};
