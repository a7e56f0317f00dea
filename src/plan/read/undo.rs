//! Reads how a step is taken back.

use super::meant::as_yaml;
use super::{Mention, Named, Reader};
use crate::expr::yaml::{Entry, Kind, Node};
use crate::expr::{Template, Text};
use crate::ids::ActionKind;
use crate::plan::Undo;
use crate::plan::suggest::instead_key;

const SHAPE: &str = "write `undo: { none: why }` if there is nothing to take back, else a list of actions: `undo: [{ shell: { run: … } }]`";

/// What people write who mean that there is nothing to do.
const NOTHING: [&str; 5] = ["none", "nothing", "no", "never", "skip"];

impl Reader<'_, '_> {
    pub(super) fn undo(&mut self, node: &Node, mentions: &mut Vec<Mention>, secrets: &mut Vec<Named>) -> Undo {
        match &node.kind {
            Kind::Map(entries) if self.is_one_action(entries) => {
                let help = format!("write it as a list: `undo: [{{ {}: … }}]`", entries[0].key);
                self.notes.error("plan::wrong-type", &node.label, "`undo` takes a list of actions").help(help);
                Undo::Steps(self.undo_step(node, mentions, secrets).into_iter().collect())
            }
            Kind::Map(entries) => self.nothing(node, entries),
            Kind::Text(text) if !text.trim().is_empty() && !NOTHING.contains(&text.as_str()) && !Text::is_template(text) => {
                let help = match as_yaml(text) {
                    Some(text) => format!("write `undo: [{{ shell: {{ run: {text} }} }}]` if a program takes it back"),
                    None => SHAPE.to_owned(),
                };
                self.notes.error("plan::wrong-type", &node.label, "`undo` takes a list of actions").help(help);
                unclear()
            }
            Kind::List(items) if !items.is_empty() => {
                Undo::Steps(items.iter().filter_map(|item| self.undo_step(item, mentions, secrets)).collect())
            }
            _ => self.no_undo(node),
        }
    }

    fn is_one_action(&self, entries: &[Entry]) -> bool {
        matches!(entries, [entry] if self.registry.get(&entry.key).is_some())
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
            self.notes.error("plan::unknown-action", &entry.key_span, message).help(instead_key(&entry.key, "actions", known));
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
