//! `validate`: tells everything that is wrong with a plan. It changes nothing.

use super::arguments::Validate;
use super::context::Context;
use super::exit::Exit;
use super::failure::CommandFailure;
use super::{open, print};
use crate::plan::{Does, Input, Plan};
use crate::report::words;
use serde_json::json;

/// Checks a plan; also its inputs and files, when it is said where it would run or it needs no more to be known.
///
/// # Errors
/// When it cannot run.
pub async fn validate(context: &Context, arguments: &Validate) -> Result<Exit, CommandFailure> {
    let mut opened = open::plan_with_files(context, &arguments.choice.plan).await?;
    open::tell_warnings(context, &opened.plan.warnings);
    let told = opened.plan.warnings.len();
    let asked = arguments.choice.environment.is_some() || !arguments.choice.input.is_empty() || arguments.choice.inputs.is_some();
    let checked = match opened.bound(context, &arguments.choice).await {
        Ok(bound) => {
            opened.files(context, &bound).await?;
            open::tell_warnings(context, &opened.plan.warnings[told..]);
            true
        }
        Err(failure) if asked => return Err(failure),
        Err(_) => {
            opened.known(context, &arguments.choice)?;
            false
        }
    };
    let name = arguments.choice.plan.display().to_string();
    if context.is_json() {
        let warnings: Vec<_> = opened.plan.warnings.iter().map(|warning| warning.to_json()).collect();
        print::line(
            &json!({ "plan": opened.plan.name, "file": name, "valid": true, "inputs-checked": checked, "problems": warnings, "staying": opened.plan.staying() })
                .to_string(),
        );
        return Ok(Exit::Succeeded);
    }
    if context.common.quiet {
        return Ok(Exit::Succeeded);
    }
    let steps = opened.plan.steps.iter().filter(|step| !matches!(step.does, Does::Guard { .. })).count();
    let note = if checked { String::new() } else { unchecked(&opened.plan) };
    let mut lines = vec![format!("{name} is valid: {}{note}", words::count(steps, "step", "steps"))];
    for (step, why) in opened.plan.staying() {
        lines.push(format!("  {step} stays when the rest is taken back: {}", words::plain(&why)));
    }
    print::lines(&lines, context.streams.width);
    Ok(Exit::Succeeded)
}

/// What was not looked at, and what has to be said for it: no more than is missing.
fn unchecked(plan: &Plan) -> String {
    let is_missing = |name: &String, input: &Input| {
        let given_everywhere = !plan.environments.is_empty() && plan.environments.values().all(|there| there.inputs.contains_key(name));
        input.required && input.default.is_none() && !given_everywhere
    };
    let missing = plan.inputs.iter().any(|(name, input)| is_missing(name, input));
    let what = match (plan.environments.is_empty(), missing) {
        (true, _) => "say what its inputs are, with `--input`",
        (false, true) => "say where it would run, with `--environment`, and what its inputs are, with `--input`",
        (false, false) => "say where it would run, with `--environment`",
    };
    format!("; its inputs, and files that depend on them, were not looked at: {what}")
}
