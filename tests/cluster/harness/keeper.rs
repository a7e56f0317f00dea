//! Starts a cluster that lives exactly as long as this process. Does not know what it is used for.

use super::cluster::Skip;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

const FOLDER_PREFIX: &str = "bowline-cluster-";
const START_LIMIT: Duration = Duration::from_secs(120);
/// The exit code of the scripts for "not possible on this machine".
const UNABLE: i32 = 75;

/// A script of `tests/cluster/`.
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cluster").join(name)
}

/// Whether a cluster lives in a folder and has come up.
pub fn is_ready(work: &Path) -> bool {
    let Ok(work) = work.canonicalize() else { return false };
    let process = fs::read_to_string(work.join("pid")).unwrap_or_default();
    let command = fs::read(format!("/proc/{}/cmdline", process.trim())).unwrap_or_default();
    let arguments: Vec<_> = command.split(|byte| *byte == 0).collect();
    work.join("ready").exists() && arguments.contains(&work.as_os_str().as_encoded_bytes())
}

/// Starts a cluster and returns its folder.
pub fn start() -> Result<PathBuf, Skip> {
    remove_folders_of_the_dead();
    let work = std::env::temp_dir().join(format!("{FOLDER_PREFIX}{}", std::process::id()));
    let (report, started) = mpsc::channel();
    let folder = work.clone();
    // The kernel ends the cluster when the thread that started it ends, so this one does not.
    thread::spawn(move || keep(&folder, &report));
    match started.recv().expect("the keeper reports before it ends") {
        Ok(()) => Ok(work),
        Err((Some(status), said)) if status.code() == Some(UNABLE) => Err(Skip(said.trim().to_owned())),
        Err((status, said)) => panic!("the test cluster did not start ({status:?}); {said}"),
    }
}

type Started = Result<(), (Option<ExitStatus>, String)>;

/// Starts the cluster, reports how that went, and then stays for as long as the process lives.
fn keep(work: &Path, report: &mpsc::Sender<Started>) {
    let child =
        Command::new(script("up")).arg("--foreground").arg(work).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return report.send(Err((None, error.to_string()))).unwrap_or_default(),
    };
    let outcome = wait_until_ready(work, &mut child);
    report.send(outcome).unwrap_or_default();
    child.wait().map(drop).unwrap_or_default();
}

fn wait_until_ready(work: &Path, child: &mut Child) -> Started {
    let started = Instant::now();
    // An older process with our id may have left its folder: only the mark of this cluster counts.
    while !is_ready(work) {
        let ended = child.try_wait().ok().flatten();
        let too_late = started.elapsed() > START_LIMIT;
        if too_late {
            child.kill().unwrap_or_default();
        }
        if ended.is_some() || too_late {
            let mut said = String::new();
            child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut said));
            return Err((ended, said));
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Clusters die with their test process, but nobody is left then to remove their logs and volumes.
fn remove_folders_of_the_dead() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(FOLDER_PREFIX)).and_then(|id| id.parse::<u32>().ok());
        let dead = process.is_some_and(|id| !Path::new("/proc").join(id.to_string()).exists());
        if dead && entry.path().join(".bowline-cluster").exists() {
            fs::remove_dir_all(entry.path()).unwrap_or_default();
        }
    }
}
