//! bowline runs deployment plans written in YAML, and takes back what it did when one cannot finish.

pub mod action;
pub mod actions;
pub mod archive;
#[cfg(feature = "terminal")]
pub mod cli;
#[cfg(feature = "kubernetes")]
pub mod cluster;
pub mod engine;
pub mod event;
pub mod expr;
#[cfg(test)]
mod house;
pub mod ids;
pub mod journal;
pub mod plan;
pub mod ports;
pub mod probe;
pub mod record;
pub mod report;
pub mod scenario;
#[cfg(feature = "kubernetes")]
pub mod sim;
