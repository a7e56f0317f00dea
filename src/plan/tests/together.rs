//! What validating says of steps that do not fit together.

use super::with;
use crate::plan::testing::{checked, lines, shown};

#[test]
fn references_to_steps() {
    let text = with(
        "- id: my-colours\n  detect-colour: { ingress: '{{ steps.later.x }}' }\n- id: alone\n  needs: []\n  shell: { run: '{{ steps.my-colours.idle }} {{ steps.alone.x }}', read-only: true }\n- id: fields\n  when: steps.my-colours.live == 'blue'\n  shell: { run: '{{ steps.my-colours.idel }} {{ steps.my-colours.idle.x }} {{ steps.colours.idle }}', read-only: true }\n- id: later\n  shell: { run: '{{ steps.fields.out }}', read-only: true }\n- id: waits\n  wait-healthy: { applied-by: laetr }\n- id: fine\n  when: 'has(steps[\"my-colours\"].live)'\n  shell: { run: '{{ default steps.my-colours.live \"none\" }}', read-only: true }\n- id: skips\n  wait-healthy: { applied-by: '{{ steps.fine }}' }\n",
    );
    insta::assert_snapshot!(lines(&text), @r#"
    7:33 [steps.later.x] plan::too-early: `later` may not be over when this is needed
        help: move `later` above this step
    10:21 [steps.my-colours.idle] plan::too-early: `my-colours` may not be over when this is needed
        help: add `my-colours` to `needs`
    10:49 [steps.alone.x] plan::too-early: a step cannot use its own output
        help: the output is there when the step is over
    12:9 [steps.my] plan::unknown-step: there is no step `my`
        help: CEL takes `-` for minus: write `steps["my-colours"]`
    13:21 [steps.my-colours.idel] plan::unknown-output: the output of `my-colours` has no `idel`
        help: did you mean `idle`?
    13:49 [steps.my-colours.idle.x] plan::unknown-output: the output of `my-colours` has no `x`
        help: there are no fields
    13:79 [steps.colours.idle] plan::unknown-step: there is no step `colours`
        help: known steps: my-colours, alone, fields, later, waits, fine, skips
    15:21 [steps.fields.out] plan::may-be-skipped: `fields` may be skipped, and then it has no output
        help: write `{{ default steps.fields.out "…" }}`
    17:31 [laetr] plan::unknown-step: there is no step `laetr`
        help: did you mean `later`?
    22:35 [steps.fine] plan::may-be-skipped: `fine` may be skipped, and then it has no output
        help: write `{{ default steps.fine "…" }}`
    "#);
}

#[test]
fn circles_and_doubles() {
    let text = with(
        "- id: lint\n  needs: [ship]\n  backup:\n- id: build\n  needs: [lint, lnit, build]\n  backup:\n- id: ship\n  backup:\n- id: lint\n  backup:\n",
    );
    insta::assert_snapshot!(shown(&checked(&text).unwrap_err()), @"
      × plan.yaml has 4 mistakes

    Error: plan::circle

      × these steps wait for each other: `lint`, `ship`
        ╭─[plan.yaml:7:11]
      6 │ - id: lint
      7 │   needs: [ship]
        ·           ──┬─
        ·             ╰── `lint` waits for `ship`
      8 │   backup:
      9 │ - id: build
     10 │   needs: [lint, lnit, build]
     11 │   backup:
     12 │ - id: ship
        ·       ──┬─
        ·         ╰── `ship` waits for `lint`, as for all above it
     13 │   backup:
        ╰────
      help: remove `ship` from the `needs` of `lint`, which stands above it, or another one of these

    Error: plan::unknown-step

      × there is no step `lnit`
        ╭─[plan.yaml:10:17]
      9 │ - id: build
     10 │   needs: [lint, lnit, build]
        ·                 ────
     11 │   backup:
        ╰────
      help: did you mean `lint`?

    Error: plan::circle

      × a step cannot wait for itself
        ╭─[plan.yaml:10:23]
      9 │ - id: build
     10 │   needs: [lint, lnit, build]
        ·                       ─────
     11 │   backup:
        ╰────
      help: remove it from `needs`

    Error: plan::duplicate-step

      × there are two steps `lint`
       ╭─[plan.yaml:6:7]
     5 │ steps:
     6 │ - id: lint
       ·       ──┬─
       ·         ╰── the first
     7 │   needs: [ship]
       ╰────
        ╭─[plan.yaml:14:7]
     13 │   backup:
     14 │ - id: lint
        ·       ────
     15 │   backup:
        ╰────
      help: give one of them another id
    ");
}

#[test]
fn guards() {
    let text = with(
        "- id: a\n  apply: { manifests: [a] }\n- id: b\n  apply: { manifests: [b] }\n- id: c\n  apply: { manifests: [c] }\n- id: beside\n  needs: [b]\n  apply: { manifests: [d] }\n- id: one\n  needs: [c]\n  rollback-on-fail: { guards: [a, b, below], budget: soon }\n- id: two\n  retry: { attempts: 2 }\n  rollback-on-fail: { guards: [b, c, oen] }\n- id: below\n  apply: { manifests: [e] }\n",
    );
    insta::assert_snapshot!(lines(&text.replace(", oen", "")), @"
    10:7 [c] plan::guard-open: `c` and `beside` need what `one` may still take back
        help: write `guards: [a, b, c, beside]` in `one` and `guards: [one]` in `two`
    12:7 [beside] plan::guard-open: `beside` needs `b`, which `two` may still take back
        help: write `guards: [a, b, c, beside]` in `one` and `guards: [one]` in `two`
    12:7 [beside] plan::unguarded: `beside` is in no guard: a failure that `two` takes back leaves its changes where they are
        help: write `guards: [a, b, c, beside]` in `one` and `guards: [one]` in `two`
    17:38 [below] plan::guards-below: a guard stands below the steps that it guards, and `below` does not stand above
        help: move the guard down
    17:54 [soon] plan::wrong-value: `soon` is not a length of time
        help: write it as `30s`, `5m` or `1h 30m`
    18:7 [two] plan::guards-overlap: `b` is held by `one` and by `two`, and neither holds all of the other
        help: write `guards: [a, b, c, beside]` in `one` and `guards: [one]` in `two`
    19:3 [retry] plan::key-not-here: `retry` means nothing for `rollback-on-fail`
        help: remove it
    ");
    // With the slip nobody knows what `two` guards: had it named `one`, there would be less to say.
    insta::assert_snapshot!(lines(&text), @"
    10:7 [c] plan::guard-open: `c` and `beside` need what `one` may still take back
        help: add `c` to the guards of `one`, or let it need `one`
    17:38 [below] plan::guards-below: a guard stands below the steps that it guards, and `below` does not stand above
        help: move the guard down
    17:54 [soon] plan::wrong-value: `soon` is not a length of time
        help: write it as `30s`, `5m` or `1h 30m`
    19:3 [retry] plan::key-not-here: `retry` means nothing for `rollback-on-fail`
        help: remove it
    20:38 [oen] plan::unknown-step: there is no step `oen`
        help: did you mean `one`?
    ");
    let unguarded = with(
        "- id: a\n  apply: { manifests: [a] }\n- id: saved\n  backup:\n- id: b\n  apply: { manifests: [b] }\n- id: back\n  rollback-on-fail: { guards: [b] }\n",
    );
    insta::assert_snapshot!(lines(&unguarded), @"
    3:3 [version] plan::unused-input: nothing uses the input `version`
        help: remove it, or write `{{ inputs.version }}` where it belongs
    4:3 [replicas] plan::unused-input: nothing uses the input `replicas`
        help: remove it, or write `{{ inputs.replicas }}` where it belongs
    6:7 [a] plan::unguarded: `a` is in no guard: a failure that `back` takes back leaves its changes where they are
        help: write `guards: [a, saved, b]` in `back`
    ");
}

#[test]
fn the_pivot() {
    let text = with(
        "- id: a\n  apply: { manifests: [a] }\n- id: migrate\n  shell: { run: migrate }\n- id: looks\n  shell: { run: look, read-only: true }\n- id: notify\n  shell: { run: notify }\n- id: again\n  idempotent: true\n  shell: { run: again }\n- id: b\n  apply: { manifests: [b] }\n",
    );
    insta::assert_snapshot!(lines(&text), @r#"
    8:7 [migrate] plan::pivot: `migrate` cannot be taken back: once it has begun, nothing before it is undone
        help: say how it is taken back: `undo: [...]`, or `undo: { none: why }` if there is nothing to take back
    12:7 [notify] plan::after-pivot: `notify` cannot be retried, and after `migrate` nothing can be taken back
        help: say `idempotent: true` if `notify` may be repeated, or `continue-on-error: true`; or say how `migrate` is taken back: `undo: [...]` or `undo: { none: why }`
    "#);
    let told = with(
        "- id: a\n  shell: { run: a }\n  undo: { none: only talks }\n- id: b\n  shell: { run: b }\n  undo: [{ shell: { run: unb } }]\n- id: c\n  shell: { run: c }\n",
    );
    insta::assert_snapshot!(lines(&told), @"
    3:3 [version] plan::unused-input: nothing uses the input `version`
        help: remove it, or write `{{ inputs.version }}` where it belongs
    4:3 [replicas] plan::unused-input: nothing uses the input `replicas`
        help: remove it, or write `{{ inputs.replicas }}` where it belongs
    12:7 [c] plan::pivot: `c` cannot be taken back: once it has begun, nothing before it is undone
        help: say how it is taken back: `undo: [...]`, or `undo: { none: why }` if there is nothing to take back
    ");
}

#[test]
fn files_that_a_step_would_have_to_name() {
    let text = with(
        "- id: c\n  detect-colour: { ingress: x }\n- id: a\n  apply: { manifests: ['{{ inputs.version }}.yaml', '{{ steps.c.idle }}.yaml'] }\n",
    );
    insta::assert_snapshot!(lines(&text), @r#"
    9:57 [steps.c.idle] plan::late-file: the files that a run reads are frozen when it opens, before any step has an output
        help: name the file without the output of a step
    "#);
}

#[test]
fn names_of_secrets() {
    let text = with(
        "- id: a\n  smoke-test: { probes: [{ http: { path: /, bearer: api-tokn } }] }\n- id: b\n  apply: { manifests: [x], values: { bearer: free, secrets: { a: free } } }\n- id: c\n  shell: { run: x, read-only: true, secrets: { TOKEN: api-token, OTHER: other } }\nsecrets: { api-token: { env: X } }\n",
    );
    insta::assert_snapshot!(lines(&text), @"
    7:53 [api-tokn] plan::unknown-secret: there is no secret `api-tokn`
        help: did you mean `api-token`?
    11:73 [other] plan::unknown-secret: there is no secret `other`
        help: known secrets: api-token; secrets are listed below `secrets:`
    ");
}

/// A guard that holds the pivot takes nothing back once it has run, as the engine has it; one that does not hold it does.
#[test]
fn a_pivot_within_a_guard() {
    let steps = "- id: a\n  apply: { manifests: [a] }\n- id: mail\n  shell: { run: mail }\n- id: b\n  apply: { manifests: [b] }\n";
    let pivots = |more: &str| {
        let told = lines(&with(&format!("{steps}{more}")));
        told.lines()
            .skip_while(|line| line.contains("unused") || line.contains("nothing uses") || line.contains("remove it"))
            .collect::<Vec<_>>()
            .join("\n")
    };
    insta::assert_snapshot!(pivots("- id: back\n  rollback-on-fail: {}\n"), @"
    8:7 [mail] plan::pivot: `mail` cannot be taken back: once it has begun, nothing before it is undone, nor what `back` guards after it, such as `b`
        help: say how it is taken back: `undo: [...]`, or `undo: { none: why }` if there is nothing to take back; or let a guard that does not hold `mail` guard `b`
    ");
    insta::assert_snapshot!(pivots("- id: back\n  rollback-on-fail: { guards: [a, b] }\n"), @"
    8:7 [mail] plan::guard-open: `mail` needs `a`, which `back` may still take back
        help: write `guards: [a, mail, b]` in `back` (which takes nothing back once `mail` has run)
    8:7 [mail] plan::pivot: `mail` cannot be taken back: once it has begun, nothing before it is undone
        help: say how it is taken back: `undo: [...]`, or `undo: { none: why }` if there is nothing to take back
    ");
    insta::assert_snapshot!(pivots("- id: late\n  rollback-on-fail: { guards: [b] }\n- id: back\n  rollback-on-fail: { guards: [a, mail, late] }\n"), @"
    8:7 [mail] plan::pivot: `mail` cannot be taken back: once it has begun, nothing before it is undone
        help: say how it is taken back: `undo: [...]`, or `undo: { none: why }` if there is nothing to take back
    ");
}
