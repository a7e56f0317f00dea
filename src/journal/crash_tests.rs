//! What only another process can show: a writer that is killed, a holder that dies, a disk that is full, syncs as the kernel counts them.
//! The other process is this test binary, told by its environment to play a part.

use super::fixture::{append, begin, identity, note, open};
use super::{JournalError, Refused, RunState, StateFolder};
use crate::ids::RunId;
use crate::record::{Mode, Outcome, What};
use futures::executor::block_on;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

/// Says which folder a part is played in.
const FOLDER: &str = "BOWLINE_TEST_FOLDER";

/// Starts this binary with one ignored test, which plays the part.
fn part(wrapper: &[&str], name: &str, folder: &Path) -> Command {
    let me = std::env::current_exe().unwrap();
    let mut words = wrapper.iter().map(std::ffi::OsString::from).chain([me.into_os_string()]);
    let mut command = Command::new(words.next().unwrap());
    let test = format!("journal::crash_tests::{name}");
    command.args(words).args(["--exact", &test, "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(FOLDER, folder).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

fn folder_of_part() -> StateFolder {
    open(Path::new(&std::env::var_os(FOLDER).expect("a part is started by the test that needs it")))
}

/// Says something to the test; the harness's own lines stand between.
#[expect(clippy::print_stdout, reason = "the pipe to the test is the point")]
fn say(what: &str) {
    println!("\nsays {what}");
}

fn hear(from: &mut BufReader<ChildStdout>) -> Option<String> {
    let mut lines = from.lines().map_while(Result::ok);
    lines.find_map(|line| line.strip_prefix("says ").map(str::to_owned))
}

/// Starts a part and waits for its first word.
fn play(name: &str, folder: &Path) -> (Child, BufReader<ChildStdout>, String) {
    let mut child = part(&[], name, folder).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let word = hear(&mut said).expect("the part says something");
    (child, said, word)
}

#[test]
#[ignore = "a part that `a_killed_writer_leaves_a_whole_prefix` starts"]
fn writes_for_ever() {
    let folder = folder_of_part();
    let held = folder.open_run(&identity("web")).unwrap();
    begin(&held);
    say(held.run().as_str());
    for seq in 1.. {
        let evidence = held.journal().seal(&vec![b'x'; usize::try_from(seq * 37 % 9000).unwrap()]).unwrap();
        let step = crate::ids::StepId::new("deploy").unwrap();
        append(&held, seq, What::EvidenceKept { step, evidence: Some(evidence), error: None });
        if seq % 3 == 0 {
            block_on(held.journal().durable()).unwrap();
            say(&format!("{seq}"));
        }
    }
}

#[test]
fn a_killed_writer_leaves_a_whole_prefix() {
    let place = tempfile::tempdir().unwrap();
    for attempt in 0..12_u64 {
        let (mut child, mut said, run) = play("writes_for_ever", place.path());
        let run = RunId::new(&run).unwrap();
        // Killed after another number of words each time, at whatever it is doing then.
        let promised = (0..attempt * 5).filter_map(|_| hear(&mut said)).last().map_or(0, |word| word.parse::<u64>().unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        let folder = open(place.path());
        let verified = folder.verify(&run).unwrap();
        assert_eq!(verified.damage, [], "attempt {attempt}");
        assert!(verified.records > promised, "{} records, {promised} were promised", verified.records);
        assert_eq!(folder.run(&run).unwrap().state, RunState::Dead);
        let refused = folder.open_run(&identity("web")).unwrap_err();
        assert!(matches!(refused, Refused::Unfinished { state: RunState::Dead, .. }), "{refused}");
        let held = folder.hold(&run, Mode::Abandon).unwrap();
        assert_eq!(held.epoch(), 2);
        append(&held, verified.records, What::RunClosed { outcome: Outcome::Abandoned, notes: Vec::new() });
        held.release().unwrap();
        assert!(folder.verify(&run).unwrap().is_whole());
    }
}

#[test]
fn another_process_is_refused_by_name_until_it_dies() {
    let place = tempfile::tempdir().unwrap();
    let (mut child, _said, run) = play("writes_for_ever", place.path());
    let folder = open(place.path());
    let Err(Refused::Held(by)) = folder.open_run(&identity("web")) else { panic!("it lives") };
    assert_eq!((by.run.as_str(), by.holder.pid), (run.as_str(), child.id()));
    let run = by.run;
    assert!(matches!(folder.hold(&run, Mode::Resume), Err(Refused::Held(_))));
    assert_eq!(folder.run(&run).unwrap().state, RunState::Live);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(folder.hold(&run, Mode::Resume).unwrap().epoch(), 2);
}

#[test]
fn a_holder_in_a_pid_namespace_of_its_own_is_in_the_way() {
    let place = tempfile::tempdir().unwrap();
    let unshare = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let mut child = part(&unshare, "writes_for_ever", place.path()).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let Some(run) = hear(&mut said) else {
        child.wait().unwrap();
        return say("skipped: only root can make a PID namespace");
    };
    let folder = open(place.path());
    let Err(Refused::Held(by)) = folder.open_run(&identity("web")) else { panic!("it lives") };
    assert_eq!((by.run.as_str(), by.holder.pid), (run.as_str(), 1));
    assert_eq!(folder.run(&by.run).unwrap().state, RunState::Live);
    child.kill().unwrap();
    child.wait().unwrap();
    // Its end is the end of the pipe, not that of `unshare`.
    while hear(&mut said).is_some() {}
    assert_eq!(folder.hold(&by.run, Mode::Resume).unwrap().epoch(), 2);
}

#[test]
#[ignore = "a part that `a_chain_of_steps_costs_one_sync_a_step` starts"]
fn writes_a_chain() {
    let folder = folder_of_part();
    let held = folder.open_run(&identity("web")).unwrap();
    begin(&held);
    for step in 0..1000 {
        // As the engine does for a step: an intent with its undo, an effect, an end; one wait.
        held.journal().seal(format!("undo of {step}: {}", "x".repeat(400)).as_bytes()).unwrap();
        (1..=3).for_each(|n| append(&held, step * 3 + n, note("a record of some length, as a step's records are")));
        block_on(held.journal().durable()).unwrap();
    }
    held.release().unwrap();
}

#[test]
fn a_chain_of_steps_costs_one_sync_a_step() {
    let place = tempfile::tempdir().unwrap();
    let counts = place.path().join("counts");
    let strace = ["strace", "-f", "-qq", "-c", "-e", "trace=fsync,fdatasync,msync,sync_file_range", "-o", counts.to_str().unwrap()];
    let state = place.path().join("state");
    match part(&strace, "writes_a_chain", &state).status() {
        Ok(status) if status.success() => {}
        // No strace here, or no right to trace.
        _ => return say("skipped: strace does not work here"),
    }
    assert_eq!(open(&state).runs(&Default::default()).unwrap()[0].records, 3001);
    let text = std::fs::read_to_string(counts).unwrap();
    let syncs: u64 =
        text.lines().filter(|line| line.contains("sync")).filter_map(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok()).sum();
    assert!((1000..=1050).contains(&syncs), "{syncs} syncs for 1,000 steps\n{text}");
}

#[test]
fn a_full_disk_stops_the_writer_and_room_lets_it_go_on() {
    let place = tempfile::tempdir().unwrap();
    let at = place.path().join("small");
    std::fs::create_dir(&at).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=512k,mode=0700", "tmpfs"]).arg(&at).status();
    if !mounted.is_ok_and(|status| status.success()) {
        return say("skipped: only root can mount a small disk");
    }
    let result = std::panic::catch_unwind(|| fill_up(&at));
    Command::new("umount").arg("--lazy").arg(&at).status().unwrap();
    result.unwrap();
}

fn fill_up(at: &Path) {
    let ballast = at.join("ballast");
    std::fs::write(&ballast, vec![0; 200 * 1024]).unwrap();
    let folder = open(at);
    let held = folder.open_run(&identity("web")).unwrap();
    begin(&held);
    let mut seq = 0;
    let error = loop {
        seq += 1;
        append(&held, seq, note(&"x".repeat(3000)));
        if let Err(error) = block_on(held.journal().durable()) {
            break error;
        }
    };
    assert!(matches!(error, JournalError::Write(_)), "{error}");
    assert!(matches!(block_on(held.journal().durable()), Err(JournalError::Write(_))), "it stays broken");
    let run = held.run().clone();
    assert!(held.release().is_err());
    std::fs::remove_file(ballast).unwrap();
    let verified = folder.verify(&run).unwrap();
    assert!(verified.is_whole() && verified.records == seq, "{verified:?}");
    let held = folder.hold(&run, Mode::Rollback).unwrap();
    append(&held, seq, note("there is room again"));
    held.release().unwrap();
    assert!(folder.verify(&run).unwrap().is_whole());
}
