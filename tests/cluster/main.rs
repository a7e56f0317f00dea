//! bowline on a real Kubernetes. One cluster serves the suite; each test has a namespace of its own.

#![allow(clippy::print_stderr, reason = "a skipped test says why")]

mod actions;
mod broken;
mod conformance;
mod deploy;
mod edits;
mod faults;
mod harness;
mod kills;
mod locks;
mod objects;
mod others;
mod plans;
mod preview;
mod restore;
mod routes;
mod same_words;
mod secrets;
mod stage;
mod table;
mod world;

/// Gives the cluster, or says why the test is skipped and ends it.
#[macro_export]
macro_rules! cluster {
    () => {
        match $crate::harness::Cluster::shared() {
            Ok(cluster) => cluster,
            Err(skip) => {
                eprintln!("skipped: {}", skip.0);
                return;
            }
        }
    };
}
