//! `journal verify | export | import`: checks and carries the journals of runs. It knows no key but through the state folder.

use super::arguments::{Journal, JournalExport, JournalImport, JournalVerify};
use super::context::{Context, Shelves};
use super::exit::Exit;
use super::failure::CommandFailure;
use super::pick::{self, Found};
use super::print;
use crate::journal::{RunFilter, RunState, Verified, is_simulated_export, verify_export};
use crate::report::words;
use serde_json::json;
use std::path::Path;
use tokio::io::AsyncWriteExt;

/// Checks, exports or imports.
///
/// # Errors
/// When what is named cannot be read or written.
pub async fn journal(context: &Context, command: &Journal) -> Result<Exit, CommandFailure> {
    match command {
        Journal::Verify(arguments) => verify(context, arguments).await,
        Journal::Export(arguments) => export(context, arguments).await,
        Journal::Import(arguments) => import(context, arguments).await,
    }
}

async fn verify(context: &Context, arguments: &JournalVerify) -> Result<Exit, CommandFailure> {
    let mut whole = true;
    if let Some(file) = &arguments.file {
        let bytes = read(context, file).await?;
        let named = |error| {
            let failure = CommandFailure::from(error);
            CommandFailure { message: format!("{}: {}", file.display(), failure.message), ..failure }
        };
        let verified = verify_export(&mut bytes.as_slice()).map_err(named)?;
        whole = tell(context, &file.display().to_string(), &verified);
    } else {
        for Found { folder, run } in to_verify(context, arguments.run.as_deref())? {
            let verified = folder.verify(&run).map_err(|refused| CommandFailure::of_looking(&refused))?;
            whole &= tell(context, &format!("run {run}"), &verified);
        }
    }
    Ok(if whole { Exit::Succeeded } else { Exit::Usage })
}

/// The run that is named, or all of them.
fn to_verify(context: &Context, run: Option<&str>) -> Result<Vec<Found>, CommandFailure> {
    if run.is_some() {
        return Ok(vec![pick::run_to_show(context, run)?]);
    }
    let Shelves { real, simulated } = context.shelves()?;
    let mut found = Vec::new();
    for folder in [real, simulated].into_iter().flatten() {
        let rows = folder.runs(&RunFilter::default())?;
        found.extend(rows.into_iter().map(|row| Found { folder: folder.clone(), run: row.run }));
    }
    Ok(found)
}

/// Tells what a check found; true when everything is whole.
fn tell(context: &Context, what: &str, verified: &Verified) -> bool {
    match context.is_json() {
        true => print::line(&object(what, verified)),
        false => print::lines(&told(what, verified), context.streams.width),
    }
    verified.is_whole()
}

fn told(what: &str, verified: &Verified) -> Vec<String> {
    let records = words::count(usize::try_from(verified.records).unwrap_or(usize::MAX), "record", "records");
    let blobs = words::count(usize::try_from(verified.blobs).unwrap_or(usize::MAX), "blob", "blobs");
    if verified.is_whole() {
        return vec![format!("{what} is whole: {records}, {blobs}, head {}", verified.head)];
    }
    let damage = words::count(verified.damage.len(), "damage", "damages");
    let mut lines = vec![format!("{what} is not what was written ({damage} in {records} and {blobs}):")];
    lines.extend(verified.damage.iter().map(|damage| format!("  {}", words::plain(&damage.to_string()))));
    lines
}

fn object(what: &str, verified: &Verified) -> String {
    let damage: Vec<String> = verified.damage.iter().map(ToString::to_string).collect();
    json!({
        "what": what, "whole": verified.is_whole(), "records": verified.records, "blobs": verified.blobs,
        "head": verified.head, "damage": damage, "unreferenced": verified.unreferenced,
    })
    .to_string()
}

async fn export(context: &Context, arguments: &JournalExport) -> Result<Exit, CommandFailure> {
    let Found { folder, run } = pick::run_to_show(context, arguments.run.run.as_deref())?;
    let mut text = Vec::new();
    folder.export(&run, &mut text)?;
    let Some(file) = &arguments.to else {
        print::bytes(&text);
        return Ok(Exit::Succeeded);
    };
    let failed = |error: &dyn std::error::Error| CommandFailure::usage(format!("cannot write {}", file.display())).because(error);
    let mut writing = context.ports.files.create(file).await.map_err(|error| failed(&error.source))?;
    writing.write_all(&text).await.map_err(|error| failed(&error))?;
    writing.finish().await.map_err(|error| failed(&error.source))?;
    let shown = file.display().to_string();
    let next = "`bowline journal import FILE --state DIR` takes it into another state folder, which needs the same key to open it";
    context.tell(&format!("run {run} is exported to {shown}; {next}"), &json!({ "run": run, "exported-to": shown }));
    Ok(Exit::Succeeded)
}

async fn import(context: &Context, arguments: &JournalImport) -> Result<Exit, CommandFailure> {
    let bytes = read(context, &arguments.file).await?;
    let named = |error| {
        let failure = CommandFailure::from(error);
        CommandFailure { message: format!("{}: {}", arguments.file.display(), failure.message), ..failure }
    };
    let folder = context.new_shelf(is_simulated_export(&bytes))?;
    let run = folder.import(&mut bytes.as_slice()).map_err(named)?;
    let state = folder.run(&run)?.state;
    let next = match state {
        RunState::Closed(_) => String::new(),
        _ => format!("; `bowline resume {run}` goes on with it here, if nobody does elsewhere any more"),
    };
    let told = format!("run {run} is imported, {state}: `bowline show {run}` tells what it did{next}");
    context.tell(&told, &json!({ "run": run, "imported": true, "state": state.to_string() }));
    Ok(Exit::Succeeded)
}

async fn read(context: &Context, file: &Path) -> Result<Vec<u8>, CommandFailure> {
    let read = context.ports.files.read(file).await;
    read.map_err(|error| CommandFailure::usage(format!("cannot read {}", file.display())).because(&error.source))
}

#[cfg(test)]
mod tests {
    use super::{object, told};
    use crate::journal::{Damage, Verified};

    #[test]
    fn damage_is_told_piece_by_piece() {
        let damage = vec![
            Damage::Record { seq: 7, what: "its digest does not fit".to_owned() },
            Damage::Blob { id: "ab12".to_owned(), seq: Some(3), what: "is missing".to_owned() },
        ];
        let broken = Verified { records: 12, blobs: 1, head: "c0ffee".to_owned(), damage, unreferenced: Vec::new() };
        insta::assert_snapshot!(told("run 20261121-120300-7f3a", &broken).join("\n"), @"
        run 20261121-120300-7f3a is not what was written (2 damages in 12 records and 1 blob):
          record 7: its digest does not fit
          record 3: its blob ab12 is missing
        ");
        let whole = Verified { damage: Vec::new(), ..broken };
        insta::assert_snapshot!(told("run 20261121-120300-7f3a", &whole).join("\n"), @"run 20261121-120300-7f3a is whole: 12 records, 1 blob, head c0ffee");
        insta::assert_snapshot!(object("run 20261121-120300-7f3a", &whole), @r#"{"what":"run 20261121-120300-7f3a","whole":true,"records":12,"blobs":1,"head":"c0ffee","damage":[],"unreferenced":[]}"#);
    }
}
