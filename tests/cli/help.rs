//! The help of every command, as it is printed.

use crate::bench::Bench;

/// Every command, and those below it.
fn commands(bench: &Bench) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    let mut open = vec![Vec::new()];
    while let Some(command) = open.pop() {
        let mut words: Vec<&str> = command.iter().map(String::as_str).collect();
        words.push("--help");
        let help = bench.run(&words);
        let names = help.out.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        let names =
            names.filter(|line| line.starts_with("  ") && !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
        for name in names.filter(|name| *name != "help") {
            let mut below = command.clone();
            below.push(name.to_owned());
            open.push(below.clone());
            all.push(below);
        }
    }
    all
}

#[test]
fn the_help_of_every_command_has_an_example_and_its_exit_codes() {
    let bench = Bench::new();
    let commands = commands(&bench);
    assert!(commands.len() >= 25, "{commands:?}");
    for command in commands {
        let mut words: Vec<&str> = command.iter().map(String::as_str).collect();
        let name = words.join(" ");
        words.push("--help");
        let help = bench.run(&words);
        help.assert_code(0).assert_says("Usage:").assert_says("Exit codes:");
        let example = help.out.lines().skip_while(|line| !line.starts_with("Example")).nth(1).unwrap_or_default();
        assert!(example.starts_with(&format!("  bowline {name}")), "`{name}` has no example:\n{}", help.out);
    }
    assert!(!bench.has("state"));
}

#[test]
fn help_is_as_wide_as_the_terminal() {
    for columns in [80, 40] {
        let seen = crate::pty::run(&Bench::new(), columns, &["run", "--help"], "", &[]);
        seen.assert_code(0).assert_says("Run a plan");
        let broken: Vec<String> = seen.broken_lines().into_iter().filter(|line| !line.contains("bowline ")).collect();
        assert!(broken.is_empty(), "{columns}: {broken:#?}");
    }
}

#[test]
fn arguments_that_are_wrong_end_with_2() {
    let bench = Bench::new();
    for words in [
        &["runn"][..],
        &["run"],
        &["run", "plan.yaml", "--jobs", "0"],
        &["run", "plan.yaml", "--run-id", "Not_A_Name"],
        &["graph", "p", "--format", "png"],
    ] {
        bench.run(words).assert_code(2);
    }
    bench.run(&["--version"]).assert_code(0).assert_says("bowline ");
}
