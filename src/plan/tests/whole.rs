//! What a checked plan holds.

use crate::action::RunScope;
use crate::ids::{Period, RunId};
use crate::plan::testing::{checked, plan, registry, shown};
use crate::plan::{Does, SecretSource, Source, Undo, check, check_begun};
use crate::record::Reversibility;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

const PLAN: &str = r#"
plan: blue-green
about: Bring up the idle colour.
inputs:
  version: { type: string, pattern: '^v\d+$', about: Image tag }
  app: { default: user-service }
  replicas: { type: integer, default: 2 }
  note: { required: false }
environments:
  staging: { namespace: staging }
  production: { namespace: production, context: prod, replicas: 5 }
secrets:
  token: { env: TOKEN }
  other: { kubernetes: { secret: s, key: k } }
defaults:
  timeout: 5m
  retry: { attempts: 3, backoff: 2s }
concurrency: 4
steps:
  - id: colours
    detect-colour: { ingress: api }
  - id: deploy
    apply:
      manifests: ['{{ inputs.app }}.yaml', base.yaml]
      values: { colour: '{{ steps.colours.idle }}', tag: '{{ inputs.version }}', port: 80, plain: "1.10" }
      replicas: '{{ inputs.replicas }}'
      mode: '{{ inputs.app }}'
      wait: '{{ inputs.app }}'
  - id: healthy
    wait-healthy: { applied-by: deploy }
  - id: ask
    approve: { message: 'Deploy {{ inputs.version }}?' }
  - id: rest
    pause: 30s
  - id: tell
    when: inputs.replicas > 1
    shell: { run: 'echo {{ run.id }}' }
    undo: [{ shell: { run: 'echo back', read-only: true } }]
  - id: talk
    shell: { run: talk }
    undo: { none: only talks }
    retry: { attempts: 5 }
  - id: back
    rollback-on-fail:
      budget: 5m
      verify: [{ http: { path: '/{{ inputs.app }}' } }]
"#;

fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn steps_come_with_what_the_plan_says_of_them() {
    let plan = plan(PLAN);
    let policy = |id: &str| plan.step(id).unwrap().retry;
    assert_eq!((policy("deploy").attempts, policy("deploy").backoff), (3, Period(Duration::from_secs(2))));
    assert_eq!((policy("tell").attempts, policy("talk").attempts), (1, 5));
    assert_eq!(plan.step("deploy").unwrap().timeout, Some(Period(Duration::from_secs(300))));
    assert_eq!((plan.step("ask").unwrap().timeout, plan.step("rest").unwrap().timeout), (None, None));
    let reversibility = |id: &str| plan.step(id).unwrap().reversibility;
    let expected = [Reversibility::ReadOnly, Reversibility::Reversible, Reversibility::Compensable, Reversibility::Reversible];
    assert_eq!(["colours", "deploy", "tell", "talk"].map(reversibility), expected);
    assert!(matches!(&plan.step("tell").unwrap().undo, Undo::Steps(steps) if steps.len() == 1));
    assert!(matches!(&plan.step("back").unwrap().does, Does::Guard { guards, verify, .. } if guards.len() == 7 && verify.len() == 1));
    assert_eq!(plan.secrets["token"], SecretSource::Env("TOKEN".into()));
    assert_eq!(plan.concurrency, 4);
    let warnings: Vec<&str> = plan.warnings.iter().map(|warning| warning.code).collect();
    assert_eq!(warnings, ["plan::unused-input"]);
}

#[test]
fn parameters_are_rendered_to_the_types_that_are_wanted() {
    let plan = plan(PLAN);
    let bound = plan.bind(Some("production"), &given(&[("version", "v2")])).unwrap();
    let mut values = plan.values(&bound, None);
    values.steps = json!({ "colours": { "live": null, "idle": "blue" }, "deploy": { "objects": 3 } });
    let Does::Action(template) = &plan.step("deploy").unwrap().does else { panic!() };
    let expected = json!({
        "manifests": ["user-service.yaml", "base.yaml"],
        "values": { "colour": "blue", "tag": "v2", "port": 80, "plain": "1.10" },
        "replicas": 5, "mode": "user-service", "wait": "user-service",
    });
    assert_eq!(template.render(&values), Ok(expected));
    let Does::Action(healthy) = &plan.step("healthy").unwrap().does else { panic!() };
    assert_eq!(healthy.render(&values), Ok(json!({ "applied-by": { "objects": 3 } })));
    let Does::Pause { time } = &plan.step("rest").unwrap().does else { panic!() };
    assert_eq!(time.render(&values), Ok(json!("30s")));
}

#[test]
fn files_are_known_before_the_run() {
    let text = "plan: p\ninputs: { app: {}, mode: {} }\nsteps:\n- id: c\n  detect-colour: { ingress: x }\n- id: a\n  apply: { manifests: ['{{ inputs.app }}.yaml', 'b/*.yaml'], values: { x: '{{ steps.c.idle }}' } }\n  undo: [{ apply: { manifests: [old.yaml], mode: '{{ inputs.mode }}' } }]\n";
    let plan = plan(text);
    let scope = RunScope { run: RunId::new("r").unwrap(), plan: plan.name.clone(), environment: None, namespace: None, context: None };
    let bound = plan.bind(None, &given(&[("app", "web"), ("mode", "fast")])).unwrap();
    let sources = plan.sources(&registry(), &bound, &scope).unwrap();
    let sources: Vec<String> = sources.into_iter().map(|(id, file)| format!("{id} {file}")).collect();
    assert_eq!(sources, ["a web.yaml", "a b/*.yaml", "a old.yaml"]);
    let bound = plan.bind(None, &given(&[("app", "web"), ("mode", "furious")])).unwrap();
    insta::assert_snapshot!(shown(&plan.sources(&registry(), &bound, &scope).unwrap_err()), @r#"
    plan::inputs

      × the inputs do not fit the plan `p`

    Error:
      × the step `a` does not fit these inputs: unknown variant `furious`, expected `fast` or `slow`
    "#);
}

#[test]
fn inputs_are_typed_and_all_that_is_wrong_is_told() {
    let plan = plan(PLAN);
    let bound = plan.bind(Some("production"), &given(&[("version", "v2")])).unwrap();
    assert_eq!(bound.inputs, json!({ "version": "v2", "app": "user-service", "replicas": 5, "note": null }));
    assert_eq!((bound.namespace.as_deref(), bound.context.as_deref()), (Some("production"), Some("prod")));
    let wrong = given(&[("version", "2"), ("replicas", "many"), ("verison", "v2")]);
    insta::assert_snapshot!(shown(&plan.bind(Some("prod"), &wrong).unwrap_err()), @r"
    plan::inputs

      × the inputs do not fit the plan `blue-green`

    Error:
      × the plan has no environment `prod`
      help: known environments: staging, production

    Error:
      × the plan has no input `verison`
      help: did you mean `version`?

    Error:
      × the input `version`: `2` does not match the pattern `^v\d+$`

    Error:
      × the input `replicas`: expected a whole number, found `many`
      help: the default is `2`
    ");
    insta::assert_snapshot!(shown(&plan.bind(None, &BTreeMap::new()).unwrap_err()), @r#"
    plan::inputs

      × the inputs do not fit the plan `blue-green`

    Error:
      × the plan needs an environment
      help: choose one with `--environment`: staging, production

    Error:
      × the input `version` (Image tag) has no value
      help: give it with `-i version=…`
    "#);
}

#[test]
fn problems_have_a_form_for_programs() {
    let problems = checked("plan: p\nsteps:\n- id: a\n  backp:\n").unwrap_err();
    insta::assert_snapshot!(problems.to_json(), @r#"[{"file":"plan.yaml","line":4,"column":3,"severity":"error","code":"plan::unknown-action","message":"there is no action `backp`","help":"did you mean `backup`?"}]"#);
    insta::assert_snapshot!(problems.iter().map(|problem| problem.line()).collect::<Vec<_>>().join("\n"), @"plan.yaml:4:3: there is no action `backp`");
}

#[test]
fn no_text_is_too_strange_to_be_told_about() {
    let tokens =
        ["", "{{", "}}", "- ", ": ", "é", "'", "\"", "[", "{ a: ", "\n", "&a ", "*a", "<<: ", "0", "|\n", "!!x ", "#", "\t", "{{#each x}}"];
    let text = PLAN.replace("Image tag", "Étiquette").replace("Deploy {{", "Déployer {{");
    let mut seed = 7_u64;
    let mut next = |limit: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % limit
    };
    let bounds: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    let mut read = 0;
    for _ in 0..1500 {
        let (start, length, token) = (next(bounds.len()), next(12), tokens[next(tokens.len())]);
        let end = bounds.get(start + length).copied().unwrap_or(text.len());
        let strange = format!("{}{token}{}", &text[..bounds[start]], &text[end..]);
        if let Err(problems) = checked(&strange) {
            assert!(problems.mistakes() > 0);
            assert!(!shown(&problems).is_empty());
            read += usize::from(problems.iter().all(|problem| problem.code != "plan::syntax"));
        }
    }
    assert!(read > 300, "{read} of them were YAML at all");
}

#[test]
fn a_plan_that_was_begun_is_carried_out_although_nobody_would_begin_with_it() {
    let judged = "plan: p
steps:
  - { id: a, when: always(), detect-colour: { ingress: '{{ steps.b.live }} {{ inputs.name }}' } }
  - { id: b, needs: [a], detect-colour: { ingress: x } }
";
    let source = Source::new("plan.yaml", judged);
    assert_eq!(check(&source, &registry()).unwrap_err().mistakes(), 3);
    let begun = check_begun(&source, &registry()).unwrap();
    assert_eq!((begun.steps.len(), begun.warnings.len()), (2, 3));
    let condition = begun.steps[0].when.as_ref().expect("it is not lost");
    assert!(condition.source() == "always()" && condition.holds_over(&serde_json::Map::new()).is_err(), "it never holds");
    let broken = Source::new("plan.yaml", judged.replace("needs: [a]", "needs: [c]"));
    assert_eq!(check_begun(&broken, &registry()).unwrap_err().mistakes(), 1);
}
