//! What validating says, kind of mistake by kind of mistake, and what a checked plan holds.

mod advice;
mod causes;
mod each;
mod graph;
mod meant;
mod page;
mod pieces;
mod steps;
mod together;
mod whole;

/// A plan with these steps and a few inputs.
fn with(steps: &str) -> String {
    format!("plan: p\ninputs:\n  version: {{}}\n  replicas: {{ type: integer, default: 2 }}\nsteps:\n{steps}")
}
