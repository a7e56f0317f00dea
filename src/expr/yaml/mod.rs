//! Reads YAML, with the place of every node. With its part below, the only module that names the YAML crate; it knows nothing of plans.

mod read;

use super::place::byte_at;
use read::{Level, NodeSeed};
use serde::de::DeserializeSeed;
use serde_json::{Number, Value};
use serde_saphyr::{DuplicateKeyPolicy, Location, MessageFormatter, Options, UserMessageFormatter};
use std::cell::{Cell, RefCell};
use std::ops::Range;

/// A value in a YAML text, and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Unique in its tree, from 1.
    pub id: usize,
    /// What it is.
    pub kind: Kind,
    /// Its bytes in the text: whole for scalars, perhaps empty for lists and mappings.
    pub span: Range<usize>,
    /// The bytes to underline when something is wrong with it: a scalar itself, the key before a list or mapping.
    pub label: Range<usize>,
    /// A plain number, boolean or null as it was written: `1.10` is not `1.1` where a text is wanted.
    pub written: Option<String>,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the text.
    Map(Vec<Entry>),
}

/// One key of a mapping and its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Unique in the tree.
    pub key_id: usize,
    /// The key's bytes in the text.
    pub key_span: Range<usize>,
    /// The value.
    pub value: Node,
}

impl Node {
    /// The value of a key, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The entries of a mapping; none for anything else.
    pub fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The words for what it is.
    pub fn describe(&self) -> String {
        match &self.kind {
            Kind::Null => "nothing".to_owned(),
            Kind::Bool(value) => format!("the boolean `{value}`"),
            Kind::Number(value) => format!("the number `{value}`"),
            Kind::Text(text) => format!("the text `{}`", shortened(text)),
            Kind::List(_) => "a list".to_owned(),
            Kind::Map(_) => "a mapping".to_owned(),
        }
    }
}

/// The first words of a text, for a message.
pub(crate) fn shortened(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None if line.len() < text.trim_end().len() => format!("{line}…"),
        None => line.to_owned(),
    }
}

/// Says that a text is not YAML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// What is wrong.
    pub message: String,
    /// Where, in bytes.
    pub span: Range<usize>,
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

/// Reads a YAML text strictly: YAML 1.2 booleans, no duplicate keys. A duplicate key is told and the rest is still read.
///
/// # Errors
/// When the text is not YAML at all.
pub fn parse(text: &str) -> Result<(Node, Vec<SyntaxError>), SyntaxError> {
    in_spite_of_duplicates(text, |duplicate_keys| read(text, duplicate_keys, None))
}

/// A text whose root holds one long list, read without keeping that.
#[derive(Debug)]
pub struct Listed<S> {
    /// The tree. The list is empty in it.
    pub root: Node,
    /// What was made of the list's items.
    pub made: S,
    /// The keys that stand there twice.
    pub duplicates: Vec<SyntaxError>,
}

/// Reads a text as [`parse`] does, but hands each item of the list below the root's `key` over as soon as it is read: the tree of a long list
/// is many times larger than what is made of it. `start` is asked again should the text have to be read again.
///
/// # Errors
/// As [`parse`].
pub fn parse_listed<S>(
    text: &str,
    key: &str,
    start: impl Fn() -> S,
    mut take: impl FnMut(&mut S, &Node),
) -> Result<Listed<S>, SyntaxError> {
    let ((root, made), duplicates) = in_spite_of_duplicates(text, |duplicate_keys| {
        let mut made = start();
        let mut take = |item: &Node| take(&mut made, item);
        let root = read(text, duplicate_keys, Some(Listing { key, take: RefCell::new(&mut take) }))?;
        Ok((root, made))
    })?;
    Ok(Listed { root, made, duplicates })
}

/// Reads, and once more without what stands there twice.
fn in_spite_of_duplicates<T>(
    text: &str,
    mut read: impl FnMut(DuplicateKeyPolicy) -> Result<T, serde_saphyr::Error>,
) -> Result<(T, Vec<SyntaxError>), SyntaxError> {
    match read(DuplicateKeyPolicy::Error) {
        Ok(read) => Ok((read, Vec::new())),
        Err(error) => {
            let duplicate = matches!(error.without_snippet(), serde_saphyr::Error::DuplicateMappingKey { .. });
            let problem = syntax_error(text, &error);
            if !duplicate {
                return Err(problem);
            }
            let read = read(DuplicateKeyPolicy::FirstWins).map_err(|error| syntax_error(text, &error))?;
            Ok((read, vec![problem]))
        }
    }
}

fn read<'t>(text: &'t str, duplicate_keys: DuplicateKeyPolicy, listing: Option<Listing<'t>>) -> Result<Node, serde_saphyr::Error> {
    let builder = Builder { text, last: Cell::new(0), listing };
    serde_saphyr::with_deserializer_from_str_with_options(text, strict(duplicate_keys), |deserializer| {
        NodeSeed { builder: &builder, key: None, level: Level::Root }.deserialize(deserializer)
    })
}

/// Reads the documents of a Kubernetes manifest as kubectl does: YAML 1.1 numbers and booleans. Empty documents are left out.
///
/// # Errors
/// When the text is not YAML.
pub fn documents(text: &str) -> Result<Vec<Value>, SyntaxError> {
    let options = serde_saphyr::options! {
        legacy_octal_numbers: true, strict_booleans: false, with_snippet: false,
        // What a chart renders may hold thousands of objects.
        budget: serde_saphyr::budget! {
            max_documents: 1_000_000, max_nodes: 8_000_000, max_events: 16_000_000, max_total_scalar_bytes: 64 << 20,
        },
    };
    let all: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options).map_err(|error| syntax_error(text, &error))?;
    Ok(all.into_iter().filter(|document| !document.is_null()).collect())
}

fn strict(duplicate_keys: DuplicateKeyPolicy) -> Options {
    serde_saphyr::options! {
        strict_booleans: true, strict_indentation: true, with_snippet: false, duplicate_keys: duplicate_keys,
        budget: serde_saphyr::budget! {
            max_depth: 48, max_nodes: 8_000_000, max_events: 16_000_000, max_aliases: 1_000, max_anchors: 500,
            max_total_scalar_bytes: 64 << 20,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 30_000, max_replay_stack_depth: 16 },
    }
}

fn syntax_error(text: &str, error: &serde_saphyr::Error) -> SyntaxError {
    let error = error.without_snippet();
    let location = error.location().unwrap_or(Location::UNKNOWN);
    let mut span = bytes(text, &location);
    if span.is_empty() {
        let number = |n: u64| usize::try_from(n).unwrap_or(0);
        let start = byte_at(text, number(location.line()), number(location.column()));
        span = start..text[start..].chars().next().map_or(start, |c| start + c.len_utf8());
    }
    SyntaxError {
        message: UserMessageFormatter.format_message(error).into_owned(),
        span,
        line: usize::try_from(location.line()).unwrap_or(0).max(1),
        column: usize::try_from(location.column()).unwrap_or(0).max(1),
    }
}

/// The bytes of a location, without the blanks at their end (a block scalar's reach to the next line's indentation).
fn bytes(text: &str, location: &Location) -> Range<usize> {
    let span = location.span();
    within(text, span.byte_offset().unwrap_or(0), span.byte_len().unwrap_or(0))
}

fn within(text: &str, offset: u64, length: u64) -> Range<usize> {
    let number = |n: u64| usize::try_from(n).unwrap_or(0);
    let start = number(offset).min(text.len());
    let end = start.saturating_add(number(length)).min(text.len());
    match text.get(start..end) {
        Some(part) => start..start + part.trim_end().len(),
        None => start..start,
    }
}

/// Makes nodes out of what was read.
struct Builder<'t> {
    text: &'t str,
    last: Cell<usize>,
    listing: Option<Listing<'t>>,
}

/// The list whose items are handed over instead of kept.
struct Listing<'t> {
    key: &'t str,
    take: RefCell<&'t mut dyn FnMut(&Node)>,
}

impl Builder<'_> {
    /// Where the value of this key of the root stands.
    fn below_root(&self, key: &str) -> Level {
        match &self.listing {
            Some(listing) if listing.key == key => Level::Listing,
            _ => Level::Inside,
        }
    }

    fn hand_over(&self, item: &Node) {
        if let Some(listing) = &self.listing {
            (listing.take.borrow_mut())(item);
        }
    }

    fn next_id(&self) -> usize {
        self.last.set(self.last.get() + 1);
        self.last.get()
    }

    fn bytes(&self, (offset, length): (u64, u64)) -> Range<usize> {
        within(self.text, offset, length)
    }

    fn node(&self, kind: Kind, place: (u64, u64), key: Option<&Range<usize>>) -> Node {
        let span = self.bytes(place);
        let written = match kind {
            Kind::Null | Kind::Bool(_) | Kind::Number(_) => self.text.get(span.clone()).filter(|text| !text.is_empty()).map(str::to_owned),
            _ => None,
        };
        let label = self.label(&kind, &span, key);
        Node { id: self.next_id(), kind, span, label, written }
    }

    fn label(&self, kind: &Kind, span: &Range<usize>, key: Option<&Range<usize>>) -> Range<usize> {
        match (kind, key) {
            (Kind::List(_) | Kind::Map(_), Some(key)) => key.clone(),
            // A block mapping in a list begins with its first key.
            (Kind::Map(entries), None) => entries.first().map_or_else(|| span.clone(), |first| first.key_span.clone()),
            (Kind::List(items), None) => items.first().map_or_else(|| span.clone(), |first| first.label.clone()),
            (_, Some(key)) if span.is_empty() => key.clone(),
            // A block scalar is underlined on its first line only.
            _ => span.start..span.start + self.text.get(span.clone()).and_then(|t| t.lines().next()).map_or(0, str::len),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Node, parse, parse_listed};

    fn find<'n>(node: &'n Node, path: &[&str]) -> &'n Node {
        path.iter().fold(node, |node, part| match &node.kind {
            Kind::List(items) => &items[part.parse::<usize>().unwrap()],
            _ => node.get(part).unwrap(),
        })
    }

    #[test]
    fn every_node_knows_its_place_and_how_it_was_written() {
        let text = "a: 1.10\nb: [x, 'q y']\nc: |\n  hello\n   w\n\nd:\n  - k: v\ne: &x {m: 5}\nf: *x\nh:\n";
        let (root, _) = parse(text).unwrap();
        for (path, label) in [
            (vec!["a"], "1.10"),
            (vec!["b"], "b"),
            (vec!["b", "1"], "'q y'"),
            (vec!["c"], "hello"),
            (vec!["d", "0"], "k"),
            (vec!["d", "0", "k"], "v"),
            (vec!["f", "m"], "5"),
            (vec!["h"], "h"),
        ] {
            assert_eq!(&text[find(&root, &path).label.clone()], label, "{path:?}");
        }
        assert_eq!(find(&root, &["a"]).written.as_deref(), Some("1.10"));
        assert_eq!(find(&root, &["b", "1"]).kind, Kind::Text("q y".into()));
    }

    #[test]
    fn a_duplicate_key_is_told_and_the_rest_is_read() {
        let text = "a: 1\na: 2\nb: 3";
        let (root, told) = parse(text).unwrap();
        assert_eq!(&text[told[0].span.clone()], "a");
        assert_eq!((told[0].line, told[0].column), (2, 1));
        assert!(root.get("b").is_some());
    }

    #[test]
    fn the_items_of_a_list_are_handed_over_and_not_kept() {
        let text = "a: [x]\nsteps: [{id: one}, two]\nb: {steps: [y]}\na: again\n";
        let listed = parse_listed(text, "steps", Vec::new, |seen: &mut Vec<Node>, item| seen.push(item.clone())).unwrap();
        assert_eq!(listed.duplicates.len(), 1, "the second reading begins anew");
        let (whole, _) = parse(text).unwrap();
        assert_eq!(Kind::List(listed.made), find(&whole, &["steps"]).kind);
        assert_eq!(find(&listed.root, &["steps"]).kind, Kind::List(Vec::new()));
        assert_eq!(find(&listed.root, &["b"]), find(&whole, &["b"]), "only the root's own list is handed over");
        let other = parse_listed("steps: {a: 1}\n", "steps", || 0, |count, _| *count += 1).unwrap();
        assert_eq!((other.made, find(&other.root, &["steps", "a"]).written.as_deref()), (0, Some("1")));
    }

    #[test]
    fn what_is_not_yaml_is_told_with_its_place() {
        for (text, line, column) in [("a: {", 1, 4), ("a: b: c", 1, 5), ("a: 1\n---\nb: 2", 3, 1), ("a: *zz", 1, 4)] {
            let error = parse(text).unwrap_err();
            assert_eq!((error.line, error.column), (line, column), "{text}: {error}");
            assert!(!error.span.is_empty() || text.len() == error.span.start, "{text}");
        }
        assert_eq!(parse("x: yes").unwrap().0.get("x").unwrap().kind, Kind::Text("yes".into()));
    }
}
