//! `graph`: draws a plan's steps. It changes nothing.

use super::arguments::{Graph, GraphFormat};
use super::context::Context;
use super::exit::Exit;
use super::failure::CommandFailure;
use super::{inputs, open, print};
use crate::ids::StepId;
use crate::plan::Plan;
use crate::record::{Graph as Steps, Reversibility};
use crate::report::tree::Remarks;
use crate::report::{dot, mermaid, tree};
use serde_json::json;

/// Draws a plan: every step that a run would have, as far as the inputs are known.
///
/// # Errors
/// When the plan does not fit together, or an input that is given does not fit.
pub async fn graph(context: &Context, arguments: &Graph) -> Result<Exit, CommandFailure> {
    let opened = open::plan(context, &arguments.plan).await?;
    let spread = spread(context, arguments, &opened.plan).await?;
    let plan = spread.as_ref().unwrap_or(&opened.plan);
    let (name, graph) = (plan.name.clone(), plan.summary());
    let remarks = Remarks { staying: plan.staying(), spreading: plan.spreading() };
    // A picture can be as large as the plan, which nobody needs any more.
    drop((spread, opened));
    let name = name.as_str();
    match (context.is_json(), arguments.format) {
        (true, _) | (_, GraphFormat::Json) => {
            let irreversible = irreversible(&graph);
            let Remarks { staying, spreading } = &remarks;
            let told = json!({ "plan": name, "graph": graph, "irreversible": irreversible, "staying": staying, "for-each": spreading });
            print::line(&told.to_string());
        }
        (false, GraphFormat::Mermaid) => print::line(&mermaid::write(name, &graph, &remarks)),
        (false, GraphFormat::Dot) => print::line(&dot::write(name, &graph, &remarks)),
        (false, GraphFormat::Tree) => {
            let paint = context.streams.paint();
            tree::draw(name, &graph, &remarks, context.streams.width).iter().for_each(|line| print::line(&paint.drawn(line)));
        }
    }
    Ok(Exit::Succeeded)
}

/// The plan with the steps that its inputs ask for, as far as they are given or have defaults; none when it has them already.
async fn spread(context: &Context, arguments: &Graph, plan: &Plan) -> Result<Option<Plan>, CommandFailure> {
    let given = inputs::given(context, &arguments.input, arguments.inputs.as_deref()).await?;
    let known = plan.known(arguments.environment.as_deref(), &given).map_err(|problems| open::misfit(&arguments.plan, &problems))?;
    if plan.is_spread() {
        return Ok(None);
    }
    match plan.clone().spread(&known) {
        Ok(plan) => Ok(Some(plan)),
        // Defaults that lack an item are nobody's mistake: a run may be given others.
        Err(_) if given.is_empty() && arguments.environment.is_none() => Ok(None),
        Err(problems) => Err(open::misfit(&arguments.plan, &problems)),
    }
}

/// The steps after which there is no way back for the whole plan.
fn irreversible(graph: &Steps) -> Vec<&StepId> {
    graph.steps.iter().filter(|step| step.reversibility == Reversibility::Irreversible).map(|step| &step.id).collect()
}
