//! Finds the word that somebody may have meant. It knows no language.

/// The closest of `known`, if it is close enough to be a slip.
pub(crate) fn closest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let length = word.chars().count();
    // Of a single letter every other one would be a slip.
    let limit = if length < 2 { 0 } else { (length / 3).clamp(1, 3) };
    let (mut near, mut longer) = (None, Vec::new());
    for candidate in known {
        // A word that is so much longer or shorter is further away: most are, and this is asked of every step.
        let can_be_near = length.abs_diff(candidate.chars().count()) <= limit;
        let distance = if can_be_near { strsim::damerau_levenshtein(word, candidate) } else { usize::MAX };
        if distance <= limit && near.is_none_or(|(least, _)| distance < least) {
            near = Some((distance, candidate));
        }
        // `rollback` for `rollback-on-fail`.
        longer.extend(candidate.strip_prefix(word).is_some_and(|rest| rest.starts_with('-')).then_some(candidate));
    }
    match (near, longer.as_slice()) {
        (Some((_, candidate)), _) => Some(candidate),
        (None, [only]) => Some(only),
        (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["replicas", "image", "id"];
        assert_eq!(closest("replcias", known), Some("replicas"));
        assert_eq!(closest("iamge", known), Some("image"));
        assert_eq!(closest("strategy", known), None);
        assert_eq!(closest("xy", known), None);
        assert_eq!([closest("x", ["y", "id"]), closest("xy", ["xz"])], [None, Some("xz")]);
        let longer = ["rollback-on-fail", "wait-for", "wait-healthy"];
        assert_eq!([closest("rollback", longer), closest("wait", longer)], [Some("rollback-on-fail"), None]);
    }
}
