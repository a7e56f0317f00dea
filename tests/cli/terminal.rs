//! On a terminal: what keys do to a run, how the terminal is left behind, and what is left when it is closed.

use crate::bench::{Bench, Ended, wait};
use crate::signals::{AGAIN, left_behind, plan};
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Runs the plan on a terminal of its own, 80 columns wide; then tells the exit code and the terminal's settings.
fn start(bench: &Bench) -> Child {
    let line = format!(
        "trap : INT; stty cols 80 rows 24; sh -c 'echo $$ > pid; exec env --default-signal=HUP,INT,TERM {} run plan.yaml --yes --state state'; \
         code=$?; echo; echo code=$code; stty -a",
        env!("CARGO_BIN_EXE_bowline")
    );
    // Under `nohup` even the terminal's own shell would outlive it, and only that is told that it was closed.
    let mut command = Command::new("env");
    command.args(["--default-signal=HUP", "script", "-qfec", &line, "/dev/null"]).current_dir(bench.path(""));
    command.env("TERM", "xterm-256color").env("SHELL", "/bin/sh").env_remove("BOWLINE_STATE").env_remove("NO_COLOR");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("script is part of every Linux")
}

fn press_ctrl_c(terminal: &mut Child) {
    terminal.stdin.as_mut().expect("it is piped").write_all(b"\x03").expect("the terminal lives");
}

fn pid(bench: &Bench) -> String {
    bench.read("pid").trim().to_owned()
}

/// The code was this, lines are whole, the cursor shows and keys are echoed again.
#[track_caller]
fn assert_left_well(ended: &Ended, code: i32) {
    let said = ended.all();
    let (screen, settings) = said.split_once(&format!("code={code}")).unwrap_or_else(|| panic!("the code was not {code}:\n{said}"));
    // What a person sees when bowline has ended; the empty line before the code is the test's own.
    let mut terminal = vt100::Parser::new(24, 80, 0);
    terminal.process(screen.strip_suffix("\r\n").unwrap_or(screen).as_bytes());
    let (seen, (_, column)) = (terminal.screen().contents(), terminal.screen().cursor_position());
    assert!(!terminal.screen().hide_cursor(), "the cursor stays hidden:\n{seen}");
    assert_eq!(column, 0, "the last line is not whole:\n{seen}");
    let moving = |line: &&str| line.contains(" running") || line.starts_with(|first| ('\u{2800}'..='\u{28ff}').contains(&first));
    assert_eq!(seen.lines().find(moving), None, "a moving line stays:\n{seen}");
    for setting in ["icanon", "echo", "isig", "opost"] {
        let is_on = settings.split([' ', ';', '\r', '\n']).any(|word| word == setting);
        assert!(is_on, "{setting} is off:\n{settings}");
    }
}

#[test]
fn ctrl_c_takes_everything_back_and_leaves_the_terminal_as_it_was() {
    let bench = Bench::with(&plan("302.1"));
    let mut terminal = start(&bench);
    bench.wait_for("begun");
    press_ctrl_c(&mut terminal);
    let ended = wait(terminal);
    assert_left_well(&ended, 3);
    ended.assert_says("rolled back");
    assert!(!bench.has("before.txt") && !bench.has("begun") && !left_behind("302.1"));
}

#[test]
fn keys_that_are_typed_meanwhile_leave_no_moving_line_behind() {
    let bench = Bench::with(&plan("302.5"));
    let mut terminal = start(&bench);
    bench.wait_for("begun");
    terminal.stdin.as_mut().expect("it is piped").write_all(b"zzz\r\r\r").expect("the terminal lives");
    press_ctrl_c(&mut terminal);
    let ended = wait(terminal);
    assert_left_well(&ended, 3);
    assert!(!ended.all().contains("zzz") && !left_behind("302.5"), "what is typed is not shown:\n{}", ended.all());
}

#[test]
fn ctrl_c_twice_halts_and_leaves_the_terminal_as_it_was() {
    let bench =
        Bench::with(&plan("302.2").replace("rm before.txt", "touch undoing; while [ ! -e go ]; do sleep 0.05; done; rm before.txt"));
    let mut terminal = start(&bench);
    bench.wait_for("begun");
    press_ctrl_c(&mut terminal);
    bench.wait_for("undoing");
    std::thread::sleep(AGAIN);
    press_ctrl_c(&mut terminal);
    let ended = wait(terminal);
    assert_left_well(&ended, 5);
    ended.assert_says("bowline resume");
    assert!(bench.has("before.txt") && !left_behind("302.2"));
}

#[test]
fn sigterm_halts_and_leaves_the_terminal_as_it_was() {
    let bench = Bench::with(&plan("302.3"));
    let terminal = start(&bench);
    bench.wait_for("begun");
    assert!(Command::new("kill").args(["-TERM", &pid(&bench)]).status().is_ok_and(|status| status.success()));
    assert_left_well(&wait(terminal), 5);
    assert!(!left_behind("302.3"));
}

#[test]
fn a_terminal_that_is_closed_halts_the_run_and_leaves_nobody_behind() {
    let bench = Bench::with(&plan("302.4"));
    let mut terminal = start(&bench);
    bench.wait_for("begun");
    let pid = pid(&bench);
    terminal.kill().expect("it is our child");
    terminal.wait().expect("it is our child");
    let lives = || std::path::Path::new("/proc").join(&pid).exists();
    let closed = Instant::now();
    while lives() {
        // 7 s are promised; a busy machine gets three times as long.
        assert!(closed.elapsed() < Duration::from_secs(21), "bowline outlives its terminal");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(!left_behind("302.4"));
    bench.run(&["runs"]).assert_code(0).assert_says("halted");
    bench.run(&["rollback"]).assert_code(0);
    assert!(!bench.has("before.txt") && !bench.has("begun"));
}
