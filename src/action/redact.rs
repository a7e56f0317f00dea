//! Takes secrets out of text that people will see or a journal will keep. It knows values, not where they come from.

mod escaped;
mod wrapped;

use super::Secret;
use crate::record::Failure;
use data_encoding::{BASE64, BASE64URL, Encoding};
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

/// What stands where a secret was.
pub const MASK: &str = "[secret]";
/// Shorter pieces of a secret, or encodings of one, would blacken innocent text and tell nothing.
const SHORTEST_PIECE: usize = 4;

/// Knows the forms in which secrets may turn up. Clones share what they know.
#[derive(Clone, Default)]
pub struct Redactor(Arc<RwLock<Forms>>);

/// What to look for.
#[derive(Default)]
struct Forms {
    /// As it is.
    exact: Vec<String>,
    /// With any of its characters escaped.
    escaped: Vec<String>,
    /// In lines.
    wrapped: Vec<String>,
}

impl Redactor {
    /// Looks for these secrets: as they are, line by line, in base64 (also inside a longer text, and broken into lines), JSON- and
    /// URL-escaped.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let redactor = Self::default();
        secrets.into_iter().for_each(|secret| redactor.learn(secret));
        redactor
    }

    /// Looks for this one, too.
    pub fn learn(&self, secret: &Secret) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).add(secret.expose());
    }

    /// The text without them.
    pub fn clean(&self, text: &str) -> String {
        let found = self.0.read().unwrap_or_else(PoisonError::into_inner).find(text);
        masked(text, &found)
    }

    /// The beginning of a text that goes on, without them, as far as it can be told by now; and its rest, as it is, which may hold the
    /// beginning of one.
    pub fn clean_beginning(&self, text: &str) -> (String, String) {
        let forms = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = forms.find(text);
        let mut until = text.len().saturating_sub(forms.longest());
        if let Some(over) = found.iter().find(|range| range.start < until && until < range.end) {
            until = over.start;
        }
        while !text.is_char_boundary(until) {
            until -= 1;
        }
        found.retain(|range| range.end <= until);
        (masked(&text[..until], &found), text[until..].to_owned())
    }

    /// The failure without them.
    pub fn failure(&self, failure: &Failure) -> Failure {
        Failure {
            message: self.clean(&failure.message),
            causes: failure.causes.iter().map(|cause| self.clean(cause)).collect(),
            hint: failure.hint.as_deref().map(|hint| self.clean(hint)),
            retriable: failure.retriable,
        }
    }
}

/// The text with a mask in these places, which are in order and apart.
fn masked(text: &str, places: &[Range<usize>]) -> String {
    let (mut clean, mut at) = (String::with_capacity(text.len()), 0);
    for place in places {
        clean.push_str(&text[at..place.start]);
        clean.push_str(MASK);
        at = place.end;
    }
    clean.push_str(&text[at..]);
    clean
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

impl Forms {
    fn add(&mut self, value: &str) {
        let is_long = |form: &&str| form.len() >= SHORTEST_PIECE;
        let lines: Vec<&str> = value.lines().map(str::trim).filter(is_long).collect();
        let whole = [value, value.trim(), value.trim_end()];
        self.exact.extend(whole.iter().chain(&lines).filter(|form| !form.is_empty()).map(|form| (*form).to_owned()));
        self.escaped.extend(whole[1..2].iter().chain(&lines).copied().filter(is_long).map(str::to_owned));
        for value in [value, value.trim_end()].into_iter().filter(is_long) {
            self.exact.extend(base64_forms(&BASE64URL, value));
            self.wrapped.extend(base64_forms(&BASE64, value));
        }
        self.exact.extend(self.wrapped.iter().cloned());
        for forms in [&mut self.exact, &mut self.escaped, &mut self.wrapped] {
            forms.sort();
            forms.dedup();
        }
    }

    /// Where they stand in the text, in order and apart: what overlaps is one.
    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let exact = self.exact.iter().flat_map(|form| text.match_indices(form.as_str()).map(|(at, found)| at..at + found.len()));
        let escaped = self.escaped.iter().flat_map(|value| escaped::find(text, value));
        let wrapped = self.wrapped.iter().flat_map(|form| wrapped::find(text, form));
        let mut found: Vec<Range<usize>> = exact.chain(escaped).chain(wrapped).collect();
        found.sort_by_key(|range| range.start);
        found.dedup_by(|next, before| {
            let overlaps = next.start < before.end;
            before.end = if overlaps { before.end.max(next.end) } else { before.end };
            overlaps
        });
        found
    }

    /// The most bytes that one of them may take.
    fn longest(&self) -> usize {
        let exact = self.exact.iter().map(String::len);
        exact.chain(self.escaped.iter().map(|value| value.len() * escaped::LONGEST)).max().unwrap_or(0)
    }
}

/// The characters that a value surely makes in base64, for each of the three places where it can begin in a group.
fn base64_forms(encoding: &Encoding, value: &str) -> Vec<String> {
    let form = |offset: usize| {
        let bytes = [&vec![0; offset], value.as_bytes()].concat();
        // A character holds six bits: those that share bits with a neighbour are not the value's alone.
        let (first, last) = ((offset * 8).div_ceil(6), bytes.len() * 8 / 6);
        encoding.encode(&bytes)[first..last].to_owned()
    };
    (0..3).map(form).filter(|form| form.len() >= SHORTEST_PIECE).collect()
}

#[cfg(test)]
mod tests {
    use super::Redactor;
    use crate::action::Secret;
    use data_encoding::{BASE64, BASE64URL_NOPAD};

    const VALUE: &str = "s3cr\"t &/+value";

    fn clean(text: &str) -> String {
        Redactor::new([&Secret::new(VALUE.to_owned())]).clean(text)
    }

    #[test]
    fn a_secret_is_found_in_every_form() {
        assert_eq!(clean(&format!("a {VALUE} b")), "a [secret] b");
        assert_eq!(clean(&serde_json::json!({ "k": VALUE }).to_string()), r#"{"k":"[secret]"}"#);
        assert_eq!(clean("x=s3cr%22t%20%26%2F%2Bvalue&y=s3cr%22t+%26%2F%2Bvalue"), "x=[secret]&y=[secret]");
        for before in ["", "u", "us", "user:"] {
            for encoded in
                [BASE64.encode(format!("{before}{VALUE}").as_bytes()), BASE64URL_NOPAD.encode(format!("{before}{VALUE}").as_bytes())]
            {
                assert!(clean(&encoded).contains("[secret]"), "{encoded}");
            }
        }
    }

    #[test]
    fn a_secret_of_several_lines_is_found_line_by_line() {
        let key = Secret::new("-----BEGIN KEY-----\nMIIEvQIBADANBg\n}\n-----END KEY-----\n".to_owned());
        let redactor = Redactor::new([&key]);
        assert_eq!(redactor.clean("MIIEvQIBADANBg"), "[secret]");
        assert_eq!(redactor.clean("fn main() {}"), "fn main() {}");
    }

    #[test]
    fn a_secret_inside_another_does_not_break_it_apart() {
        let (long, short) = (Secret::new("abc-123-def".to_owned()), Secret::new("123".to_owned()));
        assert_eq!(Redactor::new([&short, &long]).clean("abc-123-def 123"), "[secret] [secret]");
        assert_eq!(Redactor::new([&Secret::new(String::new())]).clean("untouched"), "untouched");
    }

    #[test]
    fn a_secret_is_found_in_base64_that_is_broken_into_lines() {
        let long = "0123456789abcdef-".repeat(12);
        for (secret, width) in [(VALUE, 64), (VALUE, 76), (&long, 64), (&long, 76)] {
            let redactor = Redactor::new([&Secret::new(secret.to_owned())]);
            // Each place in a line, and each place in a group of three.
            for before in 0..width {
                let encoded = BASE64.encode(format!("{}{secret}~~~~", "-".repeat(before)).as_bytes());
                let lines: Vec<&str> = (0..encoded.len()).step_by(width).map(|at| &encoded[at..encoded.len().min(at + width)]).collect();
                let whole: Vec<String> = redactor.clean(&lines.join("\n")).lines().map(str::to_owned).collect();
                let one_by_one: Vec<String> = lines.iter().map(|line| redactor.clean(line)).collect();
                assert_eq!(whole, one_by_one);
                let left: String = one_by_one.concat().replace(super::MASK, "");
                // What is left is what stood before it and after it, and what of it is too short in its line.
                let around = (before * 8).div_ceil(6) + 8;
                assert!(left.len() <= around + 2 * super::SHORTEST_PIECE, "{width} {before}: {left}");
            }
        }
        let innocent = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUe3xy3Yq3\n/usr/lib/x86_64+linux";
        assert_eq!(Redactor::new([&Secret::new(long)]).clean(innocent), innocent);
    }

    #[test]
    fn a_secret_is_found_as_other_writers_escape_it() {
        assert_eq!(clean(r#"{"k":"s3cr\"t \u0026/+value"}"#), r#"{"k":"[secret]"}"#);
        assert_eq!(clean("x=s3cr%22t%20%26%2f%2bvalue&y=s3cr%22t+%26/%2bvalue"), "x=[secret]&y=[secret]");
    }

    #[test]
    fn a_text_that_goes_on_is_told_until_where_a_secret_may_begin() {
        let redactor = Redactor::new([&Secret::new("hunter2-hunter2".to_owned())]);
        for cut in 0..355 {
            let text = format!("{}hunter2-hunter2{}", "é".repeat(20), "x".repeat(300));
            let Some((first, second)) = text.split_at_checked(cut) else { continue };
            let (told, rest) = redactor.clean_beginning(first);
            assert_eq!(told + &redactor.clean(&(rest + second)), text.replace("hunter2-hunter2", "[secret]"), "{cut}");
        }
        assert_eq!(Redactor::default().clean_beginning("all of it"), ("all of it".to_owned(), String::new()));
    }
}
