//! Which backup a plan means. It restores nothing.

use super::{LATEST, Restore, RestoreParams, RestoreUndo};
use crate::action::{ActionError, Cx, RunScope};
use crate::actions::backup::series::{readable, series, source};
use crate::actions::backup::unusable;
use crate::archive::{Archive, ArchiveError, Manifest};
use std::path::PathBuf;

/// What the series of a backup that a restore makes ends with: it never makes a backup of the plan's go, and is never taken for the latest.
pub(super) const BEFORE_RESTORE: &str = "-before-restore";

impl Restore {
    /// The backup that the plan means, by its name. The newest one may be another by now: what the first attempt chose holds.
    pub(super) async fn chosen(&self, cx: &Cx<Self>, params: &RestoreParams) -> Result<String, ActionError> {
        let earlier = cx.earlier()?.into_iter().find_map(|effect| match effect.undo {
            RestoreUndo::Scratch { backup, .. } => Some(backup),
            RestoreUndo::Before { .. } | RestoreUndo::Swap(_) => None,
        });
        match earlier {
            Some(backup) => Ok(backup),
            None => self.choose(&cx.read.scope, params).await.map(|manifest| manifest.name),
        }
    }

    /// The backup that the plan means now.
    pub(super) async fn choose(&self, scope: &RunScope, params: &RestoreParams) -> Result<Manifest, ActionError> {
        let archive = self.archive(params);
        if params.backup != LATEST {
            return archive.show(&params.backup).await.map_err(|error| not_chosen(&error));
        }
        let (series, source) = (series(scope, &params.postgres), source(scope, &params.postgres));
        let backups = archive.list().await.map_err(|error| unusable(&error))?.backups;
        let found = backups.iter().find(|manifest| manifest.series == series && manifest.about.source == source);
        found.cloned().ok_or_else(|| {
            let place = archive.folder().display();
            let error = ActionError::permanent(format!("no backup in {place} is one that this plan has made of {source}"));
            error.hint(next(&backups, &readable(scope, &params.postgres.database)))
        })
    }

    pub(super) fn archive(&self, params: &RestoreParams) -> Archive {
        Archive::new(self.files.clone(), params.from.as_ref().map_or_else(|| self.folder.clone(), PathBuf::from))
    }
}

/// What to type instead. Of a database of this name that is reached another way, and of one whose backups are from before it was noted how
/// it is reached, only a person can tell whether it is the same.
fn next(backups: &[Manifest], readable: &str) -> String {
    let may_be_meant = |manifest: &&Manifest| {
        let rest = manifest.series.strip_prefix(readable);
        rest.is_some_and(|rest| (rest.is_empty() || rest.starts_with('-')) && !rest.ends_with(BEFORE_RESTORE))
    };
    match backups.iter().find(may_be_meant) {
        Some(manifest) => format!("{} is one of {}: if that is the same, give it by its name", manifest.name, manifest.about.source),
        None => "`bowline backups list` shows what there is: give one by its name".to_owned(),
    }
}

pub(super) fn not_chosen(error: &ArchiveError) -> ActionError {
    match error {
        ArchiveError::File(_) => unusable(error),
        _ => ActionError::permanent("there is nothing to restore from").because(error).hint("`bowline backups list` shows what there is"),
    }
}
