//! How lengths of time, effects and outcomes are written for people. It knows no terminal.

use crate::ids::Moment;
use crate::record::{EffectKey, Failure, Outcome, Scope, SkipReason};
use jiff::tz::TimeZone;
use std::time::Duration;

/// A measured length of time, as exact as people care: `40ms`, `0.4s`, `3.2s`, `42s`, `2m 03s`, `1h 05m`.
pub fn took(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 if time.as_millis() < 100 => format!("{}ms", time.as_millis()),
        0..10 => {
            let tenths = time.as_millis() / 100;
            format!("{}.{}s", tenths / 10, tenths % 10)
        }
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// The time of day in a zone: `12:03:01`.
pub fn time_of_day(at: Moment, zone: &TimeZone) -> String {
    at.0.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

/// Date and time in a zone, with the zone: `2026-11-21 12:03:01 +00:00`.
pub fn date_and_time(at: Moment, zone: &TimeZone) -> String {
    at.0.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

/// Date and time to the minute in a zone, which is not said: `2026-11-21 12:03`.
pub fn date_and_minute(at: Moment, zone: &TimeZone) -> String {
    at.0.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// A time in a zone, with its date where that is not the day of another one: `14:05:00`, `2026-11-22 00:05`.
pub fn time_after(at: Moment, other: Moment, zone: &TimeZone) -> String {
    let day = |moment: Moment| moment.0.to_zoned(zone.clone()).date();
    if day(at) == day(other) { time_of_day(at, zone) } else { date_and_minute(at, zone) }
}

/// The outcome as the journal and the documentation write it.
pub fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::RolledBack => "rolled-back",
        Outcome::Stuck => "stuck",
        Outcome::Halted => "halted",
        Outcome::Abandoned => "abandoned",
    }
}

/// What an effect is called whose key names nothing.
pub const ALL: &str = "what it did";

/// What an effect's key names, without the technical prefixes: `apply:kube:apps/Deployment/shop/web` is `apps/Deployment/shop/web`. A key
/// that is only a verb, as a program's is, names nothing that people know.
pub fn effect(key: &EffectKey) -> &str {
    let Some(target) = key.target() else { return ALL };
    target.strip_prefix("kube:").or_else(|| target.strip_prefix("file:")).unwrap_or(target)
}

/// A failure and its causes in one line; a cause that the line before tells already is left out.
pub fn failure(failure: &Failure) -> String {
    let mut text = plain(&failure.message);
    for cause in failure.causes.iter().map(|cause| plain(cause)) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// Why a step did not run.
pub fn skipped(reason: &SkipReason) -> String {
    match reason {
        SkipReason::Condition => "its `when` is false".to_owned(),
        SkipReason::Needs(step) => format!("it needs {step}, which did not finish"),
    }
}

/// How far a rollback goes.
pub fn scope(scope: &Scope) -> String {
    match scope {
        Scope::Everything => "everything".to_owned(),
        Scope::Guard(guard) => format!("what `{guard}` guards"),
        Scope::Step(step) => format!("`{step}` and what needed it"),
    }
}

/// How much is done: `12/40 objects`, `3.0/8.0 MiB`.
pub fn of(done: u64, total: u64, unit: &str) -> String {
    const MEBIBYTE: u64 = 1024 * 1024;
    let mebibytes = |bytes: u64| format!("{}.{}", bytes / MEBIBYTE, bytes % MEBIBYTE * 10 / MEBIBYTE);
    match (unit, total) {
        ("bytes", 0) => format!("{} MiB", mebibytes(done)),
        ("bytes", _) => format!("{}/{} MiB", mebibytes(done), mebibytes(total)),
        (_, 0) => format!("{done} {unit}"),
        _ => format!("{done}/{total} {unit}"),
    }
}

/// `1 step`, `2 steps`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {many}"),
    }
}

/// One line of harmless text. What programs and servers say may hold line breaks, colours and commands to the terminal. What a program
/// wrote over itself, as progress is told, is gone here as it is on a terminal.
pub fn plain(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let (mut line, mut is_back) = (0, false);
    let mut characters = text.trim_end().chars();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => skip_escape(&mut characters),
            '\r' => is_back = true,
            '\n' => {
                clean.push(' ');
                (line, is_back) = (clean.len(), false);
            }
            '\t' => clean.push(' '),
            _ if character.is_control() || is_reordering(character) => {}
            _ => {
                if std::mem::take(&mut is_back) {
                    clean.truncate(line);
                }
                clean.push(character);
            }
        }
    }
    clean
}

/// Passes over one escape sequence, as ECMA-48 delimits them.
fn skip_escape(characters: &mut std::str::Chars<'_>) {
    match characters.next() {
        // A control sequence ends with its first byte in `@`..`~`.
        Some('[') => {
            let _last = characters.find(|c| ('@'..='~').contains(c));
        }
        // A command string (title, link, clipboard) ends with BEL or with ESC and a backslash.
        Some(']' | 'P' | '_' | '^' | 'X') => {
            let mut escaped = false;
            let _last = characters.find(|c| {
                let ends = *c == '\u{7}' || (escaped && *c == '\\');
                escaped = *c == '\u{1b}';
                ends
            });
        }
        _ => {}
    }
}

/// Characters that make a line read differently from what it says.
fn is_reordering(character: char) -> bool {
    matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

#[cfg(test)]
mod tests {
    use super::{effect, failure, of, plain, took};
    use crate::record::{EffectKey, Failure};
    use std::time::Duration;

    #[test]
    fn a_length_of_time_is_as_exact_as_people_care() {
        let texts: Vec<String> = [40, 3_249, 9_999, 42_900, 123_000, 3_900_000].map(|ms| took(Duration::from_millis(ms))).into();
        assert_eq!(texts, ["40ms", "3.2s", "9.9s", "42s", "2m 03s", "1h 05m"]);
    }

    #[test]
    fn an_effect_is_named_by_what_it_touches() {
        for (key, name) in [
            ("apply:kube:apps/Deployment/shop/web", "apps/Deployment/shop/web"),
            ("write:file:/srv/app.conf", "/srv/app.conf"),
            ("run", "what it did"),
        ] {
            assert_eq!(effect(&EffectKey(key.into())), name);
        }
    }

    #[test]
    fn a_cause_that_was_told_is_not_told_again() {
        let told = Failure { causes: vec!["not found".to_owned(), "404".to_owned()], ..Failure::permanent("no image: not found") };
        assert_eq!(failure(&told), "no image: not found: 404");
    }

    #[test]
    fn nothing_that_a_program_says_can_command_the_terminal() {
        assert_eq!(plain("\u{1b}[31mred\u{1b}[0m\r\n"), "red");
        assert_eq!(plain("a\tb\nc"), "a b c");
        assert_eq!(plain("\u{1b}]0;title\u{7}x\u{1b}]8;;http://x\u{1b}\\link"), "xlink");
        assert_eq!(plain("\u{1b}]never ended"), "");
        assert_eq!(plain("a\r\nb"), "a b");
        assert_eq!(plain("abc\u{202e}def"), "abcdef");
    }

    #[test]
    fn of_progress_that_a_program_writes_over_itself_the_last_is_told() {
        assert_eq!(plain("50%\r100%"), "100%");
        assert_eq!(plain("50%\r100%\r\u{1b}[0m"), "100%");
        assert_eq!(plain("one\n50%\r\r100%\r\ntwo"), "one 100% two");
    }

    #[test]
    fn bytes_are_told_in_mebibytes() {
        assert_eq!(of(3 * 1024 * 1024 + 600_000, 8 * 1024 * 1024, "bytes"), "3.5/8.0 MiB");
        assert_eq!(of(2, 5, "objects"), "2/5 objects");
        assert_eq!(of(2, 0, "rows"), "2 rows");
    }
}
