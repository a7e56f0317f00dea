//! How deeply a template nests, found before it is parsed: the parser and the renderer recurse, and a stack that overflows takes the whole
//! program with it. It knows neither helpers nor names.

use super::TextError;

/// Most blocks, and most brackets, inside each other.
const DEEPEST: usize = 32;

/// # Errors
/// At the block or the bracket that is too deep.
pub(super) fn check(source: &str) -> Result<(), TextError> {
    // For each open block how many levels it is: every `{{else if …}}` in it is one more.
    let (mut blocks, mut from) = (Vec::<usize>::new(), 0);
    while let Some(start) = source[from..].find("{{").map(|at| from + at) {
        let end = source[start..].find("}}").map_or(source.len(), |at| start + at);
        let inside = source[start..end].trim_start_matches(['{', '~']).trim_start();
        let is_inverse = |inside: &str| inside.trim_end_matches('~').trim_end().is_empty();
        match (inside.strip_prefix("else"), inside.strip_prefix('^')) {
            (Some(more), _) if more.starts_with(char::is_whitespace) && !is_inverse(more) => {
                blocks.last_mut().into_iter().for_each(|levels| *levels += 1);
            }
            (_, Some(more)) if !is_inverse(more) => blocks.push(1),
            _ if inside.starts_with('#') => blocks.push(1),
            _ if inside.starts_with('/') => drop(blocks.pop()),
            _ => {}
        }
        if blocks.iter().sum::<usize>() > DEEPEST {
            return Err(refused("blocks", start..end));
        }
        check_brackets(source, start, end)?;
        from = end.max(start + 2);
    }
    Ok(())
}

fn check_brackets(source: &str, start: usize, end: usize) -> Result<(), TextError> {
    let (mut open, mut quote) = (0_usize, None);
    for (at, c) in source[start..end].char_indices() {
        match (quote, c) {
            (Some(closing), _) => quote = Some(closing).filter(|closing| *closing != c),
            (None, '"' | '\'') => quote = Some(c),
            (None, '(') => open += 1,
            (None, ')') => open = open.saturating_sub(1),
            _ => {}
        }
        if open > DEEPEST {
            return Err(refused("brackets", start + at..start + at + 1));
        }
    }
    Ok(())
}

fn refused(what: &str, at: std::ops::Range<usize>) -> TextError {
    let help = Some("find the value in a read-only step before, and refer to its output".to_owned());
    TextError { message: format!("more than {DEEPEST} {what} stand inside each other"), at, help }
}

#[cfg(test)]
mod tests {
    use super::{DEEPEST, check};
    use crate::expr::text::Text;

    fn nested(open: &str, close: &str, count: usize) -> String {
        format!("{}x{}", open.repeat(count), close.repeat(count))
    }

    #[test]
    fn what_people_write_passes_and_what_overflows_a_stack_does_not() {
        for (open, close) in [("{{#if inputs.a}}", "{{/if}}"), ("{{^inputs.a}}", "{{/inputs.a}}"), ("{{~#if a}}", "{{/if}}")] {
            assert_eq!(check(&nested(open, close, DEEPEST)), Ok(()));
            assert!(check(&nested(open, close, DEEPEST + 1)).is_err(), "{open}");
        }
        let brackets = |count| format!("{{{{ {} }}}}", nested("(not ", ")", count));
        assert_eq!(check(&brackets(DEEPEST)), Ok(()));
        assert!(check(&brackets(DEEPEST + 1)).is_err());
        let chain = |count| format!("{{{{#if a}}}}1{}{{{{else}}}}3{{{{/if}}}}", "{{else if b}}2".repeat(count));
        assert_eq!(check(&chain(DEEPEST - 1)), Ok(()));
        assert!(check(&chain(DEEPEST)).is_err());
        assert_eq!(check(&"{{#if a}}x{{/if}}".repeat(1_000)), Ok(()), "beside each other there may be many");
        assert_eq!(check(&format!("{{{{ f \"{}\" }}}} {}", "(".repeat(99), "(".repeat(99))), Ok(()), "texts may hold anything");
    }

    #[test]
    fn the_deepest_one_that_passes_is_parsed() {
        assert!(Text::parse(&nested("{{#if inputs.a}}", "{{/if}}", DEEPEST)).is_ok());
        let place = Text::parse(&nested("{{#if inputs.a}}", "{{/if}}", 200_000)).map(drop).map_err(|error| error.at.start);
        assert_eq!(place, Err(DEEPEST * "{{#if inputs.a}}".len()));
    }
}
