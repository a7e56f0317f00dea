//! Finds what somebody may have meant. It knows no plan.

/// Words that mean the same in other programs' files, as keys and kinds: a name that a person gave means what that person meant.
const HABITS: [(&str, &[&str]); 14] = [
    ("shell", &["run", "script", "command", "cmd", "bash", "sh", "local-exec"]),
    ("run", &["script", "command", "cmd", "args", "exec"]),
    ("apply", &["kubectl", "helm", "manifest", "kustomize", "deploy"]),
    ("manifests", &["manifest", "files", "file", "path", "filename", "resources"]),
    ("needs", &["depends-on", "depends_on", "dependsOn", "dependencies", "requires", "after"]),
    ("when", &["if", "condition", "only-if"]),
    ("for-each", &["loop", "with_items", "matrix", "foreach", "for_each", "items"]),
    ("retry", &["retries", "attempts"]),
    ("continue-on-error", &["ignore_errors", "ignore-errors", "allow_failure", "allow-failure", "continue_on_error"]),
    ("undo", &["rollback", "compensate", "revert", "on-failure", "on_failure", "down", "cleanup"]),
    ("id", &["name", "title"]),
    ("plan", &["name", "title", "workflow"]),
    ("inputs", &["vars", "variables", "params", "parameters", "values"]),
    ("steps", &["tasks", "jobs", "stages", "actions"]),
];

/// The closest of `known`, if it is close enough to be a slip.
pub(super) fn closest<'k>(word: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> Option<&'k str> {
    let length = word.chars().count();
    let limit = (length / 3).clamp(1, 3);
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

/// The same of a key or a kind, which another program may call otherwise.
pub(super) fn closest_key<'k>(word: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> Option<&'k str> {
    habit(word, known.clone()).or_else(|| closest(word, known))
}

/// What another program's word is called here.
fn habit<'k>(word: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> Option<&'k str> {
    let mut meant = HABITS.iter().filter(|(_, words)| words.contains(&word));
    meant.find_map(|(ours, _)| known.clone().into_iter().find(|candidate| candidate == ours))
}

/// Help for a name that is not known: the closest one, and what there is.
pub(super) fn instead<'k>(word: &str, what: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> String {
    told(closest(word, known.clone()), what, known)
}

/// The same for a key or a kind.
pub(super) fn instead_key<'k>(word: &str, what: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> String {
    told(closest_key(word, known.clone()), what, known)
}

fn told<'k>(near: Option<&str>, what: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    let list: Vec<&str> = known.into_iter().collect();
    let all = match list.len() {
        0 => format!("there are no {what}"),
        1..=24 => format!("known {what}: {}", list.join(", ")),
        more => format!("known {what}: {}, and {} more", list[..24].join(", "), more - 24),
    };
    match near {
        Some(near) => format!("did you mean `{near}`? {all}"),
        None => all,
    }
}

#[cfg(test)]
mod tests {
    use super::{closest, closest_key};

    #[test]
    fn words_of_other_programs_are_understood_where_ours_can_stand() {
        let (step, head) = (["id", "needs", "when", "undo"], ["plan", "inputs", "steps"]);
        let in_step = ["depends_on", "if", "name", "unless"].map(|word| closest_key(word, step));
        assert_eq!(in_step, [Some("needs"), Some("when"), Some("id"), None], "`unless` is the opposite of `when`");
        assert_eq!(["name", "tasks", "if"].map(|word| closest_key(word, head)), [Some("plan"), Some("steps"), None]);
    }

    #[test]
    fn a_name_that_a_person_gave_is_no_habit() {
        assert_eq!([closest("name", ["id", "tag"]), closest("deploy", ["apply", "verify"])], [None, None]);
    }

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["replicas", "image", "id"];
        assert_eq!(closest("replcias", known), Some("replicas"));
        assert_eq!(closest("iamge", known), Some("image"));
        assert_eq!(closest("strategy", known), None);
        assert_eq!(closest("xy", known), None);
        let longer = ["rollback-on-fail", "wait-for", "wait-healthy"];
        assert_eq!([closest("rollback", longer), closest("wait", longer)], [Some("rollback-on-fail"), None]);
    }
}
