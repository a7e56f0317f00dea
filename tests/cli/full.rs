//! The disk is full when the journal is written.

use crate::bench::Bench;
use std::path::Path;
use std::process::Command;

fn mount(at: &Path) -> bool {
    std::fs::create_dir_all(at).expect("a folder");
    let words = ["-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs"];
    Command::new("mount").args(words).arg(at).status().is_ok_and(|status| status.success())
}

struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0).status();
    }
}

#[test]
fn nothing_more_leaves_and_once_there_is_room_it_comes_undone() {
    let bench = Bench::new();
    let mut plan = String::from("plan: full\nsteps:\n");
    for step in 0..40 {
        plan.push_str(&format!("  - id: s{step}\n    shell: {{ run: 'echo x > s{step}.txt; [ {step} != 5 ] || dd if=/dev/zero of=state/ballast bs=1k 2>/dev/null; true' }}\n    undo: [{{ shell: {{ run: 'rm -f s{step}.txt' }} }}]\n"));
    }
    bench.write("plan.yaml", &plan);
    let state = bench.path("state");
    if !mount(&state) {
        eprintln!("skipped: no tmpfs can be mounted here");
        return;
    }
    let _mounted = Mounted(&state);
    let ended = bench.run(&["run", "plan.yaml", "--yes"]);
    assert!(ended.code == Some(5) || ended.code == Some(70), "{:?}: {}", ended.code, ended.all());
    ended.assert_says("journal").assert_says("bowline r");
    let made = (0..40).filter(|step| bench.has(&format!("s{step}.txt"))).count();
    assert!((6..40).contains(&made), "{made} steps ran");
    std::fs::remove_file(state.join("ballast")).expect("the ballast");
    bench.run(&["rollback"]).assert_code(0);
    assert!((0..40).all(|step| !bench.has(&format!("s{step}.txt"))), "something was left");
}
