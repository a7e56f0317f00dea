//! Breaks lines between words, so that a narrow terminal does not break them within. Pure; a width is told, never looked up.

use super::paint::columns;

/// How far what is continued stands to the right of its beginning.
const HANGING: usize = 4;

/// The most bytes of a word that are not begun.
const GIVEN_UP: usize = 16;

/// A line as lines of at most `width` columns; what is continued is indented. Commands are kept whole, in backquotes and on
/// lines of their own, since one that is broken is copied wrongly; a word that is longer than a line stays as it is.
pub fn wrap(line: &str, width: usize) -> Vec<String> {
    let indent = line.len() - line.trim_start_matches(' ').len();
    if line[indent..].starts_with("bowline ") {
        return command(line, indent, width);
    }
    wrap_behind(line, 0, indent + HANGING, width)
}

/// A command stands whole on a line of its own; what is said of it beside goes below it where there is no room.
fn command(line: &str, indent: usize, width: usize) -> Vec<String> {
    let beside = line[indent..].split_once("  ").filter(|_| columns(line) > width);
    let Some((command, does)) = beside else { return vec![line.to_owned()] };
    let blanks = " ".repeat(indent + HANGING);
    let below = wrap_behind(&format!("{blanks}{}", does.trim_start()), 0, indent + HANGING, width);
    std::iter::once(format!("{}{command}", &line[..indent])).chain(below).collect()
}

/// As [`wrap`], of a text before which `used` columns of its first line are taken; `indent` is where the following ones begin.
pub fn wrap_behind(text: &str, used: usize, indent: usize, width: usize) -> Vec<String> {
    let beginning = text.len() - text.trim_start_matches(' ').len();
    let (mut lines, mut line) = (Vec::new(), text[..beginning].to_owned());
    let (mut length, mut begins) = (used + beginning, true);
    let room = width.saturating_sub(indent);
    for word in words(&text[beginning..]).into_iter().flat_map(|word| pieces(word, room)) {
        let columns = columns(word);
        if !begins && length + 1 + columns > width {
            lines.push(std::mem::replace(&mut line, " ".repeat(indent)).trim_end().to_owned());
            (length, begins) = (indent, true);
        }
        if word.is_empty() && begins {
            continue;
        }
        if !begins {
            line.push(' ');
            length += 1;
        }
        line.push_str(word);
        (length, begins) = (length + columns, false);
    }
    lines.push(line);
    lines
}

/// A line that is cut to fit: between words, where that does not give up much.
pub fn clipped(line: &str, width: usize) -> String {
    if columns(line) <= width {
        return line.to_owned();
    }
    let kept: String = line.chars().take(width.saturating_sub(1)).collect();
    let is_between = kept.ends_with(' ') || line.chars().nth(width.saturating_sub(1)) == Some(' ');
    match kept.trim_end().rfind(' ') {
        _ if is_between => format!("{}…", kept.trim_end()),
        Some(blank) if kept.len() - blank <= GIVEN_UP => format!("{} …", kept[..blank].trim_end()),
        _ => format!("{}…", kept.trim_end()),
    }
}

/// The words between blanks; what stands in backquotes is one word.
fn words(text: &str) -> Vec<&str> {
    let (mut words, mut begin, mut quoted) = (Vec::new(), 0, false);
    for (at, character) in text.char_indices() {
        match character {
            '`' => quoted = !quoted,
            // The sign before what comes and goes says nothing alone.
            ' ' if words.is_empty() && is_sign(&text[begin..at]) => {}
            ' ' if !quoted => {
                words.push(&text[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    words.push(&text[begin..]);
    words
}

/// A word as it is, unless it is in backquotes, longer than a line, and no command of ours that somebody might copy.
fn pieces(word: &str, room: usize) -> Vec<&str> {
    match columns(word) > room && word.contains(' ') && !word.contains("`bowline ") && !is_sign(word.split(' ').next().unwrap_or_default())
    {
        true => word.split(' ').collect(),
        false => vec![word],
    }
}

fn is_sign(word: &str) -> bool {
    columns(word) == 1 && word.ends_with(['+', '-', '~'])
}

#[cfg(test)]
mod tests {
    use super::{clipped, wrap, wrap_behind};

    #[test]
    fn a_line_is_broken_between_words_and_continued_to_the_right() {
        insta::assert_snapshot!(wrap("  deploy: spec.replicas is 4 since somebody set it", 30).join("\n"), @"
        deploy: spec.replicas is 4
            since somebody set it
        ");
        assert_eq!(wrap("short", 30), ["short"]);
        assert_eq!(wrap("", 30), [""]);
    }

    #[test]
    fn commands_and_long_words_are_kept_whole() {
        insta::assert_snapshot!(wrap("evidence kept: `bowline show 20261121-120300-7f3a --evidence healthy`", 30).join("\n"), @"
        evidence kept:
            `bowline show 20261121-120300-7f3a --evidence healthy`
        ");
        assert_eq!(wrap("a-word-that-is-longer-than-the-line", 10), ["a-word-that-is-longer-than-the-line"]);
        assert_eq!(wrap("  + spec.template.spec.dnsPolicy: Default", 20), ["  + spec.template.spec.dnsPolicy:", "      Default"]);
    }

    #[test]
    fn what_a_plan_runs_is_broken_where_it_is_longer_than_a_line() {
        assert_eq!(
            wrap("failed: `echo the database does not answer; exit 3` exited", 30),
            ["failed: `echo the database", "    does not answer; exit 3`", "    exited"]
        );
        assert_eq!(wrap("failed: `echo the database` exited with 1", 30), ["failed: `echo the database`", "    exited with 1"]);
    }

    #[test]
    fn what_is_said_of_a_command_goes_below_it_where_there_is_no_room_beside() {
        let line = "  bowline resume r1    goes on where it stopped";
        assert_eq!(wrap(line, 80), [line]);
        assert_eq!(wrap(line, 30), ["  bowline resume r1", "      goes on where it stopped"]);
        assert_eq!(wrap("  bowline resume 20261121-120300-7f3a", 20), ["  bowline resume 20261121-120300-7f3a"]);
    }

    #[test]
    fn a_line_is_cut_between_words_unless_one_is_very_long() {
        assert_eq!(clipped("pulling its image", 17), "pulling its image");
        assert_eq!(clipped("pulling its image", 16), "pulling its …");
        assert_eq!(clipped("pulling its image", 13), "pulling its…");
        assert_eq!(clipped("pulling its image", 12), "pulling its…");
        assert_eq!(clipped("pulling its image", 11), "pulling …");
        assert_eq!(clipped("a a-word-that-is-longer-than-all", 22), "a a-word-that-is-long…");
        assert_eq!(clipped("grün grüner", 9), "grün …");
        assert_eq!(clipped("ab", 0), "…");
    }

    #[test]
    fn what_stands_before_a_text_counts() {
        assert_eq!(wrap_behind("one two three", 6, 2, 10), ["one", "  two", "  three"]);
    }
}
