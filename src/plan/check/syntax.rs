//! The words for a text that is not YAML, and what to write instead. The parser's own words are those of its author.

use crate::expr::yaml::SyntaxError;

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
    } else if has("bracket") || has("flow") {
        (said, "close every `[` and `{` that is open, in the order in which they were opened")
    } else if has("indent") || has("block") {
        (said, "let the keys of one mapping begin in the same column")
    } else {
        (said, "put a text with `: `, `#`, `{`, `[`, `*` or `&` in it between `'` and `'`")
    };
    (format!("this is not YAML: {said}"), help.to_owned())
}
