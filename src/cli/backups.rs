//! `backups`: what backups there are, whether they are still what was written, and how to get what is in them. It needs no cluster.

use super::arguments::{Backups, BackupsPrune, BackupsRestore};
use super::confirm::confirm;
use super::context::Context;
use super::exit::Exit;
use super::failure::CommandFailure;
use super::print;
use crate::archive::{Archive, ArchiveError, Catalogue, Manifest};
use crate::report::{table, words};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// Does what is asked.
///
/// # Errors
/// When the folder cannot be used, there is no such backup, or one is damaged.
pub async fn backups(context: &Context, command: &Backups) -> Result<Exit, CommandFailure> {
    match command {
        Backups::List(arguments) => list(context, &archive(context, arguments.folder.as_deref())).await,
        Backups::Show(arguments) => show(context, &archive(context, arguments.folder.folder.as_deref()), &arguments.backup).await,
        Backups::Verify(arguments) => {
            verify(context, &archive(context, arguments.folder.folder.as_deref()), arguments.backup.as_deref()).await
        }
        Backups::Prune(arguments) => prune(context, arguments).await,
        Backups::Restore(arguments) => restore(context, arguments).await,
    }
}

fn archive(context: &Context, folder: Option<&Path>) -> Archive {
    Archive::new(context.ports.files.clone(), folder.map_or_else(|| context.backups(), PathBuf::from))
}

async fn list(context: &Context, archive: &Archive) -> Result<Exit, CommandFailure> {
    let Catalogue { backups, damaged } = archive.list().await?;
    if context.is_json() {
        backups.iter().for_each(|manifest| print::line(&json!(manifest).to_string()));
    } else if backups.is_empty() {
        print::line(&format!("there are no backups in {}", archive.folder().display()));
    } else {
        print::lines(&table(context, &backups), context.streams.width);
    }
    damaged.iter().for_each(|(_, why)| print::notice(&format!("warning: {why}")));
    Ok(Exit::Succeeded)
}

/// The name stands last: it is long, and what is to be copied must not be cut.
fn table(context: &Context, backups: &[Manifest]) -> Vec<String> {
    let head = ["MADE", "SIZE", "VERIFIED", "BACKUP"].map(str::to_owned).to_vec();
    let row = |manifest: &Manifest| {
        let made = words::date_and_minute(manifest.created, &context.zone());
        vec![made, size(manifest.stored_size), manifest.about.verified.clone(), manifest.name.clone()]
    };
    table::aligned(&std::iter::once(head).chain(backups.iter().map(row)).collect::<Vec<_>>())
}

async fn show(context: &Context, archive: &Archive, name: &str) -> Result<Exit, CommandFailure> {
    let manifest = archive.show(name).await?;
    if context.is_json() {
        print::line(&json!(manifest).to_string());
        return Ok(Exit::Succeeded);
    }
    let about = &manifest.about;
    let mut rows = vec![
        ("backup", manifest.name.clone()),
        ("of", about.source.clone()),
        ("made", words::date_and_minute(manifest.created, &context.zone())),
        ("by", format!("step {} of run {}", about.step, about.run)),
        ("form", about.format.clone()),
        ("size", format!("{}, {} in the archive", size(manifest.size), size(manifest.stored_size))),
        ("file", archive.path(name).display().to_string()),
        ("sha-256", manifest.sha256.clone()),
        ("verified", about.verified.clone()),
    ];
    rows.extend(about.found.iter().map(|(table, count)| ("rows", format!("{count} in {table}"))));
    rows.extend(about.notes.iter().map(|note| ("note", note.clone())));
    let rows: Vec<Vec<String>> = rows.into_iter().map(|(what, text)| vec![what.to_owned(), text]).collect();
    table::aligned(&rows).iter().for_each(|line| print::line(line));
    Ok(Exit::Succeeded)
}

/// All are looked at, whatever is found.
async fn verify(context: &Context, archive: &Archive, name: Option<&str>) -> Result<Exit, CommandFailure> {
    let (names, mut damaged) = match name {
        Some(name) => (vec![name.to_owned()], Vec::new()),
        None => {
            let catalogue = archive.list().await?;
            (catalogue.backups.into_iter().map(|manifest| manifest.name).collect(), catalogue.damaged)
        }
    };
    let whole = names.len();
    for name in names {
        match archive.verify(&name).await {
            Ok(_) if context.is_json() => print::line(&json!({ "backup": name, "whole": true }).to_string()),
            Ok(_) => print::line(&format!("{name} is whole")),
            Err(error @ ArchiveError::Damaged { .. }) => damaged.push((name, error.to_string())),
            Err(error) => return Err(error.into()),
        }
    }
    if damaged.is_empty() {
        if whole == 0 {
            print::notice(&format!("there are no backups in {}", archive.folder().display()));
        }
        return Ok(Exit::Succeeded);
    }
    if context.is_json() {
        damaged.iter().for_each(|(name, why)| print::line(&json!({ "backup": name, "whole": false, "why": why }).to_string()));
    }
    let told: Vec<String> = damaged.into_iter().map(|(_, why)| why).collect();
    Err(CommandFailure::usage(told.join("; ")))
}

async fn prune(context: &Context, arguments: &BackupsPrune) -> Result<Exit, CommandFailure> {
    let archive = archive(context, arguments.folder.folder.as_deref());
    let backups = archive.list().await?.backups;
    let old = match arguments.older_than {
        Some(age) => backups.iter().filter(|manifest| is_older(context, manifest, age.0)).collect(),
        None => beyond(&backups, arguments.keep.unwrap_or(u32::MAX)),
    };
    if old.is_empty() {
        context.tell("there is nothing to remove", &json!({ "removed": [] }));
        return Ok(Exit::Succeeded);
    }
    for manifest in old.iter().filter(|_| !context.is_json()) {
        print::line(&format!("{}  {}", words::date_and_minute(manifest.created, &context.zone()), manifest.name));
    }
    let fact = if old.len() == 1 {
        "this backup would be removed for good".to_owned()
    } else {
        format!("these {} backups would be removed for good", old.len())
    };
    confirm(context, arguments.yes, &fact, "Remove?")?;
    for manifest in &old {
        archive.remove(&manifest.name).await?;
    }
    let names: Vec<&str> = old.iter().map(|manifest| manifest.name.as_str()).collect();
    context.tell(&format!("removed {}", old.len()), &json!({ "removed": names }));
    Ok(Exit::Succeeded)
}

fn is_older(context: &Context, manifest: &Manifest, age: Duration) -> bool {
    let limit = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    context.ports.clock.now().as_millis().saturating_sub(manifest.created.as_millis()) > limit
}

/// All but the newest so many of those that are like each other: only they replace each other.
fn beyond(newest_first: &[Manifest], keep: u32) -> Vec<&Manifest> {
    let mut seen: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    let mut beyond = Vec::new();
    for manifest in newest_first {
        let count = seen.entry((&manifest.series, &manifest.about.source)).or_default();
        *count += 1;
        beyond.extend((*count > keep).then_some(manifest));
    }
    beyond
}

/// Writes out what a backup holds: the dump as PostgreSQL's programs read it.
async fn restore(context: &Context, arguments: &BackupsRestore) -> Result<Exit, CommandFailure> {
    let archive = archive(context, arguments.folder.folder.as_deref());
    // Standard output cannot be taken back, so what is given to it is known to be whole.
    let manifest = archive.verify(&arguments.backup).await?;
    let mut reader = archive.open(&manifest).await?;
    if arguments.to == Path::new("-") {
        while let Some(piece) = reader.next().await? {
            print::bytes(&piece);
        }
        return Ok(Exit::Succeeded);
    }
    let unwritten =
        |error: &dyn std::error::Error| CommandFailure::usage(format!("{} could not be written: {error}", arguments.to.display()));
    let mut file = context.ports.files.create(&arguments.to).await.map_err(|error| unwritten(&error).because(&error))?;
    while let Some(piece) = reader.next().await? {
        file.write_all(&piece).await.map_err(|error| unwritten(&error))?;
    }
    file.finish().await.map_err(|error| unwritten(&error).because(&error))?;
    let to = arguments.to.display().to_string();
    context.tell(&format!("wrote {} to {to}", size(manifest.size)), &json!({ "backup": manifest.name, "size": manifest.size, "to": to }));
    print::notice(&format!("next: pg_restore --dbname DATABASE {}", arguments.to.display()));
    Ok(Exit::Succeeded)
}

/// Bytes as people read them.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let Some(power) = (1..=4_usize).rev().find(|power| bytes >> (10 * power) > 0) else { return format!("{bytes} B") };
    let tenths = u128::from(bytes) * 10 / (1 << (10 * power));
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[power - 1])
}

impl From<ArchiveError> for CommandFailure {
    fn from(error: ArchiveError) -> Self {
        let failure = CommandFailure::usage(error.to_string()).because(&error);
        match error {
            ArchiveError::Absent { .. } => failure.hint("`bowline backups list` shows what there is; `--folder DIR` looks elsewhere"),
            _ => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_told_in_the_largest_unit() {
        let told = [0, 1023, 1024, 1_572_864, 5_368_709_120].map(size);
        assert_eq!(told, ["0 B", "1023 B", "1.0 KiB", "1.5 MiB", "5.0 GiB"]);
    }
}
