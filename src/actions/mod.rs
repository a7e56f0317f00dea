//! The kinds of action, one file each. An action knows no engine and no plan text.

#[cfg(feature = "kubernetes")]
pub mod applied_by;
#[cfg(feature = "kubernetes")]
pub mod apply;
#[cfg(feature = "kubernetes")]
pub mod detect_colour;
#[cfg(feature = "kubernetes")]
mod kubernetes;
#[cfg(feature = "kubernetes")]
pub mod scale;
pub mod shell;
#[cfg(feature = "kubernetes")]
pub mod switch_ingress;
#[cfg(feature = "kubernetes")]
pub mod wait_healthy;
