//! What people write in conditions who know other languages better, and what CEL calls it. It compiles nothing.

/// What to write instead of what stands at this byte, where CEL cannot go on.
pub(super) fn meant(source: &str, at: usize) -> Option<&'static str> {
    let rest = source.get(at..)?;
    let before = source[..at].trim_end();
    let help = match (word(rest), last_word(before)) {
        ("and", _) => "`&&` stands between conditions that must both be true: `inputs.a && inputs.b`",
        ("or", _) => "`||` stands between conditions of which one must be true: `inputs.a || inputs.b`",
        ("is", _) => "`==` and `!=` compare: `inputs.name == null`, `inputs.name != null`",
        ("contains", _) => "write `'x' in inputs.list`, or of a text `inputs.text.contains('x')`",
        ("not", _) => "`!` stands before what must not be true: `!('x' in inputs.list)`",
        (_, "not") => "`!` stands before what must not be true: `!inputs.flag`, `!('x' in inputs.list)`",
        ("", _) if rest.starts_with('&') => "`&&` stands between conditions that must both be true: `inputs.a && inputs.b`",
        ("", _) if rest.starts_with('|') => "`||` stands between conditions of which one must be true: `inputs.a || inputs.b`",
        _ => return None,
    };
    Some(help)
}

/// What CEL calls a word that other languages have for one of its values.
pub fn literal(word: &str) -> Option<&'static str> {
    match word {
        "True" | "TRUE" | "yes" | "on" => Some("true"),
        "False" | "FALSE" | "no" | "off" => Some("false"),
        "None" | "nil" | "Null" | "NULL" | "undefined" => Some("null"),
        _ => None,
    }
}

fn is_part(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn word(text: &str) -> &str {
    text.split(|letter| !is_part(letter)).next().unwrap_or_default()
}

fn last_word(text: &str) -> &str {
    text.rsplit(|letter| !is_part(letter)).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::expr::Condition;

    #[test]
    fn words_of_other_languages_are_told_in_cel() {
        for (text, told) in [
            ("inputs.n > 1 and inputs.b", "`&&`"),
            ("inputs.n > 1 or inputs.b", "`||`"),
            ("not inputs.flag", "`!inputs.flag`"),
            ("inputs.b && not inputs.flag", "`!inputs.flag`"),
            ("'x' not in inputs.list", "`!('x' in inputs.list)`"),
            ("inputs.opt is null", "`inputs.name == null`"),
            ("inputs.list contains 'x'", "`'x' in inputs.list`"),
            ("inputs.a & inputs.b", "`&&`"),
            ("inputs.a | inputs.b", "`||`"),
        ] {
            let help = Condition::parse(text).unwrap_err().help.unwrap_or_default();
            assert!(help.contains(told), "{text}: {help}");
        }
        assert_eq!(Condition::parse("inputs.a > > 1").unwrap_err().help, None);
    }
}
