//! What validating says of one step.

use super::with;
use crate::plan::testing::lines;

#[test]
fn the_keys_of_a_step() {
    let text = with(
        "- id: Deploy\n  apply: { manifests: [] }\n- id: b\n- id: c\n  aply: { manifests: [] }\n- id: d\n  backup:\n  shell: { run: x }\n- id: e\n  need: [d]\n  backup:\n- id: f\n  timeout: 5\n  retry: { atempts: 3 }\n  idempotent: 'yes'\n  backup:\n- backup:\n- just text\n- id: f\n  timeout: '{{ inputs.version }}'\n  backup:\n",
    );
    insta::assert_snapshot!(lines(&text), @"
    6:7 [Deploy] plan::wrong-value: 'D' is not allowed here
        help: write lower-case letters, digits and `-`, with a letter or digit at both ends
    8:7 [b] plan::no-action: this step does nothing
        help: add one of: apply, backup, detect-colour, shell, smoke-test, wait-healthy, rollback-on-fail, approve, pause
    10:3 [aply] plan::unknown-action: there is no action `aply`
        help: did you mean `apply`?
    13:3 [shell] plan::two-actions: a step has one action, and `shell` is the second here
        help: make a step of its own for each
    15:3 [need] plan::unknown-key: there is no key `need` in a step
        help: did you mean `needs`?
    18:12 [5] plan::wrong-value: `5` is not a length of time
        help: write it as `30s`, `5m` or `1h 30m`
    19:12 [atempts] plan::unknown-key: there is no key `atempts` in a step
        help: did you mean `attempts`?
    20:15 ['yes'] plan::wrong-type: expected `true` or `false`, found the text `yes`
        help: write `true` or `false`
    22:3 [backup] plan::missing-key: a step needs the key `id` here
        help: add `id: …` here
    23:3 [just text] plan::wrong-type: expected a step, found the text `just text`
        help: write `key: value`, one a line
    24:7 [f] plan::duplicate-step: there are two steps `f`
        help: give one of them another id
    25:12 ['{{ inputs.version }}'] plan::template-not-here: a template is not possible here: this must be known before the run
        help: write the value itself
    ");
}

#[test]
fn parameters_of_actions() {
    let text = with(
        "- id: a\n  apply: { manifests: [x, [y]], replicas: '2', wait: 5, values: { mode: 0644 } }\n- id: b\n  apply:\n- id: c\n  shell: { run: 1.10, read-only: maybe }\n- id: d\n  smoke-test: { probes: [{ http: { path: /, port: 99999 } }, { htp: {} }, { http: { prot: 1 } }] }\n",
    );
    insta::assert_snapshot!(lines(&text), @"
    7:28 [y] plan::wrong-type: expected a text, found a list
        help: write a text
    7:43 ['2'] plan::wrong-type: expected a whole number (at least 0), found the text `2`
        help: write `2` without quotes
    7:54 [5] plan::wrong-value: `5` is not a length of time
        help: write it as `30s`, `5m` or `1h 30m`
    7:73 [0644] plan::wrong-value: `0644` has a leading zero
        help: write '0644' if it is a text, 0o644 if it is octal
    9:3 [apply] plan::missing-key: `apply` needs the key `manifests` here
        help: add `manifests: …` here
    11:34 [maybe] plan::wrong-type: expected `true` or `false`, found the text `maybe`
        help: write `true` or `false`
    13:51 [99999] plan::wrong-type: expected a whole number from 0 to 65535, found the number `99999`
        help: write a whole number from 0 to 65535
    13:64 [htp] plan::unknown-word: `htp` is not known here
        help: did you mean `http`?
    13:77 [http] plan::missing-key: `smoke-test` needs the key `path` here
        help: add `path: …` here
    13:85 [prot] plan::unknown-key: there is no key `prot` in `smoke-test`
        help: did you mean `port`?
    ");
}

#[test]
fn templates_and_conditions() {
    let text = with(
        "- id: a\n  detect-colour: { ingress: 'x-{{ inputs.version' }\n- id: b\n  when: inputs.replicas = 2\n  shell: { run: \"{{ lower inputs.version }}\" }\n- id: c\n  when: '{{ inputs.replicas }}'\n  shell:\n    run: |\n      echo one\n      echo {{ version }} {{ secrets.token }} {{ run.name }}\n",
    );
    insta::assert_snapshot!(lines(&text), @r"
    7:32 [{{ inputs.version] plan::template: this expression is not closed
        help: every `{{` needs its `}}`; write `\{{` for the two characters themselves
    9:25 [=] plan::condition: this is not a condition: `=` is not an operator: `==` compares
        help: conditions are CEL: `when: inputs.replicas > 1 && run.environment == 'production'`
    10:18 [{{ lower inputs.version }}] plan::template: there is no helper `lower`
        help: known helpers: and, default, eq, gt, gte, json, len, lookup, lt, lte, ne, not, or, quote, required, text
    12:10 [{{] plan::condition: this is not a condition: a template has no place in it
        help: conditions are CEL, without braces: `when: inputs.replicas > 1`
    16:15 [version] plan::unknown-name: `version` is not known
        help: did you mean `inputs.version`?
    16:29 [secrets.token] plan::unknown-name: `secrets.token` is not known
        help: secrets are given by their name where an action takes one, such as `bearer: api-token`
    16:49 [run.name] plan::unknown-name: `run` has no field `name`
        help: known fields: id, plan, environment
    ");
}

#[test]
fn ways_back() {
    let text = with(
        "- id: a\n  undo: nothing\n  backup:\n- id: b\n  undo: { none: '' }\n  backup:\n- id: c\n  undo: [{ shel: { run: x } }, { shell: { rnu: x } }, { backup: , shell: }]\n  backup:\n- id: d\n  undo: []\n  backup:\n- id: e\n  retry: { attempts: 2 }\n  approve: { text: ok }\n- id: f\n  pause: soon\n- id: g\n  pause: { for: 30 }\n",
    );
    insta::assert_snapshot!(lines(&text), @"
    7:9 [nothing] plan::wrong-type: this does not say how the step is taken back
        help: write `undo: { none: why }` if there is nothing to take back, else a list of actions: `undo: [{ shell: { run: … } }]`
    10:17 [''] plan::missing-key: say why there is nothing to take back
        help: write for example `undo: { none: sends a message }`
    13:12 [shel] plan::unknown-action: there is no action `shel`
        help: did you mean `shell`?
    13:34 [shell] plan::missing-key: `shell` needs the key `run` here
        help: add `run: …` here
    13:43 [rnu] plan::unknown-key: there is no key `rnu` in `shell`
        help: did you mean `run`?
    13:57 [backup] plan::wrong-type: each of these is a mapping with one action
        help: write `undo: { none: why }` if there is nothing to take back, else a list of actions: `undo: [{ shell: { run: … } }]`
    16:3 [undo] plan::wrong-type: this does not say how the step is taken back
        help: write `undo: { none: why }` if there is nothing to take back, else a list of actions: `undo: [{ shell: { run: … } }]`
    19:3 [retry] plan::key-not-here: `retry` means nothing for `approve`
        help: remove it
    20:3 [approve] plan::missing-key: `approve` needs the key `message` here
        help: add `message: …` here
    20:14 [text] plan::unknown-key: there is no key `text` in `approve`
        help: known keys: message, timeout
    22:10 [soon] plan::wrong-value: `soon` is not a length of time
        help: write it as `30s`, `5m` or `1h 30m`
    24:17 [30] plan::wrong-value: `30` is not a length of time
        help: write it as `30s`, `5m` or `1h 30m`
    ");
}

#[test]
fn a_key_of_steps_inside_an_action_is_told_where_it_belongs() {
    let text = with("- id: slow\n  shell: { run: 'true', read-only: true, timeout: 5s, tiemout: 5s }\n");
    insta::assert_snapshot!(lines(&text), @"
    7:42 [timeout] plan::unknown-key: there is no key `timeout` in `shell`
        help: `timeout` is a key of steps: write it beside the action
    7:55 [tiemout] plan::unknown-key: there is no key `tiemout` in `shell`
        help: known keys: run, secrets, read-only
    ");
}
