//! The work of a restore: the backup of what is there, the restored database, the change of names.

use super::{Ready, RestoreAfter, Swap};
use crate::action::{ActionError, EffectError};
use crate::actions::backup::dump::Dump;
use crate::actions::backup::verify::feed;
use crate::actions::backup::{BackupAfter, unusable};
use crate::actions::postgres::{Mark as Moment, Server};
use crate::archive::{ArchiveError, Manifest};
use std::collections::BTreeMap;

const FORMAT: &str = "postgres-custom";

/// All that a restore needs, so that it can go on without the attempt that began it.
#[derive(Clone)]
pub(super) struct Work {
    pub(super) dump: Dump,
    pub(super) server: Server,
    /// The name of the old database afterwards.
    pub(super) aside: String,
}

/// The databases of the server, by their names.
pub(super) struct Databases {
    named: BTreeMap<String, u32>,
    scratch: String,
    aside: String,
}

impl Databases {
    /// True when the restored database is there, before or after the change of names.
    pub(super) fn is_restored(&self) -> bool {
        self.named.contains_key(&self.scratch) || self.named.contains_key(&self.aside)
    }
}

/// Which database has the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The old one.
    Before,
    /// The restored one.
    Swapped,
    /// None of them.
    Other,
}

impl Work {
    /// Looks at the server.
    pub(super) async fn standing(&self) -> Result<Databases, ActionError> {
        if self.server.is_standby().await? {
            let pod = &self.dump.params.postgres.pod;
            return Err(ActionError::permanent(format!("the server behind {pod} is a standby and takes no writes"))
                .hint("name the primary's pod or service"));
        }
        let named = self.server.databases(&self.aside).await?;
        Ok(Databases { named, scratch: self.dump.scratch.clone(), aside: self.aside.clone() })
    }

    /// Finds out which database has the name.
    pub(super) async fn standing_of(&self, swap: &Swap) -> Result<Standing, ActionError> {
        let named = self.server.databases(&swap.aside).await?;
        Ok(match named.get(&self.server.database) {
            Some(oid) if *oid == swap.old => Standing::Before,
            Some(oid) if *oid == swap.new => Standing::Swapped,
            _ => Standing::Other,
        })
    }

    pub(super) async fn manifest(&self, name: &str) -> Result<Manifest, ActionError> {
        let manifest = self.dump.archive.show(name).await.map_err(|error| super::choice::not_chosen(&error))?;
        match manifest.about.format.as_str() {
            FORMAT => Ok(manifest),
            other => {
                Err(ActionError::permanent(format!("the backup {name} is of the form `{other}`, a database is restored from `{FORMAT}`")))
            }
        }
    }

    /// Backs up what is there.
    pub(super) async fn back_up(&self) -> Result<RestoreAfter, EffectError> {
        let server = self.dump.server().await.map_err(EffectError::Refused)?;
        match self.dump.make(&server).await? {
            BackupAfter::Artefact(manifest) => Ok(RestoreAfter::Before(manifest)),
            BackupAfter::Scratch => Err(EffectError::Lost(super::wrong_answer())),
        }
    }

    /// Restores a backup into a database of its own, and looks at it.
    pub(super) async fn restore(&self, manifest: &Manifest) -> Result<RestoreAfter, EffectError> {
        // Until its making is heard to be over it may be made yet, whatever is dropped now.
        self.dump.make_scratch(&self.server).await?;
        let restored = tokio::select! {
            restored = self.restored(manifest) => restored,
            () = self.dump.cx.cancel.cancelled() => Err(ActionError::transient("the restore was stopped before it was whole")),
        };
        let error = match restored {
            Ok(ready) => return Ok(RestoreAfter::Scratch { ready: Ready(ready) }),
            Err(error) => error,
        };
        match self.server.drop_database(&self.dump.scratch).await {
            Ok(()) => Err(EffectError::Refused(error)),
            // It may be there: only a look can tell.
            Err(_) => Err(EffectError::Lost(error)),
        }
    }

    async fn restored(&self, manifest: &Manifest) -> Result<Moment, ActionError> {
        let (server, scratch, cx) = (&self.server, &self.dump.scratch, &self.dump.cx);
        cx.doing(format!("restoring {} beside {}", manifest.name, server.database));
        let mut reader = self.dump.archive.open(manifest).await.map_err(|error| unusable(&error))?;
        let failed =
            |error: &ArchiveError| ActionError::permanent(format!("the backup {} cannot be restored", manifest.name)).because(error);
        feed(&mut reader, "pg_restore", server.restore_all(scratch).await?, failed).await?;
        cx.doing(format!("verifying what was restored from {}", manifest.name));
        server.make_alike(scratch).await?;
        server.analyze(scratch).await?;
        let ready = server.mark(scratch).await?;
        verify(manifest, &ready.rows)?;
        Ok(ready)
    }

    /// What the change of names will be.
    pub(super) async fn swap(&self, ready: Moment, before_backup: String) -> Result<Swap, ActionError> {
        let standing = self.standing().await?;
        let (database, scratch, aside) = (&self.server.database, &self.dump.scratch, &self.aside);
        // An earlier attempt may have changed them already.
        let (old, new) = if standing.named.contains_key(aside) { (aside, database) } else { (database, scratch) };
        let find = |name: &String| {
            let absent = || ActionError::transient(format!("the server has no database {name} any more"));
            standing.named.get(name).copied().ok_or_else(absent)
        };
        Ok(Swap { scratch: scratch.clone(), aside: aside.clone(), old: find(old)?, new: find(new)?, ready, before_backup })
    }

    /// Gives the restored database its name.
    pub(super) async fn change_names(&self, swap: &Swap) -> Result<RestoreAfter, EffectError> {
        self.dump.cx.doing(format!("switching to the restored {}", self.server.database));
        let said = self.server.swap(&swap.aside, &swap.aside, &swap.scratch).await.map_err(EffectError::Lost)?;
        match self.standing_of(swap).await.map_err(EffectError::Lost)? {
            Standing::Swapped => Ok(RestoreAfter::Swapped),
            Standing::Before | Standing::Other => Err(EffectError::Refused(not_swapped(&self.server.database, &said))),
        }
    }
}

/// Says why names could not be changed.
pub(super) fn not_swapped(database: &str, said: &str) -> ActionError {
    let mut failure = ActionError::transient(format!("{database} could not change its name")).into_failure();
    failure.causes.extend(said.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned));
    failure.into()
}

/// Compares what was restored with what was counted when the backup was made. A backup that was only listed has no counts.
fn verify(manifest: &Manifest, rows: &BTreeMap<String, u64>) -> Result<(), ActionError> {
    let wrong = |(table, expected): (&String, &u64)| match rows.get(table) {
        Some(found) if found == expected => None,
        Some(found) => Some(format!("{table} has {found} rows of {expected}")),
        None => Some(format!("{table} is not there")),
    };
    let mut wrong: Vec<String> = manifest.about.found.iter().filter_map(wrong).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let mut failure = ActionError::permanent(format!("{} is not restored as it was: {}", manifest.name, wrong.remove(0))).into_failure();
    failure.causes = wrong;
    Err(failure.into())
}
