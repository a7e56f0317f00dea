//! Puts quotes around templates that stand in YAML without them: to YAML `{{` begins a mapping. It reads no YAML itself.

use std::ops::Range;

/// Most lines over which one template may go.
const MOST_LINES: usize = 8;

/// The longest line that is looked at, in bytes: nobody writes more than this by hand.
const LONGEST: usize = 4096;

/// A line as it would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted {
    /// The line, without the blanks around it.
    pub line: String,
    /// Where the first of its bare templates begins in the text.
    pub at: usize,
    /// The whole text with it; no line has another number than before.
    pub text: String,
}

/// Quotes the bare templates that begin in a line, counted from 1. None where there are none, or where `is_better` does not find the text
/// with them right there.
pub fn quoted(text: &str, line: usize, is_better: impl Fn(&str) -> bool) -> Option<Quoted> {
    let start: usize = text.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let (joined, end) = joined(text, start).filter(|(joined, _)| joined.len() <= LONGEST && joined.contains("{{"))?;
    // Where the line stands within brackets of lines above, a comma ends what stands in it.
    [0, 1].into_iter().find_map(|depth| {
        let bare = bare(&joined, depth);
        let first = bare.first()?.start;
        let mut mended = joined.clone();
        for place in bare.iter().rev() {
            mended.replace_range(place.clone(), &between_quotes(&joined[place.clone()]));
        }
        // The lines that were joined stay, empty.
        let breaks = "\n".repeat(text[start..end].matches('\n').count());
        let whole = format!("{}{mended}{breaks}{}", &text[..start], &text[end..]);
        is_better(&whole).then(|| Quoted { line: mended.trim().to_owned(), at: start + first, text: whole })
    })
}

/// The line that begins here, with those that its last template goes over, and where that ends in the text.
fn joined(text: &str, start: usize) -> Option<(String, usize)> {
    let (mut joined, mut end) = (String::new(), start);
    for line in text.get(start..)?.split_inclusive('\n').take(MOST_LINES) {
        let line = line.trim_end_matches(['\n', '\r']);
        if joined.is_empty() {
            joined.push_str(line);
        } else {
            end = start_of_next(text, end);
            joined.push(' ');
            joined.push_str(line.trim());
        }
        end += line.len();
        if joined.rfind("{{") <= joined.rfind("}}") {
            return Some((joined, end));
        }
    }
    None
}

fn start_of_next(text: &str, end: usize) -> usize {
    text[end..].find('\n').map_or(text.len(), |at| end + at + 1)
}

/// The plain scalars of a line that hold a template and may not, within so many brackets.
fn bare(line: &str, mut depth: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut at, mut scalar) = (0, None::<(usize, bool)>);
    let mut end = |scalar: &mut Option<(usize, bool)>, at: usize, depth: usize| {
        if let Some((start, true)) = scalar.take() {
            let place = start..start + line[start..at].trim_end().len();
            // Outside of brackets braces may stand within a plain text, not at its beginning.
            if depth > 0 || line[start..].starts_with("{{") {
                found.push(place);
            }
        }
    };
    while let Some(next) = line[at..].chars().next() {
        let behind = line[at + next.len_utf8()..].chars().next();
        let is_apart = behind.is_none_or(|behind| behind.is_whitespace() || (depth > 0 && ",]}".contains(behind)));
        let mut step = next.len_utf8();
        match next {
            '{' if behind == Some('{') => {
                let Some(length) = line[at..].find("}}") else { return found };
                scalar = Some((scalar.map_or(at, |(start, _)| start), true));
                step = length + 2;
            }
            '\'' | '"' if scalar.is_none() => step = after_quotes(&line[at..], next),
            '[' | '{' if scalar.is_none() => depth += 1,
            ',' | ']' | '}' if depth > 0 => {
                end(&mut scalar, at, depth);
                depth -= usize::from(next != ',');
            }
            ':' if is_apart => end(&mut scalar, at, depth),
            '-' if scalar.is_none() && behind.is_some_and(char::is_whitespace) => {}
            '#' if at == 0 || line[..at].ends_with(char::is_whitespace) => break,
            blank if blank.is_whitespace() => {}
            _ => scalar = scalar.or(Some((at, false))),
        }
        at += step;
    }
    end(&mut scalar, at, depth);
    found
}

/// How long a text between quotes is; one that does not end goes to the end of the line.
fn after_quotes(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, next) in text.char_indices().skip(1) {
        match next {
            _ if is_escaped => is_escaped = false,
            '\\' if quote == '"' => is_escaped = true,
            // `''` is one quote within: the text goes on behind it.
            next if next == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Those quotes that stand nowhere in it.
fn between_quotes(text: &str) -> String {
    match text.contains('\'') && !text.contains(['"', '\\']) {
        true => format!("\"{text}\""),
        false => format!("'{}'", text.replace('\'', "''")),
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;
    use crate::expr::yaml::parse;

    fn mended(text: &str, line: usize) -> Option<String> {
        quoted(text, line, |text| parse(text).is_ok()).map(|quoted| quoted.line)
    }

    #[test]
    fn what_stands_without_quotes_gets_them() {
        for (line, right) in [
            ("a: {{ x }}", "a: '{{ x }}'"),
            ("a: {{ x }}-suffix", "a: '{{ x }}-suffix'"),
            ("a: {{x}}:{{ y }} # why {{ z }}", "a: '{{x}}:{{ y }}' # why {{ z }}"),
            ("- {{ x }}", "- '{{ x }}'"),
            ("- - {{ x }} b", "- - '{{ x }} b'"),
            ("- a: {{ x }}", "- a: '{{ x }}'"),
            ("{{ x }}: 1", "'{{ x }}': 1"),
            ("{{ x }}", "'{{ x }}'"),
            ("a: { b: {{ x }}, c: 1 }", "a: { b: '{{ x }}', c: 1 }"),
            ("a: {b: echo {{x}}}", "a: {b: 'echo {{x}}'}"),
            ("a: [{{ x }}, b-{{ y }}, 'c {{ z }}']", "a: ['{{ x }}', 'b-{{ y }}', 'c {{ z }}']"),
            ("a: [{{ x }}]", "a: ['{{ x }}']"),
            ("a: { b: \"it's\", c: {{ x }} }", "a: { b: \"it's\", c: '{{ x }}' }"),
            ("a: {{ default x 'v1' }}", "a: \"{{ default x 'v1' }}\""),
            ("a: {{ default x 'v\"1' }}", "a: '{{ default x ''v\"1'' }}'"),
            ("a: é {{ x }}\nb: {{ x }}", "b: '{{ x }}'"),
            ("a: {\n  b: {{ x }},\n  c: 1 }", "b: '{{ x }}',"),
            ("a: 'it''s' # {{\nb: [ 'it''s', {{ x }} ]", "b: [ 'it''s', '{{ x }}' ]"),
        ] {
            let lines: Vec<&str> = line.lines().collect();
            let number = lines.iter().rposition(|line| line.contains("{{")).map_or(0, |at| at + 1);
            assert_eq!(mended(line, number).as_deref(), Some(right), "{line}");
        }
    }

    #[test]
    fn a_template_over_several_lines_comes_into_one_and_the_others_keep_their_numbers() {
        let text = "a: {{\n   x\n  }}-b\nc: 1\n";
        let found = quoted(text, 1, |text| parse(text).is_ok()).unwrap();
        assert_eq!((found.line.as_str(), found.at), ("a: '{{ x }}-b'", 3));
        assert_eq!(found.text.lines().position(|line| line == "c: 1"), Some(3));
        let windows = quoted("a: 1\r\nb: {{ x }}\r\nc: 2\r\n", 2, |text| parse(text).is_ok()).unwrap();
        assert_eq!(windows.text, "a: 1\r\nb: '{{ x }}'\r\nc: 2\r\n");
    }

    #[test]
    fn what_quotes_do_not_mend_is_left() {
        for (line, number) in
            [("a: 1", 1), ("a: '{{ x }}", 1), ("a: {{ x", 1), ("a: {{ x }} ]\nb: [", 1), ("", 1), ("a: 1", 0), ("a: 1", 7)]
        {
            assert_eq!(mended(line, number), None, "{line}");
        }
    }
}
