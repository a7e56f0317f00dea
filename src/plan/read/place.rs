//! Finds the characters of the plan that a part of a scalar's value stands at.

use crate::expr::yaml::Node;
use std::ops::Range;

/// The bytes of the plan's text at which the bytes `at` of a scalar's value stand; the whole scalar where escapes or folding make
/// that unknowable.
pub(super) fn within(text: &str, node: &Node, value: &str, at: &Range<usize>) -> Range<usize> {
    exact(text, node, value, at).unwrap_or_else(|| node.label.clone())
}

fn exact(text: &str, node: &Node, value: &str, at: &Range<usize>) -> Option<Range<usize>> {
    let raw = text.get(node.span.start..)?;
    let skip = usize::from(raw.starts_with(['\'', '"']));
    let start = node.span.start + skip;
    let before = value.get(..at.start)?;
    let line_index = before.matches('\n').count();
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let value_line = value[line_start..].lines().next().unwrap_or_default();
    let length = at.len().min(value_line.len().saturating_sub(at.start - line_start));
    let offset = match line_index {
        0 => text[start..].starts_with(value_line).then_some(start)?,
        _ => {
            let source_line_start = text[start..].match_indices('\n').nth(line_index - 1).map(|(newline, _)| start + newline + 1)?;
            let source_line = text[source_line_start..].lines().next().unwrap_or_default();
            let indent = source_line.len().checked_sub(value_line.len())?;
            (source_line.ends_with(value_line) && source_line[..indent].trim().is_empty()).then_some(source_line_start + indent)?
        }
    };
    let begin = offset + (at.start - line_start);
    (length > 0).then_some(begin..begin + length)
}

#[cfg(test)]
mod tests {
    use super::within;
    use crate::expr::yaml::{Kind, parse};

    #[test]
    fn a_part_of_a_scalar_is_found_in_the_plan() {
        for yaml in ["a: x {{ y }} z", "a: 'x {{ y }} z'", "a: \"x {{ y }} z\"", "a: |\n  first\n\n    x {{ y }} z\n  last\n"] {
            let (root, _) = parse(yaml).unwrap();
            let node = root.get("a").unwrap();
            let Kind::Text(value) = &node.kind else { panic!() };
            let start = value.find("{{ y").unwrap();
            let place = within(yaml, node, value, &(start..start + 7));
            assert_eq!(&yaml[place], "{{ y }}", "{yaml}");
        }
    }

    #[test]
    fn where_it_cannot_be_told_the_scalar_is_named() {
        let yaml = "a: \"x\\t {{ y }}\"";
        let (root, _) = parse(yaml).unwrap();
        let place = within(yaml, root.get("a").unwrap(), "x\t {{ y }}", &(3..10));
        assert_eq!(&yaml[place], "\"x\\t {{ y }}\"");
    }
}
