//! Whether a text is a label selector, as the API server reads it. It selects nothing. Source: the package labels of apimachinery, Parse.

/// Most characters of a label's name and of its value.
const LONGEST: usize = 63;

/// Says what is wrong with a label selector, and what to write instead.
///
/// # Errors
/// What is wrong.
pub fn check(selector: &str) -> Result<(), String> {
    requirements(selector)?.into_iter().try_for_each(requirement)
}

/// The parts between commas; those between parentheses belong to a list.
fn requirements(selector: &str) -> Result<Vec<&str>, String> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0_i32, 0);
    for (at, letter) in selector.char_indices() {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        if letter == ',' && depth == 0 {
            parts.push(&selector[from..at]);
            from = at + 1;
        }
        if !(0..=1).contains(&depth) {
            break;
        }
    }
    if depth != 0 {
        return Err(format!("`{selector}` is no label selector, its parentheses do not match: write `app in (web, api)`"));
    }
    parts.push(&selector[from..]);
    Ok(parts)
}

fn requirement(part: &str) -> Result<(), String> {
    let part = part.trim();
    let wrong = |why: &str, write: String| Err(format!("`{part}` is no label selector, {why}: write `{write}`"));
    if part.is_empty() {
        return Err("a label selector has something on both sides of each comma: write `app=web,tier=front`".to_owned());
    }
    if let Some((label, is_in, list)) = listed(part) {
        let values = list.strip_prefix('(').and_then(|list| list.strip_suffix(')'));
        let Some(values) = values else {
            let word = if is_in { "in" } else { "notin" };
            return wrong("a list stands between parentheses", format!("{label} {word} ({list})"));
        };
        return name(part, label).and_then(|()| values.split(',').try_for_each(|one| value(part, one.trim())));
    }
    let compared = ["!=", "==", "="].into_iter().find_map(|sign| part.split_once(sign));
    if let Some((label, wanted)) = compared {
        return name(part, label.trim()).and_then(|()| value(part, wanted.trim()));
    }
    if let Some((label, bound)) = part.split_once(['<', '>']) {
        return match bound.trim().parse::<i64>() {
            Ok(_) => name(part, label.trim()),
            Err(_) => wrong("`<` and `>` compare with a whole number", format!("{} > 1", label.trim())),
        };
    }
    match part.split_once(char::is_whitespace) {
        Some((label, rest)) => wrong("it has no sign between label and value", format!("{label}={}", rest.trim())),
        None => name(part, part.strip_prefix('!').unwrap_or(part)),
    }
}

/// A label, whether it is to be in the list, and the list as it is written.
fn listed(part: &str) -> Option<(&str, bool, &str)> {
    let (label, rest) = part.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let after = |word: &str| rest.strip_prefix(word).filter(|rest| rest.starts_with([' ', '(']));
    let (is_in, list) = after("in").map(|list| (true, list)).or_else(|| after("notin").map(|list| (false, list)))?;
    Some((label, is_in, list.trim()))
}

fn name(part: &str, label: &str) -> Result<(), String> {
    let (prefix, own) = label.split_once('/').map_or((None, label), |(prefix, own)| (Some(prefix), own));
    let is_domain = |prefix: &str| {
        let is_part = |one: &str| is_word(one, |letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-');
        prefix.len() <= 253 && prefix.split('.').all(is_part)
    };
    if is_value(own) && !own.is_empty() && prefix.is_none_or(is_domain) {
        return Ok(());
    }
    Err(format!("`{part}` is no label selector, since `{label}` cannot name a label: write `app=web`, or `example.com/app=web`"))
}

fn value(part: &str, value: &str) -> Result<(), String> {
    if is_value(value) {
        return Ok(());
    }
    let why = "a value has letters, digits, `-`, `_` and `.`, at most 63, and begins and ends with a letter or a digit";
    Err(format!("`{part}` is no label selector, since `{value}` is no value of a label: write `app=web`; {why}"))
}

fn is_value(text: &str) -> bool {
    text.is_empty() || text.len() <= LONGEST && is_word(text, |letter| letter.is_ascii_alphanumeric() || "-_.".contains(letter))
}

fn is_word(text: &str, is_part: impl Fn(char) -> bool) -> bool {
    let is_end = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_alphanumeric());
    text.chars().all(is_part) && is_end(text.chars().next()) && is_end(text.chars().next_back())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_a_server_takes_is_taken() {
        for selector in [
            "app=web",
            "app==web,tier!=front",
            " app = web ",
            "app in (web, api),!gone",
            "app notin (web)",
            "app in(web)",
            "app",
            "example.com/app=web",
            "app=",
            "generation > 3",
            "a=1.2_x-y",
        ] {
            assert_eq!(check(selector), Ok(()), "{selector}");
        }
    }

    #[test]
    fn what_no_server_takes_is_told_with_what_to_write() {
        let told = [
            "app in web",
            "app notin web, api",
            "app web",
            "app=web,",
            "app=(web)",
            "app in (web",
            "-app=web",
            "App/app=x",
            "a=b c",
            "n > x",
        ];
        let told: Vec<String> = told.iter().map(|selector| check(selector).unwrap_err()).collect();
        insta::assert_snapshot!(told.join("\n"), @"
        `app in web` is no label selector, a list stands between parentheses: write `app in (web)`
        `app notin web` is no label selector, a list stands between parentheses: write `app notin (web)`
        `app web` is no label selector, it has no sign between label and value: write `app=web`
        a label selector has something on both sides of each comma: write `app=web,tier=front`
        `app=(web)` is no label selector, since `(web)` is no value of a label: write `app=web`; a value has letters, digits, `-`, `_` and `.`, at most 63, and begins and ends with a letter or a digit
        `app in (web` is no label selector, its parentheses do not match: write `app in (web, api)`
        `-app=web` is no label selector, since `-app` cannot name a label: write `app=web`, or `example.com/app=web`
        `App/app=x` is no label selector, since `App/app` cannot name a label: write `app=web`, or `example.com/app=web`
        `a=b c` is no label selector, since `b c` is no value of a label: write `app=web`; a value has letters, digits, `-`, `_` and `.`, at most 63, and begins and ends with a letter or a digit
        `n > x` is no label selector, `<` and `>` compare with a whole number: write `n > 1`
        ");
    }
}
