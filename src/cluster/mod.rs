//! Kubernetes: reading, writing and taking back objects, judging their health, moving traffic, reaching pods. It knows no plan and no run.

pub mod exec;
pub mod forward;
pub mod through;
