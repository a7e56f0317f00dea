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

pub(super) use crate::expr::near::closest;

/// The closest of a key or a kind, which another program may call otherwise.
pub(super) fn closest_key<'k>(word: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> Option<&'k str> {
    habit(word, known.clone()).or_else(|| closest(word, known))
}

/// What another program's word is called here.
fn habit<'k>(word: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> Option<&'k str> {
    let mut meant = HABITS.iter().filter(|(_, words)| words.contains(&word));
    meant.find_map(|(ours, _)| known.clone().into_iter().find(|candidate| candidate == ours))
}

/// Help for a name that is not known: the closest one, or what there is.
pub(super) fn instead<'k>(word: &str, what: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> String {
    told(closest(word, known.clone()), what, known)
}

/// The same, with what else can be done where nothing is near.
pub(super) fn instead_or<'k>(word: &str, what: &str, known: impl IntoIterator<Item = &'k str> + Clone, otherwise: &str) -> String {
    let near = closest(word, known.clone());
    let told = told(near, what, known);
    if near.is_some() { told } else { format!("{told}; {otherwise}") }
}

/// The same for a key or a kind.
pub(super) fn instead_key<'k>(word: &str, what: &str, known: impl IntoIterator<Item = &'k str> + Clone) -> String {
    told(closest_key(word, known.clone()), what, known)
}

fn told<'k>(near: Option<&str>, what: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    // Who reads a good guess needs no list.
    if let Some(near) = near {
        return format!("did you mean `{near}`?");
    }
    let list: Vec<&str> = known.into_iter().collect();
    match list.len() {
        0 => format!("there are no {what}"),
        1..=24 => format!("known {what}: {}", list.join(", ")),
        more => format!("known {what}: {}, and {} more", list[..24].join(", "), more - 24),
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
}
