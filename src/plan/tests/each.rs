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
