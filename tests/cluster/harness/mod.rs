//! The real cluster for tests: one for the whole test process, a namespace for each test, load that counts failures.
//! Knows nothing of bowline: what is tested is started with [`Cluster::command`], like any other program.

#![allow(dead_code, unused_imports, reason = "no test uses all of it")]

mod cluster;
mod keeper;
mod load;
mod namespace;

pub use cluster::{Cluster, Skip};
pub use load::{Load, LoadReport};
pub use namespace::Namespace;
