//! What the same work costs without bowline: the same spawns with one fdatasync each, the fdatasync alone, and a typed parse of a plan.
//! `benches/steps` and `benches/validate` call it.
//!
//! `cargo bench --bench bare -- loop COUNT THREADS FOLDER PROGRAM [ARGUMENT...]`: milliseconds for all
//! `cargo bench --bench bare -- sync COUNT FOLDER`: microseconds of one append of 4 KiB with its fdatasync, least, median and most
//! `cargo bench --bench bare -- time COMMAND [ARGUMENT...]`: milliseconds that another program took, which must succeed
//! `cargo bench --bench bare -- parse FILE`: reads a plan into the barest types that hold it, and tells how many steps it has

use serde::Deserialize;
use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// As the `shell` action starts a program: nothing to read, both outputs into pipes that are read to their end, a group of its own.
fn spawn(program: &str, arguments: &[String]) {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    assert!(command.output().expect("the program can be started").status.success(), "{program} failed");
}

/// One append of 4 KiB, the page of a journal, made durable.
fn sync(file: &mut File) {
    file.write_all(&[7; 4096]).and_then(|()| file.sync_data()).expect("the file can be written");
}

/// The same spawns: each thread takes the next one, makes a page of its own file durable, starts the program and waits for it.
fn bare(count: usize, threads: usize, folder: &Path, program: &str, arguments: &[String]) -> f64 {
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let next = &next;
            scope.spawn(move || {
                let mut file = File::create(folder.join(format!("bare-{thread}"))).expect("a file");
                while next.fetch_add(1, Ordering::Relaxed) < count {
                    sync(&mut file);
                    spawn(program, arguments);
                }
            });
        }
    });
    started.elapsed().as_secs_f64() * 1e3
}

fn syncs(count: usize, folder: &Path) -> [f64; 3] {
    let mut file = File::create(folder.join("sync")).expect("a file");
    let mut times: Vec<f64> = (0..count)
        .map(|_| {
            let started = Instant::now();
            sync(&mut file);
            started.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    [times[0], times[count / 2], times[count - 1]]
}

fn timed(command: &[String]) -> f64 {
    let started = Instant::now();
    let status = Command::new(&command[0]).args(&command[1..]).stdin(Stdio::null()).stdout(Stdio::null()).status();
    assert!(status.expect("the program can be started").success(), "{command:?} failed");
    started.elapsed().as_secs_f64() * 1e3
}

/// A plan of `shell` and `pause` steps, and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Plan {
    plan: String,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct Step {
    id: String,
    needs: Option<Vec<String>>,
    shell: Option<Shell>,
    pause: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[allow(dead_code)]
struct Shell {
    run: String,
    read_only: bool,
}

fn parse(file: &str) -> usize {
    let text = std::fs::read_to_string(file).expect("the file can be read");
    // Plans are larger than what the crate takes for harmless.
    let options = serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! { max_nodes: 8_000_000, max_events: 16_000_000, max_total_scalar_bytes: 64 << 20 },
    };
    let plan: Plan = serde_saphyr::from_str_with_options(&text, options).expect("a plan");
    plan.steps.len()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |word: &str| word.parse::<usize>().expect("a number");
    let said = match words[..] {
        ["loop", count, threads, folder, program, ..] => {
            format!("{:.1}", bare(number(count), number(threads), Path::new(folder), program, &arguments[5..]))
        }
        ["sync", count, folder] => {
            let [least, median, most] = syncs(number(count), Path::new(folder));
            format!("{least:.0} {median:.0} {most:.0}")
        }
        ["time", _, ..] => format!("{:.1}", timed(&arguments[1..])),
        ["parse", file] => parse(file).to_string(),
        _ => "started by benches/steps: loop, sync or time".to_owned(),
    };
    let _ = writeln!(std::io::stdout(), "{said}");
}
