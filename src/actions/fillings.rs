//! What manifests ask of the `values` of their step: told before anything is written. It fills nothing in.

use crate::action::{About, Finding, Frozen};
use crate::cluster::kinds;
use crate::expr::place::line_and_column;
use crate::expr::{asked, is_kept, manifests, unfilled};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

const CODE: &str = "plan::values";

/// What is wrong with `values` and with what these files ask of them. `are_all` says that these are all the files of the step.
pub(super) fn findings(frozen: &Frozen, paths: &[&str], values: Option<&Map<String, Value>>, are_all: bool) -> Vec<Finding> {
    let (mut findings, mut used, mut read) = (Vec::new(), BTreeSet::new(), are_all);
    for path in paths {
        let Some(text) = frozen.file(path).and_then(|bytes| std::str::from_utf8(&bytes).map(str::to_owned).ok()) else { continue };
        // Most manifests have no template in them, and need not be read again.
        if !text.contains("{{") {
            continue;
        }
        // What is no manifest is told as such.
        let Ok(documents) = manifests(&text, path) else {
            read = false;
            continue;
        };
        match values.filter(|values| !values.is_empty()) {
            Some(values) => {
                for document in &documents {
                    let asked = asked(document, values);
                    used.extend(asked.used);
                    findings.extend(asked.wrong.into_iter().map(|wrong| Finding {
                        message: format!("{}: {}", place(path, &text, &wrong.expression), wrong.message),
                        help: wrong.help,
                        code: CODE,
                        about: About::File((*path).to_owned()),
                        is_warning: false,
                    }));
                }
            }
            None => findings.extend(documents.iter().find_map(forgotten).map(|expression| forgot(path, &text, &expression))),
        }
    }
    // A slip in a manifest leaves the right name unused: one of the two is enough.
    if read && !paths.is_empty() && findings.is_empty() {
        let unused = values.into_iter().flatten().map(|(name, _)| name).filter(|name| !used.contains(*name));
        findings.extend(unused.map(|name| unneeded(name)));
    }
    let mut told = BTreeSet::new();
    findings.retain(|finding| told.insert(finding.message.clone()));
    findings
}

/// What must not be written, in words.
pub(super) fn refused(findings: &[Finding]) -> Vec<String> {
    findings.iter().filter(|finding| !finding.is_warning).map(|finding| format!("{}: {}", finding.message, finding.help)).collect()
}

fn unneeded(name: &str) -> Finding {
    Finding {
        message: format!("no manifest of this step uses the value `{name}`"),
        help: format!("remove it, or write `{{{{ {name} }}}}` where it belongs"),
        code: CODE,
        about: About::Parameter(vec!["values".to_owned(), name.to_owned()]),
        is_warning: true,
    }
}

fn forgot(path: &str, text: &str, expression: &str) -> Finding {
    let name = expression.trim_matches(['{', '}', ' ']);
    let first = name.split('.').next().unwrap_or_default();
    Finding {
        message: format!("{}: `{expression}` goes to the cluster as it stands: this step has no `values`", place(path, text, expression)),
        help: format!("add `values: {{ {first}: … }}`, if it is to be filled in"),
        code: CODE,
        about: About::File(path.to_owned()),
        is_warning: true,
    }
}

/// An expression in an object that no program reads as a template of its own: ConfigMaps, annotations and custom resources hold whatever
/// others make of them.
fn forgotten(document: &Value) -> Option<String> {
    let word = |key: &str| document[key].as_str().unwrap_or_default();
    let is_open = matches!(word("kind"), "ConfigMap" | "Secret") || kinds::table(word("apiVersion"), word("kind")).is_none();
    if is_open {
        return None;
    }
    let mut document = document.clone();
    if let Some(metadata) = document["metadata"].as_object_mut() {
        metadata.shift_remove("annotations");
    }
    unfilled(&document)
}

/// The file, with line and column where the expression stands in it as it is read.
fn place(path: &str, text: &str, expression: &str) -> String {
    let is_comment = |at: usize| text[..at].rsplit('\n').next().is_some_and(|line| line.trim_start().starts_with('#'));
    let found = text.match_indices(expression).map(|(at, _)| at).find(|at| !is_comment(*at) && !is_kept(&text[..*at]));
    match found.map(|at| line_and_column(text, at)) {
        Some((line, column)) => format!("{path}:{line}:{column}"),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::findings;
    use crate::action::Frozen;
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn told(files: &[(&str, &str)], values: &Value) -> String {
        let held = files.iter().map(|(path, text)| ((*path).to_owned(), Arc::from(text.as_bytes()))).collect();
        let paths: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
        let found = findings(&Frozen(Arc::new(held)), &paths, values.as_object(), true);
        let line = |finding: &super::Finding| {
            format!("{}{}\n  {}", if finding.is_warning { "warning: " } else { "" }, finding.message, finding.help)
        };
        found.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    const WEB: &str = "# {{ tga }}\napiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web }\nspec:\n  image: 'é:{{ tga }}'\n  again: '{{ tga }}'\n  keep: '\\{{ tga }}'\n";
    const SETTINGS: &str = "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: '{{ instance }}'}}";

    #[test]
    fn a_slip_is_told_once_at_its_line_and_column() {
        insta::assert_snapshot!(told(&[("m/web.yaml", WEB)], &json!({ "tag": 1, "colour": "blue" })), @"
        m/web.yaml:6:13: there is no value `tga`
          did you mean `tag`?
        ");
    }

    #[test]
    fn a_value_that_no_manifest_uses_is_told() {
        let all = [("web.yaml", WEB), ("settings.yaml", SETTINGS)];
        insta::assert_snapshot!(told(&all, &json!({ "tga": 1, "instance": 2, "colour": "blue" })), @"
        warning: no manifest of this step uses the value `colour`
          remove it, or write `{{ colour }}` where it belongs
        ");
        insta::assert_snapshot!(told(&[("a.yaml", "{apiVersion: v1, kind: Pod}")], &json!({ "x": 1 })), @"
        warning: no manifest of this step uses the value `x`
          remove it, or write `{{ x }}` where it belongs
        ");
    }

    #[test]
    fn forgotten_values_are_told_where_nobody_else_can_mean_the_text() {
        insta::assert_snapshot!(told(&[("web.yaml", WEB), ("settings.yaml", SETTINGS)], &Value::Null), @"
        warning: web.yaml:6:13: `{{ tga }}` goes to the cluster as it stands: this step has no `values`
          add `values: { tga: … }`, if it is to be filled in
        ");
        assert_eq!(
            told(&[("s.yaml", SETTINGS), ("w.yaml", "{apiVersion: argoproj.io/v1alpha1, kind: Workflow, a: '{{ x }}'}")], &json!({})),
            ""
        );
    }
}
