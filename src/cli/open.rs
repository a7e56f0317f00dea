//! From a plan's file to a checked plan with its inputs and files. It starts nothing.

use super::arguments::PlanChoice;
use super::context::Context;
use super::exit::Exit;
use super::failure::{CommandFailure, Diagnosis};
use super::freeze::{self, Contents};
use super::{diagnostic, inputs, print, printed};
use crate::action::{Finding, Prepared, RunScope};
use crate::expr::Values;
use crate::ids::{RunId, StepId};
use crate::plan::{BindProblem, BindProblems, Bound, MOST_BYTES, Plan, Problem, Problems, Source, check, check_begun};
use crate::report::called::quoted;
use miette::Diagnostic;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most warnings that a run begins with.
const MENTIONED: usize = 3;

/// A plan that fits together.
pub struct OpenedPlan {
    /// The plan.
    pub plan: Arc<Plan>,
    /// Its text, and what it is called.
    pub source: Source,
    /// Its file, from the root, so that it is found again from anywhere.
    pub file: PathBuf,
}

/// Reads and checks a plan, and tells its warnings.
///
/// # Errors
/// When the file cannot be read, or the plan does not fit together.
pub async fn plan(context: &Context, path: &Path) -> Result<OpenedPlan, CommandFailure> {
    let source = source(context, path).await?;
    let plan = check(&source, &context.registry).map_err(|problems| faulty(context, &problems))?;
    opened(path, source, plan)
}

/// As [`plan()`], and looks at the files that the plan names: what is wrong with them is told with all else.
///
/// # Errors
/// As [`plan()`], and when a file is missing or is no manifest.
pub async fn plan_with_files(context: &Context, path: &Path) -> Result<OpenedPlan, CommandFailure> {
    let source = source(context, path).await?;
    let folder = path.parent().unwrap_or(Path::new("")).to_owned();
    let files = &*context.ports.files;
    match check(&source, &context.registry) {
        Ok(mut plan) => {
            let (contents, faults) = freeze::look_at(files, &folder, &plan.files).await;
            let found = plan.looked_into(&context.registry, &nowhere(&plan)?, &freeze::frozen(&contents));
            let more = Problems::of_files(&source, &faults, &found).map_err(|problems| faulty(context, &problems))?;
            plan.warnings.extend(more);
            opened(path, source, plan)
        }
        Err(problems) => {
            let (_, faults) = freeze::look_at(files, &folder, &problems.files).await;
            Err(faulty(context, &problems.with_files(&source, &faults)))
        }
    }
}

fn opened(path: &Path, source: Source, plan: Plan) -> Result<OpenedPlan, CommandFailure> {
    let file = std::path::absolute(path).map_err(|error| cannot_read(path).because(&error))?;
    Ok(OpenedPlan { plan: Arc::new(plan), source, file })
}

/// Whose run it is before anybody says where it is to be: nothing that is found in files depends on that.
fn nowhere(plan: &Plan) -> Result<RunScope, CommandFailure> {
    Ok(RunScope { run: unseen()?, plan: plan.name.clone(), environment: None, namespace: None, context: None })
}

/// The id of no run: it is never seen.
fn unseen() -> Result<RunId, CommandFailure> {
    RunId::new("run").map_err(|error| CommandFailure::new(Exit::Internal, error.to_string()))
}

fn cannot_read(path: &Path) -> CommandFailure {
    CommandFailure::usage(format!("cannot read the plan {}", path.display()))
}

/// Reads a plan's text. What is too large is not read.
async fn source(context: &Context, path: &Path) -> Result<Source, CommandFailure> {
    let name = path.display().to_string();
    if let Some(size) = context.ports.files.size(path).await.filter(|size| *size > MOST_BYTES) {
        return Err(faulty(context, &Source::too_large(name, size)));
    }
    let bytes = context.ports.files.read(path).await.map_err(|error| {
        let failure = cannot_read(path).because(&error.source);
        match error.source.kind() {
            ErrorKind::IsADirectory => failure.hint("name the plan's file, not its folder"),
            ErrorKind::NotFound => failure.hint("the path is taken from the folder in which you are"),
            _ => failure,
        }
    })?;
    Source::from_bytes(name, bytes).map_err(|problems| faulty(context, &problems))
}

/// Reads the text of a plan that was begun.
///
/// # Errors
/// When it cannot be carried out.
pub fn begun(context: &Context, name: &str, text: &str) -> Result<Plan, CommandFailure> {
    check_begun(&Source::new(name, text), &context.registry).map_err(|problems| faulty(context, &problems))
}

fn faulty(context: &Context, problems: &Problems) -> CommandFailure {
    let mut failure = CommandFailure::usage(problems.to_string());
    failure.diagnostic = Some(Box::new(Diagnosis {
        text: rendered(context, problems),
        is_drawn: true,
        problems: problems.iter().map(|problem| problem.to_json()).collect(),
    }));
    failure
}

/// Tells what is worth a look although the plan can run, with all that is known of it.
pub fn tell_warnings(context: &Context, warnings: &[Problem]) {
    if context.is_json() {
        return;
    }
    for warning in warnings {
        print::notice(rendered(context, warning).trim_end());
    }
}

/// The same in a line each, for who wants something else: `validate` tells the rest.
pub fn mention_warnings(context: &Context, plan: &Plan, file: &Path) {
    if context.is_json() || plan.warnings.is_empty() {
        return;
    }
    let mut lines: Vec<String> = plan.warnings.iter().take(MENTIONED).map(|warning| format!("warning: {}", warning.line())).collect();
    let more = plan.warnings.len().saturating_sub(MENTIONED);
    let more = if more > 0 { format!("and {more} more; ") } else { String::new() };
    lines.push(format!("  {more}what to write instead: `bowline validate {}`", quoted(&file.display().to_string())));
    print::notices(&lines, context.streams);
}

/// Tells with what of its plan nobody would begin now: a step of a run that goes on may fail for it.
pub fn mention_judged(context: &Context, plan: &Plan, run: &RunId) {
    let judged: Vec<_> = plan.warnings.iter().filter(|warning| warning.is_judged).collect();
    if context.is_json() || judged.is_empty() {
        return;
    }
    let mut lines: Vec<String> = judged.iter().take(MENTIONED).map(|warning| format!("warning: {}", warning.line())).collect();
    lines.push(format!("  a step may fail for that, and the run goes back then; `bowline rollback {run}` takes it back now"));
    print::notices(&lines, context.streams);
}

/// Binds a plan to an environment and inputs.
///
/// # Errors
/// When a value is missing or does not fit.
pub async fn bound(context: &Context, plan: &Plan, choice: &PlanChoice) -> Result<Bound, CommandFailure> {
    let given = inputs::given(context, &choice.input, choice.inputs.as_deref()).await?;
    let mut bound = plan.bind(choice.environment.as_deref(), &given).map_err(|problems| misfit(&choice.plan, &problems))?;
    for (chosen, of_environment) in [(&choice.context, &mut bound.context), (&choice.namespace, &mut bound.namespace)] {
        if chosen.is_some() {
            of_environment.clone_from(chosen);
        }
    }
    Ok(bound)
}

/// Inputs that do not fit a plan.
pub fn misfit(file: &Path, problems: &BindProblems) -> CommandFailure {
    let mut failure = CommandFailure::usage(problems.to_string());
    let mut lines = vec![format!("error: {problems}")];
    for BindProblem { message, help } in &problems.problems {
        lines.push(format!("  {message}"));
        lines.extend(help.as_ref().map(|help| format!("    help: {help}")));
    }
    let each = |problem: &BindProblem| {
        json!({
            "file": file.display().to_string(), "line": null, "column": null, "severity": "error",
            "code": "plan::inputs", "message": problem.message, "help": problem.help,
        })
    };
    let told = problems.problems.iter().map(each).collect();
    failure.diagnostic = Some(Box::new(Diagnosis { text: lines.join("\n"), is_drawn: false, problems: told }));
    failure
}

/// The plan with the steps that its inputs ask for.
///
/// # Errors
/// When they cannot tell steps apart.
pub fn spread(plan: Plan, file: &str, inputs: &Value) -> Result<Plan, CommandFailure> {
    plan.spread(inputs).map_err(|problems| misfit(Path::new(file), &problems))
}

impl OpenedPlan {
    /// Binds the plan to an environment and inputs. From here on it has all its steps.
    ///
    /// # Errors
    /// When a value is missing or does not fit.
    pub async fn bound(&mut self, context: &Context, choice: &PlanChoice) -> Result<Bound, CommandFailure> {
        let bound = bound(context, &self.plan, choice).await?;
        if !self.plan.is_spread() {
            let plan = Plan::clone(&self.plan);
            self.plan = Arc::new(spread(plan, &choice.plan.display().to_string(), &bound.inputs)?);
        }
        Ok(bound)
    }

    /// Reads every file that the plan names. What is worth a look in them joins the plan's warnings.
    ///
    /// # Errors
    /// When one cannot be read, or a step does not fit the inputs.
    pub async fn files(&mut self, context: &Context, bound: &Bound) -> Result<Contents, CommandFailure> {
        // Which files are read does not depend on the run.
        let scope = scope(&self.plan, bound, unseen()?);
        let sources = self.plan.sources(&context.registry, bound, &scope).map_err(|problems| misfit(&self.file, &problems))?;
        let folder = self.file.parent().unwrap_or(Path::new("/"));
        let contents = freeze::freeze(&*context.ports.files, folder, &sources).await?;
        let faults = freeze::unreadable(&contents);
        if !faults.is_empty() {
            let mut failure = CommandFailure::usage("manifests that the plan names cannot be read");
            failure.causes = faults;
            return Err(failure);
        }
        let mut found = self.plan.unanswerable(bound, &scope);
        if !contents.is_empty() {
            found.extend(self.found(context, bound, &scope, &contents)?);
        }
        let told = Problems::of_files(&self.source, &[], &found).map_err(|problems| faulty(context, &problems))?;
        let is_new = |warning: &Problem| !self.plan.warnings.iter().any(|known| known.is_like(warning));
        let new: Vec<Problem> = told.into_iter().filter(is_new).collect();
        if !new.is_empty() {
            Arc::make_mut(&mut self.plan).warnings.extend(new);
        }
        Ok(contents)
    }

    /// Looks at conditions with the inputs that are known, though others are missing.
    ///
    /// # Errors
    /// When one has no answer.
    pub fn known(&self, context: &Context, choice: &PlanChoice) -> Result<(), CommandFailure> {
        let known = self.plan.known(choice.environment.as_deref(), &BTreeMap::new()).map_err(|problems| misfit(&self.file, &problems))?;
        let told = Problems::of_files(&self.source, &[], &self.plan.unanswerable_so_far(&known));
        told.map(drop).map_err(|problems| faulty(context, &problems))
    }

    /// What the actions find in the files.
    fn found(
        &self,
        context: &Context,
        bound: &Bound,
        scope: &RunScope,
        contents: &Contents,
    ) -> Result<Vec<(StepId, Finding)>, CommandFailure> {
        // With the files known, more steps say what they write.
        let frozen = freeze::frozen(contents);
        let prepared = self.plan.prepared(&context.registry, bound, scope, &frozen).map_err(|problems| misfit(&self.file, &problems))?;
        let of_step = |(id, prepared): (StepId, Prepared)| prepared.findings.into_iter().map(move |finding| (id.clone(), finding));
        Ok(prepared.into_iter().flat_map(of_step).collect())
    }

    /// Runs every program whose output the plan reads, and keeps that.
    ///
    /// # Errors
    /// When one fails, or a step does not fit the inputs.
    pub async fn printed(&self, context: &Context, bound: &Bound) -> Result<Contents, CommandFailure> {
        let scope = scope(&self.plan, bound, unseen()?);
        let commands = self.plan.commands(&context.registry, bound, &scope).map_err(|problems| misfit(&self.file, &problems))?;
        let folder = self.file.parent().unwrap_or(Path::new("/"));
        printed::printed(&*context.ports.processes, folder, commands).await
    }
}

/// Whose run it is, and where it works.
pub fn scope(plan: &Plan, bound: &Bound, run: RunId) -> RunScope {
    RunScope {
        run,
        plan: plan.name.clone(),
        environment: bound.environment.clone(),
        namespace: bound.namespace.clone(),
        context: bound.context.clone(),
    }
}

/// What a plan's expressions see before any step is done.
pub fn values(plan: &Plan, inputs: &Value, scope: &RunScope) -> Values {
    Values {
        inputs: inputs.clone(),
        steps: json!({}),
        run: json!({ "id": scope.run.as_str(), "plan": plan.name.as_str(), "environment": scope.environment }),
        each: Value::Null,
    }
}

fn rendered(context: &Context, diagnostic: &dyn Diagnostic) -> String {
    diagnostic::rendered(diagnostic, context.streams.colour, context.streams.width_err)
}
