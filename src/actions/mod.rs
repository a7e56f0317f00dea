//! The kinds of action that this program has, one file each.

pub mod shell;
