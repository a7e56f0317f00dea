//! Knows a Kubernetes manifest that somebody gives as a plan. It reads no YAML: such a file may hold several documents, or templates.

use std::ops::Range;

/// Its kind, and where that stands; none for a text that may be meant as a plan.
pub(super) fn kind_of(text: &str) -> Option<(String, Range<usize>)> {
    let value = |key: &str| {
        let mut lines = lines(text);
        lines.find_map(|(at, line)| {
            let rest = line.strip_prefix(key)?.strip_prefix(':')?;
            let value = rest.split(" #").next()?.trim().trim_matches(['"', '\'']);
            Some((value.to_owned(), at..at + key.len()))
        })
    };
    let is_of_plans = ["plan", "steps", "inputs"].into_iter().any(|key| value(key).is_some());
    value("apiVersion").filter(|_| !is_of_plans)?;
    value("kind").filter(|(kind, _)| !kind.is_empty())
}

/// What to write instead; `name` is the file's.
pub(super) fn help(name: &str) -> String {
    let file = name.rsplit('/').next().unwrap_or(name);
    format!("a plan has `plan:` and `steps:`; write one beside this file, with the step `apply: {{ manifests: [{file}] }}`")
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split_inclusive('\n').map(move |line| {
        let start = at;
        at += line.len();
        (start, line.trim_end())
    })
}

#[cfg(test)]
mod tests {
    use super::kind_of;

    #[test]
    fn a_manifest_is_no_plan() {
        for (text, kind) in [
            ("apiVersion: apps/v1\nkind: Deployment # web\nmetadata: {}\n", Some("Deployment")),
            ("---\n# c\nkind: \"Service\"\napiVersion: v1\n---\napiVersion: v1\nkind: Pod\n", Some("Service")),
            ("apiVersion: v1\nkind: {{ .Values.kind }}\n", Some("{{ .Values.kind }}")),
            ("plan: web\nkind: x\napiVersion: v1\n", None),
            ("steps:\n  - apiVersion: v1\n    kind: Pod\n", None),
            ("apiVersion: v1\nkind:\n", None),
            ("", None),
        ] {
            assert_eq!(kind_of(text).map(|(kind, _)| kind).as_deref(), kind, "{text}");
        }
        let (_, at) = kind_of("apiVersion: v1\nkind: Pod\n").unwrap();
        assert_eq!(at, 15..19);
    }
}
