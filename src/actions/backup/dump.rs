//! One dump from its first byte to its manifest. Whatever goes wrong on the way, nothing that looks like a backup is left.

use super::series::source;
use super::{BackupAfter, BackupParams, Verification};
use crate::action::{ActionError, EffectError, Progress, ReadCx};
use crate::actions::pods::Pods;
use crate::actions::postgres::{Server, check_end};
use crate::archive::{About, Archive, ArchiveError, Manifest, Unblessed, Writer};
use crate::ports::Clock;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt};

const PIECE: usize = 64 * 1024;
const MEBIBYTE: u64 = 1024 * 1024;

/// All that a dump needs, so that it can go on without the attempt that began it.
#[derive(Clone)]
pub(in crate::actions) struct Dump {
    pub(in crate::actions) pods: Arc<dyn Pods>,
    pub(in crate::actions) archive: Archive,
    pub(in crate::actions) clock: Arc<dyn Clock>,
    pub(in crate::actions) cx: ReadCx,
    pub(in crate::actions) params: BackupParams,
    pub(in crate::actions) name: String,
    pub(in crate::actions) series: String,
    pub(in crate::actions) scratch: String,
}

impl Dump {
    /// The server, in the pod that all of this goes through.
    pub(in crate::actions) async fn server(&self) -> Result<Server, ActionError> {
        self.params.postgres.server(&self.pods, &self.cx).await
    }

    /// Makes the database to restore into, anew if an earlier try left one.
    pub(in crate::actions) async fn make_scratch(&self, server: &Server) -> Result<BackupAfter, EffectError> {
        let make = async {
            server.drop_database(&self.scratch).await?;
            server.make_database(&self.scratch).await
        };
        let made = tokio::select! {
            made = make => made,
            () = self.cx.cancel.cancelled() => Err(ActionError::transient("it was stopped before it had a scratch database")),
        };
        made.map(|_| BackupAfter::Scratch).map_err(EffectError::Lost)
    }

    /// Dumps, verifies, blesses and prunes.
    pub(in crate::actions) async fn make(&self, server: &Server) -> Result<BackupAfter, EffectError> {
        let made = tokio::select! {
            made = self.whole(server) => made,
            () = self.cx.cancel.cancelled() => Err(ActionError::transient("the backup was stopped before it was whole")),
        };
        let error = match made {
            Ok(manifest) => {
                self.look_at_clock(&manifest).await;
                self.prune(&manifest).await;
                return Ok(BackupAfter::Artefact(Box::new(manifest)));
            }
            Err(error) => error,
        };
        // Where something may be left only a look can tell.
        match self.is_cleared().await {
            true => Err(EffectError::Refused(error)),
            false => Err(EffectError::Lost(error)),
        }
    }

    async fn is_cleared(&self) -> bool {
        let cleared = self.archive.clear_unfinished(&self.name).await;
        cleared.is_ok() && matches!(self.archive.show(&self.name).await, Err(ArchiveError::Absent { .. }))
    }

    async fn whole(&self, server: &Server) -> Result<Manifest, ActionError> {
        match self.archive.verify(&self.name).await {
            Ok(finished) => return Ok(finished),
            Err(ArchiveError::Absent { .. } | ArchiveError::Damaged { .. }) => {}
            // It may be whole.
            Err(error) => return Err(self.failed(&error)),
        }
        let tables = match self.params.verify {
            Verification::Restore => server.tables().await?,
            Verification::Listing => Vec::new(),
        };
        let notes = self.look_at_server(server).await;
        let content = self.store(server).await?;
        self.cx.doing(format!("verifying the dump of {}", self.params.postgres.database));
        let found = self.verify(server, &content, &tables).await?;
        let about = About { notes, ..self.about(found) };
        self.archive.bless(content, &self.series, about, self.clock.now()).await.map_err(|error| self.failed(&error))
    }

    /// Streams the dump into the archive: as fast as the slower of the two.
    async fn store(&self, server: &Server) -> Result<Unblessed, ActionError> {
        let mut writer = self.archive.begin(&self.name).await.map_err(|error| self.failed(&error))?;
        let program = server.dump().await?;
        // The first of the two that fails ends both: after a full disk nobody reads any more, after a lost connection nobody writes.
        let (size, end) = futures::future::try_join(self.copy(program.stdout, &mut writer), program.end).await?;
        check_end("pg_dump", &end)?;
        if size == 0 {
            return Err(ActionError::transient("`pg_dump` gave nothing"));
        }
        writer.finish().await.map_err(|error| self.failed(&error))
    }

    async fn copy(&self, mut from: impl AsyncRead + Unpin, writer: &mut Writer) -> Result<u64, ActionError> {
        let (mut size, mut piece) = (0_u64, vec![0; PIECE]);
        loop {
            let count = from.read(&mut piece).await;
            let count = count.map_err(|error| ActionError::transient("the stream of the dump broke").because(&error))?;
            if count == 0 {
                return Ok(size);
            }
            writer.write(&piece[..count]).await.map_err(|error| self.failed(&error))?;
            let before = size / MEBIBYTE;
            size += count as u64;
            if size / MEBIBYTE > before {
                self.cx.doing(format!("dumping {}: {} MiB", self.params.postgres.database, size / MEBIBYTE));
            }
        }
    }

    fn about(&self, found: BTreeMap<String, u64>) -> About {
        About {
            format: "postgres-custom".to_owned(),
            source: source(&self.cx.scope, &self.params.postgres),
            run: self.cx.scope.run.clone(),
            step: self.cx.step.clone(),
            verified: self.params.verify.as_str().to_owned(),
            found,
            notes: Vec::new(),
        }
    }

    /// A standby takes no database to restore into.
    pub(super) async fn refuse_standby(&self) -> Result<(), ActionError> {
        if !self.server().await?.is_standby().await.unwrap_or(false) {
            return Ok(());
        }
        let pod = &self.params.postgres.pod;
        let error = format!("the server behind {pod} is a standby, and `verify: restore` needs one that takes writes");
        Err(ActionError::permanent(error).hint("name the primary's pod or service, or leave `verify: restore` out"))
    }

    /// What whoever restores the backup ought to know of its server. One that does not say what it is dumps, or does not.
    async fn look_at_server(&self, server: &Server) -> Vec<String> {
        let is_standby = self.params.verify == Verification::Listing && server.is_standby().await.unwrap_or(false);
        if !is_standby {
            return Vec::new();
        }
        let note = "dumped from a standby: what its primary wrote last may not be in it".to_owned();
        self.cx
            .warn(format!("the server behind {} is a standby; the backup may lack what its primary wrote last", self.params.postgres.pod));
        vec![note]
    }

    /// Backups go by the clock of the machine that made them. One that was set back since makes an older one the newest.
    async fn look_at_clock(&self, made: &Manifest) {
        let catalogue = self.archive.list().await.unwrap_or_default();
        if let Some(later) = catalogue.later_than(made) {
            let (made, later) = (&made.name, &later.name);
            self.cx.warn(format!(
                "{later} is of a later time than {made}, which was made just now: was the clock set back? `latest` means {later}"
            ));
        }
    }

    /// Lets old backups go. The new one is whole, so a failure is worth a word and no more.
    async fn prune(&self, made: &Manifest) {
        let Some(keep) = self.params.keep else { return };
        match self.archive.prune(made, keep).await {
            Ok(gone) if gone.is_empty() => {}
            Ok(gone) => self.cx.sink.progress(&self.cx.step, Progress::Line(format!("removed old backups: {}", gone.join(", ")))),
            Err(error) => self.cx.warn(format!("old backups could not be removed: {error}")),
        }
    }

    pub(in crate::actions) fn failed(&self, error: &ArchiveError) -> ActionError {
        ActionError::transient(format!("the dump of {} could not be stored", self.params.postgres.database)).because(error)
    }
}
