//! The kinds of action that this program has, one file each.

pub mod redact;
pub mod shell;
