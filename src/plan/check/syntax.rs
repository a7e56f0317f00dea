//! The words for a text that is not YAML, and what to write instead. The parser's own words are those of its author.

use crate::expr::yaml::SyntaxError;

/// What is wrong, and what to do.
pub(super) fn told(text: &str, error: &SyntaxError) -> (String, String) {
    let said = error.message.as_str();
    let has = |words: &str| said.contains(words);
    if let Some(line) = unquoted(text, error.line) {
        return (format!("this is not YAML: {said}"), format!("put it between quotes: `{line}`"));
    }
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
    } else if has("bracket") || has("flow") {
        (said, "close every `[` and `{` that is open, in the order in which they were opened")
    } else if has("indent") || has("block") {
        (said, "let the keys of one mapping begin in the same column")
    } else {
        (said, "put a text with `: `, `#`, `{`, `[`, `*` or `&` in it between `'` and `'`")
    };
    (format!("this is not YAML: {said}"), help.to_owned())
}

/// The entry to write where a template of a step stands without quotes in this line. What stands above the steps may be a secret, and is
/// not said again.
fn unquoted(text: &str, line: usize) -> Option<String> {
    let top = text.lines().take(line).filter(|line| line.starts_with(|first: char| first.is_ascii_alphabetic())).last()?;
    let line = text.lines().nth(line.checked_sub(1)?)?.trim();
    let opens = line.find("{{")?;
    let (before, after) = line.split_at(opens);
    let is_quoted = ['\'', '"'].into_iter().any(|quote| line.contains(quote));
    let closes = after.rfind("}}").filter(|_| top.starts_with("steps:") && !is_quoted)?;
    // `}}}`: the last one closes the mapping around it.
    let closes = if after[..closes].ends_with('}') { closes - 1 } else { closes };
    let colon = before.rfind(": ")?;
    let key = before[..colon].rsplit(['{', ',', ' ']).next().filter(|key| !key.is_empty())?;
    let words = before[colon + 2..].trim_start();
    let rest = after[closes + 2..].trim();
    // Words behind the template belong to it, up to what closes the mapping.
    let rest = rest.trim_end_matches(['}', ']', ' ']);
    let is_whole = !words.contains(['[', '{', ',']) && !after[..closes].contains(',') && !rest.contains([',', '`']);
    let rest = if rest.is_empty() { String::new() } else { format!(" {rest}") };
    is_whole.then(|| format!("{key}: '{words}{}{rest}'", &after[..closes + 2]))
}

#[cfg(test)]
mod tests {
    use super::told;
    use crate::expr::yaml::parse;

    fn help(line: &str) -> String {
        let text = format!("plan: p\nsteps:\n- id: a\n  {line}\n- id: b\n  backup:\n");
        told(&text, &parse(&text).unwrap_err()).1
    }

    #[test]
    fn a_template_without_quotes_is_told_with_them() {
        for (line, meant) in [
            ("shell: { run: echo {{ inputs.x }} }", "run: 'echo {{ inputs.x }}'"),
            ("shell: {run: echo {{inputs.x}}}", "run: 'echo {{inputs.x}}'"),
            ("shell: { read-only: true, run: {{ inputs.x }} twice }", "run: '{{ inputs.x }} twice'"),
            ("timeout: {{ inputs.x }}", "timeout: '{{ inputs.x }}'"),
        ] {
            assert_eq!(help(line), format!("put it between quotes: `{meant}`"), "{line}");
        }
        let other = help("shell: { run: 'echo {{ inputs.x }}', env: [ }");
        assert!(other.contains("close every"), "{other}");
    }

    #[test]
    fn what_may_be_a_secret_is_not_said_again() {
        let text = "secrets:\n  token: { env: hunter2 {{ x }} }\nsteps:\n- id: a\n";
        assert!(!told(text, &parse(text).unwrap_err()).1.contains("hunter2"));
    }
}
