//! Plans in a simulated world: they run, they fail, they come undone, and nothing outside is reached.

use crate::bench::{Bench, Ended};
use std::fs;
use std::path::Path;

/// A shipped plan, in a folder of the test with its manifests.
pub fn shipped(name: &str) -> Bench {
    let bench = Bench::new();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("plans"), &bench.path("plans"));
    assert!(bench.has(&format!("plans/{name}.yaml")), "there is no plan {name}");
    bench
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("the test's folder can be written");
    for entry in fs::read_dir(from).expect("the plans can be read").flatten() {
        match entry.path() {
            path if path.is_dir() => copy(&path, &to.join(entry.file_name())),
            path => drop(fs::copy(&path, to.join(entry.file_name())).expect("a plan can be copied")),
        }
    }
}

/// Simulates a plan of the bench, with a seed, so that a failure comes again.
pub fn simulate(bench: &Bench, plan: &str, more: &[&str]) -> Ended {
    let plan = format!("plans/{plan}.yaml");
    bench.run(&[&["run", plan.as_str(), "--simulate", "--seed", "7", "-e", "test"], more].concat())
}

#[test]
fn blue_green_goes_live_and_a_version_that_nobody_has_built_comes_undone() {
    let bench = shipped("blue-green");
    simulate(&bench, "blue-green", &["--set", "version=v2"]).assert_code(0).assert_says("succeeded").assert_says("simulated");
    let broken = simulate(&bench, "blue-green", &["--set", "version=v9"]);
    broken.assert_code(3).assert_says("web:v9").assert_says("not found").assert_says("simulated: the cluster was as before the run");
    let evidence = bench.run(&["show", "--evidence", "healthy"]);
    evidence.assert_code(0).assert_says("== ");
    assert!(!evidence.all().contains("bowline logs"), "it has run no program:\n{}", evidence.all());
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let bench = shipped("blue-green");
    let told = |ended: Ended| {
        let lines = ended
            .all()
            .lines()
            .filter(|line| !line.contains(" run ") && !line.contains("bowline show"))
            .map(|line| line.get(9..).unwrap_or(line).to_owned())
            .collect::<Vec<_>>();
        lines.join("\n")
    };
    let one = told(simulate(&bench, "blue-green", &["--set", "version=v9"]));
    let other = told(simulate(&bench, "blue-green", &["--set", "version=v9"]));
    assert_eq!(one, other);
}

#[test]
fn what_is_not_described_is_not_modelled_and_nothing_of_it_happens() {
    let plan = |step: &str| Bench::with(&format!("plan: sketch\nsteps:\n  - id: it\n    {step}\n"));
    let program = plan("shell: { run: 'touch written.txt' }\n    undo: { none: a file }");
    let told = program.run(&["run", "plan.yaml", "--simulate"]);
    told.assert_code(2).assert_says("plan.yaml:3:9: the program `touch written.txt`").assert_says("\n    - { run: 'touch written.txt' }\n");
    assert!(!program.has("written.txt"));
    let server = plan("smoke-test: { probes: [{ http: { url: 'http://127.0.0.1:1/x' } }] }");
    let told = server.run(&["run", "plan.yaml", "--simulate"]);
    told.assert_code(2).assert_says("plan.yaml:3:9: the server that answers GET http://127.0.0.1:1/x");
    told.assert_says("\n  http:\n    - { url: 'http://127.0.0.1:1/x', status: 200 }\n");
    let image = plan("apply: { manifests: [app.yaml] }");
    image.write("app.yaml", "apiVersion: v1\nkind: Pod\nmetadata: { name: one }\nspec: { containers: [{ name: one, image: 'one:1' }] }\n");
    let told = image.run(&["run", "plan.yaml", "--simulate"]);
    told.assert_code(2).assert_says("app.yaml:4:43: the image `one:1`").assert_says("\n    'one:1': {}\n");
}

/// The lines that a refusal tells to write.
fn to_write(told: &Ended) -> Vec<String> {
    told.err.lines().skip_while(|line| *line != "simulate:").map(str::to_owned).collect()
}

/// What is told is written below the plan as it stands, and then nothing is missing any more.
#[test]
fn all_programs_and_answers_that_are_known_beforehand_are_told_at_once_with_the_lines_to_write() {
    let text = "
plan: sketch
inputs: { version: { type: string, default: v1 } }
steps:
  - id: look
    shell: { run: 'git rev-parse HEAD', read-only: true }
  - id: ask
    approve: { message: Go on? }
  - id: build
    shell: { run: 'make VERSION={{ inputs.version }} RUN={{ run.id }} AT={{ steps.look.stdout }}' }
    undo: [{ shell: { run: 'make clean' } }]
  - id: say
    for-each: [eu, us]
    shell: { run: \"set -e\\necho 'it is {{ each.key }}'\\n\" }
    undo: { none: words }
  - id: smoke
    smoke-test: { probes: [{ command: { run: [curl, -f, 'http://x'] } }] }
  - id: hidden
    when: inputs.version == 'v2'
    shell: { run: 'make hidden', read-only: true }
";
    let bench = Bench::with(text);
    let told = bench.run(&["run", "plan.yaml", "--simulate"]);
    told.assert_code(2).assert_says("not modelled: 6 programs and 1 answer of this plan, so nothing was begun");
    assert!(!told.all().contains("look  started"), "{}", told.all());
    let lines = to_write(&told);
    assert_eq!(lines.len(), 1 + 1 + 6 + 1 + 1, "{lines:#?}");
    bench.write("plan.yaml", &format!("{text}{}\n", lines.join("\n")));
    let told = bench.run(&["run", "plan.yaml", "--simulate"]);
    told.assert_code(0);
    assert!(!told.all().contains("not modelled"), "{}", told.all());
}

#[test]
fn all_images_are_told_at_once_each_where_it_stands() {
    let bench = Bench::new();
    let pod = |name: &str, image: &str| {
        format!("apiVersion: v1\nkind: Pod\nmetadata: {{ name: {name} }}\nspec:\n  containers:\n    - name: main\n      image: {image}\n")
    };
    let web = format!("# web:v2\n{}---\n{}", pod("one", "web:v2"), pod("two", "'web:{{ tag }}'"));
    fs::create_dir(bench.path("app")).expect("the test's folder can be written");
    bench.write("app/web.yaml", &web);
    bench.write("app/known.yaml", &pod("known", "'known:{{ tag }}'"));
    let init = "  initContainers:\n    - name: init\n      image: 'side-{{ other }}:1'\n";
    bench.write("app/side.yaml", &(pod("side", "'known:{{ tag }}'") + init));
    bench.write("there.yaml", &pod("there", "'there:7'"));
    bench.write("off.yaml", &pod("apart", "'off:1'"));
    bench.write("job.yaml", "apiVersion: batch/v1\nkind: Job\nmetadata: { name: j }\nspec: { template: { spec: { containers: [{ name: j, image: 'job:1' }], restartPolicy: Never } } }\n");
    let text = "
plan: sketch
inputs: { version: { type: string, default: v2 }, eu: { type: boolean, default: true } }
steps:
  - id: look
    shell: { run: look, read-only: true }
  - id: app
    apply: { manifests: [app], values: { tag: '{{ inputs.version }}', other: '{{ steps.look.stdout }}' } }
  - id: migrate
    job: { image: 'migrate:{{ inputs.version }}', read-only: true }
  - id: file
    when: inputs.eu
    job: { file: job.yaml, read-only: true }
  - id: never
    when: inputs.eu == false
    apply: { manifests: [off.yaml] }
  - id: perhaps
    when: steps.look.stdout == 'x'
    job: { image: perhaps, read-only: true }
simulate:
  cluster: [there.yaml]
  processes: [{ run: look, stdout: car }]
";
    let images = "  images: { 'known:v2': {} }\n";
    bench.write("plan.yaml", &format!("{text}{images}"));
    let told = bench.run(&["run", "plan.yaml", "--simulate"]);
    told.assert_code(2).assert_says("not modelled: 6 images of this plan, so nothing was begun");
    for place in [
        "  there.yaml:7:15: the image `there:7`\n",
        "  app/side.yaml:10:15: the image `side-*:1`\n",
        "  app/web.yaml:8:14, app/web.yaml:16:15: the image `web:v2`\n",
        "  plan.yaml:10:12: the image `migrate:v2`\n",
        "  job.yaml:4:61: the image `job:1`\n",
        "  plan.yaml:19:12: the image `perhaps`, should the run come to it\n",
        "  next: add to what its `simulate` says:\nsimulate:\n  images:\n    'there:7': {}\n",
    ] {
        assert!(told.err.contains(place), "{place} in\n{}", told.err);
    }
    let as_json = bench.run(&["run", "plan.yaml", "--simulate", "--output", "json"]);
    let error: serde_json::Value = serde_json::from_str(as_json.assert_code(2).out.trim()).expect("one object");
    assert_eq!(error["problems"].as_array().map(Vec::len), Some(6), "{error}");
    let lines = to_write(&told)[2..].join("\n");
    bench.write("plan.yaml", &format!("{text}  images:\n    'known:v2': {{}}\n{lines}\n"));
    let told = bench.run(&["run", "plan.yaml", "--simulate"]);
    told.assert_code(0);
    assert!(!told.all().contains("not modelled"), "{}", told.all());
}

#[test]
fn an_image_behind_a_condition_is_told_with_its_line_when_the_run_came_to_it() {
    let bench = Bench::with(
        "
plan: sketch
steps:
  - id: look
    shell: { run: look, read-only: true }
  - id: job
    when: steps.look.stdout == 'x'
    job: { image: 'web:1', read-only: true }
simulate:
  processes: [{ run: look, stdout: x }]
",
    );
    let told = bench.run(&["run", "plan.yaml", "--simulate"]);
    told.assert_code(3).assert_says("not modelled: 1 image of this plan; add to what its `simulate` says:");
    assert_eq!(to_write(&told)[..3], ["simulate:", "  images:", "    'web:1': {}"], "{}", told.err);
    bench.write("plan.yaml", &bench.read("plan.yaml").replace("stdout: x", "stdout: y"));
    let told = bench.run(&["run", "plan.yaml", "--simulate"]);
    told.assert_code(0);
    assert!(!told.all().contains("not modelled"), "{}", told.all());
}

/// Nothing that would have been found at its time may keep a run from beginning.
#[test]
fn what_is_known_in_part_is_not_missed() {
    let bench = Bench::with(
        "
plan: sketch
steps:
  - id: look
    shell: { run: look, read-only: true }
  - id: make
    shell: { run: 'make {{ steps.look.stdout }}{{#if steps.look.stdout}} now{{/if}}', read-only: true }
  - id: job
    job: { image: 'web:{{ steps.look.stdout }}', read-only: true }
simulate:
  processes: [{ run: look, stdout: v1 }, { run: 'make v1 now' }]
  images: { 'web:v1': {} }
",
    );
    bench.run(&["run", "plan.yaml", "--simulate"]).assert_code(0);
}

#[test]
fn values_that_steps_share_by_an_anchor_are_used_when_one_of_them_uses_them() {
    let bench = Bench::new();
    for name in ["one", "two"] {
        bench.write(
            &format!("{name}.yaml"),
            &format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}, data: {{a: '{{{{ {name} }}}}'}}}}"),
        );
    }
    let steps = "  - id: one\n    apply: { manifests: [one.yaml], values: &shared { one: a, two: b } }\n";
    let second = "  - id: two\n    needs: [one]\n    apply: { manifests: [two.yaml], values: *shared }\n";
    bench.write("plan.yaml", &format!("plan: shared\nsteps:\n{steps}{second}"));
    let told = bench.run(&["validate", "plan.yaml"]);
    told.assert_code(0);
    assert!(!told.all().contains("no manifest"), "{}", told.all());
    bench.write("plan.yaml", &format!("plan: alone\nsteps:\n{steps}"));
    bench.run(&["validate", "plan.yaml"]).assert_code(0).assert_says("no manifest of this step uses the value `two`");
}

/// What `validate` cannot know: files that an input names, and what programs print.
#[test]
fn a_name_in_a_manifest_that_no_value_stands_for_is_refused_before_anything_is_written() {
    let map = |name: &str, text: &str| format!("{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}, data: {{a: '{text}'}}}}");
    let bench = Bench::new();
    bench.write("one.yaml", &map("one", "{{ tag }}"));
    bench.write("two.yaml", &map("two", "{{ tga }}"));
    let plan = |apply: &str, processes: &str| {
        format!(
            "plan: fill\ninputs: {{ file: {{ type: string }} }}\nsteps:\n  - id: look\n    shell: {{ run: look, read-only: true, output: json }}\n  - id: fill\n    apply: {{ {apply} }}\nsimulate: {{ processes: [{{ run: look, stdout: '{{\"tag\": \"v1\"}}' }}, {processes}] }}\n"
        )
    };
    bench.write("plan.yaml", &plan("manifests: ['{{ inputs.file }}.yaml'], values: { tag: '{{ steps.look.json.tag }}' }", ""));
    bench.run(&["run", "plan.yaml", "--simulate", "-i", "file=one"]).assert_code(0);
    let told = bench.run(&["run", "plan.yaml", "--simulate", "-i", "file=two"]);
    told.assert_code(2).assert_says("two.yaml:1:69: there is no value `tga`").assert_says("did you mean `tag`?");
    let printed = format!("{{ run: print, stdout: \"{}\" }}", map("printed", "{{ tga }}"));
    bench.write("plan.yaml", &plan("manifests: ['{{ inputs.file }}.yaml'], commands: [[print]], values: { tag: x }", &printed));
    let told = bench.run(&["run", "plan.yaml", "--simulate", "-i", "file=one"]);
    told.assert_code(3).assert_says("fill  failed").assert_says("there is no value `tga`: did you mean `tag`?");
    told.assert_says("the cluster was as before the run");
}

#[test]
fn what_only_the_way_back_lacks_is_told_when_it_is_gone() {
    let step = |id: &str, run: &str, undo: &str| {
        format!("  - id: {id}\n    shell: {{ run: {run} }}\n    undo: [{{ shell: {{ run: {undo} }} }}]\n")
    };
    let steps = step("a", "make a", "clear a") + &step("b", "make b", "clear b");
    let world = "simulate:\n  processes: [{ run: 'make *' }]\n";
    let bench = Bench::with(&format!("plan: sketch\nsteps:\n{steps}{world}"));
    let told = bench.run(&["run", "plan.yaml", "--simulate"]);
    told.assert_code(0);
    assert!(!told.all().contains("not modelled"), "{}", told.all());
    bench.write("plan.yaml", &format!("plan: sketch\nsteps:\n{steps}{world}  fails: {{ b: broken }}\n"));
    let told = bench.run(&["run", "plan.yaml", "--simulate"]);
    told.assert_code(4).assert_says("not modelled: 2 programs of this plan");
    told.assert_says("    - { run: 'clear a' }").assert_says("`clear b` never ran");
    assert!(!told.all().contains("it never ran"), "{}", told.all());
}

#[test]
fn programs_behind_a_question_that_is_answered_with_no_need_no_rule() {
    let bench = Bench::with(
        "
plan: sketch
steps:
  - id: ask
    approve: { message: go? }
  - id: make
    shell: { run: make, read-only: true }
  - id: last
    shell: { run: make all, read-only: true }
simulate:
  approvals: { ask: rejected }
",
    );
    let told = bench.run(&["run", "plan.yaml", "--simulate"]);
    told.assert_code(3);
    assert!(!told.all().contains("not modelled"), "{}", told.all());
}

#[test]
fn programs_servers_and_people_are_as_the_plan_describes_them() {
    let bench = Bench::with(
        "
plan: sketch
secrets: { token: { env: NOT_SET_ANYWHERE } }
simulate:
  processes: [{ run: 'make *', stdout: 'made', takes: 1h }]
  http: [{ url: 'https://example.org/*', json: { status: up } }]
  approvals: { gate: approved }
steps:
  - id: make
    shell: { run: [make, all], secrets: { TOKEN: token } }
    undo: { none: it is only built }
    timeout: 2h
  - id: gate
    approve: { message: 'Go on?' }
  - id: ask
    smoke-test: { probes: [{ http: { url: 'https://example.org/health', bearer: token, expect: { json: { '$.status': up } } } }] }
",
    );
    bench.run(&["run", "plan.yaml", "--simulate"]).assert_code(0).assert_says("made").assert_says("done in 1h");
    bench.write("plan.yaml", &bench.read("plan.yaml").replace("gate: approved", "gate: rejected"));
    bench.run(&["run", "plan.yaml", "--simulate"]).assert_code(3).assert_says("rejected");
}

#[test]
fn a_simulated_run_is_no_run_that_anybody_could_go_on_with() {
    let bench = shipped("blue-green");
    simulate(&bench, "blue-green", &["--set", "version=v2"]).assert_code(0);
    bench.run(&["show"]).assert_code(0).assert_says("succeeded");
    let runs = bench.run(&["runs"]);
    let run = runs.out.split_whitespace().find(|word| word.starts_with("20")).expect("a run's id").to_owned();
    for words in [&["rollback", &run][..], &["resume", &run], &["abandon", &run, "--yes"], &["cancel", &run], &["approve", &run, "x"]] {
        bench.run(words).assert_code(7).assert_says("was simulated");
    }
}

const SKETCH: &str = "
plan: sketch
steps:
  - id: write
    shell: { run: 'touch written.txt' }
    undo: [{ shell: { run: 'rm written.txt' } }]
  - id: check
    shell: { run: 'test ! -e broken', read-only: true }
simulate:
  processes: [{ run: '*' }]
  fails: { check: it is said to fail }
";

#[test]
fn simulated_runs_and_real_ones_stand_in_nobodys_way() {
    let bench = Bench::with(SKETCH);
    let halted = ["run", "plan.yaml", "--simulate", "--no-rollback", "--run-id", "same"];
    bench.run(&halted).assert_code(5).assert_says("sketch (simulated) is halted");
    bench.run(&["run", "plan.yaml", "--simulate", "--no-rollback"]).assert_code(5);
    bench.write("broken", "");
    bench.run(&["run", "plan.yaml", "--no-rollback", "--run-id", "same"]).assert_code(5);
    bench.run(&["run", "plan.yaml", "--simulate"]).assert_code(3);
    assert_eq!(bench.run(&["runs"]).assert_code(0).out.matches("halted (simulated)").count(), 2);
    assert_eq!(bench.run(&["runs", "--open"]).assert_code(0).out.lines().count(), 2, "a title, and the real one");
    bench.run(&["show", "same"]).assert_code(0).assert_says("bowline resume same");
    bench.run(&["journal", "verify"]).assert_code(0);
    bench.run(&["rollback", "--yes"]).assert_code(0).assert_says("of run same");
    assert!(!bench.has("written.txt"));
}

#[test]
fn a_simulated_run_is_carried_elsewhere_as_what_it_is() {
    let bench = Bench::with(SKETCH);
    bench.run(&["run", "plan.yaml", "--simulate", "--run-id", "s1"]).assert_code(3);
    bench.run(&["journal", "export", "s1", "--to", "s1.jsonl"]).assert_code(0).assert_says("bowline journal import");
    fs::remove_dir_all(bench.path("state")).expect("it is there");
    bench.run(&["journal", "import", "s1.jsonl"]).assert_code(0).assert_says("run s1 is imported, rolled-back");
    bench.run(&["runs"]).assert_code(0).assert_says("rolled-back (simulated)");
}

#[test]
fn a_time_limit_that_was_met_says_what_was_lacking() {
    let bench = Bench::with(
        "
plan: slow
steps:
  - id: deploy
    apply: { manifests: [app.yaml] }
  - id: healthy
    timeout: 30s
    wait-healthy: { applied-by: deploy }
simulate:
  images: { 'web:1': { ready-after: 1h } }
",
    );
    bench.write(
        "app.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: web }\nspec: { replicas: 2, selector: { matchLabels: { app: web } }, template: { metadata: { labels: { app: web } }, spec: { containers: [{ name: web, image: 'web:1' }] } } }\n",
    );
    let told = bench.run(&["run", "plan.yaml", "--simulate"]);
    told.assert_code(3).assert_says("healthy  timed out: it took longer than its 30s: deployment/web: ").assert_says("of 2 pods");
    assert!(!told.all().contains("stopped while"), "{}", told.all());
}

/// Runs bowline with a home of its own, and these variables.
fn at_home(bench: &Bench, arguments: &[&str], variables: &[(&str, &Path)]) -> Ended {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_bowline"));
    command.args(arguments).current_dir(bench.path("")).env("HOME", bench.path("home")).env("NO_COLOR", "1");
    command.env_remove("XDG_STATE_HOME").env_remove("BOWLINE_STATE").envs(variables.iter().copied());
    command.output().expect("bowline can be started").into()
}

#[test]
fn a_simulated_run_is_kept_where_somebody_says_and_else_not_at_all() {
    let bench = Bench::with(SKETCH);
    let run = ["run", "plan.yaml", "--simulate", "--no-rollback"];
    let lost = at_home(&bench, &run, &[]);
    lost.assert_code(5).assert_says("`--state DIR` keeps what is to be looked at later");
    assert!(!lost.all().contains("`bowline ") && !lost.all().contains("next:"), "a run that nobody finds again:\n{}", lost.all());
    assert!(!bench.has("home"));
    let state = bench.path("kept");
    at_home(&bench, &run, &[("BOWLINE_STATE", &state)]).assert_code(5).assert_says("`bowline show 20");
    at_home(&bench, &["runs"], &[("BOWLINE_STATE", &state)]).assert_code(0).assert_says("halted (simulated)");
}

#[test]
fn an_empty_variable_is_as_good_as_none() {
    let bench = Bench::with(SKETCH);
    at_home(&bench, &["run", "plan.yaml", "--run-id", "r1"], &[("BOWLINE_STATE", Path::new(""))]).assert_code(0);
    assert!(bench.has("home/.local/state/bowline/journal.db"));
    let none = at_home(&bench, &["run", "plan.yaml", "--simulate"], &[("BOWLINE_STATE", Path::new(""))]);
    none.assert_code(3).assert_says("`--state DIR` keeps");
}

/// The shipped plans, each with the inputs that it needs and its steps that do something.
const SHIPPED: [(&str, &str, &[&str]); 5] = [
    ("blue-green", "version=v2", &["database", "colours", "deploy", "healthy", "smoke", "switch", "live", "retire"]),
    ("config-change", "colour=red", &["config", "restart", "healthy", "works"]),
    ("database-migration", "version=v2", &["backup", "expand", "expanded", "deploy", "healthy", "smoke"]),
    ("multi-service", "version=v2", &["backup", "schema", "catalog", "catalog-healthy", "orders", "orders-healthy", "together"]),
    ("rolling-update", "version=v2", &["deploy", "healthy", "live"]),
];

#[test]
fn every_shipped_plan_is_here() {
    let mut found: Vec<String> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("plans"))
        .expect("the plans can be read")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_suffix(".yaml").map(str::to_owned))
        .collect();
    found.sort();
    assert_eq!(found, SHIPPED.map(|(name, ..)| name));
}

#[test]
fn shipped_plans_are_valid_previewed_and_run() {
    for (name, input, steps) in SHIPPED {
        let bench = shipped(name);
        let file = format!("plans/{name}.yaml");
        bench.run(&["validate", &file, "-e", "test", "--set", input]).assert_code(0);
        let seen = bench.run(&["preview", &file, "--simulate", "-e", "test", "--set", input, "--exit-code"]);
        seen.assert_code(6).assert_says("would change something");
        let ended = simulate(&bench, name, &["--set", input]);
        ended.assert_code(0).assert_says("succeeded");
        for step in steps {
            ended.assert_says(&format!("{step} "));
        }
    }
}

#[test]
fn a_shipped_plan_that_fails_at_any_step_comes_undone() {
    for (name, input, steps) in SHIPPED {
        let bench = shipped(name);
        let file = format!("plans/{name}.yaml");
        let whole = bench.read(&file);
        for step in steps {
            bench.write(&file, &whole.replace("\nsimulate:\n", &format!("\nsimulate:\n  fails: {{ {step}: broken on purpose }}\n")));
            let ended = simulate(&bench, name, &["--set", input]);
            ended.assert_code(3).assert_says("broken on purpose").assert_says("simulated: the cluster was as before the run");
        }
    }
}

#[test]
fn versions_that_do_not_work_are_found_out_and_come_undone() {
    for (name, version, told) in [
        ("rolling-update", "v8", "longer than its 3m"),
        ("rolling-update", "v9", "not found"),
        ("database-migration", "v9", "exit code 1"),
        ("multi-service", "v9", "not found"),
    ] {
        let ended = simulate(&shipped(name), name, &["--set", &format!("version={version}")]);
        ended.assert_code(3).assert_says(told).assert_says("simulated: the cluster was as before the run");
    }
}

/// What whoever opens a plan reads above its `simulate:` is true.
#[test]
fn every_shipped_plan_tells_how_it_runs_and_how_it_comes_undone() {
    for (name, ..) in SHIPPED {
        let bench = shipped(name);
        let text = bench.read(&format!("plans/{name}.yaml"));
        let comment: String = text.lines().filter_map(|line| line.strip_prefix("# ")).collect::<Vec<_>>().join(" ");
        let quoted: Vec<&str> = comment.split('`').skip(1).step_by(2).collect();
        let whole = quoted.iter().find(|command| command.starts_with("bowline run ")).unwrap_or_else(|| panic!("{name}: {comment}"));
        let words: Vec<&str> = whole.split_whitespace().skip(1).collect();
        bench.run(&words).assert_code(0).assert_says("succeeded");
        let inputs: Vec<&&str> = quoted.iter().filter(|input| input.starts_with("-i ")).collect();
        assert!(!inputs.is_empty(), "{name} does not tell how it fails: {comment}");
        for input in inputs {
            let without = &words[..words.iter().position(|word| *word == "-i").expect("an input")];
            let ended = bench.run(&[without, &input.split_whitespace().collect::<Vec<_>>()].concat());
            ended.assert_code(3).assert_says("simulated: the cluster was as before the run");
        }
    }
}

#[test]
fn a_preview_says_what_is_not_modelled_and_names_no_folder_of_its_own() {
    let bench = Bench::with(
        "
plan: sketch
simulate: { processes: [{ run: 'make *', input: yes }] }
steps:
  - id: make
    shell: { run: [make, all] }
    undo: { none: it is only built }
  - id: send
    shell: { run: [send, all] }
    undo: { none: a message }
",
    );
    let seen = bench.run(&["preview", "plan.yaml", "--simulate"]);
    seen.assert_code(7).assert_says("send: not modelled: the program `send all`; add `{ run: 'send all' }` to `simulate.processes`");
    assert!(!seen.all().contains("make: not modelled"), "{}", seen.all());
    let bench = shipped("blue-green");
    let seen = bench.run(&["preview", "plans/blue-green.yaml", "--simulate", "-e", "test", "-i", "version=v2"]);
    assert!(!seen.all().contains("nowhere"), "{}", seen.all());
}

#[test]
fn a_kind_that_a_plan_defines_is_known_from_then_on() {
    let plan = "
plan: things
steps:
  - id: all
    apply: { manifests: [things.yaml] }
  - id: there
    wait-for: { object: example.org/v1/Thing/one, until: object.spec.size == 3 }
    timeout: 10s
  - id: bigger
    patch: { object: example.org/v1/Thing/one, merge: { spec: { size: LATER } } }
  - id: grown
    wait-for: { object: example.org/v1/Thing/one, until: object.spec.size == 5 && object.metadata.generation == 2 }
    timeout: 10s
";
    let things = "
apiVersion: example.org/v1
kind: Thing
metadata: { name: one }
spec: { size: 3 }
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: { name: things.example.org }
spec:
  group: example.org
  scope: Namespaced
  names: { kind: Thing, plural: things }
  versions: [{ name: v1, served: true, storage: true, schema: { openAPIV3Schema: { type: object, x-kubernetes-preserve-unknown-fields: true } } }]
";
    let bench = Bench::with(&plan.replace("LATER", "5"));
    bench.write("things.yaml", things);
    bench.run(&["run", "plan.yaml", "--simulate"]).assert_code(0);
    bench.write("plan.yaml", &plan.replace("LATER", "4"));
    bench.run(&["run", "plan.yaml", "--simulate"]).assert_code(3).assert_says("simulated: the cluster was as before the run");
}

/// Progress is what a person sees of a rollout: each number in it must be true.
#[test]
fn a_rollout_tells_of_new_pods_once_they_are_ready() {
    let bench = shipped("rolling-update");
    let told = simulate(&bench, "rolling-update", &["-i", "version=v2", "--output", "json"]).out;
    let before = told.lines().filter_map(|line| line.split_once(" pods new and ready").map(|(before, _)| before));
    let mut counts: Vec<&str> = before.filter_map(|before| before.rsplit_once(": ").map(|(_, count)| count)).collect();
    counts.dedup();
    assert_eq!(counts, ["0 of 3", "1 of 3", "2 of 3"], "{told}");
}

/// The system calls of a simulated run, one a line.
fn traced(bench: &Bench, arguments: &[&str]) -> Option<(Ended, String)> {
    let log = bench.path("calls");
    let command = bench.command(arguments);
    let mut strace = std::process::Command::new("strace");
    let calls = "trace=network,process,openat,open,creat,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,link,linkat,symlink,symlinkat,truncate";
    strace.args(["-f", "-qq", "-y", "-s", "256", "-e", calls, "-o"]).arg(&log).arg(command.get_program()).args(command.get_args());
    strace.current_dir(bench.path("")).env("NO_COLOR", "1").env_remove("BOWLINE_STATE").env_remove("BOWLINE_KEY");
    match strace.output() {
        Ok(output) => Some((output.into(), bench.read("calls"))),
        Err(error) if std::env::var("BOWLINE_TEST_CLUSTER").is_ok_and(|wish| wish == "require") => panic!("strace is needed: {error}"),
        Err(error) => {
            eprintln!("SKIPPED: strace cannot be started, so nobody has looked at the system calls of a simulated run: {error}");
            None
        }
    }
}

/// What a simulated run may not do: reach a network, start a program, change a file outside its own folder.
fn forbidden<'a>(calls: &'a str, own: &str) -> Vec<&'a str> {
    // The test's own wrapper, `env`, is a program that is started, and it starts the one that is looked at.
    let begun = calls.match_indices("execve(").nth(1).map_or(0, |(at, _)| at);
    let after = calls[begun..].split_once('\n').map_or("", |(_, rest)| rest);
    // The C library asks its name service on this machine who the user is.
    let is_name_service = |call: &str| call.contains("sun_path=\"/var/run/nscd/socket\"");
    let reaches = |call: &str| call.contains("AF_INET") || call.contains("execve") || (call.contains("connect(") && !is_name_service(call));
    let changes = |call: &str| {
        let writes = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"].iter().any(|flag| call.contains(flag));
        let moves = ["rename", "unlink", "mkdir", "link(", "symlink", "truncate", "creat("].iter().any(|name| call.contains(name));
        let failed = call.contains(" = -1 E");
        (writes || moves) && !failed && !call.contains(own) && !call.contains("/dev/null")
    };
    after.lines().filter(|call| reaches(call) || changes(call)).collect()
}

#[test]
fn nothing_outside_is_reached_but_its_own_folder() {
    let bench = shipped("blue-green");
    let state = bench.path("state").display().to_string();
    for version in ["version=v2", "version=v9"] {
        let arguments = ["run", "plans/blue-green.yaml", "--simulate", "-e", "test", "--set", version];
        let Some((ended, calls)) = traced(&bench, &arguments) else { return };
        assert!(matches!(ended.code, Some(0 | 3)), "{}", ended.all());
        assert!(calls.contains(&format!("{state}/simulated/journal.db")), "nothing was seen:\n{calls}");
        let told = forbidden(&calls, &state);
        assert!(told.is_empty(), "{}", told.join("\n"));
    }
}

#[test]
fn a_real_run_does_what_a_simulated_one_may_not() {
    let bench = Bench::with("plan: real\nsteps:\n  - id: write\n    shell: { run: 'touch written.txt' }\n    undo: { none: a file }\n");
    let Some((ended, calls)) = traced(&bench, &["run", "plan.yaml", "--yes"]) else { return };
    ended.assert_code(0);
    let told = forbidden(&calls, &bench.path("state").display().to_string()).join("\n");
    assert!(told.contains("execve") && told.contains("written.txt"), "{told}");
}
