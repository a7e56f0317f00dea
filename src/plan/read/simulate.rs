//! Reads what a plan says of a simulated outside. It simulates nothing.

use super::{Named, Reader};
use crate::expr::yaml::{Entry, Kind, Node};
use crate::plan::decode::decode_as;
use crate::scenario::Scenario;
use serde_json::Value;

impl Reader<'_, '_> {
    /// Reads `simulate`. Answers hold templates of their own, which are no expressions of the plan: they are read as they stand.
    pub(super) fn scenario(&mut self, node: &Node) -> Scenario {
        let decoded = decode_as::<Scenario>(&literal(node));
        self.tell(&decoded.failures, "`simulate`");
        decoded.value.and_then(|scenario| restored(&scenario)).unwrap_or_default()
    }
}

/// The steps that a scenario names.
pub(super) fn named_in_scenario(node: &Node) -> Vec<Named> {
    let named = ["fails", "approvals"].into_iter().filter_map(|key| node.get(key)).flat_map(Node::entries);
    named.map(|entry| Named { id: entry.key.as_str().into(), span: entry.key_span.clone() }).collect()
}

/// Stands for `{{` while a piece is read, so that nothing in it is taken for an expression.
const OPENS: &str = "\u{e000}\u{e000}";

fn literal(node: &Node) -> Node {
    let kind = match &node.kind {
        Kind::Text(text) => Kind::Text(text.replace("{{", OPENS)),
        Kind::List(items) => Kind::List(items.iter().map(literal).collect()),
        Kind::Map(entries) => Kind::Map(entries.iter().map(|entry| Entry { value: literal(&entry.value), ..entry.clone() }).collect()),
        other => other.clone(),
    };
    Node { kind, ..node.clone() }
}

fn restored(scenario: &Scenario) -> Option<Scenario> {
    fn texts(value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(text.replace(OPENS, "{{")),
            Value::Array(items) => items.into_iter().map(texts).collect(),
            Value::Object(map) => Value::Object(map.into_iter().map(|(name, value)| (name, texts(value))).collect()),
            other => other,
        }
    }
    serde_json::from_value(texts(serde_json::to_value(scenario).ok()?)).ok()
}
