//! Values some of whose characters are escaped, as they are in URLs and in JSON. How much is escaped differs from writer to writer, so each
//! character is taken in any of its forms: `/` is `/`, `%2F`, `%2f`, `\/` or `\u002f`. It knows no base64.

use std::ops::Range;

/// The longest form of a character, for each of its bytes: `\u002f`.
pub(super) const LONGEST: usize = 6;

/// Where the value stands in the text.
pub(super) fn find(text: &str, value: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    // Where nothing is escaped it stands as it is, and is found so.
    if !text.contains(['%', '\\', '+']) {
        return found;
    }
    let mut at = 0;
    while at < text.len() {
        let length = length(&text[at..], value).unwrap_or(0);
        if length > 0 {
            found.push(at..at + length);
        }
        let next = text[at..].chars().next().map_or(1, char::len_utf8);
        at += length.max(next);
    }
    found
}

/// How much of the text is the value, from its first character on; none where it is another.
fn length(text: &str, value: &str) -> Option<usize> {
    value.chars().try_fold(0, |at, c| Some(at + one(&text[at..], c)?))
}

fn one(text: &str, c: char) -> Option<usize> {
    let escaped = match text.as_bytes().first()? {
        b'\\' => json(&text[1..], c).map(|length| length + 1),
        b'%' => percent(text, c),
        b'+' if c == ' ' => Some(1),
        _ => None,
    };
    // What only looks like an escape is itself.
    escaped.or_else(|| text.starts_with(c).then(|| c.len_utf8()))
}

/// What follows a backslash.
fn json(text: &str, c: char) -> Option<usize> {
    let letter = match c {
        '\n' => Some('n'),
        '\r' => Some('r'),
        '\t' => Some('t'),
        '\u{8}' => Some('b'),
        '\u{c}' => Some('f'),
        '"' | '\\' | '/' => Some(c),
        _ => None,
    };
    if letter.is_some_and(|letter| text.starts_with(letter)) {
        return Some(1);
    }
    let mut units = [0; 2];
    let units = c.encode_utf16(&mut units);
    let mut at = 0;
    for (place, unit) in units.iter().enumerate() {
        // The second one has a backslash of its own.
        at += if place > 0 { text.get(at..)?.starts_with('\\').then_some(1)? } else { 0 };
        let digits = text.get(at..)?.strip_prefix('u')?.get(..4)?;
        (u16::from_str_radix(digits, 16).ok()? == *unit).then_some(())?;
        at += 5;
    }
    Some(at)
}

fn percent(text: &str, c: char) -> Option<usize> {
    let mut bytes = [0; 4];
    let mut at = 0;
    for byte in c.encode_utf8(&mut bytes).bytes() {
        let digits = text.get(at..)?.strip_prefix('%')?.get(..2)?;
        (u8::from_str_radix(digits, 16).ok()? == byte).then_some(())?;
        at += 3;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn a_character_is_taken_in_any_of_its_forms() {
        let value = "a b/&<\"é😀\\n";
        for text in [
            "a%20b%2F%26%3C%22%C3%A9%F0%9F%98%80%5Cn",
            "a+b%2f%26%3c%22%c3%a9%f0%9f%98%80%5cn",
            "a b/\\u0026\\u003c\\\"é😀\\\\n",
            "a b\\/&\\u003C\\\"\\u00e9\\ud83d\\ude00\\\\n",
            "a b/&%3C\"é😀\\n",
        ] {
            let framed = format!("x%{text}\\");
            let found: Vec<&str> = find(&framed, value).into_iter().map(|place| &framed[place]).collect();
            assert_eq!(found, [text]);
        }
        for other in ["a%20b", "a%2", "a\\u00", "%", "\\", "a%20b%2F%26%3C%22%C3\\", "a+b/&<\"é\\ud83d\\"] {
            assert!(find(other, value).is_empty(), "{other}");
        }
    }
}
