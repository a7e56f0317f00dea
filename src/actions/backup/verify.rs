//! Whether a dump is one that could be restored. It reads what is on the disk, not what was sent there.

use super::Verification;
use super::dump::Dump;
use crate::action::ActionError;
use crate::actions::pods::PodProgram;
use crate::actions::postgres::{Server, check_end, read_all};
use crate::archive::{ArchiveError, Reader, Unblessed};
use std::collections::BTreeMap;
use tokio::io::{AsyncWrite, AsyncWriteExt};

impl Dump {
    /// Verifies stored content; says what was found in it.
    pub(super) async fn verify(
        &self,
        server: &Server,
        content: &Unblessed,
        tables: &[String],
    ) -> Result<BTreeMap<String, u64>, ActionError> {
        match self.params.verify {
            Verification::Listing => self.feed("pg_restore", server.check().await?, content).await.map(|_| BTreeMap::new()),
            Verification::Restore => {
                let restored = self.verify_restore(server, content, tables).await;
                // It is dropped by the compensation if not here.
                let dropped = server.drop_database(&self.scratch).await;
                let rows = restored?;
                dropped.map(|()| rows)
            }
        }
    }

    async fn verify_restore(&self, server: &Server, content: &Unblessed, tables: &[String]) -> Result<BTreeMap<String, u64>, ActionError> {
        self.feed("pg_restore", server.restore_rows(&self.scratch).await?, content).await?;
        let rows = server.rows(&self.scratch).await?;
        // Rows change while a database is in use; tables that are gone were never dumped.
        match tables.iter().find(|table| !rows.contains_key(*table)) {
            Some(table) => Err(ActionError::permanent(format!("the backup holds no table {table}"))),
            None => Ok(rows),
        }
    }

    async fn feed(&self, title: &str, program: PodProgram, content: &Unblessed) -> Result<String, ActionError> {
        let mut reader = self.archive.open_unblessed(content).await.map_err(|error| self.failed(&error))?;
        feed(&mut reader, title, program, |error| self.failed(error)).await
    }
}

/// Gives stored content to a program, all of it read back from the disk, and checks its end; gives what the program printed.
pub(in crate::actions) async fn feed(
    reader: &mut Reader,
    title: &str,
    mut program: PodProgram,
    failed: impl Fn(&ArchiveError) -> ActionError,
) -> Result<String, ActionError> {
    let stdin = program.stdin.take();
    let ended = futures::future::join(read_all(program.stdout), program.end);
    let (fed, ended) = give_and_wait(reader, stdin, ended).await;
    fed.map_err(|error| failed(&error))?;
    let (printed, end) = ended;
    check_end(title, &end?)?;
    // The program may not want all of it; what is on the disk must be whole all the same.
    while reader.next().await.map_err(|error| failed(&error))?.is_some() {}
    Ok(printed)
}

/// Gives content to a program until either has enough, then waits for the program's end.
async fn give_and_wait<T>(
    reader: &mut Reader,
    stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    ended: impl Future<Output = T>,
) -> (Result<(), ArchiveError>, T) {
    let mut ended = std::pin::pin!(ended);
    tokio::select! {
        // A program that ends early leaves its input unread: nobody would ever take the rest.
        ended = &mut ended => (Ok(()), ended),
        fed = give(reader, stdin) => (fed, ended.await),
    }
}

async fn give(reader: &mut Reader, stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>) -> Result<(), ArchiveError> {
    let Some(mut stdin) = stdin else { return Ok(()) };
    while let Some(piece) = reader.next().await? {
        if stdin.write_all(&piece).await.is_err() {
            // It does not want any more; how it ends says whether that is right.
            return Ok(());
        }
    }
    let _ = stdin.shutdown().await;
    Ok(())
}
