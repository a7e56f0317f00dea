//! MAKING it happen: the pure core decides, the driver carries out. It knows no Kubernetes and no terminal.

pub mod core;
