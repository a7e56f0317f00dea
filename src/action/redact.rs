//! Takes secrets out of text that people will see or a journal will keep. It knows values, not where they come from.

use super::Secret;
use crate::record::Failure;
use data_encoding::{BASE64, BASE64URL};
use std::sync::{Arc, PoisonError, RwLock};

/// What stands where a secret was.
pub const MASK: &str = "[secret]";
/// Shorter pieces of a secret, or encodings of one, would blacken innocent text and tell nothing.
const SHORTEST_PIECE: usize = 4;

/// Knows the forms in which secrets may turn up. Clones share what they know.
#[derive(Clone, Default)]
pub struct Redactor(Arc<RwLock<Vec<String>>>);

impl Redactor {
    /// Looks for these secrets: as they are, line by line, in base64 (also inside a longer text), JSON- and URL-escaped.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let redactor = Self::default();
        secrets.into_iter().for_each(|secret| redactor.learn(secret));
        redactor
    }

    /// Looks for this one, too.
    pub fn learn(&self, secret: &Secret) {
        let mut needles = self.0.write().unwrap_or_else(PoisonError::into_inner);
        needles.extend(forms(secret.expose()));
        // The longest first: what is part of another must not break it apart.
        needles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        needles.dedup();
    }

    /// The text without them.
    pub fn clean(&self, text: &str) -> String {
        let needles = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut clean = text.to_owned();
        for needle in needles.iter() {
            if clean.contains(needle.as_str()) {
                clean = clean.replace(needle.as_str(), MASK);
            }
        }
        clean
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

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

fn forms(value: &str) -> Vec<String> {
    let exact = [value, value.trim()].map(str::to_owned).into_iter().filter(|form| !form.is_empty());
    let long = |form: &String| form.len() >= SHORTEST_PIECE;
    let lines = value.lines().map(|line| line.trim().to_owned()).filter(long);
    let encoded = [value, value.trim_end()].into_iter().filter(|value| value.len() >= SHORTEST_PIECE);
    let encoded = encoded.flat_map(|value| [base64_forms(value), vec![json(value), url(value), url(value).replace("%20", "+")]].concat());
    exact.chain(lines).chain(encoded.filter(long)).collect()
}

/// The characters that a value surely makes in base64, for each of the three places where it can begin in a group.
fn base64_forms(value: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for encoding in [BASE64, BASE64URL] {
        for offset in 0..3 {
            let bytes = [&vec![0; offset], value.as_bytes()].concat();
            let text = encoding.encode(&bytes);
            // A character holds six bits: those that share bits with a neighbour are not the value's alone.
            let (first, last) = ((offset * 8).div_ceil(6), bytes.len() * 8 / 6);
            forms.push(text[first..last].to_owned());
        }
    }
    forms
}

fn json(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn url(value: &str) -> String {
    let unreserved = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    value.bytes().map(|byte| if unreserved(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
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
}
