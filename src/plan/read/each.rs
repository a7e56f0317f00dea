//! Reads what a step is there once for, and what it must not run beside. It knows no value of an input.

use super::{Draft, Mention, Named, Reader};
use crate::expr::yaml::{Kind, Node};
use crate::expr::{Text, Wanted};
use crate::plan::decode::decode_as;
use crate::plan::items;
use crate::plan::model::{Item, Items, NamedFile};
use serde_json::Value;
use std::collections::HashMap;
use std::ops::Range;

const SHAPE: &str = "write a list, a mapping, or one input: `for-each: '{{ inputs.regions }}'`";

/// A `for-each` as it is written.
pub(in crate::plan) struct EachDraft {
    pub(in crate::plan) items: Items,
    pub(in crate::plan) span: Range<usize>,
    /// Not all of its items could be read.
    is_broken: bool,
}

impl Reader<'_, '_> {
    pub(super) fn for_each(&mut self, node: &Node, mentions: &mut Vec<Mention>) -> EachDraft {
        let before = self.notes.count();
        let items = match &node.kind {
            Kind::Text(text) if Text::is_template(text) => self.items_of_input(node, text, mentions),
            Kind::List(nodes) => self.items_of_list(node, nodes),
            Kind::Map(_) => self.items_of_map(node),
            _ => {
                let message = format!("expected the items that this step is there for, found {}", node.describe());
                self.notes.error("plan::for-each", &node.label, message).help(SHAPE);
                None
            }
        };
        let is_broken = self.notes.count() > before;
        match items {
            Some(items) => EachDraft { items, span: node.label.clone(), is_broken },
            None => EachDraft::unknown(&node.label),
        }
    }

    /// One input as it is: anything else in the template would have to be worked out before the graph is known.
    fn items_of_input(&mut self, node: &Node, text: &str, mentions: &mut Vec<Mention>) -> Option<Items> {
        let parsed = Text::parse(text).ok();
        let references = parsed.as_ref().map(Text::references).unwrap_or_default();
        if let [reference] = references
            && let [root, name] = reference.path.as_slice()
            && root == "inputs"
            && parsed.as_ref().is_some_and(Text::is_plain)
        {
            mentions.push(Mention {
                span: node.label.clone(),
                reference: reference.clone(),
                in_condition: false,
                compared: None,
                wanted: Wanted::Any,
                is_step: false,
            });
            return Some(Items::Input(name.clone()));
        }
        let message = "the items must be known when the run opens";
        self.notes.error("plan::for-each", &node.label, message).help(SHAPE);
        None
    }

    fn items_of_list(&mut self, node: &Node, nodes: &[Node]) -> Option<Items> {
        let mut seen: HashMap<String, Range<usize>> = HashMap::new();
        let mut found = Vec::with_capacity(nodes.len());
        for item in nodes {
            let value = decode_as::<Value>(item).value.unwrap_or_default();
            let named = match (&item.kind, &item.written) {
                (Kind::Text(text), _) if Text::is_template(text) => Err("a template cannot name a step".to_owned()),
                // As it is written: `1.10` is not `1.1` in an id.
                (Kind::Number(_), Some(written)) => items::check(written.clone()),
                _ => items::key(&value),
            };
            match named {
                Ok(key) if seen.contains_key(&key) => {
                    let problem = self.notes.error("plan::for-each", &item.label, format!("the item `{key}` stands here twice"));
                    problem.also(&seen[&key], "the first").help("remove one of the two");
                }
                Ok(key) => {
                    seen.insert(key.clone(), item.label.clone());
                    found.push(Item { key, value });
                }
                Err(why) => {
                    self.notes.error("plan::for-each", &item.label, why).help(items::HELP);
                }
            }
        }
        self.some(node, nodes.len(), found)
    }

    fn items_of_map(&mut self, node: &Node) -> Option<Items> {
        self.refuse_templates(node);
        let mut found = Vec::new();
        for entry in node.entries() {
            let value = decode_as::<Value>(&entry.value).value.unwrap_or_default();
            match items::check(entry.key.clone()) {
                Ok(key) => found.push(Item { key, value }),
                Err(why) => {
                    self.notes.error("plan::for-each", &entry.key_span, why).help(items::HELP);
                }
            }
        }
        self.some(node, node.entries().len(), found)
    }

    fn some(&mut self, node: &Node, count: usize, found: Vec<Item>) -> Option<Items> {
        if count == 0 {
            self.notes.error("plan::for-each", &node.label, "there is no item, so there would be no step").help(SHAPE);
        }
        (count > 0).then_some(Items::Known(found))
    }

    /// `max-parallel` says something about `for-each` only.
    pub(super) fn check_max_parallel(&mut self, node: &Node) {
        for entry in node.entries().iter().filter(|entry| entry.key == "max-parallel" && node.get("for-each").is_none()) {
            let problem = self.notes.error("plan::key-not-here", &entry.key_span, "`max-parallel` means nothing without `for-each`");
            problem.help("remove it; `concurrency` limits the whole plan, `locks` keeps steps apart");
        }
    }
}

impl EachDraft {
    /// Items of which nothing is known.
    pub(super) fn unknown(span: &Range<usize>) -> Self {
        Self { items: Items::Known(Vec::new()), span: span.clone(), is_broken: true }
    }

    /// False when it is known that there is no such item.
    pub(in crate::plan) fn can_have(&self, key: &str) -> bool {
        match &self.items {
            Items::Known(items) => self.is_broken || items.iter().any(|item| item.key == key),
            Items::Input(_) => true,
        }
    }

    /// The keys of the items that the plan lists.
    pub(in crate::plan) fn keys(&self) -> impl Iterator<Item = &str> + Clone {
        let items = match &self.items {
            Items::Known(items) => items.as_slice(),
            Items::Input(_) => &[],
        };
        items.iter().map(|item| item.key.as_str())
    }

    /// True unless there is one item at most.
    pub(in crate::plan) fn can_be_many(&self) -> bool {
        match &self.items {
            Items::Known(items) => items.len() > 1,
            Items::Input(_) => true,
        }
    }
}

impl Draft {
    /// The files that it names, as those of the plan.
    pub(in crate::plan) fn named_files(&self) -> impl Iterator<Item = NamedFile> {
        let named = |file: &Named| Some(NamedFile { step: self.id.clone()?, path: file.id.to_string(), span: file.span.clone() });
        self.files.iter().filter_map(named)
    }

    /// The names of its locks, each once.
    pub(in crate::plan) fn lock_names(&self) -> impl Iterator<Item = &Named> {
        self.locks
            .iter()
            .enumerate()
            .filter(|(place, lock)| !self.locks[..*place].iter().any(|other| other.id == lock.id))
            .map(|(_, lock)| lock)
    }
}
