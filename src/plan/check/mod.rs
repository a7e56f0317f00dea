//! Checks that the steps of a plan fit together, and makes the checked plan. It reads no YAML.

mod build;
mod guards;
mod names;
mod order;
mod outputs;
mod pivot;
mod references;

use super::Source;
use super::Undo;
use super::model::Does;
use super::model::Plan;
use super::problem::{Notes, Problems};
use super::read::{Draft, Head, Reader};
use crate::action::Registry;
use crate::expr::yaml::{self, Kind};
use crate::record::Reversibility;

/// Reads and checks a plan.
///
/// # Errors
/// Everything that is wrong with it.
pub fn check(source: &Source, registry: &Registry) -> Result<Plan, Problems> {
    let mut notes = Notes::new(source);
    let root = match yaml::parse(&source.text) {
        Ok((root, duplicates)) => {
            for duplicate in duplicates {
                notes.error("plan::duplicate-key", &duplicate.span, "this key stands here twice").help("remove one of the two");
            }
            root
        }
        Err(error) => {
            mask_secrets(&mut notes);
            let tabs = error.message.contains("tabs disallowed");
            let problem = notes.error("plan::syntax", &error.span, format!("this is not YAML: {}", error.message));
            if tabs {
                problem.help("YAML is indented with blanks: write two instead of each tab");
            }
            return Err(notes.finish().expect_err("a mistake was noted just now"));
        }
    };
    if root.kind == Kind::Null {
        notes
            .error("plan::empty", &root.label, "there is no plan in this file")
            .help("begin with `plan: my-service`, then list its `steps:`");
        return Err(notes.finish().expect_err("a mistake was noted just now"));
    }
    let mut reader = Reader::new(registry, notes);
    let (head, drafts) = reader.plan(&root);
    Checker { registry, notes: reader.notes, head, drafts }.run()
}

/// Hides the lines below `secrets:` of a text that is not YAML: what they hold cannot be told.
fn mask_secrets(notes: &mut Notes<'_>) {
    let (mut inside, mut start) = (false, 0);
    for line in notes.source.text.split_inclusive('\n') {
        let is_key = line.starts_with(|first: char| !first.is_whitespace() && !matches!(first, '#' | '}'));
        inside = if is_key { line.starts_with("secrets") } else { inside };
        if let Some(colon) = line.find(':').filter(|_| inside) {
            notes.mask(&(start + colon + 1..start + line.trim_end().len().max(colon + 1)));
        } else if inside {
            notes.mask(&(start..start + line.trim_end().len()));
        }
        start += line.len();
    }
}

struct Checker<'r, 's> {
    registry: &'r Registry,
    notes: Notes<'s>,
    head: Head,
    drafts: Vec<Draft>,
}

impl Checker<'_, '_> {
    fn run(mut self) -> Result<Plan, Problems> {
        let names = self.names();
        let guards = self.guard_sets(&names);
        let order = self.order(&names, &guards);
        self.check_references(&names, order.as_ref());
        if let Some(order) = &order {
            self.check_guards(&guards, order);
            // With two steps of one name it is not known which of them is meant to come after what.
            if names.0.len() == self.drafts.iter().filter(|draft| draft.id.is_some()).count() {
                self.check_pivot(order);
            }
        }
        let Checker { notes, head, drafts, .. } = self;
        let warnings = notes.finish()?;
        let order = order.expect("a plan without mistakes has an order");
        Ok(build::plan(head, drafts, &order, &guards, warnings))
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
        Some(prepared) => !prepared.targets.is_empty() || !prepared.sources.is_empty(),
        None => true,
    };
    match reversibility(draft) {
        Reversibility::Compensable => true,
        Reversibility::Reversible => writes && draft.undo == Undo::ByAction,
        Reversibility::ReadOnly | Reversibility::Irreversible => false,
    }
}
