//! Reads how a step is taken back.

use super::{Mention, Named, Reader};
use crate::expr::Template;
use crate::expr::yaml::{Entry, Kind, Node};
use crate::ids::ActionKind;
use crate::plan::Undo;
use crate::plan::suggest::instead;

const SHAPE: &str =
    "write `undo: { none: why there is nothing to take back }`, or a list of actions such as `undo: [{ shell: { run: … } }]`";

impl Reader<'_, '_> {
    pub(super) fn undo(&mut self, node: &Node, mentions: &mut Vec<Mention>, secrets: &mut Vec<Named>) -> Undo {
        match &node.kind {
            Kind::Map(entries) => self.nothing(node, entries),
            Kind::List(items) if !items.is_empty() => {
                Undo::Steps(items.iter().filter_map(|item| self.undo_step(item, mentions, secrets)).collect())
            }
            _ => self.no_undo(node),
        }
    }

    fn no_undo(&mut self, node: &Node) -> Undo {
        self.notes.error("plan::wrong-type", &node.label, "this does not say how the step is taken back").help(SHAPE);
        unclear()
    }

    fn nothing(&mut self, node: &Node, entries: &[Entry]) -> Undo {
        match entries {
            [Entry { key, value: Node { kind: Kind::Text(why), .. }, .. }] if key == "none" && !why.trim().is_empty() => {
                Undo::Nothing { why: why.clone() }
            }
            [Entry { key, value, .. }] if key == "none" => {
                let problem = self.notes.error("plan::missing-key", &value.label, "say why there is nothing to take back");
                problem.help("write for example `undo: { none: sends a message }`");
                unclear()
            }
            _ => self.no_undo(node),
        }
    }

    fn undo_step(&mut self, item: &Node, mentions: &mut Vec<Mention>, secrets: &mut Vec<Named>) -> Option<(ActionKind, Template)> {
        let [entry] = item.entries() else {
            self.notes.error("plan::wrong-type", &item.label, "each of these is a mapping with one action").help(SHAPE);
            return None;
        };
        let Some(action) = self.registry.get(&entry.key).cloned() else {
            let known: Vec<&str> = self.registry.iter().map(|action| action.kind()).collect();
            let message = format!("there is no action `{}`", entry.key);
            self.notes.error("plan::unknown-action", &entry.key_span, message).help(instead(&entry.key, "actions", known));
            return None;
        };
        let template = self.params(&*action, &entry.value, mentions, secrets)?;
        Some((ActionKind::new(&entry.key).ok()?, template))
    }
}

/// What stands for an `undo` that is told already: with it a step is no pivot, whatever was meant.
fn unclear() -> Undo {
    Undo::Nothing { why: String::new() }
}
