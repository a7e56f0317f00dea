//! The lines that are told to whom left an action's keys out: each is put into the plan, and must be right there.

use super::published::actions;
use crate::plan::{Problems, Source, check};

/// What validating says with the real actions.
fn said(step: &str) -> Result<(), Problems> {
    let text = format!("plan: p\nsteps:\n- id: web\n  shell: {{ run: x, read-only: true }}\n- id: a\n  {step}\n  about: x\n");
    check(&Source::new("plan.yaml", text), &actions()).map(drop)
}

fn line_told(step: &str) -> Option<String> {
    let problems = said(step).expect_err(step);
    let help = problems.iter().find_map(|problem| problem.help.clone()).unwrap_or_default();
    let line = help.strip_prefix("write `").or_else(|| help.strip_prefix("did you mean `"))?;
    let (line, rest) = line.split_once('`')?;
    (rest.is_empty() || rest == "?").then(|| line.to_owned())
}

#[test]
fn the_line_that_is_told_is_right() {
    for (step, line) in [
        ("shell: echo hi", "shell: { run: 'echo hi' }"),
        ("shell: True", "shell: { run: 'True' }"),
        ("shell: [make, 'on']", "shell: { run: [make, 'on'] }"),
        ("run: make build", "shell: { run: 'make build' }"),
        ("apply: app.yaml", "apply: { manifests: [app.yaml] }"),
        ("delete: deployment/web", "delete: { objects: [deployment/web] }"),
        ("wait-healthy: web", "wait-healthy: { applied-by: web }"),
        ("wait-healthy: deployment/web", "wait-healthy: { objects: [deployment/web] }"),
        ("approve: Ship it?", "approve: { message: 'Ship it?' }"),
        ("rollback-on-fail: [web]", "rollback-on-fail: { guards: [web] }"),
    ] {
        assert_eq!(line_told(step).as_deref(), Some(line), "{step}");
        // What is left may be wrong with the step, but not with this line.
        let codes: Vec<_> =
            said(line).err().iter().flat_map(Problems::iter).map(|problem| (problem.code, problem.message.clone())).collect();
        let unfit = ["plan::wrong-type", "plan::wrong-value", "plan::unknown-key", "plan::unknown-action", "plan::missing-key"];
        assert!(!codes.iter().any(|(code, _)| unfit.contains(code)), "{line}: {codes:?}");
    }
}

#[test]
fn no_line_is_told_that_would_be_refused() {
    for step in [
        "smoke-test: https://x",
        "scale: web",
        "patch: web",
        "backup: db",
        "delete: web",
        "wait-healthy: [web]",
        "helm: chart",
        "kubectl: apply -f a.yaml",
    ] {
        if let Some(line) = line_told(step).filter(|line| line.contains(':')) {
            let codes: Vec<_> = said(&line).err().iter().flat_map(Problems::iter).map(|problem| problem.message.clone()).collect();
            assert!(codes.is_empty(), "{step}: {line}: {codes:?}");
        }
    }
}
