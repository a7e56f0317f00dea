//! What a type says about a value that does not fit it, kept apart from its words. It knows no place.

use serde::de::{Expected, Unexpected};
use std::fmt;

/// One thing that does not fit.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::plan) enum Mistake {
    /// A key that the type does not have.
    UnknownKey { key: String, known: Vec<String> },
    /// A word that is none of the known ones.
    UnknownWord { word: String, known: Vec<String> },
    /// Another kind of value is wanted.
    WrongType { wanted: String },
    /// The kind is right, the value is not.
    WrongValue { wanted: String },
    /// A key must be there.
    MissingKey { key: String },
    /// In the type's own words.
    Other(String),
    /// Follows from a mistake that was told already.
    Known,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mistake::UnknownKey { key, .. } => write!(f, "there is no key `{key}` here"),
            Mistake::UnknownWord { word, .. } => write!(f, "`{word}` is not known here"),
            Mistake::WrongType { wanted } | Mistake::WrongValue { wanted } => write!(f, "expected {wanted}"),
            Mistake::MissingKey { key } => write!(f, "the key `{key}` is missing"),
            Mistake::Other(words) => f.write_str(words),
            Mistake::Known => f.write_str("told before"),
        }
    }
}

impl std::error::Error for Mistake {}

impl serde::de::Error for Mistake {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Mistake::Other(message.to_string())
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Mistake::WrongType { wanted: plainly(&expected.to_string()) }
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Mistake::WrongValue { wanted: plainly(&expected.to_string()) }
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Mistake::WrongValue { wanted: plainly(&expected.to_string()) }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Mistake::UnknownWord { word: variant.to_owned(), known: expected.iter().map(|&word| word.to_owned()).collect() }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Mistake::UnknownKey { key: field.to_owned(), known: expected.iter().map(|&word| word.to_owned()).collect() }
    }

    fn missing_field(field: &'static str) -> Self {
        Mistake::MissingKey { key: field.to_owned() }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Mistake::Other(format!("the key `{field}` stands here twice"))
    }
}

/// The words of a type's author for what is wanted, in a plan author's words.
fn plainly(expected: &str) -> String {
    let plain = match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" | "u128" => "a whole number (at least 0)",
        "i8" | "i16" | "i32" | "i64" | "isize" | "i128" => "a whole number",
        "f32" | "f64" => "a number",
        "a string" | "string" | "str" | "a borrowed string" => "a text",
        "a boolean" | "bool" => "`true` or `false`",
        "a sequence" | "sequence" => "a list",
        "a map" | "map" => "a mapping",
        nonzero if nonzero.starts_with("a nonzero u") => "a whole number (at least 1)",
        mapping if mapping.starts_with("struct ") => "a mapping",
        choice if choice.starts_with("enum ") => "a known word, or a mapping with one key",
        other => other,
    };
    plain.to_owned()
}
