//! Checks that the steps of a plan fit together, and makes the checked plan. It reads no YAML.

mod advice;
mod build;
mod clash;
mod each;
mod guards;
mod manifest;
mod names;
mod order;
mod outputs;
mod pivot;
mod references;
mod repair;
mod syntax;

pub(super) use order::graph_of;

use super::Source;
use super::Undo;
use super::model::Does;
use super::model::Plan;
use super::problem::{Notes, Problems};
use super::read::{Draft, Head, Reader};
use crate::action::Registry;
use crate::expr::place::byte_at;
use crate::expr::yaml::{self, Kind, Listed, SyntaxError};
use crate::record::Reversibility;
use std::collections::HashSet;
use std::ops::Range;

/// Most templates without quotes that are told at once: after each the text is read again.
const MOST_UNQUOTED: usize = 20;
/// Of a plan with more bytes than this only the first is told: reading it takes its time.
const LARGE: usize = 1 << 20;

/// Reads and checks a plan.
///
/// # Errors
/// Everything that is wrong with it.
pub fn check(source: &Source, registry: &Registry) -> Result<Plan, Problems> {
    check_with(source, registry, Notes::new)
}

/// As [`check`], for a plan that was begun: what is only told so that nobody begins with it is a warning. A run must not be left where it is
/// because a later bowline knows better.
///
/// # Errors
/// What keeps it from being carried out.
pub fn check_begun(source: &Source, registry: &Registry) -> Result<Plan, Problems> {
    check_with(source, registry, Notes::of_begun)
}

fn check_with<'s>(source: &'s Source, registry: &Registry, notes: fn(&'s Source) -> Notes<'s>) -> Result<Plan, Problems> {
    if let Some((kind, span)) = manifest::kind_of(&source.text) {
        return Err(no_plan(source, &kind, &span));
    }
    let start = || Reader::new(registry, notes(source));
    let Listed { root, made: mut reader, duplicates } =
        yaml::parse_listed(&source.text, "steps", start, Reader::take_step).map_err(|error| no_yaml(source, &error))?;
    for duplicate in duplicates {
        reader.notes.error("plan::duplicate-key", &duplicate.span, "this key stands here twice").help("remove one of the two");
    }
    if root.kind == Kind::Null {
        let problem = reader.notes.error("plan::empty", &root.label, "there is no plan in this file");
        problem.help("begin with `plan: my-service`, then list its `steps:`");
        return Err(reader.notes.finish().expect_err("a mistake was noted just now"));
    }
    let (head, drafts) = reader.plan(&root);
    Checker { registry, notes: reader.notes, head, drafts, used: HashSet::new() }.run()
}

fn no_plan(source: &Source, kind: &str, span: &Range<usize>) -> Problems {
    // What stands around it may be a Secret's.
    let line_start = source.text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let above: String = source.text[..line_start].chars().filter(|c| *c == '\n').collect();
    let line = source.text[line_start..].lines().next().unwrap_or_default();
    let bare = Source::new(&source.name, above + line);
    let start = bare.text.len() - line.len();
    let mut notes = Notes::new(&bare);
    let problem =
        notes.error("plan::manifest", &(start..start + span.len()), format!("this is a Kubernetes manifest (kind {kind}) and no plan"));
    problem.help(manifest::help(&source.name));
    notes.finish().expect_err("a mistake was noted just now")
}

fn no_yaml(source: &Source, error: &SyntaxError) -> Problems {
    let mut notes = Notes::new(source);
    notes.mask_secrets();
    let (mut mended, mut error) = (None::<String>, Some(error.clone()));
    let most = if source.text.len() > LARGE { 1 } else { MOST_UNQUOTED };
    for _ in 0..most {
        let Some(found) = error.take() else { break };
        let text = mended.as_deref().unwrap_or(&source.text);
        let Some((help, quoted)) = syntax::unquoted(text, &found) else {
            // What was mended above it keeps its line.
            let (words, help) = syntax::told(text, &found);
            let at =
                if mended.is_none() { found.span.clone() } else { one_at(&source.text, byte_at(&source.text, found.line, found.column)) };
            notes.error("plan::syntax", &at, words).help(help);
            break;
        };
        let at = byte_at(&source.text, found.line, 1) + quoted.at - byte_at(text, found.line, 1);
        notes.error("plan::syntax", &one_at(&source.text, at), "a template has no quotes, so that YAML reads a mapping here").help(help);
        error = yaml::parse(&quoted.text).err();
        mended = Some(quoted.text);
    }
    notes.finish().expect_err("a mistake was noted just now")
}

/// The character that stands here; of a line that was put together from several the place is not always one.
fn one_at(text: &str, at: usize) -> Range<usize> {
    let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    at..at + text[at..].chars().next().map_or(0, char::len_utf8)
}

struct Checker<'r, 's> {
    registry: &'r Registry,
    notes: Notes<'s>,
    head: Head,
    drafts: Vec<Draft>,
    /// The inputs that some expression names.
    used: HashSet<String>,
}

impl Checker<'_, '_> {
    fn run(mut self) -> Result<Plan, Problems> {
        let names = self.names();
        let guards = self.guard_sets(&names);
        let order = self.order(&names, &guards);
        self.check_simulated(&names);
        self.check_items();
        self.check_locks();
        self.check_references(&names, order.as_ref());
        if let Some(order) = &order {
            self.check_guards(&guards, order);
            // With two steps of one name it is not known which of them is meant to come after what.
            if names.are_clear() {
                self.check_pivot(order, &guards);
                self.check_clashes(order);
            }
        }
        self.warn_unused();
        let Checker { notes, head, drafts, .. } = self;
        let files = drafts.iter().flat_map(Draft::named_files).collect();
        let warnings = match notes.finish() {
            Ok(warnings) => warnings,
            Err(mut problems) => {
                problems.files = files;
                return Err(problems);
            }
        };
        let order = order.expect("a plan without mistakes has an order");
        Ok(Plan { files, ..build::plan(head, drafts, names, &order, &guards, warnings) }.spread_known())
    }
}

/// How far a step can be taken back: what its action says, and what the plan adds.
fn reversibility(draft: &Draft) -> Reversibility {
    let own = match (&draft.does, &draft.prepared) {
        (Some(Does::Action(_)), Some(prepared)) => prepared.reversibility,
        (Some(Does::Action(_)), None) => Reversibility::Reversible,
        _ => Reversibility::ReadOnly,
    };
    match (own, &draft.undo) {
        (Reversibility::ReadOnly, _) => Reversibility::ReadOnly,
        (_, Undo::Nothing { .. }) => Reversibility::Reversible,
        (_, Undo::Steps(_)) => Reversibility::Compensable,
        (Reversibility::Compensable | Reversibility::Irreversible, Undo::ByAction) => Reversibility::Irreversible,
        (Reversibility::Reversible, Undo::ByAction) => Reversibility::Reversible,
    }
}

/// True when a rollback has something to do for a step.
fn has_effects(draft: &Draft) -> bool {
    // What is written may stand in files that nobody has read yet.
    let writes = match &draft.prepared {
        Some(prepared) if prepared.kept => false,
        Some(prepared) => !prepared.targets.is_empty() || prepared.reads_files,
        None => true,
    };
    match reversibility(draft) {
        Reversibility::Compensable => true,
        Reversibility::Reversible => writes && draft.undo == Undo::ByAction,
        Reversibility::ReadOnly | Reversibility::Irreversible => false,
    }
}
