//! What should happen: a plan's text, read and checked. It reads no files, runs nothing and knows no cluster.

mod bind;
mod check;
mod clash;
mod conditions;
mod decode;
mod demands;
mod found;
mod graph;
mod items;
mod model;
mod problem;
mod read;
mod schema;
mod source;
mod spread;
mod suggest;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod written;

pub use bind::{BindProblem, BindProblems, Bound};
pub use check::{check, check_begun};
pub use demands::{Demand, Demands};
pub use found::Places;
pub use model::{Does, Environment, Family, ForEach, Input, InputType, Item, Items, NamedFile, Plan, SecretSource, Step, Undo};
pub use problem::{Problem, Problems};
pub use schema::schema;
pub use source::{MOST_BYTES, Source};
pub use written::KubernetesSecret;
