//! What validating says of each kind of mistake.

use crate::plan::testing::{checked, lines, shown};

/// A plan with these steps and a few inputs.
fn with(steps: &str) -> String {
    format!("plan: p\ninputs:\n  version: {{}}\n  replicas: {{ type: integer, default: 2 }}\nsteps:\n{steps}")
}

#[test]
fn all_mistakes_are_told_at_once_and_shown_where_they_are() {
    let text = with(
        "- id: colours\n  detect-color: { ingress: api }\n- id: deploy\n  needs: [colors]\n  apply:\n    manifests: app.yaml\n    replcas: 2\n    mode: fats\n    values: { tag: '{{ inputs.verison }}' }\n",
    );
    insta::assert_snapshot!(shown(&checked(&text).unwrap_err()), @r#"
      × plan.yaml has 6 mistakes

    Error: plan::unknown-action

      × there is no action `detect-color`
       ╭─[plan.yaml:7:3]
     6 │ - id: colours
     7 │   detect-color: { ingress: api }
       ·   ────────────
     8 │ - id: deploy
       ╰────
      help: did you mean `detect-colour`? known actions: apply, backup, detect-colour, shell, smoke-test, wait-healthy,
            rollback-on-fail, approve, pause

    Error: plan::unknown-step

      × there is no step `colors`
        ╭─[plan.yaml:9:11]
      8 │ - id: deploy
      9 │   needs: [colors]
        ·           ──────
     10 │   apply:
        ╰────
      help: did you mean `colours`? known steps: colours, deploy

    Error: plan::wrong-type

      × expected a list, found the text `app.yaml`
        ╭─[plan.yaml:11:16]
     10 │   apply:
     11 │     manifests: app.yaml
        ·                ────────
     12 │     replcas: 2
        ╰────

    Error: plan::unknown-key

      × there is no key `replcas` in `apply`
        ╭─[plan.yaml:12:5]
     11 │     manifests: app.yaml
     12 │     replcas: 2
        ·     ───────
     13 │     mode: fats
        ╰────
      help: did you mean `replicas`? known keys: manifests, values, replicas, mode, wait

    Error: plan::unknown-word

      × `fats` is not known here
        ╭─[plan.yaml:13:11]
     12 │     replcas: 2
     13 │     mode: fats
        ·           ────
     14 │     values: { tag: '{{ inputs.verison }}' }
        ╰────
      help: did you mean `fast`? known words: fast, slow

    Error: plan::unknown-input

      × there is no input `verison`
        ╭─[plan.yaml:14:24]
     13 │     mode: fats
     14 │     values: { tag: '{{ inputs.verison }}' }
        ·                        ──────────────
        ╰────
      help: did you mean `version`? known inputs: version, replicas; add it below `inputs:`, if it is new
    "#);
}

#[test]
fn the_head_of_a_plan() {
    let text = "plan: My Plan\nabuot: x\ninputs:\n  a: { type: strin }\n  b: { type: integer, default: '5' }\n  c: { pattern: '(' }\n  d: { pattern: '^v', default: w }\n  E: {}\n  f: { one-of: [a, b], default: c }\n  g: { default: 1.10 }\nenvironments:\n  staging: { namespce: x, b: many }\ndefaults: { retry: { attempts: 0, factor: 0.5 } }\nconcurrency: none\n";
    insta::assert_snapshot!(lines(text), @r#"
    1:1 [plan] plan::missing-key: a plan needs the key `steps`
        help: add `steps:` with for example `- id: first`
    1:7 [My Plan] plan::wrong-value: 'M' is not allowed here: write lower-case letters, digits and `-`, with a letter or digit at both ends
        help: -
    2:1 [abuot] plan::unknown-key: there is no key `abuot` in a plan
        help: did you mean `about`? known keys: plan, about, inputs, environments, secrets, defaults, concurrency, steps
    4:14 [strin] plan::unknown-word: `strin` is not known here
        help: did you mean `string`? known words: string, integer, number, boolean
    5:32 ['5'] plan::wrong-value: expected a whole number, found the text `5`
        help: write a whole number
    6:17 ['('] plan::wrong-value: this is not a regular expression: unclosed group
        help: -
    7:32 [w] plan::wrong-value: `w` does not match the pattern `^v`
        help: write a text that matches `^v`
    8:3 [E] plan::bad-name: `E` cannot name an input
        help: 'E' is not allowed here: write lower-case letters, digits and `-`, with a letter or digit at both ends
    9:33 [c] plan::wrong-value: `c` is none of a, b
        help: write a text
    12:14 [namespce] plan::unknown-key: `namespce` is neither a key of environments nor an input
        help: did you mean `namespace`? known keys and inputs: namespace, context, lock, a, b, c, d, E, f, g
    12:30 [many] plan::wrong-value: expected a whole number, found the text `many`
        help: write a whole number
    13:32 [0] plan::wrong-type: expected a whole number (at least 1), found the number `0`
        help: -
    14:14 [none] plan::wrong-type: expected a whole number (at least 1), found the text `none`
        help: -
    "#);
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
    insta::assert_snapshot!(lines("plan: p\nsteps: [\n"), @r#"
    2:8 [[] plan::syntax: this is not YAML: unclosed bracket '['
        help: -
    "#);
    insta::assert_snapshot!(lines(""), @r#"
    1:1 [] plan::missing-key: a plan needs the key `plan`
        help: add `plan:` with for example `plan: my-service`
    1:1 [] plan::missing-key: a plan needs the key `steps`
        help: add `steps:` with for example `- id: first`
    "#);
    insta::assert_snapshot!(lines("- a\n"), @r#"
    1:1 [- a] plan::missing-key: a plan needs the key `steps`
        help: add `steps:` with for example `- id: first`
    1:3 [a] plan::wrong-type: expected a mapping with the keys `plan` and `steps`, found a list
        help: -
    1:3 [a] plan::missing-key: a plan needs the key `plan`
        help: add `plan:` with for example `plan: my-service`
    "#);
    insta::assert_snapshot!(lines("plan: p\nplan: q\nsteps: []\n"), @r#"
    2:1 [plan] plan::duplicate-key: this key stands here twice
        help: remove one of the two
    3:1 [steps] plan::no-steps: a plan needs at least one step
        help: add `- id: first` and an action
    "#);
}

#[test]
fn the_keys_of_a_step() {
    let text = with(
        "- id: Deploy\n  apply: { manifests: [] }\n- id: b\n- id: c\n  aply: { manifests: [] }\n- id: d\n  backup:\n  shell: { run: x }\n- id: e\n  need: [d]\n  backup:\n- id: f\n  timeout: 5\n  retry: { atempts: 3 }\n  idempotent: 'yes'\n  backup:\n- backup:\n- just text\n- id: f\n  timeout: '{{ inputs.version }}'\n  backup:\n",
    );
    insta::assert_snapshot!(lines(&text), @r#"
    6:7 [Deploy] plan::wrong-value: 'D' is not allowed here: write lower-case letters, digits and `-`, with a letter or digit at both ends
        help: -
    8:7 [b] plan::no-action: this step does nothing
        help: add one of: apply, backup, detect-colour, shell, smoke-test, wait-healthy, rollback-on-fail, approve, pause
    10:3 [aply] plan::unknown-action: there is no action `aply`
        help: did you mean `apply`? known actions: apply, backup, detect-colour, shell, smoke-test, wait-healthy, rollback-on-fail, approve, pause
    13:3 [shell] plan::two-actions: a step has one action, and `shell` is the second here
        help: make a step of its own for each
    15:3 [need] plan::unknown-key: there is no key `need` in a step
        help: did you mean `needs`? known keys: id, about, needs, when, timeout, retry, continue-on-error, idempotent, undo, apply, backup, detect-colour, shell, smoke-test, wait-healthy, rollback-on-fail, approve, pause
    18:12 [5] plan::wrong-value: `5` is not a length of time: write it as `30s`, `5m` or `1h 30m`
        help: -
    19:12 [atempts] plan::unknown-key: there is no key `atempts` in a step
        help: did you mean `attempts`? known keys: attempts, backoff, factor, max, timeout
    20:15 ['yes'] plan::wrong-type: expected `true` or `false`, found the text `yes`
        help: write `true` or `false`
    22:3 [backup] plan::missing-key: a step needs the key `id`
        help: add `id: …` here
    23:3 [just text] plan::wrong-type: expected a step, found the text `just text`
        help: -
    24:7 [f] plan::duplicate-step: there are two steps `f`
        help: give one of them another id
    25:12 ['{{ inputs.version }}'] plan::template-not-here: a template is not possible here: this must be known before the run
        help: write the value itself
    "#);
}

#[test]
fn parameters_of_actions() {
    let text = with(
        "- id: a\n  apply: { manifests: [x, [y]], replicas: '2', wait: 5, values: { mode: 0644 } }\n- id: b\n  apply:\n- id: c\n  shell: { run: 1.10, read-only: maybe }\n- id: d\n  smoke-test: { probes: [{ http: { path: /, port: 99999 } }, { htp: {} }, { http: { prot: 1 } }] }\n",
    );
    insta::assert_snapshot!(lines(&text), @r#"
    7:28 [y] plan::wrong-type: expected a text, found a list
        help: -
    7:43 ['2'] plan::wrong-type: expected a whole number (at least 0), found the text `2`
        help: write `2` without quotes
    7:54 [5] plan::wrong-value: `5` is not a length of time: write it as `30s`, `5m` or `1h 30m`
        help: -
    7:73 [0644] plan::wrong-value: `0644` has a leading zero: write '0644' if it is a text, 0o644 if it is octal
        help: -
    9:3 [apply] plan::missing-key: `apply` needs the key `manifests`
        help: add `manifests: …` here
    11:34 [maybe] plan::wrong-type: expected `true` or `false`, found the text `maybe`
        help: write `true` or `false`
    13:51 [99999] plan::wrong-type: expected a whole number from 0 to 65535, found the number `99999`
        help: -
    13:64 [htp] plan::unknown-word: `htp` is not known here
        help: did you mean `http`? known words: http
    13:64 [htp] plan::wrong-value: told before
        help: -
    13:77 [http] plan::missing-key: `smoke-test` needs the key `path`
        help: add `path: …` here
    13:85 [prot] plan::unknown-key: there is no key `prot` in `smoke-test`
        help: did you mean `port`? known keys: path, port
    "#);
}

#[test]
fn templates_and_conditions() {
    let text = with(
        "- id: a\n  detect-colour: { ingress: 'x-{{ inputs.version' }\n- id: b\n  when: inputs.replicas = 2\n  shell: { run: \"{{ lower inputs.version }}\" }\n- id: c\n  when: '{{ inputs.replicas }}'\n  shell:\n    run: |\n      echo one\n      echo {{ version }} {{ secrets.token }} {{ run.name }}\n",
    );
    insta::assert_snapshot!(lines(&text), @r#"
    7:32 [{{ inputs.version] plan::template: this expression is not closed
        help: every `{{` needs its `}}`; write `\{{` for the two characters themselves
    9:25 [=] plan::condition: this is not a condition: Syntax error: token recognition error at: '= '
        help: conditions are CEL: `when: inputs.replicas > 1 && run.environment == 'production'`
    10:18 [{{ lower inputs.version }}] plan::template: there is no helper `lower`
        help: known helpers: and, default, eq, gt, gte, json, len, lookup, lt, lte, ne, not, or, quote, required
    12:29 [}] plan::condition: this is not a condition: Syntax error: mismatched input '}' expecting {'==', '!=', 'in', '<', '<=', '>=', '>', '&&', '||', '[', '.', '-', '?', ':', '+', '*', '/', '%'}
        help: conditions are CEL, without braces: `when: inputs.replicas > 1`
    16:15 [version] plan::unknown-name: `version` is not known
        help: did you mean `inputs.version`?
    16:29 [secrets.token] plan::unknown-name: `secrets.token` is not known
        help: secrets are given by their name where an action takes one, such as `bearer: api-token`
    16:49 [run.name] plan::unknown-name: `run` has no field `name`
        help: known fields: id, plan, environment
    "#);
}

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
        help: did you mean `idle`? known fields: live, idle
    13:49 [steps.my-colours.idle.x] plan::unknown-output: the output of `my-colours` has no `x`
        help: there are no fields
    13:79 [steps.colours.idle] plan::unknown-step: there is no step `colours`
        help: known steps: my-colours, alone, fields, later, waits, fine, skips
    15:21 [steps.fields.out] plan::may-be-skipped: `fields` may be skipped, and then it has no output
        help: write `{{ default steps.fields.out "…" }}`
    17:31 [laetr] plan::unknown-step: there is no step `laetr`
        help: did you mean `later`? known steps: my-colours, alone, fields, later, waits, fine, skips
    22:35 [steps.fine] plan::may-be-skipped: `fine` may be skipped, and then it has no output
        help: write `{{ default steps.fine "…" }}`
    "#);
}

#[test]
fn circles_and_doubles() {
    let text = with(
        "- id: lint\n  needs: [ship]\n  backup:\n- id: build\n  needs: [lint, lnit, build]\n  backup:\n- id: ship\n  backup:\n- id: lint\n  backup:\n",
    );
    insta::assert_snapshot!(shown(&checked(&text).unwrap_err()), @r#"
      × plan.yaml has 4 mistakes

    Error: plan::circle

      × these steps wait for each other: `lint`, `ship`, `build`
        ╭─[plan.yaml:7:11]
      6 │ - id: lint
      7 │   needs: [ship]
        ·           ────┬
        ·             │ ╰── `lint` waits for `ship`
      8 │   backup:
      9 │ - id: build
     10 │   needs: [lint, lnit, build]
        ·           ──┬─
        ·             ╰── `build` waits for `lint`
     11 │   backup:
     12 │ - id: ship
        ·       ──┬─
        ·         ╰── `ship` waits for `build`, as for all above it
     13 │   backup:
        ╰────
      help: remove one of these from `needs`

    Error: plan::unknown-step

      × there is no step `lnit`
        ╭─[plan.yaml:10:17]
      9 │ - id: build
     10 │   needs: [lint, lnit, build]
        ·                 ────
     11 │   backup:
        ╰────
      help: did you mean `lint`? known steps: lint, build, ship, lint

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
    "#);
}

#[test]
fn guards() {
    let text = with(
        "- id: a\n  apply: { manifests: [a] }\n- id: b\n  apply: { manifests: [b] }\n- id: c\n  apply: { manifests: [c] }\n- id: beside\n  needs: [b]\n  apply: { manifests: [d] }\n- id: one\n  needs: [c]\n  rollback-on-fail: { guards: [a, b, below], budget: soon }\n- id: two\n  retry: { attempts: 2 }\n  rollback-on-fail: { guards: [b, c, oen] }\n- id: below\n  apply: { manifests: [e] }\n",
    );
    insta::assert_snapshot!(lines(&text), @r#"
    10:7 [c] plan::guard-open: `c` needs `b`, which `one` may still take back
        help: add `c` to the guards of `one`, or let it need `one`
    12:7 [beside] plan::guard-open: `beside` needs `b`, which `one` may still take back
        help: add `beside` to the guards of `one`, or let it need `one`
    12:7 [beside] plan::guard-open: `beside` needs `b`, which `two` may still take back
        help: add `beside` to the guards of `two`, or let it need `two`
    12:7 [beside] plan::unguarded: `beside` is in no guard: a failure that `two` takes back leaves its changes where they are
        help: add it to the guards of `two`
    15:7 [one] plan::guard-open: `one` needs `c`, which `two` may still take back
        help: add `one` to the guards of `two`, or let it need `two`
    17:38 [below] plan::guards-below: a guard stands below the steps that it guards, and `below` does not stand above
        help: move the guard down
    17:54 [soon] plan::wrong-value: `soon` is not a length of time: write it as `30s`, `5m` or `1h 30m`
        help: -
    18:7 [two] plan::guards-overlap: `b` is held by `one` and by `two`, and neither holds all of the other
        help: guards nest or have no step in common
    19:3 [retry] plan::key-not-here: `retry` means nothing for `rollback-on-fail`
        help: remove it
    20:38 [oen] plan::unknown-step: there is no step `oen`
        help: did you mean `one`? known steps: a, b, c, beside, one, two, below
    "#);
    let unguarded = with(
        "- id: a\n  apply: { manifests: [a] }\n- id: saved\n  backup:\n- id: b\n  apply: { manifests: [b] }\n- id: back\n  rollback-on-fail: { guards: [b] }\n",
    );
    insta::assert_snapshot!(lines(&unguarded), @r#"
    6:7 [a] plan::unguarded: `a` is in no guard: a failure that `back` takes back leaves its changes where they are
        help: add it to the guards of `back`
    "#);
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
    insta::assert_snapshot!(lines(&told), @r#"
    12:7 [c] plan::pivot: `c` cannot be taken back: once it has begun, nothing before it is undone
        help: say how it is taken back: `undo: [...]`, or `undo: { none: why }` if there is nothing to take back
    "#);
}

#[test]
fn ways_back() {
    let text = with(
        "- id: a\n  undo: nothing\n  backup:\n- id: b\n  undo: { none: '' }\n  backup:\n- id: c\n  undo: [{ shel: { run: x } }, { shell: { rnu: x } }, { backup: , shell: }]\n  backup:\n- id: d\n  undo: []\n  backup:\n- id: e\n  retry: { attempts: 2 }\n  approve: { text: ok }\n- id: f\n  pause: soon\n- id: g\n  pause: { for: 30 }\n",
    );
    insta::assert_snapshot!(lines(&text), @r#"
    7:9 [nothing] plan::wrong-type: this does not say how the step is taken back
        help: write `undo: { none: why there is nothing to take back }`, or a list of actions such as `undo: [{ shell: { run: … } }]`
    10:17 [''] plan::missing-key: say why there is nothing to take back
        help: write for example `undo: { none: sends a message }`
    13:12 [shel] plan::unknown-action: there is no action `shel`
        help: did you mean `shell`? known actions: apply, backup, detect-colour, shell, smoke-test, wait-healthy
    13:34 [shell] plan::missing-key: `shell` needs the key `run`
        help: add `run: …` here
    13:43 [rnu] plan::unknown-key: there is no key `rnu` in `shell`
        help: did you mean `run`? known keys: run, read-only
    13:57 [backup] plan::wrong-type: each of these is a mapping with one action
        help: write `undo: { none: why there is nothing to take back }`, or a list of actions such as `undo: [{ shell: { run: … } }]`
    16:3 [undo] plan::wrong-type: this does not say how the step is taken back
        help: write `undo: { none: why there is nothing to take back }`, or a list of actions such as `undo: [{ shell: { run: … } }]`
    19:3 [retry] plan::key-not-here: `retry` means nothing for `approve`
        help: remove it
    20:3 [approve] plan::missing-key: `approve` needs the key `message`
        help: add `message: …` here
    20:14 [text] plan::unknown-key: there is no key `text` in `approve`
        help: known keys: message, timeout
    22:10 [soon] plan::wrong-value: `soon` is not a length of time: write it as `30s`, `5m` or `1h 30m`
        help: -
    24:17 [30] plan::wrong-value: `30` is not a length of time: write it as `30s`, `5m` or `1h 30m`
        help: -
    "#);
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
