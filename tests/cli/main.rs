//! The program as people and scripts meet it: exit codes, signals, locks, a full disk. No cluster is needed.

mod bench;
mod doubt;
mod full;
mod locks;
mod plans;
mod signals;
