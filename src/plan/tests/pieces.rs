//! What validating says of a whole file and of the keys above its steps.

use super::with;
use crate::plan::testing::{checked, lines, shown};

#[test]
fn all_mistakes_are_told_at_once_and_shown_where_they_are() {
    let text = with(
        "- id: colours\n  detect-color: { ingress: api }\n- id: deploy\n  needs: [colors]\n  apply:\n    manifests: app.yaml\n    replcas: 2\n    mode: fats\n    values: { tag: '{{ inputs.verison }}' }\n",
    );
    insta::assert_snapshot!(shown(&checked(&text).unwrap_err()), @"
      × plan.yaml has 6 mistakes

    Error: plan::unknown-action

      × there is no action `detect-color`
       ╭─[plan.yaml:7:3]
     6 │ - id: colours
     7 │   detect-color: { ingress: api }
       ·   ────────────
     8 │ - id: deploy
       ╰────
      help: did you mean `detect-colour`?

    Error: plan::unknown-step

      × there is no step `colors`
        ╭─[plan.yaml:9:11]
      8 │ - id: deploy
      9 │   needs: [colors]
        ·           ──────
     10 │   apply:
        ╰────
      help: did you mean `colours`?

    Error: plan::wrong-type

      × expected a list, found the text `app.yaml`
        ╭─[plan.yaml:11:16]
     10 │   apply:
     11 │     manifests: app.yaml
        ·                ────────
     12 │     replcas: 2
        ╰────
      help: write a list: `[first, second]`, or one `- …` a line

    Error: plan::unknown-key

      × there is no key `replcas` in `apply`
        ╭─[plan.yaml:12:5]
     11 │     manifests: app.yaml
     12 │     replcas: 2
        ·     ───────
     13 │     mode: fats
        ╰────
      help: did you mean `replicas`?

    Error: plan::unknown-word

      × `fats` is not known here
        ╭─[plan.yaml:13:11]
     12 │     replcas: 2
     13 │     mode: fats
        ·           ────
     14 │     values: { tag: '{{ inputs.verison }}' }
        ╰────
      help: did you mean `fast`?

    Error: plan::unknown-input

      × there is no input `verison`
        ╭─[plan.yaml:14:24]
     13 │     mode: fats
     14 │     values: { tag: '{{ inputs.verison }}' }
        ·                        ──────────────
        ╰────
      help: did you mean `version`?
    ");
}

#[test]
fn the_head_of_a_plan() {
    let text = "plan: My Plan\nabuot: x\ninputs:\n  a: { type: strin }\n  b: { type: integer, default: '5' }\n  c: { pattern: '(' }\n  d: { pattern: '^v', default: w }\n  E: {}\n  f: { enum: [a, b], default: c }\n  g: { default: 1.10 }\nenvironments:\n  staging: { namespce: x, b: many }\ndefaults: { retry: { attempts: 0, factor: 0.5 } }\nconcurrency: none\n";
    insta::assert_snapshot!(lines(text), @r"
    1:1 [plan] plan::missing-key: a plan needs the key `steps`
        help: add `steps:` with for example `- id: first`
    1:7 [My Plan] plan::wrong-value: 'M' is not allowed here
        help: write lower-case letters, digits and `-`, with a letter or digit at both ends
    2:1 [abuot] plan::unknown-key: there is no key `abuot` in a plan
        help: did you mean `about`?
    4:14 [strin] plan::unknown-word: `strin` is not known here
        help: did you mean `string`?
    5:32 ['5'] plan::wrong-value: expected a whole number, found the text `5`
        help: write a whole number
    6:17 ['('] plan::wrong-value: this is not a regular expression: unclosed group
        help: write one as in `'^v\d+$'`, in single quotes
    7:32 [w] plan::wrong-value: `w` does not match the pattern `^v`
        help: write a text that matches `^v`
    8:3 [E] plan::bad-name: `E` cannot name an input
        help: 'E' is not allowed here: write lower-case letters, digits and `-`, with a letter or digit at both ends
    9:31 [c] plan::wrong-value: `c` is none of a, b
        help: write a text; possible: a, b
    12:14 [namespce] plan::unknown-key: `namespce` is neither a key of environments nor an input
        help: did you mean `namespace`?
    12:30 [many] plan::wrong-value: expected a whole number, found the text `many`
        help: write a whole number
    13:32 [0] plan::wrong-type: expected a whole number (at least 1), found the number `0`
        help: write a whole number (at least 1)
    14:14 [none] plan::wrong-type: expected a whole number (at least 1), found the text `none`
        help: write a whole number (at least 1)
    ");
}

#[test]
fn a_secret_in_clear_is_shown_to_nobody() {
    let text = "plan: p\nsecrets:\n  token: hunter2\n  other: { value: hunter2 }\n  fine: { env: TOKEN }\nsteps: [{ id: a, backup: }]\n";
    let problems = checked(text).unwrap_err();
    let shown = shown(&problems);
    insta::assert_snapshot!(shown, @r#"
      × plan.yaml has 2 mistakes

    Error: plan::secret-source

      × `token` must say where the secret comes from, not what it is
       ╭─[plan.yaml:3:3]
     2 │ secrets:
     3 │   token: *******
       ·   ─────
     4 │   other: { value: ******* }
       ╰────
      help: write one of `{ env: VARIABLE }`, `{ file: PATH }`, `{ command: [program, argument] }` and `{ kubernetes:
            { secret: NAME, key: KEY } }`

    Error: plan::secret-source

      × `other` must say where the secret comes from, not what it is
       ╭─[plan.yaml:4:3]
     3 │   token: *******
     4 │   other: { value: ******* }
       ·   ─────
     5 │   fine: { env: TOKEN }
       ╰────
      help: write one of `{ env: VARIABLE }`, `{ file: PATH }`, `{ command: [program, argument] }` and `{ kubernetes:
            { secret: NAME, key: KEY } }`
    "#);
    assert!(!format!("{shown} {problems:?} {}", problems.to_json()).contains("hunter2"));
}

#[test]
fn no_yaml_no_steps_no_plan() {
    insta::assert_snapshot!(lines("plan: p\nsteps: [\n"), @"
    2:8 [[] plan::syntax: this is not YAML: unclosed bracket '['
        help: close every `[` and `{` that is open, in the order in which they were opened
    ");
    insta::assert_snapshot!(lines("plan: p\nsteps:\n  - id: back\n    rollback-on-fail: { guards: [prep, each[eu]] }\n"), @"
    4:44 [[] plan::syntax: this is not YAML: while parsing a flow sequence, expected ',' or ']'
        help: put a name with brackets in it between quotes: `'each[eu]'`
    ");
    insta::assert_snapshot!(lines(""), @"
    1:1 [] plan::empty: there is no plan in this file
        help: begin with `plan: my-service`, then list its `steps:`
    ");
    insta::assert_snapshot!(lines("- a\n"), @"
    1:3 [a] plan::wrong-type: expected a mapping with the keys `plan` and `steps`, found a list
        help: write `key: value`, one a line
    ");
    insta::assert_snapshot!(lines("plan: p\nplan: q\nsteps: []\n"), @r#"
    2:1 [plan] plan::duplicate-key: this key stands here twice
        help: remove one of the two
    3:1 [steps] plan::no-steps: a plan needs at least one step
        help: add `- id: first` and an action
    "#);
}

#[test]
fn a_secret_in_clear_is_hidden_even_in_what_is_no_yaml() {
    let text = "plan: p\nsecrets:\n  token: hunter2\n  other: |\n    hunter2\n    [hunter2\nsteps: [\n";
    assert!(!shown(&checked(text).unwrap_err()).contains("hunter2"));
    let text = "plan: p\nsecrets: { token: hunter2, [\nsteps:\n";
    let shown = shown(&checked(text).unwrap_err());
    assert!(!shown.contains("hunter2") && shown.contains("secrets:"), "{shown}");
}

#[test]
fn what_follows_from_a_name_that_stands_twice_is_not_told() {
    let text = with("- id: a\n  shell: { run: x }\n- id: a\n  shell: { run: y }\n");
    insta::assert_snapshot!(lines(&text), @"
    8:7 [a] plan::duplicate-step: there are two steps `a`
        help: give one of them another id
    ");
}

#[test]
fn tabs_are_explained() {
    insta::assert_snapshot!(lines("plan: p\nsteps:\n\t- id: a\n"), @"
    3:2 [-] plan::syntax: this is not YAML: tabs disallowed within this context (block indentation)
        help: YAML is indented with blanks: write two instead of each tab
    ");
}
