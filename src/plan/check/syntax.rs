//! The words for a text that is not YAML, and what to write instead. The parser's own words are those of its author.

use crate::expr::yaml::{self, SyntaxError};
use crate::expr::{Quoted, quoted};

/// The longest line that is told as it would be right.
const LONGEST_LINE: usize = 160;

/// What is wrong, and what to do.
pub(super) fn told(text: &str, error: &SyntaxError) -> (String, String) {
    let said = error.message.as_str();
    let has = |words: &str| said.contains(words);
    let (said, help) = if text.contains('\0') {
        (said, "this file holds bytes that are no text: is it a plan at all?")
    } else if has("tabs disallowed") {
        (said, "YAML is indented with blanks: write two instead of each tab")
    } else if has("Depth") {
        ("it is nested too deeply", "nothing in a plan is nested more than 48 times")
    } else if has("replay") || has("too large or too complex") {
        ("its aliases stand for more than a plan can hold", "write the values themselves: a plan has few aliases")
    } else if has("unknown value") || has("anchor") {
        ("there is no such anchor above", "write the value itself, or name it above with `&name`")
    } else if has("merge value") {
        ("`<<` takes a mapping", "write `<<: *name`, with a mapping named `&name` above")
    } else if has("multiple") && has("document") {
        (said, "a file holds one plan: remove `---` and what follows")
    } else if has("mapping values are not allowed") {
        (said, "let the keys of one mapping begin in the same column, and put a text with `: ` in it between `'` and `'`")
    } else if has("quote") {
        (said, "close the quotes, or put the whole text between `'` and `'`")
    } else if let Some(name) = named_item(text, error).filter(|_| has("bracket") || has("flow")) {
        return (format!("this is not YAML: {said}"), format!("put a name with brackets in it between quotes: `'{name}'`"));
    } else if has("bracket") || has("flow") {
        (said, "close every `[` and `{` that is open, in the order in which they were opened")
    } else if has("indent") || has("block") {
        (said, "let the keys of one mapping begin in the same column")
    } else {
        (said, "put a text with `: `, `#`, `{`, `[`, `*` or `&` in it between `'` and `'`")
    };
    (format!("this is not YAML: {said}"), help.to_owned())
}

/// A step of a `for-each` as the docs write it, `deploy[eu]`, in the line where the parser stopped: in a list it needs quotes.
fn named_item<'t>(text: &'t str, error: &SyntaxError) -> Option<&'t str> {
    let line = text.lines().nth(error.line.checked_sub(1)?)?;
    let is_name = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '-' | '_');
    line.match_indices('[').find_map(|(open, _)| {
        let begin = line[..open].trim_end_matches(is_name).len();
        let inside = line[open + 1..].find(|sign: char| !is_name(sign)).map(|end| open + 1 + end)?;
        (begin < open && line[inside..].starts_with(']')).then(|| &line[begin..=inside])
    })
}

/// What is told of a template without quotes, and the text with them.
pub(super) fn unquoted(text: &str, error: &SyntaxError) -> Option<(String, Quoted)> {
    let is_better = |text: &str| yaml::parse(text).map_or_else(|next| next.line > error.line, |_| true);
    let found = quoted(text, error.line, is_better)?;
    // What stands above the steps may be a secret, and is not said again.
    let top = text.lines().take(error.line).filter(|line| line.starts_with(|first: char| first.is_ascii_alphabetic())).last();
    let is_shown =
        top.is_some_and(|top| top.starts_with("steps:")) && found.line.chars().count() <= LONGEST_LINE && !found.line.contains('`');
    let help = match is_shown {
        true => format!("put quotes around it: `{}`", found.line),
        false => "put quotes around the whole value: `'{{ … }}'`".to_owned(),
    };
    Some((help, found))
}

#[cfg(test)]
mod tests {
    use super::{told, unquoted};
    use crate::expr::yaml::parse;

    fn help(line: &str) -> String {
        let text = format!("plan: p\nsteps:\n- id: a\n  {line}\n- id: b\n  backup:\n");
        let error = parse(&text).unwrap_err();
        unquoted(&text, &error).map_or_else(|| told(&text, &error).1, |(help, _)| help)
    }

    #[test]
    fn a_template_without_quotes_is_told_with_them() {
        for (line, meant) in [
            ("shell: { run: echo {{ inputs.x }} }", "shell: { run: 'echo {{ inputs.x }}' }"),
            ("shell: {run: echo {{inputs.x}}}", "shell: {run: 'echo {{inputs.x}}'}"),
            ("shell: { read-only: true, run: {{ inputs.x }} twice }", "shell: { read-only: true, run: '{{ inputs.x }} twice' }"),
            ("timeout: {{ inputs.x }}", "timeout: '{{ inputs.x }}'"),
        ] {
            assert_eq!(help(line), format!("put quotes around it: `{meant}`"), "{line}");
        }
        let other = help("shell: { run: 'echo {{ inputs.x }}', env: [ }");
        assert!(other.contains("close every"), "{other}");
    }

    #[test]
    fn what_may_be_a_secret_is_not_said_again() {
        let text = "secrets:\n  token: { env: hunter2 {{ x }} }\nsteps:\n- id: a\n";
        let (help, _) = unquoted(text, &parse(text).unwrap_err()).unwrap();
        assert!(!help.contains("hunter2"), "{help}");
    }
}
