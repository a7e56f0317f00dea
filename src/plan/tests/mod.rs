//! What validating says, kind of mistake by kind of mistake, and what a checked plan holds.

mod graph;
mod mistakes;
mod whole;
