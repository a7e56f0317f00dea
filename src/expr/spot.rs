//! Where the objects of a manifest stand in its text. It is asked only when there is something to tell of one.

use super::place::line_and_column;
use super::yaml::{Kind, Node, parse};
use std::cell::OnceCell;
use std::ops::Range;

/// Which object of a manifest is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spot {
    /// From 0; empty documents are not counted.
    pub(super) document: usize,
    /// The way through the items of a `List`, and of those within it.
    pub(super) items: Vec<usize>,
}

/// Finds the objects of one manifest. It is read when the first of them is asked for, and once.
pub struct Spots<'t> {
    text: &'t str,
    documents: OnceCell<Vec<(Option<Node>, usize)>>,
}

impl<'t> Spots<'t> {
    /// Takes a manifest's text.
    pub fn of(text: &'t str) -> Self {
        Self { text, documents: OnceCell::new() }
    }

    /// Line and column, both from 1, of the value that these keys of an object, and numbers of items from 0, lead to; as far as they lead, else where the object begins.
    pub fn place(&self, spot: &Spot, keys: &[&str]) -> (usize, usize) {
        let is_full = |(root, _): &&(Option<Node>, usize)| root.as_ref().is_none_or(|root| root.kind != Kind::Null);
        let found = self.documents.get_or_init(|| documents(self.text)).iter().filter(is_full).nth(spot.document);
        let (root, start) = found.map_or((None, 0), |(root, start)| (root.as_ref(), *start));
        let within = root.and_then(|root| spot.object(root)).map_or(0, |object| span(object, keys).start);
        line_and_column(self.text, start + within)
    }
}

impl Spot {
    fn object<'n>(&self, root: &'n Node) -> Option<&'n Node> {
        self.items.iter().try_fold(root, |node, item| match &node.get("items")?.kind {
            Kind::List(items) => items.get(*item),
            _ => None,
        })
    }
}

fn span(object: &Node, keys: &[&str]) -> Range<usize> {
    let (mut node, mut found) = (object, object.label.clone());
    for key in keys {
        if let (Kind::List(items), Ok(number)) = (&node.kind, key.parse::<usize>()) {
            let Some(item) = items.get(number) else { return found };
            (node, found) = (item, item.label.clone());
            continue;
        }
        let Some(entry) = node.entries().iter().find(|entry| entry.key == *key) else { return found };
        (node, found) = (&entry.value, entry.key_span.clone());
    }
    // A mapping, a list and nothing at all are told by the key before them.
    node.label.clone()
}

/// The documents and where each begins; none in place of one that cannot be read by itself.
fn documents(text: &str) -> Vec<(Option<Node>, usize)> {
    parts(text).into_iter().map(|part| (parse(&text[part.clone()]).ok().map(|(root, _)| root), part.start)).collect()
}

/// The bytes of each document, also of empty ones.
pub(super) fn parts(text: &str) -> Vec<Range<usize>> {
    let is_mark =
        |line: &str| line.strip_prefix("---").or(line.strip_prefix("...")).is_some_and(|rest| rest.trim_start() != rest || rest.is_empty());
    let mut starts = vec![(0, 0)];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        // What stands behind the mark belongs to the document.
        if is_mark(line) {
            starts.push((at, at + 3));
        }
        at += line.len();
    }
    let ends = starts.iter().skip(1).map(|(mark, _)| *mark).chain([text.len()]);
    starts.iter().zip(ends).map(|((_, start), end)| *start..end).collect()
}

#[cfg(test)]
mod tests {
    use super::{Spot, Spots};

    #[test]
    fn what_is_there_is_pointed_at_and_else_what_is_around_it() {
        let text = "# c\n---\n---  # two\nkind: Pod\nmetadata:\n  name: 5\n...\n--- {kind: List, items: [{kind: Pod}, {kind: List, items: [{a: 1, metadata: }]}]}\n---\nbroken: [\n--- \n- x\n";
        let spots = Spots::of(text);
        let at = |document, items: &[usize], keys: &[&str]| spots.place(&Spot { document, items: items.to_vec() }, keys);
        assert_eq!(at(0, &[], &["metadata", "name"]), (6, 9));
        assert_eq!(at(0, &[], &["metadata", "labels", "x"]), (5, 1));
        assert_eq!(at(0, &[], &["apiVersion"]), (4, 1));
        assert_eq!(at(1, &[0], &["metadata"]), (8, 27));
        assert_eq!(at(1, &[1, 0], &["metadata", "name"]), (8, 67));
        assert_eq!(at(1, &[], &["items", "1", "items", "0", "a"]), (8, 64));
        assert_eq!(at(1, &[7], &[]), (8, 4), "there is no such item");
        assert_eq!(at(2, &[], &["kind"]), (9, 4), "what cannot be read");
        assert_eq!(at(3, &[], &["kind"]), (12, 3));
        assert_eq!(at(9, &[], &["kind"]), (1, 1));
    }
}
