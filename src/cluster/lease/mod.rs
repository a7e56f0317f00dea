//! A Lease that says who may write for a plan: taken, renewed, given up, and judged. It knows no journal and decides for nobody.
//!
//! The times in a Lease are for people. Whether its holder lives is judged by watching whether it changes, by this machine's own count of
//! time: clocks that are wrong change nothing.

mod claim;
mod hold;
mod vigil;

pub use claim::{Claim, is_resting, lease_name};
pub use hold::{Give, Lease, TakeError, give};
pub use vigil::{QUIET_FOR, Sight, Vigil, Watched, watch};

use std::time::Duration;

/// How long a Lease is said to last after its last renewal.
pub const LASTS: Duration = Duration::from_secs(15);
/// How often it is renewed.
pub const RENEW_EVERY: Duration = Duration::from_secs(5);
/// How long after the last renewal its holder may still begin to write.
pub const WRITE_FOR: Duration = Duration::from_secs(10);
