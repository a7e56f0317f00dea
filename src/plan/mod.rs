//! What should happen: a plan's text, read and checked. It reads no files, runs nothing and knows no cluster.

mod decode;
mod problem;
mod source;
mod suggest;

pub use problem::{Problem, Problems};
pub use source::Source;
