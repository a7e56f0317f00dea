//! The kinds of action, one file each. An action knows no engine and no plan text.

#[cfg(feature = "kubernetes")]
pub mod applied_by;
#[cfg(feature = "kubernetes")]
pub mod apply;
pub mod backup;
#[cfg(feature = "kubernetes")]
pub mod delete;
#[cfg(feature = "kubernetes")]
pub mod detect_colour;
#[cfg(feature = "kubernetes")]
pub mod exec;
#[cfg(feature = "kubernetes")]
mod fillings;
#[cfg(feature = "kubernetes")]
pub mod job;
#[cfg(feature = "kubernetes")]
mod kubernetes;
#[cfg(feature = "kubernetes")]
mod named;
#[cfg(feature = "kubernetes")]
mod naming;
#[cfg(feature = "kubernetes")]
mod object_condition;
#[cfg(feature = "kubernetes")]
pub mod patch;
#[cfg(feature = "kubernetes")]
mod patching;
pub mod pods;
pub mod port_name;
pub mod postgres;
#[cfg(feature = "kubernetes")]
mod readers;
mod registry;
#[cfg(feature = "kubernetes")]
mod repeated;
pub mod restore;
#[cfg(feature = "kubernetes")]
pub mod scale;
#[cfg(feature = "kubernetes")]
mod sent;
pub mod shell;
#[cfg(feature = "kubernetes")]
mod side_by_side;
pub mod smoke_test;
#[cfg(feature = "kubernetes")]
pub mod switch_ingress;
#[cfg(all(test, feature = "kubernetes"))]
mod test_world;
#[cfg(feature = "kubernetes")]
mod texts;
#[cfg(feature = "kubernetes")]
pub mod wait_for;
#[cfg(feature = "kubernetes")]
pub mod wait_healthy;
#[cfg(feature = "kubernetes")]
mod written;

#[cfg(feature = "kubernetes")]
pub use registry::needs_cluster;
pub use registry::{Places, registry};
