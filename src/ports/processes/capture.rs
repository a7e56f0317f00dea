//! What a program prints, cut into lines and kept from its end. It knows bytes, not processes.

/// Longest line that is told in one piece: a program that never ends its line must not fill the memory.
const LINE_LIMIT: usize = 64 * 1024;

/// Takes what a program prints, piece by piece.
#[derive(Debug)]
pub(crate) struct Capture {
    limit: usize,
    tail: Vec<u8>,
    cut: bool,
    line: Vec<u8>,
}

impl Capture {
    /// Keeps the last `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, tail: Vec::new(), cut: false, line: Vec::new() }
    }

    /// Takes a piece and tells the lines that it ends, and beginnings of those that are too long; and of each whether it goes on.
    pub(crate) fn push(&mut self, piece: &[u8], mut tell: impl FnMut(String, bool)) {
        self.keep(piece);
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if self.line.ends_with(b"\n") {
                tell(self.take_line(), false);
            }
            while self.line.len() > LINE_LIMIT {
                let rest = self.line.split_off(end_of_text(&self.line, LINE_LIMIT));
                tell(self.take_line(), true);
                self.line = rest;
            }
        }
    }

    /// Tells the last line when nothing ended it.
    pub(crate) fn flush(&mut self, tell: impl FnOnce(String, bool)) {
        if !self.line.is_empty() {
            tell(self.take_line(), false);
        }
    }

    /// What is kept, as text.
    pub(crate) fn into_tail(mut self) -> String {
        self.shorten();
        let begin = if self.cut { self.tail.iter().take_while(|byte| is_continuation(**byte)).count().min(3) } else { 0 };
        String::from_utf8_lossy(&self.tail[begin..]).into_owned()
    }

    fn keep(&mut self, piece: &[u8]) {
        self.tail.extend_from_slice(piece);
        // Shortened only when it has doubled, so that each byte is moved about once.
        if self.tail.len() > self.limit * 2 {
            self.shorten();
        }
    }

    fn shorten(&mut self) {
        let over = self.tail.len().saturating_sub(self.limit);
        if over > 0 {
            self.tail.drain(..over);
            self.cut = true;
        }
    }

    fn take_line(&mut self) -> String {
        let mut line = std::mem::take(&mut self.line);
        if line.ends_with(b"\n") {
            line.pop();
            if line.ends_with(b"\r") {
                line.pop();
            }
        }
        String::from_utf8_lossy(&line).into_owned()
    }
}

fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

/// The largest place up to `at` where no character is cut in two.
fn end_of_text(bytes: &[u8], at: usize) -> usize {
    let back = bytes[..=at].iter().rev().take(4).take_while(|byte| is_continuation(**byte)).count();
    if back < 4 { at - back } else { at }
}

#[cfg(test)]
mod tests {
    use super::{Capture, LINE_LIMIT};

    fn told(pieces: &[&[u8]]) -> Vec<(String, bool)> {
        let mut capture = Capture::new(1024);
        let mut told = Vec::new();
        for piece in pieces {
            capture.push(piece, |line, goes_on| told.push((line, goes_on)));
        }
        capture.flush(|line, goes_on| told.push((line, goes_on)));
        told
    }

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        told(pieces).into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn lines_are_told_without_their_ends_however_they_arrive() {
        assert_eq!(lines(&[b"one\ntw", b"o\r", b"\n\nlast"]), ["one", "two", "", "last"]);
        assert_eq!(lines(&[b"one\n"]), ["one"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced_and_split_characters_are_not() {
        assert_eq!(lines(&[b"a\xff\n", b"\xc3", b"\xa9\n"]), ["a\u{fffd}", "\u{e9}"]);
    }

    #[test]
    fn a_line_without_end_is_told_in_pieces_that_cut_no_character() {
        let text = "\u{e9}".repeat(LINE_LIMIT);
        let told = told(&[b"x", text.as_bytes()]);
        let goes_on: Vec<bool> = told.iter().map(|(_, goes_on)| *goes_on).collect();
        assert_eq!(goes_on, [true, true, false]);
        let lines: Vec<String> = told.into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines.concat(), format!("x{text}"));
        assert!(lines.iter().all(|line| line.len() <= LINE_LIMIT));
    }

    #[test]
    fn the_end_is_kept_and_begins_with_a_whole_character() {
        let mut capture = Capture::new(4);
        capture.push("abcd\u{e9}\u{20ac}".as_bytes(), |_, _| {});
        assert_eq!(capture.into_tail(), "\u{20ac}");
        let mut small = Capture::new(4);
        small.push(b"ab", |_, _| {});
        assert_eq!(small.into_tail(), "ab");
    }
}
