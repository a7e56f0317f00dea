//! `backup`: a dump of a PostgreSQL database in a pod, streamed into an archive and verified before it counts. It knows no Kubernetes.

pub(super) mod dump;
pub(super) mod series;
pub(super) mod verify;

use super::pods::{Pods, Reach};
use super::postgres::PostgresSource;
use crate::action::{Action, ActionError, Asked, Begun, Change, Cx, Evidence, Frozen, Intent, Preview, ReadCx, RunScope, UndoCx};
use crate::archive::{Archive, ArchiveError, Manifest};
use crate::ports::{Clock, Files};
use crate::record::{EffectKey, Mark, MarkKind, Reversibility, Settled, Target};
use dump::Dump;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use series::{database_name, name, series, source};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

const ARTEFACT: &str = "artefact";
const SCRATCH: &str = "scratch";

/// Backs up a PostgreSQL database that runs in a pod. The dump has a temporary name until it is whole, and counts as a backup only once
/// it is verified.
///
/// The container needs PostgreSQL's own programs and `sh`.
///
/// A finished backup stays when the run is rolled back: it is what somebody may want most then. An unfinished one is taken away.
///
/// # Idempotence
/// A step that is repeated does not make a second backup once it has finished its first; until then it begins anew.
pub struct Backup {
    pods: Arc<dyn Pods>,
    files: Arc<dyn Files>,
    clock: Arc<dyn Clock>,
    folder: PathBuf,
}

impl Backup {
    /// Backs up into `folder` where the plan names none.
    pub fn new(pods: Arc<dyn Pods>, files: Arc<dyn Files>, clock: Arc<dyn Clock>, folder: PathBuf) -> Self {
        Self { pods, files, clock, folder }
    }
}

/// What to back up, and where to.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BackupParams {
    /// The PostgreSQL database.
    pub postgres: PostgresSource,
    /// The folder for it on this machine; `backups` in the state folder when it is not given.
    #[serde(default)]
    pub to: Option<String>,
    /// How many backups that this plan has made of this database, in this environment and through this pod, are kept in that folder, this
    /// one included; all when it is not given. Older ones are removed once this one is whole, and a rollback does not bring them back.
    #[serde(default)]
    pub keep: Option<u32>,
    /// How it is verified.
    #[serde(default)]
    pub verify: Verification,
}

/// How a backup is verified before it counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verification {
    /// It is read back from the disk whole, and `pg_restore` in the pod reads it from its list of contents to its last row.
    #[default]
    Listing,
    /// It is restored into a database made for that, the rows of each table are counted, and that database is dropped.
    Restore,
}

impl Verification {
    fn as_str(self) -> &'static str {
        match self {
            Verification::Listing => "listing",
            Verification::Restore => "restore",
        }
    }
}

/// A finished backup: `{ "name": "shop-app-5be1c0d2-20261121-034200-7f3a-database", "path": "/…/….zst", "sha256": "…", "size": 52428800, "database": "app" }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct BackupOutput {
    /// Its name in its folder.
    pub name: String,
    /// Its file: `pg_dump`'s custom form, compressed with zstd.
    pub path: String,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// Bytes of the dump.
    pub size: u64,
    /// Bytes of the file.
    pub stored_size: u64,
    /// The database.
    pub database: String,
    /// Rows of each table, with `verify: restore`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rows: BTreeMap<String, u64>,
}

/// What takes a part of a backup back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackupUndo {
    /// An artefact that is unfinished is removed.
    #[serde(rename_all = "kebab-case")]
    Artefact {
        /// Its folder.
        folder: PathBuf,
        /// Its name.
        name: String,
    },
    /// The database that was made to verify it is dropped.
    #[serde(rename_all = "kebab-case")]
    Scratch {
        /// Its name.
        database: String,
    },
}

/// What a part of a backup made.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackupAfter {
    /// A finished backup.
    Artefact(Box<Manifest>),
    /// A database to verify it with.
    Scratch,
}

impl Action for Backup {
    const KIND: &'static str = "backup";
    const ABOUT: &'static str = "Backs up a database, and verifies the backup.";
    const UNDONE: &'static str = "Nothing: a backup is kept, also when the run goes back.";
    const EXAMPLE: &'static str = include_str!("../examples/backup.yaml");
    type Params = BackupParams;
    type Undo = BackupUndo;
    type After = BackupAfter;
    type Output = BackupOutput;

    fn reversibility(&self, _params: &BackupParams) -> Reversibility {
        Reversibility::Reversible
    }

    /// What is finished is kept on purpose, and what is not is taken away at once.
    fn is_kept(&self, _params: &BackupParams) -> bool {
        true
    }

    fn targets(&self, scope: &RunScope, _frozen: &Frozen, params: &BackupParams) -> Vec<Target> {
        // Backups of different databases may share a folder; those of one series let each other go.
        vec![Target(format!("file:{}", self.archive(params).folder().join(series(scope, &params.postgres)).display()))]
    }

    fn asks(&self, params: &BackupParams) -> Vec<Asked> {
        vec![Asked::Object(params.postgres.pod.clone())]
    }

    fn problems(&self, params: &BackupParams) -> Vec<String> {
        let mut problems = params.postgres.problems();
        if params.keep == Some(0) {
            problems.push("`keep: 0` would remove the backup that was just made: keep at least 1".to_owned());
        }
        problems
    }

    fn repeatable(&self, _params: &BackupParams) -> bool {
        true
    }

    async fn preview(&self, cx: &ReadCx, params: &BackupParams) -> Result<Preview, ActionError> {
        let path = self.archive(params).path(&name(cx, &params.postgres));
        let source = format!("a dump of {}", source(&cx.scope, &params.postgres));
        let change = Change { target: Target(format!("file:{}", path.display())), verb: "create".to_owned(), lines: vec![source] };
        let mut notes = vec!["the backup stays when the run is rolled back".to_owned()];
        notes.extend(params.keep.map(|keep| format!("backups beyond the newest {keep} are removed")));
        Ok(Preview { changes: vec![change], notes, ..Preview::default() })
    }

    async fn missing_rights(&self, cx: &ReadCx, _params: &BackupParams) -> Result<Vec<String>, ActionError> {
        self.pods.missing_rights(&cx.scope, Reach::Exec).await
    }

    async fn perform(&self, cx: &Cx<Self>, params: &BackupParams) -> Result<BackupOutput, ActionError> {
        let name = name(&cx.read, &params.postgres);
        let mut dump = self.dump(&cx.read, params, name.clone());
        let folder = dump.archive.folder().to_owned();
        let mut effects = vec![(EffectKey(ARTEFACT.into()), BackupUndo::Artefact { folder, name })];
        if params.verify == Verification::Restore {
            effects.insert(0, (EffectKey(SCRATCH.into()), BackupUndo::Scratch { database: dump.scratch.clone() }));
        }
        if params.verify == Verification::Restore && cx.earlier()?.is_empty() {
            // Before anything is intended: a standby could not drop it either.
            dump.refuse_standby().await?;
        }
        let mut tickets = cx.intend(Intent::default(), effects).await?;
        let artefact = tickets.pop().ok_or_else(|| ActionError::permanent("the engine gave no ticket for an effect"))?;
        // What the first attempt called it holds: it may have been one of another version.
        if let BackupUndo::Artefact { name, .. } = &artefact.undo {
            dump.name.clone_from(name);
        }
        if let Some(BackupAfter::Artefact(manifest)) = artefact.known.done() {
            return Ok(output(&dump.archive, manifest, params));
        }
        let server = dump.server().await?;
        if let Some(scratch) = tickets.pop() {
            let (server, dump) = (server.clone(), dump.clone());
            cx.effect(scratch, async move { dump.make_scratch(&server).await }).await?;
        }
        let archive = dump.archive.clone();
        match cx.effect(artefact, async move { dump.make(&server).await }).await? {
            BackupAfter::Artefact(manifest) => Ok(output(&archive, &manifest, params)),
            BackupAfter::Scratch => Err(ActionError::permanent("the journal gave the wrong answer for a backup")),
        }
    }

    async fn settle(&self, cx: &ReadCx, params: &BackupParams, effect: &Begun<Self>) -> Result<Settled<BackupAfter>, ActionError> {
        match &effect.undo {
            BackupUndo::Artefact { folder, name } => {
                let settled = settle_artefact(&Archive::new(self.files.clone(), folder), name).await?;
                Ok(match settled {
                    Settled::Done(manifest) => Settled::Done(BackupAfter::Artefact(Box::new(manifest))),
                    Settled::NotDone => Settled::NotDone,
                    Settled::Other(why) => Settled::Other(why),
                    Settled::Unknown(why) => Settled::Unknown(why),
                })
            }
            BackupUndo::Scratch { database } => {
                let server = self.dump(cx, params, String::new()).server().await?;
                Ok(match server.has_been_made(database, &*self.clock).await? {
                    true => Settled::Done(BackupAfter::Scratch),
                    false => Settled::NotDone,
                })
            }
        }
    }

    async fn compensate(&self, cx: &UndoCx, params: &BackupParams, effects: Vec<Begun<Self>>) -> Result<Vec<Mark>, ActionError> {
        let mut marks = Vec::new();
        // What was intended last goes first: nobody may still restore into the database that is dropped.
        for effect in effects.into_iter().rev() {
            let (kind, note) = match &effect.undo {
                BackupUndo::Artefact { folder, name } => take_back_artefact(&Archive::new(self.files.clone(), folder), name).await?,
                BackupUndo::Scratch { .. } if effect.known.is_not_done() => (MarkKind::Nothing, None),
                BackupUndo::Scratch { database } => {
                    let server = self.dump(&cx.read, params, String::new()).server().await?;
                    let there = server.has_database(database).await?;
                    server.drop_database(database).await?;
                    (if there { MarkKind::Restored } else { MarkKind::Nothing }, None)
                }
            };
            marks.push(Mark { key: effect.key, kind, notes: note.into_iter().collect() });
        }
        marks.reverse();
        Ok(marks)
    }

    async fn evidence(&self, cx: &ReadCx, params: &BackupParams, _effects: Vec<Begun<Self>>) -> Vec<Evidence> {
        self.pods.evidence(cx, &cx.scope, &params.postgres.pod).await
    }
}

impl Backup {
    fn archive(&self, params: &BackupParams) -> Archive {
        Archive::new(self.files.clone(), params.to.as_ref().map_or_else(|| self.folder.clone(), PathBuf::from))
    }

    fn dump(&self, cx: &ReadCx, params: &BackupParams, name: String) -> Dump {
        Dump {
            pods: self.pods.clone(),
            archive: self.archive(params),
            clock: self.clock.clone(),
            cx: cx.clone(),
            params: params.clone(),
            scratch: database_name("verify", cx),
            series: series(&cx.scope, &params.postgres),
            name,
        }
    }
}

/// Finds out whether a backup was finished.
pub(super) async fn settle_artefact(archive: &Archive, name: &str) -> Result<Settled<Manifest>, ActionError> {
    match archive.verify(name).await {
        Ok(manifest) => Ok(Settled::Done(manifest)),
        // What there is of it may need to be taken away, which only a compensation or a new try does.
        Err(ArchiveError::Absent { .. }) if archive.has_unfinished(name).await.map_err(|error| unusable(&error))? => {
            Ok(Settled::Other("an unfinished backup was left behind".to_owned()))
        }
        Err(ArchiveError::Absent { .. }) => Ok(Settled::NotDone),
        Err(error @ ArchiveError::Damaged { .. }) => Ok(Settled::Other(error.to_string())),
        Err(error) => Err(unusable(&error)),
    }
}

/// Takes an unfinished backup away, and leaves a finished one.
pub(super) async fn take_back_artefact(archive: &Archive, name: &str) -> Result<(MarkKind, Option<String>), ActionError> {
    match archive.show(name).await {
        Ok(_) => Ok((MarkKind::Nothing, Some(format!("the backup stays: {}", archive.path(name).display())))),
        Err(ArchiveError::Damaged { .. }) => {
            archive.remove(name).await.map_err(|error| unusable(&error))?;
            Ok((MarkKind::Restored, None))
        }
        Err(ArchiveError::Absent { .. }) => {
            let was_there = archive.clear_unfinished(name).await.map_err(|error| unusable(&error))?;
            Ok((if was_there { MarkKind::Restored } else { MarkKind::Nothing }, None))
        }
        Err(error) => Err(unusable(&error)),
    }
}

pub(super) fn unusable(error: &ArchiveError) -> ActionError {
    ActionError::transient("the backups cannot be used").because(error)
}

fn output(archive: &Archive, manifest: &Manifest, params: &BackupParams) -> BackupOutput {
    let rows = if params.verify == Verification::Restore { manifest.about.found.clone() } else { BTreeMap::new() };
    BackupOutput {
        name: manifest.name.clone(),
        path: archive.path(&manifest.name).display().to_string(),
        sha256: manifest.sha256.clone(),
        size: manifest.size,
        stored_size: manifest.stored_size,
        database: params.postgres.database.clone(),
        rows,
    }
}

#[cfg(test)]
mod tests;
