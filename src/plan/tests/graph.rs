//! Which step waits for which.

use crate::ids::StepId;
use crate::plan::testing::plan;

fn needs(steps: &str) -> String {
    let plan = plan(&format!("plan: p\nsteps:\n{steps}"));
    let list = |ids: &[StepId]| ids.iter().map(StepId::as_str).collect::<Vec<_>>().join(",");
    plan.steps.iter().map(|step| format!("{}[{}]", step.id, list(&step.needs))).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_step_waits_for_all_above_unless_it_says_otherwise() {
    assert_eq!(needs("- { id: a, backup: }\n- { id: b, backup: }\n- { id: c, backup: }\n"), "a[] b[a] c[b]");
    let fan = "- { id: a, backup: }\n- { id: b, needs: [a], backup: }\n- { id: c, needs: [a], backup: }\n- { id: d, needs: [], backup: }\n- { id: e, backup: }\n";
    assert_eq!(needs(fan), "a[] b[a] c[a] d[] e[b,c,d]");
}

#[test]
fn what_goes_without_saying_is_left_out() {
    let spare = "- { id: a, backup: }\n- { id: b, backup: }\n- { id: c, needs: [a, b], backup: }\n- { id: d, needs: [a, c, b], backup: }\n";
    assert_eq!(needs(spare), "a[] b[a] c[b] d[c]");
    let down = "- { id: a, needs: [c], backup: }\n- { id: b, needs: [], backup: }\n- { id: c, needs: [], backup: }\n- { id: d, backup: }\n";
    assert_eq!(needs(down), "a[c] b[] c[] d[a,b]");
}

#[test]
fn a_guard_waits_for_what_it_guards_and_holds_what_is_nested() {
    let text = "plan: p\nsteps:\n- { id: a, backup: }\n- { id: b, backup: }\n- { id: inner, rollback-on-fail: { guards: [b] } }\n- { id: c, backup: }\n- { id: outer, needs: [], rollback-on-fail: { guards: [a, inner, c], budget: 2m } }\n";
    let plan = plan(text);
    let summary = plan.summary();
    let held: Vec<(String, Vec<String>)> =
        summary.guards.iter().map(|guard| (guard.id.to_string(), guard.guards.iter().map(ToString::to_string).collect())).collect();
    let words = |list: &[&str]| list.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    assert_eq!(held, [("inner".to_owned(), words(&["b"])), ("outer".to_owned(), words(&["a", "b", "c", "inner"]))]);
    assert_eq!(plan.step("outer").unwrap().needs, [StepId::new("c").unwrap()]);
    assert_eq!(summary.guards[1].budget, "2m".parse().unwrap());
}

#[test]
fn a_guard_without_a_list_holds_what_stands_above_and_nobody_holds() {
    let text = "plan: p\nsteps:\n- { id: a, backup: }\n- { id: one, rollback-on-fail: }\n- { id: b, backup: }\n- { id: two, rollback-on-fail: {} }\n";
    let held: Vec<String> = plan(text).summary().guards.iter().map(|guard| format!("{}:{:?}", guard.id, guard.guards)).collect();
    assert_eq!(held, ["one:{a}", "two:{b}"]);
}

#[test]
fn a_long_plan_is_checked_in_time() {
    let mut text = "plan: p\nsteps:\n".to_owned();
    for step in 0..5000 {
        text.push_str(&format!("- {{ id: s{step}, backup: }}\n"));
    }
    let plan = plan(&text);
    assert_eq!(plan.graph().edge_count(), 4999);
}
