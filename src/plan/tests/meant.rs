//! What is told to whom left keys out of what is the plan's own, and of a scenario's steps.

use super::with;
use crate::plan::testing::{checked, lines};

#[test]
fn keys_of_the_plan_without_their_own() {
    let text =
        with("- id: a\n  backup:\n- id: b\n  needs: a\n  locks: one, two\n  retry: 3\n  backup:\n- id: c\n  unless: true\n  backup:\n");
    insta::assert_snapshot!(lines(&text), @"
    9:10 [a] plan::wrong-type: expected a list, found the text `a`
        help: write `needs: [a]`
    10:10 [one, two] plan::wrong-type: expected a list, found the text `one, two`
        help: write `locks: [one, two]`
    11:10 [3] plan::wrong-type: expected a mapping, found the number `3`
        help: write `retry: { attempts: 3 }`
    14:3 [unless] plan::unknown-key: there is no key `unless` in a step
        help: write the opposite: `when: '!(…)'`
    ");
    let fixed = with(
        "- id: a\n  backup:\n- id: b\n  needs: [a]\n  locks: [one, two]\n  retry: { attempts: 3 }\n  backup:\n- id: c\n  when: '!(true)'\n  backup:\n",
    );
    checked(&fixed).unwrap();
    insta::assert_snapshot!(lines("plan: p\nsecrets: [hunter2]\nsteps:\n- id: a\n  backup:\n"), @"
    2:1 [secrets] plan::wrong-type: `secrets` tells of each name where that secret comes from
        help: write for example `secrets: { token: { env: TOKEN } }`
    ");
}

#[test]
fn the_steps_of_a_scenario_are_there() {
    let text = "plan: p\nsimulate:\n  fails: { deplyo: why, name: why, 'zones[us]': why, zones: why }\n  approvals: { gate: approved }\nsteps:\n- id: deploy\n  backup:\n- id: id\n  backup:\n- id: zones\n  for-each: [eu]\n  backup:\n";
    insta::assert_snapshot!(lines(text), @"
    3:12 [deplyo] plan::unknown-step: there is no step `deplyo`
        help: did you mean `deploy`?
    3:25 [name] plan::unknown-step: there is no step `name`
        help: known steps: deploy, id, zones
    3:36 ['zones[us]'] plan::unknown-step: `zones` has no item `us`
        help: known items: eu
    4:16 [gate] plan::unknown-step: there is no step `gate`
        help: known steps: deploy, id, zones
    ");
}

#[test]
fn what_a_scenario_says_of_a_family_holds_for_all_its_steps() {
    let text = "plan: p\nsimulate:\n  fails: { deploy: all, 'deploy[us]': one }\nsteps:\n- id: deploy\n  for-each: [eu, us]\n  backup:\n";
    let fails: Vec<(String, String)> =
        checked(text).unwrap().simulate.fails.into_iter().map(|(step, why)| (step.to_string(), why)).collect();
    assert_eq!(fails, [("deploy[eu]", "all"), ("deploy[us]", "one")].map(|(step, why)| (step.to_owned(), why.to_owned())));
}
