//! Plans that run, fail and come undone.

use crate::bench::Bench;

pub const TWO: &str = "
plan: two
steps:
  - id: one
    shell: { run: 'echo 1 > one.txt' }
    undo: [{ shell: { run: 'rm one.txt && echo one >> undone.txt' } }]
  - id: two
    shell: { run: 'echo 2 > two.txt; LAST' }
    undo: [{ shell: { run: 'rm two.txt && echo two >> undone.txt' } }]
";

#[test]
fn a_plan_that_gets_through_ends_with_0() {
    let bench = Bench::with(&TWO.replace("LAST", "true"));
    bench.run(&["run", "plan.yaml", "--yes"]).assert_code(0).assert_says("succeeded");
    assert!(bench.has("one.txt") && bench.has("two.txt") && !bench.has("undone.txt"));
    bench.run(&["runs"]).assert_code(0).assert_says("succeeded");
    bench.run(&["show"]).assert_code(0).assert_says("two");
}

#[test]
fn a_plan_that_fails_comes_undone_in_reverse_and_ends_with_3() {
    let bench = Bench::with(&TWO.replace("LAST", "echo the disk is on fire >&2; exit 4"));
    bench.run(&["run", "plan.yaml", "--yes"]).assert_code(3).assert_says("rolled back").assert_says("the disk is on fire");
    assert!(!bench.has("one.txt") && !bench.has("two.txt"));
    assert_eq!(bench.read("undone.txt"), "two\none\n");
}

#[test]
fn a_guard_whose_time_runs_out_says_so_and_what_has_more_time_takes_it_back() {
    let bench = Bench::with(
        "
plan: late
steps:
  - id: a
    shell: { run: 'touch a.txt' }
    undo: [{ shell: { run: 'sleep 2.5; rm a.txt' } }]
  - id: b
    shell: { run: 'false', read-only: true }
  - id: g
    rollback-on-fail: { budget: 1s }
",
    );
    let ended = bench.run(&["run", "plan.yaml", "--run-id", "r1"]);
    ended.assert_code(4).assert_says("a  could not be taken back: stopped after the 1s that `g` allows (`budget`)");
    ended.assert_says("tries again, with the same 1s").assert_says("takes back everything, within 10m");
    bench.run(&["show", "r1"]).assert_code(0).assert_says("run r1 of late, opened");
    bench.run(&["rollback", "r1", "--yes"]).assert_code(0);
    assert!(!bench.has("a.txt"));
}

#[test]
fn every_mistake_is_told_at_once_and_nothing_runs() {
    let bench = Bench::with(
        "plan: bad\nsteps:\n  - id: a\n    needs: [b]\n    shel: { run: 'touch ran' }\n  - id: c\n    timout: 5m\n    shell: { run: 'touch ran' }\n    undo: { none: x }\n",
    );
    let ended = bench.run(&["validate", "plan.yaml"]);
    ended.assert_code(2).assert_says("shel").assert_says("timout").assert_says("`b`");
    bench.run(&["run", "plan.yaml", "--yes"]).assert_code(2);
    assert!(!bench.has("ran"));
}

#[test]
fn of_what_is_missing_for_a_closer_look_no_more_is_named_than_is() {
    let steps = "steps:\n  - id: a\n    shell: { run: 'echo {{ inputs.version }}', read-only: true }\n";
    let bench = Bench::with(&format!("plan: p\ninputs: {{ version: {{ type: string }} }}\n{steps}"));
    bench.write(
        "given.yaml",
        &format!("plan: p\ninputs: {{ version: {{ type: string }} }}\nenvironments: {{ eu: {{ version: v1 }} }}\n{steps}"),
    );
    bench.write("both.yaml", &format!("plan: p\ninputs: {{ version: {{ type: string }} }}\nenvironments: {{ eu: {{ }} }}\n{steps}"));
    for (plan, options) in [("plan.yaml", [false, true]), ("given.yaml", [true, false]), ("both.yaml", [true, true])] {
        let told = bench.run(&["validate", plan]);
        told.assert_code(0).assert_says("were not looked at");
        assert_eq!(["`--environment`", "`--input`"].map(|option| told.all().contains(option)), options, "{plan}: {}", told.all());
    }
}

#[test]
fn a_graph_is_drawn_for_people_and_for_graphviz() {
    let bench = Bench::with(&TWO.replace("LAST", "true"));
    bench.run(&["graph", "plan.yaml"]).assert_code(0).assert_says("two");
    bench.run(&["graph", "plan.yaml", "--format", "dot"]).assert_code(0).assert_says("digraph").assert_says("\"one\" -> \"two\"");
}

#[test]
fn a_secret_reaches_neither_the_screen_nor_the_journal_nor_an_error() {
    let bench = Bench::with(
        "plan: quiet\nsecrets:\n  token: { env: MY_TOKEN }\nsteps:\n  - id: leak\n    shell: { run: 'echo it is $T; echo it is $T >&2; exit 1', secrets: { T: token } }\n    undo: { none: it only talks }\n",
    );
    let secret = "correct-horse-battery";
    let output = bench.command(&["run", "plan.yaml", "--yes"]).env("MY_TOKEN", secret).output().expect("bowline");
    let shown = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(3), "{shown}");
    assert!(!shown.contains(secret), "{shown}");
    let export = bench.run(&["journal", "export"]);
    assert!(!export.all().contains(secret));
    for entry in std::fs::read_dir(bench.path("state")).expect("the state folder").flatten() {
        let bytes = std::fs::read(entry.path()).unwrap_or_default();
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{:?}", entry.path());
    }
}

#[test]
fn a_journal_is_verified_exported_and_a_flipped_bit_is_found() {
    let bench = Bench::with(&TWO.replace("LAST", "true"));
    bench.run(&["run", "plan.yaml", "--yes"]).assert_code(0);
    bench.run(&["journal", "verify"]).assert_code(0);
    let file = bench.path("run.jsonl");
    bench.run(&["journal", "export", "--to", file.to_str().expect("a path")]).assert_code(0);
    bench.run(&["journal", "verify", "--file", file.to_str().expect("a path")]).assert_code(0);
    let mut bytes = std::fs::read(&file).expect("an export");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).expect("an export");
    assert_ne!(bench.run(&["journal", "verify", "--file", file.to_str().expect("a path")]).code, Some(0));
}

#[test]
fn an_approval_from_another_shell_lets_the_run_go_on() {
    let bench = Bench::with(
        "plan: ask\nsteps:\n  - id: gate\n    approve: { message: 'Go on?' }\n  - id: done\n    shell: { run: 'touch done.txt' }\n    undo: { none: a file }\n",
    );
    let run = bench.start(&["run", "plan.yaml", "--yes"]);
    let asked = std::time::Instant::now();
    while !bench.run(&["show"]).out.contains("Go on?") {
        assert!(asked.elapsed().as_secs() < 20, "nobody was asked");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    bench.run(&["approve", "gate"]).assert_code(0);
    crate::bench::wait(run).assert_code(0);
    assert!(bench.has("done.txt"));
}

#[test]
fn where_nobody_can_be_asked_nothing_begins_that_cannot_be_taken_back() {
    let bench = Bench::with("plan: mail\nsteps:\n  - id: send\n    shell: { run: 'touch sent' }\n");
    bench.run(&["run", "plan.yaml"]).assert_code(7).assert_says("send").assert_says("add --yes");
    assert!(!bench.has("sent"));
    bench.run(&["run", "plan.yaml", "--yes"]).assert_code(0);
}

#[test]
fn where_nobody_can_be_asked_no_run_is_abandoned() {
    let bench = Bench::with("plan: mail\nsteps:\n  - id: send\n    shell: { run: 'false' }\n");
    bench.run(&["run", "plan.yaml", "--yes"]).assert_code(5);
    bench.run(&["abandon"]).assert_code(7).assert_says("send").assert_says("add --yes");
    bench.run(&["abandon", "--yes"]).assert_code(0);
}

#[test]
fn commands_that_are_told_name_the_state_folder_that_was_named() {
    let bench = Bench::with("plan: mail\nsteps:\n  - id: send\n    shell: { run: 'false' }\n");
    let option = format!("--state {}", bench.path("state").display());
    bench.run(&["run", "plan.yaml", "--yes"]).assert_code(5).assert_says(&option);
    for command in [["run", "plan.yaml", "--yes"].as_slice(), &["show"], &["show", "x"], &["show", "--evidence", "send"]] {
        let all = bench.run(command).all();
        for told in all.lines().filter(|line| line.contains("bowline ") && !line.contains("taken in hand")) {
            assert!(told.contains(&option), "{told}");
        }
    }
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_bowline"));
    let known = command.arg("show").env("BOWLINE_STATE", bench.path("state")).output().expect("bowline");
    assert!(!String::from_utf8_lossy(&known.stdout).contains("--state"));
}

#[test]
fn what_stays_on_purpose_is_drawn_so_and_says_why() {
    let note = "  - id: note\n    shell: { run: 'true' }\n    undo: { none: it is only a note }\n";
    let bench =
        Bench::with(&format!("plan: stays\nsteps:\n{note}  - id: bad\n    shell: {{ run: 'false' }}\n    undo: {{ none: it fails }}\n"));
    bench.run(&["graph", "plan.yaml"]).assert_code(0).assert_says("= note  shell  it is only a note");
    bench.run(&["validate", "plan.yaml"]).assert_code(0).assert_says("it is only a note");
    bench
        .run(&["run", "plan.yaml"])
        .assert_code(3)
        .assert_says("nothing to take back: it is only a note")
        .assert_says("but for what stays");
    bench.run(&["show"]).assert_code(0).assert_says("note  shell  stays");
}

#[test]
fn inputs_that_do_not_fit_are_told_in_words_and_as_objects() {
    let bench = Bench::with(
        "plan: inp\ninputs:\n  version: { type: string }\nsteps:\n  - id: a\n    shell: { run: 'echo {{ inputs.version }}', read-only: true }\n",
    );
    let ended = bench.run(&["run", "plan.yaml", "--set", "versoin=1"]);
    ended.assert_code(2);
    insta::assert_snapshot!(ended.err.trim_end(), @"
    error: the inputs do not fit the plan `inp`
      the plan has no input `versoin`
        help: did you mean `version`?
      the input `version` has no value
        help: give it with `-i version=…`
    ");
    let json: serde_json::Value = serde_json::from_str(&bench.run(&["run", "plan.yaml", "--output", "json"]).out).expect("an object");
    assert_eq!((json["problems"][0]["file"].as_str(), json["problems"][0]["code"].as_str()), (Some("plan.yaml"), Some("plan::inputs")));
}

#[test]
fn a_step_for_each_item_runs_a_few_at_a_time_and_comes_undone_item_by_item() {
    let plan = "plan: zones
inputs:
  zones: { type: list, default: [eu, us, asia] }
steps:
  - id: deploy
    for-each: '{{ inputs.zones }}'
    max-parallel: 1
    shell: { run: 'mkdir busy && echo {{ each.value }} >> done.txt && rmdir busy; echo {{ each.key }}' }
    undo: [{ shell: { run: 'echo {{ each.key }} >> undone.txt' } }]
  - id: tell
    shell: { run: 'echo {{ steps.deploy.eu.stdout }}; LAST', read-only: true }
";
    let bench = Bench::with(&plan.replace("LAST", "true"));
    bench.run(&["graph", "plan.yaml"]).assert_code(0).assert_says("deploy");
    bench.run(&["run", "plan.yaml", "--yes", "--set", "zones=[eu, us]"]).assert_code(0).assert_says("deploy[us]");
    assert_eq!(bench.read("done.txt"), "eu\nus\n");
    bench.run(&["show"]).assert_code(0).assert_says("deploy[eu]");

    let bench = Bench::with(&plan.replace("LAST", "exit 1"));
    bench.run(&["run", "plan.yaml", "--yes"]).assert_code(3);
    assert_eq!(bench.read("undone.txt").lines().count(), 3);
    bench.run(&["run", "plan.yaml", "--yes", "--set", "zones=[eu, 'e u']"]).assert_code(2).assert_says("e u");
    bench.run(&["validate", "plan.yaml", "--set", "zones=eu"]).assert_code(2).assert_says("expected a list such as");
}

#[test]
fn a_graph_has_the_steps_that_its_inputs_ask_for() {
    let bench = Bench::with(
        "plan: zones
inputs:
  version: { type: string }
  zones: { type: list }
environments:
  near: { zones: [eu] }
  far: { zones: [us, asia] }
steps:
  - { id: deploy, for-each: '{{ inputs.zones }}', shell: { run: 'echo {{ inputs.version }} {{ each.key }}', read-only: true } }
  - { id: mirror, needs: ['deploy[us]'], shell: { run: 'echo', read-only: true } }
",
    );
    let graph = |more: &[&str]| bench.run(&[&["graph", "plan.yaml"], more].concat());
    graph(&[]).assert_code(0).assert_says("deploy  shell  once for each item of the input `zones`");
    graph(&["-e", "far"]).assert_code(0).assert_says("deploy[asia]").assert_says("deploy[us]");
    graph(&["-e", "far", "--format", "mermaid"]).assert_code(0).assert_says("\"deploy[us]<br>shell\"");
    graph(&["-e", "near"]).assert_code(2).assert_says("`mirror` waits for `deploy[us]`, and `deploy` has no item `us`");
    graph(&["-i", "zones=[us]"]).assert_code(0).assert_says("deploy[us]");
    bench.write("values.yaml", "zones: [us, eu]\n");
    graph(&["--inputs", "values.yaml"]).assert_code(0).assert_says("deploy[eu]");
    graph(&["-i", "zones=us"]).assert_code(2).assert_says("expected a list");
    let json: serde_json::Value = serde_json::from_str(&graph(&["--format", "json"]).out).expect("an object");
    assert_eq!(json["for-each"]["deploy"], "zones");
}

#[test]
fn graphviz_draws_what_is_written_for_it() {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let bench = Bench::with(
        "plan: zones
steps:
  - { id: deploy, for-each: [eu-1, us_2, 1.10], shell: { run: 'echo {{ each.key }}' }, undo: [{ shell: { run: 'echo' } }] }
  - { id: back, rollback-on-fail: { guards: [deploy] } }
  - { id: tell, shell: { run: 'echo' } }
",
    );
    let written = bench.run(&["graph", "plan.yaml", "--format", "dot"]).out;
    let mut dot = Command::new("dot");
    let mut child = match dot.args(["-Tplain"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("SKIPPED: dot cannot be started, so Graphviz has not read what is written for it: {error}");
            return;
        }
    };
    child.stdin.take().expect("its stdin is a pipe").write_all(written.as_bytes()).expect("dot reads");
    let output = child.wait_with_output().expect("dot is a child of this process");
    let (drawn, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.is_empty(), "{said}\n{written}");
    for id in ["\"deploy[eu-1]\"", "\"deploy[us_2]\"", "\"deploy[1.10]\"", "back", "tell"] {
        assert!(drawn.lines().any(|line| line.starts_with(&format!("node {id} "))), "{id} is not drawn:\n{drawn}");
    }
    assert_eq!(drawn.lines().filter(|line| line.starts_with("edge ")).count(), 4, "{drawn}");
}

#[test]
fn of_the_steps_that_name_a_lock_one_is_at_work() {
    let step = |id: &str| {
        format!(
            "  - id: {id}\n    needs: []\n    locks: [database]\n    shell: {{ run: 'mkdir busy && sleep 0.1 && rmdir busy' }}\n    undo: {{ none: it leaves nothing }}\n"
        )
    };
    let steps: String = ["a", "b", "c", "d"].map(step).concat();
    let bench = Bench::with(&format!("plan: locked\nsteps:\n{steps}"));
    bench.run(&["run", "plan.yaml", "--yes"]).assert_code(0);
    let bench = Bench::with(&format!("plan: free\nsteps:\n{steps}").replace("    locks: [database]\n", ""));
    bench.run(&["run", "plan.yaml", "--yes"]).assert_code(3);
}

#[test]
fn a_plan_with_anchors_merged_keys_a_mark_and_windows_lines_is_read() {
    let text =
        "\u{feff}plan: odd\nsteps:\n  - &base\n    id: first\n    shell: { run: 'true', read-only: true }\n  - <<: *base\n    id: second\n";
    let bench = Bench::with(&text.replace('\n', "\r\n"));
    bench.run(&["validate", "plan.yaml"]).assert_code(0).assert_says("2 steps");
}
