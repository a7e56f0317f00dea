//! Colours for lines that stay, or none. Pure text; whether somebody wants them is told to it.

use super::sentence::Tone;

/// A pen that colours, or does not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Paint {
    /// Somebody wants colours.
    pub is_on: bool,
}

impl Paint {
    /// What is looked for first.
    pub fn strong(self, text: &str) -> String {
        self.styled("1", text)
    }

    /// What is passed over.
    pub fn faint(self, text: &str) -> String {
        self.styled("2", text)
    }

    /// A sentence as it is meant.
    pub fn tone(self, tone: Tone, text: &str) -> String {
        match tone {
            Tone::Good => self.styled("32", text),
            Tone::Warn => self.styled("33", text),
            Tone::Bad => self.styled("31", text),
            Tone::Begin | Tone::Plain => text.to_owned(),
        }
    }

    /// The word for where a run or a step stands.
    pub fn state(self, word: &str) -> String {
        let tone = match word.split(' ').next().unwrap_or_default() {
            "succeeded" | "done" => Tone::Good,
            "rolled-back" | "undone" | "kept" | "halted" | "abandoned" | "asking" | "retrying" | "undoing" | "cancelled" => Tone::Warn,
            "stuck" | "dead" | "failed" | "timed-out" | "interrupted" | "not-undone" | "residue" => Tone::Bad,
            _ => Tone::Plain,
        };
        self.tone(tone, word)
    }

    /// The first line of a summary.
    pub fn headline(self, outcome: &str, text: &str) -> String {
        let code = if outcome == "succeeded" { "32;1" } else { "31;1" };
        self.styled(code, text)
    }

    /// A line of a failure: the word with which it begins says what it is.
    pub fn lead(self, line: &str) -> String {
        match line.strip_prefix("error:") {
            Some(rest) => format!("{}{rest}", self.styled("31;1", "error:")),
            None => line.to_owned(),
        }
    }

    /// A line of a drawn graph: the marks of its steps stand out.
    pub fn drawn(self, line: &str) -> String {
        let mark = |mark: char| match mark {
            '✗' => self.styled("31;1", "✗"),
            '↩' | '↺' => self.styled("32", &mark.to_string()),
            '?' | '…' => self.styled("33", &mark.to_string()),
            '◆' => self.styled("36", "◆"),
            _ => mark.to_string(),
        };
        // What is said of a step may hold such a sign, too: only the one that stands alone before it is its mark.
        match line.char_indices().find(|(at, sign)| "✗↩↺?…◆=·".contains(*sign) && line[at + sign.len_utf8()..].starts_with(' '))
        {
            Some((at, sign)) => format!("{}{}{}", &line[..at], mark(sign), &line[at + sign.len_utf8()..]),
            None => line.to_owned(),
        }
    }

    fn styled(self, code: &str, text: &str) -> String {
        match self.is_on && !text.is_empty() {
            true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        }
    }
}

/// The columns that a text fills: colours fill none.
pub fn columns(text: &str) -> usize {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().map_or(0, |plain| plain.chars().count());
    first + parts.map(|part| part.split_once('m').map_or(0, |(_, plain)| plain.chars().count())).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::{Paint, columns};
    use crate::report::sentence::Tone;

    #[test]
    fn colours_are_there_only_when_they_are_wanted_and_fill_no_column() {
        let (on, off) = (Paint { is_on: true }, Paint::default());
        assert_eq!(on.state("stuck (simulated)"), "\u{1b}[31mstuck (simulated)\u{1b}[0m");
        assert_eq!(
            (off.state("stuck"), off.headline("succeeded", "x"), on.strong("")),
            ("stuck".to_owned(), "x".to_owned(), String::new())
        );
        assert_eq!(columns(&format!("a {} b", on.tone(Tone::Good, "grün"))), 8);
        assert_eq!(columns("plain"), 5);
        assert_eq!(on.lead("error: no"), "\u{1b}[31;1merror:\u{1b}[0m no");
        assert_eq!(on.drawn("  ✗ send  shell  why?"), "  \u{1b}[31;1m✗\u{1b}[0m send  shell  why?");
        assert_eq!(off.drawn("  ✗ send"), "  ✗ send");
    }
}
