//! Runs the programs whose output a plan reads as manifests, once, when a run opens. It knows no journal.

use super::failure::CommandFailure;
use super::freeze::Contents;
use crate::action::Frozen;
use crate::expr::manifests;
use crate::ids::{Period, StepId};
use crate::ports::{Exit, Line, ProcessSpec, Processes, Script, Stream};
use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Time for one of them: rendering takes seconds, and a program that waits for input waits for ever.
const LIMIT: Duration = Duration::from_secs(300);
/// Longest line of one.
const LONGEST_LINE: usize = 60 * 1024;
/// Most bytes that are kept of one.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// Runs them, one after the other, and gives back what they printed under the name that their steps will ask for.
///
/// # Errors
/// When one cannot be started, fails, or prints too much. All that fail are told.
pub async fn printed(processes: &dyn Processes, folder: &Path, commands: Vec<(StepId, Script)>) -> Result<Contents, CommandFailure> {
    let (mut contents, mut problems) = (Contents::new(), Vec::new());
    for (step, command) in commands {
        let name = Frozen::name_of(&command);
        if contents.contains_key(&name) {
            continue;
        }
        match output(processes, folder, &command).await {
            Ok(text) => match manifests(&text, &name) {
                Ok(_) => drop(contents.insert(name, text.into_bytes())),
                Err(error) => problems.push(format!("{step}: {error}")),
            },
            Err(why) => problems.push(format!("{step}: `{}` {why}", command.title())),
        }
    }
    if problems.is_empty() {
        return Ok(contents);
    }
    let mut failure = CommandFailure::usage("programs that should print manifests failed, so nothing was begun");
    failure.causes = problems;
    Err(failure.hint(format!("they run in the plan's folder, {}", folder.display())))
}

async fn output(processes: &dyn Processes, folder: &Path, command: &Script) -> Result<String, String> {
    let (program, args) = command.command();
    let spec = ProcessSpec { program, args, directory: Some(folder.to_owned()), ..ProcessSpec::default() };
    let text = Arc::new(Mutex::new(String::new()));
    let kept = Arc::clone(&text);
    let is_too_long = Arc::new(AtomicBool::new(false));
    let too_long = Arc::clone(&is_too_long);
    // What the exit holds is cut at its beginning.
    let keep = move |line: Line| {
        let mut text = kept.lock().unwrap_or_else(PoisonError::into_inner);
        // A longer line is told in pieces that cannot be put together again.
        if line.text.len() >= LONGEST_LINE {
            too_long.store(true, Ordering::Relaxed);
        }
        if line.stream == Stream::Out && text.len() <= MOST_BYTES {
            text.push_str(&line.text);
            text.push('\n');
        }
    };
    let stop = CancellationToken::new();
    let mut running = processes.run(spec, Arc::new(keep), stop.clone());
    let ended = tokio::select! {
        ended = &mut running => ended,
        () = tokio::time::sleep(LIMIT) => {
            stop.cancel();
            let _ended = running.await;
            return Err(format!("did not end within {}", Period(LIMIT)));
        }
    };
    let exit = ended.map_err(|error| format!("failed: {}", error.source().map_or_else(|| error.to_string(), ToString::to_string)))?;
    let text = std::mem::take(&mut *text.lock().unwrap_or_else(PoisonError::into_inner));
    if exit.is_success() && is_too_long.load(Ordering::Relaxed) {
        return Err("printed a line of more than 60 KiB: let it print YAML with shorter ones".to_owned());
    }
    match exit {
        exit if exit.is_success() && text.len() <= MOST_BYTES => Ok(text),
        exit if exit.is_success() => Err(format!("printed more than {} MiB", MOST_BYTES / 1024 / 1024)),
        Exit { code: Some(code), errors, .. } => Err(format!("ended with exit code {code}{}", last(&errors))),
        Exit { errors, .. } => Err(format!("was ended by a signal{}", last(&errors))),
    }
}

/// The last line of its complaints.
fn last(errors: &str) -> String {
    errors.lines().rev().find(|line| !line.trim().is_empty()).map(|line| format!(": {}", line.trim())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::printed;
    use crate::ids::StepId;
    use crate::ports::{Script, SystemProcesses};
    use serde_json::{Value, json};
    use std::path::Path;

    async fn run(commands: &[Value]) -> Result<Vec<(String, usize)>, String> {
        let step = StepId::new("deploy").unwrap();
        let commands = commands.iter().map(|command| (step.clone(), serde_json::from_value::<Script>(command.clone()).unwrap()));
        match printed(&SystemProcesses, Path::new("/"), commands.collect()).await {
            Ok(contents) => Ok(contents.into_iter().map(|(name, text)| (name, text.len())).collect()),
            Err(failure) => Err(crate::report::words::plain(&failure.lines().join("\n"))),
        }
    }

    #[tokio::test]
    async fn all_that_is_printed_is_kept_also_what_is_long() {
        let long = "echo '{apiVersion: v1, kind: A}'; echo ---; echo 'apiVersion: v1'; echo 'kind: B'; echo 'data: |'; head -c 3000000 /dev/zero | tr '\\0' x | fold -w 100 | sed 's/^/  /'";
        let kept =
            run(&[json!(["echo", "{apiVersion: v1, kind: C}"]), json!(long), json!(["echo", "{apiVersion: v1, kind: C}"])]).await.unwrap();
        assert_eq!(
            kept.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            [&format!("$ {long}"), "$ echo '{apiVersion: v1, kind: C}'"]
        );
        assert!(kept[0].1 > 3_090_000, "{}", kept[0].1);
    }

    #[tokio::test]
    async fn every_program_that_fails_is_told() {
        let told = run(&[
            json!("echo no such chart >&2; exit 3"),
            json!(["/no/such/program"]),
            json!("echo 'a: ['"),
            json!("head -c 70000 /dev/zero | tr '\\0' x"),
        ])
        .await
        .unwrap_err();
        insta::assert_snapshot!(told, @r"error: programs that should print manifests failed, so nothing was begun   because deploy: `echo no such chart >&2; exit 3` ended with exit code 3: no such chart   because deploy: `/no/such/program` failed: No such file or directory (os error 2)   because deploy: $ echo 'a: [':1:4: unclosed bracket '['   because deploy: `head -c 70000 /dev/zero | tr '\0' x` printed a line of more than 60 KiB: let it print YAML with shorter ones   next: they run in the plan's folder, /");
    }
}
