//! What the tree looks like.

use super::{Remarks, draw};
use crate::record::{Graph, Reversibility};
use crate::report::samples::{blue_green, graph, guard, id, staying, step};

fn remarks() -> Remarks {
    staying("database", "what it makes is meant to be kept")
}

fn drawn(name: &str, graph: &Graph, remarks: &Remarks, width: Option<usize>) -> String {
    draw(name, graph, remarks, width).join("\n")
}

#[test]
fn a_runbook_is_a_straight_line() {
    insta::assert_snapshot!(drawn("blue-green", &blue_green(), &remarks(), None), @"
    blue-green: 7 steps

      = database  backup            what it makes is meant to be kept
    ╭ · colours   detect-colour
    ├ ↩ deploy    apply
    ├ · healthy   wait-healthy
    ├ · smoke     smoke-test        up to 3 attempts
    ├ ↩ switch    switch-ingress
    ├ ↩ retire    scale
    ╰ ◆ back      rollback-on-fail  takes back colours, deploy, healthy, smoke, switch, retire within 5m, then verified

    · changes nothing
    ↩ can be taken back
    = stays when the rest is taken back
    ◆ takes back what it guards when something in it fails
    ");
}

#[test]
fn branches_joins_nested_guards_and_the_pivot() {
    use Reversibility::{Compensable, Irreversible, ReadOnly, Reversible};
    let mut plan = graph(
        vec![
            step("ask", "approve", ReadOnly, &[]),
            step("config", "apply", Reversible, &["ask"]),
            step("users", "apply", Reversible, &["config"]),
            step("streams", "apply", Reversible, &["config"]),
            step("streams-up", "wait-healthy", ReadOnly, &["streams"]),
            step("inner", "rollback-on-fail", ReadOnly, &["streams-up"]),
            step("warm", "shell", Compensable, &["users", "inner"]),
            step("outer", "rollback-on-fail", ReadOnly, &["warm"]),
            step("announce", "shell", Irreversible, &["outer"]),
            step("settle", "pause", ReadOnly, &["announce"]),
        ],
        vec![
            guard("inner", &["streams", "streams-up"], 60),
            guard("outer", &["config", "users", "streams", "streams-up", "inner", "warm"], 300),
        ],
    );
    plan.concurrency = 4;
    plan.steps[6].continue_on_error = true;
    plan.steps[4].retry.attempts = 3;
    insta::assert_snapshot!(drawn("release", &plan, &Remarks::default(), None), @"
    release: 8 steps, at most 4 side by side

       ? ask            approve
    ╭  ↩ config         apply
    ├  ↩ ├─ users       apply
    ├╭ ↩ └─ streams     apply
    ├├ ·    streams-up  wait-healthy      up to 3 attempts
    ├╰ ◆    inner       rollback-on-fail  takes back streams, streams-up within 1m, then verified
    ├  ↺    warm        shell             also after users; may fail
    ╰  ◆    outer       rollback-on-fail  takes back config, users, streams, streams-up, inner, warm within 5m, then verified
       ✗    announce    shell             the pivot: nothing is taken back once it has run
       …    settle      pause

    · changes nothing
    ↩ can be taken back
    ↺ is taken back by steps that the plan gives
    ✗ cannot be taken back
    ? asks a person
    … waits
    ◆ takes back what it guards when something in it fails
    ");
}

/// The engine takes back nothing of a guard that holds what cannot be taken back, once that has run; other guards go back as ever.
#[test]
fn a_guard_that_holds_the_pivot_says_until_when_it_takes_back() {
    use Reversibility::{Compensable, Irreversible, ReadOnly, Reversible};
    let plan = graph(
        vec![
            step("deploy", "apply", Reversible, &[]),
            step("mail", "shell", Irreversible, &["deploy"]),
            step("note", "shell", Compensable, &["mail"]),
            step("late", "rollback-on-fail", ReadOnly, &["note"]),
            step("tidy", "shell", Compensable, &["late"]),
            step("back", "rollback-on-fail", ReadOnly, &["tidy"]),
        ],
        vec![guard("late", &["note"], 60), guard("back", &["deploy", "mail", "note", "late", "tidy"], 300)],
    );
    insta::assert_snapshot!(drawn("release", &plan, &Remarks::default(), None).lines().skip(2).take(6).collect::<Vec<_>>().join("\n"), @"
    ╭  ↩ deploy  apply
    ├  ✗ mail    shell             the pivot: nothing but what late guards is taken back once it has run
    ├╭ ↺ note    shell
    ├╰ ◆ late    rollback-on-fail  takes back note within 1m, then verified
    ├  ↺ tidy    shell
    ╰  ◆ back    rollback-on-fail  takes back deploy within 5m, then verified; nothing once mail has run
    ");
}

#[test]
fn a_long_chain_is_drawn_without_recursion() {
    let steps = (0..5_000).map(|n| {
        let before = format!("s{}", n - 1);
        step(
            &format!("s{n}"),
            "shell",
            Reversibility::ReadOnly,
            if n == 0 { &[] } else { std::slice::from_ref(&before) }.iter().map(String::as_str).collect::<Vec<_>>().as_slice(),
        )
    });
    let plan = graph(steps.collect(), Vec::new());
    assert_eq!(draw("long", &plan, &Remarks::default(), None).len(), 5_000 + 4);
}

#[test]
fn a_need_that_is_not_there_does_no_harm() {
    let mut plan = blue_green();
    plan.steps[0].needs.push(id("gone"));
    assert!(drawn("odd", &plan, &Remarks::default(), None).contains("also after gone"));
}

#[test]
fn what_does_not_fit_a_terminal_goes_on_below_within_the_tree() {
    use Reversibility::{ReadOnly, Reversible};
    let mut plan = graph(
        vec![
            step("config", "apply", Reversible, &[]),
            step("deploy[eu-central-1]", "apply", Reversible, &["config"]),
            step("deploy[us-east-1]", "apply", Reversible, &["config"]),
            step("healthy", "wait-healthy", ReadOnly, &["deploy[eu-central-1]", "deploy[us-east-1]"]),
            step("back", "rollback-on-fail", ReadOnly, &["healthy"]),
        ],
        vec![guard("back", &["config", "deploy[eu-central-1]", "deploy[us-east-1]", "healthy"], 300)],
    );
    plan.steps[1].retry.attempts = 3;
    plan.steps[0].continue_on_error = true;
    let remarks = staying("config", "others may read it already, and a setting that nobody reads harms nobody");
    insta::assert_snapshot!(drawn("regions", &plan, &remarks, Some(80)), @"
    regions: 4 steps

    ╭ = config                   apply             others may read it already, and a
    │   │                                          setting that nobody reads harms
    │   │                                          nobody; may fail
    ├ ↩ ├─ deploy[eu-central-1]  apply             up to 3 attempts
    ├ ↩ └─ deploy[us-east-1]     apply
    ├ ·    healthy               wait-healthy      also after deploy[eu-central-1]
    ╰ ◆    back                  rollback-on-fail  takes back config,
                                                   deploy[eu-central-1],
                                                   deploy[us-east-1], healthy within
                                                   5m, then verified

    · changes nothing
    ↩ can be taken back
    = stays when the rest is taken back
    ◆ takes back what it guards when something in it fails
    ");
    insta::assert_snapshot!(drawn("regions", &plan, &remarks, Some(40)), @"
    regions: 4 steps

    ╭ = config  apply
    │   │  others may read it already, and a
    │   │  setting that nobody reads harms
    │   │  nobody; may fail
    ├ ↩ ├─ deploy[eu-central-1]  apply
    │   │    up to 3 attempts
    ├ ↩ └─ deploy[us-east-1]     apply
    ├ ·    healthy  wait-healthy
    │        also after deploy[eu-central-1]
    ╰ ◆    back  rollback-on-fail
             takes back config,
             deploy[eu-central-1],
             deploy[us-east-1], healthy
             within 5m, then verified

    · changes nothing
    ↩ can be taken back
    = stays when the rest is taken back
    ◆ takes back what it guards when
        something in it fails
    ");
}

#[test]
fn a_step_whose_items_are_not_known_yet_says_so() {
    let plan = graph(vec![step("deploy", "apply", Reversibility::Reversible, &[])], Vec::new());
    let remarks = Remarks { spreading: [(id("deploy"), "zones".to_owned())].into(), ..Remarks::default() };
    insta::assert_snapshot!(drawn("zones", &plan, &remarks, None), @"
    zones: 1 step

     ↩ deploy  apply  once for each item of the input `zones`

    ↩ can be taken back
    ");
}

#[test]
fn what_waits_for_nothing_is_seen_to_begin_beside_the_rest() {
    use Reversibility::{ReadOnly, Reversible};
    let plan = graph(
        vec![
            step("look[eu]", "shell", ReadOnly, &[]),
            step("look[us]", "shell", ReadOnly, &[]),
            step("mirror", "shell", ReadOnly, &["look[eu]"]),
            step("warm", "shell", Reversible, &[]),
            step("tell", "shell", ReadOnly, &["look[us]", "mirror", "warm"]),
        ],
        Vec::new(),
    );
    insta::assert_snapshot!(drawn("zones", &plan, &Remarks::default(), None), @"
    zones: 5 steps

     · ┌─ look[eu]  shell
     · │  mirror    shell
     · │  tell      shell  also after look[us], warm
     · ├─ look[us]  shell
     ↩ └─ warm      shell  starts at once

    · changes nothing
    ↩ can be taken back
    ");
}

#[test]
fn steps_for_all_items_are_one_line_where_nothing_tells_them_apart() {
    use Reversibility::{Irreversible, ReadOnly, Reversible};
    let all = ["zones[eu]", "zones[us]"];
    let many: Vec<String> = ["eu-central-1", "eu-west-3", "us-east-1"].iter().map(|zone| format!("warm[{zone}]")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut steps = vec![step("look", "shell", ReadOnly, &[])];
    steps.extend(all.map(|id| step(id, "shell", Irreversible, &["look"])));
    steps.extend(many.iter().map(|id| step(id, "shell", Reversible, &all)));
    steps.push(step("back", "rollback-on-fail", ReadOnly, &many));
    steps.extend(["some[a]", "some[b]"].map(|id| step(id, "shell", ReadOnly, &["back"])));
    steps.push(step("tell", "shell", ReadOnly, &["some[a]"]));
    let inside = [&["look", "zones[eu]", "zones[us]"], many.as_slice()].concat();
    let plan = graph(steps, vec![guard("back", &inside, 60)]);
    insta::assert_snapshot!(drawn("zones", &plan, &Remarks::default(), Some(80)), @"
    zones: 9 steps

    ╭ · look                            shell
    ├ ✗ zones[eu, us]  shell
    │     the pivot: nothing is taken back once it has run
    ├ ↩ warm[eu-central-1 … us-east-1]  shell             once for each of 3 items
    ╰ ◆ back  rollback-on-fail
        │  takes back look within 1m, then verified; nothing once zones[eu, us] has
        │  run
      · ├─ some[a]                      shell
      · │  tell                         shell
      · └─ some[b]                      shell

    · changes nothing
    ↩ can be taken back
    ✗ cannot be taken back
    ◆ takes back what it guards when something in it fails
    ");
    insta::assert_snapshot!(drawn("zones", &plan, &Remarks::default(), Some(40)), @"
    zones: 9 steps

    ╭ · look  shell
    ├ ✗ zones[eu, us]  shell
    │     the pivot: nothing is taken back
    │     once it has run
    ├ ↩ warm[eu-central-1 … us-east-1]  shell
    │     once for each of 3 items
    ╰ ◆ back  rollback-on-fail
        │  takes back look within 1m, then
        │  verified; nothing once zones[eu,
        │  us] has run
      · ├─ some[a]  shell
      · │  tell  shell
      · └─ some[b]  shell

    · changes nothing
    ↩ can be taken back
    ✗ cannot be taken back
    ◆ takes back what it guards when
        something in it fails
    ");
}
