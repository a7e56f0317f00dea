//! Values in base64 that is broken into lines, as `base64`, mail and certificates have it. Lines may come one by one and the value may begin
//! anywhere in one, so a line is known by what it begins or ends with. It knows no other encoding.

use super::SHORTEST_PIECE;
use std::ops::Range;

/// A whole line within a longer value; shorter words might stand in it by chance.
const SHORTEST_LINE: usize = 16;

/// Where parts of this form stand in the text that lines have torn off.
pub(super) fn find(text: &str, form: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    if form.len() <= SHORTEST_PIECE || !form.is_ascii() {
        return found;
    }
    let (first, last) = (&form[..SHORTEST_PIECE], &form[form.len() - SHORTEST_PIECE..]);
    for (at, _) in text.match_indices(first) {
        let word = &text[at..end_of_word(text, at)];
        if word.len() < form.len() && form.starts_with(word) {
            found.push(at..at + word.len());
        }
    }
    for (at, _) in text.match_indices(last) {
        let (begin, end) = (begin_of_word(text, at), at + SHORTEST_PIECE);
        if end - begin < form.len() && form.ends_with(&text[begin..end]) {
            found.push(begin..end);
        }
    }
    if form.len() > SHORTEST_LINE {
        found.extend(words(text).filter(|word| word.len() < form.len() && form.contains(&text[word.clone()])));
    }
    found
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '+' || c == '/'
}

fn end_of_word(text: &str, at: usize) -> usize {
    text[at..].find(|c| !is_of_word(c)).map_or(text.len(), |length| at + length)
}

fn begin_of_word(text: &str, at: usize) -> usize {
    text[..at].rfind(|c| !is_of_word(c)).map_or(0, |before| before + text[before..].chars().next().map_or(1, char::len_utf8))
}

/// The words that may be a whole line.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        at += text[at..].find(is_of_word)?;
        let word = at..end_of_word(text, at);
        at = word.end;
        Some(word)
    })
    .filter(|word| word.len() >= SHORTEST_LINE)
}
