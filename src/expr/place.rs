//! Places in a text: bytes, and lines with columns. It knows no syntax.

/// The byte at a line and column that both count from 1, the column in characters.
pub(crate) fn byte_at(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let within = text[start..].char_indices().nth(column.saturating_sub(1)).map_or(text.len() - start, |(at, _)| at);
    (start + within).min(text.len())
}

/// The line and column of a byte, both from 1, the column in characters.
pub(crate) fn line_and_column(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::{byte_at, line_and_column};

    #[test]
    fn a_byte_and_its_line_and_column_lead_to_each_other() {
        let text = "één\nzwei\n\nvier";
        for (byte, _) in text.char_indices().chain([(text.len(), ' ')]) {
            let (line, column) = line_and_column(text, byte);
            assert_eq!(byte_at(text, line, column), byte, "{line}:{column}");
        }
        assert_eq!(byte_at(text, 99, 99), text.len());
    }
}
