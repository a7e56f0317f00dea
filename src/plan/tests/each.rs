//! Steps that are there once for each item, and steps that must not run side by side.

use crate::ids::StepId;
use crate::plan::testing::{lines, plan};
use crate::plan::{Does, Plan};
use serde_json::{Value, json};

fn drawn(plan: &Plan) -> String {
    let list = |ids: &[StepId]| ids.iter().map(StepId::as_str).collect::<Vec<_>>().join(",");
    plan.steps.iter().map(|step| format!("{}<-{}", step.id, list(&step.needs))).collect::<Vec<_>>().join(" ")
}

const ZONES: &str = "plan: p
inputs:
  zones: { type: list, default: [eu, us] }
steps:
- { id: before, backup: }
- id: deploy
  for-each: '{{ inputs.zones }}'
  max-parallel: 2
  detect-colour: { ingress: 'web-{{ each.key }}' }
- { id: after, backup: }
- { id: back, rollback-on-fail: { guards: [deploy, after] } }
";

#[test]
fn a_literal_list_is_spread_when_the_plan_is_checked() {
    let plan = plan("plan: p\nsteps:\n- { id: a, for-each: [eu, 1.10, true], backup: }\n- { id: b, for-each: { x: { n: 1 } }, backup: }\n");
    assert_eq!(drawn(&plan), "a[eu]<- a[1.10]<- a[true]<- b[x]<-a[eu],a[1.10],a[true]");
    let item = |id: &str| plan.step(id).and_then(|step| step.item.clone()).map(|item| (item.key, item.value));
    assert_eq!(item("a[1.10]"), Some(("1.10".to_owned(), json!(1.1))));
    assert_eq!(item("b[x]"), Some(("x".to_owned(), json!({ "n": 1 }))));
    assert_eq!(plan.graph().edge_count(), 3);
}

#[test]
fn an_input_is_spread_when_its_value_is_known_and_the_guard_holds_all() {
    let checked = plan(ZONES);
    assert_eq!(drawn(&checked), "before<- deploy<-before after<-deploy back<-after");
    let spread = checked.spread(&json!({ "zones": ["eu", "us"] })).unwrap();
    assert_eq!(drawn(&spread), "before<- deploy[eu]<-before deploy[us]<-before after<-deploy[eu],deploy[us] back<-after");
    let held = |plan: &Plan| plan.summary().guards[0].guards.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    assert_eq!(held(&spread), "after deploy[eu] deploy[us]");
    let limit = &spread.summary().limits[0];
    assert_eq!((limit.name.as_str(), limit.most, limit.steps.len()), ("deploy", 2, 2));
}

#[test]
fn where_there_is_no_item_what_comes_after_waits_for_what_came_before() {
    let spread = plan(ZONES).spread(&json!({ "zones": [] })).unwrap();
    assert_eq!(drawn(&spread), "before<- after<-before back<-after");
    assert!(matches!(&spread.step("back").unwrap().does, Does::Guard { guards, .. } if guards.len() == 1));
}

#[test]
fn items_that_cannot_tell_steps_apart_are_told() {
    let told =
        |zones: Value| plan(ZONES).spread(&json!({ "zones": zones })).unwrap_err().problems.into_iter().map(|problem| problem.message);
    insta::assert_snapshot!(told(json!(["eu", "e u", ["x"], "eu", null])).collect::<Vec<_>>().join("\n"), @"
    the input `zones` cannot say what `deploy` is there for: `e u` cannot stand in the id of a step: ' ' is not allowed here: write letters, digits, `-`, `_` and `.`, with a letter or digit at both ends
    the input `zones` cannot say what `deploy` is there for: a list or a mapping cannot name a step
    the input `zones` cannot say what `deploy` is there for: the item `eu` stands there twice
    the input `zones` cannot say what `deploy` is there for: an item is nothing, and steps need names
    ");
}

#[test]
fn locks_are_limits_of_one() {
    let plan = plan(
        "plan: p\nsteps:\n- { id: a, needs: [], locks: [db, db], backup: }\n- { id: b, needs: [], locks: [db, net], backup: }\n- { id: c, needs: [], locks: [net], backup: }\n",
    );
    let limits: Vec<String> =
        plan.summary().limits.iter().map(|limit| format!("{} {} {:?}", limit.name, limit.most, limit.steps)).collect();
    assert_eq!(limits, ["db 1 [a, b]", "net 1 [b, c]"]);
    assert!(plan.warnings.is_empty());
}

#[test]
fn two_that_write_the_same_and_do_not_wait_for_each_other_are_told() {
    let text = "plan: p\nsteps:\n- { id: a, needs: [], apply: { manifests: [web] } }\n- { id: b, needs: [], apply: { manifests: [api, web] } }\n- { id: c, needs: [b], apply: { manifests: [api] } }\n- { id: each, for-each: [1, 2], needs: [c], apply: { manifests: [x] } }\n";
    insta::assert_snapshot!(lines(text), @"
    4:9 [b] plan::clash: `a` and `b` both write web, and neither waits for the other
        help: let one wait for the other: add `a` to the `needs` of `b`
    6:9 [each] plan::clash: every `each[…]` writes x, and none waits for another
        help: let what it writes depend on `each.key` or `each.value`
    ");
}

const ONE_ITEM: &str = "plan: p
inputs:
  zones: { type: list, default: [eu, us] }
steps:
- id: deploy
  for-each: LIST
  needs: []
  detect-colour: { ingress: 'web-{{ each.key }}' }
- { id: mirror, needs: ['deploy[eu]'], shell: { run: '{{ steps.deploy.eu.idle }}', read-only: true } }
- { id: last, backup: }
";

#[test]
fn a_step_can_wait_for_one_item() {
    let literal = plan(&ONE_ITEM.replace("LIST", "[eu, us]"));
    assert_eq!(drawn(&literal), "deploy[eu]<- deploy[us]<- mirror<-deploy[eu] last<-deploy[eu],deploy[us],mirror");
    assert_eq!(literal.graph().edge_count(), 4);
    let checked = plan(&ONE_ITEM.replace("LIST", "'{{ inputs.zones }}'"));
    let needs = |plan: &Plan| plan.summary().steps.iter().map(|step| format!("{:?}", step.needs)).collect::<Vec<_>>().join(" ");
    assert_eq!(needs(&checked), "[] [deploy] [deploy, mirror]", "while the items are not known it is drawn behind the whole of it");
    let spread = checked.clone().spread(&json!({ "zones": ["eu", "asia"] })).unwrap();
    assert_eq!(drawn(&spread), "deploy[eu]<- deploy[asia]<- mirror<-deploy[eu] last<-deploy[eu],deploy[asia],mirror");
    assert_eq!(spread.outputs_used(spread.step("mirror").unwrap()).len(), 1);
    let told: Vec<String> =
        checked.spread(&json!({ "zones": ["us"] })).unwrap_err().problems.into_iter().map(|problem| problem.message).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    `mirror` waits for `deploy[eu]`, and `deploy` has no item `eu` with these inputs
    `mirror` uses `steps.deploy.eu.idle`, and `deploy` has no item `eu` with these inputs
    ");
}

#[test]
fn who_waits_for_one_item_knows_nothing_of_the_others() {
    let text = "plan: p
steps:
- { id: deploy, for-each: [eu, us], needs: [], detect-colour: { ingress: 'web-{{ each.key }}' } }
- { id: eu, needs: ['deploy[eu]'], shell: { run: '{{ steps.deploy.us.idle }}', read-only: true } }
- { id: both, needs: ['deploy[eu]', 'deploy[us]'], shell: { run: '{{ steps.deploy.us.idle }}', read-only: true } }
- { id: behind, needs: [eu], shell: { run: '{{ json steps.deploy }}', read-only: true } }
- { id: all, needs: [deploy, 'deploy[us]'], shell: { run: '{{ json steps.deploy }}', read-only: true } }
- { id: none, needs: ['deploy[asia]', 'eu[x]'], backup: }
- { id: self, for-each: [a, b], needs: ['self[a]'], backup: }
- { id: back, rollback-on-fail: { guards: ['deploy[eu]'] } }
";
    insta::assert_snapshot!(lines(text), @"
    4:54 [steps.deploy.us.idle] plan::too-early: `deploy[us]` may not be over when this is needed
        help: add `deploy[us]` to `needs`
    6:53 [steps.deploy] plan::too-early: `deploy` may not be over when this is needed
        help: add `deploy` to `needs`
    8:23 ['deploy[asia]'] plan::unknown-step: `deploy` has no item `asia`
        help: known items: eu, us
    8:39 ['eu[x]'] plan::unknown-step: `eu` has no items: it has no `for-each`
        help: write `eu`
    9:41 ['self[a]'] plan::circle: a step cannot wait for itself
        help: remove it from `needs`
    10:44 ['deploy[eu]'] plan::guards-item: a guard holds the steps of all items, and `deploy[eu]` is one of them
        help: write `deploy`
    ");
}

#[test]
fn the_output_of_a_step_for_each_item_is_not_one_output() {
    let text = |reference: &str| {
        format!(
            "{}- {{ id: use, shell: {{ run: '{{{{ {reference} }}}}', read-only: true }} }}\n",
            ZONES.split("- { id: after").next().unwrap_or_default()
        )
    };
    insta::assert_snapshot!(lines(&text("steps.deploy.idle")), @"
    10:32 [steps.deploy.idle] plan::unknown-output: `deploy` is there once for each item, so `idle` is not known without saying of which
        help: write `steps.deploy.eu.idle`
    ");
    for right in [
        "steps.deploy.eu.idle",
        "json steps.deploy.asia",
        "json steps.deploy",
        "steps.deploy.idle.live",
        "default steps.deploy.asia.live \"x\"",
    ] {
        assert_eq!(lines(&text(right)), "", "{right}");
    }
    let whole = ZONES.replace("- { id: after, backup: }", "- { id: after, wait-healthy: { applied-by: deploy } }");
    insta::assert_snapshot!(lines(&whole), @"
    10:44 [deploy] plan::unknown-output: `deploy` is there once for each item, and the output of one step is needed here
        help: write `'{{ steps.deploy.eu }}'`, or, beside the same `for-each`, `'{{ lookup steps.deploy each.key }}'`
    ");
    assert_eq!(lines(&whole.replace("applied-by: deploy", "applied-by: '{{ steps.deploy.eu }}'")), "");
    let spread = |reference: &str| plan(&text(reference)).spread(&json!({ "zones": ["eu"] }));
    assert!(spread("steps.deploy.asia.idle").is_err() && spread("default steps.deploy.asia.idle \"x\"").is_ok());
}

#[test]
fn what_is_known_of_inputs_is_given_or_a_default_that_no_environment_replaces() {
    let plan = plan(
        "plan: p\ninputs:\n  zones: { type: list, default: [eu] }\n  size: { type: integer, default: 1 }\n  version:\nenvironments:\n  live: { zones: [eu, us] }\nsteps:\n- { id: a, for-each: '{{ inputs.zones }}', shell: { run: '{{ inputs.size }} {{ inputs.version }}', read-only: true } }\n",
    );
    let known = |environment, given: &[(&str, &str)]| {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        plan.known(environment, &given)
    };
    assert_eq!(known(None, &[]).unwrap(), json!({ "size": 1 }));
    assert_eq!(known(Some("live"), &[]).unwrap(), json!({ "size": 1, "zones": ["eu", "us"] }));
    assert_eq!(known(None, &[("zones", "[asia]")]).unwrap(), json!({ "size": 1, "zones": ["asia"] }));
    assert!(known(None, &[("size", "many")]).is_err() && known(Some("lvie"), &[]).is_err() && known(None, &[("zoens", "[]")]).is_err());
}

#[test]
fn one_condition_over_different_items_skips_different_steps() {
    let text = |items: &str, reference: &str| {
        format!(
            "plan: p\nsteps:\n- {{ id: a, for-each: [x, y], when: each.key == 'x', shell: {{ run: 'true', read-only: true }} }}\n- {{ id: b, needs: [a], for-each: [{items}], when: each.key == 'x', shell: {{ run: '{{{{ {reference} }}}}', read-only: true }} }}\n"
        )
    };
    insta::assert_snapshot!(lines(&text("x, z", "steps.a.y.stdout")), @r#"
    4:83 [steps.a.y.stdout] plan::may-be-skipped: `a` may be skipped, and then it has no output
        help: write `{{ default steps.a.y.stdout "…" }}`
    "#);
    assert_eq!(lines(&text("x, y", "json (lookup steps.a each.key)")), "", "each uses its own item's");
}
