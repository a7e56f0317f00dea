//! Draws what is wrong with a plan: words and short pieces of code stay whole, and no line is wider than the terminal. It knows no plan.

use crate::report::paint::columns;
use crate::report::words::plain;
use crate::report::wrap::wrap_behind;
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};
use textwrap::core::Word;
use textwrap::{WordSeparator, WordSplitter};

/// The width of what no terminal shows.
const WIDTH: usize = 120;
/// Below this many columns there is room for few words.
const NARROW: usize = 72;
/// Code that is longer than this is broken at its blanks.
const LONGEST_CODE: usize = 60;
/// The same where there is little room.
const LONGEST_NARROW_CODE: usize = 30;
/// With more mistakes than this, each is shown in its line alone.
const MANY: usize = 3;
/// How much is seen of what stands before the place that is pointed at, where a line is cut.
const BEFORE: usize = 6;
/// Stands where something was cut off.
const CUT: char = '…';

/// A diagnostic as a person reads it on a terminal of this width, or elsewhere.
pub fn rendered(diagnostic: &dyn Diagnostic, colour: bool, width: Option<usize>) -> String {
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let room = width.unwrap_or(WIDTH).clamp(30, 160);
    let separator = if room < NARROW { WordSeparator::Custom(narrow_words) } else { WordSeparator::Custom(wide_words) };
    let handler = GraphicalReportHandler::new_themed(theme).with_links(false).with_width(room).with_break_words(false);
    let handler = handler.with_word_separator(separator).with_word_splitter(WordSplitter::NoHyphenation);
    let mut text = String::new();
    if handler.render_report(&mut text, diagnostic).is_err() {
        return diagnostic.to_string();
    }
    let is_long = diagnostic.related().is_some_and(|all| all.count() > MANY);
    let text = closed_up(&text, is_long);
    match width {
        Some(_) => fitted(&text, room),
        None => text,
    }
}

/// Without the empty line between the name of a mistake and what it is; where there are many mistakes, without the lines around each.
fn closed_up(text: &str, is_long: bool) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let begins = |line: &str| plain(line).trim_start().starts_with(['×', '⚠', '☞']);
    let is_kept = |at: &usize| {
        let (line, next) = (lines[*at], lines.get(at + 1).copied().unwrap_or_default());
        let is_gap = line.is_empty() && *at > 0 && begins(next);
        let is_beside = is_long && gutter(line, '│').is_some() && !is_mark(line) && !is_mark(next);
        !is_gap && !is_beside
    };
    (0..lines.len()).filter(is_kept).map(|at| format!("{}\n", lines[at])).collect()
}

fn wide_words(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    words(line, LONGEST_CODE)
}

fn narrow_words(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    words(line, LONGEST_NARROW_CODE)
}

/// The words between blanks, each with the blanks behind it; code that is not too long is one word.
fn words(line: &str, longest: usize) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    let (mut words, mut begin, mut blank) = (Vec::new(), 0, false);
    // Where the code that was met last ends, and up to where it is one word.
    let (mut ends, mut code_ends) = (0, 0);
    for (at, character) in line.char_indices() {
        if character == '`' && at >= ends {
            let length = line[at + 1..].find('`').map_or(0, |end| end + 2);
            ends = at + length;
            code_ends = if length <= longest { ends } else { at };
        }
        if blank && character != ' ' {
            words.push(Word::from(&line[begin..at]));
            begin = at;
        }
        blank = character == ' ' && at >= code_ends;
    }
    words.push(Word::from(&line[begin..]));
    Box::new(words.into_iter().filter(|word| !word.is_empty() || !word.whitespace.is_empty()))
}

/// The same with lines of the plan cut around the places that are pointed at, so that no terminal breaks them.
fn fitted(text: &str, width: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let (mut out, mut at) = (Vec::with_capacity(lines.len()), 0);
    while at < lines.len() {
        let Some(gutter) = gutter(lines[at], '│') else {
            out.push(headed(lines[at], width));
            at += 1;
            continue;
        };
        let marks: Vec<&str> = lines[at + 1..].iter().copied().take_while(|line| is_mark(line)).collect();
        let first = marks.iter().filter_map(|line| mark_column(line, gutter)).min().unwrap_or(0);
        let last = marks.first().map_or(0, |line| columns(line.trim_end()).saturating_sub(gutter));
        let room = width.saturating_sub(gutter).max(10);
        // What is told of a place needs room behind it.
        let is_wide = marks.iter().any(|line| columns(line.trim_end()) > width) || last > room;
        let from = if is_wide { first.saturating_sub(BEFORE) } else { 0 };
        // To cut off less than this gains nothing.
        let from = if from < BEFORE { 0 } else { from };
        out.push(code(lines[at], gutter, from, room));
        for mark in &marks {
            out.extend(mark_lines(mark, gutter, from, room));
        }
        at += 1 + marks.len();
    }
    out.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The line that names the plan's file, without the beginning of a path for which there is no room.
fn headed(line: &str, width: usize) -> String {
    let (text, all) = (plain(line), columns(line));
    match text.find("╭─[") {
        Some(at) if all > width => {
            let begin = text[..at].chars().count() + 3;
            format!("{}{CUT}{}", cut(line, 0, begin), cut(line, begin + all - width + 1, all))
        }
        _ => line.to_owned(),
    }
}

/// Where the content of a line begins that shows a line of the plan, or marks in it.
fn gutter(line: &str, sign: char) -> Option<usize> {
    let plain = plain(line);
    let (before, _) = plain.split_once(sign)?;
    let is_gutter = before.chars().all(|character| character.is_ascii_digit() || character == ' ');
    (is_gutter && (sign == '·' || before.contains(|character: char| character.is_ascii_digit()))).then(|| before.chars().count() + 2)
}

fn is_mark(line: &str) -> bool {
    gutter(line, '·').is_some()
}

/// The column of the first mark.
fn mark_column(line: &str, gutter: usize) -> Option<usize> {
    plain(line).chars().skip(gutter).position(|character| character != ' ')
}

fn code(line: &str, gutter: usize, from: usize, room: usize) -> String {
    let all = columns(line.trim_end()).saturating_sub(gutter);
    if from == 0 && all <= room {
        return line.to_owned();
    }
    let lead = if from > 0 { CUT.to_string() } else { String::new() };
    let (begin, end) = (from + lead.chars().count(), if all > from + room { from + room - 1 } else { all });
    let tail = if all > from + room { CUT.to_string() } else { String::new() };
    format!("{}{lead}{}{tail}", cut(line, 0, gutter), cut(line, gutter + begin, gutter + end))
}

/// Marks, and below them the words that do not fit behind them.
fn mark_lines(line: &str, gutter: usize, from: usize, room: usize) -> Vec<String> {
    let all = columns(line.trim_end());
    let moved = format!("{}{}", cut(line, 0, gutter), cut(line, gutter + from, all));
    let text = plain(&moved);
    let Some((marks, words)) = text.split_once("── ").filter(|_| text.trim_end().chars().count() > gutter + room) else {
        return vec![cut(&moved, 0, gutter + room)];
    };
    let begin = marks.chars().count() + 3;
    let margin: String = text.chars().take(gutter).collect();
    let mut told = wrap_behind(words.trim_end(), begin, begin, gutter + room).into_iter();
    let first = format!("{}{}", cut(&moved, 0, begin), told.next().unwrap_or_default());
    std::iter::once(first).chain(told.map(|rest| margin.clone() + &rest.chars().skip(gutter).collect::<String>())).collect()
}

/// The columns from one to another; colours stay, since they fill none.
fn cut(line: &str, from: usize, to: usize) -> String {
    let (mut kept, mut column, mut is_colour) = (String::new(), 0, false);
    for character in line.chars() {
        is_colour |= character == '\u{1b}';
        if is_colour || (from..to).contains(&column) {
            kept.push(character);
        }
        column += usize::from(!is_colour);
        is_colour &= character != 'm';
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::{columns, headed, rendered};
    use miette::{Diagnostic, LabeledSpan, MietteDiagnostic, NamedSource, Report};

    const PLAN: &str =
        "steps:\n  - id: a\n    undo: [{ shell: { run: 'rm -f some-rather-long-name.txt' } }, { shel: { run: y } }]\n  - id: b\n";

    fn drawn(pointed: &str, words: Option<&str>, colour: bool, width: usize) -> String {
        let at = PLAN.find(pointed).unwrap();
        let label = LabeledSpan::new(words.map(str::to_owned), at, pointed.len());
        let help = "write `undo: { none: why }` or name one of: rollback-on-fail, wait-healthy";
        let diagnostic = MietteDiagnostic::new("there is no such action here").with_label(label).with_help(help);
        let report = Report::new(diagnostic).with_source_code(NamedSource::new("plan.yaml", PLAN.to_owned()));
        let diagnostic: &dyn Diagnostic = report.as_ref();
        rendered(diagnostic, colour, Some(width))
    }

    #[test]
    fn in_few_columns_a_line_is_cut_around_what_is_meant() {
        insta::assert_snapshot!(drawn("shel:", None, false, 40), @"
         × there is no such action here
          ╭─[plan.yaml:3:69]
        2 │   - id: a
        3 │ …}, { shel: { run: y } }]
          ·       ─────
        4 │   - id: b
          ╰────
         help: write `undo: { none: why }` or
               name one of: rollback-on-fail,
               wait-healthy
        ");
        insta::assert_snapshot!(drawn("id: b", Some("this one waits for a step that stands below it"), false, 40), @"
         × there is no such action here
          ╭─[plan.yaml:4:5]
        3 │     undo: [{ shell: { run: 'rm -f …
        4 │   - id: b
          ·     ──┬──
          ·       ╰── this one waits for a step
          ·           that stands below it
          ╰────
         help: write `undo: { none: why }` or
               name one of: rollback-on-fail,
               wait-healthy
        ");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_whatever_its_colours() {
        for width in [30, 40, 60, 80] {
            for pointed in ["shel:", "undo", "id: b", "steps", "}]"] {
                for words in [None, Some("a word or two, and then some more of them")] {
                    let (plain, coloured) = (drawn(pointed, words, false, width), drawn(pointed, words, true, width));
                    assert!(plain.lines().chain(coloured.lines()).all(|line| columns(line) <= width), "{width}:\n{plain}\n{coloured}");
                }
            }
        }
    }

    #[test]
    fn a_long_path_keeps_its_end() {
        assert_eq!(headed("   ╭─[some/where/far/plan.yaml:4:13]", 30), "   ╭─[…ere/far/plan.yaml:4:13]");
    }

    #[test]
    fn where_there_is_room_nothing_is_cut() {
        insta::assert_snapshot!(drawn("shel:", Some("this"), false, 120), @"
         × there is no such action here
          ╭─[plan.yaml:3:69]
        2 │   - id: a
        3 │     undo: [{ shell: { run: 'rm -f some-rather-long-name.txt' } }, { shel: { run: y } }]
          ·                                                                     ──┬──
          ·                                                                       ╰── this
        4 │   - id: b
          ╰────
         help: write `undo: { none: why }` or name one of: rollback-on-fail, wait-healthy
        ");
    }
}
