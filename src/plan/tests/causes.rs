//! One mistake is told once: what merely follows from it is not.

use crate::plan::testing::lines;

fn told(steps: &str) -> String {
    lines(&format!("plan: p\nsteps:\n{steps}"))
}

#[test]
fn of_two_steps_with_one_id_only_that_is_told() {
    insta::assert_snapshot!(told(
        "- { id: look, needs: [], detect-colour: { ingress: a } }
- { id: use, needs: [look], shell: { run: '{{ steps.look.idle }} {{ steps.look.stdout }}', read-only: true } }
- { id: look, needs: [use], shell: { run: x, read-only: true } }
- { id: last, needs: [look], shell: { run: '{{ steps.use.x }}', read-only: true } }
- { id: back, needs: [], rollback-on-fail: { guards: [look] } }
- { id: more, needs: [use], apply: { manifests: [m] } }
"
    ), @"
    5:9 [look] plan::duplicate-step: there are two steps `look`
        help: give one of them another id
    ");
}

#[test]
fn of_an_id_that_is_none_only_that_is_told() {
    insta::assert_snapshot!(told(
        "- { id: First Step, detect-colour: { ingress: a } }
- { id: use, needs: ['First Step'], shell: { run: '{{ steps.[First Step].idle }}', read-only: true } }
"
    ), @"
    3:9 [First Step] plan::wrong-value: 'F' is not allowed here
        help: write lower-case letters, digits and `-`, with a letter or digit at both ends
    4:22 ['First Step'] plan::wrong-value: 'F' is not allowed here
        help: write lower-case letters, digits and `-`, with a letter or digit at both ends
    ");
}

#[test]
fn of_a_kind_that_is_not_there_only_that_is_told() {
    insta::assert_snapshot!(told(
        "- { id: look, detect-colours: { ingress: a } }
- { id: use, shell: { run: '{{ steps.look.idle }}', read-only: true } }
- { id: wait, wait-healthy: { applied-by: look } }
- { id: back, rollback-on-fial: { guards: [look, use] } }
- { id: more, needs: [use], apply: { manifests: [m] } }
"
    ), @"
    3:15 [detect-colours] plan::unknown-action: there is no action `detect-colours`
        help: did you mean `detect-colour`?
    6:15 [rollback-on-fial] plan::unknown-action: there is no action `rollback-on-fial`
        help: did you mean `rollback-on-fail`?
    ");
}

#[test]
fn of_a_guard_that_names_no_step_only_that_is_told() {
    let steps = |guards: &str| {
        format!(
            "- {{ id: a, apply: {{ manifests: [m] }} }}
- {{ id: b, apply: {{ manifests: [n] }} }}
- {{ id: c, needs: [a], apply: {{ manifests: [o] }} }}
- {{ id: back, rollback-on-fail: {{ {guards} }} }}
- {{ id: outer, rollback-on-fail: {{ guards: [b, c] }} }}
"
        )
    };
    insta::assert_snapshot!(told(&steps("guards: [a, bb, back]")), @"
    6:47 [bb] plan::unknown-step: there is no step `bb`
        help: did you mean `b`?
    6:51 [back] plan::guards-below: a guard stands below the steps that it guards, and `back` does not stand above
        help: move the guard down
    ");
    insta::assert_snapshot!(told(&steps("guards: a")), @"
    6:43 [a] plan::wrong-type: expected a list, found the text `a`
        help: write a list: `[first, second]`, or one `- …` a line
    ");
    insta::assert_snapshot!(told(&steps("guard: [a, b, c]")), @"
    6:35 [guard] plan::unknown-key: there is no key `guard` in `rollback-on-fail`
        help: did you mean `guards`?
    ");
}

#[test]
fn of_a_need_that_is_no_step_only_that_is_told() {
    insta::assert_snapshot!(told(
        "- { id: look, needs: [], detect-colour: { ingress: a } }
- { id: between, needs: [lok], shell: { run: x, read-only: true } }
- { id: use, needs: [between], shell: { run: '{{ steps.look.idle }}', read-only: true } }
"
    ), @"
    4:26 [lok] plan::unknown-step: there is no step `lok`
        help: did you mean `look`?
    ");
}

#[test]
fn of_an_input_with_a_wrong_type_only_that_is_told() {
    insta::assert_snapshot!(lines(
        "plan: p
inputs:
  zones: { type: lst, default: [eu], enum: [eu, us] }
  count: { type: integr, default: 3, min: 1, max: x }
environments:
  live: { zones: [us], count: 5 }
steps:
- { id: a, for-each: '{{ inputs.zones }}', apply: { manifests: ['{{ each.key }}'], replicas: '{{ inputs.count }}' } }
- { id: b, shell: { run: '{{ steps.a.eu.x }}', read-only: true } }
"
    ), @"
    3:18 [lst] plan::unknown-word: `lst` is not known here
        help: did you mean `list`?
    4:18 [integr] plan::unknown-word: `integr` is not known here
        help: did you mean `integer`?
    ");
    insta::assert_snapshot!(lines(
        "plan: p
inputs: [zones]
steps:
- { id: a, for-each: '{{ inputs.zones }}', apply: { manifests: ['{{ each.key }}'] } }
"
    ), @"
    2:1 [inputs] plan::wrong-type: expected a mapping of inputs, found a list
        help: write `key: value`, one a line
    ");
}

#[test]
fn of_items_that_cannot_be_read_only_that_is_told() {
    for each in ["for-each: [eu, 'u s']", "for-each: eu", "for-each: '{{ inputs.zones }} {{ inputs.zones }}'", "for-eahc: [eu, us]"] {
        let text = format!(
            "plan: p
inputs:
  zones: {{ type: list }}
steps:
- {{ id: a, {each}, detect-colour: {{ ingress: '{{{{ each.key }}}}' }} }}
- {{ id: b, needs: ['a[us]'], shell: {{ run: '{{{{ steps.a.us.idle }}}}', read-only: true }} }}
"
        );
        let told = lines(&text);
        assert_eq!(told.matches("plan::").count(), 1, "{each}: {told}");
    }
}

#[test]
fn of_an_undo_that_cannot_be_read_only_that_is_told() {
    let told = told(
        "- { id: a, shell: { run: x }, undo: { non: it is a note } }\n- { id: b, shell: { run: y }, undo: { none: a note } }\n- { id: c, shell: { run: z } }\n",
    );
    assert_eq!(told.matches("plan::").count(), 1, "{told}");
}
