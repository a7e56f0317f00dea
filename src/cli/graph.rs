//! `graph`: draws a plan's steps. It changes nothing.

use super::arguments::{Graph, GraphFormat};
use super::context::Context;
use super::exit::Exit;
use super::failure::CommandFailure;
use super::{open, print};
use crate::ids::StepId;
use crate::record::{Graph as Steps, Reversibility};
use crate::report::{dot, mermaid, tree};
use serde_json::json;

/// Draws a plan.
///
/// # Errors
/// When the plan does not fit together.
pub async fn graph(context: &Context, arguments: &Graph) -> Result<Exit, CommandFailure> {
    let opened = open::plan(context, &arguments.plan).await?;
    open::tell_warnings(context, &opened.plan);
    let (name, graph, staying) = (opened.plan.name.clone(), opened.plan.summary(), opened.plan.staying());
    // A picture can be as large as the plan, which nobody needs any more.
    drop(opened);
    let name = name.as_str();
    match (context.is_json(), arguments.format) {
        (true, _) | (_, GraphFormat::Json) => {
            let irreversible = irreversible(&graph);
            print::line(&json!({ "plan": name, "graph": graph, "irreversible": irreversible, "staying": staying }).to_string());
        }
        (false, GraphFormat::Mermaid) => print::line(&mermaid::write(name, &graph, &staying)),
        (false, GraphFormat::Dot) => print::line(&dot::write(name, &graph, &staying)),
        (false, GraphFormat::Tree) => {
            let paint = context.streams.paint();
            let lines: Vec<String> = tree::draw(name, &graph, &staying).lines().map(|line| paint.drawn(line)).collect();
            print::lines(&lines, context.streams.width);
        }
    }
    Ok(Exit::Succeeded)
}

/// The steps after which there is no way back for the whole plan.
fn irreversible(graph: &Steps) -> Vec<&StepId> {
    graph.steps.iter().filter(|step| step.reversibility == Reversibility::Irreversible).map(|step| &step.id).collect()
}
