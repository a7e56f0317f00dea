//! Decodes a piece of a plan into a type, and tells everything that does not fit, not only the first thing. It knows no steps.

mod access;
mod mistake;
mod node;
mod table;

pub(super) use mistake::Mistake;

use crate::expr::yaml::{Kind, Node};
use crate::expr::{Text, Wanted};
use node::NodeReader;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::ops::Range;
use table::{Ids, Table};

/// Most mistakes that are told of one piece.
const MOST: usize = 50;

/// A mistake and its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Failure {
    /// The bytes to underline.
    pub(super) span: Range<usize>,
    /// The words for what stands there.
    pub(super) found: String,
    /// What does not fit.
    pub(super) mistake: Mistake,
}

/// What was learned while a piece was decoded.
#[derive(Debug)]
pub(super) struct Decoded<T> {
    /// The value, if everything fits. A template in it has a value of the right type in its place.
    pub(super) value: Option<T>,
    /// What does not.
    pub(super) failures: Vec<Failure>,
    /// How each scalar was asked for.
    pub(super) wanted: Table<Wanted>,
    /// What stood for each template that could not stand for itself.
    pub(super) samples: Table<Value>,
    /// Where nothing was read as an empty mapping.
    pub(super) empty_maps: Ids,
}

/// What readers of one piece share.
#[derive(Default)]
struct Ledger {
    failed: Option<Failed>,
    /// Nodes and keys that are left out from now on: their mistake is told.
    left_out: Ids,
    wanted: Table<Wanted>,
    samples: Table<Value>,
    empty_maps: Ids,
}

/// Where the first failure of a pass came up, innermost.
struct Failed {
    id: usize,
    is_hole: bool,
    /// Something in it is left out, so that what it says is no news.
    is_partial: bool,
    failure: Failure,
}

/// True for a scalar that is a template: what it will be is not known yet.
fn is_hole(node: &Node) -> bool {
    matches!(&node.kind, Kind::Text(text) if Text::is_template(text))
}

/// Decodes a piece again and again, each time without what was wrong before, until nothing new comes up.
pub(super) fn decode<'n, T, E: std::fmt::Display>(node: &'n Node, read: impl FnMut(NodeReader<'n, '_>) -> Result<T, E>) -> Decoded<T> {
    decode_from(Ledger::default(), node, read)
}

fn decode_from<'n, T, E: std::fmt::Display>(
    ledger: Ledger,
    node: &'n Node,
    mut read: impl FnMut(NodeReader<'n, '_>) -> Result<T, E>,
) -> Decoded<T> {
    let ledger = RefCell::new(ledger);
    let mut failures = Vec::new();
    let mut tried: Table<usize> = Table::default();
    let value = loop {
        ledger.borrow_mut().failed = None;
        let reader = NodeReader { node, ledger: &ledger };
        let error = match read(reader) {
            Ok(value) => break Some(value),
            Err(error) => error,
        };
        reader.note(&Mistake::Other(error.to_string()));
        let mut ledger = ledger.borrow_mut();
        let Some(failed) = ledger.failed.take() else { break None };
        if failed.is_hole && try_sample(&mut ledger, &mut tried, &failed) {
            continue;
        }
        let told_before = failed.is_hole || failed.is_partial || failed.failure.mistake == Mistake::Known;
        if !told_before {
            failures.push(failed.failure);
        }
        let again = !ledger.left_out.insert(failed.id);
        if failed.id == node.id || again || failures.len() >= MOST {
            break None;
        }
    };
    let ledger = ledger.into_inner();
    let value = value.filter(|_| failures.is_empty());
    Decoded { value, failures, wanted: ledger.wanted, samples: ledger.samples, empty_maps: ledger.empty_maps }
}

/// Decodes a piece into a type that owns its data.
pub(super) fn decode_as<'n, T: serde::Deserialize<'n>>(node: &'n Node) -> Decoded<T> {
    decode(node, |reader| T::deserialize(reader))
}

/// Decodes the keys of a mapping that a type has into it. The other ones are somebody else's.
pub(super) fn decode_own<'n, T: serde::Deserialize<'n>>(node: &'n Node, own: &[&str]) -> Decoded<T> {
    let others = node.entries().iter().filter(|entry| !own.contains(&entry.key.as_str())).map(|entry| entry.key_id);
    decode_from(Ledger { left_out: others.collect(), ..Ledger::default() }, node, |reader| T::deserialize(reader))
}

/// Puts the next value in a template's place that its type may like. False when there is none left.
fn try_sample(ledger: &mut Ledger, tried: &mut Table<usize>, failed: &Failed) -> bool {
    let count = tried.entry(failed.id).or_default();
    let next = match (&failed.failure.mistake, *count) {
        (Mistake::UnknownWord { known, .. }, 0) => known.first().map(|word| json!(word)),
        (_, count) => [json!("1m"), json!(1), json!(true), json!("sample")].get(count).cloned(),
    };
    *count += 1;
    match next {
        Some(sample) => ledger.samples.insert(failed.id, sample).is_none() || *count < 6,
        None => false,
    }
}

#[cfg(test)]
mod tests;
