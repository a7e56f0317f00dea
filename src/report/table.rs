//! Lines whose parts stand in columns. Pure; colours fill no column.

use super::paint::columns;

/// Aligns the columns of a table, two blanks apart. Nothing trails.
pub fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let most = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| columns(cell)).max().unwrap_or(0);
    let widths: Vec<usize> = (0..most).map(width).collect();
    let line = |row: &Vec<String>| {
        let padded = |(cell, width): (&String, &usize)| format!("{cell}{}", " ".repeat(width - columns(cell)));
        let cells: Vec<String> = row.iter().zip(&widths).map(padded).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::aligned;
    use crate::report::paint::Paint;

    #[test]
    fn columns_are_aligned_whatever_their_colour_and_nothing_trails() {
        let rows = [vec!["a".to_owned(), "long".to_owned(), "x".to_owned()], vec!["abc".to_owned(), "b".to_owned()]];
        assert_eq!(aligned(&rows), ["a    long  x", "abc  b"]);
        let coloured = [vec![Paint { is_on: true }.strong("a"), "b".to_owned()], vec!["abc".to_owned(), "b".to_owned()]];
        assert_eq!(aligned(&coloured)[0], "\u{1b}[1ma\u{1b}[0m    b");
    }
}
