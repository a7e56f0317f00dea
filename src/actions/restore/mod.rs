//! `restore`: a PostgreSQL database becomes what a backup holds. It knows no Kubernetes.
//!
//! The backup is restored into a database of its own, while everybody goes on working with the one that is there, and is looked at
//! before anybody sees it. Then the two change names, in one transaction: nobody ever meets half a database, whatever breaks, and
//! whoever is connected has to connect again and that is all. The database as it was stays beside it, under another name. Going back
//! is changing the names back, which costs no time and loses nothing that was written until the switch; the backup that is made first
//! is for the day on which that other database is gone, too. The price is room for two more copies: one on the server, one in the
//! archive.
//!
//! Going back throws away what was written to the restored database. So it is looked at first, row by row, and once more when it has
//! lost its name and nobody can reach it: what somebody wrote is told, and kept, unless the plan accepts the loss. A database is known
//! by its number and not by its name, so a journal of any age finds out what is what.

mod choice;
mod undo;
mod work;

use self::choice::BEFORE_RESTORE;
use super::backup::series::{database_name, series};
use super::backup::{BackupParams, Verification, settle_artefact};
use super::pods::{Pods, Reach};
use super::postgres::{Mark as Moment, PostgresSource};
use crate::action::{Action, ActionError, Asked, Begun, Change, Cx, Evidence, Frozen, Intent, Preview, ReadCx, RunScope, UndoCx, key};
use crate::actions::backup::dump::Dump;
use crate::archive::{Archive, Manifest};
use crate::ports::{Clock, Files};
use crate::record::{EffectKey, Mark, Reversibility, Settled, Target};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use work::Standing;

const BEFORE: &str = "before";
const SCRATCH: &str = "scratch";
const LATEST: &str = "latest";

/// Restores a PostgreSQL database that runs in a pod from a backup, after it has made a backup of what is there.
///
/// The restored database takes the place of the old one in one instant; whoever is connected must connect again. The old one stays on
/// the server under another name, which is an output, until somebody drops it: going back gives it its name again. Once somebody has
/// written to the restored database, going back is refused unless the step says `accept-data-loss: true`.
///
/// The user must be allowed to make and rename databases and to end the sessions of others.
///
/// # Idempotence
/// A step that is repeated does not restore again what it has restored.
pub struct Restore {
    pods: Arc<dyn Pods>,
    files: Arc<dyn Files>,
    clock: Arc<dyn Clock>,
    folder: PathBuf,
}

impl Restore {
    /// Takes backups from `folder` where the plan names none.
    pub fn new(pods: Arc<dyn Pods>, files: Arc<dyn Files>, clock: Arc<dyn Clock>, folder: PathBuf) -> Self {
        Self { pods, files, clock, folder }
    }
}

/// What to restore, and from what.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct RestoreParams {
    /// The PostgreSQL database that becomes what the backup holds. It must be there, and may be another one than the backup is of.
    pub postgres: PostgresSource,
    /// The backup: its name, as `backups list` or the output of a `backup` step tell it, or `latest` for the newest one that this plan
    /// has made of this database in this environment and through this pod, by the clock of the machine that made it.
    pub backup: String,
    /// The folder of the backups on this machine; `backups` in the state folder when it is not given.
    #[serde(default)]
    pub from: Option<String>,
    /// Lets a rollback throw away what was written to the database after it was restored.
    #[serde(default)]
    pub accept_data_loss: bool,
}

/// A restored database: `{ "database": "app", "backup": "shop-app-…", "rows": { "public.users": 3 }, "before": "bowline_before_…", "before-backup": "shop-app-before-restore-…" }`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct RestoreOutput {
    /// The database.
    pub database: String,
    /// The backup that it was restored from.
    pub backup: String,
    /// Rows of each table.
    pub rows: BTreeMap<String, u64>,
    /// The database as it was, which stays on the server under this name.
    pub before: String,
    /// The backup of the database as it was.
    pub before_backup: String,
}

/// What takes a part of a restore back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestoreUndo {
    /// The backup of what was there is removed if it is unfinished.
    #[serde(rename_all = "kebab-case")]
    Before {
        /// Its folder.
        folder: PathBuf,
        /// Its name.
        name: String,
    },
    /// The database that is restored into is dropped.
    #[serde(rename_all = "kebab-case")]
    Scratch {
        /// Its name.
        database: String,
        /// The backup that was chosen when the step was first tried.
        backup: String,
    },
    /// The names are changed back.
    #[serde(rename_all = "kebab-case")]
    Swap(Box<Swap>),
}

/// A change of names.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Swap {
    /// The name of the restored database before.
    scratch: String,
    /// The name of the old database afterwards.
    aside: String,
    /// The old database.
    old: u32,
    /// The restored database.
    new: u32,
    /// The restored database when it was ready.
    ready: Moment,
    /// The backup of the old database.
    before_backup: String,
}

/// What a part of a restore made.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestoreAfter {
    /// A backup of what was there.
    Before(Box<Manifest>),
    /// A restored database that nobody uses yet.
    #[serde(rename_all = "kebab-case")]
    Scratch {
        /// When it was ready.
        ready: Ready,
    },
    /// The names are changed.
    Swapped,
}

/// A database as it was when it was restored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ready(Moment);

impl Action for Restore {
    const KIND: &'static str = "restore";
    const ABOUT: &'static str = "Restores a database from a backup, after a backup of what is there.";
    const UNDONE: &'static str = "The old database, which stays on the server, gets its name again. That is refused once somebody has \
        written to the restored one, unless `accept-data-loss: true`.";
    const EXAMPLE: &'static str = include_str!("../examples/restore.yaml");
    type Params = RestoreParams;
    type Undo = RestoreUndo;
    type After = RestoreAfter;
    type Output = RestoreOutput;

    fn reversibility(&self, _params: &RestoreParams) -> Reversibility {
        Reversibility::Reversible
    }

    fn targets(&self, scope: &RunScope, _frozen: &Frozen, params: &RestoreParams) -> Vec<Target> {
        vec![target(scope, params)]
    }

    fn asks(&self, params: &RestoreParams) -> Vec<Asked> {
        vec![Asked::Object(params.postgres.pod.clone())]
    }

    fn problems(&self, params: &RestoreParams) -> Vec<String> {
        let mut problems = params.postgres.problems();
        if params.backup.is_empty() {
            problems.push("`backup` names no backup: write its name, or `latest`".to_owned());
        }
        problems
    }

    fn repeatable(&self, _params: &RestoreParams) -> bool {
        true
    }

    async fn preview(&self, cx: &ReadCx, params: &RestoreParams) -> Result<Preview, ActionError> {
        let chosen = self.choose(&cx.scope, params).await;
        let mut preview = Preview::default();
        match &chosen {
            Ok(manifest) => preview.changes.push(Change {
                target: target(&cx.scope, params),
                verb: "change".to_owned(),
                lines: vec![format!("becomes what is in the backup {}", manifest.name)],
            }),
            Err(error) => preview.refusals.push([&[error.to_string()], error.failure().causes.as_slice()].concat().join(": ")),
        }
        let aside = database_name("before", cx);
        preview.notes.push(format!("a backup of {} is made first", params.postgres.database));
        preview.notes.push(format!("the database as it is stays on the server as {aside}; whoever is connected must connect again"));
        Ok(preview)
    }

    async fn missing_rights(&self, cx: &ReadCx, _params: &RestoreParams) -> Result<Vec<String>, ActionError> {
        self.pods.missing_rights(&cx.scope, Reach::Exec).await
    }

    async fn perform(&self, cx: &Cx<Self>, params: &RestoreParams) -> Result<RestoreOutput, ActionError> {
        let backup = self.chosen(cx, params).await?;
        let mut work = self.work(&cx.read, params).await?;
        let before = RestoreUndo::Before { folder: work.dump.archive.folder().to_owned(), name: work.dump.name.clone() };
        let scratch = RestoreUndo::Scratch { database: work.dump.scratch.clone(), backup };
        let effects = vec![(EffectKey(BEFORE.into()), before), (EffectKey(SCRATCH.into()), scratch)];
        let mut tickets = cx.intend(Intent::default(), effects).await?.into_iter();
        let (Some(before), Some(scratch)) = (tickets.next(), tickets.next()) else {
            return Err(ActionError::permanent("the engine gave no ticket for an effect"));
        };
        // What the first attempt chose, and what it called its own, holds: it may have been one of another version.
        let (RestoreUndo::Before { name, .. }, RestoreUndo::Scratch { backup, .. }) = (&before.undo, &scratch.undo) else {
            return Err(wrong_answer());
        };
        work.dump.name.clone_from(name);
        let backup = backup.clone();
        let standing = work.standing().await?;
        let before = match before.known.done() {
            Some(after) => after.clone(),
            None => {
                let work = work.clone();
                cx.effect(before, async move { work.back_up().await }).await?
            }
        };
        let RestoreAfter::Before(before) = before else { return Err(wrong_answer()) };
        let ready = match scratch.known.done() {
            Some(after) if standing.is_restored() => after.clone(),
            _ => {
                let manifest = work.manifest(&backup).await?;
                let work = work.clone();
                cx.effect(scratch, async move { work.restore(&manifest).await }).await?
            }
        };
        let RestoreAfter::Scratch { ready: Ready(ready) } = ready else { return Err(wrong_answer()) };
        let rows = ready.rows.clone();
        let swap = work.swap(ready, before.name.clone()).await?;
        let aside = swap.aside.clone();
        let ticket = cx.intend_one(key("swap", &target(&cx.read.scope, params)), RestoreUndo::Swap(Box::new(swap))).await?;
        if ticket.known.done().is_none() {
            let RestoreUndo::Swap(swap) = ticket.undo.clone() else { return Err(wrong_answer()) };
            let work = work.clone();
            cx.effect(ticket, async move { work.change_names(&swap).await }).await?;
        }
        let database = params.postgres.database.clone();
        Ok(RestoreOutput { database, backup, rows, before: aside, before_backup: before.name.clone() })
    }

    async fn settle(&self, cx: &ReadCx, params: &RestoreParams, effect: &Begun<Self>) -> Result<Settled<RestoreAfter>, ActionError> {
        match &effect.undo {
            RestoreUndo::Before { folder, name } => {
                let settled = settle_artefact(&Archive::new(self.files.clone(), folder), name).await?;
                Ok(match settled {
                    Settled::Done(manifest) => Settled::Done(RestoreAfter::Before(Box::new(manifest))),
                    Settled::NotDone => Settled::NotDone,
                    Settled::Other(why) => Settled::Other(why),
                    Settled::Unknown(why) => Settled::Unknown(why),
                })
            }
            RestoreUndo::Scratch { database, .. } => {
                let work = self.work(cx, params).await?;
                Ok(match work.server.has_been_made(database, &*self.clock).await? {
                    // Nobody knows how far it came: it is made anew, or dropped.
                    true => Settled::Other(format!("the database {database} was left behind, perhaps half restored")),
                    false => Settled::NotDone,
                })
            }
            RestoreUndo::Swap(swap) => Ok(match self.work(cx, params).await?.standing_of(swap).await? {
                Standing::Before => Settled::NotDone,
                Standing::Swapped => Settled::Done(RestoreAfter::Swapped),
                Standing::Other => Settled::Other(format!("another database is called {} now", params.postgres.database)),
            }),
        }
    }

    async fn compensate(&self, cx: &UndoCx, params: &RestoreParams, effects: Vec<Begun<Self>>) -> Result<Vec<Mark>, ActionError> {
        self.take_back(&cx.read, params, effects).await
    }

    async fn evidence(&self, cx: &ReadCx, params: &RestoreParams, _effects: Vec<Begun<Self>>) -> Vec<Evidence> {
        self.pods.evidence(cx, &cx.scope, &params.postgres.pod).await
    }
}

impl Restore {
    async fn work(&self, cx: &ReadCx, params: &RestoreParams) -> Result<work::Work, ActionError> {
        let series = format!("{}{BEFORE_RESTORE}", series(&cx.scope, &params.postgres));
        let backup = BackupParams { postgres: params.postgres.clone(), to: params.from.clone(), keep: None, verify: Verification::Listing };
        let dump = Dump {
            pods: self.pods.clone(),
            archive: self.archive(params),
            clock: self.clock.clone(),
            cx: cx.clone(),
            params: backup,
            scratch: database_name("restore", cx),
            name: format!("{series}-{}-{}", cx.scope.run, cx.step.unbracketed()),
            series,
        };
        let server = dump.server().await?;
        Ok(work::Work { dump, server: server.seen_from_outside(), aside: database_name("before", cx) })
    }
}

/// The database: a name is one of a server, and a server is behind a name of its namespace.
fn target(scope: &RunScope, params: &RestoreParams) -> Target {
    let namespace = scope.namespace.as_deref().unwrap_or("*");
    Target(format!("postgres:{namespace}/{}/{}", params.postgres.pod, params.postgres.database))
}

fn wrong_answer() -> ActionError {
    ActionError::permanent("the journal gave the wrong answer for a restore")
}

#[cfg(test)]
mod tests;
